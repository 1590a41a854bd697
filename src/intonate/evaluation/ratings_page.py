"""The report of numbers: `dimensions.csv`, all figures as JSON, and one page; or panels beside a report of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from intonate.errors import CorpusError
from intonate.evaluation.html import clips_of, document, footer, glossary, header, html_table, panel
from intonate.evaluation.page import INTERVAL, PLAIN_WORDS, condition_name, interval_unit_note
from intonate.evaluation.ratings import RatingTable, is_group_of_interest, scores, write
from intonate.evaluation.report import write_folder
from intonate.evaluation.svg import ACCENT, LINE, MUTED, circle, line, picture, text

Figure = Mapping[str, float | None]

# More points than this make a picture heavy and tell nothing more.
POINTS = 1500
_WORDS = {
    "CCC": "Lin's concordance correlation coefficient: 1 where every answer equals its rating, 0 where they have "
    "nothing to do with each other. It falls where answers do not go along with the ratings, and where they lie too "
    "high, too low or too close together.",
    "RMSE": "The root of the mean squared distance between answer and rating, on the scale from 0 to 1.",
    **INTERVAL,
}


def write_report(
    folder: Path | str,
    table: RatingTable,
    title: str,
    times: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
    repeats: int = 1000,
) -> Path:
    """Write `dimensions.csv`, `metrics.json` and `report.html` into a folder, which is made if need be.

    Returns:
        The path of `report.html`.

    Raises:
        CorpusError: the table is empty, or the folder cannot be written.
    """
    if len(table) == 0:
        raise CorpusError("there is nothing to report: no row has a rating; expected at least one clip")
    results = scores(table, repeats, times=times)
    figures = {"title": title, "notes": list(notes), **results}
    html = render(results, table, title, notes)
    return write_folder(Path(folder), figures, html, lambda target: write(table, target / "dimensions.csv"))


def render(results: Mapping[str, Any], table: RatingTable, title: str, notes: Sequence[str] = ()) -> str:
    """The page, from `ratings.scores` and the table itself."""
    first, *others = results["conditions"]
    clips = clips_of(first["utterances"], first["speakers"], table.corpus.tolist())
    body = [header(title, f"{clips}; {', '.join(table.dimensions)}, each from 0 to 1", notes)]
    body.append(f'<div class="cards">{"".join(_card(first, name) for name in table.dimensions)}</div>')
    body.append('<div class="panels">')
    body += [panel(name, content) for name, content in _pictures(results, table)]
    body.append("</div>")
    body += [panel(name, content, "wide") for name, content in _group_tables(results)]
    if others:
        body.append(f"<h2>Under every condition</h2>{panel('', _condition_table(results), 'wide')}")
    caution = (
        "A number says how an utterance sounds to raters like those of the corpora; it is no knowledge of what a "
        "person feels."
    )
    body.append(glossary(_WORDS) + footer("dimensions.csv", caution))
    return document(title, "".join(body))


def panels(results: Mapping[str, Any], table: RatingTable) -> list[tuple[str, str]]:
    """(heading, content) for a report of labels: the figures, each dimension rated and answered, and the groups."""
    figures = ("CCC, RMSE", _condition_table(results))
    return [figures, *_pictures(results, table), *_group_tables(results)]


def _pictures(results: Mapping[str, Any], table: RatingTable) -> list[tuple[str, str]]:
    """Of the first condition, each dimension rated and answered."""
    first = results["conditions"][0]
    part = table.take((table.protocol == first["protocol"]) & (table.statistics == first["statistics"]))
    return [
        (f"{name.capitalize()}: rated and answered", scatter_plot(part.truth[:, place], part.answer[:, place], name))
        for place, name in enumerate(table.dimensions)
    ]


def _group_tables(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of the first condition, who is heard how well."""
    return [
        (f"By {kind}: CCC, RMSE", _group_table(groups, results["dimensions"], kind))
        for kind, groups in results["conditions"][0]["groups"].items()
        if is_group_of_interest(groups)
    ]


def scatter_plot(truth: np.ndarray, answer: np.ndarray, name: str) -> str:
    """Every clip as a point, its rating across and its answer up; on the diagonal they are the same."""
    side, left, top = 300.0, 46.0, 8.0
    base = top + side
    parts = [line(left, base - side * share, left + side, base - side * share, LINE) for share in (0, 0.5, 1)]
    parts += [line(left + side * share, base, left + side * share, top, LINE) for share in (0, 0.5, 1)]
    parts.append(line(left, base, left + side, top, MUTED, dash="4 4"))
    rows = np.flatnonzero(~np.isnan(truth))
    if len(rows) > POINTS:
        rows = rows[np.linspace(0, len(rows) - 1, POINTS).astype(int)]
    for row in rows:
        place = (left + side * float(truth[row]), base - side * float(answer[row]))
        parts.append(circle(*place, 3, f"{ACCENT}", tip=f"rated {truth[row]:.2f}, answered {answer[row]:.2f}"))
    for share in (0, 0.5, 1):
        parts.append(text(left - 8, base - side * share, f"{share:g}", anchor="end", size=11, fill=MUTED))
        parts.append(text(left + side * share, base + 12, f"{share:g}", anchor="middle", size=11, fill=MUTED))
    parts.append(
        text(left + side / 2, base + 28, f"{name} as rated; up: as answered", anchor="middle", size=11, fill=MUTED)
    )
    return picture(left + side + 14, base + 38, f"{name}: answers over ratings", [_faint(part) for part in parts])


def _faint(shape: str) -> str:
    """Points that lie on one another stay countable."""
    return shape.replace("<circle ", '<circle fill-opacity="0.45" ')


def _card(condition: Mapping[str, Any], name: str) -> str:
    figures = condition["overall"][name]
    words = [PLAIN_WORDS.get(condition[key], "") for key in ("protocol", "statistics")]
    return (
        f'<section class="card"><p class="kind">{escape(condition_name(condition))}</p><h2>{escape(name)}</h2>'
        f'<p class="big">{_value(figures["ccc"])}<small>CCC</small></p>'
        f'<p class="range">95 % interval over {condition["unit"]}s {_limits(figures["ccc"])}</p>'
        f"<dl><dt>RMSE</dt><dd>{_value(figures['rmse'])}</dd><dd>{_limits(figures['rmse'])}</dd></dl>"
        f'<p class="how">{escape(" ".join(filter(None, words)))}</p></section>'
    )


def _group_table(groups: Mapping[str, Any], dimensions: Sequence[str], kind: str) -> str:
    rows = [
        [
            escape(name),
            str(group["utterances"]),
            str(group["speakers"]),
            *(_cell(group["overall"][dimension]) for dimension in dimensions),
        ]
        for name, group in groups.items()
    ]
    return html_table([kind, "clips", "speakers", *dimensions], rows) + interval_unit_note(groups)


def _condition_table(results: Mapping[str, Any]) -> str:
    rows = [
        [escape(condition_name(condition)), *(_cell(figures) for figures in condition["overall"].values())]
        for condition in results["conditions"]
    ]
    return html_table(["conditions", *results["dimensions"]], rows)


def _cell(figures: Mapping[str, Figure]) -> str:
    """CCC with its interval, then RMSE."""
    return f"{_value(figures['ccc'])}<small>{_limits(figures['ccc'])}</small>, {_value(figures['rmse'])}"


def _value(figure: Figure) -> str:
    return "–" if figure["value"] is None else f"{figure['value']:.3f}"


def _limits(figure: Figure) -> str:
    return "" if figure["low"] is None else f"{figure['low']:.3f}–{figure['high']:.3f}"
