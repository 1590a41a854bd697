"""Sound in, mono float32 out: every format, every way to hand it over, every way it can be wrong."""

import errno
import io
import os
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intonate.audio.arrays import open_array
from intonate.audio.decode import AUDIO_SUFFIXES, blocks, duration_s, find, info, load, name_of
from intonate.audio.resample import resample
from intonate.corpora.reader import files
from intonate.errors import AudioError, IntonateError

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"


class Trickle(io.RawIOBase):
    """Without a buffer, as a socket or `subprocess.PIPE` with `bufsize=0`: a read gives what has come so far."""

    def __init__(self, data: bytes, is_seekable: bool) -> None:
        self._data, self._is_seekable = io.BytesIO(data), is_seekable

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size if 0 <= size < 1000 else 1000)

    def seekable(self) -> bool:
        return self._is_seekable

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._data.seek(offset, whence)


class BytesPath(os.PathLike[bytes]):
    def __fspath__(self) -> bytes:
        return b"nowhere.wav"


class OpenSound:
    """As `soundfile.SoundFile`: it reads, and gives an array."""

    def read(self, frames: int = -1) -> np.ndarray:
        return np.zeros(max(frames, 0), np.float32)

    def seekable(self) -> bool:
        return True

    def seek(self, frames: int) -> int:
        return frames


