"""The plain stream: pieces of 2 s, each answered by itself, as published systems for the browser do it.

A piece whose RMS is under 0.01 is `neutral` without running the model. There is no voice activity, no smoothing, no
memory of the speaker and no utterance. It is here to compare with: a quiet gate does not tell noise from speech, and
silence is no emotion, so the state still says `silence`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.audio.clean import clean
from intonate.audio.voice import SILENCE, level_dbfs
from intonate.errors import AudioError
from intonate.recognizer import inputs
from intonate.recognizer.clip_model import ClipModel
from intonate.recognizer.outputs import Described, dimensions_of
from intonate.recognizer.streaming import SPEECH, Event
from intonate.recognizer.timeline import label_scores, labels_of
from intonate.recognizer.window_buffer import StreamWindow, WindowBuffer, check_windows

PIECE_S = 2.0
QUIET_RMS = 0.01
QUIET_LABEL = "neutral"


class PlainStream(Described):
    """See the module; the methods are those of `streaming.Stream`, and `finish` gives no `final`."""

    activity = "none"

    def __init__(
        self,
        recognizer: ClipModel,
        sample_rate_hz: int,
        *,
        window_s: float = PIECE_S,
        labels: str | None = None,
        **idle: Any,
    ) -> None:
        """Pieces of `window_s` seconds; `labels` is a merge of the emotions, `p4-4` in the published system.

        Raises:
            AudioError: other options of a stream are given (`idle`), or the pieces are of no possible length.
        """
        if idle:
            raise AudioError(f"{', '.join(idle)}: no part of plain pieces; leave that out, or plain")
        self._recognizer, self._spec, self._merge = recognizer, recognizer.spec, labels
        label_scores(self._spec.labels, np.ones(len(self._spec.labels)), labels)  # raises before any sound is there
        self._words = inputs.of_words(self._spec, None)
        check_windows(window_s, window_s)
        self._buffer = WindowBuffer(sample_rate_hz, self._spec.sample_rate_hz, window_s, window_s, window_s)
        self._is_finished = False
        self.window_s = self.hop_s = window_s

    @property
    def received(self) -> int:
        """Samples pushed so far."""
        return self._buffer.received

    def completes(self, samples: int) -> bool:
        """As `Stream.completes`."""
        return self._buffer.completes(samples)

    def push(self, chunk: NDArray[Any]) -> list[Event]:
        """As `Stream.push`."""
        if self._is_finished:
            raise AudioError("the stream is finished; open a new one to go on")
        return [self._window_event(window) for window in self._buffer.push(chunk)]

    def finish(self) -> list[Event]:
        """As `Stream.finish`; the last piece is shorter than the others, and reaches no further back than they do."""
        last_window = None if self._is_finished else self._buffer.last_window()
        self._is_finished = True
        return [] if last_window is None else [self._window_event(last_window)]

    def _window_event(self, window: StreamWindow) -> Event:
        new_samples = max(1, round((window.end_s - window.new_start_s) * self._spec.sample_rate_hz))
        piece, level = window.waveform[-new_samples:], level_dbfs(window.waveform[-new_samples:])
        if level < 20 * math.log10(QUIET_RMS):
            none = labels_of({}, self._spec)
            return Event("segment", window.new_start_s, window.end_s, QUIET_LABEL, {}, SILENCE, {}, level, labels=none)
        clip = inputs.extract(self._spec, clean(piece, self._spec.sample_rate_hz, self._spec.clean), self._words)
        probabilities = self._recognizer.answers([inputs.normalise_alone(self._spec, clip)])[0]
        scores = label_scores(self._spec.labels, probabilities, self._merge)
        label = next(iter(scores))
        return Event(
            "segment",
            window.new_start_s,
            window.end_s,
            label,
            scores,
            SPEECH,
            scores,
            level,
            window.end_s - window.new_start_s,
            dimensions_of(self._spec, probabilities),
            labels=labels_of(scores, self._spec),
        )
