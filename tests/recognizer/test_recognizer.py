"""Sound in, a Prediction out; or one sentence."""

import copy
import dataclasses
import io
import pickle
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intonate import load_model
from intonate.audio.decode import Sound
from intonate.emotions import MERGES
from intonate.errors import AudioError, IntonateError, LabelError, ModelError
from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer.recognizer import Failure
from intonate.schema import Prediction

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def speech():
    return tiny.speech(3.0)


@pytest.fixture
def clip(tmp_path, speech):
    path = tmp_path / "clip.wav"
    soundfile.write(path, speech, RATE_HZ, subtype="FLOAT")
    return path


def test_every_kind_of_source_gives_one_answer(recognizer, clip, speech):
    answers = [recognizer.predict(source) for source in (clip, str(clip), clip.read_bytes(), (speech, RATE_HZ))]
    with clip.open("rb") as file:
        answers.append(recognizer.predict(file))
    assert {tuple(answer.scores.items()) for answer in answers} == {tuple(answers[0].scores.items())}
    assert [answer.file for answer in answers] == [str(clip), str(clip), "", "", str(clip)]


def test_a_prediction_is_complete(recognizer, speech):
    answer = recognizer.predict((speech, RATE_HZ))
    assert set(answer.scores) == set(tiny.LABELS)
    assert list(answer.scores.values()) == sorted(answer.scores.values(), reverse=True)
    assert sum(answer.scores.values()) == pytest.approx(1)
    assert answer.label == next(iter(answer.scores))
    assert answer.model == "tiny"
    (whole,) = answer.segments
    assert (whole.start_s, whole.end_s, whole.label) == (0.0, 3.0, answer.label)


def test_the_model_is_what_answers(tmp_path, recognizer, speech):
    """Front end, normalisation, graph and temperature by hand, without the recognizer."""
    from intonate.audio.clean import clean
    from intonate.features.normalise import normalise
    from intonate.features.spectral import log_mel

    spec = recognizer.spec
    mel = log_mel(clean(speech, RATE_HZ, spec.clean), RATE_HZ, bands=tiny.BANDS)
    weights = np.random.default_rng(0).normal(size=(tiny.BANDS, len(tiny.LABELS))).astype(np.float32)
    logits = normalise(mel, spec.inputs[0].normalisation).mean(axis=0) @ weights / spec.temperature
    wanted = np.exp(logits) / np.exp(logits).sum()
    scores = recognizer.predict((speech, RATE_HZ)).scores
    np.testing.assert_allclose([scores[label] for label in tiny.LABELS], wanted, rtol=1e-3)


def test_abstaining_keeps_the_best_guess(tmp_path, speech):
    tiny.write(tmp_path / "m.onnx", tiny.spec(abstain_below=0.999))
    answer = load_model(tmp_path / "m.onnx").predict((speech, RATE_HZ))
    assert answer.abstained
    assert answer.shown_label == answer.segments[0].label == "unsure"
    assert answer.guess == answer.segments[0].guess == next(iter(answer.scores)) in tiny.LABELS


def test_silence_is_not_neutral(recognizer):
    answer = recognizer.predict((np.zeros(RATE_HZ * 2, np.float32), RATE_HZ))
    assert (answer.label, answer.scores, answer.abstained) == ("silence", {}, False)
    assert not answer.segments[0].speech


def test_a_long_recording_has_a_timeline(recognizer, speech):
    pause = np.zeros(RATE_HZ * 6, np.float32)
    answer = recognizer.predict((np.concatenate([speech, speech, pause, speech]), RATE_HZ))
    assert answer.segments[-1].end_s == 15.0
    silent = [segment for segment in answer.segments if not segment.speech]
    assert [(segment.start_s, segment.end_s) for segment in silent] == [(6.0, 12.0)]


