"""Scores that another program gave: numbers from cells, and probabilities from numbers of any kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from intonate.errors import CorpusError
from intonate.evaluation.table import Floats
from intonate.recognizer.probabilities import softmax

# Sums of probabilities that were written with few digits, and how far below zero rounding may put one.
_SUM_TOLERANCE, _ROUNDING = 0.02, 1e-3


def numbers(
    body: Sequence[Sequence[str]], lines: Sequence[int], places: Sequence[int], header: Sequence[str], source: Path
) -> Floats:
    """The scores of rows, (rows, scores).

    Args:
        body: the cells of all rows of the table.
        lines: which rows are read, from 0.
        places: where in a row the scores stand.

    Raises:
        CorpusError: a score is no number, or not finite; the message names its row.
    """
    scores = np.array([[_number(body[line][place]) for place in places] for line in lines], np.float64)
    if not np.isfinite(scores).all():
        faulty, column = np.argwhere(~np.isfinite(scores))[0]
        cell, place = body[lines[faulty]][places[column]], places[column]
        raise CorpusError(
            f"row {lines[faulty] + 2} of {source}: the score {header[place]} is {cell!r}; expected a number, and for a "
            "clip without an answer no row"
        )
    return scores


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def probabilities(scores: Floats, places: Sequence[int]) -> tuple[Floats, str]:
    """Rows that sum to one, with the columns in the table's order (-1: never scored), and what was done to get them."""
    note = ""
    totals = scores.sum(axis=1, keepdims=True)
    are_shares = scores.min(initial=0.0) > -_ROUNDING and (np.abs(totals - 1) <= _SUM_TOLERANCE).all()
    if are_shares:
        scores = np.maximum(scores, 0.0)
    elif (scores < 0).any():
        scores = softmax(scores)
        note = "Scores below zero are no probabilities: they were taken for logits (softmax)."
    else:
        note = "Scores did not sum to one and were scaled to; calibration figures are of the scaled ones."
    totals = scores.sum(axis=1, keepdims=True)
    uniform = np.full(scores.shape, 1 / scores.shape[1])
    normalised = np.where(totals > 0, scores / np.where(totals > 0, totals, 1.0), uniform)
    return np.hstack([normalised, np.zeros((len(normalised), 1))])[:, list(places)], note
