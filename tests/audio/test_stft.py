import numpy as np
import pytest

from intonate.audio.stft import OVERLAP, frame_middles, istft, stft


@pytest.mark.parametrize("samples", [1, 127, 128, 5000])
def test_there_and_back_is_the_same_sound(samples):
    sound = np.random.default_rng(samples).normal(size=samples).astype(np.float32)
    spectrum = stft(sound, 128)
    assert spectrum.shape == (-(-samples // 128) + OVERLAP - 1, 64 * OVERLAP + 1)
    np.testing.assert_allclose(istft(spectrum, 128, samples), sound, atol=1e-5)


def test_a_click_is_loudest_in_the_frame_around_it():
    click = np.zeros(4096, np.float32)
    click[1000] = 1
    loudest = np.abs(stft(click, 128)).sum(axis=1).argmax()
    assert abs(frame_middles(40, 128)[loudest] - 1000) <= 64
