"""The buffer of a stream: each sample resampled once, as if the whole sound had been there."""

import numpy as np
import pytest

from intonate.audio.resample import resample
from intonate.recognizer.window_buffer import CONTEXT_S, WindowBuffer

MODEL_HZ, TICK_S = 16_000, 0.25


def sound(rate_hz, seconds=7.0):
    """Noise under 3 kHz: the rates here all carry it."""
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft(rng.normal(size=round(seconds * rate_hz)))
    spectrum[np.fft.rfftfreq(round(seconds * rate_hz), 1 / rate_hz) > 3000] = 0
    waveform = np.fft.irfft(spectrum, round(seconds * rate_hz))
    return (0.5 * waveform / np.abs(waveform).max()).astype(np.float32)


# 44,101 Hz has a sample at the same time as 16 kHz once a second only.
@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 44_101, 48_000, 96_000])
def test_windows_are_cut_from_the_sound_as_a_whole(rate_hz):
    waveform = sound(rate_hz)
    whole = resample(waveform, rate_hz, MODEL_HZ)
    buffer = WindowBuffer(rate_hz, MODEL_HZ, 2.0, TICK_S, TICK_S, history_s=5.0)
    edge = round(CONTEXT_S * MODEL_HZ)  # the newest sound lacks what comes after it
    windows = list(buffer.push(waveform))
    assert [window.end_s for window in windows] == list(np.arange(1, 29) * TICK_S)
    for window in windows:
        start = round(window.start_s * MODEL_HZ)
        assert abs(len(window.waveform) - round((window.end_s - window.start_s) * MODEL_HZ)) <= 1
        settled = window.waveform[: len(window.waveform) - edge]
        np.testing.assert_allclose(settled, whole[start : start + len(settled)], atol=2e-5)
    first, history = buffer.cut(2.2, 6.5)
    assert first == round(2.2 * MODEL_HZ)
    assert 5.5 * MODEL_HZ < buffer.settled <= 7.0 * MODEL_HZ - edge
    np.testing.assert_allclose(history, whole[round(2.2 * MODEL_HZ) : round(6.5 * MODEL_HZ)], atol=2e-5)


@pytest.mark.parametrize("rate_hz", [16_000, 44_101, 48_000])
def test_how_it_was_cut_makes_no_difference(rate_hz):
    waveform = sound(rate_hz)
    buffers = [WindowBuffer(rate_hz, MODEL_HZ, 2.0, TICK_S, TICK_S) for _ in range(2)]
    at_once = list(buffers[0].push(waveform))
    cut = [
        window for start in range(0, len(waveform), 997) for window in buffers[1].push(waveform[start : start + 997])
    ]
    assert len(at_once) == len(cut) > 20
    for one, other in zip(at_once, cut, strict=True):
        np.testing.assert_array_equal(one.waveform, other.waveform)


@pytest.mark.parametrize("rate_hz", [16_000, 44_101, 48_000])
def test_memory_is_that_of_the_history(rate_hz):
    buffer = WindowBuffer(rate_hz, MODEL_HZ, 2.0, TICK_S, TICK_S, history_s=5.0)
    for _ in range(60):
        list(buffer.push(np.zeros(rate_hz, np.float32)))
    assert len(buffer._sound._samples) < 6 * rate_hz
    assert len(buffer._resampled._samples) < 11 * MODEL_HZ
