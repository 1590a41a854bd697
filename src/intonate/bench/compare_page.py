"""What `compare` found, for the terminal and as one HTML page with the look of the other reports."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from html import escape
from typing import Any

from intonate.evaluation import curves
from intonate.evaluation.html import NO_SHARES, document, glossary, header, html_table, panel, shown
from intonate.evaluation.page import NAMES
from intonate.evaluation.svg import ACCENT, INK, LINE, MUTED, circle, line, picture, text, text_width
from intonate.evaluation.table import PredictionTable

_SHORT_NAMES = {"uar": "UAR", "accuracy": "WA (accuracy)", "macro_f1": "macro F1", "weighted_f1": "weighted F1"}
UNITS = {
    "speaker": "Intervals and p-values come from resampling whole speakers: with other speakers of the same kind the "
    "difference would likely lie there.",
    "utterance": "Fewer than three speakers are known, so clips were resampled: intervals and p-values hold for other "
    "clips of these same speakers, and say nothing about other people. They take clips for independent, and are too "
    "narrow where several are of one speaker.",
}
_GLOSSARY = {
    "difference": "The first system less the second, on the same clips. An interval without zero, and a p-value under "
    "0.05, are more than chance; how large a difference matters is for you to say.",
    "p": "Two-sided, from the bootstrap: how often a resample turns the difference around. With several pairs, look at "
    "Holm's: he holds all pairs to 5 % together.",
    "McNemar": "Of the clips that only one of the two has right, how many are whose; exact. It takes clips for "
    "independent, which those of one speaker are not: believe the bootstrap over speakers first.",
    "fairness gap": "UAR in the group that is best off less that in the group that is worst off. Groups under 20 clips "
    "are left out.",
    "kappa": "Agreement beyond chance: with the truth for each system, and of two systems' answers with each other.",
}


def to_text(results: Mapping[str, Any]) -> str:
    """For a terminal, under 80 columns."""
    lines = [f"{', '.join(results['systems'])}: {results['clips']:,} clips of {_speakers(results)}"]
    for note in (*results["notes"], UNITS[results["pairs"][0]["unit"]]):
        lines += textwrap.wrap(note, 78, initial_indent="  ", subsequent_indent="  ")
    for pair in results["pairs"]:
        a, b = pair["a"][:14], pair["b"][:14]
        lines += [
            "",
            f"{pair['a']} less {pair['b']}",
            f"  {'':<16}{a:>14}{b:>15}{'difference':>12}  95 % interval      p",
        ]
        lines += [
            f"  {_name(metric):<16}{shown(metric, figure['a']):>14}{shown(metric, figure['b']):>15}"
            f"{_signed(metric, figure['difference']):>12}  {_limits(metric, figure):<16} {_p(figure['p'])}"
            for metric, figure in pair["metrics"].items()
            if figure["difference"] is not None
        ]
        if len(results["pairs"]) > 1:
            lines.append(f"  UAR, p by Holm over all pairs: {_p(pair['p_holm'])}")
        mcnemar = pair["mcnemar"]
        lines += [
            f"  McNemar's exact test: only {a} right {mcnemar['only_a']:,}, only {b} right {mcnemar['only_b']:,}, "
            f"p {_p(mcnemar['p'])}",
            f"  Their answers agree with kappa {shown('kappa', pair['agreement'])}",
        ]
        for kind, groups in pair["groups"].items():
            if groups:
                lines.append(f"  UAR by {kind}")
            lines += [
                f"    {name[:14]:<14}{shown('uar', figure['a']):>14}{shown('uar', figure['b']):>15}"
                f"{_signed('uar', figure['difference']):>12}  {_limits('uar', figure):<16} {_p(figure['p'])}"
                for name, figure in groups.items()
            ]
    lines += ["", "Fairness gap in UAR, best less worst group"] if any(results["fairness"].values()) else []
    for name, gaps in results["fairness"].items():
        lines += [
            f"  {name[:20]:<20} {kind:<9} {gap['best']} – {gap['worst']}: {100 * gap['gap']:.1f}  "
            f"{_limits('uar', gap)}  p {_p(gap['p'])}"
            for kind, gap in gaps.items()
        ]
    rates = ", ".join(f"{name} {100 * rate:.1f} %" for name, rate in results["eer"].items() if rate is not None)
    return "\n".join([*lines, *(["", f"Equal error rate: {rates}"] if rates else [])])


def render(results: Mapping[str, Any], tables: Mapping[str, PredictionTable]) -> str:
    """The page."""
    title = " and ".join(results["systems"])
    lead = f"{results['clips']:,} clips of {_speakers(results)}; {', '.join(results['labels'])}. Figures are in %."
    body = [header(title, lead, [UNITS[results["pairs"][0]["unit"]], *results["notes"]])]
    body += [_pair_section(pair, len(results["pairs"])) for pair in results["pairs"]]
    pictures = "".join(
        panel(name, content + f'<p class="small muted">{escape(note)}</p>')
        for name, content, note in curves.panels(tables)
    )
    body.append(f'<h2>At every threshold</h2><div class="panels">{pictures}</div>' if pictures else "")
    rows = [
        [escape(name), kind, escape(f"{gap['best']} – {gap['worst']}"), _cell("uar", gap["gap"], gap), _p(gap["p"])]
        for name, gaps in results["fairness"].items()
        for kind, gap in gaps.items()
    ]
    if rows:
        table = html_table(["system", "between", "best – worst", "gap in UAR", "p"], rows, text_columns=3)
        body.append(f"<h2>Fairness gaps</h2>{panel('', table, 'wide')}")
    body.append(
        f"{glossary(_GLOSSARY)}<footer><p>Aligned answers are in predictions-1.csv and its "
        'sisters; every figure is in <a href="compare.json">compare.json</a>.</p></footer>'
    )
    return document(title, "".join(body))


def _pair_section(pair: Mapping[str, Any], pairs: int) -> str:
    head = ["figure", pair["a"], pair["b"], "difference", "p"]
    rows = [
        [
            escape(NAMES[metric]),
            *(shown(metric, figure[system]) for system in ("a", "b")),
            _cell(metric, figure["difference"], figure),
            _p(figure["p"]),
        ]
        for metric, figure in pair["metrics"].items()
        if figure["difference"] is not None
    ]
    mcnemar = pair["mcnemar"]
    holm = f" UAR, p by Holm over all pairs: {_p(pair['p_holm'])}." if pairs > 1 else ""
    sentence = (
        f"McNemar's exact test: {mcnemar['only_a']:,} clips only {pair['a']} has right, {mcnemar['only_b']:,} only "
        f"{pair['b']}, p {_p(mcnemar['p'])}. Their answers agree with kappa {shown('kappa', pair['agreement'])}.{holm}"
    )
    note = f'<p class="small muted">{escape(sentence)}</p>'
    groups = [("all", pair["metrics"]["uar"])]
    groups += [(f"{name}", figure) for names in pair["groups"].values() for name, figure in names.items()]
    plot = difference_plot(groups, f"UAR: {pair['a']} less {pair['b']}")
    uar = pair["metrics"]["uar"]
    interval = f"95 % interval {_limits('uar', uar)}, " if uar["low"] is not None else ""
    cards = (
        card(pair["a"], shown("uar", uar["a"]), "% UAR", ""),
        card(pair["b"], shown("uar", uar["b"]), "% UAR", ""),
        card("difference", _signed("uar", uar["difference"]), "points", f"{interval}p {_p(uar['p'])}"),
    )
    return (
        f"<h2>{escape(pair['a'])} less {escape(pair['b'])}</h2>"
        f'<div class="cards">{"".join(cards)}</div>{panel("UAR, everywhere", plot, "wide")}'
        f"{panel('Every figure', html_table(head, rows) + note, 'wide')}"
    )


def card(kind: str, figure: str, unit: str, ending: str) -> str:
    """One figure, large."""
    ending_html = f'<p class="range">{escape(ending)}</p>' if ending else ""
    return (
        f'<section class="card"><p class="kind">{escape(kind)}</p>'
        f'<p class="big">{escape(figure)}<small>{escape(unit)}</small></p>{ending_html}</section>'
    )


def difference_plot(groups: list[tuple[str, Mapping[str, Any]]], title: str) -> str:
    """Differences with their intervals, one line each, around zero."""
    row, width = 26.0, 440.0
    left = max(text_width(name) for name, _ in groups) + 12
    right = width - text_width("+88.8") - 12
    ends = [
        abs(figure[key]) for _, figure in groups for key in ("low", "high", "difference") if figure[key] is not None
    ]
    largest: float = max([*ends, 0.01]) * 1.05

    def x(value: float) -> float:
        return left + (right - left) * (value + largest) / (2 * largest)

    height = row * len(groups) + 22
    parts = [line(x(0), 2, x(0), height - 20, MUTED, dash="3 3")]
    for tick in (-largest / 1.05, 0.0, largest / 1.05):
        parts.append(text(x(tick), height - 9, f"{100 * tick:+.1f}", anchor="middle", size=11, fill=MUTED))
    for place, (name, figure) in enumerate(groups):
        middle = place * row + row / 2
        parts += [line(left, middle, right, middle, LINE), text(left - 8, middle, name, anchor="end")]
        if figure["difference"] is None:
            continue
        if figure["low"] is not None:
            parts.append(line(x(figure["low"]), middle, x(figure["high"]), middle, INK, width=2, cap="round"))
        parts.append(circle(x(figure["difference"]), middle, 5, ACCENT, tip=f"{name}: {_limits('uar', figure)}"))
        parts.append(text(width - 4, middle, f"{100 * figure['difference']:+.1f}", anchor="end", weight=600))
    return picture(width, height, title, parts)


def _speakers(results: Mapping[str, Any]) -> str:
    count = results["speakers"]
    return "speakers not known" if not count else f"{count:,} speaker{'s' * (count > 1)}"


def _name(metric: str) -> str:
    return _SHORT_NAMES.get(metric, NAMES[metric].split(" (")[0])[:16]


def _signed(metric: str, value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}" if metric in NO_SHARES else f"{100 * value:+.1f}"


def _limits(metric: str, figure: Mapping[str, Any]) -> str:
    return "" if figure["low"] is None else f"{_signed(metric, figure['low'])} to {_signed(metric, figure['high'])}"


def _cell(metric: str, value: float | None, figure: Mapping[str, Any]) -> str:
    return f"{_signed(metric, value)}<small>{_limits(metric, figure)}</small>"


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"