def tone(rate: int = 16_000, seconds: float = 1.0, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def encoded(samples: np.ndarray, rate: int = 16_000, kind: str = "WAV", subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


# ---------------------------------------------------------------------------------------------- what can be read


@pytest.mark.parametrize(
    ("suffix", "subtype", "rate", "channels", "tolerance"),
    [
        ("wav", "PCM_U8", 16_000, 1, 0.01),
        ("wav", "PCM_16", 16_000, 1, 1e-4),
        ("wav", "PCM_24", 44_100, 2, 1e-3),
        ("wav", "FLOAT", 48_000, 1, 1e-3),
        ("wav", "DOUBLE", 8_000, 1, 1e-3),
        ("wav", "ULAW", 8_000, 1, 0.03),
        ("wav", "PCM_16", 96_000, 8, 1e-3),
        ("flac", "PCM_16", 22_050, 1, 1e-3),
        ("aiff", "PCM_16", 16_000, 1, 1e-4),
        ("ogg", "VORBIS", 44_100, 2, 0.05),
        ("ogg", "OPUS", 48_000, 1, 0.05),
        ("mp3", "MPEG_LAYER_III", 44_100, 1, 0.05),
    ],
)
def test_every_format_gives_the_same_sound(
    tmp_path: Path, suffix: str, subtype: str, rate: int, channels: int, tolerance: float
) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, np.repeat(tone(rate)[:, None], channels, axis=1), rate, subtype=subtype)
    heard = load(path)
    assert heard.dtype == np.float32
    assert heard.ndim == 1
    assert abs(len(heard) - 16_000) <= 1
    middle = slice(2_000, 14_000)  # the ends ring where a rate or a codec changes them
    np.testing.assert_allclose(heard[middle], tone()[middle], atol=tolerance)
    header = info(path)
    assert (header.sample_rate_hz, header.channels) == (rate, channels)
    assert header.duration_s == pytest.approx(1.0, abs=0.001)
    assert duration_s(path) == header.duration_s


@pytest.mark.parametrize(
    ("suffix", "codec", "kind"),
    [("webm", "libopus", "matroska"), ("m4a", "aac", "mp4"), ("mp4", "aac", "mp4"), ("aac", "aac", "aac")],
)
def test_media_containers_are_read_through_pyav(tmp_path: Path, suffix: str, codec: str, kind: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    write_media(path, codec, 48_000, tone(48_000))
    heard = load(path)
    # A codec may add its own delay and padding where the container cannot say so (bare AAC cannot).
    assert abs(len(heard) - 16_000) < 1_600
    spectrum = np.abs(np.fft.rfft(heard[3_000:13_000]))
    assert np.argmax(spectrum) * 16_000 / 10_000 == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(heard[3_000:13_000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    header = info(path)
    assert (header.format, header.sample_rate_hz, header.channels) == (kind, 48_000, 1)
    np.testing.assert_array_equal(np.concatenate(list(blocks(path, block_s=0.3))), heard)
    assert len(load(path, start_s=0.25, end_s=0.75)) == 8_000


def write_media(path: Path, codec: str, rate: int, samples: np.ndarray) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    kind = {".webm": "webm", ".m4a": "ipod", ".mp4": "mp4", ".aac": "adts", ".mkv": "matroska"}[path.suffix]
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray((samples[None] * 32767).astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = rate
        fifo = av.AudioFifo()
        fifo.write(frame)
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate)
        while (piece := fifo.read(960, partial=True)) is not None:
            for ready in resampler.resample(piece):
                container.mux(stream.encode(ready))
        container.mux(stream.encode(None))


def test_rare_codecs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tone.mkv"
    write_media(path, "tta", 16_000, tone())
    with pytest.raises(AudioError, match=r"tone\.mkv is coded as tta, which is not read; convert it first"):
        load(path)


def test_without_pyav_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    for head in (b"\x1a\x45\xdf\xa3" + bytes(40), b"\0\0\0\x20ftypM4A " + bytes(40)):
        with pytest.raises(AudioError, match=r"^<bytes> is .* needs PyAV .*: pip install 'intonate\[media\]'$"):
            load(head)


def test_a_playlist_never_reaches_ffmpeg(tmp_path: Path) -> None:
    # FFmpeg would follow it to other files and to the network.
    path = tmp_path / "list.m4a"
    path.write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    with pytest.raises(AudioError, match="is a playlist"):
        load(path)


def test_all_sources_agree(tmp_path: Path) -> None:
    path = tmp_path / "tone.flac"
    soundfile.write(path, tone(), 16_000)
    expected = load(path)
    data = path.read_bytes()
    with path.open("rb") as file:
        file.read(10)  # read from its beginning all the same
        for source in (str(path), data, bytearray(data), io.BytesIO(data), file):
            np.testing.assert_array_equal(load(source), expected)  # type: ignore[arg-type]
        assert not file.closed
    np.testing.assert_array_equal(load((expected, 16_000)), expected)


def test_a_pipe_is_read() -> None:
    reading, writing = os.pipe()
    data = encoded(tone())
    sender = threading.Thread(target=lambda: (os.write(writing, data), os.close(writing)))
    sender.start()
    with os.fdopen(reading, "rb") as pipe:
        assert len(load(pipe)) == 16_000
    sender.join()


@pytest.mark.parametrize("is_seekable", [False, True])
@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_what_has_no_buffer_is_read_to_its_end(kind: str, is_seekable: bool) -> None:
    data = encoded(np.random.default_rng(0).uniform(-1, 1, 700_000), kind=kind)  # more than is read at a time
    warnings: list[str] = []
    np.testing.assert_array_equal(load(Trickle(data, is_seekable), warnings=warnings), load(data))  # type: ignore[arg-type]
    assert not warnings


@pytest.mark.parametrize("dtype", [np.int8, np.int16, ">i2", np.int32, np.uint8, np.float16, np.float64])
def test_arrays_of_every_width_are_scaled_to_one(dtype: str) -> None:
    samples = tone()
    kind = np.dtype(dtype)
    if kind.kind == "f":
        array = samples.astype(kind)
    else:
        full = 2 ** (8 * kind.itemsize - 1)
        array = np.round(samples.astype(np.float64) * (full - 1) + (128 if kind.kind == "u" else 0)).astype(kind)
    np.testing.assert_allclose(load((array, 16_000)), samples, atol=0.01)


def test_integers_of_16_bits_in_wider_ones_are_heard_and_told() -> None:
    samples = np.round(tone() * 32_767).astype(np.int16)
    reader = open_array((samples.astype(np.int32), 16_000), "it")
    highest = samples.max()
    assert reader.warnings == [
        f"it holds integers of 32 bits up to {highest}, next to silence: read as integers of 16 bits"
    ]
    np.testing.assert_array_equal(load((samples.astype(np.int32), 16_000)), load((samples, 16_000)))
    quiet = np.round(tone() * 2**20).astype(np.int32)  # -66 dBFS
    np.testing.assert_allclose(load((quiet, 16_000)), quiet / 2**31, atol=1e-9)
    dither = 256 * np.random.default_rng(0).integers(-3, 4, 16_000, np.int32)  # of 24 bits
    assert np.abs(load((dither, 16_000))).max() < 1e-6
    assert np.abs(load(encoded(dither, subtype="PCM_32"))).max() < 1e-6
    for kind in ("WAV", "AIFF"):
        warnings: list[str] = []
        file = encoded(samples.astype(np.int32), kind=kind, subtype="PCM_32")
        np.testing.assert_array_equal(load(file, warnings=warnings), load((samples, 16_000)))
        np.testing.assert_array_equal(load(file, start_s=0.5), load((samples[8_000:], 16_000)))
        assert warnings == [
            f"<bytes> holds integers of 32 bits up to {highest}, next to silence: read as integers of 16 bits"
        ]
        np.testing.assert_allclose(load(encoded(quiet, kind=kind, subtype="PCM_32")), quiet / 2**31, atol=1e-9)
    silence: list[str] = []
    assert not load(encoded(np.zeros(16_000, np.int32), subtype="PCM_32"), warnings=silence).any()
    assert silence == []


def test_either_axis_may_be_the_channels() -> None:
    left, right = tone(), tone(hz=1_000)
    for array in (np.stack([left, right]), np.stack([left, right], axis=1)):
        np.testing.assert_allclose(load((array, 16_000)), (left + right) / 2, atol=1e-7)


def test_the_answer_is_not_the_callers_own_array() -> None:
    mine = tone()
    load((mine, 16_000))[:] = 0
    assert mine.any()


def test_one_sample_and_all_zeros_are_sound() -> None:
    assert len(load(encoded(np.array([0.5])))) == 1
    assert len(load(encoded(np.array([0.5]), 48_000))) == 1
    assert not load(encoded(np.zeros(1600))).any()


# -------------------------------------------------------------------------------------- stretches, blocks, limits


def test_a_stretch_is_that_part_of_the_whole(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000).astype(np.float32)
    path = tmp_path / "noise.wav"
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    np.testing.assert_array_equal(load(path, start_s=0.5, end_s=1.25), samples[8_000:20_000])
    np.testing.assert_array_equal(load(path, start_s=2.5, end_s=99.0), samples[40_000:])
    np.testing.assert_array_equal(load((samples, 16_000), start_s=2.0), samples[32_000:])


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 8_000, 11_025])
@pytest.mark.parametrize("block_s", [0.25, 0.333, 30.0])
def test_blocks_put_together_are_the_whole(rate: int, block_s: float) -> None:
    data = encoded(np.random.default_rng(1).uniform(-0.5, 0.5, (rate * 20 + 7, 2)), rate)
    whole = load(data)
    parts = list(blocks(data, block_s=block_s))
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    size = round(block_s * 16_000)
    assert all(len(part) == size for part in parts[:-1])
    assert 0 < len(parts[-1]) <= size
    # The stream's seams cannot be heard: one call over everything gives the same.
    mono = soundfile.read(io.BytesIO(data), dtype="float32")[0].mean(axis=1)
    np.testing.assert_allclose(whole, resample(mono, rate, 16_000), atol=1e-6)


def test_a_long_file_takes_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"  # half an hour; 115 MB as 16 kHz float32
    minute = np.random.default_rng(2).uniform(-0.1, 0.1, 8_000 * 60).astype(np.float32)
    with soundfile.SoundFile(path, "w", 8_000, 1, subtype="PCM_16") as file:
        for _ in range(30):
            file.write(minute)
    assert duration_s(path) == 1800
    tracemalloc.start()
    try:
        sizes = [len(block) for block in blocks(path, block_s=10.0)]
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sizes == [160_000] * 180
    assert peak_bytes < 16 * 2**20


def test_longest_is_checked_on_the_header_and_while_reading(tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros(16_000 * 600, np.int16), 16_000)
    assert len(load(path, longest_s=600)) == 9_600_000
    assert len(load(path, longest_s=10, start_s=590)) == 160_000
    assert len(load(path, longest_s=10, end_s=10)) == 160_000
    with pytest.raises(AudioError, match=r"silence\.flac is longer than the limit of 10 s$"):
        load(path, longest_s=10)
    # A header that knows nothing (total samples 0, as streamed FLAC has it) must not get around the limit.
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    with pytest.raises(AudioError, match=r"^<bytes> (is longer than the limit of 10 s|holds no samples)$"):
        load(bytes(data), longest_s=10)


# ----------------------------------------------------------------------------------------- what cannot be read

HEADER = encoded(np.zeros(0))
BYTES_FOR_SAMPLES = (
    "<array> holds bytes, which do not say how they hold samples; mend it with: numpy.frombuffer(samples, "
    "numpy.int16), or Sound(samples, raw='s16le:16000')"
)
FLOATS = encoded(np.array([0.0, 0.5]), subtype="FLOAT")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "<bytes> is empty (0 bytes)"),
        (
            b"not a sound at all",
            "<bytes> is not audio in a format that is known (Format not recognised); if a player plays it, convert it "
            "first, e.g. by ffmpeg",
        ),
        (HEADER, "<bytes> holds no samples"),
        (io.BytesIO(b""), "<file> is empty (0 bytes)"),
        (OpenSound(), "OpenSound is not a source of sound, expected a path, bytes, a binary file or (array, rate)"),
        (
            (np.zeros((80, 300)), 16_000),
            "<array> has the shape (80, 300), like a spectrogram or another feature; expected the samples themselves: "
            "(samples,) or (samples, channels)",
        ),
        (io.StringIO("text"), "<file> is opened as text, expected a binary file; mend it with: open(…, 'rb')"),
        (7, "int is not a source of sound, expected a path, bytes, a binary file or (array, rate)"),
        (None, "NoneType is not a source of sound, expected a path, bytes, a binary file or (array, rate)"),
        ((np.zeros(0), 16_000), "<array> holds no samples"),
        ((np.zeros((0, 2)), 16_000), "<array> holds no samples"),
        ((np.zeros((9, 0)), 16_000), "<array> has no channels"),
        ((np.zeros((2, 3, 4)), 16_000), "<array> has the shape (2, 3, 4), expected (samples,) or (samples, channels)"),
        ((np.float32(1), 16_000), "<array> has the shape (), expected (samples,) or (samples, channels)"),
        ((16_000, np.zeros(9)), "the tuple holds (rate, array), expected (array, rate)"),
        ((b"\0\0" * 9, 16_000), BYTES_FOR_SAMPLES),
        ((bytearray(18), 16_000), BYTES_FOR_SAMPLES),
        ((memoryview(bytes(18)), 16_000), BYTES_FOR_SAMPLES),
        (
            (np.ma.masked_array(np.zeros(3), [0, 1, 0]), 16_000),
            "<array> is a masked array; say what is to be heard where it is masked: samples.filled(0)",
        ),
        ((np.zeros(9),), "a tuple of 1 is not a source of sound, expected (array, rate)"),
        (
            (np.zeros(9, np.int64), 16_000),
            "<array> holds int64, expected float samples (full scale ±1), int8, int16, int32 or uint8",
        ),
        (
            (np.zeros(9), 0),
            "the sample rate of <array> is 0, expected a whole number of Hz from 1000 to 768000",
        ),
        (
            (np.zeros(9), "fast"),
            "the sample rate of <array> is str, expected a whole number of Hz from 1000 to 768000",
        ),
        (
            encoded(np.zeros(9), 1),
            "the sample rate of <bytes> is 1, expected a whole number of Hz from 1000 to 768000",
        ),
        ((np.array([0, np.nan]), 16_000), "<array> holds values that are not finite (NaN or infinite)"),
        ((np.array([0, np.inf]), 16_000), "<array> holds values that are not finite (NaN or infinite)"),
        ((np.array([0, 1e300]), 16_000), "<array> holds values that are not finite (NaN or infinite)"),
        ((np.array([0, 1e30]), 16_000), "<array> holds values of 1e+30, expected a full scale of 1"),
        (
            encoded(np.array([0, np.nan]), subtype="FLOAT"),
            "<bytes> holds values that are not finite (NaN or infinite)",
        ),
    ],
    # libsndfile writes the time into a file: the bytes themselves are another name in each worker.
    ids=lambda given: given if isinstance(given, str) else type(given).__name__,
)
def test_what_cannot_be_used_is_said_in_one_sentence(source: object, message: str) -> None:
    with pytest.raises(AudioError) as caught:
        load(source)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize("samples", [[[0.1, 0.2], [0.3]], (np.zeros(9), 16_000)], ids=["ragged", "with its rate"])
