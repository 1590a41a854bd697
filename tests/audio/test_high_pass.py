"""The cleaning step that takes hum and rumble away."""

import numpy as np
import pytest

from intonate.audio.clean import clean

RATE_HZ = 16_000


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
