"""The turns of one caller: sound in, an emotion for each turn, off the event loop.

Shared by the adapters for voice-agent frameworks. The framework decides when a turn starts and ends; here are its
sound, a little of what came before (a framework notices speech late), and what the voice is like so far.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intonate.audio.downmix import Downmix
from intonate.audio.resample import resample
from intonate.errors import AudioError
from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer.recognizer import Recognizer, load_model
from intonate.schema import Answer, listed

if TYPE_CHECKING:
    from pathlib import Path

LOGGER = logging.getLogger(__name__)
# (rate in Hz, samples (samples, channels)): a caller's track may change both within a turn.
Block = tuple[int, NDArray[np.int16]]
# Sound kept from before the start of a turn: voice activity and first words are reported up to this late.
BEFORE_S = 0.5
# Of a longer turn only the newest sound is kept, so that memory stays bounded.
LONGEST_S = 60.0
# A turn that has not ended so long after the user fell silent was none: a cough or a door, of which no words came.
ABANDONED_S = 4.0


@dataclass(frozen=True, slots=True)
class Emotion(Answer):
    """What one turn of the user sounds like.

    Attributes:
        start_s: start of the sound that was judged, in seconds of sound since the call began.
        end_s: its end, seconds.
        label: the best label; `unsure` where the model abstains, `silence` or `noise` without speech.
        scores: {label: probability}, best first; empty without speech.
        familiarity: how near the turn lies to what the model was trained on, 0 to 1; None where nobody measured it.
        labels: all that are likely enough, of a model that may give several at once; None of another.
    """

    start_s: float
    end_s: float
    label: str
    scores: Mapping[str, float]
    familiarity: float | None
    labels: tuple[str, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON, in the words of the stream's events."""
        shape: dict[str, Any] = {"start": round(self.start_s, 3), "end": round(self.end_s, 3)}
        shape |= self.label_dict() | {"scores": listed(self.scores)}
        return shape | ({} if self.familiarity is None else {"familiarity": round(self.familiarity, 3)})


class Turns:
    """Collects the turns of one caller. Use it from one event loop.

    Attributes:
        speaker: the statistics of the caller, learnt from turn to turn.
    """

    def __init__(self, model: Recognizer | str | Path | None = None, labels: str | None = None) -> None:
        """Load the model, unless it is a loaded one (share it between calls).

        Args:
            model: a name, a path, or a loaded model; None for the built-in one.
            labels: a merge of `intonate.emotions.MERGES`, e.g. `p4-4`.

        Raises:
            ModelError: there is no such model.
        """
        if isinstance(model, Recognizer):
            self._recognizer = model
        else:
            self._recognizer = load_model() if model is None else load_model(str(model))
        self._labels = labels
        self._blocks: deque[Block] = deque()
        self._kept_s, self._end_s, self._paused_s = 0.0, 0.0, math.inf
        self._is_open = self._has_warned = False
        self._lock = asyncio.Lock()
        self.speaker = SpeakerStatistics()

    def push(self, pcm: bytes | memoryview, rate_hz: int, channels: int = 1) -> None:
        """Take 16-bit little-endian samples, interleaved; several channels are mixed by `audio.downmix`.

        Raises:
            AudioError: the bytes are no whole samples, or there is no such rate or number of channels.
        """
        if rate_hz < 1 or channels < 1:
            raise AudioError(f"sound has at least 1 Hz and 1 channel, not {rate_hz} Hz and {channels} channels")
        if len(pcm) % (2 * channels):
            raise AudioError(f"{len(pcm)} bytes are no whole 16-bit samples of {channels} channels")
        if not pcm:
            return
        # A copy: frameworks use their buffers again.
        block = np.frombuffer(pcm, "<i2").reshape(-1, channels).copy()
        self._blocks.append((rate_hz, block))
        self._kept_s += len(block) / rate_hz
        self._end_s += len(block) / rate_hz
        self._forget(LONGEST_S if self._is_open else BEFORE_S)

    def overhear(self, pcm: bytes | memoryview, rate_hz: int, channels: int = 1) -> None:
        """`push` for sound that goes on elsewhere in any case: what it refuses is left out, once with a warning."""
        try:
            self.push(pcm, rate_hz, channels)
        except AudioError as error:
            if not self._has_warned:
                LOGGER.warning("a frame is left out, and so are others like it: %s", error)
            self._has_warned = True

    def start(self) -> None:
        """The user starts to speak; within a turn this changes nothing, unless its `pause` was over 4 s long."""
        if self._end_s - self._paused_s > ABANDONED_S:
            self._forget(BEFORE_S)
        self._is_open, self._paused_s = True, math.inf

    def pause(self) -> None:
        """The user falls silent, for a moment or until the turn's `end`."""
        self._paused_s = self._end_s

    def end(self) -> Coroutine[Any, Any, Emotion | None]:
        """The turn ends now; await what it sounds like: None where there was no turn or no sound.

        The model runs in a thread, one turn of the caller after the other. Awaiting raises `IntonateError` where the
        model cannot answer the turn.
        """
        blocks = tuple(self._blocks) if self._is_open else ()
        if blocks:
            self._blocks.clear()
            self._kept_s = 0.0
        self._is_open, self._paused_s = False, math.inf
        return self._answer(blocks, self._end_s)

    async def _answer(self, blocks: Sequence[Block], end_s: float) -> Emotion | None:
        if not any(len(samples) for _, samples in blocks):
            return None
        async with self._lock:
            return await asyncio.to_thread(self._emotion, blocks, end_s)

    def _emotion(self, blocks: Sequence[Block], end_s: float) -> Emotion:
        model_hz = self._recognizer.spec.sample_rate_hz
        parts = []
        for rate_hz, run in itertools.groupby(blocks, key=itemgetter(0)):
            sound = Downmix("turn", rate_hz).mono(samples.astype(np.float32) / np.float32(32768) for _, samples in run)
            parts.append(resample(np.concatenate(list(sound)), rate_hz, model_hz))
        waveform = np.concatenate(parts)
        answer = self._recognizer.predict((waveform, model_hz), labels=self._labels, speaker=self.speaker)
        start_s = max(0.0, end_s - len(waveform) / model_hz)
        return Emotion(start_s, end_s, answer.shown_label, answer.scores, answer.familiarity, answer.labels)

    def _forget(self, longest_s: float) -> None:
        """Drop the oldest blocks that are not needed for the newest `longest_s`."""
        while self._kept_s - (oldest_s := len(self._blocks[0][1]) / self._blocks[0][0]) >= longest_s:
            self._kept_s -= oldest_s
            self._blocks.popleft()
