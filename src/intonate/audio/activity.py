"""Where sound rises above its background: a simple detector on energy. Whether it is a voice, `voice.py` tells.

Speech is what rises above the noise around it. Per frame of 25 ms every 10 ms:

1. level in dBFS after pre-emphasis, which takes hum and rumble away;
2. noise floor = the lowest such level within 1.5 s;
3. speech where the level is `ABOVE_FLOOR_DB` over that floor, and over `QUIETEST_DBFS` before pre-emphasis, for
   `SHORTEST_S` or longer (a click is shorter);
4. hang-over: `BEFORE_S` before and `AFTER_S` after count too, for soft onsets and endings, and short gaps close.

Steady sound of any loudness is therefore noise; music and barking dogs are not told from speech.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intonate.audio.clean import pre_emphasis
from intonate.audio.energy import HOP_BLOCKS, HOP_S, WINDOW_BLOCKS, block_samples, frame_power

# The quietest clips of RAVDESS have syllables of -50 dBFS; a microphone's own noise is lower than this.
QUIETEST_DBFS = -65.0
# The lowest of 300 frames of steady noise lies about 2 dB under their mean and 4 under their highest.
ABOVE_FLOOR_DB = 9.0
FLOOR_WITHIN_S = 1.5
SHORTEST_S = 0.03
BEFORE_S, AFTER_S = 0.05, 0.2
# Less speech than a short syllable is none.
LEAST_SPEECH_S = 0.1
# What moves by less than this, or is softer, holds no speech; 16 bits carry speech of -77 dBFS well.
MOVING_DB, SOFTEST_DBFS = 3.0, -85.0
# Frames of hum differ by less than this.
HUM_DB = 1.0


class Levels(NamedTuple):
    """How loud each 10 ms of a waveform are: measured once, asked more than one thing.

    Attributes:
        db: (ceil(samples / 10 ms),) dBFS.
        emphasised_db: the same after pre-emphasis.
        is_whole: which do not reach beyond the end, and have none of the zeros behind it in them.
        knows_floor: whether the waveform is long enough to know its background.
    """

    db: NDArray[np.float64]
    emphasised_db: NDArray[np.float64]
    is_whole: NDArray[np.bool_]
    knows_floor: bool


def levels(waveform: NDArray[np.float32], sample_rate_hz: int) -> Levels:
    """The levels of a waveform (samples,), full scale ±1."""
    level_db = _db(frame_power(waveform, sample_rate_hz))
    whole_frames = 1 + (len(waveform) // block_samples(sample_rate_hz) - WINDOW_BLOCKS) // HOP_BLOCKS
    return Levels(
        level_db,
        _db(frame_power(pre_emphasis(waveform, sample_rate_hz), sample_rate_hz)),
        np.arange(len(level_db)) < max(1, whole_frames),
        len(waveform) >= FLOOR_WITHIN_S * sample_rate_hz,
    )


def speech_frames(waveform: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.bool_]:
    """Whether there is speech, per 10 ms.

    Args:
        waveform: (samples,) float32, full scale ±1.
        sample_rate_hz: its rate.

    Returns:
        (ceil(samples / 10 ms),) bool.
    """
    sound = levels(waveform, sample_rate_hz)
    speech = _frames_above_floor(sound, sound.is_whole, ABOVE_FLOOR_DB, QUIETEST_DBFS)
    return _any_within(speech, before=round(AFTER_S / HOP_S), after=round(BEFORE_S / HOP_S))


def moving_frames(sound: Levels) -> NDArray[np.bool_]:
    """Whether there may be speech, per 10 ms: a cheap look that misses none, and spares a better detector the rest.

    Digital silence does not move, nor does what is steady for long. A waveform too short to know its background moves,
    if it is not silent. The zeros behind the end count as background here: a word that noise nearly covers stands out
    from the frames before it by less than `MOVING_DB`, and is to be heard all the same.
    """
    if not sound.knows_floor:
        return np.asarray(sound.db > SOFTEST_DBFS)
    return _frames_above_floor(sound, np.ones_like(sound.is_whole), MOVING_DB, SOFTEST_DBFS)


def hum_frames(sound: Levels) -> NDArray[np.bool_]:
    """Whether the level stays where it is, per 10 ms, as of mains hum: noise goes up and down by more, speech too.

    Digital silence beside it, and a frame that has some of that in it, are no background of it.
    """
    if not sound.knows_floor:
        return np.zeros(len(sound.db), np.bool_)
    shared_frames = WINDOW_BLOCKS // HOP_BLOCKS  # so many after a frame begin within it
    is_partly_silent = _any_within(sound.db <= SOFTEST_DBFS, before=shared_frames, after=shared_frames)
    return ~_frames_above_floor(sound, sound.is_whole & ~is_partly_silent, HUM_DB, SOFTEST_DBFS)


def _frames_above_floor(
    sound: Levels, is_background: NDArray[np.bool_], above_floor_db: float, quietest_dbfs: float
) -> NDArray[np.bool_]:
    background_db = np.where(is_background, sound.emphasised_db, np.inf)
    floor_db = _running_minimum(background_db, round(FLOOR_WITHIN_S / HOP_S))
    floor_db[np.isinf(floor_db)] = -np.inf  # without a background, all stands out
    is_above = (sound.emphasised_db > floor_db + above_floor_db) & (sound.db > quietest_dbfs)
    shortest_frames = round(SHORTEST_S / HOP_S)
    # Erode, then dilate by the same: runs shorter than `shortest_frames` vanish, longer ones come back whole.
    eroded = ~_any_within(~is_above, before=0, after=shortest_frames - 1)
    return _any_within(eroded, before=shortest_frames - 1, after=0)


def _db(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(power + 1e-12))


def _running_minimum(level: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """The lowest level within so many frames before and after each, by van Herk's (1992) method.

    In blocks as long as the window: the lowest up to each frame and from each on. A window is the end of one block and
    the start of the next.
    """
    size = 2 * frames + 1
    padded = np.full(-(-(len(level) + size - 1) // size) * size, np.inf)
    padded[frames : frames + len(level)] = level
    blocks = padded.reshape(-1, size)
    up_to = np.minimum.accumulate(blocks, axis=1).ravel()
    from_on = np.minimum.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
    return np.minimum(from_on[: len(level)], up_to[size - 1 : size - 1 + len(level)])


def _any_within(mask: NDArray[np.bool_], before: int, after: int) -> NDArray[np.bool_]:
    """Per frame, whether the mask is true in any of the `before` frames ahead of it, itself, or the `after` next."""
    counts = np.zeros(before + len(mask) + after + 1, np.intp)  # of what is true ahead of each frame
    np.cumsum(mask, out=counts[before + 1 : before + 1 + len(mask)])
    counts[before + 1 + len(mask) :] = counts[before + len(mask)]
    return np.asarray(counts[before + after + 1 :] > counts[: len(mask)])
