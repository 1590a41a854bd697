"""Confidence that holds on people and recordings that a model never met: fitted on corpora that are left out in turn.

Validation speakers of a known corpus say too little: the microphone is known, and so is the way of acting. For each
corpus of `training.leave_out` the model is fitted once more without it, and answers all of it, each clip alone. From
those answers come the temperature, the threshold of `unsure`, and how far unknown recordings lie from the training.
One temperature for all lengths: three, or one that follows the length, were no better (benchmarks/README.md).
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from intonate.corpora.splits import Split
from intonate.errors import RecipeError
from intonate.evaluation import calibration
from intonate.features.familiarity import clip_means, distance, regions_of
from intonate.models.contract import Network
from intonate.schema import ModelSpec, Region
from intonate.training import fitting
from intonate.training.batches import collate
from intonate.training.data import Examples
from intonate.training.recipe import Recipe

# Of the clips of corpora that were left out, the least certain tenth is answered `unsure`.
COVERAGE = 0.9
# With less sound than this after cleaning, seconds, an answer is `unsure`: half a second of speech and the margins
# that trimming leaves. On shorter clips a model is right one time in five, and sure of it.
UNSURE_BELOW_S = 0.6
# Quantiles of the distances that the model file keeps.
QUANTILES = 21
# Of each corpus so many distances are taken.
PLACES = 201
BATCH = 256


def calibrate(spec: ModelSpec, recipe: Recipe, examples: Examples, split: Split, seed: int, folder: Path) -> ModelSpec:
    """The spec with temperature, threshold and distances from the corpora that are left out in turn.

    Raises:
        RecipeError: a corpus to leave out is not trained on, or the model is no network.
    """
    corpora = np.array([utterance.corpus for utterance in examples.utterances])
    logits, truth, weights = [], [], []
    for corpus in recipe.training.leave_out:
        left_out = split.train[corpora[split.train] == corpus]
        if corpus not in corpora or len(left_out) == len(split.train):
            raise RecipeError(f"training.leave_out: {corpus!r} is not one of several corpora that are trained on")
        if not len(left_out):
            continue  # it is what this fold tests
        fit_folder = folder / f"without-{corpus}"
        fit_split = replace(split, train=split.train[corpora[split.train] != corpus])
        fitted_model = fitting.fit(recipe, examples, fit_split, seed, fit_folder)
        if not isinstance(fitted_model.model, Network):
            raise RecipeError("training.leave_out is for networks; leave it out for a scikit-learn model")
        shutil.rmtree(fit_folder, ignore_errors=True)
        logits.append(_predict_logits(fitted_model, examples, left_out))
        truth.append(examples.targets[left_out])
        # Every corpus counts the same, however large.
        weights.append(np.full(len(left_out), 1 / len(left_out)))
    drawn_rows = _draw_evenly(np.concatenate(weights), sum(map(len, truth)), seed)
    answers, labels = np.concatenate(logits)[drawn_rows], np.concatenate(truth)[drawn_rows]
    temperature, threshold = calibration.temperature_and_threshold(answers, labels, COVERAGE)
    regions, distances = _regions_and_distances(spec, recipe, examples, split.train)
    return replace(
        spec,
        temperature=temperature,
        abstain_below=threshold,
        unsure_below_s=UNSURE_BELOW_S,
        regions=regions,
        distances=distances,
    )


def _regions_and_distances(
    spec: ModelSpec, recipe: Recipe, examples: Examples, train: NDArray[np.int64]
) -> tuple[tuple[Region, ...], tuple[float, ...]]:
    """Where the corpora of the training lie, and how far those that are left out in turn lie from the others."""
    first_input = spec.inputs[0]
    if first_input.normalisation is None:
        return (), ()
    rows_by_corpus = dict[str, list[int]]()
    for row in train:
        rows_by_corpus.setdefault(examples.utterances[row].corpus, []).append(row)
    means = {
        corpus: clip_means(examples.clips[row][first_input.name] for row in rows)
        for corpus, rows in rows_by_corpus.items()
    }
    distances = []
    for left_out in means.keys() & set(recipe.training.leave_out):
        regions = regions_of(means[corpus] for corpus in means if corpus != left_out)
        left_out_distances = [distance(clip, regions) for clip in means[left_out]]
        # As many places of each, so that every corpus counts the same.
        distances.append(np.quantile(left_out_distances, np.linspace(0, 1, PLACES)))
    quantiles = np.quantile(np.concatenate(distances), np.linspace(0, 1, QUANTILES))
    return regions_of(means.values()), tuple(quantiles.round(4).tolist())


def _predict_logits(fitted_model: fitting.Fitted, examples: Examples, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    names = [item.name for item in fitted_model.inputs]
    answers = []
    with torch.no_grad():
        network = fitted_model.model.eval()
        for start in range(0, len(rows), BATCH):
            clips = [
                fitting.normalised_clip(examples.clips[row], fitted_model.inputs) for row in rows[start : start + BATCH]
            ]
            batch = collate(clips)
            network_inputs = {name: batch[name] for name in names}
            network_inputs |= {item.lengths: batch[item.lengths] for item in fitted_model.inputs if item.lengths}
            answers.append(np.asarray(network(**network_inputs), np.float64))
    return np.concatenate(answers)


def _draw_evenly(share: NDArray[np.float64], count: int, seed: int) -> NDArray[np.int64]:
    """Rows drawn by their share: a resampling in which every corpus weighs the same."""
    return np.random.default_rng(seed).choice(len(share), count, p=share / share.sum())
