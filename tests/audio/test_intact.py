"""Files that no header counts: a cut or a break in the middle leaves its trace, and whole ones are whole."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from intonate.audio.decode import load

sys.path.insert(0, str(Path(__file__).parent))
from recordings import RATE_HZ, SECONDS, chirp, moment_hz, recording
from test_whole_sound import heard, wav

# Name -> arguments of ffmpeg; a broken frame in the middle shows in the first, only an end that is missing in others.
FRAMES: dict[str, tuple[str, ...]] = {
    "walk.aac": (),
    "walk.ac3": ("-ar", "48000"),
    "walk.eac3": ("-ar", "48000"),
    "walk.latm": ("-c:a", "aac", "-f", "latm"),
    "walk.ts": ("-c:a", "mp2", "-ar", "48000"),
    "walk.m2ts": ("-c:a", "ac3", "-ar", "48000"),
    "vbr.mp3": ("-q:a", "5", "-write_xing", "0", "-id3v2_version", "0"),
    "walk.mp2": (),
}
ENDS: dict[str, tuple[str, ...]] = {
    "walk.mpg": ("-c:a", "mp2", "-ar", "48000"),
    "walk.vob": ("-c:a", "ac3", "-ar", "48000"),
    "pcm.avi": ("-c:a", "pcm_s16le"),
    "mp3.avi": ("-c:a", "libmp3lame", "-ar", "22050"),
    "u8.voc": ("-c:a", "pcm_u8"),
    "s16.voc": ("-c:a", "pcm_s16le"),
    "aac.wma": ("-c:a", "aac"),
    "walk.sox": ("-c:a", "pcm_s32le"),
}
pytestmark = pytest.mark.filterwarnings("error")


def made(name: str) -> bytes:
    if not name.endswith(("mp3", "mp2")):
        pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    return recording(name, *{**FRAMES, **ENDS}[name])


@pytest.mark.parametrize("name", [*FRAMES, *ENDS])
def test_a_whole_file_is_called_whole(name: str) -> None:
    samples, warnings = heard(made(name))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.16)
    assert moment_hz(samples, 1.5) == pytest.approx(1_168, abs=150)


@pytest.mark.parametrize("name", [*FRAMES, *ENDS])
@pytest.mark.parametrize("share", [0.41, 0.83])
def test_an_end_that_is_missing_is_told(name: str, share: float) -> None:
    data = made(name)
    # Not where a frame ends: that leaves no trace.
    samples, warnings = heard(data[: int(share * len(data)) // 188 * 188 + 7])
    assert len(samples) / RATE_HZ < SECONDS
    assert len(warnings) == 1
    assert "damaged" in warnings[0]


@pytest.mark.parametrize("name", FRAMES)
def test_frames_that_were_overwritten_are_told(name: str) -> None:
    data = bytearray(made(name))
    middle = len(data) // 2
    data[middle : middle + len(data) // 8] = np.random.default_rng(0).bytes(len(data) // 8)
    samples, warnings = heard(bytes(data))
    assert len(warnings) == 1
    assert "damaged" in warnings[0]
    assert moment_hz(samples, 0.5) == pytest.approx(590, abs=130)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_nist_file_counts_its_samples(channels: int) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.repeat(chirp()[:, None], channels, axis=1), RATE_HZ, format="NIST", subtype="PCM_16")
    data = buffer.getvalue()
    assert heard(data)[1] == []
    samples, warnings = heard(data[: len(data) // 2])
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS / 2, abs=0.1)
    assert len(warnings) == 1


def test_aac_in_wav_is_heard_to_its_end() -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    samples, warnings = heard(recording("aac.wav", "-c:a", "aac"))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.16)


def test_avi_has_no_time_stamps_that_leave_gaps() -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    samples, warnings = heard(recording("aac.avi", "-c:a", "aac", "-b:a", "128k"))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.16)
    assert (np.abs(samples[4_000:44_000]).reshape(-1, 400).max(axis=1) > 0.1).all()


def test_a_tag_whose_size_is_wrong_hides_no_sound() -> None:
    data = bytearray(recording("tagged.mp3"))
    assert data[:3] == b"ID3"
    data[8] = 30  # 3,840 bytes more
    assert len(heard(bytes(data))[0]) / RATE_HZ == pytest.approx(SECONDS, abs=0.1)


def test_a_page_of_ogg_that_is_missing_is_told() -> None:
    source = np.concatenate([chirp()] * 5)
    buffer = io.BytesIO()
    soundfile.write(buffer, source, RATE_HZ, format="OGG", subtype="VORBIS")
    data = buffer.getvalue()
    pages = [place for place in range(len(data)) if data.startswith(b"OggS\0", place)]
    assert len(pages) > 5
    assert heard(data)[1] == []
    without_page = data[: pages[-3]] + data[pages[-2] :]
    assert "damaged" in heard(without_page)[1][0]
    # The last page cannot be read, but tells how much there was.
    broken = bytearray(data)
    broken[-20] ^= 0x5A
    samples, warnings = heard(bytes(broken))
    assert len(samples) < len(source) - 1_000
    assert len(warnings) == 1
    assert f"of {len(source) / RATE_HZ:.2f} s" in warnings[0]


@pytest.mark.parametrize(
    "last", [b"LIST\x04\0\0\0INFO", b"LIST\x40\0\0\0INFO", b"abcd\x04\0\0\0test\xde\xad\xbe\xef" * 9]
)
def test_chunks_behind_the_sound_are_no_sound_even_where_they_are_cut_off(last: bytes) -> None:
    samples, warnings = heard(wav() + last)
    assert warnings == []
    assert len(samples) == len(chirp())


@pytest.mark.parametrize("kind", ["WAV", "AIFF"])
def test_a_file_whose_data_has_a_wrong_size_is_counted_by_its_own(kind: str) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, chirp(), RATE_HZ, format=kind, subtype="PCM_16")
    data = bytearray(buffer.getvalue())
    place = data.find(b"data" if kind == "WAV" else b"SSND") + 4
    data[place : place + 4] = b"\xf3\x01\x77\xf3"
    assert heard(bytes(data))[1] == []
    samples, warnings = heard(bytes(data[: len(data) // 2]))
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS / 2, abs=0.05)
    assert len(warnings) == 1
    assert "of 3.00 s were heard" in warnings[0]


def test_samples_that_read_like_the_name_of_a_chunk_are_sound() -> None:
    data = bytearray(wav(data_size=1000))
    body = data.find(b"data") + 8
    data[body + 1000 : body + 1008] = b"Ha! \x20\x20\x20\x20"
    assert len(heard(bytes(data))[0]) == len(chirp())


def test_what_stands_behind_the_boxes_of_a_movie_is_no_missing_end() -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    data = recording("boxes.m4a", "-c:a", "aac") + b"\xde\xad\xbe\xef" * 500
    assert heard(data)[1] == []


def test_a_rare_codec_is_named_with_the_way_out() -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    with pytest.raises(Exception, match=r"^<bytes> is coded as tta, which is not read; convert it first, e\.g\. by"):
        load(recording("rare.mka", "-c:a", "tta"))


def test_aiff_that_counts_its_samples_wrong_is_heard_whole_or_told() -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, chirp(), RATE_HZ, format="AIFF")
    data = bytearray(buffer.getvalue())
    common, sound = data.find(b"COMM"), data.find(b"SSND")
    assert heard(bytes(data))[1] == []
    fewer = bytearray(data)
    fewer[common + 10 : common + 14] = (1000).to_bytes(4, "big")
    samples, warnings = heard(bytes(fewer))
    assert (len(samples), warnings) == (len(chirp()), [])
    offset = bytearray(data)
    offset[sound + 8 : sound + 12] = (30_000).to_bytes(4, "big")
    samples, warnings = heard(bytes(offset))
    assert len(samples) < len(chirp())
    assert len(warnings) == 1


def test_flac_that_promises_less_than_it_holds_is_told() -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE_HZ), RATE_HZ, format="FLAC")
    data = bytearray(buffer.getvalue())
    assert heard(bytes(data))[1] == []
    data[22:26] = (8_000).to_bytes(4, "big")
    samples, warnings = heard(bytes(data))
    assert len(samples) < 3 * RATE_HZ
    assert len(warnings) == 1


@pytest.mark.parametrize("lost", [b"", bytes(30), b"\x12\x34" * 50])
def test_frames_that_are_gone_behind_a_tag_are_told(lost: bytes) -> None:
    data = recording("plain.mp3", "-write_xing", "0")
    tag = 10 + int.from_bytes(data[8:10], "big")
    samples, warnings = heard(data[:tag] + lost + data[tag:])
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.1)
    assert len(warnings) == any(lost)


def test_a_voice_file_whose_block_is_counted_short_is_whole() -> None:
    """As SoX writes blocks of 16 bits: 8 bytes too short."""
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    data = bytearray(made("s16.voc"))
    samples, _ = heard(bytes(data))
    pcm = np.round(32_767 * samples).astype("<i2").tobytes()
    size = (12 + len(pcm) - 8).to_bytes(3, "little")
    one_block = bytes(data[:26]) + b"\x09" + size + bytes(data[30:42]) + pcm + b"\0"
    found, warnings = heard(one_block)
    assert warnings == []
    assert len(found) / RATE_HZ == pytest.approx(SECONDS, abs=0.16)
    _, warnings = heard(one_block[: len(one_block) // 2])
    assert len(warnings) == 1


@pytest.mark.parametrize("name", ["surround.m4a", "surround.webm"])
@pytest.mark.parametrize(("layout", "count"), [("7.1", 8), ("hexadecagonal", 16)])
def test_eight_channels_and_more(name: str, layout: str, count: int) -> None:
    """PyAV crashes the process where it gives a plane to each of eight channels."""
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    codec = ("-c:a", "libopus", "-mapping_family", "255") if name.endswith("webm") else ("-c:a", "aac")
    pan = "|".join([layout, *(f"c{channel}=c0" for channel in range(count))])
    data = recording(f"{count}-{name}", "-af", f"pan={pan}", "-ar", "48000", *codec)
    samples, warnings = heard(data)
    assert not any("damaged" in warning for warning in warnings)
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.16)
    assert moment_hz(samples, 1.5) == pytest.approx(1_168, abs=150)


def with_insertions(data: bytes, every: int, piece: bytes) -> bytes:
    return piece.join(data[place : place + every] for place in range(0, len(data), every))


@pytest.mark.parametrize("xing", ["1", "0"])
@pytest.mark.parametrize(("every", "piece"), [(4_096, b"\r\n1000\r\n"), (8_000, b"\x01StreamTitle='';")])
def test_what_was_put_into_frames_is_told_and_left_out(
    xing: str, every: int, piece: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """The marks of HTTP's chunks, and the titles of a radio."""
    data = recording(f"xing-{xing}.mp3", "-write_xing", xing, "-b:a", "64k")
    samples, warnings = heard(with_insertions(data, every, piece))
    assert len(warnings) == 1
    assert "damaged" in warnings[0]
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.1)
    assert moment_hz(samples, 1.5) == pytest.approx(1_168, abs=150)
    # The decoder was not left to look for the next frame.
    assert "resync" not in capfd.readouterr().err


