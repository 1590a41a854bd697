"""Sound in, emotion out: the one class that everything downstream is built on.

Long recordings are read in blocks and answered window by window, in constant memory. What was heard of a speaker
(`SpeakerStatistics`) is the only state there is, so that a stream can keep it too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from intonate.emotions import merge_scores
from intonate.errors import IntonateError
from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer import builtin, inputs, recording, timeline
from intonate.recognizer.inputs import Clip
from intonate.recognizer.model_file import ModelFile, read_model
from intonate.recognizer.timeline import SILENCE, Window
from intonate.schema import ModelSpec, Prediction, Segment

Source = str | os.PathLike[str] | bytes | BinaryIO | tuple[NDArray[Any], int]


@dataclass(frozen=True, slots=True)
class Failure:
    """A recording that could not be answered, among others that could.

    Attributes:
        file: where the sound came from; empty for an array or bytes.
        error: one sentence.
    """

    file: str
    error: str

    def to_dict(self) -> dict[str, str]:
        return {"file": self.file, "error": self.error}


@dataclass(frozen=True, slots=True)
class _Pending:
    """A short recording that waits for its batch; `clip` is None where nobody speaks."""

    file: str
    duration_s: float
    clip: Clip | None


def load_model(model: str | os.PathLike[str] | None = None, threads: int = 1) -> Recognizer:
    """Load a model: a built-in name, a model file, or the folder of a run.

    Args:
        model: None for the built-in `compact`.
        threads: of onnxruntime; one is quickest for a small model.

    Raises:
        ModelError: there is no such model, or the file is damaged or not ours.

    >>> load_model().predict("clip.wav").label  # doctest: +SKIP
    'happy'
    """
    return Recognizer(read_model(builtin.path_of(model), threads))


class Recognizer:
    """A loaded model. Safe to share between threads: it keeps nothing between calls.

    Attributes:
        spec: what the model is: its labels, languages, corpora, licence, held-out scores.
    """

    def __init__(self, model: ModelFile) -> None:
        self._model = model
        self.spec: ModelSpec = model.spec

    def predict(
        self,
        source: Source,
        *,
        text: str | None = None,
        timeline: bool = False,
        labels: str | None = None,
        speaker: SpeakerStatistics | None = None,
    ) -> Prediction:
        """What one recording sounds like.

        A recording up to `spec.pool.longest_s` is answered whole. A longer one is answered in overlapping windows:
        its scores are the mean over the windows with speech, its segments the timeline (`timeline.py`). Its windows
        share one running estimate of the speaker, so it is taken for one person talking.

        Args:
            source: a path, the bytes of an audio file, an open binary file, or (waveform, sample rate in Hz) with a
                waveform (samples,) or (samples, channels).
            text: what was said, for a model that reads it.
            timeline: answer a short recording in windows too.
            labels: a merge of `intonate.emotions.MERGES`, e.g. `p4-4`; probabilities are summed.
            speaker: what was heard of this person before. The recording is added to it, so that answers get better
                from one to the next; None to judge the recording by itself.

        Raises:
            AudioError: the sound is missing, unreadable, empty or not finite.
            ModelError: the model cannot answer this (a text is missing, for instance).
            LabelError: there is no such merge, or it has no place for the model's labels.
        """
        self._check(labels)
        speaker = SpeakerStatistics() if speaker is None else speaker
        answer = self._hear(source, text, timeline, labels, speaker, known=False)
        return answer if isinstance(answer, Prediction) else self._answer([answer], text, labels)[0]

    def predict_many(
        self,
        sources: Iterable[Source],
        *,
        same_speaker: bool = False,
        text: str | None = None,
        timeline: bool = False,
        labels: str | None = None,
        batch_size: int = 16,
        progress: bool = False,
    ) -> Iterator[Prediction | Failure]:
        """What many recordings sound like, in order; a bad one gives a `Failure` and the rest go on.

        Args:
            sources: as in `predict`.
            same_speaker: the recordings are one person. They are heard twice: first to learn the voice, then to
                answer each with all that was learnt (`speaker-normalised` in the reports).
            text: what was said in every one of them.
            timeline: as in `predict`.
            labels: as in `predict`.
            batch_size: recordings (or windows) that the model sees at once.
            progress: show a bar on standard error.

        Raises:
            LabelError: as in `predict`.
        """
        self._check(labels)
        return self._predict_many(list(sources), same_speaker, text, timeline, labels, batch_size, progress)

    def probabilities(self, clips: Sequence[Clip], batch_size: int = 16) -> NDArray[np.float64]:
        """Calibrated probabilities (clips, classes) of normalised clips (`inputs.extract`, `inputs.normalised`)."""
        answers = np.empty((len(clips), len(self.spec.labels)))
        for positions, feeds in inputs.batches(self.spec, clips, batch_size):
            answers[positions] = self._model.run(feeds)
        return answers

    def _predict_many(
        self,
        sources: list[Source],
        same_speaker: bool,
        text: str | None,
        timeline: bool,
        labels: str | None,
        batch_size: int,
        progress: bool,
    ) -> Iterator[Prediction | Failure]:
        known = None
        if same_speaker:
            sources = [source if recording.can_be_read_twice(source) else source.read() for source in sources]
            known = self._voice_of(sources, timeline)
        waiting: list[_Pending | Prediction | Failure] = []
        for source in _with_bar(sources) if progress else sources:
            try:
                speaker = SpeakerStatistics() if known is None else known
                waiting.append(self._hear(source, text, timeline, labels, speaker, known=known is not None))
            except IntonateError as error:
                waiting.append(Failure(recording.name_of(source), str(error)))
            if len(waiting) >= batch_size:
                yield from self._flush(waiting, text, labels)
                waiting = []
        yield from self._flush(waiting, text, labels)