@pytest.mark.parametrize(("length_s", "whole"), [(5.9, False), (8.0, True)])
def test_a_timeline_leaves_the_answer_of_what_is_answered_whole(tmp_path, length_s, whole):
    tiny.write(tmp_path / "m.onnx", tiny.spec(regions=tiny.REGIONS, distances=(0.0, 50.0, 100.0)))
    recognizer = load_model(tmp_path / "m.onnx")
    recording = (np.concatenate([tiny.speech(length_s - 2.0), np.zeros(2 * RATE_HZ, np.float32)]), RATE_HZ)
    for options in ({}, {"same_speaker": True}):
        (plain,) = recognizer.predict_many([recording], whole=whole, **options)
        (answer,) = recognizer.predict_many([recording], whole=whole, timeline=True, **options)
        assert len(answer.segments) > 1 == len(plain.segments)
        assert answer.segments[-1].end_s == length_s
        assert answer.familiarity is not None
        assert dataclasses.replace(answer, segments=plain.segments) == plain


def test_a_timeline_counts_a_short_recording_once_in_its_speaker(recognizer, speech):
    plain, answered = SpeakerStatistics(), SpeakerStatistics()
    recognizer.predict((speech, RATE_HZ), speaker=plain)
    recognizer.predict((speech, RATE_HZ), speaker=answered, timeline=True)
    name = recognizer.spec.inputs[0].name
    assert answered.get(name).count == plain.get(name).count


def test_labels_are_merged_by_summing(recognizer, speech):
    plain = recognizer.predict((speech, RATE_HZ)).scores
    merged = recognizer.predict((speech, RATE_HZ), labels="p4-4").scores
    assert set(merged) == set(MERGES["p4-4"].values())
    assert merged["sadness"] == pytest.approx(plain["sad"] / (1 - plain["neutral"]))
    with pytest.raises(LabelError, match="did you mean 'p4-4'"):
        recognizer.predict((speech, RATE_HZ), labels="p4-5")


def test_many_is_each_and_a_bad_one_does_not_stop_the_rest(recognizer, clip, tmp_path):
    others = [(tiny.speech(length_s, seed=seed), RATE_HZ) for seed, length_s in enumerate((1.3, 7.0, 2.2, 0.7))]
    (tmp_path / "bad.wav").write_text("no audio")
    sources = [clip, others[0], tmp_path / "bad.wav", ([[0.1, 0.2], [0.3]], RATE_HZ), *others[1:]]
    answers = list(recognizer.predict_many(sources, batch_size=4))
    assert [isinstance(answer, Failure) for answer in answers] == [False, False, True, True, False, False, False]
    assert answers[2].to_dict() == {"file": str(tmp_path / "bad.wav"), "error": answers[2].error}
    for source, answer in zip(sources[:2] + sources[4:], answers[:2] + answers[4:], strict=True):
        alone = recognizer.predict(source)
        assert answer.file == alone.file
        assert answer.scores == pytest.approx(alone.scores, abs=1e-6)


def test_equal_lengths_only_are_batched_where_padding_matters(tmp_path, clip):
    tiny.write(tmp_path / "m.onnx", tiny.spec(batching="equal_length"))
    recognizer = load_model(tmp_path / "m.onnx")
    shapes = []
    run = recognizer._model.session.run
    recognizer._model.session.run = lambda names, feeds: shapes.append(feeds["mel"].shape[0]) or run(names, feeds)
    sources = [(tiny.speech(length_s), RATE_HZ) for length_s in (2.0, 1.0, 2.0, 2.0)]
    answers = list(recognizer.predict_many(sources))
    assert sorted(shapes) == [1, 3]
    assert answers[0].scores == answers[2].scores != answers[1].scores


