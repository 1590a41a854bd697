"""All of the sound, or a word about it: formats by faults, as other programs leave them."""

from __future__ import annotations

import io
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny

from intonate.audio.clipping import WORDS as CLIPPED
from intonate.audio.decode import Sound, info, load
from intonate.errors import AudioError

sys.path.insert(0, str(Path(__file__).parent))
from recordings import (
    FORMATS,
    NEEDS_PYAV,
    RATE_HZ,
    SECONDS,
    chirp,
    convert,
    folder,
    moment_hz,
    recording,
)


def heard(data: bytes | str | Sound, **options: float) -> tuple[np.ndarray, list[str]]:
    warnings: list[str] = []
    return load(data, RATE_HZ, warnings=warnings, **options), warnings  # type: ignore[arg-type]


def made(suffix: str, low_hz: float = 300.0) -> bytes:
    if suffix in NEEDS_PYAV:
        pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    return recording(f"{low_hz:g}.{suffix}", *FORMATS[suffix], low_hz=low_hz)


def at(samples: np.ndarray, second: float, low_hz: float = 300.0) -> None:
    """Assert that what sounds at a second is what the chirp sounds like there."""
    assert moment_hz(samples, second) == pytest.approx(low_hz + (2_000 - low_hz) * (second + 0.032) / SECONDS, abs=130)


# ------------------------------------------------------------------------------------------------ the matrix


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_sound_file_is_heard_to_its_end_without_a_word(suffix: str) -> None:
    samples, warnings = heard(made(suffix))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.15)
    at(samples, 2.5)


@pytest.mark.parametrize("suffix", FORMATS)
def test_joined_files_are_heard_as_one(suffix: str) -> None:
    first, second = made(suffix), made(suffix, 800.0)
    samples, warnings = heard(first + second)
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(2 * SECONDS, abs=0.3)
    at(samples, 2.5)
    assert moment_hz(samples, len(heard(first)[0]) / RATE_HZ + 2.0) == pytest.approx(1_620, abs=130)
    assert len(heard(first + second + first)[0]) / RATE_HZ == pytest.approx(3 * SECONDS, abs=0.45)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("share", [0.35, 0.6, 0.9])
def test_a_file_that_is_cut_off_says_so(suffix: str, share: float) -> None:
    data = made(suffix)
    if suffix == "m4a":  # its index comes last
        with pytest.raises(AudioError, match=r"because it is cut off; its index \(moov\), .* may be missing"):
            load(data[: int(len(data) * share)])
        return
    if suffix == "ogg":  # headers are most of a short one: they are kept
        share = 0.8 + share / 6
    samples, warnings = heard(data[: int(len(data) * share)])
    assert 0 < len(samples) / RATE_HZ < SECONDS - 0.1
    assert len(warnings) == 1
    assert "damaged" in warnings[0]


# Bytes of PCM that are turned over are other samples, and FFmpeg's WMA takes what comes: nothing shows it.
DETECTABLE = [suffix for suffix in FORMATS if suffix not in ("wav", "aiff", "au", "caf", "w64", "wma")]


@pytest.mark.parametrize("suffix", DETECTABLE)
def test_damage_in_the_middle_is_passed_over_and_told(suffix: str) -> None:
    data = bytearray(made(suffix))
    middle = len(data) * 4 // 5  # headers are most of a short Ogg
    for place in range(middle, middle + 200):
        data[place] ^= 0x5A
    samples, warnings = heard(bytes(data))
    assert len(warnings) == 1
    assert "damaged" in warnings[0]
    at(samples, 0.5)
    assert len(samples) / RATE_HZ > SECONDS / 2


@pytest.mark.parametrize("suffix", ["flac", "wav", "au", "caf", "mp3", "ogg", "w64", "aiff"])
def test_what_an_encoder_leaves_on_a_pipe_is_whole(suffix: str) -> None:
    import subprocess

    made("wav")
    kind = "flac" if suffix == "flac" else suffix
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(folder() / "source-300.wav"), "-f", kind, "pipe:1"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    samples, warnings = heard(data)
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.1)
    at(samples, 2.5)


# ------------------------------------------------------------------------------------------------ single kinds


