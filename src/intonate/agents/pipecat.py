"""Pipecat: a processor that sends an emotion frame after each turn of the user.

pipeline = Pipeline([transport.input(), stt, aggregators.user(), EmotionProcessor(), …, llm, …])
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    SystemFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from intonate.agents.turns import Emotion, Turns
from intonate.errors import IntonateError

if TYPE_CHECKING:
    from pathlib import Path

    from intonate.recognizer.recognizer import Recognizer

# An answer of the LLM waits at most this long for the emotion of its turn.
PATIENCE_S = 1.0


@dataclass
class EmotionFrame(SystemFrame):
    """What a turn of the user sounded like; a system frame, so that an interruption does not drop it."""

    emotion: Emotion

    def __str__(self) -> str:
        return f"{self.name}({self.emotion.label} {self.emotion.start_s:.1f}-{self.emotion.end_s:.1f} s)"


class EmotionProcessor(FrameProcessor):
    """Passes every frame on, and sends an `EmotionFrame` downstream for each turn of the user.

    Place it behind the user's aggregator: the `LLMContextFrame` of a turn, by which the LLM is asked, then waits (at
    most `PATIENCE_S`) until the turn's emotion has gone ahead; all else goes on at once. Anywhere else behind the
    transport's input the emotion comes a moment after the turn. The turns are those of Pipecat
    (`UserStartedSpeakingFrame`, `UserStoppedSpeakingFrame`, in either direction). One processor per call: it learns
    the caller's voice.
    """

    def __init__(
        self, model: Recognizer | str | Path | None = None, *, labels: str | None = None, **options: Any
    ) -> None:
        """See `Turns`; `options` are those of `FrameProcessor`."""
        super().__init__(**options)
        self.turns = Turns(model, labels)
        self._answers: set[asyncio.Task[None]] = set()
        self._told = asyncio.Event()  # of the newest turn: its emotion has gone on
        self._told.set()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            self.turns.overhear(frame.audio, frame.sample_rate, frame.num_channels)
        elif isinstance(frame, UserStartedSpeakingFrame):
            self.turns.start()
            self._told = asyncio.Event()
        elif isinstance(frame, UserStoppedSpeakingFrame):
            task = self.create_task(self._push_emotion(self.turns.end(), self._told))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)
        elif isinstance(frame, LLMContextFrame) and not getattr(frame, "speculation", False):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), PATIENCE_S)
        elif isinstance(frame, EndFrame):
            for task in tuple(self._answers):  # the last turn's emotion goes before the end
                await task
        elif isinstance(frame, CancelFrame):
            for task in tuple(self._answers):
                await self.cancel_task(task)
        await self.push_frame(frame, direction)

    async def _push_emotion(self, answer: Coroutine[Any, Any, Emotion | None], told: asyncio.Event) -> None:
        try:
            emotion = await answer
            if emotion is not None:
                await self.push_frame(EmotionFrame(emotion))
        except IntonateError as error:
            await self.push_error(f"no emotion for this turn: {error}", exception=error)
        finally:
            told.set()
