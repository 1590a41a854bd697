"""What a WebSocket sends as sound is read as what it is, or refused by name."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile
import tiny

pytest.importorskip("starlette")

from intonate.audio import kinds
from intonate.errors import AudioError
from intonate.service.samples import ENCODINGS, beginning, check_beginning, gateway_sound

SPEECH = tiny.speech(1.0)


def bare(subtype: str, level: float = 1.0, channels: int = 1) -> bytes:
    """The speech without a header, at 8 kHz."""
    file = io.BytesIO()
    endian = "FILE" if subtype in ("ULAW", "ALAW", "PCM_U8") else "LITTLE"
    soundfile.write(file, np.stack(channels * [level * SPEECH], axis=1), 8000, subtype, endian, "RAW")
    return file.getvalue()


def test_g711_as_the_standard_has_it():
    """ITU-T G.711, tables 1a to 2b: the ends, the least values, and the sign."""
    codes = bytes([0x00, 0x80, 0xFF, 0x7F, 0xF0])
    assert ENCODINGS["mulaw"].decode(codes).tolist() == [-32124, 32124, 0, 0, 120]
    assert ENCODINGS["alaw"].decode(bytes([0xD5, 0x55, 0xAA, 0x2A])).tolist() == [8, -8, 32256, -32256]


def test_samples_pass():
    pcm = (SPEECH * 32767).astype("<i2").tobytes()
    floats = SPEECH.astype("<f4").tobytes()
    mulaw, alaw = bare("ULAW"), bare("ALAW")
    for encoding, data in (("s16le", pcm), ("f32le", floats), ("mulaw", mulaw), ("alaw", alaw)):
        for length in (1, 100, kinds.HEAD_BYTES):
            check_beginning(data[:length], encoding)
    assert ENCODINGS["f32le"].decode(floats) == pytest.approx(SPEECH)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x1a\x45\xdf\xa3" + bytes(60), "matroska"),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(60), "wav"),
        (b"OggS\0\2" + bytes(60), "ogg"),
        (b"ID3\4" + bytes(60), "mp3"),
        (b"fLaC" + bytes(60), "flac"),
        (b"\0\0\0\x20ftypM4A " + bytes(60), "mp4"),
    ],
)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_containers_are_refused_by_name(head, name, encoding):
    with pytest.raises(AudioError, match=f"a {name} file"):
        check_beginning(head, encoding)


@pytest.mark.parametrize("zeros", [0, 1, 2400, 48_000])
@pytest.mark.parametrize(("kind", "says"), [("<f4", "32-bit floats"), ("<f8", "64-bit floats")])
def test_floats_sent_as_integers_after_the_silence_of_a_microphone(zeros, kind, says):
    sound = np.concatenate([np.zeros(zeros), SPEECH]).astype(kind).tobytes()
    head = b""
    for start in range(0, len(sound), 1001):
        head = beginning(head + sound[start : start + 1001])
    assert head == beginning(sound)
    with pytest.raises(AudioError, match=f"are {says}.* say format=f32le"):
        check_beginning(head, "s16le")


@pytest.mark.parametrize("lead_in", [b"", b"\0", b"\xff", b"\xd5"])
@pytest.mark.parametrize(
    ("subtype", "encoding", "says"),
    [
        ("ULAW", "mulaw", "are of ulaw, not of {}; say format=mulaw, and the rate"),
        ("ALAW", "alaw", "are of alaw, not of {}; say format=alaw, and the rate"),
        ("PCM_16", "s16le", "are of s16le, not of {}; say format=s16le, and the rate"),
        ("PCM_U8", "", "are of u8, not of {}; that is not read here: send s16le"),
        ("PCM_24", "", "are of s24le, not of {}; that is not read here: send s16le"),
        ("FLOAT", "f32le", "are 32-bit floats, not {}; say format=f32le"),
    ],
)
def test_one_encoding_sent_as_another_is_named(subtype, encoding, says, lead_in):
    head = beginning(24_000 * lead_in + bare(subtype))
    for wrong in ("s16le", "mulaw", "alaw"):
        if wrong == encoding:
            check_beginning(head, wrong)
            continue
        with pytest.raises(AudioError, match=says.format(wrong)):
            check_beginning(head, wrong)


@pytest.mark.parametrize(("subtype", "encoding"), [("ULAW", "mulaw"), ("PCM_16", "s16le"), ("FLOAT", "f32le")])
def test_two_channels_sent_as_one(subtype, encoding):
    with pytest.raises(AudioError, match=r"every sample comes twice, as of two channels .* send one channel, or,"):
        check_beginning(beginning(bare(subtype, channels=2)), encoding)


def test_silence_says_nothing_and_speech_after_it_passes():
    assert not any(beginning(bytes(20_000)))
    pcm = (SPEECH * 32767).astype("<i2").tobytes()
    check_beginning(beginning(bytes(20_000) + pcm), "s16le")


def test_one_encoding_sent_as_another():
    with pytest.raises(AudioError, match="format=s16le"):
        ENCODINGS["f32le"].decode((SPEECH * 32767).astype("<i2").tobytes()[:8000])
    with pytest.raises(AudioError, match="full scale"):
        ENCODINGS["f32le"].decode(np.full(4, 8.5, "<f4").tobytes())


def test_messages_of_vonage():
    connected = {"event": "websocket:connected", "content-type": "audio/l16;rate=16000"}
    others = [{"event": f"websocket:{name}"} for name in ("dtmf", "cleared", "notify")]
    assert [gateway_sound(message, "s16le", 16_000) for message in (connected, *others)] == [b""] * 4
    with pytest.raises(AudioError, match="the gateway sends s16le at 16000 Hz, but the address says s16le at 8000 Hz"):
        gateway_sound(connected, "s16le", 8000)


@pytest.mark.parametrize("encoding", ["base64", "raw/slin"])
def test_messages_of_exotel(encoding):
    """Its 16-bit samples at 8 kHz; by some of its messages the encoding is how they travel."""
    start = {"event": "start", "start": {"media_format": {"encoding": encoding, "sample_rate": "8000"}}}
    assert gateway_sound(start, "s16le", 8000) == b""
    with pytest.raises(AudioError, match="format=s16le&rate=8000"):
        gateway_sound(start, "s16le", 16_000)


def test_an_error_of_telnyx_is_not_the_end_of_the_call():
    shape = {"code": 100004, "title": "invalid_media", "detail": "not played"}
    assert gateway_sound({"event": "error", "payload": shape}, "mulaw", 8000) == b""


@pytest.mark.parametrize("payload", ["+/+/YWJj\r\nZA==\n", "-_-_YWJjZA", "data:audio/basic;base64,+/+/YWJjZA=="])
def test_base64_as_it_is_met(payload):
    media = {"event": "media", "media": {"payload": payload}}
    assert gateway_sound(media, "mulaw", 8000) == b"\xfb\xff\xbfabcd"


def test_a_later_piece_of_a_recording_is_refused():
    with pytest.raises(AudioError, match="this is a later piece of a WebM recording"):
        check_beginning(b"\x1f\x43\xb6\x75" + bytes(60), "s16le")


def test_messages_of_telephone_gateways():
    start = {"event": "start", "start": {"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000}}}
    telnyx = {"event": "start", "start": {"media_format": {"encoding": "PCMU", "sample_rate": 8000}}}
    media = {"event": "media", "media": {"track": "inbound", "payload": base64.b64encode(b"abc").decode()}}
    other = {"event": "media", "media": media["media"] | {"track": "outbound"}}
    answers = [gateway_sound(message, "mulaw", 8000) for message in (start, telnyx, media, other, {"event": "mark"})]
    assert answers == [b"", b"", b"abc", b"", b""]
    assert gateway_sound({"event": "stop"}, "mulaw", 8000) is None
    with pytest.raises(AudioError, match="format=mulaw&rate=8000"):
        gateway_sound(start, "s16le", 16_000)
    for wrong in ({"event": "media"}, {"event": "media", "media": {"payload": "?"}}, {"event": "dance"}):
        with pytest.raises(AudioError):
            gateway_sound(wrong, "mulaw", 8000)


@pytest.mark.parametrize("rate", [8000, 8000.0, "8000", None])
@pytest.mark.parametrize("channels", [1, "1", None])
def test_a_gateways_numbers_are_numbers(rate, channels):
    shape = {"encoding": "audio/x-mulaw", "sampleRate": rate, "channels": channels}
    assert gateway_sound({"event": "start", "start": {"mediaFormat": shape}}, "mulaw", 8000) == b""


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"channels": 2}, "sends 2 channels, expected one"),
        ({"channels": "many"}, "sends many channels, expected one"),
        ({"encoding": "OPUS"}, "sends 'opus', which cannot be read here; set it to send mu-law"),
        ({"sampleRate": "fast"}, "a rate of 'fast', expected a number"),
        ({"sampleRate": 16000.0}, "mulaw at 16000 Hz, but the address says mulaw at 8000 Hz; connect to /v1/stream"),
    ],
)
def test_what_a_gateway_says_that_cannot_be_heard(changed, says):
    shape = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1} | changed
    with pytest.raises(AudioError, match=re.escape(says)):
        gateway_sound({"event": "start", "start": {"mediaFormat": shape}}, "mulaw", 8000)
    content_type = "audio/l16;rate=8000;channels=2"
    with pytest.raises(AudioError, match="2 channels"):
        gateway_sound({"event": "websocket:connected", "content-type": content_type}, "s16le", 8000)
