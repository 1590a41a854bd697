"""The report as one HTML page: everything inline, no script, nothing fetched, light and dark, down to a phone's width.

Only `report.write_report` calls this; what the figures mean is said on the page, in plain words, beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from intonate.errors import plural
from intonate.evaluation import curves, plots
from intonate.evaluation.bootstrap import COUNTED
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
    shown,
    speakers_of,
)
from intonate.evaluation.palette import colour
from intonate.evaluation.protocol import NOT_KNOWN, counts_of
from intonate.evaluation.table import (
    CLIP_ALONE,
    CLIP_AND_5,
    RANDOM_SPLIT,
    SPEAKER_DISJOINT,
    SPEAKER_NORMALISED,
    PredictionTable,
)

NAMES: dict[str, str] = {
    "uar": "UAR (unweighted average recall)",
    "accuracy": "WA (accuracy)",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "kappa": "Cohen's kappa",
    "auc": "AUC",
    "ece": "ECE",
    "brier": "Brier score",
    "nll": "negative log-likelihood",
}
PLAIN_WORDS: dict[str, str] = {
    SPEAKER_DISJOINT: "Nobody in the test was heard in training.",
    RANDOM_SPLIT: "Clips were split at random, so the same voices are in training and test. Many papers do this; "
    "expect less from a new voice.",
    CLIP_ALONE: "Each clip is judged by itself.",
    CLIP_AND_5: "Five more clips of the same speaker, unlabelled, set the level the voice is measured against.",
    SPEAKER_NORMALISED: "All of the speaker's clips, unlabelled, set the level the voice is measured against.",
}
INTERVAL = {
    "95 % interval": "Drawn by resampling whole speakers (where there are fewer than three, clips, and it says so): "
    "with other speakers of the same kind the figure would likely lie there.",
}
_GLOSSARY = {
    "UAR": "The share of each class that was recognised, averaged over the classes, so that a frequent class counts no "
    "more than a rare one. Guessing gives 100 % divided by the number of classes. Also called UA.",
    "WA": "The share of all clips that were recognised. Also called accuracy.",
    "F1": "The harmonic mean of precision (how often the model is right when it says so) and recall (how much of the "
    "class it finds); macro: averaged over classes; weighted: by how often they occur.",
    "AUC": "How often the model scores a clip of a class above a clip of another, averaged; 50 % is chance.",
    "ECE": "How far confidence lies from accuracy, on average over 15 equal bins of confidence; 0 is honest.",
    **INTERVAL,
    "own classes": "Corpora have different classes. The open score lets the model answer with any of its classes; "
    "the other one lets it choose only among those that the clip's corpus has.",
}
_TIME_UNITS = {"train_s": ("training", "s"), "test_s": ("test", "s"), "ms_per_clip": ("per clip", "ms")}
_SHOWN_MISTAKES, _SHOWN_CONFUSIONS = 15, 8


def render(
    scores: Mapping[str, Any],
    table: PredictionTable,
    title: str,
    notes: Sequence[str] = (),
    pictures: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> str:
    """The page.

    Args:
        scores: from `protocol.scores(table)`.
        table: the predictions themselves, for the pictures and the list of the worst clips.
        title: heading of the page.
        notes: sentences under it.
        pictures: under a heading each, (heading, `<svg>`) of what else there is to see.
    """
    conditions = scores["conditions"]
    cards = f'<div class="cards">{"".join(map(_card, conditions))}</div>'
    body = [header(title, _lead(scores, table), notes), cards, _corpus_table(conditions)]
    for place, condition in enumerate(conditions):
        part = table.where(protocol=condition["protocol"], statistics=condition["statistics"])
        detail, name = _detail(condition, part), escape(condition_name(condition))
        # The first condition lies open; the others are one click away.
        body.append(
            f"<h2>In detail: {name}</h2>{detail}"
            if place == 0
            else f"<details><summary>In detail: {name}</summary>{detail}</details>"
        )
    for heading, parts in (pictures or {}).items():
        panels = "".join(panel(name, content) for name, content in parts)
        body.append(f'<h2>{escape(heading)}</h2><div class="panels">{panels}</div>')
    body.append(_footer(scores))
    return document(title, "".join(body))


def condition_name(condition: Mapping[str, Any]) -> str:
    """`speaker-disjoint, clip alone`."""
    return ", ".join(part for part in (condition["protocol"], condition["statistics"]) if part) or "all"


def _lead(scores: Mapping[str, Any], table: PredictionTable) -> str:
    counts, labels = counts_of(table), scores["labels"]
    clips = clips_of(counts["utterances"], counts["speakers"], table.corpus.tolist())
    return f"{clips}; {len(labels)} classes: {', '.join(labels)}"


def _card(condition: Mapping[str, Any]) -> str:
    view, restricted = condition["open"], condition["restricted"]
    overall = view["overall"]
    rows = [
        (NAMES[name].split(" (")[0], overall[name]) for name in ("accuracy", "macro_f1", "weighted_f1", "auc", "ece")
    ]
    if restricted:
        rows.insert(0, ("UAR, own classes", restricted["overall"]["uar"]))
    figure_list = "".join(
        f"<dt>{escape(name)}</dt><dd>{percent(figure['value'])}</dd><dd>{limits(figure)}</dd>" for name, figure in rows
    )
    counts = [plural(condition["utterances"], "clip"), speakers_of(condition["speakers"])]
    counts += [plural(len(condition[name]), name[:-1]) for name in ("folds", "seeds") if len(condition[name]) > 1]
    words = [PLAIN_WORDS.get(condition[name], "") for name in ("protocol", "statistics")]
    deviations = [
        f"UAR {percent(deviation['uar']['mean'])} ± {percent(deviation['uar']['sd'])} over {deviation['count']} {name}."
        for name, deviation in (("folds", view["over_folds"]), ("seeds", view["over_seeds"]))
        if deviation
    ]
    protocol, statistics = condition["protocol"], condition["statistics"] or "all clips"
    warning_class = " warn" if protocol == RANDOM_SPLIT else ""
    return (
        f'<section class="card{warning_class}"><p class="kind">{escape(protocol)}</p><h2>{escape(statistics)}</h2>'
        f'<p class="big">{percent(overall["uar"]["value"])}<small>% UAR{", open" if restricted else ""}</small></p>'
        f'<p class="range">95 % interval over {view["unit"]}s {limits(overall["uar"])}</p>'
        f"<dl>{figure_list}</dl>"
        f'<p class="how">{escape(" ".join(filter(None, [*words, ", ".join(counts) + ".", *deviations])))}</p></section>'
    )


def _corpus_table(conditions: Sequence[Mapping[str, Any]]) -> str:
    has_restricted = any(condition["restricted"] for condition in conditions)
    suffix = ", open" if has_restricted else ""
    restricted_head = ["UAR, own classes"] if has_restricted else []
    head = ["corpus", "conditions", "clips", "speakers", f"UAR{suffix}", *restricted_head, f"WA{suffix}"]
    rows = []
    for corpus in dict.fromkeys(name for condition in conditions for name in condition["corpora"]):
        corpus_cell = escape(corpus or NOT_KNOWN)
        for condition in conditions:
            if corpus not in condition["corpora"]:
                continue
            group = condition["open"]["groups"]["corpus"][corpus or NOT_KNOWN]
            restricted_group = (condition["restricted"] or condition["open"])["groups"]["corpus"][corpus or NOT_KNOWN]
            cells = [str(group["utterances"]), str(group["speakers"]), _figure_cell(group["uar"])]
            cells += [_figure_cell(restricted_group["uar"])] * has_restricted + [_figure_cell(group["accuracy"])]
            rows.append([corpus_cell, escape(condition_name(condition)), *cells])
            corpus_cell = ""
    return f"<h2>By corpus</h2>{panel('', html_table(head, rows, text_columns=2), 'wide')}"


def _detail(condition: Mapping[str, Any], part: PredictionTable) -> str:
    view = condition["open"]
    panels = [
        (
            "What was taken for what",
            plots.confusion_plot(view["confusion"], part.labels),
            "Per cent of each true class.",
        ),
        ("Each class", plots.class_plot(view["classes"]), ""),
        ("Hardest confusions", _confusion_list(view, part), ""),
        ("Each class, in figures", _class_table(view), ""),
    ]
    answers = view["answered"]
    abstains = (
        f"With its threshold the model answers {percent(answers['coverage'])} % of the clips and is right on "
        f"{percent(answers['accuracy'])} % of these."
        if answers["coverage"] is not None and answers["coverage"] < 1
        else "The model answered every clip."
    )
    if part.has_scores:
        ece = view["overall"]["ece"]
        panels += [
            (
                "Is it as sure as it is right?",
                plots.reliability_plot(part),
                f"ECE {percent(ece['value'])} % ({limits(ece)}). Faint bars hold fewer than ten clips.",
            ),
            ("What abstaining buys", plots.coverage_plot(part), abstains),
            *curves.panels({"": part}),
        ]
    small_panels = [
        panel(name, content + (f'<p class="small muted">{escape(note)}</p>' if note else ""))
        for name, content, note in panels
    ]
    wide_panels = [
        panel("Who is heard how well: UAR", _group_pictures(view), "wide"),
        panel("Surest mistakes", _mistake_table(part), "wide"),
        panel("Every figure", _figure_table(condition), "wide"),
    ]
    return f'<div class="panels">{"".join(small_panels)}</div>{"".join(wide_panels)}'


def _group_pictures(view: Mapping[str, Any]) -> str:
    groups_by = view["groups"]
    # Where every corpus has a language of its own, a picture by language would repeat that by corpus.
    names = [
        name
        for name in groups_by
        if len(groups_by[name]) > 1 and (name != "language" or len(groups_by[name]) < len(groups_by["corpus"]))
    ]
    if not names:
        return '<p class="small muted">There is one corpus, one gender and one age here: nothing to compare.</p>'
    pictures = []
    for name in names:
        groups = list(groups_by[name].items())
        note_html = interval_unit_note(dict(groups))
        pictures.append(f"<div><h4>by {name}</h4>{plots.interval_plot(groups, f'UAR by {name}')}{note_html}</div>")
    return f'<div class="groups">{"".join(pictures)}</div>'


def interval_unit_note(groups: Mapping[str, Mapping[str, Any]]) -> str:
    """A remark on groups whose intervals are over clips, as HTML; empty where there is none."""
    names = [name for name, group in groups.items() if group["unit"] == "utterance"]
    sentence = (
        f"Fewer than three speakers in {', '.join(names)}: that interval is over clips and says nothing of others."
    )
    return f'<p class="small muted">{escape(sentence)}</p>' if names else ""


def _class_table(view: Mapping[str, Any]) -> str:
    rows = [
        [_label_cell(name), *(percent(figures[key]) for key in ("recall", "precision", "f1")), str(figures["support"])]
        for name, figures in view["classes"].items()
        if figures["support"] or figures["predicted"]
    ]
    return html_table(["class", "recall", "precision", "F1", "n"], rows)


def _confusion_list(view: Mapping[str, Any], part: PredictionTable) -> str:
    counts = np.array(view["confusion"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    order = np.argsort(-shares, axis=None, kind="stable")[:_SHOWN_CONFUSIONS]
    rows = []
    for truth, predicted in zip(*np.unravel_index(order, shares.shape), strict=True):
        if shares[truth, predicted]:
            share_text = f"{counts[truth, predicted]} of {counts[truth].sum()}"
            rows.append(
                [
                    _label_cell(part.labels[truth]),
                    _label_cell(part.labels[predicted]),
                    percent(shares[truth, predicted]),
                    share_text,
                ]
            )
    return (
        html_table(["truth", "called", "%", "n"], rows, text_columns=2)
        if rows
        else "<p>None: every clip was right.</p>"
    )


def _mistake_table(part: PredictionTable) -> str:
    rows_at = np.arange(len(part))
    confidence, truth = part.probabilities[rows_at, part.predicted], part.probabilities[rows_at, part.truth]
    order = [int(row) for row in np.argsort(truth - confidence, kind="stable") if part.label[row] != part.emotion[row]]
    row_of: dict[tuple[str, float], int] = {}
    for row in order:
        row_of.setdefault((str(part.file[row]), float(part.start[row])), row)
    rows = [
        [
            f"<code>{escape(file)}</code>" + (f"<small>from {start:g} s</small>" if start else ""),
            escape(str(part.speaker[row])),
            _label_cell(str(part.emotion[row])),
            percent(truth[row]),
            _label_cell(str(part.label[row])),
            percent(confidence[row]),
        ]
        for (file, start), row in list(row_of.items())[:_SHOWN_MISTAKES]
    ]
    if not rows:
        return "<p>None: every clip was right.</p>"
    page = html_table(["clip", "speaker", "truth", "given %", "called", "sure %"], rows, text_columns=2)
    return page.replace('<td class="left"><code>', '<td class="left file"><code>')


def _figure_table(condition: Mapping[str, Any]) -> str:
    views = [("open", condition["open"])] + [("own classes", condition["restricted"])] * bool(condition["restricted"])
    rows = []
    for key, name in NAMES.items():
        cells = [_figure_cell(view["overall"][key], key) for _, view in views]
        for _, view in views[:1]:
            cells.append(shown(key, view["corpus_mean"][key]) if key in view["corpus_mean"] else "")
            for deviations in (view["over_folds"], view["over_seeds"]):
                interval = deviations.get(key) if key in COUNTED else None
                cells.append(f"{shown(key, interval['mean'])} ± {shown(key, interval['sd'])}" if interval else "")
        rows.append([escape(name), *cells])
    head = ["figure", *(name for name, _ in views), "mean of corpora", "over folds", "over seeds"]
    return html_table(head, rows)


def _footer(scores: Mapping[str, Any]) -> str:
    times = ", ".join(
        f"{_TIME_UNITS.get(key, (key, ''))[0]} {value:,.4g} {_TIME_UNITS.get(key, (key, ''))[1]}".strip()
        for key, value in scores["times"].items()
    )
    caution = (
        "A label says what an utterance sounds like, as learnt from the corpora; it is no knowledge of what a person "
        "feels."
    )
    return glossary(_GLOSSARY) + footer("predictions.csv", caution, times)


def _figure_cell(figure: Mapping[str, Any], metric: str = "") -> str:
    return f"{shown(metric, figure['value'])}<small>{limits(figure, metric)}</small>"


def _label_cell(name: str) -> str:
    return f'<span class="dot" style="background:{colour(name)}"></span>{escape(name)}'
