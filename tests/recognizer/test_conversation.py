"""Who speaks when: channel by channel, and in one channel; the answers are told by turn and by speaker."""

import itertools

import numpy as np
import pytest
import tiny

from intonate.errors import AudioError, IntonateError
from intonate.recognizer import voices
from intonate.recognizer.conversation import turns_of
from intonate.terminal import formats
from intonate.transcripts.recognisers import Transcriber, Word

RATE = 16_000


def silence(seconds):
    return np.zeros(round(seconds * RATE), np.float32)


@pytest.fixture(scope="module")
def call():
    """Left speaks in the first two seconds, right in the last two of five."""
    left = np.concatenate([tiny.speech(2.0, seed=5), silence(3.0)])
    right = np.concatenate([silence(3.0), tiny.speech(2.0, seed=1)])
    return np.stack([left, right], axis=1)


def test_each_channel_is_one_speaker(recognizer, call):
    answer = recognizer.predict((call, RATE), channels="each")
    assert [segment.speaker for segment in answer.segments] == ["Left", "Right"]
    left, right = answer.segments
    assert (left.start_s, left.end_s) == (pytest.approx(0, abs=0.3), pytest.approx(2, abs=0.4))
    assert (right.start_s, right.end_s) == (pytest.approx(3, abs=0.5), pytest.approx(5, abs=0.3))
    assert [speaker.name for speaker in answer.speakers] == ["Left", "Right"]
    for speaker, segment in zip(answer.speakers, answer.segments, strict=True):
        assert speaker.scores == pytest.approx(segment.scores)
    shape = answer.to_dict()
    assert [row["speaker"] for row in shape["segments"]] == ["Left", "Right"]
    assert [row["speaker"] for row in shape["speakers"]] == ["Left", "Right"]


def test_one_channel_alone(recognizer, call):
    right = recognizer.predict((call, RATE), channels="right")
    assert right.scores == pytest.approx(recognizer.predict((call[:, 1], RATE)).scores)
    assert recognizer.predict((call, RATE), channels=2).scores == pytest.approx(right.scores)


def test_a_channel_without_a_voice_is_said(recognizer, call):
    answer = recognizer.predict((np.stack([call[:, 0], 0 * call[:, 1]], axis=1), RATE), channels="each")
    assert [speaker.name for speaker in answer.speakers] == ["Left"]
    assert any("nobody speaks on channel 2" in warning for warning in answer.warnings)


def test_the_other_side_that_leaks_is_not_counted(recognizer, call):
    leaking = call + 0.05 * call[:, ::-1]
    answer = recognizer.predict((leaking, RATE), channels="each")
    assert [segment.speaker for segment in answer.segments] == ["Left", "Right"]
    assert any("another channel that leaks into it" in warning for warning in answer.warnings)


def test_words_that_leak_are_nobodys(recognizer, call):
    """Who recognises the words of a channel hears nothing where it is another channel that leaks into it."""

    def recognise(waveform, language):
        loud = [
            start for start in range(0, len(waveform), RATE // 2) if np.abs(waveform[start:][: RATE // 2]).max() > 0.01
        ]
        return [Word(f"word{start}", start / RATE, start / RATE + 0.5) for start in loud], "en"

    transcriber = Transcriber("stand-in", "1", recognise)
    clean, leaking = (
        recognizer.predict((sound, RATE), channels="each", transcribe=transcriber)
        for sound in (call, call + 0.05 * call[:, ::-1])
    )
    assert leaking.transcript == clean.transcript
    assert [segment.text for segment in leaking.segments] == [segment.text for segment in clean.segments]
    assert all(segment.text for segment in clean.segments)


@pytest.mark.parametrize("delay_s", [0.12, 0.3, 0.45])
def test_an_echo_of_the_other_side_is_not_counted(recognizer, call, delay_s):
    late = round(delay_s * RATE)
    echoing = call.copy()
    echoing[late:] += 0.2 * call[:-late, ::-1]
    answer = recognizer.predict((echoing, RATE), channels="each")
    assert [segment.speaker for segment in answer.segments] == ["Left", "Right"]
    assert sum("comes back as an echo" in warning for warning in answer.warnings) == 2


@pytest.mark.parametrize("change", [lambda x: x, lambda x: -x, lambda x: 0.5 * np.roll(x, 4000), lambda x: x + 0.2])
def test_one_sound_on_both_channels_is_one_person(recognizer, call, change):
    mono = call.sum(axis=1)
    answer = recognizer.predict((np.stack([mono, change(mono)], axis=1), RATE), channels="each")
    assert {segment.speaker for segment in answer.segments} == {"Left"}
    assert any("channels 1 and 2 hold the same sound" in warning for warning in answer.warnings)


def test_one_channel_is_one_person(recognizer, call):
    answer = recognizer.predict((call.sum(axis=1), RATE), channels="each")
    assert [speaker.name for speaker in answer.speakers] == ["Channel 1"]
    (warning,) = answer.warnings
    assert "has one channel, so it is answered as one person; people in one channel are told apart with" in warning
    assert not recognizer.predict((call, RATE), channels="each").warnings


def test_an_offset_and_a_hum_on_both_channels_are_no_common_sound(recognizer, call):
    hum = (0.1 + 0.1 * np.sin(2 * np.pi * 50 * np.arange(len(call)) / RATE)).astype(np.float32)
    answer = recognizer.predict((call + hum[:, None], RATE), channels="each")
    assert not any("the same sound" in warning for warning in answer.warnings)


def test_more_speakers_than_can_be_told_apart_are_said(recognizer, call):
    answer = recognizer.predict((call[: 2 * RATE, 0], RATE), speakers=3)
    found = len(answer.speakers)
    assert found < 3
    assert answer.warnings == (f"<array>: 3 speakers were asked for, and {found} could be told apart",)
    assert not recognizer.predict((call[: 2 * RATE, 0], RATE), speakers=found).warnings


@pytest.mark.parametrize("options", [{"channels": "each"}, {"speakers": "auto"}, {"speakers": 2}])
def test_nobody_speaks(recognizer, options):
    answer = recognizer.predict((np.zeros((2 * RATE, 2), np.float32), RATE), **options)
    assert (answer.label, answer.scores, answer.speakers) == ("silence", {}, ())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channels": "middle"}, "expected mix, left, right, each"),
        ({"channels": 3}, "2 channels, so there is no channel 3"),
        ({"speakers": "some"}, "expected auto"),
        ({"speakers": 0}, "expected auto"),
        ({"channels": "each", "speakers": 2}, "leave out the speakers"),
    ],
)
def test_impossible_choices(recognizer, call, options, words):
    with pytest.raises(AudioError, match=words):
        recognizer.predict((call, RATE), **options)


