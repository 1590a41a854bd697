"""Sound in, emotion out: the one class that everything downstream is built on.

Long recordings are read in blocks and answered window by window, in constant memory. The statistics of the speaker
(`SpeakerStatistics`) are the only state, so that a stream can keep them too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from intonate.audio.decode import Source, Waveform
from intonate.audio.energy import HOP_S
from intonate.audio.voice import NOISE, has_voice, level_dbfs, recording_detector, unvoiced_label
from intonate.cancellation import check
from intonate.errors import AudioError, IntonateError, LabelError, ModelError
from intonate.features.frame_memory import FrameMemory
from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer import clip_voices, conversation, inputs, late_fusion, own_words, recording
from intonate.recognizer.answer import clip_prediction, prediction, windows_prediction
from intonate.recognizer.inputs import Clip
from intonate.recognizer.model_file import ModelFile
from intonate.recognizer.outputs import Described, events_of
from intonate.recognizer.plain_stream import PlainStream
from intonate.recognizer.request import Failure as Failure
from intonate.recognizer.request import QueuedClip, Request, SpeechClip, Voice
from intonate.recognizer.streaming import Stream
from intonate.recognizer.timeline import Window, check_merge
from intonate.schema import Prediction
from intonate.transcripts.recognisers import Transcriber, Transcript, transcriber

# The name of a recogniser of speech or one that is ready, True for the best that is here, None for none.
TranscriberChoice: TypeAlias = str | bool | Transcriber | None


def load_model(model: str | os.PathLike[str] | None = None, threads: int = 1, device: str | None = None) -> Recognizer:
    """Load a model: a built-in name, a model file, or the folder of a run; or two, `compact+text` (`late_fusion.py`).

    Args:
        model: None for the default of those built in.
        threads: of onnxruntime; one is quickest for a small model.
        device: `cpu`, `cuda`, `tensorrt`, `openvino`, `coreml`, `directml`, or `auto` for what is here; None for
            that of $INTONATE_DEVICE, or the processor.

    Raises:
        ModelError: the device is not here, there is no such model, or the file is damaged or not ours.

    >>> load_model().predict("clip.wav").label  # doctest: +SKIP
    'happy'
    """
    return Recognizer(late_fusion.open_model(model, threads, device))


class Recognizer(Described):
    """A loaded model. Safe to share between threads: it keeps nothing between calls.

    Attributes:
        spec: what the model is: its labels, languages, corpora, licence, held-out scores.
    """

    def __init__(self, model: ModelFile | late_fusion.LateFusion) -> None:
        self._model, self.spec, self._spec = model, model.spec, model.spec

    def predict(
        self,
        source: Source,
        *,
        text: str | None = None,
        transcribe: TranscriberChoice = None,
        timeline: bool = False,
        labels: str | None = None,
        speaker: SpeakerStatistics | None = None,
        channels: str | int = "mix",
        speakers: str | int | None = None,
        whole: bool = False,
    ) -> Prediction:
        """What one recording sounds like.

        A recording up to `spec.pool.longest_s` is answered whole. A longer one is answered in overlapping windows:
        its scores are the mean over the windows with speech, its segments the timeline (`timeline.py`). Its windows
        share one running estimate of the speaker, so it is taken for one person talking.

        Args:
            source: a path, the bytes of an audio file, an open binary file, or (waveform, sample rate in Hz) with a
                waveform (samples,) or (samples, channels); or one of these in a `Sound`, which says how to read it.
            text: what was said, for a model that reads it.
            transcribe: write down what is said, by a recogniser of speech (`transcripts.recognisers`); True for the
                best that is here. The words go into the answer, and into a model that reads.
            timeline: segments of windows for a short recording too, which is answered whole all the same.
            labels: a merge of `intonate.emotions.MERGES`, e.g. `p4-4`; probabilities are summed.
            speaker: the statistics of this person's earlier recordings. This recording is added to them, so that
                answers get better from one to the next; None to judge the recording by itself.
            channels: `mix` for all in one, `left`, `right` or a number from 1 on for one of them, `each` for an answer
                by channel, with one person on each (a call): the segments are their turns then.
            speakers: how many people to tell apart in one channel, or `auto`; None for taking all for one. The
                segments are their turns then, and each is normalised by its own speaker.
            whole: answer it whole, whatever its length; a transformer takes time and memory with the square of it.

        Raises:
            AudioError: the sound is missing, unreadable, empty or not finite, or has no such channel.
            ModelError: the model cannot answer this (a text is missing, for instance), or nothing can transcribe.
            LabelError: there is no such merge, or it has no place for the model's labels.
        """
        request = self._request(text, timeline, labels, speaker, transcribe, channels, speakers)
        request = dataclasses.replace(request, whole=whole)
        answer = self._predict_or_queue(source, request)
        return answer if isinstance(answer, Prediction) else self._predictions([answer])[0]

    def predict_many(
        self,
        sources: Iterable[Source],
        *,
        same_speaker: bool = False,
        text: str | None = None,
        transcribe: TranscriberChoice = None,
        timeline: bool = False,
        labels: str | None = None,
        channels: str | int = "mix",
        speakers: str | int | None = None,
        batch_size: int = 16,
        progress: bool = False,
        whole: bool = False,
    ) -> Iterator[Prediction | Failure]:
        """What many recordings sound like, in order; a bad one gives a `Failure` and the rest go on.

        Args:
            sources: as in `predict`.
            same_speaker: the recordings are of one person. They are read twice: first for the statistics of the
                speaker, then to answer each with those of all (`speaker-normalised` in the reports). A person of one
                mood is made neutral by it: where the clips sound alike, a warning says so.
            text: what was said in every one of them.
            transcribe, timeline, labels, channels: as in `predict`.
            speakers: as in `predict`; with `auto` and several recordings, short ones are grouped by voice (read twice).
            batch_size: recordings that the model sees at once.
            progress: show a bar on standard error.
            whole: as in `predict`.

        Raises:
            AudioError: one recording was given, and not a list; or batches of no size.
            ModelError: the model needs a text and there is none, or takes none and there is one.
            LabelError: as in `predict`.
        """
        request = self._request(text, timeline, labels, None, transcribe, channels, speakers)
        if same_speaker and request.is_conversation:
            raise AudioError("the recordings are of one speaker or of several; leave out one of the two")
        request = dataclasses.replace(request, batch_size=batch_size, whole=whole)
        return self._predict_many(recording.several(sources), progress, same_speaker, request)

    def predict_text(self, text: str, *, labels: str | None = None) -> Prediction:
        """Which emotion words carry, by a model that only reads (the built-in `text`).

        Args:
            text: a sentence or a few, in a language that the model was trained on; long texts are cut off.
            labels: as in `predict`.

        Raises:
            ModelError: the model needs a sound, or there is nothing to read.
            LabelError: as in `predict`.
        """
        if not late_fusion.is_text_model(self.spec):
            raise ModelError(f"model {self.spec.name!r} listens; for words alone use the model 'text'")
        if not isinstance(text, str) or not text.strip():
            raise ModelError("there is nothing to read: the text is empty, or is no text")
        request = self._request(text, False, labels, None)
        words = inputs.extract(self.spec, np.zeros(0, np.float32), request.words)
        clip = inputs.normalise_clip(self.spec, words, SpeakerStatistics())
        doubts = inputs.unknown_words(self.spec, text)
        return prediction(self.spec, "", self.answers([clip])[0], (), request, doubts)

    def stream(self, sample_rate_hz: int, *, plain: bool = False, **options: Any) -> Stream | PlainStream:
        """A live stream: push chunks at `sample_rate_hz`, get events (`streaming.Stream`).

        Args:
            sample_rate_hz: rate of the chunks, Hz.
            plain: fixed pieces without voice activity, memory or smoothing (`plain_stream.PlainStream`).
            options: window_s, hop_s, labels (a merge), activity (`neural` or `energy`), speaker.

        Raises:
            AudioError: the rate or the windows are impossible.
            LabelError: as in `predict`.
            ModelError: the model needs a text.
        """
        if not self.spec.labels and plain:
            raise LabelError(f"model {self.spec.name!r} has no labels that could be told piece by piece")
        if options.get("labels"):
            check_merge(self.spec, options["labels"])
        return PlainStream(self, sample_rate_hz, **options) if plain else Stream(self, sample_rate_hz, **options)

    def probabilities(self, clips: Sequence[Clip], batch_size: int = 16) -> NDArray[np.float64]:
        """Calibrated probabilities (clips, labels) of normalised clips (`inputs.extract`, `inputs.normalise_clip`)."""
        return self.answers(clips, batch_size)[:, : len(self.spec.labels)]

    def answers(self, clips: Sequence[Clip], batch_size: int = 16) -> NDArray[np.float64]:
        """The same with the model's other outputs behind the labels, (clips, outputs)."""
        return self._answers_with_words(clips, batch_size)[0]

    def _answers_with_words(
        self, clips: Sequence[Clip], batch_size: int
    ) -> tuple[NDArray[np.float64], dict[int, Transcript]]:
        """The same, and {clip: its words} of a model that writes them down."""
        answers, transcripts = np.empty((len(clips), len(self.spec.outputs))), dict[int, Transcript]()
        for positions, feeds in inputs.batches(self.spec, clips, batch_size):
            check()
            answers[positions], numbers = self._model.run_with_pieces(feeds)
            for position, own_numbers in zip(positions, () if numbers is None else numbers, strict=False):
                transcripts[position] = own_words.transcript_of(self.spec, answers[position], own_numbers)
        return answers, transcripts

    def _request(
        self,
        text: str | None,
        timeline: bool,
        labels: str | None,
        speaker: SpeakerStatistics | None,
        transcribe: TranscriberChoice = None,
        channels: str | int = "mix",
        speakers: str | int | None = None,
    ) -> Request:
        if labels is not None:
            check_merge(self.spec, labels)
        request = Request(
            self.spec,
            text,
            timeline,
            labels,
            speaker,
            channels=conversation.chosen_channel(channels),
            speakers=conversation.chosen_speakers(speakers),
        )
        if request.channels == "each" and request.speakers is not None:
            raise AudioError("with channels each, every channel is one speaker; leave out the speakers")
        if transcribe is None or transcribe is False:
            return dataclasses.replace(request, words=inputs.of_words(self.spec, text))
        if text is not None:
            raise ModelError("the words are either given (text) or transcribed (transcribe); leave out one of them")
        return dataclasses.replace(request, transcriber=transcriber(transcribe))

    def _predict_many(
        self, sources: Iterable[Source], progress: bool, same_speaker: bool, request: Request
    ) -> Iterator[Prediction | Failure]:
        voices: dict[int, Voice] = {}
        if same_speaker or request.speakers == conversation.AUTO:
            repeatable_sources = [recording.repeatable(source) for source in sources]
            if same_speaker:
                request = self._for_one_person(repeatable_sources, request)
            elif len(repeatable_sources) > 1:
                voices = clip_voices.learn_voices(self, recording.with_bar(repeatable_sources, progress), request)
            sources = repeatable_sources
        queue: list[QueuedClip | Prediction | Failure] = []
        for position, source in enumerate(recording.with_bar(sources, progress)):
            try:
                queue.append(self._predict_or_queue(source, request.for_voice(voices.get(position))))
            except IntonateError as error:
                queue.append(Failure(recording.file_of(source), str(error)))
            if len(queue) >= request.batch_size:
                yield from self._predict_queue(queue, request)
                queue = []
        yield from self._predict_queue(queue, request)

    def _for_one_person(self, sources: list[Source], request: Request) -> Request:
        """The request with the statistics of all recordings; those that cannot be read are reported later."""
        speaker, answers = SpeakerStatistics(), list[NDArray[np.float64]]()
        for source in sources:
            with contextlib.suppress(IntonateError):
                source = conversation.of_chosen_channel(source, request.channels)
                waveform, blocks = recording.open_recording(
                    source, self.spec.sample_rate_hz, self.spec.pool, request.whole
                )
                if waveform is None:
                    for _ in self._windows_with_clips(blocks, request, speaker):
                        pass
                elif (clip := self._clip_if_heard(waveform, request, alone := SpeakerStatistics())) and clip.has_speech:
                    speaker = SpeakerStatistics.of([speaker, alone])
                    answers += [*self.probabilities([clip.inputs])]
        return dataclasses.replace(request, fixed_speaker=speaker, warnings=clip_voices.one_mood(self.spec, answers))

    def _predict_or_queue(self, source: Source, request: Request) -> QueuedClip | Prediction:
        """Read one recording: queued for its batch if it is short, answered if it is long."""
        if request.is_conversation:
            return conversation.predict_conversation(self, source, own_words.with_transcriber(request, self._model))
        file, rate_hz = recording.file_of(source), self.spec.sample_rate_hz
        source = conversation.of_chosen_channel(source, request.channels)
        if request.transcriber is not None or self.spec.pieces:
            source = recording.repeatable(source)
        request = request.for_recording(source)
        warnings = list(request.warnings)
        waveform, blocks = recording.open_recording(source, rate_hz, self.spec.pool, request.whole, warnings)
        speaker = SpeakerStatistics() if request.speaker is None else request.speaker
        if waveform is not None:
            clip = self._clip_if_heard(waveform, request, speaker)
            label = "" if clip is not None and clip.has_speech else unvoiced_label(level_dbfs(waveform))
            heard = dataclasses.replace(request, fixed_speaker=request.fixed_speaker or speaker)
            windows = self._windows(blocks, heard, speaker, waveform) if request.timeline else []
            return QueuedClip(file, len(waveform) / rate_hz, clip, label, request, tuple(warnings), windows)
        windows = self._windows(blocks, request, speaker)
        request = own_words.with_transcript(request, self._model, source)
        return windows_prediction(self.spec, file, windows, request, tuple(warnings))

    def _windows(
        self, blocks: Iterable[Waveform], request: Request, speaker: SpeakerStatistics, whole: Waveform | None = None
    ) -> list[Window]:
        """The windows of a recording with their probabilities; only one batch of clips is held at a time."""
        with_clips, windows = self._windows_with_clips(blocks, request, speaker, whole), list[Window]()
        while batch := list(itertools.islice(with_clips, request.batch_size)):
            clips = [clip.inputs for _, clip in batch if clip is not None]
            answers = iter(self.answers(clips, request.batch_size))
            for window, clip in batch:
                answer = None if clip is None else next(answers)
                probabilities = None if clip is None or not clip.has_speech else answer
                events = events_of(self.spec, answer)
                windows.append(dataclasses.replace(window, probabilities=probabilities, events=events))
        return windows

    def _windows_with_clips(
        self, blocks: Iterable[Waveform], request: Request, speaker: SpeakerStatistics, whole: Waveform | None = None
    ) -> Iterator[tuple[Window, SpeechClip | None]]:
        """The windows of a recording (`whole` where it is in memory), and their clips where there is something to hear.

        Overlapping windows hold the same speech twice: one that begins before the last counted one has ended is
        normalised with itself in the statistics, but not counted in those of the windows after it.
        """
        rate_hz, counted_end_s, detected_end_s = self.spec.sample_rate_hz, 0.0, 0.0
        detect, frames = recording_detector(whole, rate_hz), FrameMemory()
        for start_s, waveform in recording.windows(blocks, rate_hz, self.spec.pool):
            end_s = start_s + len(waveform) / rate_hz
            is_counted = start_s >= counted_end_s
            speech = detect(waveform, round((end_s - detected_end_s) * rate_hz))
            detected_end_s, clip = end_s, None
            if np.count_nonzero(speech) * HOP_S < detect.least_s:
                clip = self._clip_for_events(waveform, request)
            else:
                window_request = request.for_window(start_s, end_s)
                statistics, first = speaker if is_counted else speaker.copy(), round(start_s * rate_hz)
                clip = self._extract_clip(waveform, window_request, statistics, frames, first)
                counted_end_s = end_s if is_counted else counted_end_s
            familiarity = None if clip is None else clip.familiarity
            yield Window(start_s, end_s, speech, None, level_dbfs(waveform), familiarity), clip

    def _clip_if_heard(self, waveform: Waveform, request: Request, speaker: SpeakerStatistics) -> SpeechClip | None:
        if has_voice(waveform, self.spec.sample_rate_hz):
            return self._extract_clip(waveform, request, speaker)
        return self._clip_for_events(waveform, request)

    def _clip_for_events(self, waveform: Waveform, request: Request) -> SpeechClip | None:
        """Of a piece without speech: there may be something else to hear, for a model that tells it."""
        if not self.spec.events or unvoiced_label(level_dbfs(waveform)) != NOISE:
            return None
        return self._extract_clip(waveform, request, SpeakerStatistics())._replace(familiarity=None, has_speech=False)

    def _extract_clip(
        self,
        waveform: Waveform,
        request: Request,
        speaker: SpeakerStatistics,
        frames: FrameMemory | None = None,
        first: int = 0,
    ) -> SpeechClip:
        """The normalised clip of a piece of speech, which is added to `speaker`; `frames` and `first` as for inputs."""
        spec = self.spec
        clip, samples = inputs.clean_and_extract(spec, waveform, request.words, frames, first)
        familiarity, sound_s = inputs.familiarity(spec, clip), samples / spec.sample_rate_hz
        if request.fixed_speaker is None:
            inputs.update_speaker(spec, clip, speaker)
        speaker = speaker if request.fixed_speaker is None else request.fixed_speaker
        return SpeechClip(inputs.normalise_clip(spec, clip, speaker), familiarity, sound_s)

    def _predict_queue(
        self, queue: Sequence[QueuedClip | Prediction | Failure], request: Request
    ) -> Iterator[Prediction | Failure]:
        """Answer the queue in one batch, or one by one if that fails, to find out which clip is at fault."""
        queued_clips = [item for item in queue if isinstance(item, QueuedClip)]
        answers: list[Prediction | Failure] = []
        try:
            answers += self._predictions(queued_clips, request.batch_size)
        except ModelError:
            for clip in queued_clips:
                try:
                    answers += self._predictions([clip])
                except ModelError as error:
                    answers.append(Failure(clip.file, str(error)))
        next_answers = iter(answers)
        for item in queue:
            yield next(next_answers) if isinstance(item, QueuedClip) else item

    def _predictions(self, queued_clips: Sequence[QueuedClip], batch_size: int = 1) -> list[Prediction]:
        clips = [item.clip.inputs for item in queued_clips if item.clip is not None]
        answers, transcripts = self._answers_with_words(clips, batch_size)
        numbers, predictions = itertools.count(), []
        for item in queued_clips:
            number = -1 if item.clip is None else next(numbers)
            answer = None if item.clip is None else answers[number]
            predictions.append(clip_prediction(self.spec, item, answer, transcripts.get(number)))
        return predictions