def test_what_stands_behind_the_frames_that_an_mp3_counts_was_none() -> None:
    data = recording("counted.mp3")
    assert heard(data + b"\x12\x34" * 50)[1] == []


@pytest.mark.parametrize("suffix", ["mp3", "mp2"])
@pytest.mark.parametrize("channels", [(1, 2), (2, 1), (1, 2, 1)])
def test_frames_of_one_channel_and_of_two_are_heard(suffix: str, channels: tuple[int, ...]) -> None:
    bare = ("-write_xing", "0", "-id3v2_version", "0") if suffix == "mp3" else ()
    parts = [recording(f"{count}-channels.{suffix}", "-ac", str(count), *bare) for count in channels]
    samples, warnings = heard(b"".join(parts))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(len(parts) * SECONDS, abs=0.1 * len(parts))
    assert moment_hz(samples, len(samples) / RATE_HZ - 1.5) == pytest.approx(1_168, abs=150)


def test_a_whole_mp3_is_decoded_in_one_go(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Set down anew within it, the decoder lacks what earlier frames hold of the next one, and says so."""
    recorded, file = soundfile.read(Path(__file__).parents[2] / "examples/changing.flac"), io.BytesIO()
    soundfile.write(file, *recorded, format="MP3")
    whole, warnings = heard(file.getvalue())
    monkeypatch.setattr("intonate.audio.sndfile.CHUNK_SAMPLES", 1_000)
    in_blocks, _ = heard(file.getvalue())
    assert warnings == []
    assert np.array_equal(in_blocks, whole)
    assert capfd.readouterr().err == ""
