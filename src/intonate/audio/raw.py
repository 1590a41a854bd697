"""Samples without a header, as telephones and Asterisk write them: `ulaw:8000`, `s16le:16000:2`."""

from __future__ import annotations

import contextlib
from typing import BinaryIO

from intonate.audio import kinds
from intonate.audio.bare import WIDTHS, is_doubled, likelier_encoding
from intonate.audio.media import open_media
from intonate.audio.reader import Reader, check_rate
from intonate.audio.sndfile import open_sndfile
from intonate.catalogue import check_name
from intonate.errors import AudioError

# Our name -> libsndfile's subtype and byte order. G.722 is read by PyAV.
ENCODINGS: dict[str, tuple[str, str]] = {
    "ulaw": ("ULAW", "FILE"),
    "alaw": ("ALAW", "FILE"),
    "s8": ("PCM_S8", "FILE"),
    "u8": ("PCM_U8", "FILE"),
    "s16le": ("PCM_16", "LITTLE"),
    "s16be": ("PCM_16", "BIG"),
    "s24le": ("PCM_24", "LITTLE"),
    "s24be": ("PCM_24", "BIG"),
    "s32le": ("PCM_32", "LITTLE"),
    "s32be": ("PCM_32", "BIG"),
    "f32le": ("FLOAT", "LITTLE"),
    "f32be": ("FLOAT", "BIG"),
    "f64le": ("DOUBLE", "LITTLE"),
    "gsm": ("GSM610", "FILE"),
    "vox": ("VOX_ADPCM", "FILE"),
    "g722": ("", ""),
}
ALIASES = {"mulaw": "ulaw", "pcmu": "ulaw", "pcma": "alaw", "s16": "s16le", "pcm": "s16le", "f32": "f32le"}
G722 = kinds.Kind("g722", "g722")
# Encodings of telephones hold one channel.
ONE_CHANNEL = frozenset({"gsm", "vox", "g722"})
# So many of the first bytes are looked at for what the samples are.
LOOK_BYTES = 2**18


def parsed(text: str) -> tuple[str, int, int]:
    """Encoding, sample rate in Hz and channels of `ENCODING:RATE[:CHANNELS]`.

    >>> parsed("mulaw:8000")
    ('ulaw', 8000, 1)

    Raises:
        AudioError: it is not of that form, or an encoding is not known.
    """
    encoding, _, rate_and_channels = text.partition(":")
    rate, _, channels = rate_and_channels.partition(":")
    encoding = ALIASES.get(encoding.lower(), encoding.lower())
    check_name(encoding, ENCODINGS, "raw encoding", AudioError)
    count = int(channels or 1) if (channels or "1").isdecimal() else 0
    if not rate.isdecimal() or not 1 <= count <= 256:
        raise AudioError(f"raw {text!r} is not ENCODING:RATE[:CHANNELS], expected e.g. ulaw:8000 or s16le:16000:2")
    if encoding in ONE_CHANNEL and count != 1:
        raise AudioError(f"raw {text!r} has {count} channels, expected 1: {encoding} holds one")
    return encoding, check_rate(int(rate), f"raw {text!r}"), count


def open_raw(view: BinaryIO, name: str, text: str, stack: contextlib.ExitStack) -> Reader:
    """A reader of samples without a header.

    Raises:
        AudioError: `text` is no such description, there is no whole sample, or the file has a header.
    """
    encoding, rate, channels = parsed(text)
    if (kind := kinds.surely(view.read(kinds.HEAD_BYTES))) is not None:
        raise AudioError(
            f"{name} is a file with a header ({kind.name}), and raw is for samples without one; read it without raw"
        )
    view.seek(0)
    if encoding == "g722":
        return open_media(view, name, G722, stack)
    data = view.read(LOOK_BYTES) if channels == 1 else b""
    view.seek(0)
    subtype, endian = ENCODINGS[encoding]
    form = {"samplerate": rate, "channels": channels, "subtype": subtype, "format": "RAW", "endian": endian}
    reader = open_sndfile(view, name, stack, raw=form)
    if (likelier := likelier_encoding(data, encoding)) is not None:
        reader.warnings.append(
            f"{name} was read as {encoding}, and its bytes are as those of {likelier}; if it is heard as noise, "
            f"say raw {likelier}:{rate}"
        )
    elif encoding in WIDTHS and is_doubled(data, WIDTHS[encoding]):
        reader.warnings.append(
            f"in {name} every sample comes twice, as where two channels hold the same; if it is heard too slowly, "
            f"say raw {encoding}:{rate}:2"
        )
    return reader
