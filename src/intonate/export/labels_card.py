"""What a model card says of several labels at once: from which score one counts, and the held-out figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from intonate.evaluation import multi_label, ratings
from intonate.evaluation.protocol import as_percent
from intonate.export.card_parts import groups_of, rounded, short_card
from intonate.schema import ModelSpec


def rows(path: str | Path) -> list[dict[str, Any]]:
    """Of a kept table: one row per statistics and group with the figures of all labels, one per label with its own."""
    found = []
    for condition in multi_label.scores(ratings.read_as(path, multi_label.LabelTable))["conditions"]:
        found += [head | rounded(overall) for head, overall in groups_of(condition)]
        found += [
            {
                "statistics": condition["statistics"],
                "group": "label",
                "name": label,
                "clips": figures["clips"],
                **rounded({name: figures[name] for name in ("f1", "average_precision")}),
            }
            for label, figures in condition["labels"].items()
        ]
    return found


def card(spec: ModelSpec, record: Mapping[str, Any], size_bytes: int) -> str:
    """The card, in Markdown."""
    parts = [
        "## Labels",
        f"Each of {', '.join(spec.labels)} has a score from 0 to 1 of its own; they need not sum to one. A label "
        f"counts from {spec.abstain_below:g} on; where none does the answer is *unsure*. That score, and the "
        f"temperature ({spec.temperature:g}), were fitted on the validation speakers. F1 in %; AP is the average "
        "precision, 100 % where all clips with the label come first. Intervals (95 %) are bootstrapped over speakers.",
    ]
    for key, words in (
        ("labels", "On speakers it never heard:"),
        ("labels_of_unseen_corpora", "On a corpus it never heard:"),
    ):
        if found := spec.scores.get(key):
            parts += [words, _group_table(found), _label_table(found)]
    return short_card(
        spec,
        record,
        size_bytes,
        f"Says which of {len(spec.labels)} labels a voice sounds like, several at once or none: "
        f"{', '.join(spec.labels)}.",
        "It says which labels people like those of its corpora would give. It does not know what anyone feels.",
        parts,
    )


def _group_table(found: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| group | clips | speakers | statistics | macro-F1 | micro-F1 | mAP |",
        "| --- | ---: | ---: | --- | --- | --- | --- |",
    ]
    for row in found:
        if row["group"] != "label":
            figures = " | ".join(_text(row[name]) for name in ("macro_f1", "micro_f1", "map"))
            lines.append(f"| {row['name']} | {row['clips']} | {row['speakers']} | {row['statistics']} | {figures} |")
    return "\n".join(lines)


def _label_table(found: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| label | clips with it | statistics | F1 | AP |", "| --- | ---: | --- | --- | --- |"]
    for row in found:
        if row["group"] == "label":
            figures = " | ".join(_text(row[name]) for name in ("f1", "average_precision"))
            lines.append(f"| {row['name']} | {row['clips']} | {row['statistics']} | {figures} |")
    return "\n".join(lines)


def _text(figure: Mapping[str, float]) -> str:
    return as_percent(figure) if "value" in figure else "–"
