"""Live: push chunks of any size, get what the voice sounds like, twice a second.

    stream = intonate.load_model().stream(48_000)
    for event in stream.push(chunk):
        print(event.end_s, event.label)

The windows are those of a long recording (`recording.windows`), and so are the inputs of the model, so that a stream
and a file give the same answers. On top of that comes what makes a live label readable: smoothing, a label that
changes only for a reason, and an answer for each utterance when it has ended.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.audio.clean import clean
from intonate.audio.energy import HOP_S
from intonate.audio.resample import Waveform
from intonate.audio.voice import QUIETEST_DBFS, detector, level_dbfs, unvoiced_label
from intonate.emotions import merge_scores
from intonate.errors import AudioError
from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer import inputs
from intonate.recognizer.clip_model import ClipModel
from intonate.recognizer.timeline import UNSURE
from intonate.recognizer.window_buffer import StreamWindow, WindowBuffer
from intonate.schema import listed

SPEECH = "speech"

# The first answer comes after this much sound, not after a whole window: two seconds of nothing look broken, and a
# single word is over by then. Such short windows never go into the speaker's statistics.
FIRST_S = 1.0
# Time constant of the smoothing of log-probabilities: after it a new emotion has 63 % of the weight. The windows
# overlap and are smooth themselves, so a short one does.
SMOOTHING_S = 1.0
# A label gives way only to one that is better by this much probability, and to `unsure` only this far below the
# model's threshold.
SWITCH_BY = 0.04
# An utterance ends with a pause this long: pauses between the words of a sentence are shorter.
PAUSE_S = 0.7

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Event:
    """A segment or an utterance of a stream.

    Attributes:
        type: `segment`: the newest stretch of the stream, one after the other without gaps; `final`: an utterance.
        start_s: seconds from the start of the stream.
        end_s: seconds.
        label: of a segment, the smoothed one; `unsure` where the model abstains; the state where there is no speech.
        scores: {label: probability}, best first; smoothed in a segment; empty where there is no speech.
        state: `speech`, `silence` or `noise`.
        raw: the scores of this window alone, not smoothed; empty if there is no speech in it.
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
    """The utterance that has begun and not ended."""

    start_s: float
    end_s: float = 0.0
    speech_s: float = 0.0
    probability_sum: NDArray[np.float64] | float = 0.0
    window_count: int = 0


