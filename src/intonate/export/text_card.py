"""The model card of a model that only reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intonate.evaluation.protocol import as_percent
from intonate.export.card_parts import MUST_NOT, provenance
from intonate.schema import ModelSpec

GOEMOTIONS = "goemotions"


def text_card(spec: ModelSpec, record: Mapping[str, Any], size_bytes: int) -> str:
    """The card, in Markdown: what it read, how well it does, and what it must not be used for."""
    (scores,) = (row for row in spec.scores["held_out_speakers"] if row["group"] == "all")
    figures = ", ".join(
        f"{name} {as_percent(scores[key], ' %')}" for name, key in (("UAR", "uar"), ("accuracy", "accuracy"))
    )
    part = "dev" if GOEMOTIONS in spec.corpora else "validation"
    trained_on = f"Trained from scratch on {', '.join(spec.corpora)} (languages: {', '.join(spec.languages)})"
    parts = [
        f"# {spec.name}",
        f"Says which of {len(spec.labels)} emotions words carry: {', '.join(spec.labels)}. It reads what is said and "
        f"hears nothing. {trained_on}, {_material(spec, record, size_bytes)}",
        *(
            _comments_sections(spec, scores, figures)
            if GOEMOTIONS in spec.corpora
            else _sections(spec, scores, figures)
        ),
        *provenance(record, f"the {part} part"),
    ]
    return "\n\n".join(parts) + "\n"


def _material(spec: ModelSpec, record: Mapping[str, Any], size_bytes: int) -> str:
    """What is in the file, and what it is given."""
    size = f"{size_bytes / 1e6:.1f} MB"
    if spec.tokenizer:
        return (
            f"without any other text and without pretrained weights. {record.get('parameters', 0):,} parameters, "
            f"{size}, with its tokenizer."
        )
    front_ends = ", ".join(f"`{item.front_end}`" for item in spec.inputs)
    return (
        f"on counts and scores of words ({front_ends}): by lexicons of English, and by where words lie in the company "
        f"that they keep in GoEmotions' training comments. {size}."
    )


def _sections(spec: ModelSpec, scores: Mapping[str, Any], figures: str) -> list[str]:
    return [
        "## Data and licence",
        f"What is said in {', '.join(spec.corpora)}. Where a corpus has everybody say the same sentences with every "
        f"emotion, words tell nothing, and this model knows nothing. The weights: {spec.licence}.",
        "## Scores on what it was tested on",
        f"Of {scores['clips']:,} texts, the best label: {figures}, with 95 % intervals.",
        "## Calibration",
        f"Temperature {spec.temperature:g}, fitted on the validation part. A best probability under "
        f"{spec.abstain_below:.2f} is answered *unsure*: the least certain tenth of it.",
        f"{MUST_NOT}; moderation without a person who reads. The same words can be said in any mood: see docs/text.md.",
    ]


def _comments_sections(spec: ModelSpec, scores: Mapping[str, Any], figures: str) -> list[str]:
    pieces = "; its tokenizer knows pieces of words" if spec.tokenizer else ""
    return [
        "## Data and licence",
        "GoEmotions (Demszky et al. 2020): comments on Reddit, each labelled by three or five readers; what several of "
        "them saw in words, not what anyone felt. Joy stands for twelve of its labels, from admiration to relief; "
        "anger for three, sadness for five, surprise for four (confusion and curiosity among them), fear for two. "
        f"The weights: {spec.licence}, as the data. No comment is in the file{pieces}.",
        "## Scores on comments it never read",
        f"Of {scores['clips']:,} comments of the published test part, the best label: {figures}, with 95 % intervals "
        "bootstrapped over comments. A comment with several emotions counts for one of them here. Macro-F1 as "
        "GoEmotions scores it, several labels at once, is in `benchmarks/results/text.json`. Comments by one author "
        "may be on both sides: authors are not published.",
        "## Calibration",
        f"Temperature {spec.temperature:g}, fitted on the dev part. A best probability under {spec.abstain_below:.2f} "
        "is answered *unsure*: the least certain tenth of the dev part. Its probabilities are those of such comments, "
        "of which a third are neutral and two fifths joy of some kind: among people who speak they will be different.",
        f"{MUST_NOT}; moderation without a person who reads. Reddit leans towards young men, and the readers were "
        "speakers of English from India: slang, dialects, irony and the words of groups that are insulted there are "
        "misread, and such errors hit some people more than others. English only. The same words can be said in any "
        "mood: see docs/text.md.",
    ]