def test_what_cannot_be_made_into_an_array(samples: object) -> None:
    with pytest.raises(AudioError, match=r"^<array> cannot be made into an array: "):
        load((samples, 16_000))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "text.wav",
            b"Dear diary, this is no sound.",
            "is not audio in a format that is known (Format not recognised)",
        ),
        ("text.au", b"Dear diary, this is no sound.", "is not audio in a format that is known (Format not recognised)"),
        (
            "text.raw",
            b"Dear diary, this is no sound.",
            "is not audio in a format that is known (Format not recognised)",
        ),
        ("empty.wav", b"", "is empty (0 bytes)"),
        ("zero.wav", HEADER, "holds no samples"),
        ("cut.flac", encoded(tone(), kind="FLAC")[:60], "is damaged: its header cannot be read"),
        ("missing.wav", None, "does not exist"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path} {message}")


def test_folders_closed_files_and_impossible_names(tmp_path: Path) -> None:
    closed = io.BytesIO(FLOATS)
    closed.close()
    for source, message in (
        (tmp_path, f"{tmp_path} is a folder, expected an audio file"),
        (closed, "<file> cannot be read"),
        ("a\0b.wav", "cannot be opened"),
        ("", "the path of the recording is empty, expected an audio file"),
        (BytesPath(), "nowhere.wav does not exist"),
        ("x" * 5000, "cannot be opened"),
    ):
        with pytest.raises(AudioError) as caught:
            load(source)
        assert message in str(caught.value)
    assert name_of(BytesPath()) == "nowhere.wav"