class Stream:
    """One voice, live. Not safe to share between threads; the recognizer behind it is.

    Attributes:
        speaker: the statistics of the speaker so far.
        activity: the voice activity detector, `neural` or `energy`.
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
        self._buffer = WindowBuffer(
            sample_rate_hz, self._spec.sample_rate_hz, window_s, hop_s, min(FIRST_S, window_s), longest_s + PAUSE_S
        )
        self._detect = detector(activity, self._spec.sample_rate_hz)
        self._voiced_frames = np.zeros(0, np.bool_)  # per 10 ms of the window
        self._counted_end_s = 0.0
        self._log_average: NDArray[np.float64] | None = None  # log-probabilities
        self._label, self._is_sure = "", False
        self._utterance: _Utterance | None = None
        self._is_finished = False
        self.speaker = SpeakerStatistics() if speaker is None else speaker
        self.activity, self.window_s, self.hop_s = self._detect.name, window_s, hop_s

    @property
    def received(self) -> int:
        """Samples pushed so far."""
        return self._buffer.received

    def completes(self, samples: int) -> bool:
        """Whether so many more samples complete a window, so that `push` takes milliseconds."""
        return self._buffer.completes(samples)

    def push(self, chunk: NDArray[Any]) -> list[Event]:
        """Take a chunk (samples,) of any length, floats (full scale ±1) or int16; return the events that it completes.

        Raises:
            AudioError: the chunk is of another kind or not finite, or the stream is finished.
        """
        if self._is_finished:
            raise AudioError("the stream is finished; open a new one to go on")
        return [event for window in self._buffer.push(chunk) for event in self._window_events(window)]

    def finish(self) -> list[Event]:
        """The events of the remaining sound; nothing can be pushed after it."""
        last = None if self._is_finished else self._buffer.last_window()
        events = self._window_events(last) if last is not None else []
        self._is_finished = True
        return events + self._final_events()

    def _window_events(self, window: StreamWindow) -> list[Event]:
        rate = self._spec.sample_rate_hz
        new_samples = max(1, round((window.end_s - window.new_start_s) * rate))
        self._voiced_frames = self._detect(window.waveform, new_samples)
        voiced_frames = self._voiced_frames[-max(1, math.ceil(new_samples / round(HOP_S * rate))) :]
        level = level_dbfs(window.waveform[-new_samples:])
        probabilities = self._window_probabilities(window)
        speech_s = min(float(np.count_nonzero(voiced_frames)) * HOP_S, window.end_s - window.new_start_s)
        if probabilities is not None and speech_s >= min(self._detect.least_s, window.end_s - window.new_start_s):
            label, scores = self._smoothed_scores(probabilities)
            self._extend_utterance(window, voiced_frames, speech_s, probabilities)
            state = SPEECH
        else:
            state = label = unvoiced_label(level)
            scores, speech_s = {}, 0.0
        raw = {} if probabilities is None else self._scores(probabilities)
        segment = Event("segment", window.new_start_s, window.end_s, label, scores, state, raw, level, speech_s)
        has_ended = self._utterance is not None and window.end_s - self._utterance.end_s >= PAUSE_S
        return [segment, *(self._final_events() if has_ended else [])]

    def _window_probabilities(self, window: StreamWindow) -> NDArray[np.float64] | None:
        """The probabilities of a window; None where there is no speech.

        As in `Recognizer`, a window goes into the speaker's statistics unless it overlaps one that did (or is
        shorter than the others, which only a stream has).
        """
        if np.count_nonzero(self._voiced_frames) * HOP_S < self._detect.least_s:
            return None
        is_whole = window.end_s - window.start_s >= self.window_s - HOP_S
        is_counted = is_whole and window.start_s >= self._counted_end_s
        self._counted_end_s = window.end_s if is_counted else self._counted_end_s
        return self._clip_probabilities(window.waveform, self.speaker if is_counted else self.speaker.copy())

    def _clip_probabilities(self, waveform: Waveform, speaker: SpeakerStatistics) -> NDArray[np.float64]:
        """The probabilities (classes,) of a piece of speech, which is added to the statistics of `speaker`."""
        clip = inputs.extract(self._spec, clean(waveform, self._spec.sample_rate_hz, self._spec.clean), self._tokens)
        inputs.update_speaker(self._spec, clip, speaker)
        probabilities: NDArray[np.float64] = self._recognizer.probabilities(
            [inputs.normalise_clip(self._spec, clip, speaker)]
        )[0]
        return probabilities

    def _smoothed_scores(self, probabilities: NDArray[np.float64]) -> tuple[str, Scores]:
        """The smoothed label, which changes only for a reason, and the smoothed scores."""
        logs = np.log(np.maximum(probabilities, 1e-6))
        keep = 0.0 if self._log_average is None else math.exp(-self.hop_s / SMOOTHING_S)
        self._log_average = logs if self._log_average is None else keep * self._log_average + (1 - keep) * logs
        odds = np.exp(self._log_average - self._log_average.max())
        scores = self._scores(odds / odds.sum())
        best = next(iter(scores))
        if scores[best] - scores.get(self._label, -1.0) > SWITCH_BY:
            self._label = best
        least = self._spec.abstain_below - (SWITCH_BY if self._is_sure else 0.0)
        self._is_sure = scores[best] >= least
        return (self._label if self._is_sure else UNSURE), scores

    def _extend_utterance(
        self,
        window: StreamWindow,
        voiced_frames: NDArray[np.bool_],
        speech_s: float,
        probabilities: NDArray[np.float64],
    ) -> None:
        voiced_places = np.flatnonzero(voiced_frames)
        self._utterance = self._utterance or _Utterance(window.new_start_s + float(voiced_places[0]) * HOP_S)
        self._utterance.end_s = min(window.new_start_s + float(voiced_places[-1] + 1) * HOP_S, window.end_s)
        self._utterance.speech_s += speech_s
        self._utterance.probability_sum = self._utterance.probability_sum + probabilities
        self._utterance.window_count += 1

    def _final_events(self) -> list[Event]:
        """The `final` of the utterance that has ended, if there is one.

        It is answered as a whole where a recording of its length would be, else by the mean of its windows.
        """
        utterance, self._utterance = self._utterance, None
        self._log_average, self._label, self._is_sure = None, "", False
        if utterance is None:
            return []
        mean = np.asarray(utterance.probability_sum / utterance.window_count)
        if utterance.end_s - utterance.start_s <= self._spec.pool.longest_s:
            waveform = self._buffer.waveform(utterance.start_s, utterance.end_s)
            mean = self._clip_probabilities(waveform, self.speaker.copy())
        scores = self._scores(mean)
        best = next(iter(scores))
        label = best if scores[best] >= self._spec.abstain_below else UNSURE
        return [Event("final", utterance.start_s, utterance.end_s, label, scores, speech_s=utterance.speech_s)]

    def _scores(self, probabilities: NDArray[np.float64]) -> dict[str, float]:
        """{label: probability}, best first, merged if the stream has a merge."""
        return label_scores(self._spec.labels, probabilities, self._merge)


def label_scores(labels: tuple[str, ...], probabilities: NDArray[np.float64], merge: str | None) -> dict[str, float]:
    """{label: probability}, best first, merged where a merge is given."""
    values = probabilities.tolist()
    scores = merge_scores(labels, values, merge) if merge else dict(zip(labels, values, strict=True))
    return dict(sorted(scores.items(), key=lambda item: -item[1]))
