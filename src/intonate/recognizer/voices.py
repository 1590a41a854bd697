"""Which voice speaks when: voices told apart by statistics of their spectrum and pitch, and clustered.

Of each stretch of 1.5 s of speech: mean and spread of 30 cepstra of a 40-band log-mel spectrum, how fast they move,
and quantiles of the pitch. A linear discriminant analysis (Fisher 1936), fitted by `benchmarks/voices.py` on speakers
of open corpora, keeps what differs between people and drops what differs between their emotions and sentences; in its
space, stretches are joined from the nearest on (average linkage). No neural network, 20 kB.

It tells two to four people in one room or on one line apart. It does not know who they are, and knows nobody again.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intonate.audio.energy import HOP_S
from intonate.audio.resample import resample
from intonate.features.prosody import pitch
from intonate.features.spectral import dct_matrix, log_mel

Float = NDArray[np.float64]

RATE_HZ, BANDS, CEPSTRA, SPREADS, SPEEDS = 16_000, 40, 30, 20, 12
PITCH_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
# Stretches of speech (pauses cut out) that are described, frames of 10 ms; fewer frames than the last are no voice.
STRETCH, HOP, SHORTEST = 150, 25, 60
MOST_SPEAKERS = 10
# Stretches that are clustered at most; of a longer conversation, as many spread over it.
MOST_STRETCHES = 500
# Two groups of stretches further apart than this, on average and in standard deviations, are two people.
SAME_BELOW = 4.0
# Who speaks for less than this in all is nobody new, seconds.
SHORTEST_SPEAKER_S = 1.5
# What a change of speaker must win in squared distance, so that single stretches do not.
CHANGE_COST = 60.0
# A change of speaker is moved to a pause this near, frames.
SNAP = 60


def tell_apart(
    waveform: NDArray[np.float32], sample_rate_hz: int, speech: NDArray[np.bool_], count: int | None = None
) -> NDArray[np.intp]:
    """Who speaks, per 10 ms, numbered in the order in which they begin.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: its rate.
        speech: (frames,) whether somebody speaks, per 10 ms (`voice.voice_frames`).
        count: how many people there are; None to find out.

    Returns:
        (frames,) numbers from 0 on; where nobody speaks, of who spoke last.
    """
    nobody = np.zeros(len(speech), np.intp)
    if sample_rate_hz != RATE_HZ:
        waveform = resample(waveform, sample_rate_hz, RATE_HZ)
    places = np.flatnonzero(speech)
    if count == 1 or len(places) < 2 * SHORTEST:
        return nobody
    starts, vectors = _stretches(waveform, places)
    groups = _clusters(vectors[:: max(1, STRETCH // HOP // 2, -(-len(vectors) // MOST_STRETCHES))], count)
    if len(groups) == 1:
        return nobody
    path = _path(((vectors[:, None] - np.array(groups)) ** 2).sum(axis=-1))
    # A stretch speaks for its middle.
    centres = np.minimum(starts + min(STRETCH, len(places)) // 2, len(places) - 1)
    of_places = path[np.searchsorted((centres[:-1] + centres[1:]) / 2, np.arange(len(places)))]
    of_places = _snapped(of_places, places)
    numbers = {int(group): number for number, group in enumerate(dict.fromkeys(of_places.tolist()))}
    found = np.array([numbers[int(group)] for group in of_places], np.intp)
    return np.asarray(found[np.maximum(np.searchsorted(places, np.arange(len(speech)), side="right") - 1, 0)])


def describe(log_mels: NDArray[np.float32], f0_hz: NDArray[np.float32], strength: NDArray[np.float32]) -> Float:
    """The statistics (72,) of a stretch of speech: (frames, 40) log-mel, pitch and voicing strength."""
    cepstra = np.asarray(log_mels, np.float64) @ dct_matrix(BANDS, CEPSTRA)
    voiced = strength > np.median(strength)
    octaves = np.log2(np.maximum(f0_hz[voiced], 50.0)) if voiced.any() else np.full(1, 7.0)
    return np.concatenate(
        [
            cepstra.mean(axis=0)[1:],  # the first is the level
            cepstra.std(axis=0)[:SPREADS],
            np.diff(cepstra, axis=0).std(axis=0)[:SPEEDS],
            np.quantile(octaves, PITCH_QUANTILES),
            [strength.mean()],
        ]
    )


@cache
def _projection() -> tuple[Float, Float]:
    """The mean (statistics,) and the discriminants (statistics, dimensions)."""
    with np.load(Path(__file__).parent / "assets" / "voices.npz", allow_pickle=False) as stored:
        return stored["mean"].astype(np.float64), stored["projection"].astype(np.float64)


def _stretches(waveform: NDArray[np.float32], places: NDArray[np.intp]) -> tuple[NDArray[np.intp], Float]:
    """Overlapping stretches of speech: the first of their `places`, and their vectors (stretches, dimensions)."""
    log_mels, (f0_hz, strength) = log_mel(waveform, RATE_HZ, bands=BANDS), pitch(waveform, RATE_HZ)
    places = np.minimum(places, min(len(log_mels), len(f0_hz)) - 1)
    starts = np.arange(0, max(1, len(places) - STRETCH + 1), HOP)
    cuts = [places[start : start + STRETCH] for start in starts]
    mean, projection = _projection()
    described = np.array([describe(log_mels[cut], f0_hz[cut], strength[cut]) for cut in cuts])
    return starts, (described - mean) @ projection


def _clusters(vectors: Float, count: int | None) -> list[Float]:
    """The centres of the groups of vectors, joined from the nearest on by average linkage."""
    squares = (vectors**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * vectors @ vectors.T, 0))
    np.fill_diagonal(distances, np.inf)
    members = [[place] for place in range(len(vectors))]
    sizes = np.ones(len(vectors))
    alive = np.ones(len(vectors), bool)
    least = max(1, round(SHORTEST_SPEAKER_S / (HOP_S * STRETCH / 2)))
    while alive.sum() > 1:
        one, other = divmod(int(np.argmin(distances)), len(distances))
        large = [place for place in np.flatnonzero(alive) if sizes[place] >= least]
        if count is None and distances[one, other] > SAME_BELOW and len(large) <= MOST_SPEAKERS:
            break
        if count is not None and len(large) <= count and sizes[one] >= least and sizes[other] >= least:
            break
        if count is not None and alive.sum() <= count:
            break
        joined = (sizes[one] * distances[one] + sizes[other] * distances[other]) / (sizes[one] + sizes[other])
        distances[one], distances[:, one] = joined, joined
        distances[other], distances[:, other], distances[one, one] = np.inf, np.inf, np.inf
        sizes[one] += sizes[other]
        alive[other] = False
        members[one] += members[other]
    groups = sorted((members[place] for place in np.flatnonzero(alive)), key=len, reverse=True)
    kept = [group for group in groups if len(group) >= least] or groups[:1]
    return [vectors[group].mean(axis=0) for group in kept[: count or MOST_SPEAKERS]]


def _path(costs: Float) -> NDArray[np.intp]:
    """The cheapest way through (stretches, speakers) costs, where each change costs too (Viterbi 1967)."""
    # Overlapping stretches say the same several times.
    costs = costs * HOP / STRETCH
    total, back = costs[0], np.zeros(costs.shape, np.intp)
    for place in range(1, len(costs)):
        best = int(np.argmin(total))
        changes = total[best] + CHANGE_COST * HOP / STRETCH < total
        back[place] = np.where(changes, best, np.arange(len(total)))
        total = np.where(changes, total[best] + CHANGE_COST * HOP / STRETCH, total) + costs[place]
    path = np.zeros(len(costs), np.intp)
    path[-1] = int(np.argmin(total))
    for place in range(len(costs) - 1, 0, -1):
        path[place - 1] = back[place, path[place]]
    return path


def _snapped(speakers: NDArray[np.intp], places: NDArray[np.intp]) -> NDArray[np.intp]:
    """The speakers of the `places`, each change moved to the longest pause near it."""
    pauses = np.diff(places)
    moved = speakers.copy()
    for change in np.flatnonzero(np.diff(speakers)).tolist():
        first, last = max(0, change - SNAP), min(len(pauses), change + SNAP + 1)
        to = first + int(np.argmax(pauses[first:last]))
        if pauses[to] > 1:
            moved[min(to, change) + 1 : max(to, change) + 1] = speakers[change + 1] if to < change else speakers[change]
    return moved