def test_a_variable_bit_rate_without_its_header_is_not_cut_short() -> None:
    quiet_first = np.concatenate([np.zeros(20 * RATE_HZ, np.float32), chirp(20.0)])
    source = folder() / "vbr.wav"
    soundfile.write(source, quiet_first, RATE_HZ)
    recording("300.wav")  # makes the source
    data = convert(source, "vbr.mp3", "-q:a", "2", "-write_xing", "0", "-id3v2_version", "0")
    samples, warnings = heard(data)
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(40.0, abs=0.1)
    assert info(data).duration_s == pytest.approx(40.0, abs=0.1)
    assert len(heard(data + data)[0]) / RATE_HZ == pytest.approx(80.0, abs=0.2)


def wav(data_size: int | None = None, riff_size: int | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, chirp(), RATE_HZ, format="WAV")
    data = bytearray(buffer.getvalue())
    place = data.find(b"data")
    if data_size is not None:
        data[place + 4 : place + 8] = data_size.to_bytes(4, "little")
    if riff_size is not None:
        data[4:8] = riff_size.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("data_size", "riff_size"),
    [(0, 0), (0, None), (0, 8), (1000, None), (0xFFFF_FFFF, 0xFFFF_FFFF), (0x8000_0000, None), (0x7F00_0000, None)]
    # The header, or a part of it, counted too.
    + [(2 * len(chirp()) + excess, None) for excess in (16, 36, 44)],
)
def test_sizes_of_a_header_that_are_wrong_are_put_right(data_size: int, riff_size: int | None) -> None:
    samples, warnings = heard(wav(data_size, riff_size))
    assert warnings == []
    assert len(samples) == len(chirp())


def test_a_promise_of_more_is_told_with_its_seconds() -> None:
    data = wav()
    assert heard(data[: len(data) // 2])[1] == ["<bytes> is damaged or cut off: 1.50 s of 3.00 s were heard"]


def test_parts_of_other_rates_and_channels_become_one_sound() -> None:
    parts = []
    for rate_hz, channels in ((16_000, 1), (48_000, 2), (8_000, 1)):
        buffer = io.BytesIO()
        tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz)
        soundfile.write(buffer, np.repeat(tone[:, None], channels, axis=1), rate_hz, format="FLAC")
        parts.append(buffer.getvalue())
    samples, warnings = heard(b"".join(parts))
    assert warnings == []
    assert len(samples) == pytest.approx(3 * RATE_HZ, abs=2)
    for second in (0.4, 1.4, 2.4):
        assert moment_hz(samples, second) == pytest.approx(440, abs=3)
    # A stretch begins in the part that it lies in.
    assert moment_hz(heard(b"".join(parts), start_s=2.2)[0], 0.2) == pytest.approx(440, abs=3)
    assert len(heard(b"".join(parts), start_s=0.5, end_s=2.5)[0]) == pytest.approx(2 * RATE_HZ, abs=2)


@pytest.mark.parametrize("chunk", [b"LIST\x04\0\0\0INFO", b"TAG" + bytes(125), bytes(100)])
def test_what_stands_behind_the_sound_is_no_sound(chunk: bytes) -> None:
    assert len(heard(wav() + chunk)[0]) == len(chirp())


@pytest.mark.parametrize("between", [b"", b"LIST\x04\0\0\0INFO"])
def test_each_chunk_of_samples_of_a_wav_is_heard(between: bytes) -> None:
    first = wav()
    data = first + between + first[first.find(b"data") :]
    data = data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]
    samples, warnings = heard(data)
    assert warnings == []
    np.testing.assert_array_equal(samples, np.tile(heard(first)[0], 2))
    assert heard(data[: -2 * RATE_HZ])[1] == ["<bytes> is damaged or cut off: 2.00 s of 3.00 s were heard"]


