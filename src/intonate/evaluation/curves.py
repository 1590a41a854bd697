"""ROC and DET curves: what is found and what is falsely called so, at every threshold of a score.

With several classes every pair of a clip and a class is one decision (micro average), so a curve is one line however
many classes there are. DET (Martin et al. 1997): misses against false alarms on axes of normal deviates, where a score
of two normal distributions is a straight line; the equal error rate is where both are the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from intonate.errors import require
from intonate.evaluation.metrics import Floats
from intonate.evaluation.svg import ACCENT, LINE, MUTED, WARM, line, picture, polyline, rect, text
from intonate.evaluation.table import PredictionTable

# The first system and those beside it: Okabe & Ito's set (2008).
SHADES = (ACCENT, WARM, "#009e73", "#b5679a", "#e69f00", "#56b4e9")
_DET_TICKS = (0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_DET_RANGE = (0.005, 0.9)
# Points of a drawn curve: more cannot be seen.
_POINTS = 200
_SMALL = 11.0


def roc(table: PredictionTable) -> tuple[Floats, Floats]:
    """False alarms and hits at every threshold, each (T,), shares rising from 0 to 1."""
    metrics = require("sklearn.metrics", "train")
    is_class = np.eye(len(table.labels))[table.truth]
    # A label that no clip has and no answer gives, but another system's, would count as false alarms that never come.
    is_used = is_class.any(axis=0) | table.probabilities.any(axis=0)
    false_alarms, hits, _ = metrics.roc_curve(is_class[:, is_used].ravel(), table.probabilities[:, is_used].ravel())
    return np.asarray(false_alarms), np.asarray(hits)


def equal_error_rate(table: PredictionTable) -> float | None:
    """Where misses and false alarms are the same share; None where there are labels alone."""
    if not table.has_scores:
        return None
    false_alarms, hits = roc(table)
    # Between two thresholds the curve is a straight line.
    difference = false_alarms - (1 - hits)
    crossing = int(np.argmax(difference >= 0))
    if crossing == 0:
        return float(false_alarms[0])
    share = -difference[crossing - 1] / (difference[crossing] - difference[crossing - 1])
    return float(false_alarms[crossing - 1] + share * (false_alarms[crossing] - false_alarms[crossing - 1]))


def panels(tables: Mapping[str, PredictionTable]) -> list[tuple[str, str, str]]:
    """Heading, picture and note of the two curves, for the systems that give scores."""
    tables_with_scores = {name: table for name, table in tables.items() if table.has_scores}
    if not tables_with_scores:
        return []
    curves = {name: roc(table) for name, table in tables_with_scores.items()}
    rates = ", ".join(
        f"{name} {100 * (equal_error_rate(table) or 0):.1f} %".strip() for name, table in tables_with_scores.items()
    )
    return [
        ("Hits and false alarms (ROC)", roc_plot(curves), "Every pair of a clip and a class is one decision."),
        ("Misses and false alarms (DET)", det_plot(curves), f"Equal error rate: {rates}. Down and left is better."),
    ]


def roc_plot(curves: Mapping[str, tuple[Floats, Floats]]) -> str:
    """Hits over false alarms; the diagonal is chance."""
    side, left, top = 260.0, 46.0, 8.0
    parts = [line(left, top + side, left + side, top, LINE, dash="4 4")]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts += _ticks(left, top, side, tick, f"{100 * tick:.0f}")
    for shade, (false_alarms, hits) in zip(SHADES, curves.values(), strict=False):
        x = np.linspace(0, 1, _POINTS)
        y = np.interp(x, false_alarms, hits)
        parts.append(polyline([(left + side * a, top + side * (1 - b)) for a, b in zip(x, y, strict=True)], shade))
    return _framed("ROC: hits over false alarms", "hits (%)", parts, list(curves), side, left, top)


def det_plot(curves: Mapping[str, tuple[Floats, Floats]]) -> str:
    """Misses over false alarms, both as normal deviates."""
    norm = require("scipy.stats", "train").norm
    side, left, top = 260.0, 46.0, 8.0
    low, high = norm.ppf(_DET_RANGE)

    def place(share: Floats | float) -> Floats:
        return np.asarray((norm.ppf(np.clip(share, *_DET_RANGE)) - low) / (high - low))

    parts = []
    for tick in _DET_TICKS:
        parts += _ticks(left, top, side, float(place(tick)), f"{100 * tick:.0f}")
    for shade, (false_alarms, hits) in zip(SHADES, curves.values(), strict=False):
        x = norm.cdf(np.linspace(low, high, _POINTS))
        y = 1 - np.interp(x, false_alarms, hits)
        points = [
            (left + side * float(a), top + side * (1 - float(b))) for a, b in zip(place(x), place(y), strict=True)
        ]
        parts.append(polyline(points, shade))
    return _framed("DET: misses over false alarms", "misses (%)", parts, list(curves), side, left, top)


def _ticks(left: float, top: float, side: float, share: float, label: str) -> list[str]:
    x, y = left + side * share, top + side * (1 - share)
    return [
        line(left, y, left + side, y),
        line(x, top, x, top + side),
        text(left - 8, y, label, anchor="end", size=_SMALL, fill=MUTED),
        text(x, top + side + 12, label, anchor="middle", size=_SMALL, fill=MUTED),
    ]


def _framed(title: str, y_label: str, parts: list[str], names: list[str], side: float, left: float, top: float) -> str:
    x_label = text(left + side / 2, top + side + 28, "false alarms (%)", anchor="middle", size=_SMALL, fill=MUTED)
    parts = [*parts, x_label]
    y_label_text = text(0, 0, y_label, anchor="middle", size=_SMALL, fill=MUTED)
    parts.append(f'<g transform="translate(12 {top + side / 2:.5g}) rotate(-90)">{y_label_text}</g>')
    titles = [name for name in names if name]
    for number, (shade, name) in enumerate(zip(SHADES, titles, strict=False)):
        y = top + side + 46 + 16 * number
        parts += [rect(left, y - 2, 14, 4, shade), text(left + 20, y, name, size=_SMALL)]
    return picture(left + side + 12, top + side + 40 + 16 * len(titles), title, parts)
