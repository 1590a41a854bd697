"""Words to logits: the tokenizer, padding, soft labels, and the way into a file that needs no torch."""

from pathlib import Path

import numpy as np
import pytest
import torch
import toy

from intonate.errors import RecipeError
from intonate.models.text_cnn import LONGEST_TOKENS, PADDING, SPECIAL, START, UNKNOWN, TextCNN
from intonate.recognizer.model_file import read_model
from intonate.schema import Utterance
from intonate.training import network, recipe
from intonate.training.data import ClipAnalysis, Examples, prepare, shares
from intonate.training.fit import train
from intonate.training.module import soft_targets

RECIPES = Path(__file__).parents[2] / "recipes"
TEXTS = ["I love it so much!", "I hate it", "[NAME] said it’s late", "so so late 😂😂😂😂😂"] * 5


@pytest.fixture(scope="module")
def tokenizer():
    return TextCNN.tokenizer(TEXTS, vocabulary=80, embedding=8)


def test_case_quotes_and_repetition_do_not_matter(tokenizer):
    def ids(text):
        return tokenizer.encode(text).ids

    assert ids("I LOVE IT") == ids("i love it")
    assert ids("it’s") == ids("it's")
    assert ids("sooooooo late!!!!!!") == ids("soooo late!!!")
    assert ids("said\n late") == ids("said late")
    assert ids("late") != ids("love")


def test_masked_names_are_one_token_and_no_text_is_empty(tokenizer):
    assert tokenizer.encode("[NAME] said").tokens[:2] == [START, "[NAME]"]
    assert tokenizer.encode("").tokens == [START]
    assert UNKNOWN in tokenizer.encode("漢").tokens
    assert tokenizer.token_to_id(PADDING) == 0


def test_the_same_texts_give_the_same_tokenizer(tokenizer):
    assert TextCNN.tokenizer(TEXTS, vocabulary=80).to_str() == tokenizer.to_str()


def test_what_is_long_is_cut_off(tokenizer):
    assert len(tokenizer.encode("late " * 500).ids) == LONGEST_TOKENS


def test_without_any_text_there_is_nothing_to_learn():
    with pytest.raises(RecipeError, match="no training row has a text"):
        TextCNN.tokenizer(["", ""])


def test_padding_changes_nothing():
    torch.manual_seed(0)
    net = TextCNN(3, {}, vocabulary=50, embedding=8, width=6).eval()
    few, many = torch.tensor([[2, 7, 9]]), torch.tensor([[2, 5, 6, 8, 11, 12]])
    with torch.no_grad():
        alone = net(few, torch.tensor([3]))
        together = net(
            torch.cat([torch.nn.functional.pad(few, (0, 3), value=7), many]), tokens_lengths=torch.tensor([3, 6])
        )
    torch.testing.assert_close(alone, together[:1])
    assert (together[0] - together[1]).abs().max() > 1e-3


def test_some_words_are_hidden_in_training_alone():
    net = TextCNN(3, {}, vocabulary=50, embedding=8, width=6, dropout=0.0, unknown=1.0)
    one, other = torch.tensor([[2, 7, 9]]), torch.tensor([[2, 8, 10]])
    lengths = torch.tensor([3])
    torch.testing.assert_close(net.train()(one, lengths), net(other, lengths))
    assert (net.eval()(one, lengths) - net(other, lengths)).abs().max() > 1e-4


def test_a_row_with_several_labels_teaches_each_its_share():
    rows = [
        Utterance("a.tsv#1", "happy", "joy,fear", "", "mine", text="x", soft_labels={"happy": 0.5, "fear": 0.5}),
        Utterance("a.tsv#2", "calm", "calm", "", "mine", text="y"),
    ]
    examples = prepare(rows, "7", _reading())
    assert isinstance(examples, Examples)
    found = shares(examples, "7")
    assert dict(zip(examples.labels, found[0].tolist(), strict=True)) == {
        **dict.fromkeys(("angry", "disgust", "neutral", "sad", "surprise"), 0.0),
        **{"fear": 0.5, "happy": 0.5},
    }
    assert found[1].argmax() == examples.labels.index("neutral")  # calm, merged
    allowed = torch.ones(2, 7, dtype=torch.bool)
    soft = soft_targets(torch.from_numpy(found), allowed, 0.07)
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(2))
    assert soft[0].max() == pytest.approx(0.5 * 0.93 + 0.01)


def _reading() -> ClipAnalysis:
    parts = recipe.Recipe.model_validate(
        {
            "name": "x",
            "data": {"labels": "7", "split": "published"},
            "inputs": {"tokens": {"front_end": "tokens"}},
            "model": {"name": "text_cnn"},
        }
    )
    from intonate.training.data import by_recipe

    return by_recipe(parts, lambda text: np.array([len(text)]))


def test_the_tokenizer_reads_the_training_part_alone(tmp_path, toy_corpus, monkeypatch):
    """From a recipe to a file: what is only said by validation and test speakers is no token."""
    told = []
    real = TextCNN.tokenizer
    monkeypatch.setattr(
        TextCNN, "tokenizer", staticmethod(lambda texts, **more: told.append(texts) or real(texts, **more))
    )
    source = toy.recipe(
        tmp_path / "toy.yaml",
        toy_corpus,
        data=toy.with_words(tmp_path / "words.csv", toy_corpus),
        inputs={"tokens": {"front_end": "tokens"}},
        model={"name": "text_cnn", "params": {"vocabulary": 60, "embedding": 4, "width": 4}},
        training={"epochs": 1, "batch_size": 8, "mixup": 0, "average": 0, "balance": False},
    )
    run = train(source, runs=tmp_path)
    # Four speakers: one is tested, one validates, two train, 12 clips each.
    assert [len(texts) for texts in told] == [24]
    spec = read_model(run / "fold1-seed0" / "model.onnx").spec
    assert spec.text_required
    assert spec.prior == (0.25,) * 4  # nothing was evened out, and there was nothing to even out
    assert spec.tokenizer == real(told[0], vocabulary=60).to_str()
    assert [item.lengths for item in spec.inputs] == ["tokens_lengths"]


def test_the_recipe_that_ships_is_understood():
    shipped = recipe.load(RECIPES / "text.yaml")
    assert shipped.name == "text"
    assert shipped.training.soft_labels
    assert network.wants_lengths(shipped, "tokens")
    assert len(SPECIAL) == len(set(SPECIAL))
