"""What a recipe learns from: the utterances of its corpora or its manifest, and which of them have what is learnt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.markup import escape

from intonate import corpora
from intonate.corpora import manifest, sets, transcripts
from intonate.emotions import OWN, merge, merged_labels, target_of
from intonate.errors import RecipeError, did_you_mean
from intonate.schema import Utterance
from intonate.training import data, multi_label, ratings
from intonate.training.evaluated_rows import omission_notes
from intonate.training.recipe import Recipe

console = Console(stderr=True)


def read(recipe: Recipe) -> list[Utterance]:
    """Every utterance of its corpora, of its set of them, or of its manifest; says what is left out and why.

    Raises:
        RecipeError: it names neither corpora nor a manifest, or both.
        CorpusError: a corpus is not where the recipe says.
    """
    if bool(recipe.data.manifest) == bool(recipe.data.corpora):
        raise RecipeError("data needs either corpora (name: folder) or a manifest, and not both")
    if recipe.data.manifest:
        rows, notes = manifest.read_with_notes(recipe.data.manifest)
        for note in notes:
            console.print(f"[yellow]note[/] {escape(note)}", highlight=False)
        return transcripts.fill(rows, recipe.data.manifest) if recipe.reads() else rows
    if recipe.data.set:
        # What a set draws at random is part of the set, and not of a seed of the training.
        utterances, problems = sets.read(recipe.data.set, recipe.data.corpora, np.random.default_rng(0))
    else:
        readings = [corpora.read(name, root) for name, root in recipe.data.corpora.items()]
        utterances = [utterance for reading in readings for utterance in reading.utterances]
        problems = [problem for reading in readings for problem in reading.problems]
    for problem in problems:
        console.print(f"[yellow]left out[/] {problem}", highlight=False)
    return list(utterances)


def usable(recipe: Recipe, utterances: Sequence[Utterance]) -> tuple[Recipe, list[Utterance]]:
    """The recipe with the labels that it left open, and the rows that have what is learnt."""
    if recipe.task == "dimensions":
        return recipe, ratings.rows(utterances, recipe.data.ratings, recipe.data.labels)
    if recipe.task == "labels":
        rows = data.with_labels(utterances, recipe.data.labels)
        _refuse_empty_labels(recipe, rows, utterances)
        omitted = [row for row in utterances if target_of(row, recipe.data.labels) is None]
        for note in omission_notes(omitted):
            console.print(f"[yellow]note[/] {escape(note)}", highlight=False)
        return recipe, rows
    rows = multi_label.rows(utterances, recipe.data.manifest)
    recipe = recipe.having({"data.labels": recipe.data.labels or multi_label.merge_of(rows)})
    multi_label.check(rows, recipe.data.labels)
    return recipe, rows


def _refuse_empty_labels(recipe: Recipe, rows: Sequence[Utterance], utterances: Sequence[Utterance]) -> None:
    """Refuse labels of a recipe's own that no clip has, most of them misspelt, and one label that nothing is told from.

    A merge with a name is made for many corpora, of which few have all of its labels.
    """
    if not recipe.data.labels.startswith(OWN):
        return
    used = {target_of(row, recipe.data.labels) for row in rows}
    labels = merged_labels(recipe.data.labels)
    others = sorted({row.emotion for row in utterances} - set(merge(recipe.data.labels)))
    if empty := [label for label in labels if label not in used]:
        known = f"; {did_you_mean(empty[0], others)}" if others else "; leave it out"
        raise RecipeError(f"data.labels: no clip has the label {empty[0]!r}{known}")
    if len(labels) < 2:
        raise RecipeError(f"data.labels: {labels[0]!r} alone tells nothing apart; expected two labels at least")
