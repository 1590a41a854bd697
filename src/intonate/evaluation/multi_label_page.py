"""The report of several labels at once: `labels.csv`, all figures as JSON, and one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from intonate.errors import CorpusError, plural
from intonate.evaluation.html import (
    clips_of,
    document,
    footer,
    glossary,
    header,
    html_table,
    limits,
    panel,
    percent,
)
from intonate.evaluation.multi_label import LabelTable, scores
from intonate.evaluation.page import INTERVAL, PLAIN_WORDS, condition_name, interval_unit_note
from intonate.evaluation.palette import colour
from intonate.evaluation.ratings import is_group_of_interest, write
from intonate.evaluation.report import write_folder
from intonate.evaluation.svg import LINE, MUTED, circle, line, picture, text, text_width

TABLE = "labels.csv"
HEADINGS = {"macro_f1": "macro-F1", "micro_f1": "micro-F1", "map": "mAP"}
_WORDS = {
    "F1": "The harmonic mean of precision (how often the model is right when it gives the label) and recall (how many "
    "of the clips with the label it finds). It depends on the score from which a label counts.",
    "macro-F1": "The mean of the labels' F1: a rare label counts as much as a frequent one.",
    "micro-F1": "F1 over all labels together: a frequent label counts more.",
    "AP, mAP": "Average precision: the precision at every clip that has the label, from the highest score to the "
    "lowest, and their mean. It is 1 where all clips with the label come first; a model that guesses has the share of "
    "clips with the label. mAP is the mean over labels.",
    **INTERVAL,
}


def write_report(
    folder: Path | str,
    table: LabelTable,
    title: str,
    times: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
    repeats: int = 1000,
) -> Path:
    """Write `labels.csv`, `metrics.json` and `report.html` into a folder, which is made if need be.

    Returns:
        The path of `report.html`.

    Raises:
        CorpusError: the table is empty, or the folder cannot be written.
    """
    if len(table) == 0:
        raise CorpusError("there is nothing to report: no row has labels; expected at least one clip")
    results = scores(table, repeats, times=times)
    figures = {"title": title, "notes": list(notes), **results}
    html = render(results, table, title, notes)
    return write_folder(Path(folder), figures, html, lambda target: write(table, target / TABLE))


def render(results: Mapping[str, Any], table: LabelTable, title: str, notes: Sequence[str] = ()) -> str:
    """The page, from `multi_label.scores` and the table itself."""
    first, *others = results["conditions"]
    clips = clips_of(first["utterances"], first["speakers"], table.corpus.tolist())
    lead = f"{clips}; {plural(len(results['labels']), 'label')}, several of which may be true at once"
    body = [header(title, lead, notes), f'<div class="cards">{_card(first)}</div>']
    body.append(panel("Label by label", _label_chart(first) + _label_table(first), "wide"))
    body += [
        panel(f"By {kind}", _group_table(groups, kind), "wide")
        for kind, groups in first["groups"].items()
        if is_group_of_interest(groups)
    ]
    if others:
        body.append(f"<h2>Under every condition</h2>{panel('', _condition_table(results), 'wide')}")
    caution = "A label says how an utterance sounds to people who label like those of the corpora."
    body.append(glossary(_WORDS) + footer(TABLE, caution))
    return document(title, "".join(body))


def _card(condition: Mapping[str, Any]) -> str:
    overall = condition["overall"]
    words = [PLAIN_WORDS.get(condition[key], "") for key in ("protocol", "statistics")]
    others = "".join(
        f"<dt>{HEADINGS[name]}</dt><dd>{percent(overall[name]['value'])} %</dd><dd>{limits(overall[name])}</dd>"
        for name in ("micro_f1", "map")
    )
    return (
        f'<section class="card"><p class="kind">{escape(condition_name(condition))}</p><h2>macro-F1</h2>'
        f'<p class="big">{percent(overall["macro_f1"]["value"])}<small>%</small></p>'
        f'<p class="range">95 % interval over {condition["unit"]}s {limits(overall["macro_f1"])}</p>'
        f'<dl>{others}</dl><p class="how">{escape(" ".join(filter(None, words)))}</p></section>'
    )


def _label_chart(condition: Mapping[str, Any]) -> str:
    """F1 of each label as a point with its interval."""
    labels = condition["labels"]
    left, width, row = max(map(text_width, labels)) + 14, 380.0, 26.0
    height = row * len(labels)
    parts = []
    for share in (0.0, 0.5, 1.0):
        x = left + width * share
        parts.append(line(x, 0, x, height, LINE))
        parts.append(text(x, height + 12, f"{100 * share:.0f}", anchor="middle", size=11, fill=MUTED))
    for place, (label, figures) in enumerate(labels.items()):
        y, f1 = row * (place + 0.5), figures["f1"]
        parts.append(text(left - 10, y, label, anchor="end"))
        if f1["low"] is not None:
            ends = (left + width * f1["low"], left + width * f1["high"])
            parts.append(line(ends[0], y, ends[1], y, colour(label), width=3, cap="round"))
        tip = f"{label}: F1 {percent(f1['value'])} % ({limits(f1)})"
        parts.append(circle(left + width * f1["value"], y, 5, colour(label), tip=tip))
    parts.append(text(left + width / 2, height + 28, "F1, %, with its interval", anchor="middle", size=11, fill=MUTED))
    return picture(left + width + 16, height + 38, "F1 of each label", parts)


def _label_table(condition: Mapping[str, Any]) -> str:
    columns = ("f1", "precision", "recall", "average_precision")
    rows = [
        [escape(label), str(figures["clips"]), str(figures["chosen"]), *(_cell(figures[name]) for name in columns)]
        for label, figures in condition["labels"].items()
    ]
    return html_table(["label", "clips", "given", "F1", "precision", "recall", "AP"], rows)


def _group_table(groups: Mapping[str, Any], kind: str) -> str:
    rows = [
        [escape(name), str(group["utterances"]), str(group["speakers"]), *map(_cell, group["overall"].values())]
        for name, group in groups.items()
    ]
    return html_table([kind, "clips", "speakers", *HEADINGS.values()], rows) + interval_unit_note(groups)


def _condition_table(results: Mapping[str, Any]) -> str:
    rows = [
        [escape(condition_name(condition)), *map(_cell, condition["overall"].values())]
        for condition in results["conditions"]
    ]
    return html_table(["conditions", *HEADINGS.values()], rows)


def _cell(figure: Mapping[str, float | None]) -> str:
    return f"{percent(figure['value'])}<small>{limits(figure)}</small>"
