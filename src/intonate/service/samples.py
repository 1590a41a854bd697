"""What a WebSocket sends as sound: samples in one of a few encodings, alone or in a telephone gateway's JSON.

Live sound has no header, so what is sent in another encoding than the query says would be heard as noise. What can be
recognised by its first bytes (a container, another encoding, a second channel) is refused by name instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.audio import kinds
from intonate.audio.bare import ALAW, MULAW, is_doubled, likelier_encoding
from intonate.errors import AudioError

Bytes = NDArray[np.uint8]

# Full scale is 1; the loudest mistake that still is one of gain, not of encoding.
LOUDEST = 8.0
# What telephone gateways call the encodings (Twilio, Telnyx, Plivo, Vonage, Exotel), without `audio/`.
GATEWAY_NAMES = {
    **dict.fromkeys(("x-mulaw", "mulaw", "ulaw", "pcmu", "basic"), "mulaw"),
    **dict.fromkeys(("x-alaw", "alaw", "pcma"), "alaw"),
    **dict.fromkeys(("x-l16", "l16", "linear16", "raw/slin", "s16le"), "s16le"),
}
RAW_NAMES = {"mulaw": "ulaw"}  # what a recording without a header calls them, where that is another name
NO_NAMES = ("", "base64")  # Exotel says how the samples travel, and not what they are
# Their messages without sound; Vonage's all begin with the last. Telnyx's `error` is for the server in between to read,
# and no end: that is its `stop`.
IGNORED_EVENTS = ("connected", "mark", "dtmf", "clear", "playedStream", "clearedAudio", "error")
VONAGE = "websocket:"


@dataclass(frozen=True, slots=True)
class Encoding:
    """How samples are written: bytes of one, the usual rate in Hz, and what reads them."""

    width: int
    rate_hz: int
    decode: Callable[[bytes], NDArray[Any]]


def _floats(data: bytes) -> NDArray[Any]:
    samples = np.frombuffer(data, "<f4")
    # Written so that NaN fails it too.
    if len(samples) and not (samples.min() >= -LOUDEST and samples.max() <= LOUDEST):
        raise AudioError(
            "the samples are not finite or far beyond the full scale of 1, so they are no 32-bit floats; "
            "if they are 16-bit integers, say format=s16le"
        )
    return samples


ENCODINGS: Mapping[str, Encoding] = {
    "s16le": Encoding(2, 16_000, lambda data: np.frombuffer(data, "<i2")),
    "f32le": Encoding(4, 16_000, _floats),
    "mulaw": Encoding(1, 8_000, lambda data: MULAW[np.frombuffer(data, np.uint8)]),
    "alaw": Encoding(1, 8_000, lambda data: ALAW[np.frombuffer(data, np.uint8)]),
}


def beginning(data: bytes) -> bytes:
    """The first bytes of a stream that tell what it is, up to `kinds.HEAD_BYTES`: silence before them does not."""
    silence = len(data) - len(data.lstrip(data[:1]))
    return data[silence - silence % 24 :][: kinds.HEAD_BYTES]  # whole samples, of 8 to 64 bits


def check_beginning(head: bytes, encoding: str) -> None:
    """Refuse what does not begin like bare samples of this encoding.

    Args:
        head: the `beginning` of a stream.
        encoding: a name of `ENCODINGS`.

    Raises:
        AudioError: it is a container, or samples of another encoding, or of two channels that hold the same.
    """
    kind = kinds.surely(head)
    if kinds.is_later_webm(head):
        raise AudioError(f"this {kinds.LATER_WEBM}; or send {encoding}, without a container")
    if kind is None and len(head) >= kinds.HEAD_BYTES // 2:
        kind = found_kind if (found_kind := kinds.of(head)) in (kinds.MP3, kinds.ADTS) else None
    if kind is not None:
        raise AudioError(
            f"this is a {kind.name} file or recording, not bare samples; "
            f"send {encoding} without a container, or upload the file to /v1/predictions"
        )
    if encoding != "f32le" and _are_floats(head, "<f8"):
        raise AudioError(f"these samples are 64-bit floats, not {encoding}; send 32-bit floats and say format=f32le")
    if encoding != "f32le" and _are_floats(head, "<f4"):
        raise AudioError(f"these samples are 32-bit floats, not {encoding}; say format=f32le")
    if len(head) == kinds.HEAD_BYTES:  # of fewer, some are taken for what they are not
        _check_samples(head, encoding)


def _check_samples(head: bytes, encoding: str) -> None:
    likelier = likelier_encoding(head, RAW_NAMES.get(encoding, encoding))
    if likelier is not None:
        name = next((name for name in ENCODINGS if RAW_NAMES.get(name, name) == likelier), None)
        mend = "that is not read here: send s16le" if name is None else f"say format={name}, and the rate"
        raise AudioError(f"these samples are of {likelier}, not of {encoding}; {mend}")
    if is_doubled(head, ENCODINGS[encoding].width):
        raise AudioError(
            "every sample comes twice, as of two channels that hold the same; send one channel, or, if the rate was "
            "doubled so, each sample once and with its own rate"
        )


def _are_floats(head: bytes, kind: str) -> bool:
    """Whether nearly all would be plausible as floats: of other speech, hardly any group of samples is."""
    sizes = np.abs(np.frombuffer(head[: len(head) // 8 * 8], kind))
    sizes = sizes[sizes != 0]
    return len(sizes) >= 500 and bool(np.mean((sizes > 1e-9) & (sizes <= LOUDEST)) > 0.99)


def gateway_sound(message: Mapping[str, Any], encoding: str, rate_hz: int) -> bytes | None:
    """The sound in a message of a telephone gateway (`{"event": "media", "media": {"payload": BASE64}}`).

    Only what the caller says (`inbound`) is heard, where a message names its track.

    Returns:
        Its bytes, empty for a message without sound; None for the last message.

    Raises:
        AudioError: it cannot be read, or tells another encoding or rate than the query.
    """
    event = message.get("event")
    if event == "stop":
        return None
    if event == "start":
        _check_format(message, encoding, rate_hz)
        return b""
    if event == f"{VONAGE}connected":
        _check_content_type(str(message.get("content-type", "")), encoding, rate_hz)
    if event in IGNORED_EVENTS or str(event).startswith(VONAGE):
        return b""
    media = message.get("media")
    if event != "media" or not isinstance(media, dict):
        raise AudioError(f"event {str(event)[:50]!r} is not known; expected start, media or stop")
    if media.get("track", "inbound") not in ("inbound", "inbound_track"):
        return b""
    try:
        return kinds.from_base64(media["payload"].encode())
    except (KeyError, AttributeError, ValueError):
        raise AudioError("the media message has no payload in base64") from None


def _check_format(message: Mapping[str, Any], encoding: str, rate_hz: int) -> None:
    start = message.get("start")
    start = start if isinstance(start, dict) else {}
    shape = start.get("mediaFormat") or start.get("media_format") or {}
    if isinstance(shape, dict):
        rate = shape.get("sampleRate", shape.get("sample_rate"))
        _check_agrees(str(shape.get("encoding") or ""), rate, shape.get("channels"), encoding, rate_hz)


def _check_content_type(content_type: str, encoding: str, rate_hz: int) -> None:
    """`audio/l16;rate=16000`, as Vonage says it."""
    name, _, parameters = content_type.partition(";")
    pairs = (one.partition("=") for one in parameters.lower().split(";"))
    values = {key.strip(): value.strip() for key, _, value in pairs}
    _check_agrees(name.strip(), values.get("rate"), values.get("channels"), encoding, rate_hz)


def _check_agrees(name: str, rate: object, channels: object, encoding: str, rate_hz: int) -> None:
    """Compare what a gateway says of its sound with the query; what it does not say agrees."""
    name = name.lower().removeprefix("audio/")
    if name not in GATEWAY_NAMES and name not in NO_NAMES:
        raise AudioError(
            f"the gateway sends {name[:50]!r}, which cannot be read here; set it to send mu-law (PCMU), A-law (PCMA) "
            "or 16-bit samples (L16)"
        )
    if channels is not None and _number(channels) != 1:
        raise AudioError(f"the gateway sends {str(channels)[:20]} channels, expected one: the caller's voice alone")
    gateway_encoding, gateway_rate = GATEWAY_NAMES.get(name, encoding), rate_hz if rate is None else _number(rate)
    if gateway_rate is None:
        raise AudioError(f"the gateway sends at a rate of {str(rate)[:20]!r}, expected a number of Hz")
    if (gateway_encoding, gateway_rate) != (encoding, rate_hz):
        raise AudioError(
            f"the gateway sends {gateway_encoding} at {gateway_rate:g} Hz, but the address says {encoding} at "
            f"{rate_hz} Hz; connect to /v1/stream?format={gateway_encoding}&rate={gateway_rate:g}"
        )


def _number(value: object) -> float | None:
    """A number from 1 on, as gateways write it (8000, "8000", 8000.0); else None."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 1 <= number < 1e6 else None
