"""The cleaning step that takes hum and rumble away."""

import math
import tracemalloc
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intonate.audio.clean import clean
from intonate.audio.high_pass import HALF_S, high_pass

RATE_HZ = 16_000
# Of what full scale is 1.
LOUDEST_ERROR = 10 ** (-110 / 20)


def by_transforms(waveform, rate_hz, low_hz=60.0, full_hz=90.0):
    """The same filter tap by tap, in double precision: overlap-save."""
    spectrum, taps = high_pass_spectrum(rate_hz, low_hz, max(full_hz, low_hz + 1.0))
    answer = np.empty(len(waveform))
    size = 2 * (len(spectrum) - 1)
    step = size - taps + 1
    padded = np.pad(waveform.astype(np.float64), (taps // 2, taps // 2 + size))
    for start in range(0, len(waveform), step):
        block = np.fft.irfft(np.fft.rfft(padded[start : start + size]) * spectrum, size)[taps - 1 :]
        answer[start : start + step] = block[: len(waveform) - start]
    return answer


@cache
def high_pass_spectrum(rate_hz, low_hz, full_hz):
    """Of a symmetric impulse response 100 ms long (Hann window), padded to a power of two; and its taps, odd."""
    half = round(HALF_S * rate_hz)
    size = 1 << (8 * half).bit_length()
    share = np.clip((np.fft.rfftfreq(size, 1 / rate_hz) - low_hz) / (full_hz - low_hz), 0, 1)
    response = np.roll(np.fft.irfft(0.5 - 0.5 * np.cos(np.pi * share), size), half)[: 2 * half + 1]
    kernel = response * np.hanning(2 * half + 1)
    return np.fft.rfft(kernel, 1 << (8 * len(kernel) - 1).bit_length()), len(kernel)


def sounds(samples, rate_hz, seed):
    """As loud as can be: noise, steps between the ends of the scale, tones about the edge of the filter, an offset."""
    generator = np.random.default_rng(seed)
    noise = generator.uniform(-1, 1, samples)
    tones = (np.sin(2 * math.pi * hz * np.arange(samples) / rate_hz + seed) for hz in generator.uniform(1, 150, 3))
    yield from (sound.astype(np.float32) for sound in (noise, np.sign(noise), *tones, np.ones(samples)))


@given(st.sampled_from((8_000, 11_025, 16_000, 44_100, 48_000)), st.integers(1, 30_000), st.integers(0, 99))
def test_it_is_the_filter_of_1601_taps(rate_hz, samples, seed):
    for sound in sounds(samples, rate_hz, seed):
        passed = high_pass(sound, rate_hz)
        assert passed.shape == sound.shape
        assert passed.dtype == np.float32
        assert np.abs(passed - by_transforms(sound, rate_hz)).max() < LOUDEST_ERROR


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000])
@pytest.mark.parametrize("edges_hz", [(1.0, 1.0), (60.0, 100.0), (100.0, 90.0), (200.0, 300.0), (2000.0, 4000.0)])
def test_of_any_edges(rate_hz, edges_hz):
    for sound in sounds(20_000, rate_hz, 0):
        assert np.abs(high_pass(sound, rate_hz, *edges_hz) - by_transforms(sound, rate_hz, *edges_hz)).max() < (
            LOUDEST_ERROR
        )


def test_long_sound_needs_little_more_memory_than_its_own():
    sound = np.random.default_rng(0).normal(size=600 * RATE_HZ).astype(np.float32)
    high_pass(sound[:RATE_HZ], RATE_HZ)
    tracemalloc.start()
    try:
        high_pass(sound, RATE_HZ)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1.2 * sound.nbytes  # the answer, and the coefficients of each block


def gain(frequency_hz, samples=32_000, **options):
    tone = np.sin(2 * np.pi * frequency_hz * np.arange(samples) / RATE_HZ).astype(np.float32)
    passed = clean(tone, RATE_HZ, [{"step": "high_pass", **options}])
    assert passed.shape == tone.shape
    assert passed.dtype == np.float32
    middle = slice(samples // 4, -samples // 4)
    return float(np.sqrt(np.square(passed[middle]).mean() / np.square(tone[middle]).mean()))


def test_hum_goes_and_voices_stay():
    assert gain(50) < 0.01
    assert gain(60) < 0.1
    assert gain(120) == pytest.approx(1, abs=0.01)
    assert gain(3000) == pytest.approx(1, abs=1e-3)
    assert gain(150, low_hz=200.0, full_hz=300.0) < 0.01


@pytest.mark.parametrize("samples", [1, 17, 15_000, 40_000])
def test_blocks_join_without_a_seam(samples):
    noise = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    impulse = np.zeros(4001, np.float32)
    impulse[2000] = 1
    response = clean(impulse, RATE_HZ, [{"step": "high_pass"}])
    wanted = np.convolve(noise.astype(np.float64), response)[2000 : 2000 + samples]
    np.testing.assert_allclose(clean(noise, RATE_HZ, [{"step": "high_pass"}]), wanted, atol=1e-5)


def test_silence_stays_silence():
    assert not clean(np.zeros(1000, np.float32), RATE_HZ, [{"step": "high_pass"}]).any()
