"""LiveKit Agents: an audio input that passes the user's sound on and knows what each turn sounded like.

session.input.audio = emotions = EmotionInput(session)      # after `await session.start(…)`
emotion = await emotions.end_turn()                         # in the agent's `on_user_turn_completed`
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from livekit.agents.voice.io import AudioInput

from intonate.agents.turns import Emotion, Turns
from intonate.errors import IntonateError

if TYPE_CHECKING:
    from pathlib import Path

    from livekit import rtc
    from livekit.agents import AgentSession, UserStateChangedEvent

    from intonate.recognizer.recognizer import Recognizer

LOGGER = logging.getLogger(__name__)


class EmotionInput(AudioInput):
    """The session's audio input with a listener: every frame goes on at once, unchanged.

    A turn starts when the session says that the user speaks (`user_state_changed`), and ends with `end_turn`; a sound
    without words, of which no turn came, is left out of the next one. One per session, whichever agent has the call: it
    learns the caller's voice. Works with realtime models too.

    Attributes:
        turns: of the user; where nothing tells when the user speaks (push to talk without a VAD), call `turns.start`.
    """

    def __init__(
        self, session: AgentSession[Any], model: Recognizer | str | Path | None = None, *, labels: str | None = None
    ) -> None:
        """Listen to a session that has its input; `model` and `labels` as in `Turns`.

        Raises:
            IntonateError: the session has no input yet.
            ModelError: there is no such model.
        """
        if session.input.audio is None:
            raise IntonateError("the session has no audio input yet; make EmotionInput after `await session.start(…)`")
        super().__init__(label="intonate", source=session.input.audio)
        self.turns = Turns(model, labels)
        self._session = session
        session.on("user_state_changed", self._follow_user)

    async def __anext__(self) -> rtc.AudioFrame:
        frame: rtc.AudioFrame = await super().__anext__()
        self.turns.overhear(bytes(frame.data), frame.sample_rate, frame.num_channels)
        return frame

    async def end_turn(self) -> Emotion | None:
        """The turn ends now: what it sounded like; None where there was none, or (logged) the model cannot answer."""
        try:
            return await self.turns.end()
        except IntonateError as error:
            LOGGER.warning("no emotion for this turn: %s", error)
            return None

    def _follow_user(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self.turns.start()
        elif event.new_state == "listening" and self._session.turn_detection != "manual":  # there, pauses may be long
            self.turns.pause()
