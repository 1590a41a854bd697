"""`intonate finetune`: from anybody's labelled recordings to a model file: `standard` with a head of its own.

The encoder and the first layers of `standard` stay as they are; on one of its layers lies a new linear one. Which layer
it is, and how strongly the head is held back, is chosen by cross-validation inside the training part: speakers apart
where they are known. The test part is asked once, through the finished file.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import intonate
from intonate.corpora import own
from intonate.corpora.overlap import Split
from intonate.emotions import OWN
from intonate.errors import CorpusError, require
from intonate.evaluation import calibration, metrics, table
from intonate.evaluation.report import write_report
from intonate.export import finetune_card, new_head
from intonate.export.card import held_out_scores
from intonate.export.onnx import save
from intonate.features.cache import keys_of
from intonate.features.normalise import Moments, normalise
from intonate.recognizer.builtin import path_of
from intonate.recognizer.model_file import ModelFile, read_model
from intonate.schema import ModelSpec, Utterance
from intonate.training import data, evaluated_rows, finetune_split

Array = NDArray[np.float64]

BASE = "standard"
# How far a head may go from even weights: scikit-learn's C, summed over the clips.
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
FOLDS = 5
# Of a class in the training part: fewer say nothing about it.
FEWEST_CLIPS = 3


@dataclass(frozen=True)
class Head:
    """A linear layer: (classes, columns) and (classes,)."""

    weights: Array
    bias: Array

    def logits(self, rows: NDArray[np.float32]) -> Array:
        return np.asarray(rows @ self.weights.T + self.bias, np.float64)


@dataclass(frozen=True)
class Choice:
    """What cross-validation has chosen.

    Attributes:
        layer: place among the tensors that a head may lie on, from the input.
        strength: one of `STRENGTHS`.
        uar: of the clips of folds that were left out, 0 to 1.
        logits: (clips, classes) of those, each clip alone.
        tried: how many configurations were compared.
    """

    layer: int
    strength: float
    uar: float
    logits: Array
    tried: int


def finetune(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    label: str = "",
    speaker: str = "",
    file: str = "",
    hold_out: Sequence[str] = (),
    refit: bool = False,
    licence: str = "",
) -> str:
    """Fit a new head of `standard` to labelled recordings, test it, and write the model file with its card and report.

    Args:
        source: a folder, a table, or labels that the page saved (`intonate.corpora.own`).
        out: the model file; `NAME.md` and `NAME-report/` are written beside it.
        label, speaker, file: a column, or a regular expression for paths; guessed where they are empty.
        hold_out: the speakers to test on; chosen where it is empty.
        refit: fit the file that is written to the test part as well; its figures stay those from before.
        licence: of the recordings.

    Returns:
        What was done, in lines for a terminal.

    Raises:
        CorpusError, AudioError, SplitError: the recordings cannot be used.
    """
    target, start_s = _target(out), time.perf_counter()
    recordings = own.read(source, label, speaker, file)
    distinct = finetune_split.without_copies(recordings.utterances)
    split = finetune_split.split(distinct.utterances, hold_out, recordings.parts)
    lines = [*recordings.notes, *distinct.notes, f"split: {split.protocol}"]
    base = read_model(path_of(BASE))
    labels = _labels(distinct.utterances, split)
    merge = OWN + "|".join(labels)
    examples = data.prepare(distinct.utterances, merge, data.by_spec(base.spec))
    graph = require("onnx", "train").load(str(base.path))
    tensors = new_head.embeddings(graph)
    views = _views(base, examples, split.train, graph, tensors)
    speakers = np.array([row.speaker for row in distinct.utterances])
    choice = _choose(views, examples.targets[split.train], speakers[split.train])
    head = _fit_head([view[choice.layer] for view in views], examples.targets[split.train], choice.strength)
    spec = _spec(
        base.spec, target.stem, labels, merge, choice, examples.targets[split.train], distinct.utterances, split
    )
    save(new_head.with_head(graph, tensors[choice.layer], head.weights, head.bias), spec, target)

    predictions = _answers(target, examples, split, spec)
    figures = held_out_scores(predictions)
    kind = "random_split" if split.speakers_overlap else "held_out_speakers"
    scores: dict[str, Any] = {kind: figures, "unseen_corpora": []}
    heard_uar = _heard_uar(views, choice, examples.targets[split.train])
    if not split.speakers_overlap:
        scores["heard_speakers"] = {"uar": round(heard_uar, 4), "clips": len(split.train)}
    spec = replace(spec, scores=scores)
    if refit:
        views = _views(base, examples, np.arange(len(distinct.utterances)), graph, tensors)
        head = _fit_head([view[choice.layer] for view in views], examples.targets, choice.strength)
        heard = {name for name in spec.unseen_speakers if name.startswith(f"{own.CORPUS}/")}
        unseen = tuple(name for name in spec.unseen_speakers if not {name, f"{own.CORPUS}/{name}"} & heard)
        spec = replace(
            spec,
            unseen_speakers=unseen,
            heard_speakers=evaluated_rows.heard_speakers(distinct.utterances, spec.heard_speakers),
            heard_clips=evaluated_rows.heard_clips(distinct.utterances, base.spec.heard_clips),
        )
    save(new_head.with_head(graph, tensors[choice.layer], head.weights, head.bias), spec, target)
    facts = finetune_card.Facts(
        base=base.spec,
        split=split,
        layer=len(tensors) - choice.layer,
        tried=choice.tried,
        is_refitted=refit,
        train_clips=len(split.train),
        test_clips=len(split.test),
        all_clips=len(distinct.utterances),
        validation_uar=choice.uar,
        heard_uar=heard_uar,
        licence=licence,
        data_hash=_data_hash(distinct.utterances),
        train_s=time.perf_counter() - start_s,
        notes=tuple(lines),
    )
    report = _write_card_and_report(target, spec, facts, predictions)
    lines += finetune_card.lines(spec, facts)
    return "\n".join([*lines, f"written: {target}, {target.with_suffix('.md').name}, {report}"])


def _target(out: str | os.PathLike[str]) -> Path:
    target = Path(out)
    if target.suffix != ".onnx" or not target.parent.is_dir():
        raise CorpusError(f"--out {target}: expected a name that ends in .onnx, in a folder that exists")
    return target


def _write_card_and_report(
    target: Path, spec: ModelSpec, facts: finetune_card.Facts, predictions: table.PredictionTable
) -> Path:
    """The page of the report, beside the model file as the card is."""
    target.with_suffix(".md").write_text(finetune_card.card(spec, facts), encoding="utf-8")
    return write_report(
        target.with_name(f"{target.stem}-report"),
        predictions,
        title=f"{target.stem}, fine-tuned from {BASE}",
        notes=[facts.split.protocol, *finetune_card.warnings(spec, facts)],
    )


def _labels(utterances: Sequence[Utterance], split: Split) -> tuple[str, ...]:
    counts = Counter(utterances[row].emotion for row in split.train)
    labels = tuple(sorted({row.emotion for row in utterances}))
    if len(labels) < 2:
        raise CorpusError(f"all recordings have the label {labels[0]!r}; two labels or more are needed")
    if few := [name for name in labels if counts[name] < FEWEST_CLIPS]:
        raise CorpusError(
            f"label {few[0]!r} has {counts[few[0]]} recordings to train on, and {FEWEST_CLIPS} are needed; "
            "add some, drop the label, or hold out other speakers (--hold-out)"
        )
    return labels


def _views(
    base: ModelFile, examples: data.Examples, rows: NDArray[np.int64], graph: Any, tensors: Sequence[str]
) -> list[list[NDArray[np.float32]]]:
    """What the layers make of the clips: each alone, and where speakers are known beside all others of the speaker.

    Returns:
        One or two views, each with (clips, columns) for every tensor.
    """
    (item,) = base.spec.inputs
    speakers = [examples.utterances[row].speaker for row in rows]
    moments_of_views: list[list[Moments | None]] = [[None] * len(rows)]
    if all(speakers):
        mates = {name: rows[[name_of_row == name for name_of_row in speakers]] for name in set(speakers)}
        moments_of_views.append([examples.moments_of(mates[name], item.name) for name in speakers])
    views = []
    for moments_of_clips in moments_of_views:
        clips = [
            normalise(examples.clips[row][item.name], item.normalisation, moments)
            for row, moments in zip(rows, moments_of_clips, strict=True)
        ]
        views.append(new_head.outputs(graph, tensors, np.stack(clips).astype(np.float32)))
    return views


def _fit_head(views: Sequence[NDArray[np.float32]], targets: NDArray[np.int64], strength: float) -> Head:
    """Multinomial logistic regression, every class as important as the others."""
    linear_model = require("sklearn.linear_model", "train")
    model = linear_model.LogisticRegression(C=strength / len(views), class_weight="balanced", max_iter=2000, tol=1e-3)
    model.fit(np.concatenate(views).astype(np.float64), np.tile(targets, len(views)))
    weights, bias = model.coef_, model.intercept_
    if len(weights) == 1:  # of two classes it has the second alone
        weights, bias = np.concatenate([-weights / 2, weights / 2]), np.concatenate([-bias / 2, bias / 2])
    return Head(weights, bias)


def _folds(targets: NDArray[np.int64], speakers: NDArray[np.str_]) -> list[tuple[NDArray[np.int64], ...]]:
    """Parts to fit to and parts to ask: speakers apart where each part to fit to then still has all labels."""
    selection = require("sklearn.model_selection", "train")
    count = len(set(speakers.tolist()))
    if "" not in speakers and count >= 2:
        folds = list(selection.GroupKFold(min(FOLDS, count)).split(targets, targets, speakers))
        if all(len(set(targets[fit])) == len(set(targets)) for fit, _ in folds):
            return folds
    parts = min(FOLDS, int(np.bincount(targets).min()))
    return list(selection.StratifiedKFold(parts, shuffle=True, random_state=0).split(targets, targets))


def _choose(
    views: Sequence[Sequence[NDArray[np.float32]]], targets: NDArray[np.int64], speakers: NDArray[np.str_]
) -> Choice:
    folds = _folds(targets, speakers)
    layers = range(len(views[0]))
    choices = []
    for layer in reversed(layers):  # of two that are as good, the one that changes less
        for strength in STRENGTHS:
            uars, logits = _cross_validated([view[layer] for view in views], targets, folds, strength)
            choices.append(Choice(layer, strength, float(np.mean(uars)), logits, len(layers) * len(STRENGTHS)))
    return max(choices, key=lambda choice: choice.uar)


def _cross_validated(
    views: Sequence[NDArray[np.float32]],
    targets: NDArray[np.int64],
    folds: Sequence[tuple[NDArray[np.int64], ...]],
    strength: float,
) -> tuple[list[float], Array]:
    """UAR of each view, and the logits of the first, of clips in folds that were left out."""
    logits = np.zeros((len(views), len(targets), targets.max() + 1))
    for train, test in folds:
        head = _fit_head([view[train] for view in views], targets[train], strength)
        for place, view in enumerate(views):
            logits[place, test] = head.logits(view[test])
    uars = [metrics.uar(metrics.confusion_matrix(targets, part.argmax(axis=1), part.shape[1])) for part in logits]
    return [float(uar) for uar in uars], logits[0]


def _heard_uar(views: Sequence[Sequence[NDArray[np.float32]]], choice: Choice, targets: NDArray[np.int64]) -> float:
    """UAR on other clips of speakers that are trained on, each alone: folds of clips drawn at random."""
    folds = _folds(targets, np.full(len(targets), ""))
    return _cross_validated([view[choice.layer] for view in views], targets, folds, choice.strength)[0][0]


def _spec(
    base: ModelSpec, name: str, labels: tuple[str, ...], merge: str, choice: Choice, targets: NDArray[np.int64],
    utterances: Sequence[Utterance], split: Split,
) -> ModelSpec:  # fmt: skip
    temperature, threshold = calibration.temperature_and_threshold(choice.logits, targets, coverage=0.9)
    trained = [utterances[row] for row in split.train]
    trained_speakers = {row.speaker for row in trained}
    unseen = {row.speaker for row in utterances if row.speaker} - trained_speakers
    # A table may name speakers of the base's corpora: `own/ravdess/03` is `ravdess/03`.
    trained_names = {name.removeprefix(f"{own.CORPUS}/") for name in trained_speakers}
    return replace(
        base,
        name=name,
        labels=labels,
        merge=merge,
        temperature=temperature,
        abstain_below=threshold,
        regions=(),
        distances=(),
        prior=(),
        corpora=tuple(sorted({*base.corpora, own.CORPUS})),
        languages=tuple(sorted({*base.languages, *(row.language for row in utterances if row.language)})),
        unseen_speakers=tuple(sorted({*base.unseen_speakers, *unseen} - trained_names)),
        heard_speakers=evaluated_rows.heard_speakers(trained, base.heard_speakers),
        heard_clips=evaluated_rows.heard_clips(trained, base.heard_clips),
        licence=finetune_card.LICENCE.format(base=base.licence),
        recipe_hash="",
        intonate_version=intonate.__version__,
        scores={},
    )


def _answers(target: Path, examples: data.Examples, split: Split, spec: ModelSpec) -> table.PredictionTable:
    """The finished file's answers to the test part, once per statistics of the speaker that it can use."""
    rows = [examples.utterances[row] for row in split.test]
    root = os.path.commonpath([Path(row.path).parent for row in examples.utterances])
    return table.concatenate(
        table.tabulate(
            rows,
            [examples.labels[target] for target in examples.targets[split.test]],
            examples.labels,
            output,
            statistics=statistics,
            protocol=split.name,
            abstain_below=examples.thresholds(spec)[split.test],
            root=root,
        )
        for statistics, output in evaluated_rows.outputs_by_statistics(read_model(target), examples, split.test).items()
    )


def _data_hash(utterances: Sequence[Utterance]) -> str:
    """SHA-256 over the bytes, stretch, label and speaker of every recording, whatever its name; 12 hex digits."""
    keys = keys_of(utterances, hashed=True)
    rows = sorted(f"{key}\t{row.emotion}\t{row.speaker}\n" for key, row in zip(keys, utterances, strict=True))
    return hashlib.sha256("".join(rows).encode()).hexdigest()[:12]
