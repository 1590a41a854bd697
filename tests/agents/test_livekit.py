"""A scripted session of the real LiveKit Agents: its own loop, turns and chat; only the models are stand-ins."""

import asyncio
import warnings

import pytest
import tiny
from event_loop import run_to_end

# The framework's own warnings are its own.
pytestmark = pytest.mark.filterwarnings("default")
with warnings.catch_warnings():
    warnings.simplefilter("default")
    pytest.importorskip("livekit.agents", reason="needs intonate[livekit]")

    from livekit import rtc
    from livekit.agents import Agent, AgentSession, llm, stt
    from livekit.agents.voice.io import AudioInput

from intonate.agents.livekit import EmotionInput  # noqa: E402
from intonate.errors import IntonateError  # noqa: E402

RATE_HZ, FRAME = 16_000, 320


def frames(duration_s, seed=None):
    """Frames of 20 ms: speech, or silence without a seed."""
    sound = bytes(round(duration_s * RATE_HZ) * 2)
    if seed is not None:
        sound = (tiny.speech(duration_s, RATE_HZ, seed) * 20_000).astype("<i2").tobytes()
    return [rtc.AudioFrame(sound[at : at + 2 * FRAME], RATE_HZ, 1, FRAME) for at in range(0, len(sound), 2 * FRAME)]


class Microphone(AudioInput):
    """Plays what is scripted: a frame, or seconds in which nothing comes."""

    def __init__(self, script):
        super().__init__(label="script")
        self._script, self.sent = iter(script), []

    async def __anext__(self):
        for item in self._script:
            if isinstance(item, rtc.AudioFrame):
                await asyncio.sleep(0)
                self.sent.append(item)
                return item
            await asyncio.sleep(item)
        await asyncio.Event().wait()


class Ears(stt.STT):
    """Hears words wherever it is not silent, but not in the first `wordless` sounds."""

    def __init__(self, wordless=0):
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))
        self.received, self.wordless = [], wordless

    async def _recognize_impl(self, buffer, *, language, conn_options):
        raise NotImplementedError

    def stream(self, *, language=None, conn_options):
        return EarsStream(stt=self, conn_options=conn_options)


class EarsStream(stt.RecognizeStream):
    async def _run(self):
        is_speaking = False
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue
            self._stt.received.append(frame)
            if any(frame.data) == is_speaking:
                continue
            is_speaking = not is_speaking
            if is_speaking:
                self._event_ch.send_nowait(stt.SpeechEvent(stt.SpeechEventType.START_OF_SPEECH))
            else:
                if not self._stt.wordless:
                    words = [stt.SpeechData("en", "kids are talking")]
                    said = stt.SpeechEvent(stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=words)
                    self._event_ch.send_nowait(said)
                self._stt.wordless = max(0, self._stt.wordless - 1)
                self._event_ch.send_nowait(stt.SpeechEvent(stt.SpeechEventType.END_OF_SPEECH))


class Brain(llm.LLM):
    def chat(self, *, chat_ctx, tools=None, conn_options, **_):
        return BrainStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class BrainStream(llm.LLMStream):
    async def _run(self):
        self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=llm.ChoiceDelta(role="assistant", content="yes")))


class Assistant(Agent):
    def __init__(self):
        super().__init__(instructions="")
        self.emotions, self.told = None, asyncio.Queue()

    async def on_user_turn_completed(self, turn_ctx, new_message):
        emotion = await self.emotions.end_turn()
        if emotion is not None:
            new_message.extra["emotion"] = emotion.to_dict()
        self.told.put_nowait(emotion)


async def call(model, script, turns, wordless=0):
    """(what each turn sounded like, the user's messages, the microphone, the ears) of one call."""
    handling = {
        "turn_detection": "stt",
        "endpointing": {"min_delay": 0.05, "max_delay": 0.1},
        "preemptive_generation": {"enabled": False},
    }
    ears, agent = Ears(wordless), Assistant()
    session = AgentSession(stt=ears, vad=None, llm=Brain(), turn_handling=handling, user_away_timeout=None)
    microphone = Microphone(script)
    with pytest.raises(IntonateError, match=r"after `await session.start"):
        EmotionInput(session, model)
    await session.start(agent)
    session.output.set_audio_enabled(False)
    session.input.audio = microphone
    session.input.audio = agent.emotions = EmotionInput(session, model)
    try:
        emotions = [await asyncio.wait_for(agent.told.get(), 60) for _ in range(turns)]
        await asyncio.sleep(0.3)
        messages = [item for item in session.history.items if item.type == "message" and item.role == "user"]
    finally:
        await session.aclose()
    return emotions, messages, microphone, ears


@pytest.fixture
def model(tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec())
    return tmp_path / "tiny.onnx"


def test_each_turn_has_its_emotion_and_every_frame_passes(model):
    script = [*frames(1.0), *frames(2.0, 1), *frames(0.5), 2.0, *frames(0.6), *frames(2.0, 0), *frames(0.5)]
    emotions, messages, microphone, ears = run_to_end(call(model, script, 2))
    assert all(emotion.label in tiny.LABELS for emotion in emotions)
    assert emotions[0].start_s == pytest.approx(0.5, abs=0.1), "half a second before the speech"
    assert emotions[1].start_s == pytest.approx(3.6, abs=0.1)
    assert emotions[1].end_s == pytest.approx(6.6, abs=0.1)
    assert [message.extra["emotion"]["label"] for message in messages] == [one.label for one in emotions]
    passed = b"".join(bytes(frame.data) for frame in ears.received)
    sent = b"".join(bytes(frame.data) for frame in microphone.sent)
    assert passed.rstrip(b"\0") == sent.rstrip(b"\0"), "the session adds silence at its end"


def test_a_sound_without_words_is_left_out_of_the_next_turn(model):
    script = [*frames(1.0), *frames(0.5, 1), *frames(10.0), 0.1, *frames(2.0, 0), *frames(0.5)]
    (emotion,), *_ = run_to_end(call(model, script, 1, wordless=1))
    assert emotion.start_s == pytest.approx(11.0, abs=0.1)
    assert emotion.end_s == pytest.approx(14.0, abs=0.1)


def test_a_model_that_cannot_answer_costs_the_emotion_alone(caplog):
    async def ended():
        emotions = EmotionInput.__new__(EmotionInput)
        emotions.turns = Failing()
        return await emotions.end_turn()

    class Failing:
        async def end(self):
            raise IntonateError("the sound is not finite")

    assert run_to_end(ended()) is None
    assert "no emotion for this turn: the sound is not finite" in caplog.text
