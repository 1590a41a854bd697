"""The card of a fine-tuned model: what stays, what is new, on whom it was tested, and what that does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from intonate.corpora.overlap import Split
from intonate.evaluation.protocol import as_percent
from intonate.export.card import encoder_text
from intonate.export.card_parts import MUST_NOT
from intonate.schema import ModelSpec

LICENCE = "{base} for what comes from the model that it began with; the licence of your recordings is yours"


@dataclass(frozen=True)
class Facts:
    """What is known of a fine-tuning.

    Attributes:
        base: the model that it began with.
        split: who was tested.
        layer: how many dense layers from the end are new (and now one).
        tried: configurations compared.
        is_refitted: whether the file was fitted to the test part afterwards.
        train_clips, test_clips, all_clips: counts.
        validation_uar: of the cross-validation inside the training part.
        heard_uar: of other clips of the speakers that are trained on.
        licence: of the recordings, as their owner says.
        data_hash: over the content of the recordings.
        train_s: seconds.
        notes: what was read and left out.
    """

    base: ModelSpec
    split: Split
    layer: int
    tried: int
    is_refitted: bool
    train_clips: int
    test_clips: int
    all_clips: int
    validation_uar: float
    heard_uar: float
    licence: str
    data_hash: str
    train_s: float
    notes: tuple[str, ...]


def _overall_scores(spec: ModelSpec) -> list[dict[str, Any]]:
    rows = spec.scores.get("held_out_speakers") or spec.scores["random_split"]
    return [row for row in rows if row["group"] == "all"]


def warnings(spec: ModelSpec, facts: Facts) -> list[str]:
    """What its owner must know before trusting it, a sentence each."""
    sentences = []
    chance, figure = 1 / len(spec.labels), _overall_scores(spec)[0]["uar"]
    if figure.get("low", figure["value"]) <= chance + 0.02:
        sentences.append(
            f"Near chance: {as_percent(figure)} where guessing gives {100 * chance:.0f}; "
            f"these recordings do not show that it "
            "can tell the labels apart. Give more recordings, or fewer labels."
        )
    if facts.split.speakers_overlap:
        sentences.append("The split is random: the test knows the voices, and new people will come out lower.")
    if facts.is_refitted:
        sentences.append(
            f"The file was fitted once more, to all {facts.all_clips} recordings, those "
            f"of the test too; the figures are "
            f"of the model before that, fitted to {facts.train_clips}."
        )
    return sentences


def lines(spec: ModelSpec, facts: Facts) -> list[str]:
    """The figures and warnings for a terminal."""
    speakers_text = "voices that it knows" if facts.split.speakers_overlap else "speakers that it never heard here"
    text_lines = [
        f"head: {_layers_sentence(facts)}; {facts.tried} configurations compared inside the training part (UAR "
        f"{100 * facts.validation_uar:.0f} there)",
        *(
            f"UAR on {speakers_text}, {row['statistics']}: {as_percent(row['uar'])} % ({facts.test_clips} clips, "
            f"chance {100 / len(spec.labels):.0f})"
            for row in _overall_scores(spec)
        ),
    ]
    if not facts.split.speakers_overlap:
        text_lines.append(f"UAR on other clips of the speakers that it was trained on: {100 * facts.heard_uar:.1f} %")
    return text_lines + [f"beware: {sentence}" for sentence in warnings(spec, facts)]


def card(spec: ModelSpec, facts: Facts) -> str:
    """The model card, in Markdown."""
    is_random = facts.split.speakers_overlap
    title = "## Scores on a random split: voices that it knows" if is_random else "## Scores on speakers it never heard"
    encoder = encoder_text(", ".join(facts.base.encoders.values()))
    table = ["| statistics | clips | speakers | UAR | accuracy |", "| --- | ---: | ---: | --- | --- |"]
    table += [
        f"| {row['statistics']} | {row['clips']} | {row['speakers']} | "
        f"{as_percent(row['uar'])} | {as_percent(row['accuracy'])} |"
        for row in _overall_scores(spec)
    ]
    speakers = _overall_scores(spec)[0]["speakers"]
    unit = (
        "speakers"
        if speakers >= 3
        else "clips, for there are fewer than three speakers: it says nothing of other people"
    )
    parts = [
        f"# {spec.name}",
        f"Says which of {len(spec.labels)} labels a voice sounds like: {', '.join(spec.labels)}. Fine-tuned from "
        f"`{facts.base.name}` on recordings of its owner ({facts.train_clips} to train, {facts.test_clips} to test).",
        f"It begins with {encoder}: the encoder was not changed. Then {_layers_sentence(facts)}.",
        "It hears how something is said. It does not know what anyone feels.",
        "## Licence",
        f"Weights from `{facts.base.name}`: {facts.base.licence}. The recordings: "
        f"{facts.licence or 'yours; their licence, and the consent of who speaks, are for their owner to say'}.",
        title,
        f"Unweighted average recall (UAR) in %, with a 95 % interval bootstrapped over {unit}; guessing gives "
        f"{100 / len(spec.labels):.0f}. {facts.split.protocol}.",
        "\n".join(table),
    ]
    if not is_random:
        parts.append(
            f"On other clips of the {facts.train_clips} that it was trained on, whose "
            f"speakers it knows, each clip left out "
            f"in turn and alone: {100 * facts.heard_uar:.1f}."
        )
        parts.append(
            f"Whether `{facts.base.name}` itself had heard a speaker before is not known here; it was trained on "
            f"{', '.join(facts.base.corpora)}."
        )
    parts += warnings(spec, facts)
    parts += [
        "## Calibration",
        f"Temperature {spec.temperature:g} and the threshold of *unsure*, "
        f"{spec.abstain_below:.2f}, from folds of the training "
        "part that were left out.",
        f"{MUST_NOT}. See docs/responsible-use.md.",
        "## Where it comes from",
        f"`intonate finetune` {spec.intonate_version}, data hash {facts.data_hash} (over "
        f"the content of the files, their labels "
        f"and speakers), {facts.tried} configurations compared, {facts.train_s:.0f} s.",
        *(f"- {note}" for note in facts.notes),
    ]
    return "\n\n".join(parts) + "\n"


def _layers_sentence(facts: Facts) -> str:
    if facts.layer == 1:
        return "the hidden layers of its head stay, and the last layer is new"
    return f"the last {facts.layer} layers of its head are replaced by one new layer"
