"""Sound in, emotion out: the one class that everything downstream is built on.

Long recordings are read in blocks and answered window by window, in constant memory. What was heard of a speaker
(`SpeakerStatistics`) is the only state there is, so that a stream can keep it too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from intonate.audio.activity import has_speech, speech_frames
from intonate.audio.clean import clean
from intonate.audio.decode import Source, Waveform
from intonate.emotions import merge_scores
from intonate.errors import IntonateError, ModelError
from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer import inputs, late, recording
from intonate.recognizer.inputs import Clip
from intonate.recognizer.model_file import ModelFile
from intonate.recognizer.plain import PlainStream
from intonate.recognizer.streaming import Stream
from intonate.recognizer.timeline import SILENCE, Window, segments_of, shown_label
from intonate.schema import ModelSpec, Prediction, Segment
from intonate.transcripts.recognisers import Transcriber, Transcript, transcriber, with_words

# The name of a recogniser of speech or one that is ready, True for the best that is here, None for none.
Transcribe: TypeAlias = str | bool | Transcriber | None


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
class _Asked:
    """What was asked about the recordings of one call."""

    spec: ModelSpec
    text: str | None
    timeline: bool
    labels: str | None
    speaker: SpeakerStatistics | None = None  # heard before; grows with each recording
    voice: SpeakerStatistics | None = None  # all that there is to hear; grows no more
    tokens: NDArray[np.int64] | None = None
    batch_size: int = 16
    transcriber: Transcriber | None = None
    said: Transcript | None = None  # what it wrote down of one recording

    def hearing(self, source: Source) -> _Asked:
        """The same about one recording, with its words where they were asked for."""
        if self.transcriber is None:
            return self
        said = self.transcriber(source)
        return dataclasses.replace(self, text=said.text, said=said, tokens=self._read(said.text))

    def between(self, start_s: float, end_s: float) -> _Asked:
        """The same about a stretch of the recording: the words that were said in it."""
        if self.said is None or self.tokens is None:
            return self
        return dataclasses.replace(self, tokens=self._read(self.said.between(start_s, end_s)))

    def _read(self, text: str) -> NDArray[np.int64] | None:
        return inputs.token_ids(self.spec, text) if inputs.takes_text(self.spec) else None

    def scores(self, probabilities: NDArray[np.float64]) -> Mapping[str, float]:
        """{label: probability}, best first, merged where a merge was asked for."""
        names, values = self.spec.labels, probabilities.tolist()
        scores = merge_scores(names, values, self.labels) if self.labels else dict(zip(names, values, strict=True))
        return dict(sorted(scores.items(), key=lambda item: -item[1]))


@dataclass(frozen=True, slots=True)
class _Pending:
    """A short recording that waits for its batch; `clip` is None where nobody speaks."""

    file: str
    duration_s: float
    clip: Clip | None
    asked: _Asked


def load_model(model: str | os.PathLike[str] | None = None, threads: int = 1) -> Recognizer:
    """Load a model: a built-in name, a model file, or the folder of a run; or two, `compact+text` (`late.py`).

    Args:
        model: None for the built-in `compact`.
        threads: of onnxruntime; one is quickest for a small model.

    Raises:
        ModelError: there is no such model, or the file is damaged or not ours.

    >>> load_model().predict("clip.wav").label  # doctest: +SKIP
    'happy'
    """
    return Recognizer(late.opened(model, threads))


class Recognizer:
    """A loaded model. Safe to share between threads: it keeps nothing between calls.

    Attributes:
        spec: what the model is: its labels, languages, corpora, licence, held-out scores.
    """

    def __init__(self, model: ModelFile | late.Fused) -> None:
        self._model = model
        self.spec: ModelSpec = model.spec

    def predict(
        self,
        source: Source,
        *,
        text: str | None = None,
        transcribe: Transcribe = None,
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
            transcribe: write down what is said, by a recogniser of speech (`transcripts.recognisers`); True for the
                best that is here. The words go into the answer, and into a model that reads.
            timeline: answer a short recording in windows too.
            labels: a merge of `intonate.emotions.MERGES`, e.g. `p4-4`; probabilities are summed.
            speaker: what was heard of this person before. The recording is added to it, so that answers get better
                from one to the next; None to judge the recording by itself.

        Raises:
            AudioError: the sound is missing, unreadable, empty or not finite.
            ModelError: the model cannot answer this (a text is missing, for instance), or nothing can transcribe.
            LabelError: there is no such merge, or it has no place for the model's labels.
        """
        asked = self._asked(text, timeline, labels, speaker, transcribe)
        answer = self._hear(source, asked)
        return answer if isinstance(answer, Prediction) else self._predictions([answer])[0]

    def predict_many(
        self,
        sources: Iterable[Source],
        *,
        same_speaker: bool = False,
        text: str | None = None,
        transcribe: Transcribe = None,
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
            transcribe: as in `predict`.
            timeline: as in `predict`.
            labels: as in `predict`.
            batch_size: recordings that the model sees at once.
            progress: show a bar on standard error.

        Raises:
            ModelError: the model needs a text and there is none, or takes none and there is one.
            LabelError: as in `predict`.
        """
        asked = self._asked(text, timeline, labels, None, transcribe)
        asked = dataclasses.replace(asked, batch_size=max(1, batch_size))
        return self._predict_many(list(sources), progress, same_speaker, asked)

    def predict_text(self, text: str, *, labels: str | None = None) -> Prediction:
        """Which emotion words carry, by a model that only reads (the built-in `text`).

        Args:
            text: a sentence or a few, in a language that the model was trained on; long texts are cut off.
            labels: as in `predict`.

        Raises:
            ModelError: the model needs a sound, or there is nothing to read.
            LabelError: as in `predict`.
        """
        if not late.reads_only(self.spec):
            raise ModelError(f"model {self.spec.name!r} listens; for words alone use the model 'text'")
        if not text.strip():
            raise ModelError("there is nothing to read: the text is empty")
        asked = self._asked(text, False, labels, None)
        clip = inputs.extract(self.spec, np.zeros(0, np.float32), asked.tokens)
        return self._prediction("", self.probabilities([clip])[0], (), asked)

    def stream(self, sample_rate_hz: int, *, plain: bool = False, **options: Any) -> Stream | PlainStream:
        """A live stream: push chunks at `sample_rate_hz`, get events (`streaming.Stream`).

        Args:
            sample_rate_hz: rate of the chunks, Hz.
            plain: fixed pieces without voice activity, memory or smoothing (`plain.PlainStream`).
            options: window_s, hop_s, labels (a merge), activity (`neural` or `energy`), speaker.

        Raises:
            AudioError: the rate or the windows are impossible.
            LabelError: as in `predict`.
            ModelError: the model needs a text.
        """
        return PlainStream(self, sample_rate_hz, **options) if plain else Stream(self, sample_rate_hz, **options)

    def probabilities(self, clips: Sequence[Clip], batch_size: int = 16) -> NDArray[np.float64]:
        """Calibrated probabilities (clips, classes) of normalised clips (`inputs.extract`, `inputs.normalised`)."""
        answers = np.empty((len(clips), len(self.spec.labels)))
        for positions, feeds in inputs.batches(self.spec, clips, batch_size):
            answers[positions] = self._model.run(feeds)
        return answers

    def _asked(
        self,
        text: str | None,
        timeline: bool,
        labels: str | None,
        speaker: SpeakerStatistics | None,
        transcribe: Transcribe = None,
    ) -> _Asked:
        if labels is not None:
            merge_scores(self.spec.labels, [1.0] * len(self.spec.labels), labels)  # raises before any sound is read
        if transcribe is None or transcribe is False:
            return _Asked(self.spec, text, timeline, labels, speaker, tokens=inputs.token_ids(self.spec, text))
        if text is not None:
            raise ModelError("what was said is either given (text) or written down (transcribe); leave out one of them")
        return _Asked(self.spec, None, timeline, labels, speaker, transcriber=transcriber(transcribe))

    def _predict_many(
        self, sources: list[Source], progress: bool, same_speaker: bool, asked: _Asked
    ) -> Iterator[Prediction | Failure]:
        if same_speaker or asked.transcriber is not None:
            sources = [source if recording.can_be_read_twice(source) else source.read() for source in sources]  # type: ignore[union-attr]
        if same_speaker:
            asked = dataclasses.replace(asked, voice=self._voice_of(sources, asked))
        waiting: list[_Pending | Prediction | Failure] = []
        for source in _with_bar(sources) if progress else sources:
            try:
                waiting.append(self._hear(source, asked))
            except IntonateError as error:
                waiting.append(Failure(recording.file_of(source), str(error)))
            if len(waiting) >= asked.batch_size:
                yield from self._answer(waiting, asked)
                waiting = []
        yield from self._answer(waiting, asked)

    def _voice_of(self, sources: list[Source], asked: _Asked) -> SpeakerStatistics:
        """What all the recordings tell of one speaker; what cannot be read is reported later."""
        voice = SpeakerStatistics()
        for source in sources:
            with contextlib.suppress(IntonateError):
                whole, parts = recording.opened(source, self.spec.sample_rate_hz, self.spec.pool)
                if whole is not None and not asked.timeline:
                    self._clip(whole, asked, voice)
                else:
                    for _ in self._windows(parts, asked, voice):
                        pass
        return voice

    def _hear(self, source: Source, asked: _Asked) -> _Pending | Prediction:
        """Read one recording: ready for its batch if it is short, answered if it is long."""
        file, rate = recording.file_of(source), self.spec.sample_rate_hz
        if asked.transcriber is not None and not recording.can_be_read_twice(source):
            source = source.read()  # type: ignore[union-attr]
        asked = asked.hearing(source)
        whole, parts = recording.opened(source, rate, self.spec.pool)
        speaker = SpeakerStatistics() if asked.speaker is None else asked.speaker
        if whole is not None and not asked.timeline:
            return _Pending(file, len(whole) / rate, self._clip(whole, asked, speaker), asked)
        windows = list(self._answered(self._windows(parts, asked, speaker), asked.batch_size))
        spoken = [window.probabilities for window in windows if window.probabilities is not None]
        segments = segments_of(windows, self.spec.pool.hop_s, asked.scores, self.spec.abstain_below)
        return self._prediction(file, np.mean(spoken, axis=0) if spoken else None, segments, asked)

    def _windows(
        self, parts: Iterable[Waveform], asked: _Asked, speaker: SpeakerStatistics
    ) -> Iterator[tuple[Window, Clip | None]]:
        """The windows of a recording, and their clips where somebody speaks.

        Overlapping windows hold the same speech twice: one that begins before the last counted one has ended
        is normalised with itself in the statistics, and then forgotten.
        """
        rate, counted_until_s = self.spec.sample_rate_hz, 0.0
        for start_s, waveform in recording.windows(parts, rate, self.spec.pool):
            end_s = start_s + len(waveform) / rate
            fresh = start_s >= counted_until_s
            clip = self._clip(waveform, asked.between(start_s, end_s), speaker if fresh else speaker.copy())
            counted_until_s = end_s if fresh and clip is not None else counted_until_s
            yield Window(start_s, end_s, speech_frames(waveform, rate), None), clip

    def _clip(self, waveform: Waveform, asked: _Asked, speaker: SpeakerStatistics) -> Clip | None:
        """The normalised clip of a piece of sound, which is added to what was heard; None where nobody speaks."""
        spec = self.spec
        if not has_speech(waveform, spec.sample_rate_hz):
            return None
        clip = inputs.extract(spec, clean(waveform, spec.sample_rate_hz, spec.clean), asked.tokens)
        if asked.voice is None:
            inputs.hear(spec, clip, speaker)
        return inputs.normalised(spec, clip, speaker if asked.voice is None else asked.voice)

    def _answered(self, windows: Iterator[tuple[Window, Clip | None]], batch_size: int) -> Iterator[Window]:
        """The windows with their probabilities; only one batch of clips is held at a time."""
        while batch := list(itertools.islice(windows, batch_size)):
            answers = iter(self.probabilities([clip for _, clip in batch if clip is not None], batch_size))
            for window, clip in batch:
                yield window if clip is None else dataclasses.replace(window, probabilities=next(answers))

    def _answer(
        self, waiting: Sequence[_Pending | Prediction | Failure], asked: _Asked
    ) -> Iterator[Prediction | Failure]:
        """Run what waits for the model in one go, or one by one if that fails, to find out which one it is."""
        pending = [item for item in waiting if isinstance(item, _Pending)]
        answers: list[Prediction | Failure] = []
        try:
            answers += self._predictions(pending, asked.batch_size)
        except ModelError:
            for one in pending:
                try:
                    answers += self._predictions([one])
                except ModelError as error:
                    answers.append(Failure(one.file, str(error)))
        in_order = iter(answers)
        for item in waiting:
            yield next(in_order) if isinstance(item, _Pending) else item

    def _predictions(self, pending: Sequence[_Pending], batch_size: int = 1) -> list[Prediction]:
        clips = [item.clip for item in pending if item.clip is not None]
        answers = iter(self.probabilities(clips, batch_size))
        predictions = []
        for item in pending:
            mean = None if item.clip is None else next(answers)
            scores = {} if mean is None else item.asked.scores(mean)
            label = shown_label(scores, self.spec.abstain_below) if scores else SILENCE
            whole = Segment(0.0, item.duration_s, label, scores, speech=bool(scores))
            predictions.append(self._prediction(item.file, mean, (whole,), item.asked))
        return predictions

    def _prediction(
        self, file: str, mean: NDArray[np.float64] | None, segments: tuple[Segment, ...], asked: _Asked
    ) -> Prediction:
        scores = {} if mean is None else asked.scores(mean)
        return Prediction(
            label=next(iter(scores), SILENCE),
            scores=scores,
            segments=segments if asked.said is None else with_words(segments, asked.said),
            transcript=asked.text or "",
            abstained=bool(scores) and max(scores.values()) < self.spec.abstain_below,
            model=self.spec.name,
            file=file,
        )


def _with_bar(sources: list[Source]) -> Iterable[Source]:
    from rich.console import Console
    from rich.progress import Progress

    # Nothing but the bar goes to standard error: what is printed meanwhile stays where it was sent.
    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        yield from bar.track(sources, description="listening")
