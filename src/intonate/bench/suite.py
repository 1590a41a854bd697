"""A suite is data: which systems are trained on which corpora, under which protocols, and what was published of them.

    title: The published systems, rebuilt
    kind: compare
    corpora:
      ravdess: {labels: "8", random: random-80-20, disjoint: ravdess-6}
    systems:
      cnn1d:
        title: 1-D CNN (P3)
        recipe: ../cnn1d.yaml
        published: {"": WA 63.1, UA 56.7 on five corpora merged}

Kinds: `compare` trains every system on every corpus by both protocols; `cross` trains it on each corpus and asks it
about all; `disturb` trains it on each corpus and asks it about the test clips again, with noise laid over them;
`leave_out` trains it on several corpora together and says of each that was left out how it is recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from intonate.corpora import splits
from intonate.errors import RecipeError, SplitError, did_you_mean
from intonate.training import recipe_files
from intonate.training.recipe import sentence


class _SuitePart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Corpus(_SuitePart):
    """What is trained on, and how it is divided."""

    corpus: str = Field(default="", description="catalogue name; empty: the same as the key")
    together: dict[str, str] = Field(default={}, description="instead, several: catalogue name -> title")
    title: str = Field(default="", description="empty: the key")
    labels: str
    random: str = Field(default="", description="the papers' kind of split, in which speakers overlap")
    disjoint: str = Field(default="", description="a split in which they do not")
    random_seeds: list[int] = [0]
    disjoint_seeds: list[int] = [0]
    folds: list[int] = Field(default=[], description="of the disjoint split, from 1; empty for all")

    def names(self, key: str) -> list[str]:
        """Catalogue names of what is read for the key of a suite."""
        return list(self.together) or [self.corpus or key]


class System(_SuitePart):
    """One row of the table."""

    title: str
    recipe: str = Field(default="", description="from the folder of the suite, or a name; or empty, with `model`")
    members: list[str] = Field(default=[], description="other systems, whose average it is, instead of a recipe")
    model: str = Field(default="", description="a built-in model, instead of a recipe (kind: disturb)")
    published: dict[str, str] = Field(default={}, description="corpus, or '' for any other -> its figure, metric named")
    set: list[str] = Field(default=[], description="changes of the recipe, as for `intonate train --set`")
    habits: list[str] = Field(
        default=[], description="a row more, KEY-habits: with these changes, which give a plain recipe our own habits"
    )
    only: list[str] = Field(default=[], description="keys of `corpora`; empty for all")
    folds: dict[str, list[int]] = Field(
        default={}, description="key of `corpora` -> folds of its disjoint split, for what takes long to train"
    )
    seeds: list[int] = Field(default=[], description="instead of those of the corpora, as where nothing is drawn")
    heard: bool = Field(
        default=False, description="a row more: the scores on the very clips that it was trained on (random split)"
    )
    note: str = Field(default="", description="what must be known of its figures")
    missing: str = Field(default="", description="why it is listed and not trained")


class Disturb(_SuitePart):
    """What is laid over the test clips."""

    noises: str = Field(description="a folder of sounds, from the folder of the corpora")
    snr_db: list[float] = [20, 10, 5, 0]
    telephone: bool = True


class Suite(_SuitePart):
    title: str
    kind: Literal["compare", "cross", "disturb", "leave_out"] = "compare"
    about: list[str] = Field(default=[], description="sentences under the heading")
    data: str = Field(default="../shared/corpora", description="the folder that the corpora lie in, by their names")
    set: list[str] = Field(default=[], description="changes of every recipe, before those of its system")
    corpora: dict[str, Corpus]
    like: str = Field(default="", description="another suite of the same folder, whose systems are compared here too")
    systems: dict[str, System] = {}
    disturb: Disturb | None = None


def load(name: str | Path) -> tuple[Suite, Path]:
    """Read a suite by its path, or by the name of one that comes with the package.

    Returns:
        The suite, its recipes as absolute paths, and the file that it was read from.

    Raises:
        RecipeError: there is none, or it is not what a suite should be; the unknown key is named.
    """
    path = recipe_files.find(name, "suite")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"suite {path} is not YAML: {' '.join(str(error).split())}") from error
    try:
        suite = Suite.model_validate(raw)
    except ValidationError as error:
        raise RecipeError(f"suite {path}: {sentence(error, Suite)}") from error
    _check_corpora(suite, path)
    if suite.like:
        # Their folds belong to the other suite's corpora.
        other_systems = load(recipe_files.find(suite.like, "suite", path.parent))[0].systems
        copied_systems = {
            key: system.model_copy(update={"folds": {}, "only": []}) for key, system in other_systems.items()
        }
        suite = suite.model_copy(update={"systems": copied_systems | suite.systems})
    suite = suite.model_copy(update={"systems": _with_habits(suite.systems)})
    for key, system in suite.systems.items():
        if bool(system.recipe) + bool(system.members) + bool(system.model) != 1 and not system.missing:
            raise RecipeError(f"suite {path}: systems.{key} needs either a recipe, or members, or a model")
        earlier_keys = list(suite.systems)[: list(suite.systems).index(key)]
        for member in system.members:
            if member not in earlier_keys:
                raise RecipeError(
                    f"suite {path}: systems.{key}.members must stand before it; {did_you_mean(member, earlier_keys)}"
                )
    _check_titles(suite, path)
    systems = {
        key: _with_recipe_path(key, system.model_copy(update={"set": [*suite.set, *system.set]}), path)
        for key, system in suite.systems.items()
    }
    return suite.model_copy(update={"systems": systems}), path


def _check_corpora(suite: Suite, path: Path) -> None:
    """Systems speak of corpora that the suite has, splits are known ones, and have the folds that are named."""
    for key, system in suite.systems.items():
        for part, names in (("only", system.only), ("folds", system.folds), ("published", system.published)):
            for name in filter(None, names):
                if name not in suite.corpora:
                    raise RecipeError(
                        f"suite {path}: systems.{key}.{part}: {name!r} is no key of corpora; "
                        f"{did_you_mean(name, suite.corpora)}"
                    )
    for name, corpus in suite.corpora.items():
        folds_at = {f"systems.{key}.folds.{name}": system.folds.get(name, []) for key, system in suite.systems.items()}
        try:
            counts = [splits.fold_count(split) for split in (corpus.random, corpus.disjoint) if split]
        except SplitError as error:
            raise RecipeError(f"suite {path}: corpora.{name}: {error}") from None
        count = counts[-1] if corpus.disjoint else None
        for place, folds in (folds_at | {f"corpora.{name}.folds": corpus.folds}).items():
            for fold in folds:
                if not 1 <= fold <= (count or fold):
                    known = f"1 to {count}" if count else "1 and up"
                    raise RecipeError(f"suite {path}: {place}: there is no fold {fold} of {corpus.disjoint} ({known})")


def _check_titles(suite: Suite, path: Path) -> None:
    """Rows are told apart by the titles of system and corpus: no two may have the same."""
    cells: dict[tuple[str, str], str] = {}
    for key, system in suite.systems.items():
        for corpus_key in system.only or suite.corpora:
            corpus = suite.corpora[corpus_key]
            cell = f"systems.{key} on corpora.{corpus_key}"
            for title in corpus.together.values() if suite.kind == "leave_out" else [corpus.title or corpus_key]:
                if other_cell := cells.get((system.title, title)):
                    raise RecipeError(
                        f"suite {path}: {other_cell} and {cell} are both called {system.title!r}, {title!r}; "
                        "give one of them another title"
                    )
                cells[system.title, title] = cell


def _with_habits(systems: Mapping[str, System]) -> dict[str, System]:
    """The systems, and behind each that has `habits` the same with these."""
    expanded = {}
    for key, system in systems.items():
        expanded[key] = system.model_copy(update={"habits": []})
        if system.habits:
            changes = {"title": f"{system.title}, with our habits", "set": [*system.set, *system.habits], "habits": []}
            expanded[f"{key}-habits"] = system.model_copy(update=changes)
    return expanded


def _with_recipe_path(key: str, system: System, suite: Path) -> System:
    """The system with its recipe as an absolute path, so that it can be trained from wherever it was named."""
    if not system.recipe:
        return system
    try:
        file = recipe_files.find(system.recipe, "recipe", suite.parent)
    except RecipeError as error:
        raise RecipeError(f"suite {suite}: systems.{key}: {error}") from None
    return system.model_copy(update={"recipe": str(file.resolve())})
