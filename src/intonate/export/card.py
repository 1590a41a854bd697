"""From a finished run to what is given away: one ONNX file with its held-out scores inside, and its model card.

intonate export runs/standard --weights 8 --output src/intonate/recognizer/assets
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any

from intonate.errors import ModelError
from intonate.evaluation import protocol, table
from intonate.export import labels_card, ratings_card
from intonate.export.card_parts import GROUPS, MUST_NOT, provenance, rounded
from intonate.export.onnx import sign
from intonate.export.text_card import text_card
from intonate.recognizer.late_fusion import is_text_model
from intonate.recognizer.model_file import read_model
from intonate.schema import ModelSpec

# Whose encoder a model may begin with, and under which licence.
WHISPER = "OpenAI's Whisper (MIT licence, Copyright (c) 2022 OpenAI: LICENSES/MIT.txt)"
# In the origin of an encoder that is no longer as it was published.
TAUGHT = ", taught to give the rows of "


def encoder_text(origin: str) -> str:
    """Which encoder a model begins with, whose it is, under which licence, and whether it is as published."""
    return f"{origin}: {WHISPER}" if TAUGHT in origin else f"{origin} of {WHISPER}, as published"


def give(
    run: str | Path,
    output: str | Path,
    unseen_reports: Iterable[str | Path] = (),
    fold: int = 1,
    seed: int = 0,
    in_form: Callable[[Path], Path] = lambda file: file,
) -> Path:
    """Write `NAME.onnx` and its card `NAME.md`.

    Args:
        run: a run folder of `intonate train`.
        output: the folder to write to.
        unseen_reports: folders of `intonate evaluate` on corpora that the model never saw, for the card.
        fold: which fit of the run.
        seed: which fit of the run.
        in_form: writes the file again in another form, and gives its path; the card is of what comes of it.

    Returns:
        The model file.

    Raises:
        ModelError: the run has no finished fit of that fold and seed.
    """
    fit = Path(run) / f"fold{fold}-seed{seed}"
    if not (fit / "run.json").is_file():
        raise ModelError(
            f"{run} has no finished fit of fold {fold} and seed {seed}; train it with: intonate train RECIPE"
        )
    record = json.loads((fit / "run.json").read_text(encoding="utf-8"))
    unseen_folders = [Path(folder) for folder in unseen_reports]
    spec = read_model(fit / "model.onnx").spec
    scores: dict[str, Any] = {}
    if spec.multi_label:
        scores["labels"] = labels_card.rows(fit / "labels.csv")
        scores["labels_of_unseen_corpora"] = [
            row for folder in unseen_folders for row in labels_card.rows(folder / "labels.csv")
        ]
    elif spec.labels:
        scores["held_out_speakers"] = held_out_scores(table.read(fit / "predictions.csv"))
        scores["unseen_corpora"] = [
            row for folder in unseen_folders for row in held_out_scores(table.read(folder / "predictions.csv"))
        ]
    if spec.dimensions:
        scores["dimensions"] = ratings_card.rows(fit / "dimensions.csv")
        scores["dimensions_of_unseen_corpora"] = [
            row for folder in unseen_folders for row in ratings_card.rows(folder / "dimensions.csv")
        ]
    spec = replace(spec, scores=scores)
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    target = output / f"{spec.name}.onnx"
    for source in fit.glob("model.onnx*"):
        copyfile(source, output / source.name.replace("model.onnx", target.name))
    sign(target, spec)
    target = in_form(target)
    target.with_suffix(".md").write_text(card(spec, record, target.stat().st_size), encoding="utf-8")
    return target


def held_out_scores(predictions: table.PredictionTable) -> list[dict[str, Any]]:
    """One row per statistics of the speaker and group: UAR open and restricted with its interval, accuracy, counts."""
    rows = []
    for condition in protocol.scores(predictions)["conditions"]:
        restricted = condition["restricted"] or condition["open"]
        groups = [("all", "all", condition["open"]["overall"], restricted["overall"], condition)]
        for group in GROUPS:
            for name, figures in condition["open"]["groups"][group].items():
                groups.append((group, name, figures, restricted["groups"][group][name], figures))
        for group, name, open_figures, restricted_figures, counts in groups:
            figures = {**open_figures, "uar_restricted": restricted_figures["uar"]}
            head = {"statistics": condition["statistics"], "group": group, "name": name}
            head |= {"clips": counts["utterances"], "speakers": counts["speakers"]}
            rows.append(head | rounded({key: figures[key] for key in ("uar", "uar_restricted", "accuracy")}))
    return rows


def card(spec: ModelSpec, record: Mapping[str, Any], size_bytes: int) -> str:
    """The model card, in Markdown."""
    if is_text_model(spec):
        return text_card(spec, record, size_bytes)
    if spec.multi_label:
        return labels_card.card(spec, record, size_bytes)
    if not spec.labels:
        return ratings_card.card(spec, record, size_bytes)
    held_out, unseen_rows = spec.scores["held_out_speakers"], spec.scores["unseen_corpora"]
    by_corpus: dict[str, list[str]] = {}
    for speaker in spec.unseen_speakers:
        corpus, _, speaker_name = speaker.rpartition("/")
        by_corpus.setdefault(corpus, []).append(speaker_name)
    left_out = record.get("left_out_for_calibration", [])
    calibrated_on = (
        f"corpora that were left out in turn ({', '.join(left_out)})" if left_out else "the validation speakers"
    )
    parts = [
        f"# {spec.name}",
        f"Says which of {len(spec.labels)} emotions a voice sounds like: {', '.join(spec.labels)}. Trained "
        f"{'' if spec.encoders else 'from scratch '}on acted speech ({', '.join(spec.corpora)}; languages: "
        f"{', '.join(spec.languages)}). "
        f"{record.get('parameters', 0):,} parameters, {size_bytes / 1e6:.1f} MB.",
        *(f"It begins with {encoder_text(origin)}." for origin in spec.encoders.values()),
        *filter(None, [record.get("description")]),
        "It hears how something is said, as actors would say it. It does not know what anyone feels.",
        *(["It reads what is said as well, and cannot answer without."] if spec.text_required else []),
        "## Licence of the weights",
        spec.licence,
        _split_headline(record),
        "Unweighted average recall (UAR) in %, with a 95 % interval bootstrapped over speakers. *Open*: among all "
        f"{len(spec.labels)} classes. *Own classes*: among those that the corpus has. *Clip alone*: nothing else of "
        "the speaker was heard; *clip + 5*: five more clips of the speaker, without labels; *speaker-normalised*: all "
        f"of them. {_split_sentence(record)}",
        *(_score_table(held_out, group) for group in GROUPS),
    ]
    if by_corpus:
        names_of = "; ".join(f"{corpus} {', '.join(names)}".strip() for corpus, names in by_corpus.items())
        parts.append(f"Held out (test and validation): {names_of}.")
    if unseen_rows:
        parts += ["## Scores on a corpus it never heard", _score_table(unseen_rows, "corpus")]
    parts += ratings_card.sections(spec)
    parts += [
        "## Calibration",
        f"Temperature {spec.temperature:g}, fitted on {calibrated_on}. A best probability under "
        f"{spec.abstain_below:.2f} is answered *unsure*: that was the least certain tenth of their clips.",
        f"{MUST_NOT}. Acted emotion is louder and clearer than everyday speech; other languages, ages, accents and "
        "recording conditions than those above were not tested. See docs/responsible-use.md.",
        *provenance(record),
    ]
    return "\n\n".join(parts) + "\n"


def _has_random_split(record: Mapping[str, Any]) -> bool:
    return "speakers overlap" in record.get("split", "")


def _split_headline(record: Mapping[str, Any]) -> str:
    if _has_random_split(record):
        return f"## Scores on a split whose speakers overlap: {record['split']}"
    return "## Scores on speakers it never heard"


def _split_sentence(record: Mapping[str, Any]) -> str:
    if _has_random_split(record):
        return (
            "The clips were divided whoever speaks: the model knows the voices that it is tested on, and new people "
            "will come out lower. The test clips took no part in training, in choosing the weights or in calibration."
        )
    return "These test speakers took no part in training, in choosing the weights or in calibration."


def _score_table(rows: Sequence[Mapping[str, Any]], group: str) -> str:
    lines = [
        f"| {group} | clips | speakers | statistics | UAR open | UAR own classes |",
        "| --- | ---: | ---: | --- | --- | --- |",
    ]
    for row in rows:
        if row["group"] == group:
            lines.append(
                f"| {row['name']} | {row['clips']} | {row['speakers']} | {row['statistics']} "
                f"| {protocol.as_percent(row['uar'])} | {protocol.as_percent(row['uar_restricted'])} |"
            )
    return "\n".join(lines)
