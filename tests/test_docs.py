"""Every block of code on the documentation site is run, checked as a recipe, or says why it is not."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from intonate.recognizer import builtin

ROOT = Path(__file__).resolve().parents[1]
# All pages of the site but the README, whose blocks tests/test_readme.py runs.
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("[!.]*/README.md"))
    if path != ROOT / "README.md"
)
BLOCK = re.compile(
    r"(?:<!-- not run by the tests: (?P<reason>[^>]+) -->\s*)?^```(?P<language>[^\n]*)\n(?P<code>.*?)^```", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    page: Path
    language: str
    code: str
    reason: str | None


BLOCKS = [
    Block(page, match["language"], match["code"], match["reason"])
    for page in PAGES
    for match in BLOCK.finditer(page.read_text(encoding="utf-8"))
]
PYTHON = [block for block in BLOCKS if block.language == "python" and not block.reason]
RECIPES = [block for block in BLOCKS if block.language == "yaml" and not block.reason]


def name(block: Block) -> str:
    return f"{block.page.relative_to(ROOT)}: {block.code.splitlines()[0][:30]}"


def test_there_are_blocks_of_both_kinds() -> None:
    assert len(PYTHON) >= 5
    assert len(RECIPES) >= 5


@pytest.mark.parametrize("block", BLOCKS, ids=name)
def test_a_block_is_run_or_says_why_not(block: Block) -> None:
    # {directives} of the site's generator and plain text are no code.
    runs = block.language in ("python", "yaml", "text", "json") or block.language.startswith("{")
    assert runs or block.reason


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with what the examples name: a clip, and a table of predictions."""
    from intonate.evaluation import table

    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copy(ROOT / "examples/sad.flac", tmp_path / "clip.wav")
    kept = sorted((ROOT / "benchmarks/results/suites").rglob("*-disjoint.csv.gz"))[0]
    (tmp_path / "predictions.csv").write_bytes(gzip.decompress(kept.read_bytes()))
    assert len(table.read(tmp_path / "predictions.csv"))
    return tmp_path


@pytest.mark.parametrize("block", PYTHON, ids=name)
def test_python_runs(block: Block, place: Path) -> None:
    environment = os.environ | {"HOME": str(place), "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.code], cwd=place, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("block", RECIPES, ids=name)
def test_yaml_is_a_recipe_or_a_part_of_one(block: Block) -> None:
    from intonate.training.recipe import Recipe

    whole = yaml.safe_load((ROOT / "recipes/compact-ravdess.yaml").read_text(encoding="utf-8"))
    recipe = Recipe.model_validate(merged(whole, yaml.safe_load(block.code)))
    for steps in recipe.data.expand:
        assert all({"transform", "step"} & step.keys() for step in steps)


def merged(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The recipe with a part of it exchanged, key by key."""
    nested = {
        key: merged(whole[key], value)
        for key, value in part.items()
        if isinstance(value, dict) and isinstance(whole.get(key), dict) and key != "inputs"
    }
    return whole | part | nested


def test_the_example_of_a_new_model_has_a_name_that_is_free() -> None:
    from intonate import models

    page = (ROOT / "docs/add-a-model.md").read_text(encoding="utf-8")
    files = re.findall(r"^## \d\. The (?:file|line|recipe): `(.+)`$", page, re.M)
    lines = re.findall(r'^    "(\w+)": "intonate\.models\.', page, re.M)
    assert [path for path in files if (ROOT / path).exists()] == ["src/intonate/models/__init__.py"]
    assert (len(files), len(lines)) == (3, 1)
    assert not models.CATALOGUE.keys() & set(lines)


def test_the_reference_describes_every_public_name() -> None:
    import intonate

    page = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    described = {f"intonate.{name}" for name in intonate.__all__ if name != "IntonateError"} | {"intonate.errors"}
    assert described == set(re.findall(r":: (intonate\.\w+)$", page, re.M))


def test_pictures_are_small_and_made_of_something() -> None:
    from PIL import Image

    for path in (ROOT / "docs/pictures").glob("*.png"):
        assert path.stat().st_size < 150_000
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 5


def test_pictures_are_of_the_default_model() -> None:
    """Else make them anew: python docs/make_pictures.py MANIFEST.csv, of TESS."""
    model = hashlib.sha256(builtin.path_of(builtin.DEFAULT).read_bytes()).hexdigest()
    assert (ROOT / "docs/pictures/model.sha256").read_text().strip() == model


def test_the_memory_of_predict_is_what_was_measured() -> None:
    results = json.loads((ROOT / "benchmarks/results/reading.json").read_text(encoding="utf-8"))
    memory_mb = results["most memory of predict, MB"]
    mp3, flac = ([memory_mb[f"{minutes} min of {kind}"] for minutes in (10, 60, 180)] for kind in ("MP3", "FLAC"))
    told = "took {} MB at most for 10 minutes of MP3, {} for an hour, {} for three (FLAC {}, {} and {})"
    document = (ROOT / "docs/recordings.md").read_text(encoding="utf-8")
    assert told.format(*mp3, *flac) in " ".join(document.split())


def test_the_site_knows_every_page() -> None:
    configuration = (ROOT / "docs/conf.py").read_text(encoding="utf-8")
    for page in PAGES:
        assert f'"{page.relative_to(ROOT).with_suffix("")}"' in configuration, page


@pytest.mark.parametrize(("script", "command"), [("zoo", "zoo.py"), ("scale", "scale.py --write")])
def test_tables_are_what_their_scripts_write(script: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    for page, (marker, table) in importlib.import_module(script).TABLES.items():
        text = (ROOT / page).read_text(encoding="utf-8")
        assert with_markers(marker, table()) in text, f"run python benchmarks/{command}"


def with_markers(marker: str, table: str) -> str:
    return f"<!-- {marker} -->\n\n{table}\n\n<!-- /{marker} -->"
