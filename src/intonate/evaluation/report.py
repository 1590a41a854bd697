"""A report folder: the prediction table, all figures as JSON, and one page that people want to look at."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from intonate.errors import CorpusError, plural
from intonate.evaluation.html import limits, percent, shown, speakers_of
from intonate.evaluation.page import condition_name, render
from intonate.evaluation.protocol import GROUPS, scores
from intonate.evaluation.table import PredictionTable, write

_HEADLINES = {
    "uar": "UAR",
    "accuracy": "WA",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "kappa": "kappa",
    "auc": "AUC",
    "ece": "ECE",
}


def write_report(
    folder: Path | str,
    table: PredictionTable,
    title: str,
    times: Mapping[str, float] | None = None,
    notes: Sequence[str] | str = (),
    repeats: int = 1000,
    pictures: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    ratings: Mapping[str, Any] | None = None,
) -> Path:
    """Write `predictions.csv`, `metrics.json` and `report.html` into a folder, which is made if need be.

    Args:
        folder: where to.
        table: the predictions.
        title: heading of the page, e.g. `compact on RAVDESS, 6 folds`.
        times: what the run took: `train_s`, `test_s`, `ms_per_clip`.
        notes: sentences under the heading: configurations tried, what is special.
        repeats: bootstrap resamples per interval.
        pictures: what else the page shows, as in `page.render`.
        ratings: of a model that gives numbers too, their figures (`ratings.scores`), for `metrics.json`.

    Returns:
        The path of `report.html`.

    Raises:
        CorpusError: the table is empty, or the folder cannot be written.
    """
    if len(table) == 0:
        raise CorpusError("there is nothing to report: the prediction table has no rows; expected at least one clip")
    lines = (notes,) if isinstance(notes, str) else tuple(notes)
    results = scores(table, repeats, times=times)
    html = render(results, table, title, [line for line in lines if line], pictures)
    figures = {"title": title, "notes": list(lines), **results, **({} if ratings is None else {"ratings": ratings})}
    return write_folder(Path(folder), figures, html, lambda target: write(table, target / "predictions.csv"))


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Around what writes the files of a report into a folder, which is made if need be.

    Raises:
        CorpusError: the folder, or a file in it, cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise CorpusError(
            f"the report cannot be written to {folder} ({reason}); expected a folder to write in"
        ) from error


def check_folder(folder: Path) -> None:
    """See that a report can be written to a folder, before the long work whose result it is; nothing stays behind.

    Raises:
        CorpusError: it cannot be written.
    """
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    with writing_to(folder):
        with tempfile.TemporaryFile(dir=folder):
            pass
        for part in missing:
            part.rmdir()


def write_folder(folder: Path, figures: Mapping[str, Any], html: str, write_table: Callable[[Path], object]) -> Path:
    """Write a report's table, `metrics.json` and `report.html` into a folder, which is made if need be.

    Args:
        folder: where to.
        figures: everything that was computed, ready for JSON.
        html: the page.
        write_table: writes the table that the figures were computed from into the folder.

    Returns:
        The path of `report.html`.

    Raises:
        CorpusError: the folder cannot be written.
    """
    page = folder / "report.html"
    with writing_to(folder):
        write_table(folder)
        text = json.dumps(figures, ensure_ascii=False, indent=1, allow_nan=False)
        (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
        page.write_text(html, encoding="utf-8", errors="backslashreplace")
    return page


def to_text(results: Mapping[str, Any]) -> str:
    """The figures of `protocol.scores` for a terminal, under 80 columns."""
    blocks = []
    for condition in results["conditions"]:
        view, restricted = condition["open"], condition["restricted"]
        clips = f"{plural(condition['utterances'], 'clip')}, {speakers_of(condition['speakers'])}"
        lines = [condition_name(condition), f"  {clips}, 95 % intervals over {view['unit']}s"]
        # Open: any class of the model may be the answer; own: only those that the clip's corpus has.
        unit = "open %" if restricted else "%"
        lines.append(f"  {'':<14}{unit:>6}  {'interval':<14}" + ("  own classes %, interval" if restricted else ""))
        for key, name in _HEADLINES.items():
            figure = view["overall"][key]
            line = f"  {name:<14}{shown(key, figure['value']):>6}  {limits(figure, key):<14}"
            if restricted:
                restricted_figure = restricted["overall"][key]
                line += f"  {shown(key, restricted_figure['value']):>5}  {limits(restricted_figure, key)}"
            lines.append(line.rstrip())
        for deviations, name in ((view["over_folds"], "folds"), (view["over_seeds"], "seeds")):
            if deviations:
                mean, sd = percent(deviations["uar"]["mean"]), percent(deviations["uar"]["sd"])
                lines.append(f"  UAR {mean} ± {sd} over {deviations['count']} {name}")
        answers = view["answered"]
        if answers["coverage"] is not None and answers["coverage"] < 1:
            lines.append(
                f"  answers {percent(answers['coverage'])} % and is right on {percent(answers['accuracy'])} % of them"
            )
        for group in GROUPS:
            names = view["groups"][group]
            if len(names) > 1:
                lines.append(f"  UAR by {group}")
                lines += [
                    f"    {name[:24]:<24} {percent(figures['uar']['value']):>6}  {limits(figures['uar'])}"
                    for name, figures in names.items()
                ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
