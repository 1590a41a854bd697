"""The core: turns in, emotions out, without any framework."""

import asyncio

import numpy as np
import pytest
import soxr
import tiny
from event_loop import run_to_end

from intonate.agents.turns import ABANDONED_S, BEFORE_S, LONGEST_S, Turns
from intonate.errors import AudioError

RATE_HZ = 16_000


@pytest.fixture
def turns(tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec())
    return Turns(tmp_path / "tiny.onnx")


def pcm(duration_s, seed=0):
    return (tiny.speech(duration_s, RATE_HZ, seed) * 20_000).astype("<i2").tobytes()


def at_rate(sound, rate_hz):
    samples = np.frombuffer(sound, "<i2").astype(np.float32)
    return soxr.resample(samples, RATE_HZ, rate_hz).astype("<i2").tobytes()


def feed(turns, sound, rate_hz=RATE_HZ, channels=1):
    """In chunks of 20 ms."""
    size = rate_hz // 50 * 2 * channels
    for place in range(0, len(sound), size):
        turns.push(sound[place : place + size], rate_hz, channels)


def test_a_turn_has_its_emotion_and_the_sound_before_it_is_short(turns):
    feed(turns, bytes(RATE_HZ * 2 * 3))
    turns.start()
    feed(turns, pcm(2.0))
    emotion = run_to_end(turns.end())
    assert emotion.end_s == pytest.approx(5.0)
    assert emotion.start_s == pytest.approx(3.0 - BEFORE_S, abs=0.03)
    assert emotion.guess == emotion.label == next(iter(emotion.scores))
    assert sum(emotion.scores.values()) == pytest.approx(1.0)
    assert emotion.to_dict()["scores"][0]["label"] == emotion.guess


def test_the_speaker_is_learnt_from_turn_to_turn(turns):
    answers = []
    for seed in (0, 1, 0):
        turns.start()
        feed(turns, pcm(2.0, seed))
        answers.append(run_to_end(turns.end()))
    assert dict(answers[0].scores) != dict(answers[2].scores)  # the same sound, by a voice that is known by now


def test_a_model_that_is_unsure_says_so_and_guesses(tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec(abstain_below=1.1))
    turns = Turns(tmp_path / "tiny.onnx")
    turns.start()
    feed(turns, pcm(2.0))
    emotion = run_to_end(turns.end())
    assert (emotion.label, emotion.abstained) == ("unsure", True)
    assert emotion.guess in tiny.LABELS


def test_no_turn_no_emotion_and_silence_is_no_emotion(turns):
    assert run_to_end(turns.end()) is None
    turns.start()
    feed(turns, bytes(RATE_HZ * 2))
    emotion = run_to_end(turns.end())
    assert (emotion.label, emotion.guess) == ("silence", "silence")


def test_a_long_turn_keeps_its_newest_minute_only(turns):
    turns.start()
    feed(turns, pcm(10.0) * 8)
    emotion = run_to_end(turns.end())
    assert emotion.end_s - emotion.start_s == pytest.approx(LONGEST_S, abs=0.03)


def test_two_channels_are_one_and_broken_bytes_are_refused(turns):
    turns.start()
    feed(turns, np.repeat(np.frombuffer(pcm(2.0), "<i2"), 2).tobytes(), channels=2)
    assert run_to_end(turns.end()).end_s == pytest.approx(2.0)
    with pytest.raises(AudioError, match="whole 16-bit samples"):
        turns.push(b"abc", RATE_HZ)
    for rate_hz, channels in ((0, 1), (RATE_HZ, 0)):
        with pytest.raises(AudioError, match="at least 1 Hz and 1 channel"):
            turns.push(bytes(320), rate_hz, channels)


def test_channels_in_opposite_phase_are_no_silence(turns, tmp_path):
    sound = np.frombuffer(pcm(2.0), "<i2")
    turns.start()
    feed(turns, sound.tobytes())
    plain = run_to_end(turns.end())
    stereo = Turns(tmp_path / "tiny.onnx")
    stereo.start()
    feed(stereo, np.stack([sound, -sound], axis=1).tobytes(), channels=2)
    emotion = run_to_end(stereo.end())
    assert emotion.guess != "silence"
    assert dict(emotion.scores) == pytest.approx(dict(plain.scores), abs=1e-4)


def test_what_is_only_overheard_is_left_out_where_it_is_no_sound_and_logged_once(turns, caplog):
    turns.start()
    for _ in range(3):
        turns.overhear(b"abc", RATE_HZ)
    turns.overhear(pcm(2.0), RATE_HZ)
    assert run_to_end(turns.end()).end_s == pytest.approx(2.0)
    assert [record.getMessage() for record in caplog.records if "left out" in record.getMessage()] == [
        "a frame is left out, and so are others like it: 3 bytes are no whole 16-bit samples of 1 channels"
    ]


def test_a_turn_whose_rate_changes_is_judged_as_one(turns, tmp_path):
    sound = pcm(4.0)
    half = len(sound) // 2
    turns.start()
    feed(turns, sound)
    plain = run_to_end(turns.end())
    changing = Turns(tmp_path / "tiny.onnx")
    changing.start()
    feed(changing, sound[:half])
    feed(changing, at_rate(sound[half:], 24_000), 24_000)
    emotion = run_to_end(changing.end())
    assert (emotion.start_s, emotion.end_s) == pytest.approx((0.0, 4.0), abs=0.03)
    assert dict(emotion.scores) == pytest.approx(dict(plain.scores), abs=0.02)


def test_a_sound_without_an_end_is_left_out_of_the_next_turn(turns):
    def turn_after(pause_s):
        turns.start()
        feed(turns, pcm(1.0))
        turns.pause()
        feed(turns, bytes(round(RATE_HZ * pause_s) * 2))
        turns.start()
        feed(turns, pcm(2.0))
        emotion = run_to_end(turns.end())
        return emotion.end_s - emotion.start_s

    assert turn_after(ABANDONED_S - 1) == pytest.approx(1.0 + ABANDONED_S - 1 + 2.0, abs=0.03)
    assert turn_after(ABANDONED_S + 1) == pytest.approx(BEFORE_S + 2.0, abs=0.03)


def test_the_loop_goes_on_while_the_model_runs(turns):
    async def ticks_while_judging():
        turns.start()
        feed(turns, pcm(10.0) * 5)
        answer, ticks = asyncio.ensure_future(turns.end()), 0
        while not answer.done():
            await asyncio.sleep(0.001)
            ticks += 1
        return ticks

    assert run_to_end(ticks_while_judging()) > 3
