"""A scripted pipeline of the real Pipecat."""

import asyncio
import warnings

import pytest
import tiny

# The framework's own warnings are its own: it imports audioop, for one.
pytestmark = pytest.mark.filterwarnings("default")
with warnings.catch_warnings():
    warnings.simplefilter("default")
    pytest.importorskip("pipecat.tests.utils", reason="needs intonate[pipecat]")

from pipecat.frames.frames import (  # noqa: E402
    InputAudioRawFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection  # noqa: E402
from pipecat.tests.utils import SleepFrame, run_test  # noqa: E402

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
