"""From overlapping windows to a timeline of segments that do not overlap.

The rule: the recording is cut into stretches of one hop (a rest shorter than half a hop joins the last one). A
stretch without speech is `silence`. Any other one has the mean of the probabilities of the windows that cover
it. Neighbours with one label become one segment, with the mean of their probabilities weighted by their length.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intonate.schema import Segment

SILENCE = "silence"
UNSURE = "unsure"

# A stretch counts as spoken from a short syllable (0.1 s) with its hang-over (0.2 s, `audio/activity.py`) on.
SHORTEST_SPEECH_S = 0.3

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a recording.

    Attributes:
        start_s: where it starts in the recording, seconds.
        end_s: where it ends, seconds.
        speech: (frames,) bool, evenly over the window.
        probabilities: (classes,), or None where there is no speech.
    """

    start_s: float
    end_s: float
    speech: NDArray[np.bool_]
    probabilities: NDArray[np.float64] | None

    def has_speech(self, start_s: float, end_s: float) -> bool:
        """Whether there is speech between two times of the recording, as far as this window covers them."""
        frames_per_s = len(self.speech) / max(self.end_s - self.start_s, 1e-9)
        first, last = (max(0, round((time_s - self.start_s) * frames_per_s)) for time_s in (start_s, end_s))
        frames = self.speech[first:last]
        return bool(frames.sum() >= min(SHORTEST_SPEECH_S * frames_per_s, max(1, len(frames))))


def segments_of(
    windows: Sequence[Window], hop_s: float, scores_of: Callable[[NDArray[np.float64]], Scores], abstain_below: float
) -> tuple[Segment, ...]:
    """The timeline of a recording.

    Args:
        windows: in order; the recording ends where the last one ends.
        hop_s: length of a stretch, seconds.
        scores_of: probabilities (classes,) -> {label: probability}, best first.
        abstain_below: a best probability under this is labelled `unsure`.
    """
    stretches: list[tuple[float, float, NDArray[np.float64] | None]] = []
    for start_s, end_s, covering in _stretches(windows, hop_s):
        probabilities = [window.probabilities for window in covering if window.probabilities is not None]
        has_speech = any(window.has_speech(start_s, end_s) for window in covering)
        mean = np.mean(probabilities, axis=0) if probabilities and has_speech else None
        stretches.append((start_s, end_s, mean))

    def label(stretch: tuple[float, float, NDArray[np.float64] | None]) -> str:
        return SILENCE if stretch[2] is None else label_or_unsure(scores_of(stretch[2]), abstain_below)

    timeline = []
    for name, group in itertools.groupby(stretches, label):
        members = list(group)
        scores: Scores = {}
        if name != SILENCE:
            lengths_s = [end_s - start_s for start_s, end_s, _ in members]
            scores = scores_of(
                np.average([mean for _, _, mean in members if mean is not None], axis=0, weights=lengths_s)
            )
        timeline.append(Segment(members[0][0], members[-1][1], name, scores, speech=name != SILENCE))
    return tuple(timeline)


def label_or_unsure(scores: Scores, abstain_below: float) -> str:
    """The best label, or `unsure`."""
    best = next(iter(scores))
    return best if scores[best] >= abstain_below else UNSURE


def _stretches(windows: Sequence[Window], hop_s: float) -> Iterator[tuple[float, float, Sequence[Window]]]:
    """(start, end, the windows that cover it) for each stretch."""
    duration_s = windows[-1].end_s
    count = max(1, round(duration_s / hop_s))
    first = last = 0
    for index in range(count):
        start_s, end_s = index * hop_s, (index + 1) * hop_s if index + 1 < count else duration_s
        while last < len(windows) and windows[last].start_s < end_s:
            last += 1
        while windows[first].end_s <= start_s and first + 1 < last:
            first += 1
        yield start_s, end_s, windows[first:last]