def test_several_speakers_are_not_the_same_speaker(recognizer, call):
    with pytest.raises(IntonateError, match="leave out one"):
        recognizer.predict_many([(call, RATE)], same_speaker=True, speakers=2)


def test_two_voices_far_apart_are_told_apart():
    """The same synthetic voice, and it an octave higher with shorter vocal tract: played at 1.6 times the rate."""
    low = [tiny.speech(2.5, seed=seed) for seed in (1, 2, 3)]
    high = [np.interp(np.arange(0, len(x) - 1, 1.6), np.arange(len(x)), x).astype(np.float32) for x in low]
    pieces = [piece for pair in zip(low, high, strict=True) for piece in (*pair,)]
    sound = np.concatenate([part for piece in pieces for part in (piece, silence(0.5))])
    truth = np.concatenate([np.full(len(piece) + RATE // 2, place % 2) for place, piece in enumerate(pieces)])[::160]
    speech = np.concatenate([np.repeat([True, False], [len(piece), RATE // 2]) for piece in pieces])[::160]
    found = voices.tell_apart(sound, RATE, speech, 2)
    assert len(found) == len(speech)
    assert np.mean(found[speech] == truth[speech]) > 0.9
    assert not voices.tell_apart(sound, RATE, speech, 1).any()


def test_how_strongly_somebody_speaks_tells_nobody_apart():
    """Stretches of two voices in two directions, some of them far out: the far ones are no voice of their own."""
    rng = np.random.default_rng(0)
    directions = np.zeros((2, 20))
    directions[0, 0] = directions[1, 1] = 1.0
    truth = np.repeat([0, 1, 0, 1, 0, 1], 8)
    strength = np.where(rng.random(len(truth)) < 0.5, 3.0, 12.0)
    vectors = directions[truth] * strength[:, None] + rng.normal(0, 0.5, (len(truth), 20))
    begins = [place % 8 == 0 for place in range(len(truth))]
    found = voices._speaker_path(vectors, np.ones(len(truth)), begins, 2)
    assert (found == truth).all() or (found == 1 - truth).all()


def test_turns_go_on_through_short_pauses():
    speech, speakers = np.zeros(1000, bool), np.zeros(1000, int)
    for first, last, speaker in ((0, 200, 0), (250, 400, 0), (420, 600, 1), (800, 900, 1)):
        speech[first:last], speakers[first:last] = True, speaker
    turns = turns_of(speech, speakers, ["A", "B"], 10.0)
    assert [turn.speaker for turn in turns] == ["A", "B", "B"]
    assert [turn.start_s for turn in turns] == pytest.approx([0, 4.0, 7.8], abs=0.21)
    assert all(before.end_s <= after.start_s + 0.21 for before, after in itertools.pairwise(turns))


def test_subtitles_tell_who_speaks(recognizer, call):
    answer = recognizer.predict((call, RATE), channels="each")
    layout = formats.Layout(tiny.LABELS, speakers=True)
    text = {style: "".join(write([answer], layout)) for style, write in formats.FORMATS.items()}
    assert text["vtt"].startswith("WEBVTT\n\n00:00:00.")
    assert "<v Left>" in text["vtt"]
    assert "\nRight: " in text["srt"]
    rows = [line.split() for line in text["rttm"].splitlines()]
    assert [row[7] for row in rows] == ["Left", "Right"]
    assert all(len(row) == 10 and row[0] == "SPEAKER" and float(row[4]) > 0 for row in rows)
    assert text["csv"].splitlines()[1].endswith(",Left")
