"""A scripted pipeline of the real Pipecat."""

import asyncio
import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny

# The framework's own warnings are its own: it imports audioop, for one.
pytestmark = pytest.mark.filterwarnings("default")
with warnings.catch_warnings():
    warnings.simplefilter("default")
    pytest.importorskip("pipecat.tests.utils", reason="needs intonate[pipecat]")

from pipecat.frames.frames import (  # noqa: E402
    InputAudioRawFrame,
    LLMContextFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext  # noqa: E402
from pipecat.processors.aggregators.llm_response_universal import (  # noqa: E402
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor  # noqa: E402
from pipecat.tests.utils import SleepFrame, run_test  # noqa: E402
from pipecat.turns.user_start import VADUserTurnStartStrategy  # noqa: E402
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy  # noqa: E402
from pipecat.turns.user_turn_strategies import UserTurnStrategies  # noqa: E402

from intonate.agents.pipecat import EmotionFrame, EmotionProcessor  # noqa: E402


@pytest.fixture
def model(tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec())
    return tmp_path / "tiny.onnx"


def audio(duration_s, seed=0):
    """Frames of 20 ms."""
    sound = (tiny.speech(duration_s, 16_000, seed) * 20_000).astype("<i2").tobytes()
    return [InputAudioRawFrame(sound[place : place + 640], 16_000, 1) for place in range(0, len(sound), 640)]


def turn(seed):
    return [UserStartedSpeakingFrame(), *audio(2.0, seed), UserStoppedSpeakingFrame()]


def run(model, frames, **options):
    async def pipeline():
        return await run_test(EmotionProcessor(model), frames_to_send=frames, start_timeout=10.0, **options)

    return asyncio.run(pipeline())[0]


def test_each_turn_has_its_emotion_and_every_frame_passes(model):
    sent = [*audio(1.0), *turn(1), SleepFrame(0.5), *audio(0.5), *turn(2)]
    received = run(model, sent)
    emotions = [frame.emotion for frame in received if isinstance(frame, EmotionFrame)]
    assert [round(emotion.end_s, 2) for emotion in emotions] == [3.0, 5.5]
    assert all(emotion.label in tiny.LABELS for emotion in emotions)
    passed = [frame for frame in received if not isinstance(frame, EmotionFrame)]
    assert passed == [frame for frame in sent if not isinstance(frame, SleepFrame)]


def test_a_frame_that_is_no_sound_goes_on_and_costs_nothing(model):
    broken = [InputAudioRawFrame(b"abc", 16_000, 1), InputAudioRawFrame(bytes(640), 0, 1)]
    started, *sound, stopped = turn(1)
    received = run(model, [started, *sound, *broken, stopped])
    assert [frame for frame in received if frame in broken] == broken
    (emotion,) = [frame.emotion for frame in received if isinstance(frame, EmotionFrame)]
    assert emotion.end_s == pytest.approx(2.0)


def test_no_turn_no_emotion(model):
    assert not [frame for frame in run(model, audio(1.0)) if isinstance(frame, EmotionFrame)]


def test_turns_that_are_told_from_downstream_count(model):
    async def emotions():
        processor = EmotionProcessor(model)
        for frame in audio(2.0):
            processor.turns.push(frame.audio, frame.sample_rate)
        received, _ = await run_test(
            processor,
            frames_to_send=[UserStartedSpeakingFrame(), UserStoppedSpeakingFrame(), SleepFrame(0.5)],
            frames_to_send_direction=FrameDirection.UPSTREAM,
            start_timeout=10.0,
        )
        return [frame for frame in received if isinstance(frame, EmotionFrame)]

    assert len(asyncio.run(emotions())) == 1


class Passing(FrameProcessor):
    """Stands in for a transport's end or a voice."""

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class Ears(Passing):
    """Hears the same words in every turn."""

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            await self.push_frame(TranscriptionFrame("kids are talking", "user", "2026", finalized=True))


class Brain(FrameProcessor):
    """Keeps what it is asked with."""

    def __init__(self):
        super().__init__()
        self.asked = []

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            self.asked.append([message["content"] for message in frame.context.get_messages()])
        else:
            await self.push_frame(frame, direction)


def documented_pipeline(model, brain):
    """The example of the documentation, with stand-ins for what needs keys."""
    text = (Path(__file__).parents[2] / "docs" / "voice-agents.md").read_text(encoding="utf-8")
    example = {}
    exec(re.search(r"```python\n(from pipecat.*?)```", text, re.DOTALL)[1], example)
    example["MODEL"] = model
    strategies = UserTurnStrategies(
        start=[VADUserTurnStartStrategy()], stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.2)]
    )
    parameters = LLMUserAggregatorParams(user_turn_strategies=strategies)
    aggregators = LLMContextAggregatorPair(LLMContext(), user_params=parameters)
    transport = SimpleNamespace(input=Passing, output=Passing)
    return example["pipeline"](transport, Ears(), aggregators, brain, Passing())


def test_the_llm_is_asked_with_the_emotion_of_the_turn_that_it_answers(model):
    async def asked():
        brain = Brain()
        turns = []
        for seed in (1, 2):
            spoken = [VADUserStartedSpeakingFrame(), SleepFrame(0.1), *audio(2.0, seed), VADUserStoppedSpeakingFrame()]
            turns += [*spoken, SleepFrame(0.8)]
        await run_test(documented_pipeline(model, brain), frames_to_send=turns, start_timeout=10.0)
        return brain.asked

    first, second = asyncio.run(asked())
    assert re.fullmatch("kids are talking\nThe caller may sound [a-z]+.", "\n".join(first))
    assert second[:2] == first
    assert re.fullmatch("kids are talking\nThe caller may sound [a-z]+.", "\n".join(second[2:]))


def test_a_turn_without_an_emotion_is_answered_all_the_same(model, monkeypatch):
    monkeypatch.setattr("intonate.agents.pipecat.PATIENCE_S", 1_000.0)

    async def received():
        processor = EmotionProcessor(model)
        frames = [UserStartedSpeakingFrame(), UserStoppedSpeakingFrame(), LLMContextFrame(LLMContext())]
        return (await run_test(processor, frames_to_send=frames, start_timeout=10.0))[0]

    assert [type(frame) for frame in asyncio.run(received())][-1] is LLMContextFrame
