"""From overlapping windows to a timeline of segments that do not overlap.

The rule: the recording is cut into stretches of one hop (a rest shorter than half a hop joins the last one). A
stretch without speech is `noise` if a loud window covers it that has no speech at all, so never between two words;
else it is `silence`. Any other one has the mean of the probabilities of the windows that cover
it. Neighbours with one label become one segment, with the mean of their probabilities weighted by their length; where
sounds beside the words are heard, those have to be the same as well.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from intonate.audio.voice import NOISE, QUIETEST_DBFS, SILENCE, unvoiced_label
from intonate.emotions import merge_scores
from intonate.errors import LabelError
from intonate.schema import UNSURE, ModelSpec, Segment

# Where a model that has no labels hears somebody.
SPEECH = "speech"

# A threshold that no probability reaches.
NEVER_SURE = 2.0

# A sound beside the words is told where it is likelier than not.
EVENT_THRESHOLD = 0.5
# A stretch counts as spoken from a short syllable on.
SHORTEST_SPEECH_S = 0.1

Scores: TypeAlias = Mapping[str, float]
# Start and end in seconds, the mean of the windows that cover it or the label where nobody speaks, and the events.
_Stretch: TypeAlias = tuple[float, float, NDArray[np.float64] | str, Scores]


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a recording.

    Attributes:
        start_s: where it starts in the recording, seconds.
        end_s: where it ends, seconds.
        speech: (frames,) bool, evenly over the window.
        probabilities: (labels + dimensions,), or None where there is no speech.
        level_dbfs: RMS of all of it, in dB of full scale.
        familiarity: of `schema.Prediction`; None where there is no speech, or the model does not tell.
        events: {event: 0 to 1} of a model that hears them, where nobody speaks too.
    """

    start_s: float
    end_s: float
    speech: NDArray[np.bool_]
    probabilities: NDArray[np.float64] | None
    level_dbfs: float = QUIETEST_DBFS
    familiarity: float | None = None
    events: Scores = field(default_factory=dict)

    def has_speech(self, start_s: float, end_s: float) -> bool:
        """Whether there is speech between two times of the recording, as far as this window covers them."""
        frames_per_s = len(self.speech) / max(self.end_s - self.start_s, 1e-9)
        first, last = (max(0, round((time_s - self.start_s) * frames_per_s)) for time_s in (start_s, end_s))
        frames = self.speech[first:last]
        return bool(frames.sum() >= min(SHORTEST_SPEECH_S * frames_per_s, max(1, len(frames))))


def segments_of(
    windows: Sequence[Window],
    spec: ModelSpec,
    scores_of: Callable[[NDArray[np.float64]], Scores],
    dimensions_of: Callable[[NDArray[np.float64]], Scores] = lambda _: {},
) -> tuple[Segment, ...]:
    """The timeline of a recording.

    Args:
        windows: in order; the recording ends where the last one ends.
        spec: of the model: how long a stretch is, and which best probability is labelled `unsure`.
        scores_of: what a window has -> {label: probability}, best first.
        dimensions_of: what a window has -> {dimension: 0 to 1}. Of a model without labels every stretch is a segment.
    """
    stretches: list[_Stretch] = []
    for start_s, end_s, covering in _stretches(windows, spec.pool.hop_s):
        probabilities = [window.probabilities for window in covering if window.probabilities is not None]
        has_speech = any(window.has_speech(start_s, end_s) for window in covering)
        is_answered = bool(probabilities) and has_speech
        answer = np.mean(probabilities, axis=0) if is_answered else _unvoiced(covering)
        stretches.append((start_s, end_s, answer, likely(_mean_events(covering))))

    def key(stretch: _Stretch) -> tuple[str, list[str], list[str]]:
        """The label, the labels where there may be several, and the events: what neighbours must share to be one."""
        answer, events = stretch[2:]
        if isinstance(answer, str):
            return answer, [], sorted(events)
        scores = scores_of(answer)
        return label_or_unsure(scores, spec.abstain_below), sorted(labels_of(scores, spec) or ()), sorted(events)

    timeline = []
    for (name, _, events), group in itertools.groupby(stretches, key):
        members = list(group)
        # Of a model without labels every window stays by itself: its dimensions move.
        for run in [[member] for member in members] if name == SPEECH else [members]:
            means = [answer for _, _, answer, _ in run if not isinstance(answer, str)]
            lengths_s = [end_s - start_s for start_s, end_s, _, _ in run]
            mean = np.average(means, axis=0, weights=lengths_s) if means else None
            scores: Scores = {} if mean is None else scores_of(mean)
            dimensions = {} if mean is None else dimensions_of(mean)
            segment = Segment(run[0][0], run[-1][1], name, scores, speech=bool(means), dimensions=dimensions)
            sounds = likely({event: max(stretch[3][event] for stretch in run) for event in events})
            timeline.append(dataclasses.replace(segment, events=sounds, labels=labels_of(scores, spec)))
    return tuple(timeline)


