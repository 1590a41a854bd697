"""A voice model and a text model, asked together; and a text model asked alone."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from intonate import corpora
from intonate.errors import ModelError
from intonate.recognizer import builtin, inputs, late_fusion
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import Recognizer, load_model
from intonate.schema import ModelInput

RATE_HZ = 16_000
SENTENCE = "kids are talking by the door"
shares = st.lists(st.floats(1e-3, 1), min_size=3, max_size=3).map(lambda row: np.array([row]) / sum(row))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """`voice.onnx`, which hears, and `words.onnx`, which reads; its labels are in another order."""
    root = tmp_path_factory.mktemp("late")
    tiny.write(root / "voice.onnx", tiny.spec(name="voice", abstain_below=0.3))
    reads = (ModelInput("ids", "tokens", lengths="ids_lengths"),)
    spec = dataclasses.replace(
        tiny.token_spec(), name="words", inputs=reads, labels=tiny.LABELS[::-1], licence="MIT", languages=("en", "de")
    )
    tiny.write_reader(root / "words.onnx", spec)
    return root


@pytest.fixture(scope="module")
def voice(folder):
    return read_model(folder / "voice.onnx")


@pytest.fixture(scope="module")
def words(folder):
    return read_model(folder / "words.onnx")


@pytest.fixture(scope="module")
def both(folder):
    return load_model(f"{folder / 'voice.onnx'}+{folder / 'words.onnx'}")


@given(voice_scores=shares, text_scores=shares, weight=st.floats(0, 1))
def test_the_pool_is_a_probability_between_the_two(voice_scores, text_scores, weight):
    pooled = late_fusion.combine(voice_scores, text_scores, weight)
    assert pooled.sum() == pytest.approx(1)
    # Odds of any two labels lie between those of the two models.
    odds = [np.log(row[0, 0] / row[0, 1]) for row in (voice_scores, text_scores, pooled)]
    assert min(odds[:2]) - 1e-6 <= odds[2] <= max(odds[:2]) + 1e-6


@given(voice_scores=shares, text_scores=shares)
def test_the_ends_of_the_weight_are_one_model_alone(voice_scores, text_scores):
    np.testing.assert_allclose(late_fusion.combine(voice_scores, text_scores, 0.0), voice_scores, atol=1e-9)
    np.testing.assert_allclose(late_fusion.combine(voice_scores, text_scores, 1.0), text_scores, atol=1e-9)


def test_labels_are_matched_by_name(both, voice, words, folder):
    clip = (tiny.speech(2.0), RATE_HZ)
    voice_scores, text_scores = (
        load_model(folder / "voice.onnx").predict(clip),
        load_model(folder / "words.onnx").predict_text(SENTENCE),
    )
    answer = both.predict(clip, text=SENTENCE)
    product = {label: (voice_scores.scores[label] * text_scores.scores[label]) ** 0.5 for label in tiny.LABELS}
    assert answer.scores == pytest.approx({label: value / sum(product.values()) for label, value in product.items()})
    assert answer.scores != pytest.approx(voice_scores.scores, abs=1e-3)
    assert (answer.model, answer.transcript) == ("voice+words", SENTENCE)


def test_words_that_tell_nothing_change_no_order(folder, voice, words):
    """Probabilities that are only how often the text model met each label are no evidence."""
    (text_scores,) = words.run({"ids": np.array([[1, 2]]), "ids_lengths": np.array([2])})
    spec = dataclasses.replace(words.spec, prior=tuple(text_scores.tolist()))
    fused = Recognizer(late_fusion.fuse(voice, dataclasses.replace(words, spec=spec)))
    clip = (tiny.speech(2.0), RATE_HZ)
    voice_scores, answer = load_model(folder / "voice.onnx").predict(clip), fused.predict(clip, text="kids are")
    flat = {label: score**0.5 for label, score in voice_scores.scores.items()}
    assert answer.scores == pytest.approx({label: value / sum(flat.values()) for label, value in flat.items()})


def test_a_prior_of_another_length_is_refused(words, tmp_path):
    tiny.write_reader(tmp_path / "odd.onnx", dataclasses.replace(words.spec, prior=(0.5, 0.5)))
    with pytest.raises(ModelError, match="2 shares, for 7 labels"):
        read_model(tmp_path / "odd.onnx")


def test_without_a_text_the_voice_answers_as_it_does_alone(both, folder):
    clip = (tiny.speech(2.0), RATE_HZ)
    voice_alone = load_model(folder / "voice.onnx").predict(clip)
    for text in (None, ""):
        assert both.predict(clip, text=text).scores == pytest.approx(voice_alone.scores)
    events = both.stream(RATE_HZ, activity="energy").push(tiny.speech(4.0))
    assert any(event.scores for event in events)


def test_a_batch_of_both_lengths_is_answered_as_each_alone(both):
    clips = [(tiny.speech(seconds, seed=number), RATE_HZ) for number, seconds in enumerate((1.0, 2.5, 1.7))]
    together = list(both.predict_many(clips, text=SENTENCE))
    for clip, answer in zip(clips, together, strict=True):
        assert answer.scores == pytest.approx(both.predict(clip, text=SENTENCE).scores, abs=1e-6)


def test_what_is_said_of_both_is_true_of_both(both):
    spec = both.spec
    assert spec.labels == tiny.LABELS
    assert spec.languages == ("en",)
    assert spec.licence == "CC-BY-4.0 AND MIT"
    assert spec.scores == {}  # those of the voice alone are not theirs
    assert spec.abstain_below == 0.3
    assert not spec.text_required


def test_what_does_not_go_together_is_refused(folder, voice, words, tmp_path):
    with pytest.raises(ModelError, match="reads a text already"):
        late_fusion.fuse(words, voice)
    with pytest.raises(ModelError, match="the voice comes first"):
        late_fusion.fuse(voice, voice)
    with pytest.raises(ModelError, match="expected 0"):
        late_fusion.fuse(voice, words, 1.5)
    other = dataclasses.replace(words.spec, labels=(*tiny.LABELS[:6], "calm"))
    tiny.write_reader(tmp_path / "other.onnx", other)
    with pytest.raises(ModelError, match="labels must be the same"):
        late_fusion.fuse(voice, read_model(tmp_path / "other.onnx"))
    with pytest.raises(ModelError, match="neither built in nor a file"):
        load_model(f"{folder / 'voice.onnx'}+nobody")


def test_a_file_with_a_plus_in_its_name_is_that_file(folder, tmp_path):
    shutil.copy(folder / "voice.onnx", tmp_path / "a+b.onnx")
    assert load_model(tmp_path / "a+b.onnx").spec.name == "voice"


def test_the_way_is_named_where_a_voice_is_given_a_text(folder):
    with pytest.raises(ModelError, match=r"or ask the model voice\+text, which reads it as well"):
        load_model(folder / "voice.onnx").predict((tiny.speech(1.0), RATE_HZ), text=SENTENCE)


def test_words_alone(folder, both):
    reader = load_model(folder / "words.onnx")
    answer = reader.predict_text(SENTENCE, labels="valence")
    assert set(answer.scores) == {"negative", "neutral", "positive"}
    assert (answer.file, answer.segments, answer.transcript) == ("", (), SENTENCE)
    for nothing in ("  ", None):
        with pytest.raises(ModelError, match="nothing to read"):
            reader.predict_text(nothing)
    for model in (both, load_model(folder / "voice.onnx")):
        with pytest.raises(ModelError, match="listens"):
            model.predict_text(SENTENCE)


built_in = pytest.mark.skipif("text" not in builtin.names(), reason="the text model is not built in")


@built_in
def test_the_built_in_text_model_is_small_and_only_reads():
    path = builtin.path_of("text")
    spec = read_model(path).spec
    assert path.stat().st_size <= 8_000_000
    assert late_fusion.is_text_model(spec)
    assert spec.labels == load_model().spec.labels
    assert builtin.card_of("text").is_file()
    assert spec.licence == "Apache-2.0"


@built_in
def test_its_tokenizer_knows_pieces_of_words_and_nobody_by_name():
    import json

    vocabulary = json.loads(read_model(builtin.path_of("text")).spec.tokenizer)["model"]["vocab"]
    assert max(map(len, vocabulary)) <= 16
    assert not any(" " in piece or "/" in piece.strip("/") or "@" in piece.strip("@") for piece in vocabulary)


@built_in
@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("I love this, thank you so much!", "happy"),
        ("This makes me so angry.", "angry"),
        ("I am so scared right now.", "fear"),
        ("That is disgusting.", "disgust"),
        ("I miss her, I am heartbroken and sad.", "sad"),
        ("Wow, I did not expect that at all!", "surprise"),
        ("The meeting is on Tuesday.", "neutral"),
    ],
)
def test_it_reads_plain_words(text, emotion):
    answer = load_model("text").predict_text(text)
    assert (answer.label, answer.warnings) == (emotion, ())


@built_in
def test_few_english_comments_are_taken_for_unknown_words():
    """The figure that `inputs.MOST_PIECES` is told with."""
    root = Path(__file__).parents[3] / "shared" / "text" / "goemotions"
    if not (root / "test.tsv").is_file():
        pytest.skip(f"{root} is not there")
    comments = [row.text for row in corpora.read("goemotions", root).utterances if "test.tsv" in row.path]
    spec = load_model("text").spec
    assert round(np.mean([bool(inputs.unknown_words(spec, text)) for text in comments]), 2) == 0.02


@built_in
@pytest.mark.parametrize(
    "text", ["Ich bin so wütend, ich könnte schreien", "Estoy muy triste", "我很高兴", "asdf qwer"]
)
def test_words_that_are_not_known_are_told(text):
    (warning,) = load_model("text").predict_text(text).warnings
    assert warning == "few of these words are known to the model, which reads en: take the answer for a guess"


@built_in
def test_text_moves_the_voice_only_where_it_is_asked_to():
    clip = (tiny.speech(2.0), RATE_HZ)
    voice_alone, fused = load_model().predict(clip), load_model("compact+text").predict(clip, text="I love this!")
    assert fused.scores["happy"] > voice_alone.scores["happy"]
