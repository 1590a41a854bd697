"""librosa is the reference: it is heavy, so the package has its own few lines, and they are held to it here."""

import threading
from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate import features
from intonate.audio.decode import load
from intonate.errors import ModelError
from intonate.features import spectral

RATE_HZ = 16_000
RAVDESS = Path(__file__).parents[2].parent / "shared" / "corpora" / "ravdess"
# One sample, shorter than a hop, than a window, than a transform; odd; a multiple of the hop and one off it.
LENGTHS = [1, 2, 159, 160, 161, 399, 511, 1000, 16_000, 16_001, 48_123]


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * max(float(np.ptp(theirs)), 1e-3))


def their_power(waveform: np.ndarray, frame: int = 400, hop: int = 160, n_fft: int = 512) -> np.ndarray:
    # librosa refuses less than one transform: zeros behind the end are what the padding would have been.
    count = 1 + len(waveform) // hop
    longer = np.pad(waveform, (0, n_fft))
    spectrum = librosa.stft(longer, n_fft=n_fft, hop_length=hop, win_length=frame, pad_mode="constant")
    return (np.abs(spectrum) ** 2).T[:count]


def their_mel(waveform: np.ndarray, bands: int, low_hz: float, high_hz: float) -> np.ndarray:
    filters = librosa.filters.mel(sr=RATE_HZ, n_fft=512, n_mels=bands, fmin=low_hz, fmax=high_hz)
    return their_power(waveform) @ filters.T


@pytest.fixture(scope="module", params=["03-01-01-01-01-01-01", "03-01-05-02-02-01-01", "03-01-06-02-01-02-01"])
def spoken(request):
    found = sorted(RAVDESS.glob(f"Actor_*/{request.param}.*"))
    if not found:
        pytest.skip(f"{RAVDESS} is not here")
    return load(found[0], RATE_HZ)


@pytest.mark.parametrize("samples", LENGTHS)
def test_the_power_is_librosas(samples):
    close(spectral.power_spectrogram(noise(samples)), their_power(noise(samples)))


@pytest.mark.parametrize(("frame", "hop", "n_fft"), [(512, 128, 512), (640, 320, 1024), (200, 80, 300)])
def test_the_power_is_librosas_with_other_frames(frame, hop, n_fft):
    ours = spectral.power_spectrogram(noise(7001), frame=frame, hop=hop, n_fft=n_fft)
    close(ours, their_power(noise(7001), frame, hop, n_fft))


@pytest.mark.parametrize(("frame", "n_fft"), [(401, 512), (401, 401), (1, 8), (8, 9)])
def test_the_power_of_a_frame_is_that_of_its_samples(frame, n_fft):
    samples = noise(1000)
    ours = spectral.power_spectrogram(samples, frame=frame, hop=100, n_fft=n_fft)
    start = 500 - frame // 2
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    close(ours[5], np.abs(np.fft.rfft(samples[start : start + frame] * window, n_fft)) ** 2)


@pytest.mark.parametrize(("bands", "low_hz", "high_hz"), [(80, 40.0, 7800.0), (128, 0.0, 8000.0), (20, 300.0, 4000.0)])
def test_the_mel_filters_are_librosas(bands, low_hz, high_hz):
    theirs = librosa.filters.mel(sr=RATE_HZ, n_fft=512, n_mels=bands, fmin=low_hz, fmax=high_hz).T
    close(spectral.mel_filters(RATE_HZ, 512, bands, low_hz, high_hz), theirs)


def test_the_mel_scale_is_librosas_and_can_be_undone():
    hz = np.linspace(0, 8000, 999)
    np.testing.assert_allclose(spectral.hz_to_mel(hz), librosa.hz_to_mel(hz))
    np.testing.assert_allclose(spectral.mel_to_hz(spectral.hz_to_mel(hz)), hz, atol=1e-9)


@pytest.mark.parametrize("samples", LENGTHS)
def test_the_log_mel_is_librosas(samples):
    theirs = np.log(their_mel(noise(samples), 80, 40.0, 7800.0) + spectral.FLOOR)
    close(spectral.log_mel(noise(samples), RATE_HZ), theirs)


@pytest.mark.parametrize("samples", [1, 399, 16_001])
@pytest.mark.parametrize("coefficients", [13, 40])
def test_the_mfcc_is_librosas(samples, coefficients):
    decibels = librosa.power_to_db(their_mel(noise(samples), 128, 0.0, 8000.0).T)
    theirs = librosa.feature.mfcc(S=decibels, n_mfcc=coefficients).T
    close(spectral.mfcc(noise(samples), RATE_HZ, coefficients=coefficients), theirs)


@pytest.mark.corpora
def test_real_speech_is_as_in_librosa(spoken):
    close(spectral.power_spectrogram(spoken), their_power(spoken))
    close(spectral.log_mel(spoken, RATE_HZ), np.log(their_mel(spoken, 80, 40.0, 7800.0) + spectral.FLOOR))
    theirs = librosa.feature.mfcc(
        y=spoken, sr=RATE_HZ, n_fft=512, win_length=400, hop_length=160, pad_mode="constant", n_mfcc=20
    )
    close(spectral.mfcc(spoken, RATE_HZ), theirs.T)


