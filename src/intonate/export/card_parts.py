"""What several kinds of model card have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from intonate.schema import ModelSpec

# What a card lists, of everything that evaluation.protocol and evaluation.ratings count.
GROUPS = ("corpus", "language", "gender")
MUST_NOT = (
    "## What it must not be used for\n\n"
    "Decisions about people: hiring, work, schooling, policing, health, credit, insurance"
)


def groups_of(condition: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    """Of each group that a card lists: what a row begins with, and its figures as they are (`overall`)."""
    groups = {"all": {"all": condition}} | condition["groups"]
    for kind in ("all", *GROUPS):
        for name, group in groups[kind].items():
            head = {"statistics": condition["statistics"], "group": kind, "name": name}
            yield head | {"clips": group["utterances"], "speakers": group["speakers"]}, group["overall"]


def rounded(figures: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, float]]:
    """The figures {name: {value, low, high}} as a model file keeps them, without what is not defined."""
    return {
        name: {key: round(value, 4) for key, value in figure.items() if value is not None}
        for name, figure in figures.items()
    }


def provenance(record: Mapping[str, Any], compared_on: str = "validation speakers") -> list[str]:
    """The last part of a card: the recipe and data that a run was made with, its time and machine."""
    return [
        "## Where it comes from",
        f"Recipe `{record['recipe']}` (hash {record['recipe_hash']}), code revision {record['revision'] or 'unknown'}, "
        f"data hash {record['manifest_hash']}, trained in {record['train_s'] / 60:.0f} minutes on: "
        f"{record['hardware']}. Configurations compared on {compared_on}: {record['configurations_tried']}.",
    ]


def short_card(
    spec: ModelSpec, record: Mapping[str, Any], size_bytes: int, answers: str, caution: str, figures: Sequence[str]
) -> str:
    """A card around what the model answers, what that is not, and its figures, in Markdown."""
    parts = [
        f"# {spec.name}",
        f"{answers} Trained on {', '.join(spec.corpora)} "
        f"(languages: {', '.join(spec.languages) or 'not known'}). {record.get('parameters', 0):,} parameters, "
        f"{size_bytes / 1e6:.1f} MB.",
        *filter(None, [record.get("description")]),
        caution,
        "## Licence of the weights",
        spec.licence,
        *figures,
        f"Split: {record.get('split', 'not known')}.",
        f"{MUST_NOT}. Other languages, ages, accents and recording conditions than those above were not tested. "
        "See docs/responsible-use.md.",
        *provenance(record),
    ]
    return "\n\n".join(parts) + "\n"
