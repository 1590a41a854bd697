"""What a model card says of dimensions: the scale that they were learnt on, and their held-out figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from intonate.evaluation import ratings
from intonate.export.card_parts import groups_of, rounded, short_card
from intonate.schema import ModelSpec


def rows(path: str | Path) -> list[dict[str, Any]]:
    """Of a kept table: one row per statistics, group and dimension, CCC and RMSE with their intervals."""
    found = []
    for condition in ratings.scores(ratings.read(path))["conditions"]:
        for head, overall in groups_of(condition):
            found += [head | {"dimension": name} | rounded(figures) for name, figures in overall.items()]
    return found


def sections(spec: ModelSpec) -> list[str]:
    """The part of a card on dimensions; nothing of a model without."""
    if not spec.dimensions:
        return []
    scales = "; ".join(f"{name}: 0 is {low:g} on it, 1 is {high:g}" for name, (low, high) in spec.scales.items())
    parts = [
        "## Dimensions",
        f"Numbers from 0 to 1: {', '.join(spec.dimensions)}. They follow the scale of the raters of its training "
        f"({scales}). What lies beyond is cut off. CCC is Lin's concordance with the ratings: 1 is full, 0 is "
        "chance; RMSE is on the scale from 0 to 1. Intervals (95 %) are bootstrapped over speakers.",
    ]
    for key, words in (
        ("dimensions", "On speakers it never heard:"),
        ("dimensions_of_unseen_corpora", "On a corpus it never heard:"),
    ):
        if found := spec.scores.get(key):
            parts += [words, _table(found)]
    return parts


def card(spec: ModelSpec, record: Mapping[str, Any], size_bytes: int) -> str:
    """The card of a model with dimensions and no labels, in Markdown."""
    return short_card(
        spec,
        record,
        size_bytes,
        f"Says how a voice sounds, in numbers: {', '.join(spec.dimensions)}.",
        "It says how raters like those of its corpora would rate an utterance. It does not know what anyone feels.",
        sections(spec),
    )


def _table(found: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| group | dimension | clips | speakers | statistics | CCC | RMSE |",
        "| --- | --- | ---: | ---: | --- | --- | --- |",
    ]
    for row in found:
        lines.append(
            f"| {row['name']} | {row['dimension']} | {row['clips']} | {row['speakers']} | {row['statistics']} "
            f"| {_figure(row['ccc'])} | {_figure(row['rmse'])} |"
        )
    return "\n".join(lines)


def _figure(figure: Mapping[str, float]) -> str:
    if "value" not in figure:
        return "–"
    interval = f" ({figure['low']:.3f}–{figure['high']:.3f})" if "low" in figure else ""
    return f"{figure['value']:.3f}{interval}"