def test_comfort_noise_of_a_telephone_is_heard_as_silence(tmp_path: Path) -> None:
    """AMR as phones make it: half a second of tone, a second of nothing, and again (made by sox)."""
    import shutil
    import subprocess

    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    if shutil.which("sox") is None:
        pytest.skip("sox is not installed, which writes AMR with comfort noise")
    noise = np.random.default_rng(0).normal(0, 0.1, RATE_HZ // 2).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", np.concatenate([noise, np.zeros(RATE_HZ), noise, np.zeros(RATE_HZ)]), RATE_HZ)
    command = ["sox", "-D", "a.wav", "-r", "8000", "a.amr-nb"]
    if subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode:
        pytest.skip("this sox cannot write AMR")
    samples, warnings = heard((tmp_path / "a.amr-nb").read_bytes())
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(3.0, abs=0.05)
    assert np.abs(samples[: RATE_HZ // 2]).mean() > 5 * np.abs(samples[RATE_HZ : RATE_HZ + RATE_HZ // 4]).mean()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("opus.caf", ("-c:a", "libopus")),
        ("alac.caf", ("-c:a", "alac")),
        ("flac.caf", ("-c:a", "flac")),
        ("flac.ogg", ("-c:a", "flac")),
        ("speex.ogg", ("-c:a", "libspeex")),
        ("g722.wav", ("-c:a", "g722")),
        ("g726.wav", ("-c:a", "g726", "-ar", "8000")),
        ("ac3.wav", ("-c:a", "ac3", "-ar", "48000")),
        ("mp3.wav", ("-c:a", "libmp3lame")),
        ("adpcm.wav", ("-c:a", "adpcm_ima_wav")),
        ("gsm.wav", ("-c:a", "libgsm_ms", "-ar", "8000")),
        ("a.mp2", ()),
        ("padded.mp2", ("-ar", "44100")),
        ("padded-stereo.mp2", ("-ar", "22050", "-ac", "2")),
        ("a.ts", ("-c:a", "aac")),
        ("a.avi", ("-c:a", "libmp3lame", "-ar", "22050")),
        ("a.flv", ("-c:a", "aac", "-ar", "22050")),
        ("a.ac3", ("-ar", "48000")),
        ("a.mpg", ("-c:a", "mp2", "-ar", "48000")),
        ("a.latm", ("-c:a", "aac", "-f", "latm")),
        ("a.wv", ()),
        ("a.3gp", ("-c:a", "aac")),
        ("alac.m4a", ("-c:a", "alac")),
        ("opus.mp4", ("-c:a", "libopus", "-ar", "48000")),
        ("a.mov", ("-c:a", "pcm_s16le")),
        ("fragments.mp4", ("-c:a", "aac", "-movflags", "frag_keyframe+empty_moov")),
        ("a.rm", ("-c:a", "real_144", "-ar", "8000")),
        ("rf64.wav", ("-rf64", "always")),
    ],
)
def test_nothing_valid_is_called_damaged(name: str, arguments: tuple[str, ...]) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    samples, warnings = heard(recording(name, *arguments))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.16)
    assert moment_hz(samples, 1.5) == pytest.approx(1_168, abs=150)


