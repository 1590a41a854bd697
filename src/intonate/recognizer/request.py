"""What one call asks for, and what is known of one recording on its way to an answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intonate.audio.decode import Source
from intonate.catalogue import check_count
from intonate.errors import AudioError
from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer import inputs
from intonate.recognizer.inputs import Clip
from intonate.recognizer.timeline import Window, label_scores
from intonate.schema import ModelSpec
from intonate.transcripts.recognisers import Transcriber, Transcript


@dataclass(frozen=True, slots=True)
class Failure:
    """A recording that could not be answered, among others that could.

    Attributes:
        file: where the sound came from; empty for an array or bytes.
        error: one sentence.
        code: a word for programs, of a service; else empty.
    """

    file: str
    error: str
    code: str = ""

    def to_dict(self) -> dict[str, str]:
        return {"file": self.file, "error": self.error} | ({"code": self.code} if self.code else {})


class Voice(NamedTuple):
    """Who speaks in a clip, as far as the other clips tell, and how many of them tell it what the voice is like."""

    name: str
    clips: int
    statistics: SpeakerStatistics | None  # None: each clip by itself


@dataclass(frozen=True, slots=True)
class Request:
    """The options of one call, and what belongs to one recording or window of it."""

    spec: ModelSpec
    text: str | None
    timeline: bool
    labels: str | None
    speaker: SpeakerStatistics | None = None  # of earlier recordings; each recording is added
    fixed_speaker: SpeakerStatistics | None = None  # of all recordings; nothing is added
    words: Clip | None = None  # the inputs that are made of what was said
    batch_size: int = 16
    whole: bool = False
    transcriber: Transcriber | None = None
    transcript: Transcript | None = None  # of one recording
    channels: str = "mix"  # `mix`, `each`, or the number of one
    voice: Voice | None = None  # of one recording
    warnings: tuple[str, ...] = ()  # for every answer
    speakers: int | None = None  # how many to tell apart; 0 to find out, None for taking all for one

    def __post_init__(self) -> None:
        check_count(self.batch_size, "batch_size", AudioError)

    @property
    def is_conversation(self) -> bool:
        """Whether the answer is told by speaker."""
        return self.channels == "each" or self.speakers is not None

    def for_recording(self, source: Source) -> Request:
        """The request for one recording, with its transcript if there is a transcriber."""
        if self.transcriber is None:
            return self
        transcript = self.transcriber(source)
        return dataclasses.replace(
            self, text=transcript.text, transcript=transcript, words=self._words(transcript.text)
        )

    def with_transcript(self, transcript: Transcript) -> Request:
        """The request with the words that the model itself wrote down, unless there are others."""
        if self.text is not None:
            return self
        return dataclasses.replace(self, text=transcript.text, transcript=transcript)

    def for_voice(self, voice: Voice | None) -> Request:
        """The request for one recording that is a clip of a voice; if of none, as it is."""
        if voice is None:
            return self
        return dataclasses.replace(self, speakers=None, voice=voice, fixed_speaker=voice.statistics)

    def for_window(self, start_s: float, end_s: float) -> Request:
        """The request for a window of the recording, with the words in it."""
        if self.transcript is None or not self.words:
            return self
        return dataclasses.replace(self, words=self._words(self.transcript.text_between(start_s, end_s)))

    def _words(self, text: str) -> Clip | None:
        return inputs.of_words(self.spec, text) if inputs.takes_text(self.spec) else None

    def scores(self, probabilities: NDArray[np.float64]) -> Mapping[str, float]:
        """{label: probability}, best first, merged if the request has a merge."""
        return label_scores(self.spec.labels, probabilities, self.labels)


class SpeechClip(NamedTuple):
    """What the model is given of a piece of sound, how much it is like the training, and its length after cleaning."""

    inputs: Clip
    familiarity: float | None
    sound_s: float
    has_speech: bool = True  # else it is here for its events alone


@dataclass(frozen=True, slots=True)
class QueuedClip:
    """A short recording that waits for its batch.

    `clip` is None where the model is not asked; `unvoiced_label` is the answer where there is no speech, else empty.
    """

    file: str
    duration_s: float
    clip: SpeechClip | None
    unvoiced_label: str
    request: Request
    warnings: tuple[str, ...]
    windows: Sequence[Window] = ()  # for its timeline, if it was asked for
