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

from intonate.audio.energy import HOP_S
from intonate.audio.resample import Waveform
from intonate.audio.voice import QUIETEST_DBFS, SILENCE, detector, power_dbfs, sound_power, unvoiced_label
from intonate.errors import AudioError
from intonate.features.frame_memory import FrameMemory
from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer import inputs
from intonate.recognizer.clip_model import ClipModel
from intonate.recognizer.outputs import Described, dimensions_of
from intonate.recognizer.probabilities import softmax
from intonate.recognizer.recording import recording_cuts
from intonate.recognizer.timeline import label_or_unsure, label_scores, labels_of, threshold_for
from intonate.recognizer.window_buffer import StreamWindow, WindowBuffer, check_windows
from intonate.schema import UNSURE, Answer, listed

SPEECH = "speech"

# The first answer comes after this much sound, not after a whole window: two seconds of nothing look broken, and a
# single word is over by then. Such short windows never go into the speaker's statistics.
FIRST_S = 1.0
# Voice activity is asked as often as recordings are heard, and sooner where an utterance may have ended: that is found
# this late at the most.
STEP_S, TICK_S = 0.5, 0.25
# It looks back this far for the background and the level.
ACTIVITY_WINDOW_S = 2.0
# Time constant of the smoothing of log-probabilities: after it a new emotion has 63 % of the weight.
SMOOTHING_S = 1.0
# A label gives way only to one that is better by this much probability, and to `unsure` only this far below the
# model's threshold.
SWITCH_BY = 0.1
# A label is shown for this long at the least, and through a pause this long; a new utterance changes it only when so
# much of it was heard.
SHOWN_S, HELD_S, HEARD_S = 1.0, 2.5, 1.0
# An utterance ends with a pause this long: pauses between the words of a sentence are shorter.
PAUSE_S = 0.7
# Soft first and last consonants lie this far outside of what is surely speech.
MARGIN_S = 0.1
# An utterance up to this long is answered as a recording would be; a longer one by the mean of its windows.
WHOLE_S = 30.0

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Event(Answer):
    """A segment or an utterance of a stream.

    Attributes:
        type: `segment`: the newest stretch of the stream, one after the other without gaps; `final`: an utterance.
        start_s: seconds from the start of the stream.
        end_s: seconds.
        label: of a segment, the smoothed one, which goes on through short pauses; `unsure` where the model abstains;
            the state after a longer time without speech.
        scores: {label: probability}, best first; smoothed in a segment, and of the last speech in a short pause; empty
            after a longer time without speech.
        state: `speech`, `silence` or `noise`.
        raw: the scores of this window alone, not smoothed; empty if there is no speech in it.
        level_dbfs: RMS of the stretch, in dB of full scale.
        speech_s: seconds of speech in it.
        dimensions: {`arousal`, `valence`…: 0 to 1} of a model that has them, smoothed in a segment; they go on and end
            as the scores do.
        familiarity: of an utterance, as in `Prediction`; None where it is long, or the model does not tell.
        labels: as in `Segment`, by the scores.
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
    dimensions: Scores = field(default_factory=dict)
    familiarity: float | None = None
    labels: tuple[str, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON shape, as in `Prediction.to_dict`."""
        shape: dict[str, Any] = {"type": self.type, "start": round(self.start_s, 3), "end": round(self.end_s, 3)}
        shape |= self.label_dict() | {"scores": listed(self.scores), "speech": round(self.speech_s, 2)}
        if self.dimensions:
            shape["dimensions"] = {name: round(value, 6) for name, value in self.dimensions.items()}
        if self.type == "final":
            known = {} if self.familiarity is None else {"familiarity": round(self.familiarity, 3)}
            return shape | {"transcript": ""} | known
        return shape | {"state": self.state, "raw": listed(self.raw), "level": round(self.level_dbfs, 1)}


@dataclass(slots=True)
class _Utterance:
    """The utterance that has begun and not ended."""

    start_s: float
    end_s: float = 0.0
    speech_s: float = 0.0
    probability_sum: NDArray[np.float64] | float = 0.0
    window_count: int = 0


@dataclass(slots=True)
class _Segment:
    """The segment that has begun and not ended: its sound so far."""

    start_s: float
    power: float = 0.0
    samples: int = 0


