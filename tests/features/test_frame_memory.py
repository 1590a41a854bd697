"""Frames of overlapping windows: the same as without a memory, and computed once."""

import numpy as np
import pytest
import tiny

from intonate.features import functionals, prosody, spectral
from intonate.features.frame_memory import KEPT_FRAMES, ROOM_FRAMES, FrameMemory, by_frames, place_within, remembering

RATE_HZ, HOP = 16_000, 160
FRONT_ENDS = {
    "log_mel": lambda window: spectral.log_mel(window, RATE_HZ),
    "bands": lambda window: spectral.log_mel(window, RATE_HZ, bands=40, level=False),
    "pitch": lambda window: np.stack(prosody.pitch(window, RATE_HZ)),
    "every 5 ms": lambda window: np.stack(prosody.pitch(window, RATE_HZ, hop=80)),
    "functionals": lambda window: functionals.voice_functionals(window, RATE_HZ),
}


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_windows_of_any_place_and_length_are_as_without(name):
    sound, front_end, memory = tiny.speech(6.0, hiss=0.01), FRONT_ENDS[name], FrameMemory()
    random = np.random.default_rng(0)
    windows = [(start, start + 2 * RATE_HZ) for start in range(0, 4 * RATE_HZ, RATE_HZ // 2)]
    # And pieces that overlap, leave gaps, go back, lie between the frames, or are shorter than one.
    starts = random.integers(0, 500, 20) * HOP
    windows += [(start, start + length) for start, length in zip(starts, random.integers(1, 24_000, 20), strict=True)]
    windows += [(81, 30_000), (0, 1), (0, 96_000), (16_000, 40_000)]
    for start, end in windows:
        window = sound[start:end]
        expected = front_end(window.copy())
        with remembering(memory, window, start, settled=end):
            np.testing.assert_allclose(front_end(window), expected, rtol=1e-4, atol=1e-4)


def test_only_what_is_new_is_computed():
    computed = []

    @by_frames(HOP, reach=2)
    def mean(waveform, scale=1.0):
        computed.append(len(waveform))
        return scale * spectral.cut_frames(waveform, 400, HOP, 1 + len(waveform) // HOP).mean(axis=1, keepdims=True)

    sound, memory = tiny.speech(4.0), FrameMemory()
    for start in (0, 8_000, 16_000):
        window = sound[start : start + 32_000]
        with remembering(memory, window, start, settled=start + 30_400):
            np.testing.assert_allclose(mean(window), mean(window.copy()), atol=1e-6)
    # Of the last two windows: their beginning, and from what was settled to their end; the rest are the copies.
    ends = 640 + 640 + 1_600 + 8_000
    assert computed == [32_000, 32_000, ends, 32_000, ends, 32_000]
    with remembering(memory, window, start, settled=start + 30_400):
        np.testing.assert_allclose(mean(window, scale=2.0), 2 * mean(window.copy()), atol=1e-6)
    assert computed[-2:] == [32_000, 32_000]  # another parameter, other frames


def test_what_is_not_settled_is_computed_again():
    memory, sound = FrameMemory(), tiny.speech(2.0)
    with remembering(memory, sound, 0, settled=16_000):
        spectral.log_mel(sound, RATE_HZ)
    changed = sound.copy()
    changed[16_000:] = 0
    expected = spectral.log_mel(changed.copy(), RATE_HZ)
    with remembering(memory, changed, 0, settled=32_000):
        np.testing.assert_allclose(spectral.log_mel(changed, RATE_HZ), expected, atol=1e-5)


def test_it_forgets():
    memory = FrameMemory()
    for first in range(0, 5_000, 100):
        memory.keep("a", first, np.full((150, 2), first, np.float32))
    assert len(memory.find("a", 5_050 - KEPT_FRAMES, 10_000)) == KEPT_FRAMES
    assert not len(memory.find("a", 5_049 - KEPT_FRAMES - ROOM_FRAMES, 10_000))
    np.testing.assert_array_equal(memory.find("a", 4_850, 4_950)[:, 0], np.repeat([4_800, 4_900], 50))
    memory.keep("c", 7, np.arange(5_000, dtype=np.float32)[:, None])  # more than there is room for
    np.testing.assert_array_equal(memory.find("c", 4_500, 10_000)[:, 0], np.arange(4_493, 5_000))
    assert not len(memory.find("b", 0, 10))
    memory.keep("a", 9_000, np.ones((5, 2), np.float32))  # after a gap
    assert len(memory.find("a", 9_001, 9_003)) == 2
    assert not len(memory.find("a", 5_000, 5_010))


def test_where_a_piece_lies():
    sound = np.zeros(100, np.float32)
    assert [place_within(sound[start:], sound) for start in (0, 7, 99)] == [0, 7, 99]
    assert place_within(sound[::2], sound) is None
    assert place_within(sound + 1, sound) is None
