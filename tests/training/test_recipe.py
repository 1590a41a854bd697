"""Recipes: what is refused, and how the sentence helps; overrides; the hash."""

from pathlib import Path

import pytest
import yaml

from intonate.errors import LabelError, RecipeError
from intonate.training import recipe_names
from intonate.training.fit_options import PLAIN
from intonate.training.recipe import load

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
SMALLEST = {
    "name": "small",
    "data": {"corpora": {"folder": "data"}, "labels": "4", "split": "speakers-4"},
    "inputs": {"mel": {"front_end": "log_mel"}},
    "model": {"name": "compact"},
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALLEST))
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_here_is_valid_and_short(path):
    recipe = load(path)
    assert recipe.name == path.stem
    recipe_names.check(recipe)
    assert len(path.read_text().splitlines()) <= 40


def test_the_defaults_are_filled_in(path):
    recipe = load(path)
    assert recipe.training.seeds == [0]
    assert recipe.data.clean[0]["step"] == "trim"
    assert recipe.pooling().window_s == 3.0


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epoch=3", ("'training.epoch'", "did you mean 'epochs'")),
        ("trainin.epochs=3", ("'trainin'", "did you mean 'training'")),
        ("data.lables=4", ("'data.lables'", "did you mean 'labels'")),
        ("inputs.mel.frontend=mfcc", ("'inputs.mel.frontend'", "did you mean 'front_end'")),
        ("inputs.mel.normalise.pror=3", ("'inputs.mel.normalise.pror'", "did you mean 'prior'")),
        ("card.license=MIT", ("'card.license'", "did you mean 'licence'")),
        ("training.epochs=0", ("training.epochs", "greater than or equal to 1", "0")),
        ("training.batch_size=0", ("training.batch_size", "greater than or equal to 1", "0")),
        ("training.seeds=[]", ("training.seeds", "at least 1 item", "[]")),
        ("training.seeds=[0,0]", ("training.seeds", "one seed stands there twice", "[0, 0]")),
        ("training.epochs=many", ("training.epochs", "'many'")),
        ("training.learning_rate=-1e-3", ("training.learning_rate", "-0.001")),
        ("training.keep=worst", ("training.keep", "'best' or 'last'", "'worst'")),
        ("data.folds=[1", ("--set data.folds=[1", "not YAML")),
        ("training.epochs", ("--set takes key=value",)),
        ("name.sub=3", ("'name' is a value",)),
    ],
)
def test_what_is_wrong_is_named_with_the_way_out(path, override, words):
    with pytest.raises(RecipeError) as caught:
        load(path, [override])
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plain_recipe_has_nothing_but_what_it_names(path):
    training = load(path, ["training.plain=true", "training.weight_decay=0.01", "training.warm_up=0.1"]).training
    named = {"weight_decay": 0.01, "warm_up": 0.1}
    assert {key: getattr(training, key) for key in PLAIN} == PLAIN | named
    assert not training.patience
    assert training.precision == "32"


def test_a_plain_recipe_that_is_kept_is_read_again_as_it_is(path, tmp_path):
    recipe = load(path, ["training.plain=true", "training.mixup=0.3"])
    (tmp_path / "kept.yaml").write_text(yaml.safe_dump(recipe.portable()))
    assert load(tmp_path / "kept.yaml").hash() == recipe.hash()
    assert recipe.hash() != load(path, ["training.mixup=0.3"]).hash()


def test_a_search_counts_in_epochs(path):
    space = "search={space: {training.learning_rate: [0.1, 0.2]}}"
    with pytest.raises(RecipeError, match=r"give training\.epochs in place of training\.steps"):
        load(path, [space, "training.steps=100"])


def test_a_missing_key_is_named(tmp_path):
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({key: SMALLEST[key] for key in ("name", "data", "inputs")}))
    with pytest.raises(RecipeError, match="'model' is missing"):
        load(tmp_path / "r.yaml")


@pytest.mark.parametrize(("text", "words"), [("- 1\n", "must hold keys"), ("a: [", "not YAML"), ("", "must hold keys")])
def test_what_is_no_recipe_is_said_to_be_none(tmp_path, text, words):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError, match=words):
        load(tmp_path / "r.yaml")