class Stream(Described):
    """One voice, live. Not safe to share between threads; the recognizer behind it is.

    Attributes:
        speaker: the statistics of the speaker so far, of windows.
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
        self._words = inputs.of_words(self._spec, None)
        check_windows(window_s, hop_s)
        self._tick_s = hop_s / math.ceil(hop_s / TICK_S - 1e-9)
        history_s = max(window_s, WHOLE_S + 2 * MARGIN_S + PAUSE_S)
        rate_hz = self._spec.sample_rate_hz
        self._buffer = WindowBuffer(sample_rate_hz, rate_hz, STEP_S, self._tick_s, self._tick_s, history_s)
        self._frames = FrameMemory()
        self._detect = detector(activity, rate_hz)
        self._activity_window = np.zeros(0, np.float32)
        self._voiced_frames = np.zeros(0, np.bool_)  # per 10 ms, of the last window or more
        self._counted_end_s = 0.0
        self._segment = _Segment(0.0)
        self._next_end_s = min(FIRST_S, window_s)
        self._log_average: NDArray[np.float64] | None = None  # log-probabilities
        self._average = dict[str, float]()  # of the dimensions
        self._label, self._scores_shown, self._is_sure = "", dict[str, float](), False
        self._shown_since_s = self._speech_end_s = self._pause_since_s = -math.inf
        self._label_before = ""
        self._utterance: _Utterance | None = None
        self._is_finished = False
        self.speaker = SpeakerStatistics() if speaker is None else speaker
        self._utterances = self.speaker.copy()  # the statistics of whole utterances
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
        return [event for window in self._buffer.push(chunk) for event in self._tick_events(window)]

    def finish(self) -> list[Event]:
        """The events of the remaining sound; nothing can be pushed after it."""
        if self._is_finished:
            return []
        self._is_finished = True
        last_window = self._buffer.last_window()
        events = self._tick_events(last_window) if last_window is not None else []
        now_s = self._buffer.received / self._buffer.rate_hz
        if now_s > self._segment.start_s + 1e-6:
            events.append(self._segment_event(now_s))
        return events + self._final_events()

    def _tick_events(self, window: StreamWindow) -> list[Event]:
        """The events of the newest sound: a segment where a hop is complete, and an utterance that has ended."""
        rate_hz = self._spec.sample_rate_hz
        new_samples = max(1, round((window.end_s - window.new_start_s) * rate_hz))
        new_sound = window.waveform[-new_samples:]
        window_samples = round(ACTIVITY_WINDOW_S * rate_hz)
        self._activity_window = np.concatenate([self._activity_window, new_sound])[-window_samples:]
        frames = self._detect(self._activity_window, len(new_sound))
        new_frames = max(1, math.ceil(len(new_sound) / round(HOP_S * rate_hz)))
        # Of what came before, the detector knows more by now.
        earlier_frames = self._voiced_frames[: max(0, len(self._voiced_frames) + new_frames - len(frames))]
        self._voiced_frames = np.concatenate([earlier_frames, frames])[-math.ceil((self.window_s + 1) / HOP_S) :]
        self._segment.power += sound_power(new_sound) * len(new_sound)
        self._segment.samples += len(new_sound)
        self._follow_utterance(frames, window.end_s)
        events = []
        if window.end_s >= self._next_end_s - 1e-6:
            self._next_end_s += self.hop_s
            events.append(self._segment_event(window.end_s))
        if self._utterance is not None and window.end_s - self._utterance.end_s >= PAUSE_S:
            events += self._final_events()
        self._buffer.delay(self._next_tick_s(window.end_s))
        return events

    def _next_tick_s(self, now_s: float) -> float:
        """When the next segment or the end of the utterance may be due, in whole ticks from now."""
        due_s = self._next_end_s
        if self._utterance is not None:
            due_s = min(due_s, self._utterance.end_s + PAUSE_S)
        ticks = math.ceil((due_s - now_s) / self._tick_s - 1e-6)
        return now_s + self._tick_s * min(max(1, ticks), int(STEP_S / self._tick_s + 1e-6))

    def _follow_utterance(self, frames: NDArray[np.bool_], now_s: float) -> None:
        """Begin an utterance, or move its end; `frames` end now."""
        # From the first sample: the last frame is shorter where the sound ends within it.
        start_s = now_s - len(self._activity_window) / self._spec.sample_rate_hz
        first_frame = math.ceil((max(self._speech_end_s, start_s) - start_s) / HOP_S - 1e-6)
        speech_frames = first_frame + np.flatnonzero(frames[first_frame:])
        if not len(speech_frames):
            return
        if self._utterance is None:
            self._utterance = _Utterance(max(0.0, start_s + float(speech_frames[0]) * HOP_S))
        self._utterance.end_s = min(start_s + float(speech_frames[-1] + 1) * HOP_S, now_s)
        self._utterance.speech_s += len(speech_frames) * HOP_S
        self._speech_end_s = self._utterance.end_s

    def _segment_event(self, end_s: float) -> Event:
        """The newest stretch, from the last segment to now."""
        segment, self._segment = self._segment, _Segment(end_s)
        length_s = end_s - segment.start_s
        level = power_dbfs(segment.power / max(1, segment.samples))
        frames = self._voiced_frames[-max(1, round(length_s / HOP_S)) :]
        speech_s = min(float(np.count_nonzero(frames)) * HOP_S, length_s)
        probabilities = self._window_probabilities(max(0.0, end_s - self.window_s), end_s)
        raw = {} if probabilities is None else self._scores(probabilities)
        state = unvoiced_label(level)
        if probabilities is not None and speech_s >= min(self._detect.least_s, length_s):
            state = SPEECH
            self._update_label(probabilities, end_s)
            if self._utterance is not None:
                self._utterance.probability_sum = self._utterance.probability_sum + probabilities
                self._utterance.window_count += 1
        elif end_s - self._speech_end_s <= HELD_S and self._label:
            state, speech_s = SILENCE, 0.0  # never noise between words
        else:
            self._label, self._scores_shown, self._is_sure, speech_s = "", {}, False, 0.0
            self._average = {}
        label = (self._label if self._is_sure else UNSURE) if self._label else state
        scores, dimensions = dict(self._scores_shown), dict(self._average)
        if label != self._label_before and segment.start_s - self._pause_since_s < SHOWN_S:
            # The first word after a long pause waits until the pause was shown.
            label, scores, dimensions = self._label_before, {}, {}
            self._shown_since_s = end_s
        elif label != self._label_before:
            self._pause_since_s = -math.inf if self._label else segment.start_s
        self._label_before = label
        labels = labels_of(scores, self._spec)
        return Event(
            "segment", segment.start_s, end_s, label, scores, state, raw, level, speech_s, dimensions, labels=labels
        )

    def _window_probabilities(self, start_s: float, end_s: float) -> NDArray[np.float64] | None:
        """The probabilities of a window; None where there is no speech.

        As in `Recognizer`, a window goes into the speaker's statistics unless it overlaps one that did (or is
        shorter than the others, which only a stream has).
        """
        frames = self._voiced_frames[-max(1, round((end_s - start_s) / HOP_S)) :]
        if np.count_nonzero(frames) * HOP_S < self._detect.least_s:
            return None
        is_whole = end_s - start_s >= self.window_s - HOP_S
        is_counted = is_whole and start_s >= self._counted_end_s
        self._counted_end_s = end_s if is_counted else self._counted_end_s
        clip, _ = self._extract(*self._buffer.cut(start_s, end_s))
        return self._clip_probabilities(clip, self.speaker if is_counted else self.speaker.copy())

    def _extract(self, first: int, waveform: Waveform) -> tuple[inputs.Clip, int]:
        """The front ends' output for a piece of the stream from sample `first` on, and the samples that are left."""
        settled = self._buffer.settled
        return inputs.clean_and_extract(self._spec, waveform, self._words, self._frames, first, settled)

    def _clip_probabilities(self, clip: inputs.Clip, speaker: SpeakerStatistics) -> NDArray[np.float64]:
        """The answer (outputs,) to a piece of speech, which is added to the statistics of `speaker`."""
        inputs.update_speaker(self._spec, clip, speaker)
        answer: NDArray[np.float64] = self._recognizer.answers([inputs.normalise_clip(self._spec, clip, speaker)])[0]
        return answer

    def _update_label(self, probabilities: NDArray[np.float64], now_s: float) -> None:
        """Smooth the scores and dimensions; the label that is shown changes only for a reason."""
        logs = np.log(np.maximum(probabilities[: len(self._spec.labels)], 1e-6))
        decay = 0.0 if self._log_average is None else math.exp(-self.hop_s / SMOOTHING_S)
        self._average = {
            name: decay * self._average.get(name, value) + (1 - decay) * value
            for name, value in dimensions_of(self._spec, probabilities).items()
        }
        self._log_average = logs if self._log_average is None else decay * self._log_average + (1 - decay) * logs
        if not self._spec.labels:
            self._label, self._is_sure = SPEECH, True
            return
        logs = self._log_average
        scores = self._scores(np.exp(logs) if self._spec.multi_label else softmax(logs))
        best_label = next(iter(scores))
        threshold = self._spec.abstain_below - (SWITCH_BY if self._is_sure else 0.0)
        is_sure, label = scores[best_label] >= threshold, self._label
        if scores[best_label] - scores.get(label, -1.0) > SWITCH_BY:
            label = best_label
        self._scores_shown = scores
        is_change = (label, is_sure) != (self._label, self._is_sure)
        has_heard = self._utterance is not None and self._utterance.speech_s >= HEARD_S
        if is_change and self._label and not (now_s - self.hop_s - self._shown_since_s >= SHOWN_S and has_heard):
            return
        self._shown_since_s = now_s - self.hop_s if is_change else self._shown_since_s
        self._label, self._is_sure = label, is_sure

    def _final_events(self) -> list[Event]:
        """The `final` of the utterance that has ended, if there is one.

        It is answered as a whole where a recording of its length would be, else by the mean of its windows.
        """
        utterance, self._utterance = self._utterance, None
        self._log_average = None
        if utterance is None:
            return []
        familiarity, threshold = None, self._spec.abstain_below
        if utterance.end_s - utterance.start_s <= WHOLE_S:
            start_s, end_s = utterance.start_s - MARGIN_S, utterance.end_s + MARGIN_S
            mean, familiarity, threshold = self._recording_answer(start_s, end_s)
        else:
            mean = np.asarray(utterance.probability_sum / max(1, utterance.window_count))
        scores = self._scores(mean)
        label = label_or_unsure(scores, threshold)
        return [
            Event(
                "final",
                utterance.start_s,
                utterance.end_s,
                label,
                scores,
                speech_s=utterance.speech_s,
                dimensions=dimensions_of(self._spec, mean),
                familiarity=familiarity,
                labels=labels_of(scores, self._spec, threshold),
            )
        ]

    def _recording_answer(self, start_s: float, end_s: float) -> tuple[NDArray[np.float64], float | None, float]:
        """The probabilities, familiarity and threshold of a stretch as of a recording: whole, or the mean of windows.

        Half of the answer is to the stretch alone: whoever spoke before may have been someone else.
        """
        rate_hz, pool = self._spec.sample_rate_hz, self._spec.pool
        start, waveform = self._buffer.cut(max(0.0, start_s), end_s)
        cuts = recording_cuts(len(waveform), rate_hz, pool)
        pieces = [self._extract(start + first, waveform[first:last]) for first, last in cuts]
        clips, samples = [clip for clip, _ in pieces], sum(samples for _, samples in pieces)
        answers = [answer for clip in clips for answer in self._answers_of_utterance(clip)]
        familiarity = inputs.mean_familiarity(inputs.familiarity(self._spec, clip) for clip in clips)
        return np.asarray(np.mean(answers, axis=0)), familiarity, threshold_for(self._spec, samples / rate_hz)

    def _answers_of_utterance(self, clip: inputs.Clip) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The answer to a stretch alone, and to one of the speaker so far: the same where it is the first."""
        is_first = self._utterances.is_empty
        answer = self._clip_probabilities(clip, self._utterances)
        return answer if is_first else self._clip_probabilities(clip, SpeakerStatistics()), answer

    def _scores(self, probabilities: NDArray[np.float64]) -> dict[str, float]:
        """{label: probability}, best first, merged if the stream has a merge."""
        return label_scores(self._spec.labels, probabilities, self._merge)
