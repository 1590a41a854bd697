"""Live: push chunks of any size, get what the voice sounds like, twice a second.

    stream = intonate.load_model().stream(48_000)
    for event in stream.push(chunk):
        print(event.end_s, event.label)

The windows are those of a long recording (`recording.windows`), asked as `Recognizer` asks them, so that a stream and a
file give the same answers. On top of that comes what makes a live label readable: smoothing, a label that changes only
for a reason, and an answer for each utterance when it has ended.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.audio.activity import has_speech
from intonate.audio.clean import clean
from intonate.audio.energy import HOP_S
from intonate.audio.resample import Waveform
from intonate.audio.voice import detector
from intonate.emotions import merge_scores
from intonate.errors import AudioError
from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer import inputs
from intonate.recognizer.answering import ClipModel
from intonate.recognizer.chunks import Chunks, Heard
from intonate.recognizer.timeline import SILENCE, UNSURE
from intonate.schema import listed

SPEECH, NOISE = "speech", "noise"

# The first answer comes after this much sound, not after a whole window: two seconds of nothing look broken, and a
# single word is over by then. Such short windows are never counted as heard of the speaker.
FIRST_S = 1.0
# Time constant of the smoothing of log-probabilities: after it a new emotion has 63 % of the weight. The windows
# overlap and are smooth themselves, so a short one does.
SMOOTHING_S = 1.0
# A label gives way only to one that is better by this much probability, and to `unsure` only this far below the
# model's threshold.
SWITCH_BY = 0.04
# An utterance ends with a pause this long: pauses between the words of a sentence are shorter.
PAUSE_S = 0.7
# Softer than this without speech is silence, louder is noise: a quiet room through a laptop's microphone lies below.
NOISE_DBFS = -50.0
QUIETEST_DBFS = -120.0

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was heard.

    Attributes:
        type: `segment`: the newest stretch of the stream, one after the other without gaps; `final`: an utterance.
        start_s: seconds from the start of the stream.
        end_s: seconds.
        label: of a segment, the steady one; `unsure` where the model abstains; the state where nobody speaks.
        scores: {label: probability}, best first; smoothed in a segment; empty where nobody speaks.
        state: `speech`, `silence` or `noise`.
        raw: the scores of this window alone, not smoothed; empty if nobody speaks in it.
        level_dbfs: RMS of the stretch, in dB of full scale.
        speech_s: seconds of speech in it.
    """

    type: str
    start_s: float
    end_s: float
    label: str
    scores: Scores
    state: str = SPEECH
    raw: Scores = field(default_factory=dict)
    level_dbfs: float = QUIETEST_DBFS
    speech_s: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The public JSON shape, as in `Prediction.to_dict`."""
        shape: dict[str, Any] = {"type": self.type, "start": round(self.start_s, 3), "end": round(self.end_s, 3)}
        shape |= {"label": self.label, "scores": listed(self.scores), "speech": round(self.speech_s, 2)}
        if self.type == "final":
            return shape | {"transcript": ""}
        return shape | {"state": self.state, "raw": listed(self.raw), "level": round(self.level_dbfs, 1)}


@dataclass(slots=True)
class _Utterance:
    """What was heard since somebody began to speak."""

    start_s: float
    last_s: float = 0.0
    speech_s: float = 0.0
    total: NDArray[np.float64] | float = 0.0
    windows: int = 0


class Stream:
    """One voice, live. Not safe to share between threads; the recognizer behind it is.

    Attributes:
        speaker: what was heard of the speaker so far.
        activity: which voice activity detector listens, `neural` or `energy`.
        window_s: length of a window, seconds.
        hop_s: distance of the windows, seconds.
    """

    def __init__(
        self,
        recognizer: ClipModel,
        sample_rate_hz: int,
        *,
        window_s: float = 2.0,
        hop_s: float = 0.5,
        labels: str | None = None,
        activity: str | None = None,
        speaker: SpeakerStatistics | None = None,
    ) -> None:
        """See `Recognizer.stream`."""
        self._recognizer, self._spec, self._merge = recognizer, recognizer.spec, labels
        if labels is not None:
            self._scores(np.ones(len(self._spec.labels)))  # raises before any sound is there
        self._tokens = inputs.token_ids(self._spec, None)
        longest_s = self._spec.pool.longest_s
        self._chunks = Chunks(
            sample_rate_hz, self._spec.sample_rate_hz, window_s, hop_s, min(FIRST_S, window_s), longest_s + PAUSE_S
        )
        self._detect = detector(activity, self._spec.sample_rate_hz)
        self._voiced = np.zeros(0, np.bool_)  # per 10 ms of the window
        self._counted_until_s = 0.0
        self._smooth: NDArray[np.float64] | None = None  # log-probabilities
        self._label, self._sure = "", False
        self._utterance: _Utterance | None = None
        self._finished = False
        self.speaker = SpeakerStatistics() if speaker is None else speaker
        self.activity, self.window_s, self.hop_s = self._detect.name, window_s, hop_s

    @property
    def received(self) -> int:
        """Samples pushed so far."""
        return self._chunks.received

    def completes(self, samples: int) -> bool:
        """Whether so many more samples complete a window, so that `push` takes milliseconds."""
        return self._chunks.completes(samples)

    def push(self, chunk: NDArray[Any]) -> list[Event]:
        """Take a chunk (samples,) of any length, floats (full scale ±1) or int16; give what it brings.

        Raises:
            AudioError: the chunk is of another kind or not finite, or the stream is finished.
        """
        if self._finished:
            raise AudioError("the stream is finished; open a new one to go on")
        return [event for heard in self._chunks.push(chunk) for event in self._heard(heard)]

    def finish(self) -> list[Event]:
        """The events of what is left; nothing can be pushed after it."""
        rest = None if self._finished else self._chunks.rest()
        events = self._heard(rest) if rest is not None else []
        self._finished = True
        return events + self._final()

    def _heard(self, heard: Heard) -> list[Event]:
        rate = self._spec.sample_rate_hz
        fresh = max(1, round((heard.end_s - heard.fresh_s) * rate))
        voiced = self._detect(heard.window, fresh)
        self._voiced = np.concatenate([self._voiced, voiced])[-math.ceil(self.window_s / HOP_S) :]
        level = level_dbfs(heard.window[-fresh:])
        probabilities = self._ask(heard)
        speech_s = min(float(np.count_nonzero(voiced)) * HOP_S, heard.end_s - heard.fresh_s)
        if probabilities is not None and speech_s >= min(self._detect.least_s, heard.end_s - heard.fresh_s):
            label, scores = self._steady(probabilities)
            self._go_on(heard, voiced, speech_s, probabilities)
            state = SPEECH
        else:
            state = label = NOISE if level > NOISE_DBFS else SILENCE
            scores, speech_s = {}, 0.0
        raw = {} if probabilities is None else self._scores(probabilities)
        segment = Event("segment", heard.fresh_s, heard.end_s, label, scores, state, raw, level, speech_s)
        ended = self._utterance is not None and heard.end_s - self._utterance.last_s >= PAUSE_S
        return [segment, *(self._final() if ended else [])]

    def _ask(self, heard: Heard) -> NDArray[np.float64] | None:
        """The probabilities of a window; None where nobody speaks.

        As `Recognizer` does: a window is counted as heard of the speaker unless it overlaps one that was counted
        (or is not a whole one, which only a stream has).
        """
        if not has_speech(heard.window, self._spec.sample_rate_hz):
            return None
        if self.activity == "neural" and np.count_nonzero(self._voiced) * HOP_S < self._detect.least_s:
            return None
        whole = heard.end_s - heard.start_s >= self.window_s - HOP_S
        counted = whole and heard.start_s >= self._counted_until_s
        self._counted_until_s = heard.end_s if counted else self._counted_until_s
        return self._probabilities(heard.window, self.speaker if counted else self.speaker.copy())

    def _probabilities(self, waveform: Waveform, speaker: SpeakerStatistics) -> NDArray[np.float64]:
        """The answer (classes,) to a piece of speech, which is added to what was heard of the speaker."""
        clip = inputs.extract(self._spec, clean(waveform, self._spec.sample_rate_hz, self._spec.clean), self._tokens)
        inputs.hear(self._spec, clip, speaker)
        answer: NDArray[np.float64] = self._recognizer.probabilities([inputs.normalised(self._spec, clip, speaker)])[0]
        return answer

    def _steady(self, probabilities: NDArray[np.float64]) -> tuple[str, Scores]:
        """The smoothed scores, and the label that changes only for a reason."""
        logs = np.log(np.maximum(probabilities, 1e-6))
        keep = 0.0 if self._smooth is None else math.exp(-self.hop_s / SMOOTHING_S)
        self._smooth = logs if self._smooth is None else keep * self._smooth + (1 - keep) * logs
        odds = np.exp(self._smooth - self._smooth.max())
        scores = self._scores(odds / odds.sum())
        best = next(iter(scores))
        if scores[best] - scores.get(self._label, -1.0) > SWITCH_BY:
            self._label = best
        least = self._spec.abstain_below - (SWITCH_BY if self._sure else 0.0)
        self._sure = scores[best] >= least
        return (self._label if self._sure else UNSURE), scores

    def _go_on(self, heard: Heard, voiced: NDArray[np.bool_], speech_s: float, answer: NDArray[np.float64]) -> None:
        spoken = np.flatnonzero(voiced)
        self._utterance = self._utterance or _Utterance(heard.fresh_s + float(spoken[0]) * HOP_S)
        self._utterance.last_s = min(heard.fresh_s + float(spoken[-1] + 1) * HOP_S, heard.end_s)
        self._utterance.speech_s += speech_s
        self._utterance.total = self._utterance.total + answer
        self._utterance.windows += 1

    def _final(self) -> list[Event]:
        """The utterance that has ended, if there is one: answered whole where a recording would be, or by its mean."""
        said, self._utterance = self._utterance, None
        self._smooth, self._label, self._sure = None, "", False
        if said is None:
            return []
        mean = np.asarray(said.total / said.windows)
        if said.last_s - said.start_s <= self._spec.pool.longest_s:
            whole = self._chunks.between(said.start_s, said.last_s)
            if has_speech(whole, self._spec.sample_rate_hz):
                mean = self._probabilities(whole, self.speaker.copy())
        scores = self._scores(mean)
        best = next(iter(scores))
        label = best if scores[best] >= self._spec.abstain_below else UNSURE
        return [Event("final", said.start_s, said.last_s, label, scores, speech_s=said.speech_s)]

    def _scores(self, probabilities: NDArray[np.float64]) -> dict[str, float]:
        """{label: probability}, best first, merged where a merge was asked for."""
        return scored(self._spec.labels, probabilities, self._merge)


def scored(labels: tuple[str, ...], probabilities: NDArray[np.float64], merge: str | None) -> dict[str, float]:
    """{label: probability}, best first, merged where a merge is given."""
    values = probabilities.tolist()
    scores = merge_scores(labels, values, merge) if merge else dict(zip(labels, values, strict=True))
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def level_dbfs(samples: Waveform) -> float:
    """RMS in dB of full scale."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return max(QUIETEST_DBFS, 10 * math.log10(max(power, 1e-12)))