@pytest.mark.parametrize(("start_s", "end_s"), [(-1.0, None), (0.5, 0.5), (0.5, 0.2), (float("nan"), None)])
def test_an_impossible_stretch(start_s: float, end_s: float | None) -> None:
    with pytest.raises(AudioError, match="is not a stretch of <bytes>, expected 0 <= start < end"):
        load(FLOATS, start_s=start_s, end_s=end_s)


def test_a_start_after_the_end() -> None:
    with pytest.raises(AudioError, match=r"^<bytes> ends before 5 s, where it should start$"):
        load(FLOATS, start_s=5)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_a_file_that_was_cut_off_gives_what_it_holds(kind: str) -> None:
    noise = np.random.default_rng(3).uniform(-0.5, 0.5, 16_000 * 5)
    data = encoded(noise, kind=kind)
    whole, half = load(data), load(data[: len(data) // 2])
    assert 0.3 * len(whole) < len(half) < 0.7 * len(whole)
    np.testing.assert_allclose(half[:16_000], whole[:16_000], atol=1e-4)


def test_damage_in_the_middle_keeps_the_beginning() -> None:
    data = bytearray(encoded(np.random.default_rng(3).uniform(-0.5, 0.5, 16_000 * 5), kind="FLAC"))
    whole = load(bytes(data))
    middle = len(data) // 2
    data[middle : middle + 5_000] = bytes(5_000)
    heard = load(bytes(data))
    np.testing.assert_array_equal(heard[: len(whole) // 3], whole[: len(whole) // 3])


# ------------------------------------------------------------------------------------------------------- fuzzing

SEEDS = [encoded(tone(seconds=0.2), kind=kind) for kind in ("WAV", "FLAC", "OGG", "AIFF", "CAF", "W64", "AU", "MP3")]
SEEDS += [FLOATS, encoded(np.zeros((50, 3)), subtype="DOUBLE"), encoded(tone(seconds=0.2), kind="OGG", subtype="OPUS")]


def check_untrusted(data: bytes) -> None:
    try:
        heard = load(data, longest_s=60.0)
    except AudioError as error:
        refusal = str(error)
    else:
        assert heard.dtype == np.float32
        assert len(heard)
        assert np.isfinite(heard).all()
        # What can be loaded can be streamed.
        np.testing.assert_array_equal(np.concatenate(list(blocks(data, block_s=0.1))), heard)
        return
    assert refusal.startswith(("<bytes> ", "the sample rate of <bytes> "))
    assert "\n" not in refusal


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_random_bytes_never_crash(data: bytes) -> None:
    check_untrusted(data)


@st.composite
def damaged(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 8))):
        # Headers are where the trouble is.
        where = draw(st.one_of(st.integers(0, min(120, len(data) - 1)), st.integers(0, len(data) - 1)))
        data[where] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))])


