"""What gives the label away without a word or a tone: a corpus, a speaker, a length, a way of recording.

A small tree is fitted to each of these alone and judged on parts it has not seen (cross-validation; where speakers are
known and are not the question, other speakers). If it finds the labels far better than guessing does, a network may
learn that instead of the voice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intonate.bench.sound_checks import Sound
from intonate.errors import require
from intonate.schema import Utterance

# Part of the way from guessing to perfect at which a cue is called a confound, and a small corpus none.
ALARM = 0.35
SMALLEST = 40
_FOLDS = 5


@dataclass(frozen=True)
class Confound:
    """How well the labels are found from one thing alone: UAR, and that of guessing."""

    cue: str
    uar: float
    chance: float

    @property
    def gives_away(self) -> bool:
        return (self.uar - self.chance) / (1 - self.chance) >= ALARM


def label_text(utterance: Utterance) -> str:
    """All labels of a clip as one class; empty where it has none."""
    return "; ".join(sorted(utterance.all_labels))


def confounds(utterances: Sequence[Utterance], sounds: Sequence[Sound]) -> list[Confound]:
    """Every cue that varies, the most telling first; none for few clips or one label.

    Several labels of a clip are a class together; clips that nobody labelled are left out.
    """
    labels = np.array([label_text(utterance) for utterance in utterances])
    is_labelled = np.array([row.labels is not None or bool(row.emotion) for row in utterances], bool)
    names, counts = np.unique(labels[is_labelled], return_counts=True)
    is_frequent = is_labelled & np.isin(labels, names[counts >= _FOLDS])
    if is_frequent.sum() < SMALLEST or len(set(labels[is_frequent])) < 2:
        return []
    speakers = np.array([utterance.speaker for utterance in utterances])
    cues: dict[str, NDArray[np.float64]] = {
        "the corpus": _codes([utterance.corpus for utterance in utterances]),
        "the speaker": _codes(speakers.tolist()),
        "the length": _columns([[sound.duration_s] for sound in sounds]),
        "the pauses before and after": _columns([[sound.lead_s, sound.trail_s] for sound in sounds]),
        "the file's format and rate": _codes([f"{sound.format} {sound.rate_hz}" for sound in sounds]),
        "noise floor and bandwidth": _columns(
            [[sound.floor_db - sound.level_db, sound.bandwidth_hz] for sound in sounds]
        ),
    }
    groups = _codes(speakers.tolist())[:, 0][is_frequent]
    cue_figures = []
    for cue, values in cues.items():
        part = values[is_frequent]
        if len(np.unique(part, axis=0)) < 2:
            continue
        by_speaker = cue not in ("the speaker", "the corpus") and len(np.unique(groups)) >= _FOLDS
        cue_figures.append(
            Confound(
                cue, _uar(part, labels[is_frequent], groups if by_speaker else None), 1 / len(set(labels[is_frequent]))
            )
        )
    return sorted(cue_figures, key=lambda item: -item.uar)


def _uar(values: NDArray[np.float64], labels: NDArray[np.str_], groups: NDArray[np.float64] | None) -> float:
    """UAR of a small tree on parts that it has not seen."""
    selection, tree = require("sklearn.model_selection", "train"), require("sklearn.tree", "train")
    metrics = require("sklearn.metrics", "train")
    folds = (
        selection.StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
        if groups is None
        else selection.GroupKFold(_FOLDS)
    )
    model = tree.DecisionTreeClassifier(min_samples_leaf=5, max_leaf_nodes=64, class_weight="balanced", random_state=0)
    answers = selection.cross_val_predict(model, values, labels, cv=folds, groups=groups)
    return float(metrics.recall_score(labels, answers, average="macro", zero_division=0))


def _codes(names: Sequence[str]) -> NDArray[np.float64]:
    return np.unique(names, return_inverse=True)[1].astype(np.float64)[:, None]


def _columns(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    return np.asarray(rows, np.float64)
