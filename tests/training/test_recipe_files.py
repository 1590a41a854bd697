"""Recipes and suites are named from any folder, and what is the user's comes first."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from intonate.bench import suite
from intonate.errors import RecipeError
from intonate.training import recipe_files
from intonate.training.recipe import load

ROOT = Path(__file__).parents[2]
RECIPE = "name: mine\ndata: {corpora: {tess: x}, labels: '7', split: tess-2}\ninputs: {}\nmodel: {name: svm}\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_name_is_found_from_any_folder():
    assert load("random-forest").model.name == "random_forest"
    assert suite.load("papers")[1] == recipe_files.PACKAGED / "suites" / "papers.yaml"


def test_every_recipe_has_a_name():
    assert recipe_files.names("recipe") == sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
    assert recipe_files.names("suite") == sorted(path.stem for path in (ROOT / "recipes/suites").glob("*.yaml"))


@pytest.mark.parametrize("place", ["svm", "svm.yaml", "recipes/svm.yaml"])
def test_a_file_of_the_users_comes_first(place, tmp_path):
    (tmp_path / "recipes").mkdir()
    (tmp_path / place).write_text(RECIPE)
    assert load("svm").name == "mine"


def test_a_name_in_the_users_own_folder_is_listed(tmp_path):
    (tmp_path / "recipes/suites").mkdir(parents=True)
    (tmp_path / "recipes/suites/ours.yaml").touch()
    assert {"ours", "papers"} <= set(recipe_files.names("suite"))


@pytest.mark.parametrize(
    ("kind", "name", "near"), [("recipe", "randm-forest", "random-forest"), ("suite", "paper", "papers")]
)
def test_a_missing_one_is_answered_with_the_nearest_name(kind, name, near):
    for given in (name, f"{name}.yaml", f"{kind}s/{name}.yaml"):
        with pytest.raises(RecipeError, match=f"^{kind} {given} does not exist.*did you mean '{near}'"):
            recipe_files.find(given, kind)


@pytest.mark.parametrize("folder", ["svm", "papers", "."])
@pytest.mark.parametrize("kind", ["recipe", "suite"])
def test_a_folder_is_no_recipe_even_where_a_packaged_one_has_its_name(kind, folder, tmp_path):
    (tmp_path / folder).mkdir(exist_ok=True)
    with pytest.raises(RecipeError, match=f"^{folder} is a folder, and a {kind} is one YAML file"):
        recipe_files.find(folder, kind)


def test_a_suite_of_the_users_may_name_packaged_recipes_and_be_like_a_packaged_suite(tmp_path):
    corpora = '{{tess: {{labels: "7", disjoint: tess-2}}}}'
    text = f"title: t\nlike: {{}}\ncorpora: {corpora}\nsystems: {{{{s: {{{{title: s, recipe: {{}}}}}}}}}}\n"
    (tmp_path / "ours.yaml").write_text(text.format("smoke", "knn"))
    systems = suite.load("ours")[0].systems
    assert {Path(system.recipe) for system in systems.values()} == {
        (recipe_files.PACKAGED / f"{name}.yaml").resolve() for name in ("knn", "random-forest", "cnn")
    }
    (tmp_path / "ours.yaml").write_text(text.format("smoke", "kn"))
    with pytest.raises(RecipeError, match=r"suite ours.yaml: systems.s: recipe kn does not exist.*did you mean 'knn'"):
        suite.load("ours")


def test_the_wheel_takes_the_folder_along():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    taken = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {name: (ROOT / name).is_dir() for name in taken} == {"recipes": True}
    assert taken["recipes"] == "intonate/recipes"
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert "!recipes" in ignored  # or the image could not be built


@pytest.mark.parametrize("command", ["train", "benchmark"])
def test_a_missing_one_is_answered_before_anything_heavy_is_imported(command):
    code = (
        "import sys\nfrom intonate.cli import app\n"
        f"try: app(['{command}', 'nothing-like-it'])\nexcept SystemExit as done: print(done.code)\n"
        "print(sorted({'torch', 'numpy', 'yaml', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT / "src")}
    )
    assert done.stdout.split("\n")[:2] == ["1", "[]"]
    assert "nothing-like-it does not exist" in done.stderr
