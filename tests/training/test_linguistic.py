"""Features of words beside the sound and alone, from a recipe to the answers of a file."""

import dataclasses
import json

import pytest
import toy

from intonate.errors import ModelError, RecipeError
from intonate.export.card import card
from intonate.recognizer import late_fusion
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import load_model
from intonate.training.fit import train

pytestmark = pytest.mark.usefixtures("every_sound_is_speech")

FRAMES = {"front_end": "mfcc", "params": {"coefficients": 13}, "normalise": {"kind": "corpus"}}
WORDS = {"front_end": "linguistic", "normalise": {"kind": "corpus", "clip": 5}}
KINDS = {
    "both": {
        "inputs": {"frames": FRAMES, "linguistic": WORDS},
        "model": {"name": "cnn", "params": {"channels": [8, 8]}},
    },
    "words": {"inputs": {"linguistic": WORDS}, "model": {"name": "logistic_regression"}},
}
PLAIN = {"plain": True, "epochs": 30, "batch_size": 8}


def recipe(root, corpus, kind, **parts):
    return toy.recipe(root / f"{kind}.yaml", corpus, name=kind, training=PLAIN, **KINDS[kind], **parts)


@pytest.fixture(scope="module", params=sorted(KINDS))
def trained(request, toy_corpus, tmp_path_factory):
    """(kind, folder of the fit), on a corpus in which the words tell the emotion."""
    root = tmp_path_factory.mktemp(request.param)
    data = toy.with_words(root / "words.csv", toy_corpus)
    return request.param, train(recipe(root, toy_corpus, request.param, data=data), runs=root) / "fold1-seed0"


def test_it_goes_by_the_words(trained, toy_corpus):
    kind, folder = trained
    recognizer, clip = load_model(folder), next(toy_corpus.rglob("*.wav"))
    assert recognizer.spec.text_required
    answers = [
        recognizer.predict_text(words) if kind == "words" else recognizer.predict(clip, text=words)
        for words in map(toy.words, toy.MANNER)
    ]
    guesses = [answer.guess for answer in answers]
    assert guesses == list(toy.MANNER) if kind == "words" else len(set(guesses)) > 1


def test_its_card_says_what_it_is_given(trained):
    kind, folder = trained
    spec = read_model(folder / "model.onnx").spec
    row = {"group": "all", "name": "all", "clips": 12, "speakers": 1, "statistics": "clip alone"}
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    row |= {"uar": figure, "uar_restricted": figure, "accuracy": figure}
    spec = dataclasses.replace(spec, scores={"held_out_speakers": [row], "unseen_corpora": []})
    text = card(spec, json.loads((folder / "run.json").read_text()), 10_000)
    if kind == "both":
        assert "It reads what is said as well" in text
    else:
        assert "counts and scores of words (`linguistic`)" in text
        assert "the same sentences with every emotion, words tell nothing" in text
        assert "GoEmotions (Demszky" not in text


def test_without_words_it_says_that_it_needs_them(trained, toy_corpus):
    with pytest.raises(ModelError, match="needs the words as well: give them with --text"):
        load_model(trained[1]).predict(next(toy_corpus.rglob("*.wav")))


def test_beside_a_voice_only_what_takes_the_words_themselves_can_stand(trained):
    kind, folder = trained
    match = "takes counts and scores of words" if kind == "words" else "is no text model"
    with pytest.raises(ModelError, match=match):
        late_fusion.fuse(read_model(late_fusion.builtin.path_of("compact")), read_model(folder / "model.onnx"))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_corpus_without_words_is_refused_before_anything_is_heard(kind, toy_corpus, tmp_path):
    with pytest.raises(RecipeError, match="no row has a text; fill the text column"):
        train(recipe(tmp_path, toy_corpus, kind), runs=tmp_path)


@pytest.mark.parametrize(
    ("front_end", "match"),
    [
        ({"front_end": "linguistc"}, "front end 'linguistc' is not known; did you mean 'linguistic'"),
        ({"front_end": "pooled", "params": {"of": "linguistic"}}, "front end 'linguistic' is not known"),
    ],
)
def test_words_are_no_sound_and_a_name_that_is_near_is_offered(front_end, match, toy_corpus, tmp_path):
    path = toy.recipe(tmp_path / "r.yaml", toy_corpus, inputs={"words": front_end}, model=KINDS["words"]["model"])
    with pytest.raises(RecipeError, match=match):
        train(path, runs=tmp_path)


def test_an_unknown_parameter_is_named(toy_corpus, tmp_path):
    inputs = {"linguistic": WORDS | {"params": {"language": "de"}}}
    path = toy.recipe(tmp_path / "r.yaml", toy_corpus, inputs=inputs, model={"name": "logistic_regression"})
    with pytest.raises(RecipeError, match=r"inputs.linguistic.params has no 'language'"):
        train(path, runs=tmp_path)