@given(damaged(tuple(SEEDS)))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_files_never_crash(data: bytes) -> None:
    check_untrusted(data)


def test_damaged_media_never_crash(tmp_path: Path) -> None:
    for suffix, codec in (("webm", "libopus"), ("m4a", "aac"), ("aac", "aac")):
        write_media(tmp_path / f"a.{suffix}", codec, 48_000, tone(48_000, 0.2))
    seeds = tuple(path.read_bytes() for path in sorted(tmp_path.iterdir()))

    @given(damaged(seeds))
    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def run(data: bytes) -> None:
        check_untrusted(data)

    run()


# ------------------------------------------------------------------------------------------------------- finding


def test_find_lists_the_audio_of_a_folder_in_order(tmp_path: Path) -> None:
    for name in ("b.WAV", "a.flac", "deep/er/c.webm", "notes.txt", "._a.flac", "d.opus.txt", ".git/annex/a.flac"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in find(tmp_path)] == ["a.flac", "b.WAV", "deep/er/c.webm"]
    assert find(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]  # asked for by name: the decoder will say
    assert find(tmp_path / ".git") == [tmp_path / ".git/annex/a.flac"]


def test_a_rate_that_shares_no_factor_is_resampled() -> None:
    assert len(load((np.zeros(767_999, np.float32), 767_999))) == pytest.approx(16_000, abs=1)


def test_find_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AudioError, match="is a folder without audio"):
        find(tmp_path)
    with pytest.raises(AudioError, match="does not exist"):
        find(tmp_path / "nowhere")
    (tmp_path / "in" / "locked").mkdir(parents=True)
    (tmp_path / "in" / "a.wav").touch()
    scan = os.scandir

    def scan_as_a_stranger(path: str) -> object:
        if os.fspath(path).endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_as_a_stranger)
    for walk in (find, files):
        with pytest.raises(AudioError, match=r"^the folder .*locked cannot be read: permission denied; nothing"):
            walk(tmp_path)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in AUDIO_SUFFIXES)
    assert issubclass(AudioError, IntonateError)


@pytest.mark.corpora
@pytest.mark.parametrize("pattern", ["ravdess/Actor_01/*.flac", "banglaser/*-01.ogg", "emodb/wav/*", "tess/**/*.ogg"])
def test_published_corpora_are_read(pattern: str) -> None:
    paths = sorted(CORPORA.glob(pattern))[:5]
    if not paths:
        pytest.skip(f"no corpus under {pattern.split('/')[0]} in ../shared/corpora")
    for path in paths:
        assert len(load(path)) == round(duration_s(path) * 16_000)
