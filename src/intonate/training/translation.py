"""Clips of several labelled corpora, made to sound like another corpus, and trained on: synthetic clips of a target.

translate: {name: cyclegan}                         # into the corpus that the split leaves out, heard without labels
translate: {name: cyclegan, to: emodb, fill: true}  # into a corpus that is trained on, as many as its classes lack

What is translated is the vector that a clip's front end gave, normalised, or each row of it (of `windows`: a segment);
what comes out lies beside the recordings in the training part, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from intonate.corpora.overlap import Indices, Split
from intonate.errors import RecipeError
from intonate.features.normalise import normalise
from intonate.schema import ModelInput
from intonate.training import translation_report, translators
from intonate.training.data import Examples
from intonate.training.recipe import Recipe, Translate
from intonate.training.translators import Float, Speech

# Tell what filling, and what the principal components are of, from all else that is drawn from a seed.
FILL, AXES = 2, 3
# Clips that the principal components are computed from.
AXES_CLIPS = 2000


def extend(
    recipe: Recipe, examples: Examples, split: Split, inputs: Sequence[ModelInput], seed: int, folder: Path
) -> tuple[Examples, Split, dict[str, Any]]:
    """The examples with translated clips after all others, and the split with these in its training part.

    Labels of the target are never read, but for how many clips each class lacks (`fill`) where it is trained on.

    Args:
        recipe: whose `translate` says how.
        examples: all clips.
        split: its training part is translated, its unlabelled part is the target if the recipe names none.
        inputs: with the normalisation measured on the training part.
        seed: of all that is drawn.
        folder: of the fit; what the translation did goes into its `translation.json`.

    Returns:
        examples, split, and facts for run.json.

    Raises:
        RecipeError: there is no target, or nothing to translate; or the input is none that can be translated.
    """
    options = _options(recipe)
    source, target = _source_and_target(options, examples, split)
    item = _input_of(examples, inputs, source)
    vectors = _Vectors(examples, item, np.concatenate([source, target]), options.components, seed)
    features, place = vectors.of(source)
    speech = _speech(examples, source[place], features, vectors.of(target)[0])
    translated, history = translators.get(options.name)(
        speech, seed, folder / "checkpoints" / options.name, **options.params
    )
    translated_rows = _clips_to_fill(examples, source, target, seed) if options.fill else np.arange(len(source))
    new_clips = vectors.raw(source[translated_rows], translated[np.isin(place, translated_rows)])
    clips = [{item.name: clip} for clip in new_clips]
    record = history | translation_report.comparison(speech, translated, seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / translation_report.FILE).write_text(json.dumps(record) + "\n", encoding="utf-8")
    kept_rows = split.train if options.keep else split.train[np.isin(split.train, target)]
    first_new_row = len(examples.clips)
    facts = {
        "translated_clips": len(translated_rows),
        "separable": record["separable"],
        "recognised": record["recognised"],
    }
    return (
        _with_clips(examples, source[translated_rows], clips, options.to),
        replace(split, train=np.concatenate([kept_rows, first_new_row + np.arange(len(translated_rows))])),
        facts,
    )


def _options(recipe: Recipe) -> Translate:
    if recipe.translate is None:
        raise RecipeError(f"recipe {recipe.name} translates nothing")
    return recipe.translate


def _source_and_target(options: Translate, examples: Examples, split: Split) -> tuple[Indices, Indices]:
    """The clips to translate, each once, and the clips of the target."""
    rows = np.unique(split.train)
    if not options.to:
        if not len(split.unlabelled):
            raise RecipeError(
                f"translate needs a target, and the split {split.name} gives no clips without labels; use data.split: "
                "corpora-halves, or name a corpus that is trained on (translate.to)"
            )
        return rows, split.unlabelled
    corpora = np.array([examples.utterances[row].corpus for row in rows])
    if options.to not in corpora or len(set(corpora)) < 2:
        raise RecipeError(
            f"translate.to: {options.to!r} is not one of several corpora that are trained on "
            f"({', '.join(sorted(set(corpora)))})"
        )
    return rows[corpora != options.to], rows[corpora == options.to]


def _input_of(examples: Examples, inputs: Sequence[ModelInput], source: Indices) -> ModelInput:
    (item, *other_inputs) = inputs
    if other_inputs or examples.clips[source[0]][item.name].ndim > 2 or item.normalisation is None:
        raise RecipeError(
            "translate is for a model with one input that is normalised, a vector or rows of them, such as front_end: "
            "pooled or windows with normalise: {kind: corpus}"
        )
    if item.normalisation.kind != "corpus":
        raise RecipeError(
            f"translate: inputs.{item.name} is normalised by {item.normalisation.kind}, and a translated clip has "
            "neither a speaker nor a sound of its own; set normalise.kind to corpus"
        )
    return item


class _Vectors:
    """Clips as a translator sees them: normalised, row by row, and where asked for, in their principal components."""

    def __init__(self, examples: Examples, item: ModelInput, rows: Indices, components: int, seed: int) -> None:
        self.examples, self.item = examples, item
        self.axes: Float | None = None
        sample = np.random.default_rng((seed, AXES)).permutation(rows)[:AXES_CLIPS] if components else rows[:0]
        sample_vectors = np.concatenate([self._normalised(row) for row in sample]) if components else np.zeros((0, 0))
        if components < sample_vectors.shape[1]:
            centred_vectors = (sample_vectors - sample_vectors.mean(axis=0)).astype(np.float64)
            _, axes = np.linalg.eigh(centred_vectors.T @ centred_vectors)
            self.axes = axes[:, : -components - 1 : -1].astype(np.float32)

    def _normalised(self, row: int) -> Float:
        """(rows of the clip, columns); of a vector, one row."""
        return np.atleast_2d(normalise(self.examples.clips[row][self.item.name], self.item.normalisation))

    def of(self, rows: Indices) -> tuple[Float, Indices]:
        """(vectors, columns or components) of all clips, and the place in `rows` of the clip that each belongs to."""
        parts = [self._normalised(row) for row in rows]
        vectors = [part if self.axes is None else part @ self.axes for part in parts]
        return np.concatenate(vectors), np.repeat(np.arange(len(rows)), [len(part) for part in parts])

    def raw(self, rows: Indices, translated: Float) -> list[Float]:
        """Translations of these clips as the front end would give them; what no component holds stays as it was."""
        statistics = self.item.normalisation
        mean, sd = np.asarray(statistics.mean), np.asarray(statistics.sd)  # type: ignore[union-attr]
        clips, start = [], 0
        for row in rows:
            vectors_of_clip = self._normalised(row)
            vectors = translated[start : start + len(vectors_of_clip)]
            start += len(vectors_of_clip)
            moved_vectors = (
                vectors
                if self.axes is None
                else vectors_of_clip + (vectors - vectors_of_clip @ self.axes) @ self.axes.T
            )
            shape = self.examples.clips[row][self.item.name].shape
            clips.append((moved_vectors * sd + mean).astype(np.float32).reshape(shape))
        return clips


def _speech(examples: Examples, source: Indices, features: Float, target: Float) -> Speech:
    names, corpus = np.unique([examples.utterances[row].corpus for row in source], return_inverse=True)
    return Speech(
        features,
        examples.targets[source],
        examples.allowed[source],
        corpus.astype(np.int64),
        tuple(names.tolist()),
        target,
    )


def _clips_to_fill(examples: Examples, source: Indices, target: Indices, seed: int) -> Indices:
    """Places in `source` of as many clips of each class as bring the target to its largest class."""
    rng = np.random.default_rng((seed, FILL))
    counts = np.bincount(examples.targets[target], minlength=len(examples.labels))
    emotions = examples.targets[source]
    places = []
    for label in np.flatnonzero(counts):
        candidates = np.flatnonzero(emotions == label)
        missing_count = min(int(counts.max() - counts[label]), len(candidates))
        places.append(rng.choice(candidates, missing_count, replace=False))
    return np.sort(np.concatenate(places)).astype(np.int64)


def _with_clips(examples: Examples, origins: Indices, clips: Sequence[Mapping[str, Any]], target: str) -> Examples:
    """The examples and after them translated clips, each with the label and the classes of its origin."""
    utterances = [
        replace(row, corpus=f"{row.corpus} as {target or 'unlabelled'}")
        for row in (examples.utterances[origin] for origin in origins)
    ]
    return replace(
        examples,
        utterances=[*examples.utterances, *utterances],
        targets=np.concatenate([examples.targets, examples.targets[origins]]),
        clips=[*examples.clips, *map(dict, clips)],
        allowed=np.concatenate([examples.allowed, examples.allowed[origins]]),
        present=np.concatenate([examples.present, examples.present[origins]]),
        number=np.concatenate([examples.number, np.zeros(len(origins), np.int64)]),
    )