@pytest.mark.parametrize("silence", [0, 20_000])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("a.dts", ("-c:a", "dca", "-strict", "-2")),
        ("b.ac3", ("-c:a", "ac3")),
        ("a.spdif", ("-c:a", "ac3", "-f", "spdif")),
    ],
)
def test_a_coded_stream_in_place_of_the_samples_of_a_wav_is_decoded(
    name: str, arguments: tuple[str, ...], silence: int
) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((2, 2, 48_000, 0, "NONE", ""))
        file.writeframes(bytes(silence) + recording(name, *arguments, "-ar", "48000", "-ac", "2"))
    data = buffer.getvalue()
    samples, warnings = heard(data + b"LIST\x04\0\0\0INFO")
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.16)
    assert moment_hz(samples, 1.5) == pytest.approx(1_168, abs=150)
    assert len(heard(data[: len(data) // 2])[1]) == 1


def test_tags_before_the_sound_do_not_hide_what_it_is() -> None:
    tag = b"ID3\x04\0\0\0\0\0\x0aTXXX\0\0\0\0\0\0"
    for suffix in ("aac", "flac", "mp3", "wav"):
        samples, warnings = heard(tag + made(suffix))
        assert warnings == []
        assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.15)


def test_a_movie_of_before_ftyp_is_read() -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    data = bytearray(recording("a.mov", "-c:a", "pcm_s16le"))
    assert data[4:8] == b"ftyp"
    data[4:8] = b"wide"
    assert len(heard(bytes(data))[0]) == len(chirp())


def test_without_pyav_the_sentence_says_what_it_is_and_how_to_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = recording("g722.wav", "-c:a", "g722")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=r"^<bytes> .* PyAV .*: pip install 'intonate\[media\]'$"):
        load(data)
    # Joined files need no PyAV.
    assert len(heard(made("mp3") * 2)[0]) / RATE_HZ == pytest.approx(2 * SECONDS, abs=0.1)


# ------------------------------------------------------------------------------------------------ tracks, times


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv", "late.mov", "late.ts"])
def test_a_track_that_starts_late_starts_late(name: str) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    recording("300.wav")  # makes the source
    picture = ("-f", "lavfi", "-t", "8", "-i", "color=black:s=64x64", "-map", "1", "-map", "0")
    codecs = ("-c:v", "mpeg4", "-c:a", "aac")
    samples, warnings = heard(convert(folder() / "source-300.wav", name, *picture, *codecs, before=("-itsoffset", "5")))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(8.0, abs=0.15)
    assert not samples[: int(4.8 * RATE_HZ)].any()
    assert moment_hz(samples, 6.5) == pytest.approx(1_168, abs=150)


def test_a_gap_in_the_time_stamps_is_silence() -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for start_s in (0.0, 2.5):
            samples = (chirp(1.0) * 32767).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE_HZ, round(start_s * RATE_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    samples, warnings = heard(buffer.getvalue())
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(3.5, abs=0.05)
    assert not samples[int(1.05 * RATE_HZ) : int(2.45 * RATE_HZ)].any()
    assert samples[int(2.6 * RATE_HZ) :].any()


def two_tracks(name: str, first: np.ndarray) -> bytes:
    """A track without a voice, then a clip in which somebody speaks."""
    speech = Path(__file__).parents[3] / "shared/corpora/ravdess/Actor_09/03-01-05-02-01-01-09.flac"
    if not speech.is_file():
        pytest.skip("no RAVDESS in ../shared/corpora, whose speech this test needs")
    recording("300.wav")  # makes the source
    other = folder() / "first.wav"
    soundfile.write(other, first, RATE_HZ)
    codec = "libvorbis" if name.endswith("ogg") else "aac"
    return convert(other, name, "-i", str(speech), "-map", "0", "-map", "1", "-c:a", codec)


@pytest.mark.parametrize("name", ["two.mkv", "two.ogg"])
def test_the_first_track_in_which_somebody_speaks_is_heard(name: str) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    data = two_tracks(name, np.zeros(4 * RATE_HZ))
    samples, warnings = heard(data)
    assert np.abs(samples).max() > 0.01
    assert warnings == ["<bytes> has 2 audio tracks: track 2 was heard; --track N (track=N in Python) names another"]
    silence, warnings = heard(Sound(data, track=1))
    assert np.abs(silence).max() < 0.001
    assert warnings == []
    with pytest.raises(AudioError, match="<bytes> has 2 audio tracks, expected a track from 1 to 2"):
        load(Sound(data, track=3))
    for single in (recording("one.wav"), (np.zeros(RATE_HZ, np.float32), RATE_HZ)):
        with pytest.raises(AudioError, match="has 1 audio track, and track 3 was asked for"):
            load(Sound(single, track=3))


def test_a_track_of_noise_is_not_heard_for_one_in_which_somebody_speaks() -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    noise = np.concatenate([np.zeros(RATE_HZ), np.random.default_rng(0).normal(0, 0.1, 4 * RATE_HZ)])
    _, warnings = heard(two_tracks("noise.mkv", noise))
    assert warnings == ["<bytes> has 2 audio tracks: track 2 was heard; --track N (track=N in Python) names another"]


# ------------------------------------------------------------------------------------------------ without a header


@pytest.mark.parametrize(
    ("raw", "arguments"),
    [
        ("ulaw:8000", ("-ar", "8000", "-f", "mulaw")),
        ("alaw:8000", ("-ar", "8000", "-f", "alaw")),
        ("gsm:8000", ("-ar", "8000", "-f", "gsm")),
        ("s16le:16000", ("-f", "s16le")),
        ("s16be:16000", ("-f", "s16be")),
        ("f32le:16000", ("-f", "f32le")),
        ("u8:8000", ("-ar", "8000", "-f", "u8")),
        ("s16le:16000:2", ("-ac", "2", "-f", "s16le")),
    ],
)
def test_samples_without_a_header_are_read_as_they_are_described(raw: str, arguments: tuple[str, ...]) -> None:
    samples, warnings = heard(Sound(recording(raw.replace(":", "-"), *arguments), raw=raw))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.05)
    at(samples, 1.5)


# Ours, as libsndfile calls them.
SUBTYPES = {"ulaw": "ULAW", "alaw": "ALAW", "u8": "PCM_U8", "s16le": "PCM_16", "s24le": "PCM_24"}


def bare(samples: np.ndarray, encoding: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, SUBTYPES[encoding], "LITTLE" if encoding.endswith("le") else "FILE", "RAW")
    return file.getvalue()


@pytest.mark.parametrize("level", [1.0, 0.01])
@pytest.mark.parametrize("right", SUBTYPES)
def test_samples_that_are_of_another_encoding_are_told_so(right: str, level: float) -> None:
    samples = (level if right != "u8" else 1.0) * tiny.speech(4.0, 8000)  # at a hundredth, u8 has three values
    for encoding in ("ulaw", "alaw", "s16le"):
        _, warnings = heard(Sound(bare(samples, right), raw=f"{encoding}:8000"))
        told = [warning for warning in warnings if CLIPPED not in warning]  # what is read so may be
        assert told == (encoding != right) * [
            f"<bytes> was read as {encoding}, and its bytes are as those of {right}; if it is heard as noise, "
            f"say raw {right}:8000"
        ]


@pytest.mark.parametrize("encoding", SUBTYPES)
def test_two_channels_that_are_read_as_one_are_told_so(encoding: str) -> None:
    speech = tiny.speech(4.0, 8000)
    data = bare(np.stack([speech, speech], axis=1), encoding)
    _, warnings = heard(Sound(data, raw=f"{encoding}:8000"))
    assert warnings == [
        "in <bytes> every sample comes twice, as where two channels hold the same; if it is heard too slowly, "
        f"say raw {encoding}:8000:2"
    ]
    assert heard(Sound(data, raw=f"{encoding}:8000:2"))[1] == []


@pytest.mark.parametrize("encoding", SUBTYPES)
@pytest.mark.parametrize("tone_hz", [1000.0, 2000.0, 8000 / 3])
def test_a_tone_whose_period_is_a_few_samples_is_no_other_encoding(encoding: str, tone_hz: float) -> None:
    time_s = np.arange(16_000) / 8000
    noise = np.random.default_rng(0).normal(0, 0.003, len(time_s))
    for samples in (np.sin(2 * np.pi * tone_hz * time_s), np.sign(np.sin(2 * np.pi * tone_hz * time_s + 0.1))):
        for tone in (0.5 * samples, 0.5 * samples + noise):
            _, warnings = heard(Sound(bare(tone, encoding), raw=f"{encoding}:8000"))
            assert [warning for warning in warnings if CLIPPED not in warning] == []  # as a square wave is


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("ulaw", "raw 'ulaw' is not ENCODING:RATE"),
        ("ulw:8000", "raw encoding 'ulw' is not known; did you mean 'ulaw'"),
        ("ulaw:8", "the sample rate of raw 'ulaw:8' is 8"),
        ("s16le:8000:x", "is not ENCODING:RATE"),
        ("gsm:8000:2", "gsm holds one"),
    ],
)
def test_a_description_that_is_none(raw: str, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        load(Sound(bytes(1000), raw=raw))


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_a_file_with_a_header_is_no_raw_sound(kind):
    file = io.BytesIO()
    soundfile.write(file, np.zeros(1600), 16_000, format=kind)
    with pytest.raises(AudioError, match=r"is a file with a header \(.*read it without raw"):
        load(Sound(file.getvalue(), raw="s16le:16000"))
