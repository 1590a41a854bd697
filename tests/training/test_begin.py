"""Beginning with the weights of another run: what is taken, and who may not have been heard."""

import numpy as np
import pytest
import torch
import toy

from intonate.errors import RecipeError, SplitError
from intonate.models.compact import Compact
from intonate.recognizer.model_file import read_model
from intonate.training import begin
from intonate.training.fit import train

COLUMNS = {"mel": 40, "voice": 208}


def compact(classes):
    return Compact(classes, COLUMNS, **toy.SMALL)


@pytest.fixture(scope="module")
def first(toy_corpus, tmp_path_factory):
    """A run on three emotions that has kept its weights."""
    root = tmp_path_factory.mktemp("first")
    training = {"epochs": 1, "batch_size": 8, "average": 0, "keep_weights": True}
    return train(toy.recipe(root / "toy.yaml", toy_corpus, training=training), runs=root)


def test_weights_are_taken_by_name_and_outputs_by_label(first):
    folder = begin.check(str(first))
    kept = begin.load(folder)
    labels = ("angry", "boredom", "sad")
    network = compact(3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert begin.take_weights(network, labels, compact, folder) == len(before)
    after = network.state_dict()
    torch.testing.assert_close(after["project.0.weight"], kept["project.0.weight"])
    # The model knows angry, happy, neutral, sad; boredom begins as it was.
    torch.testing.assert_close(after["head.2.weight"][0], kept["head.2.weight"][0])
    torch.testing.assert_close(after["head.2.weight"][1], before["head.2.weight"][1])
    torch.testing.assert_close(after["head.2.weight"][2], kept["head.2.weight"][3])


def test_another_architecture_takes_what_fits_and_at_least_something(first):
    wider = Compact(4, COLUMNS, **toy.SMALL | {"width": 24})
    labels = ("angry", "happy", "neutral", "sad")
    taken = begin.take_weights(
        wider, labels, lambda classes: Compact(classes, COLUMNS, **toy.SMALL | {"width": 24}), first
    )
    assert 0 < taken < len(wider.state_dict())
    with pytest.raises(RecipeError, match="no weight in"):
        begin.take_weights(torch.nn.Linear(3, 4), labels, lambda classes: torch.nn.Linear(3, classes), first)


def test_a_recipe_begins_where_another_ended(first, toy_corpus, tmp_path):
    """Without a step that changes anything it answers as the other does."""
    training = {"epochs": 1, "batch_size": 8, "average": 0, "learning_rate": 1e-12, "begin_with": str(first)}
    run = train(toy.recipe(tmp_path / "toy.yaml", toy_corpus, training=training), runs=tmp_path)
    one, other = (read_model(folder / "fold1-seed0" / "model.onnx") for folder in (first, run))
    assert one.spec.inputs == other.spec.inputs
    rng = np.random.default_rng(0)
    feeds = {
        "mel": rng.normal(size=(1, 120, 40)).astype(np.float32),
        "mel_lengths": np.array([120]),
        "voice": rng.normal(size=(1, 208)).astype(np.float32),
    }
    # Only the running means of batch normalisation have moved.
    np.testing.assert_allclose(one.run(feeds), other.run(feeds), atol=0.15)


def test_who_is_to_be_tested_may_not_have_been_heard(first, toy_corpus, tmp_path):
    training = {"epochs": 1, "batch_size": 8, "average": 0, "begin_with": str(first)}
    recipe = toy.recipe(tmp_path / "toy.yaml", toy_corpus, training=training)
    with pytest.raises(SplitError, match=r"has heard folder/.* in its training"):
        train(recipe, ["data.folds=[3]"], runs=tmp_path)


def test_a_run_that_kept_nothing_is_refused(tmp_path, toy_corpus):
    (tmp_path / "run/fold1-seed0").mkdir(parents=True)
    with pytest.raises(RecipeError, match="keep_weights=true"):
        begin.check(str(tmp_path / "run"))