def test_same_speaker_uses_what_all_the_files_tell(recognizer):
    sources = [(tiny.speech(2.0, seed=seed), RATE_HZ) for seed in range(4)]
    alone = [answer.scores for answer in recognizer.predict_many(sources)]
    together = [answer.scores for answer in recognizer.predict_many(sources, same_speaker=True)]
    backwards = [answer.scores for answer in recognizer.predict_many(sources[::-1], same_speaker=True)][::-1]
    assert together != alone
    for one, other in zip(together, backwards, strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_a_person_of_one_mood_is_told(recognizer):
    moods = {}
    for seed in range(30):
        sound = (tiny.speech(2.0, seed=seed), RATE_HZ)
        moods.setdefault(recognizer.predict(sound).guess, []).append(sound)
    one, *_ = alike = max(moods.values(), key=len)[:3]
    assert len(alike) == 3
    assert len(moods) > 1
    mixed = [sound for sounds in moods.values() for sound in sounds[:2]]
    for sources, is_told in (([one], False), (alike, True), (mixed, False)):
        for answer in recognizer.predict_many(sources, same_speaker=True):
            assert any("sound alike" in warning for warning in answer.warnings) is is_told
        assert not any(answer.warnings for answer in recognizer.predict_many(sources))


def test_a_speaker_is_remembered_from_one_call_to_the_next(recognizer):
    first, second = ((tiny.speech(2.0, seed=seed), RATE_HZ) for seed in range(2))
    speaker = SpeakerStatistics()
    assert recognizer.predict(first, speaker=speaker).scores == recognizer.predict(first).scores
    assert recognizer.predict(second, speaker=speaker).scores != recognizer.predict(second).scores
    heard = speaker.get("mel")
    recognizer.predict(first)
    assert speaker.get("mel") is heard


def test_text(text_model, speech):
    recognizer = load_model(text_model)
    with pytest.raises(ModelError, match="--text"):
        recognizer.predict((speech, RATE_HZ))
    answer = recognizer.predict((speech, RATE_HZ), text="kids are talking")
    other = recognizer.predict((speech, RATE_HZ), text="by the door")
    assert answer.transcript == "kids are talking"
    assert answer.scores != other.scores
    many = list(recognizer.predict_many([(speech, RATE_HZ), (tiny.speech(1.0), RATE_HZ)], text="kids are talking"))
    assert many[0].scores == pytest.approx(answer.scores, abs=1e-6)


def test_text_for_a_model_that_only_hears(recognizer, speech):
    with pytest.raises(ModelError, match="takes no text"):
        recognizer.predict((speech, RATE_HZ), text="hello")


def test_hours_take_no_more_memory_than_minutes(recognizer, tmp_path, speech):
    """Two minutes more are 7.7 MB more at 16 kHz float32; read in blocks they need none of that."""
    recognizer.predict((speech, RATE_HZ))
    peaks = []
    for minutes in (1, 3):
        path = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as file:
            for _ in range(20 * minutes):
                file.write(speech)
        tracemalloc.start()
        answer = recognizer.predict(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert answer.segments[-1].end_s == 60.0 * minutes
    assert peaks[1] < peaks[0] + 1e6, peaks


def wav(samples, rate_hz=RATE_HZ, subtype="PCM_16"):
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format="WAV", subtype=subtype)
    return out.getvalue()


WHOLE = wav(tiny.speech(2.0))
ODD = {
    "96 kHz": (wav(tiny.speech(2.0, 96_000), 96_000), "answer"),
    "8 channels": (wav(np.tile(tiny.speech(2.0)[:, None], (1, 8))), "answer"),
    "24 bit": (wav(tiny.speech(2.0), subtype="PCM_24"), "answer"),
    "8 bit": (wav(tiny.speech(2.0), subtype="PCM_U8"), "answer"),
    "truncated": (WHOLE[: len(WHOLE) // 2], "answer"),
    "all zero": (wav(np.zeros(RATE_HZ)), "silence"),
    "one sample": (wav(np.ones(1)), "silence"),
    "empty": (b"", "empty"),
    "zero length": (wav(np.zeros(0)), "no samples"),
    "header only": (WHOLE[:20], "damaged|not audio"),
    "text": (b"I am a text and no sound at all.\n" * 20, "not audio"),
    "NaN": (wav(np.full(RATE_HZ, np.nan), subtype="FLOAT"), "not finite"),
    "infinite": (wav(np.full(RATE_HZ, np.inf), subtype="FLOAT"), "not finite"),
}


@pytest.mark.parametrize(("content", "expected"), ODD.values(), ids=ODD.keys())
def test_odd_sounds(recognizer, tmp_path, content, expected):
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    if expected in ("answer", "silence"):
        label = recognizer.predict(path).label
        assert (label == "silence") == (expected == "silence")
    else:
        with pytest.raises(AudioError, match=expected) as caught:
            recognizer.predict(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_missing_file(recognizer):
    with pytest.raises(AudioError, match="does not exist"):
        recognizer.predict("no/such.wav")


def answers_or_says_why(recognizer, source):
    try:
        answer = recognizer.predict(source)
    except IntonateError as error:
        message = str(error)
        assert_one_sentence(message)
        return
    assert isinstance(answer, Prediction)
    assert answer.scores == {} or sum(answer.scores.values()) == pytest.approx(1)


def assert_one_sentence(message):
    assert message
    assert "\n" not in message


SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SETTINGS
@given(
    length=st.integers(0, 20_000),
    channels=st.integers(0, 4),
    dtype=st.sampled_from(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "?", "c8", "O", "U3"]),
    rate_hz=st.one_of(st.integers(-1, 200_000), st.sampled_from([8000, 16_000, 44_100, 1.5, float("nan"), None])),
    scale=st.sampled_from([0.0, 1e-30, 0.1, 1.0, 1e4, 1e30, np.inf, np.nan]),
    seed=st.integers(0, 9),
)
@pytest.mark.filterwarnings("ignore:invalid value encountered", "ignore:overflow encountered")
def test_fuzz_arrays(recognizer, length, channels, dtype, rate_hz, scale, seed):
    noise = np.random.default_rng(seed).normal(size=(length, channels) if channels else length)
    # Bursts and pauses pass for speech, so that the model is reached.
    noise *= (np.arange(length) // 1500 % 2).reshape(-1, *[1] * (noise.ndim - 1))
    with np.errstate(all="ignore"):
        samples = (noise * scale).astype(dtype)
    answers_or_says_why(recognizer, (samples, rate_hz))


@SETTINGS
@given(
    places=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=12),
    header=st.lists(st.tuples(st.integers(0, 43), st.integers(0, 255)), max_size=4),
    keep=st.integers(0, len(WHOLE)),
)
def test_fuzz_wav_bytes(recognizer, places, header, keep):
    content = bytearray(WHOLE)
    for place, value in places + header:
        content[place] = value
    answers_or_says_why(recognizer, bytes(content[:keep]))


@SETTINGS
@given(content=st.binary(max_size=300))
def test_fuzz_bytes(recognizer, content):
    answers_or_says_why(recognizer, content)


@pytest.mark.parametrize(
    "source",
    [
        *("clip.wav", b"RIFF", Path("clip.wav"), Sound("clip.wav"), io.BytesIO(b"RIFF")),
        *((np.zeros(9), RATE_HZ), (np.zeros(9), np.int32(RATE_HZ)), (RATE_HZ, np.zeros(9))),
    ],
    ids=lambda source: type(source).__name__,
)
def test_one_recording_is_not_many(recognizer, source):
    with pytest.raises(AudioError, match="takes a list of recordings and was given one"):
        recognizer.predict_many(source)


@pytest.mark.parametrize("size", [None, 0, 2.5])
def test_a_batch_has_a_size(recognizer, size):
    with pytest.raises(AudioError, match=f"batch_size is {size}, expected a whole number from 1 on"):
        recognizer.predict_many([], batch_size=size)


def test_a_copy_opens_its_model_again(tmp_path, tiny_model):
    first = load_model(tiny_model, threads=2)
    for copied in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        assert copied.predict((tiny.speech(2), RATE_HZ)) == first.predict((tiny.speech(2), RATE_HZ))
        assert copied._model.session.get_session_options().intra_op_num_threads == 2
    assert repr(first) == f"<Recognizer of 'tiny': {', '.join(tiny.LABELS)}>"
    assert repr(first.stream(RATE_HZ)).startswith("<Stream of 'tiny': angry, ")
    assert repr(first.stream(RATE_HZ, plain=True)).startswith("<PlainStream of 'tiny': angry, ")
    content = pickle.dumps(load_model(shutil.copy(tiny_model, tmp_path / "gone.onnx")))
    (tmp_path / "gone.onnx").unlink()
    with pytest.raises(ModelError, match=r"gone\.onnx does not exist"):
        pickle.loads(content)
