"""What a translation did, without a label of the target: figures for run.json, and panels for the report of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.evaluation.curves import SHADES
from intonate.evaluation.svg import ACCENT, INK, LINE, MUTED, SURFACE, WARM, circle, line, picture, polyline, rect, text
from intonate.training.translators import Float, Speech

# What the translation of one fit is told in, for the report.
FILE = "translation.json"
# Clips of each kind that a figure is computed from, and that a picture shows.
SAMPLE, SHOWN = 1000, 200
_SMALL = 11.0


def comparison(speech: Speech, translated: Float, seed: int) -> dict[str, Any]:
    """How near the translated clips came to the target, and whether they kept their emotion.

    Returns:
        separable: how often a linear classifier rightly tells the target from the clips as they are (`recorded`) and
            from the translated ones, each with half the chance; 0.5 is not at all.
        recognised: how often one that was fitted to half of the clips gives the label of the other half, as they are
            and translated: what is left of the emotions.
        points: two principal components of some clips of each kind.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(speech.features))[:SAMPLE]
    target = speech.target[rng.permutation(len(speech.target))[:SAMPLE]]
    kinds = {"recorded": speech.features[rows], "translated": translated[rows]}
    axes = _axes(np.concatenate([kinds["recorded"], target]))
    shown_rows = {name: part[:SHOWN] for name, part in (*kinds.items(), ("target", target))}
    return {
        "separable": {name: _separable(part, target) for name, part in kinds.items()},
        "recognised": _recognised(speech, translated, rng),
        "points": {name: (part @ axes).round(3).tolist() for name, part in shown_rows.items()},
    }


def _axes(rows: Float) -> NDArray[np.float64]:
    """The two principal components, (columns, 2)."""
    return np.asarray(np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][:2].T, np.float64)


def _classifier() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=1000, class_weight="balanced"))


def _separable(part: Float, target: Float) -> float:
    """Balanced accuracy on the half that was not fitted to."""
    features, kind = np.concatenate([part, target]), np.repeat([0, 1], [len(part), len(target)])
    is_fit = np.arange(len(kind)) % 2 == 0
    is_right = _classifier().fit(features[is_fit], kind[is_fit]).predict(features[~is_fit]) == kind[~is_fit]
    return round(float(np.mean([is_right[kind[~is_fit] == side].mean() for side in (0, 1)])), 4)


def _recognised(speech: Speech, translated: Float, rng: np.random.Generator) -> dict[str, float]:
    rows = rng.permutation(len(speech.features))[: 2 * SAMPLE]
    fit_rows, test_rows = rows[::2], rows[1::2]

    def accuracy(part: Float) -> float:
        classifier = _classifier().fit(part[fit_rows], speech.emotion[fit_rows])
        return float((classifier.predict(part[test_rows]) == speech.emotion[test_rows]).mean())

    kinds = {"recorded": speech.features, "translated": translated}
    return {name: round(accuracy(part), 4) for name, part in kinds.items()}


def panels(fit_folders: Sequence[Path]) -> list[tuple[str, str]]:
    """(heading, picture) of the translations of some fits; those without one are passed over."""
    pictures = []
    for folder in fit_folders:
        if not (folder / FILE).is_file():
            continue
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
        split = json.loads((folder / "run.json").read_text(encoding="utf-8"))["split"]
        pictures.append((f"{split}: clips", points_plot(record)))
        if record.get("losses"):
            pictures.append((f"{split}: losses", losses_plot(record["losses"])))
    return pictures


def points_plot(record: dict[str, Any]) -> str:
    """Two principal components of clips: recorded ones, their translations, and the target's."""
    side, top = 320.0, 62.0
    points = {name: np.asarray(part) for name, part in record["points"].items()}
    all_points = np.concatenate(list(points.values()))
    # A few far ones would leave the others no room.
    low, high = np.percentile(all_points, (1, 99), axis=0)
    parts = [rect(0, top, side, side, LINE, opacity=0.3, radius=4)]
    styles = {"recorded": (MUTED, 0.0), "target": (ACCENT, 0.0), "translated": (SURFACE, 1.6)}
    for number, (name, (fill, ring)) in enumerate(styles.items()):
        edge = WARM if ring else "none"
        parts += [circle(6, 9 + 16 * number, 4, fill, stroke=edge, width=ring)]
        parts.append(text(16, 9 + 16 * number, _caption(name, record), size=_SMALL, fill=MUTED))
        for x, y in np.clip((points[name] - low) / np.maximum(high - low, 1e-9), 0, 1):
            parts.append(
                circle(4 + x * (side - 8), top + side - 4 - y * (side - 8), 2.6, fill, stroke=edge, width=ring)
            )
    return picture(side, top + side, "Recorded, translated and target clips in two principal components", parts)


def _caption(name: str, record: dict[str, Any]) -> str:
    if name == "target":
        return "target, without labels"
    separable, recognised = (100 * record[key][name] for key in ("separable", "recognised"))
    return f"{name}: told apart {separable:.0f} %, emotion right {recognised:.0f} %"


def losses_plot(losses: dict[str, list[float]]) -> str:
    """The losses of a translation, epoch by epoch, each as it is (unweighted)."""
    width, height, left, top = 320.0, 240.0, 34.0, 14.0 + 16 * len(losses)
    largest = max(max(values) for values in losses.values())
    parts = []
    for tick in np.linspace(0, largest, 5):
        y = top + height * (1 - tick / largest)
        parts += [line(left, y, width, y), text(left - 6, y, f"{tick:.1f}", anchor="end", size=_SMALL, fill=MUTED)]
    for number, (shade, (name, values)) in enumerate(zip(SHADES, losses.items(), strict=False)):
        steps = np.linspace(left, width, max(len(values), 2))
        heights = [top + height * (1 - value / largest) for value in (values if len(values) > 1 else values * 2)]
        parts.append(polyline(list(zip(steps.tolist(), heights, strict=True)), shade))
        parts += [rect(0, 7 + 16 * number, 14, 4, shade)]
        parts.append(text(20, 9 + 16 * number, f"{name}: {values[-1]:.2f} at last", size=_SMALL, fill=INK))
    return picture(width, top + height + 8, "Losses of the translation, epoch by epoch", parts)