def test_an_absent_recipe(tmp_path):
    with pytest.raises(RecipeError, match="does not exist"):
        load(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("override", "found"),
    [
        ("training.learning_rate=1e-4", 1e-4),
        ("training.learning_rate=2E-3", 2e-3),
        ("training.learning_rate=0.5", 0.5),
        ("training.learning_rate=1", 1.0),
    ],
)
def test_numbers_as_people_write_them(path, override, found):
    assert load(path, [override]).training.learning_rate == found


def test_overrides_are_yaml_and_may_reach_what_is_not_there_yet(path):
    recipe = load(path, ["data.folds=[1, 2]", "inputs.mel.params.bands=40", "name=nan", "data.labels=7"])
    assert recipe.data.folds == [1, 2]
    assert recipe.inputs["mel"].params == {"bands": 40}
    assert recipe.name == "nan"
    assert recipe.data.labels == "7"


def test_the_hash_is_of_what_is_learnt_and_not_of_where_it_lies(path):
    plain = load(path).hash()
    assert len(plain) == 12
    assert load(path, ["data.corpora.folder=/somewhere/else"]).hash() == plain
    assert load(path, ["training.epochs=40"]).hash() == plain, "a default spelled out is the same recipe"
    assert load(path, ["training.epochs=41"]).hash() != plain
    assert load(path, ["data.corpora.tess=x"]).hash() != plain


def test_what_is_published_holds_no_absolute_path(path, tmp_path):
    raw = load(path, [f"data.corpora.folder={tmp_path}/mine", f"model.params.speech={tmp_path}/hubert"]).portable()
    assert raw["data"]["corpora"] == {"folder": "mine"}
    assert raw["model"]["params"] == {"speech": "hubert"}
    assert load(path, ["data.corpora.folder=../data"]).portable()["data"]["corpora"] == {"folder": "../data"}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.name=compakt", "did you mean 'compact'"),
        ("model.params.chanels=[1]", "did you mean 'channels'"),
        ("model.params.classes=3", "no 'classes'"),
        ("inputs.mel.front_end=logmel", "did you mean 'log_mel'"),
        ("inputs.mel.params.band=40", "did you mean 'bands'"),
        ("inputs.mel.augment.crops=40", "did you mean 'crop'"),
        ("inputs.mell.front_end=log_mel", "did you mean 'mel'"),
        ("pool.window=3", "did you mean 'window_s'"),
        ("data.clean=[{step: trimm}]", "did you mean 'trim'"),
    ],
)
def test_names_are_looked_up_before_anything_is_read(path, override, words):
    with pytest.raises(RecipeError, match=words):
        recipe_names.check(load(path, [override]))


def test_a_merge_is_looked_up_too(path):
    with pytest.raises(LabelError, match="'9' is not known"):
        recipe_names.check(load(path, ["data.labels=9"]))


def test_an_input_that_the_model_needs_is_asked_for(path):
    with pytest.raises(RecipeError, match="needs an input 'mel'"):
        recipe_names.check(load(path, ["inputs={voice: {front_end: voice_functionals}}"]))


def test_words_are_not_mixed(path):
    overrides = ["model.name=hubert_bert", "inputs={waveform: {front_end: waveform}, tokens: {front_end: tokens}}"]
    with pytest.raises(RecipeError, match=r"set training\.mixup to 0"):
        recipe_names.check(load(path, overrides))
    recipe_names.check(load(path, [*overrides, "training.mixup=0"]))


def test_a_manifest_takes_the_place_of_corpora_and_the_reverse(path):
    recipe = load(path, ["data.manifest=clips.csv"])
    assert (recipe.data.manifest, recipe.data.corpora) == ("clips.csv", {})
    recipe = load(path, ["data.manifest=clips.csv", "data.corpora={ravdess: elsewhere}"])
    assert (recipe.data.manifest, recipe.data.corpora) == ("", {"ravdess": "elsewhere"})
    assert load(path, ["data.manifest=''"]).data.corpora == {"folder": "data"}