def likely(events: Scores) -> dict[str, float]:
    """The events that are likelier than not, the surest first."""
    likely_events = {name: share for name, share in events.items() if share >= EVENT_THRESHOLD}
    return dict(sorted(likely_events.items(), key=lambda item: -item[1]))


def _mean_events(windows: Sequence[Window]) -> Scores:
    events_of_windows = [window.events for window in windows if window.events]
    return (
        {name: float(np.mean([events[name] for events in events_of_windows])) for name in events_of_windows[0]}
        if events_of_windows
        else {}
    )


def overall_unvoiced_label(segments: Sequence[Segment]) -> str:
    """`noise` or `silence`: what a recording without speech is for most of its time."""
    noise_s = sum(segment.end_s - segment.start_s for segment in segments if segment.label == NOISE)
    return NOISE if segments and noise_s > (segments[-1].end_s - segments[0].start_s) / 2 else SILENCE


def _unvoiced(windows: Sequence[Window]) -> str:
    return unvoiced_label(max((window.level_dbfs for window in windows if not window.speech.any()), default=-np.inf))


def threshold_for(spec: ModelSpec, sound_s: float) -> float:
    """The best probability under which so much sound, seconds left after cleaning, is answered `unsure`."""
    return NEVER_SURE if sound_s < spec.unsure_below_s else spec.abstain_below


def label_or_unsure(scores: Scores, abstain_below: float) -> str:
    """The best label, or `unsure`; `speech` where there are none."""
    if not scores:
        return SPEECH
    best_label = next(iter(scores))
    return best_label if scores[best_label] >= abstain_below else UNSURE


def labels_of(scores: Scores, spec: ModelSpec, threshold: float | None = None) -> tuple[str, ...] | None:
    """The labels that are likely enough, best first, of a model that may give several at once; None of another.

    Args:
        scores: {label: score}, best first.
        spec: of the model.
        threshold: a score under this is not enough; None for the model's own.
    """
    if not spec.multi_label:
        return None
    threshold = spec.abstain_below if threshold is None else threshold
    return tuple(label for label, score in scores.items() if score >= threshold)


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


def check_merge(spec: ModelSpec, merge: str) -> None:
    """See that a model's labels can be merged, before any sound is read.

    Raises:
        LabelError: it has none, gives several at once, or the merge is not known or has no place for any of them.
    """
    if not spec.labels:
        raise LabelError(f"model {spec.name!r} has no labels that could be merged into {merge!r}")
    if spec.multi_label:
        raise LabelError(
            f"model {spec.name!r} gives several labels at once, whose scores cannot be summed into {merge!r}; leave "
            "the merge out"
        )
    merge_scores(spec.labels, [1.0] * len(spec.labels), merge)


def label_scores(labels: tuple[str, ...], probabilities: NDArray[np.float64], merge: str | None) -> dict[str, float]:
    """{label: probability}, best first, merged where a merge is given."""
    values = probabilities[: len(labels)].tolist()  # behind them may come dimensions
    scores = merge_scores(labels, values, merge) if merge else dict(zip(labels, values, strict=True))
    return dict(sorted(scores.items(), key=lambda item: -item[1]))
