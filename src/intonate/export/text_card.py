"""The model card of a model that only reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intonate.evaluation.protocol import as_percent
from intonate.schema import ModelSpec


def text_card(spec: ModelSpec, record: Mapping[str, Any], size_bytes: int) -> str:
    """The card, in Markdown: what it read, how well it does, and what it must not be used for."""
    (scores,) = (row for row in spec.scores["held_out_speakers"] if row["group"] == "all")
    figures = ", ".join(
        f"{name} {as_percent(scores[key], ' %')}" for name, key in (("UAR", "uar"), ("accuracy", "accuracy"))
    )
    parts = [
        f"# {spec.name}",
        f"Says which of {len(spec.labels)} emotions words carry: {', '.join(spec.labels)}. It reads what is said and "
        f"hears nothing. Trained from scratch on {', '.join(spec.corpora)} (languages: {', '.join(spec.languages)}), "
        f"without any other text and without pretrained weights. {record.get('parameters', 0):,} parameters, "
        f"{size_bytes / 1e6:.1f} MB, with its tokenizer.",
        "## Data and licence",
        "GoEmotions (Demszky et al. 2020): comments on Reddit, each labelled by three or five readers; what several of "
        "them saw in words, not what anyone felt. Joy stands for twelve of its labels, from admiration to relief; "
        "anger for three, sadness for five, surprise for four (confusion and curiosity among them), fear for two. "
        f"The weights: {spec.licence}, as the data. No comment is in the file; its tokenizer knows pieces of words.",
        "## Scores on comments it never read",
        f"Of {scores['clips']:,} comments of the published test part, the best label: {figures}, with 95 % intervals "
        "bootstrapped over comments. A comment with several emotions counts for one of them here. Macro-F1 as "
        "GoEmotions scores it, several labels at once, is in `benchmarks/results/text.json`. Comments by one author "
        "may be on both sides: authors are not published.",
        "## Calibration",
        f"Temperature {spec.temperature:g}, fitted on the dev part. A best probability under {spec.abstain_below:.2f} "
        "is answered *unsure*: the least certain tenth of the dev part. Its probabilities are those of such comments, "
        "of which a third are neutral and two fifths joy of some kind: among people who speak they will be different.",
        "## What it must not be used for",
        "Decisions about people: hiring, work, schooling, policing, health, credit, insurance; moderation without "
        "a person who reads. Reddit leans towards young men, and the readers were speakers of English from India: "
        "slang, dialects, irony and the words of groups that are insulted there are misread, and such errors hit some "
        "people more than others. English only. The same words can be said in any mood: see docs/text.md.",
        "## Where it comes from",
        f"Recipe `{record['recipe']}` (hash {record['recipe_hash']}), code revision {record['revision'] or 'unknown'}, "
        f"data hash {record['manifest_hash']}, trained in {record['train_s'] / 60:.0f} minutes on: "
        f"{record['hardware']}. Configurations compared on the dev part: {record.get('configurations_tried', 1)}.",
    ]
    return "\n\n".join(parts) + "\n"