@settings(max_examples=60, deadline=None)
@given(
    samples=st.integers(0, 5000),
    kind=st.sampled_from(["zeros", "clipping", "noise", "one", "constant"]),
    seed=st.integers(0, 99),
    bands=st.sampled_from([20, 80]),
)
def test_any_finite_sound_gives_finite_frames(samples, kind, seed, bands):
    waveform = {
        "zeros": np.zeros(samples),
        "clipping": np.sign(noise(samples, seed)),
        "noise": 1000 * noise(samples, seed),
        "one": np.eye(1, samples, min(seed, max(samples - 1, 0)))[0],
        "constant": np.ones(samples),
    }[kind].astype(np.float32)
    frames = 1 + samples // 160
    expected = {"log_mel": (frames, bands), "mfcc": (frames, 20)}
    for name, shape in expected.items():
        answer = features.get(name)(waveform, RATE_HZ, bands=bands)
        assert answer.shape == shape
        assert answer.dtype == np.float32
        assert np.isfinite(answer).all()
    assert np.isfinite(spectral.log_mel(waveform, RATE_HZ, level=False)).all()


@settings(max_examples=40, deadline=None)
@given(gain=st.floats(0.05, 8.0), samples=st.integers(400, 9000), seed=st.integers(0, 99))
def test_without_its_level_a_log_mel_does_not_know_the_gain(gain, samples, seed):
    waveform = noise(samples, seed)
    mine = spectral.log_mel(waveform, RATE_HZ, level=False)
    louder = spectral.log_mel(waveform * np.float32(gain), RATE_HZ, level=False)
    # The floor of the logarithm adds at most FLOOR / power, and this noise is far louder than the floor: looked up.
    softest = np.exp(spectral.log_mel(waveform, RATE_HZ).min()) * min(gain, 1) ** 2
    np.testing.assert_allclose(louder, mine, atol=1e-3 + 2 * spectral.FLOOR / softest)


def test_the_level_is_the_mean_of_the_active_frames():
    waveform = noise(16_000)
    waveform[8000:] *= np.float32(1e-4)
    active = spectral.active_frames(spectral.log_mel(waveform, RATE_HZ))
    assert 50 <= active.sum() <= 52
    levelled = spectral.log_mel(waveform, RATE_HZ, level=False)
    assert abs(levelled[active].mean()) < 1e-4
    assert levelled.min() == -12


def test_one_tone_lights_one_band():
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
    middle = spectral.mel_to_hz(np.linspace(*spectral.hz_to_mel(np.array([40.0, 7800.0])), 82)[1:-1])
    loudest = spectral.log_mel(tone, RATE_HZ)[10:-10].argmax(axis=1)
    assert np.abs(middle[loudest] - 1000).max() < 50


def test_what_cannot_be_computed_is_said():
    with pytest.raises(ValueError, match="low_hz=5000 and 4000"):
        spectral.log_mel(noise(999), RATE_HZ, low_hz=5000.0, high_hz=4000.0)
    with pytest.raises(ValueError, match="got 600 and 512"):
        spectral.power_spectrogram(noise(999), frame=600)
    with pytest.raises(ModelError, match="did you mean 'log_mel'"):
        features.get("logmel")


class TestRemembering:
    """What two front ends share is computed once; nobody may notice but by the clock."""

    def test_a_changed_array_is_computed_anew(self):
        waveform = noise(4000)
        before = spectral.log_mel(waveform, RATE_HZ)
        waveform[2000] += 1
        after = spectral.log_mel(waveform, RATE_HZ)
        assert not np.array_equal(before, after)
        np.testing.assert_array_equal(after, spectral.log_mel(waveform.copy(), RATE_HZ))

    @pytest.mark.parametrize("level", [True, False])
    def test_an_answer_that_was_written_to_does_not_come_back(self, level):
        first = spectral.log_mel(noise(4000), RATE_HZ, level=level)
        kept = first.copy()
        first[:] = 99
        np.testing.assert_array_equal(spectral.log_mel(noise(4000), RATE_HZ, level=level), kept)

    def test_parameters_count(self):
        assert spectral.log_mel(noise(4000), RATE_HZ, bands=80).shape[1] == 80
        assert spectral.log_mel(noise(4000), RATE_HZ, bands=40).shape[1] == 40

    def test_the_work_is_done_once_and_not_for_ever(self):
        calls = []

        @spectral.remember_last
        def total(array, times):
            calls.append(times)
            return float(array.sum()) * times

        ones = np.ones(10, np.float32)
        assert [total(ones, 2), total(ones.copy(), 2), total(ones, 3), total(ones, 2)] == [20, 20, 30, 20]
        assert calls == [2, 3, 2]
        hour = np.ones(spectral.REMEMBERED + 1, np.float32)
        assert total(hour, 1) == total(hour, 1)
        assert calls == [2, 3, 2, 1, 1]

    def test_threads_do_not_share(self):
        clips = [noise(3000 + 100 * i, i) for i in range(6)]
        expected = [spectral.log_mel(clip, RATE_HZ) for clip in clips]
        wrong = []

        def work(i):
            for _ in range(30):
                if not np.array_equal(spectral.log_mel(clips[i], RATE_HZ), expected[i]):
                    wrong.append(i)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_a_spectrogram_is_the_logarithm_of_the_power():
    sound = np.random.default_rng(0).normal(0, 0.1, 5_000).astype(np.float32)
    lines = features.get("spectrogram")(sound, 16_000)
    np.testing.assert_allclose(np.exp(lines), spectral.power_spectrogram(sound) + 1e-8, rtol=1e-5)


def test_frames_are_the_samples_around_every_tenth_millisecond():
    sound = np.arange(1, 1_001, dtype=np.float32)
    rows = features.get("frames")(sound, 16_000)
    assert rows.shape == (7, 400)
    np.testing.assert_array_equal(rows[3], sound[480 - 200 : 480 + 200])
    np.testing.assert_array_equal(rows[0], [0] * 200 + [*sound[:200]])
