"""Headers that contradict themselves: all bytes are there, and the answer says what it may be wrong about."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import pytest
import soundfile

from intonate.audio.decode import load
from intonate.errors import AudioError

sys.path.insert(0, str(Path(__file__).parent))
from recordings import RATE_HZ, SECONDS, chirp, recording
from test_whole_sound import heard

pytestmark = pytest.mark.filterwarnings("error")


def written(kind: str, subtype: str = "PCM_16", rate_hz: int = RATE_HZ, channels: int = 1) -> bytearray:
    buffer = io.BytesIO()
    sound = chirp() if channels == 1 else chirp()[:, None].repeat(channels, axis=1)
    soundfile.write(buffer, sound, rate_hz, format=kind, subtype=subtype)
    return bytearray(buffer.getvalue())


SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM")


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [(kind, name) for kind in ("WAV", "WAVEX", "RF64") for name in SUBTYPES if soundfile.check_format(kind, name)],
)
def test_what_libsndfile_writes_is_not_doubted(kind: str, subtype: str) -> None:
    for rate_hz, channels in ((RATE_HZ, 1), (44_100, 2), (12_345, 2)):
        assert heard(bytes(written(kind, subtype, rate_hz, channels)))[1] == []


@pytest.mark.parametrize(
    ("place", "value", "word"),
    [
        (24, struct.pack("<I", 65_408), "names 65408 Hz"),
        (22, struct.pack("<H", 232), "names 232 channels of 16 bits in 2 bytes"),
        (32, struct.pack("<H", 0x5102), "names 1 channels of 16 bits in 20738 bytes"),
    ],
)
def test_a_wave_header_that_contradicts_itself(place: int, value: bytes, word: str) -> None:
    data = written("WAV")
    data[place : place + len(value)] = value
    assert word in heard(bytes(data))[1][0]


def test_recorders_that_count_no_bytes_a_second_are_not_doubted() -> None:
    for value in (0, 176_400):
        data = written("WAV")
        data[28:32] = struct.pack("<I", value)
        assert heard(bytes(data))[1] == []


def test_channels_that_the_data_of_caf_and_aiff_have_no_room_for() -> None:
    caf = written("CAF")
    assert heard(bytes(caf))[1] == []
    caf[44:48] = struct.pack(">I", 4)
    assert "names 4 channels" in heard(bytes(caf))[1][0]
    aiff = written("AIFF")
    assert heard(bytes(aiff))[1] == []
    aiff[aiff.find(b"COMM") + 9] = 0x88
    assert "damaged or cut off: 0.02 s" in heard(bytes(aiff))[1][0]


def test_a_flac_whose_frames_know_better() -> None:
    flac = written("FLAC")
    assert heard(bytes(flac))[1] == []
    faster = flac.copy()
    faster[18] |= 0x30
    assert "and its sound 16000" in heard(bytes(faster))[1][0]
    shorter = flac.copy()
    shorter[24:26] = b"\x40\x00"  # a third of its samples
    samples, warnings = heard(bytes(shorter))
    assert len(samples) < RATE_HZ * SECONDS / 2
    assert "some of it is missing" in warnings[0]


@pytest.mark.parametrize("name", ["doubt.m4a", "doubt.mov", "doubt.mp4"])
def test_a_movie_whose_clock_is_wrong(name: str) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    data = bytearray(recording(name, "-c:a", "aac"))
    assert heard(bytes(data))[1] == []
    clock = data.find(b"mvhd") + 16
    assert int.from_bytes(data[clock : clock + 4], "big") == 1000
    data[clock + 1] = 0x40  # a thousand times as fast
    assert "edit list that leaves out most of its sound" in heard(bytes(data))[1][0]
    data = data.replace(b"mdhd", b"mdhe")
    with_clock = heard(bytes(data))[1]
    assert "has no clock" in with_clock[0]


@pytest.mark.parametrize("coding", ["aac", "alac"])
def test_a_movie_whose_sound_is_encrypted_is_refused(coding: str) -> None:
    key = "76a6c65c5ea762046bd749a2e632ccbb"
    encryption = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", key)
    data = recording(f"protected-{coding}.mp4", "-c:a", coding, *encryption)
    with pytest.raises(AudioError, match=r"^<bytes> is protected \(DRM\): its sound is encrypted .*; give a copy"):
        load(data)


def test_an_mp3_whose_header_promises_too_little() -> None:
    data = bytearray(recording("doubt.mp3"))
    frames = data.find(b"Info") + 8
    count = int.from_bytes(data[frames : frames + 4], "big")
    data[frames : frames + 4] = (count // 3).to_bytes(4, "big")
    samples, _ = heard(bytes(data))
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.1)
    # More than any encoder leaves off at the ends.
    data = bytearray(recording("doubt.mp3"))
    cut = data.find(b"Info") + 141
    data[cut : cut + 3] = b"\xf0\x0f\x00"
    assert len(heard(bytes(data))[0]) / RATE_HZ == pytest.approx(SECONDS, abs=0.1)


def test_a_size_of_64_bits_that_is_none() -> None:
    data = written("CAF")
    size = data.find(b"data") + 4
    data[size] = 0x60
    samples, warnings = heard(bytes(data[: len(data) // 2]))
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS / 2, abs=0.1)
    assert len(warnings) == 1


@pytest.mark.parametrize("kind", ["WAV", "CAF", "FLAC", "AIFF"])
def test_a_header_that_is_cut_off_is_one_sentence(kind: str) -> None:
    data = bytes(written(kind))
    for length in range(1, 40, 3):
        with pytest.raises(AudioError):
            load(data[:length])
