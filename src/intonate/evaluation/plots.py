"""The pictures of a report, drawn as SVG by plain functions: no plotting library, crisp at any size, light and dark.

Every function takes what `protocol.scores` or a prediction table holds and returns one `<svg>` element. Figures are
shares (0…1) and printed in per cent. Exact counts are in the tool tips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from intonate.evaluation.metrics import ECE_BINS, Floats, calibration_bins
from intonate.evaluation.palette import colour
from intonate.evaluation.svg import (
    ACCENT,
    INK,
    LINE,
    MUTED,
    ON_ACCENT,
    SURFACE,
    WARM,
    circle,
    line,
    picture,
    polyline,
    rect,
    text,
    text_width,
)
from intonate.evaluation.table import PredictionTable

_SMALL = 11.0
_PAD = 4.0
# Above this share a cell of the confusion matrix is dark enough for light text.
_DARK = 0.55


def confusion_plot(confusion: ArrayLike, labels: Sequence[str]) -> str:
    """Heat map of a confusion matrix: each row is a true class, its cells the share (%) of it that was called so.

    Args:
        confusion: counts (C, C), rows are the truth.
        labels: C names.
    """
    counts = np.asarray(confusion)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    names = max(text_width(name) for name in labels)
    heads = max(text_width(name, _SMALL) for name in labels)
    # Column names stand upright where lying ones would make the picture too wide for a phone.
    has_upright_heads = heads > 56 or len(labels) > 8
    # Two classes still leave room for the words above them.
    cell_width = max(42.0 if has_upright_heads else heads + 2, 140 / len(labels))
    cell_height, gap = 40.0, 2.0
    left, top = names + 20, 24 + (heads + 6 if has_upright_heads else 18)
    parts = [
        text(left + cell_width * len(labels) / 2, 8, "what the model said", anchor="middle", size=_SMALL, fill=MUTED),
        text(left - 20, top - 10, "truth", anchor="end", size=_SMALL, fill=MUTED),
    ]
    for place, name in enumerate(labels):
        x, y = left + place * cell_width + (cell_width - gap) / 2, top + place * cell_height + (cell_height - gap) / 2
        if has_upright_heads:
            name_text = text(0, 0, name, size=_SMALL)
            parts.append(f'<g transform="translate({x:.5g} {top - 6:.5g}) rotate(-90)">{name_text}</g>')
        else:
            parts.append(text(x, top - 10, name, anchor="middle", size=_SMALL))
        parts.append(text(left - 20, y, name, anchor="end"))
        parts.append(circle(left - 10, y, 4, colour(name)))
    for row, column in np.ndindex(*counts.shape):
        share, total = float(shares[row, column]), int(totals[row, 0])
        x, y = left + column * cell_width, top + row * cell_height
        tip = f"{labels[row]} called {labels[column]}: {int(counts[row, column])} of {total} ({share:.1%})"
        parts.append(rect(x, y, cell_width - gap, cell_height - gap, LINE, opacity=0.35, radius=3))
        parts.append(
            rect(x, y, cell_width - gap, cell_height - gap, ACCENT, opacity=min(share, 0.999), radius=3, tip=tip)
        )
        shade = ON_ACCENT if share > _DARK else INK if row == column or share >= 0.1 else MUTED
        figure = "–" if total == 0 else f"{100 * share:.0f}" if share >= 0.005 else ""
        weight = 600 if row == column else 400
        middle = (x + (cell_width - gap) / 2, y + (cell_height - gap) / 2)
        if figure:
            parts.append(text(*middle, figure, anchor="middle", fill=shade, weight=weight, tip=tip))
    right, bottom = left + cell_width * len(labels) + _PAD, top + cell_height * len(labels)
    return picture(right, bottom, "Confusion matrix: share of each true class that was called each class", parts)


def interval_plot(groups: Sequence[tuple[str, Mapping[str, Any]]], title: str) -> str:
    """One bar per group, with its interval as a whisker and the figures beside it.

    Args:
        groups: (name, figures); figures hold `uar` as {value, low, high}, and `utterances` and `speakers`.
        title: what a screen reader says.
    """
    row, width = 26.0, 440.0
    left = max([text_width(name) for name, _ in groups] + [60.0]) + 10
    ranges = text_width("88.8–100.0", _SMALL) + _PAD
    figures = ranges + text_width("100.0") + 18
    span = width - left - figures

    def x(share: float) -> float:
        return left + span * share

    height = row * len(groups) + 22
    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(line(x(tick), 2, x(tick), height - 20))
        parts.append(text(x(tick), height - 10, f"{100 * tick:.0f}", anchor="middle", size=_SMALL, fill=MUTED))
    for place, (name, group) in enumerate(groups):
        middle = place * row + row / 2
        value, low, high = (group["uar"][key] for key in ("value", "low", "high"))
        parts.append(text(left - 8, middle, name, anchor="end"))
        if value is None:
            continue
        tip = f"{name}: {group['utterances']} clips of {group['speakers']} speakers"
        parts.append(rect(left, middle - 6, span * value, 12, ACCENT, opacity=0.55, radius=2, tip=tip))
        range_ = ""
        if low is not None:
            parts.append(line(x(low), middle, x(high), middle, INK, width=1.6))
            parts.extend(line(x(end), middle - 4, x(end), middle + 4, INK, width=1.6) for end in (low, high))
            range_ = f"{100 * low:.1f}–{100 * high:.1f}"
        parts.append(text(width - ranges - 8, middle, f"{100 * value:.1f}", anchor="end", weight=600))
        parts.append(text(width - _PAD, middle, range_, anchor="end", size=_SMALL, fill=MUTED))
    return picture(width, height, title, parts)


def class_plot(classes: Mapping[str, Mapping[str, Any]]) -> str:
    """Recall (filled), precision (ring) and F1 (tick) of each class on one line.

    Args:
        classes: {label: {precision, recall, f1, support}}; classes that do not occur are left out.
    """
    figures_by_class = {name: figures for name, figures in classes.items() if figures["support"]}
    row, width, top = 36.0, 440.0, 26.0
    left = max([text_width(name) for name in figures_by_class] + [60.0]) + 12
    right = width - 44
    height = top + row * len(figures_by_class) + 20

    def x(share: float) -> float:
        return left + (right - left) * share

    parts = [
        circle(left + 5, 9, 5, MUTED),
        text(left + 15, 9, "recall", size=_SMALL, fill=MUTED),
        circle(left + 85, 9, 4.2, SURFACE, stroke=MUTED, width=1.8),
        text(left + 95, 9, "precision", size=_SMALL, fill=MUTED),
        line(left + 185, 3, left + 185, 15, MUTED, width=2.4, cap="round"),
        text(left + 193, 9, "F1", size=_SMALL, fill=MUTED),
        text(width - _PAD, 9, "n", anchor="end", size=_SMALL, fill=MUTED),
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(line(x(tick), top, x(tick), height - 20))
        parts.append(text(x(tick), height - 10, f"{100 * tick:.0f}", anchor="middle", size=_SMALL, fill=MUTED))
    for place, (name, figures) in enumerate(figures_by_class.items()):
        middle, shade = top + place * row + row / 2, colour(name)
        recall, precision, f1 = figures["recall"], figures["precision"], figures["f1"]
        tip = f"{name}: recall {recall:.1%}, precision {precision:.1%}, F1 {f1:.1%}, n = {figures['support']}"
        parts.append(text(left - 10, middle, name, anchor="end"))
        parts.append(line(x(min(recall, precision)), middle, x(max(recall, precision)), middle, shade, width=2))
        parts.append(line(x(f1), middle - 7, x(f1), middle + 7, shade, width=2.4, cap="round"))
        parts.append(circle(x(precision), middle, 4.6, SURFACE, stroke=shade, width=2))
        parts.append(circle(x(recall), middle, 5.6, shade, tip=tip))
        parts.append(text(width - _PAD, middle, str(figures["support"]), anchor="end", size=_SMALL, fill=MUTED))
    return picture(width, height, "Recall, precision and F1 of each class", parts)


def reliability_plot(table: PredictionTable) -> str:
    """How often the model is right at each confidence (15 bins), over how often it is so confident.

    On the diagonal confidence is honest; bars under it are too sure. Below: the share of clips per bin.
    """
    bins = calibration_bins(table.probabilities, table.truth, table.predicted)
    side, strip, left, top = 300.0, 56.0, 58.0, 6.0
    base = top + side
    floor = base + 10 + strip
    width, height = left + side + 14, floor + 36
    parts = _frame(left, top, side)
    step = side / ECE_BINS
    for place, (count, confidence, accuracy) in enumerate(bins):
        x = left + place * step
        if count == 0:
            continue
        rate, mean = accuracy / count, confidence / count
        edges = f"{place / ECE_BINS:.0%}–{(place + 1) / ECE_BINS:.0%}"
        tip = f"confidence {edges}: n = {count:.0f}, right {rate:.1%}, said {mean:.1%}"
        # A bin of very few clips says little, and is drawn faintly.
        faint = 0.25 if count < 10 else 0.7
        parts.append(rect(x + 1, base - side * rate, step - 2, side * rate, ACCENT, opacity=faint, radius=1.5, tip=tip))
        parts.append(line(x + 2, base - side * mean, x + step - 2, base - side * mean, WARM, width=2.4, cap="round"))
        bar_height = strip * count / bins[:, 0].max()
        parts.append(rect(x + 1, floor - bar_height, step - 2, bar_height, MUTED, opacity=0.5, radius=1.5, tip=tip))
    parts.append(line(left, base, left + side, top, MUTED, dash="4 4"))
    parts.append(rect(left + 10, top + 11, 10, 8, ACCENT, opacity=0.7, radius=1.5))
    parts.append(text(left + 26, top + 15, "was right", size=_SMALL, fill=MUTED))
    parts.append(line(left + 10, top + 33, left + 20, top + 33, WARM, width=2.4, cap="round"))
    parts.append(text(left + 26, top + 33, "said it was sure", size=_SMALL, fill=MUTED))
    parts.append(text(left - 8, floor - strip / 2, "clips", anchor="end", size=_SMALL, fill=MUTED))
    parts.append(line(left, floor, left + side, floor))
    parts.extend(_ticks(left, floor + 10, side))
    parts.append(text(left + side / 2, floor + 27, "confidence (%)", anchor="middle", size=_SMALL, fill=MUTED))
    return picture(width, height, "Reliability: how often the model is right at each confidence", parts)


def coverage_plot(table: PredictionTable) -> str:
    """Accuracy on what is answered, as the model abstains from more and more of the clips that it is least sure of.

    A ring marks where the model's own threshold lies, if it abstained from anything.
    """
    coverage, accuracy = coverage_curve(table)
    side, left, top = 300.0, 58.0, 6.0
    base = top + side
    parts = _frame(left, top, side)
    parts.extend(_ticks(left, base + 10, side))
    parts.append(text(left + side / 2, base + 27, "answered (%)", anchor="middle", size=_SMALL, fill=MUTED))
    # Fewer than 20 answers are too few for a rate; 200 points are enough for 300 px.
    usable = np.flatnonzero(coverage * len(table) >= min(20, len(table)))
    if len(usable):
        sample = np.unique(usable[np.linspace(0, len(usable) - 1, 200).astype(int)])
        points = [(left + side * coverage[place], base - side * accuracy[place]) for place in sample]
        parts.append(polyline(points, ACCENT, width=2.2))
    is_answered = ~table.abstained
    if table.abstained.any() and is_answered.any():
        share, rate = is_answered.mean(), (table.label == table.emotion)[is_answered].mean()
        tip = f"the model's threshold: answers {share:.1%}, right {rate:.1%}"
        parts.append(circle(left + side * share, base - side * rate, 5.5, SURFACE, stroke=WARM, width=2.4, tip=tip))
        parts.append(circle(left + 16, base - 16, 4.2, SURFACE, stroke=WARM, width=2.2))
        label = f"its threshold: {100 * share:.0f} % answered, {100 * rate:.0f} % right"
        parts.append(text(left + 26, base - 16, label, size=_SMALL, fill=MUTED))
    return picture(left + side + 14, base + 36, "Accuracy against the share of clips that are answered", parts)


def coverage_curve(table: PredictionTable) -> tuple[Floats, Floats]:
    """(coverage, accuracy), each (N,): the k surest clips of N answered, for k = 1…N."""
    order = np.argsort(-table.probabilities.max(axis=1), kind="stable")
    answer_counts = np.arange(1, len(table) + 1)
    return answer_counts / max(len(table), 1), np.cumsum((table.label == table.emotion)[order]) / answer_counts


def _frame(left: float, top: float, side: float) -> list[str]:
    """Grid lines of a square from 0 to 100 %, named on the left."""
    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = top + side * (1 - tick)
        parts.append(line(left, y, left + side, y))
        parts.append(text(left - 8, y, f"{100 * tick:.0f}", anchor="end", size=_SMALL, fill=MUTED))
    axis_label = text(0, 0, "right (%)", anchor="middle", size=_SMALL, fill=MUTED)
    parts.append(f'<g transform="translate(14 {top + side / 2:.5g}) rotate(-90)">{axis_label}</g>')
    return parts


def _ticks(left: float, y: float, side: float) -> list[str]:
    return [
        text(left + side * tick, y, f"{100 * tick:.0f}", anchor="middle", size=_SMALL, fill=MUTED)
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
