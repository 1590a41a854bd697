"""What a model's outputs say of a recording, as a `Prediction`: labels first, then dimensions, events and language."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from intonate.recognizer import clip_voices, inputs
from intonate.recognizer.outputs import dimensions_of, events_of, language_of
from intonate.recognizer.request import QueuedClip, Request
from intonate.recognizer.timeline import (
    Window,
    label_or_unsure,
    labels_of,
    likely,
    overall_unvoiced_label,
    segments_of,
    threshold_for,
)
from intonate.schema import UNSURE, ModelSpec, Prediction, Segment
from intonate.transcripts.recognisers import Transcript, with_words


def prediction(
    spec: ModelSpec,
    file: str,
    mean: NDArray[np.float64] | None,
    segments: tuple[Segment, ...],
    request: Request,
    warnings: tuple[str, ...] = (),
    threshold: float | None = None,
) -> Prediction:
    """The answer to one recording.

    Args:
        spec: of the model.
        file: where the sound came from.
        mean: (outputs,), or None where nobody speaks.
        segments: the timeline.
        request: of this recording.
        warnings: what was not heard.
        threshold: a best probability under this is no answer; None for the model's own.
    """
    threshold = spec.abstain_below if threshold is None else threshold
    scores = {} if mean is None else request.scores(mean)
    label = overall_unvoiced_label(segments) if mean is None else label_or_unsure(scores, threshold)
    answer = Prediction(
        label=next(iter(scores), label),
        abstained=label == UNSURE,
        scores=scores,
        segments=segments if request.transcript is None else with_words(segments, request.transcript),
        transcript=request.text or "",
        model=spec.name,
        file=file,
        warnings=warnings,
        dimensions=dimensions_of(spec, mean),
        events=_loudest_events(segments),
        language=language_of(spec, mean),
        labels=labels_of(scores, spec, threshold),
    )
    return answer if request.voice is None else clip_voices.with_voice(answer, request.voice)


def windows_prediction(
    spec: ModelSpec, file: str, windows: Sequence[Window], request: Request, warnings: tuple[str, ...]
) -> Prediction:
    """The answer to a recording that was answered in windows: the mean over those in which somebody speaks."""
    probabilities = [window.probabilities for window in windows if window.probabilities is not None]
    mean = np.mean(probabilities, axis=0) if probabilities else None
    answer = prediction(spec, file, mean, _segments(spec, windows, request), request, warnings)
    return dataclasses.replace(answer, familiarity=inputs.mean_familiarity(window.familiarity for window in windows))


def _segments(spec: ModelSpec, windows: Sequence[Window], request: Request) -> tuple[Segment, ...]:
    return segments_of(windows, spec, request.scores, partial(dimensions_of, spec))


def clip_prediction(
    spec: ModelSpec, item: QueuedClip, answer: NDArray[np.float64] | None, transcript: Transcript | None
) -> Prediction:
    """The answer to a recording that was answered whole.

    Args:
        spec: of the model.
        item: the recording; its windows, if it has any, are its timeline, and not its answer.
        answer: (outputs,), or None where the model was not asked.
        transcript: what the model itself wrote down; None for a model that does not.
    """
    clip, request = item.clip, item.request
    mean = None if clip is None or not clip.has_speech else answer
    if mean is not None and transcript is not None:
        request = request.with_transcript(transcript)
    scores = {} if mean is None else request.scores(mean)
    threshold = spec.abstain_below if clip is None else threshold_for(spec, clip.sound_s)
    label = item.unvoiced_label if mean is None else label_or_unsure(scores, threshold)
    segment = Segment(
        0.0,
        item.duration_s,
        label,
        scores,
        speech=mean is not None,
        dimensions=dimensions_of(spec, mean),
        events=likely(events_of(spec, answer)),
        labels=labels_of(scores, spec, threshold),
    )
    answer_of_recording = prediction(spec, item.file, mean, (segment,), request, item.warnings, threshold)
    if item.windows and threshold == spec.abstain_below:
        segments = _segments(spec, item.windows, request)
        segments = segments if request.transcript is None else with_words(segments, request.transcript)
        answer_of_recording = dataclasses.replace(answer_of_recording, segments=segments)
    return dataclasses.replace(answer_of_recording, familiarity=None if clip is None else clip.familiarity)


def _loudest_events(segments: tuple[Segment, ...]) -> dict[str, float]:
    """The events of all segments, each as sure as it ever was."""
    shares: dict[str, float] = {}
    for segment in segments:
        for name, share in segment.events.items():
            shares[name] = max(share, shares.get(name, 0.0))
    return likely(shares)
