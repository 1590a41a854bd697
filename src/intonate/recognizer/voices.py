"""Which voice speaks when: voices told apart by statistics of their spectrum and pitch, and clustered.

Of each stretch of 1.5 s of speech: mean and spread of 30 cepstra of a 40-band log-mel spectrum, how fast they move,
and quantiles of the pitch. A linear discriminant analysis (Fisher 1936), fitted by `benchmarks/voices.py` on speakers
of open corpora, keeps what differs between people and drops what differs between their emotions and sentences. In its
space the direction from the average voice tells who speaks, and the distance how strongly, so directions are
grouped: by k-means first, then by the turns of a Viterbi path, from whose stretches the groups are found again. No
neural network, 6 kB.

It tells two to four people in one room or on one line apart. It does not know who they are, and knows nobody again.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
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
# How long a direction is, in the standard deviations in which a change of speaker is paid for.
LENGTH = 4.0
# Two groups whose centres lie further apart than this, in standard deviations, are taken for two people. The halves of
# one actor's speech lie 2.7 apart (median of 80), two actors 3.3, with much overlap: a count is better given.
SAME_BELOW = 2.9
# How often the groups are found again from the turns, at most.
ROUNDS = 6
# How often k-means starts for the first groups, and how often each start finds them again.
MEANS_STARTS, MEANS_ROUNDS = 8, 20
# Who speaks for less than this in all is nobody new, seconds.
SHORTEST_SPEAKER_S = 1.5
# What a change of speaker must win in squared distance: within speech, and after a pause of this many frames.
CHANGE_COST, PAUSE_CHANGE_COST, PAUSE = 2.0, 0.0, 18


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
    one_speaker = np.zeros(len(speech), np.intp)
    if sample_rate_hz != RATE_HZ:
        waveform = resample(waveform, sample_rate_hz, RATE_HZ)
    places = np.flatnonzero(speech)
    if count == 1 or len(places) < 2 * SHORTEST:
        return one_speaker
    cuts, vectors = _stretch_features(waveform, places)
    weights = np.array([min(1.0, (stop - start) / STRETCH) for start, stop in cuts])
    begins = [start == 0 or places[start] - places[start - 1] > PAUSE for start, _ in cuts]
    if not (weights >= SHORTEST / STRETCH).any():
        return one_speaker
    path = _speaker_path(vectors, weights, begins, count)
    # A stretch speaks for its middle, and the first of those after a pause for all from there on.
    centres = [(start + stop) / 2 for start, stop in cuts]
    edges = [
        float(cuts[place][0]) if begins[place] else (centres[place - 1] + centres[place]) / 2
        for place in range(1, len(cuts))
    ]
    group_of_place = path[np.searchsorted(edges, np.arange(len(places)), side="right")]
    numbers = {int(group): number for number, group in enumerate(dict.fromkeys(group_of_place.tolist()))}
    speaker_numbers = np.array([numbers[int(group)] for group in group_of_place], np.intp)
    return np.asarray(speaker_numbers[np.maximum(np.searchsorted(places, np.arange(len(speech)), side="right") - 1, 0)])


def describe_clip(waveform: NDArray[np.float32], sample_rate_hz: int, speech: NDArray[np.bool_]) -> Float:
    """The voice of a clip (dimensions,): the mean of its stretches, by their length.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: its rate.
        speech: (frames,) where somebody speaks, per 10 ms; somewhere at least.
    """
    if sample_rate_hz != RATE_HZ:
        waveform = resample(waveform, sample_rate_hz, RATE_HZ)
    cuts, vectors = _stretch_features(waveform, np.flatnonzero(speech))
    return np.asarray(np.average(vectors, axis=0, weights=[stop - start for start, stop in cuts]))


def describe(log_mels: NDArray[np.float32], f0_hz: NDArray[np.float32], strength: NDArray[np.float32]) -> Float:
    """The statistics (67,) of a stretch of speech: (frames, 40) log-mel, pitch and voicing strength."""
    cepstra = np.asarray(log_mels, np.float64) @ dct_matrix(BANDS, CEPSTRA)
    is_voiced = strength > np.median(strength)
    octaves = np.log2(np.maximum(f0_hz[is_voiced], 50.0)) if is_voiced.any() else np.full(1, 7.0)
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
def _load_projection() -> tuple[Float, Float]:
    """The mean (statistics,) and the discriminants (statistics, dimensions)."""
    with np.load(Path(__file__).parent / "assets" / "voices.npz", allow_pickle=False) as arrays:
        return arrays["mean"].astype(np.float64), arrays["projection"].astype(np.float64)


def _stretch_features(waveform: NDArray[np.float32], places: NDArray[np.intp]) -> tuple[list[tuple[int, int]], Float]:
    """Overlapping stretches of speech without a pause: [start, end) in `places`, and their vectors."""
    log_mels, (f0_hz, strength) = log_mel(waveform, RATE_HZ, bands=BANDS), pitch(waveform, RATE_HZ)
    places = np.minimum(places, min(len(log_mels), len(f0_hz)) - 1)
    pauses = (1 + np.flatnonzero(np.diff(places) > PAUSE)).tolist()
    cuts = [
        (start, min(start + STRETCH, last))
        for first, last in itertools.pairwise([0, *pauses, len(places)])
        for start in range(first, max(first + 1, last - STRETCH + 1), HOP)
    ]
    mean, projection = _load_projection()
    frames = [places[start:stop] for start, stop in cuts]
    descriptions = [describe(log_mels[cut], f0_hz[cut], strength[cut]) for cut in frames]
    return cuts, (np.array(descriptions) - mean) @ projection


def _speaker_path(vectors: Float, weights: Float, begins: Sequence[bool], count: int | None) -> NDArray[np.intp]:
    """Whose each stretch is: of `count` people, or of as many as lie apart like people do.

    Args:
        vectors: (stretches, dimensions).
        weights: (stretches,) how long each is, of a whole one.
        begins: whether each begins after a pause.
        count: how many people there are; None to find out.
    """
    if count is not None:
        return _grouped(vectors, weights, begins, count)
    found = np.zeros(len(vectors), np.intp)
    for number in range(2, MOST_SPEAKERS + 1):
        path = _grouped(vectors, weights, begins, number)
        lengths_s = np.bincount(path, weights, number) * HOP_S * HOP
        if lengths_s.min() < SHORTEST_SPEAKER_S:
            break
        centres = np.array([np.average(vectors[path == n], axis=0, weights=weights[path == n]) for n in range(number)])
        apart = np.linalg.norm(centres[:, None] - centres, axis=-1)[~np.eye(number, dtype=bool)]
        if apart.min() < SAME_BELOW:
            break
        found = path
    return found


def _grouped(vectors: Float, weights: Float, begins: Sequence[bool], count: int) -> NDArray[np.intp]:
    """Whose each stretch is, of `count` people: from the best groups of directions on, path and groups in turn."""
    directions = LENGTH * vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    long = directions[weights >= SHORTEST / STRETCH]
    centres = _means(long[:: -(-len(long) // MOST_STRETCHES)], count)
    for _ in range(ROUNDS):
        path = _path(((directions[:, None] - centres) ** 2).sum(axis=-1) * weights[:, None], begins)
        members = [path == number for number in range(len(centres))]
        means = [
            np.average(directions[own], axis=0, weights=weights[own]) if own.any() else centre
            for own, centre in zip(members, centres, strict=True)
        ]
        if np.allclose(means, centres):
            break
        centres = np.array(means)
    return path


def _means(vectors: Float, count: int) -> Float:
    """The best of several k-means (Lloyd 1982), each from vectors drawn far apart (Arthur and Vassilvitskii 2007)."""
    rng, count = np.random.default_rng(0), min(count, len(vectors))
    best_centres, least_loss = vectors[:count], np.inf
    for _ in range(MEANS_STARTS):
        centres = vectors[rng.integers(len(vectors))][None]
        while len(centres) < count:
            squared_distances = ((vectors[:, None] - centres) ** 2).sum(axis=-1).min(axis=1) + 1e-12
            centres = np.concatenate(
                [centres, vectors[rng.choice(len(vectors), p=squared_distances / squared_distances.sum())][None]]
            )
        for _ in range(MEANS_ROUNDS):
            nearest = ((vectors[:, None] - centres) ** 2).sum(axis=-1).argmin(axis=1)
            groups = [vectors[nearest == number] for number in range(count)]
            centres = np.array(
                [group.mean(axis=0) if len(group) else old for group, old in zip(groups, centres, strict=True)]
            )
        loss = float(((vectors[:, None] - centres) ** 2).sum(axis=-1).min(axis=1).sum())
        best_centres, least_loss = (centres, loss) if loss < least_loss else (best_centres, least_loss)
    return best_centres


def _path(costs: Float, begins_after_pause: Sequence[bool]) -> NDArray[np.intp]:
    """The cheapest way through (stretches, speakers) costs, where each change costs too (Viterbi 1967).

    A change is cheap where a stretch `begins` after a pause.
    """
    # Overlapping stretches say the same several times.
    costs = costs * HOP / STRETCH
    total, back = costs[0], np.zeros(costs.shape, np.intp)
    for place in range(1, len(costs)):
        cheapest = int(np.argmin(total))
        cost_of_change = total[cheapest] + (PAUSE_CHANGE_COST if begins_after_pause[place] else CHANGE_COST)
        back[place] = np.where(cost_of_change < total, cheapest, np.arange(len(total)))
        total = np.minimum(cost_of_change, total) + costs[place]
    path = np.zeros(len(costs), np.intp)
    path[-1] = int(np.argmin(total))
    for place in range(len(costs) - 1, 0, -1):
        path[place - 1] = back[place, path[place]]
    return path
