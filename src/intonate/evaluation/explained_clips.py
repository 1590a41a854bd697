"""A few clips of a report explained: what moves the model's answers to them, and whether that is true of the model.

Which clips they are is a rule, so that nobody picks the pretty ones: of each class, those it was right on and those it
was wrong on are ranked by its confidence and cut into as many equal parts as clips are wanted; of each part the middle
one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from intonate.errors import IntonateError, plural
from intonate.evaluation.explanation_page import curve_plot, little_map, points
from intonate.evaluation.html import html_table
from intonate.evaluation.table import PredictionTable
from intonate.explanation import words
from intonate.explanation.explain import CHANGES, Explanation
from intonate.explanation.faithfulness import Curves

HEADING = "Why these answers"
# Reasons why clips are not explained, and clips of each; more of them are counted.
SHOWN_REASONS = 3
_LEGEND = (
    "In the pictures blue speaks for the answer and orange against it; the frame is the place of the first sentence. "
    f"{words.CAUTION}"
)
_FILE = 'Its figures are in <a href="explanations.json">explanations.json</a>.'


@dataclass(frozen=True)
class ExplainedClips:
    """What was explained of a table.

    Attributes:
        table: the chosen clips, a row each.
        explanations: of each row, or the sentence that says why there is none.
        count: right and wrong clips wanted of each class.
    """

    table: PredictionTable
    explanations: tuple[Explanation | str, ...]
    count: int

    @property
    def found(self) -> list[tuple[int, Explanation]]:
        """(row, explanation) of those that there are."""
        return [(row, one) for row, one in enumerate(self.explanations) if not isinstance(one, str)]


def chosen_rows(table: PredictionTable, count: int) -> list[int]:
    """The rows that are explained: class by class, the right ones first, the least sure first."""
    confidence = table.probabilities[np.arange(len(table)), table.predicted]
    rows: list[int] = []
    for label in table.labels:
        for is_right in (True, False):
            members = np.flatnonzero((table.emotion == label) & ((table.label == label) == is_right))
            ranked = members[np.argsort(confidence[members], kind="stable")]
            parts = min(count, len(ranked))
            rows += [int(ranked[int((part + 0.5) * len(ranked) / parts)]) for part in range(parts)]
    return rows


def explain_clips(
    table: PredictionTable,
    count: int,
    explain_row: Callable[[int], Explanation],
    bar: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> ExplainedClips:
    """Explain the answers to chosen clips.

    Args:
        table: answers to clips, each by itself.
        count: right and wrong clips of each class.
        explain_row: explains the answer to a row of the table; may raise an `IntonateError`.
        bar: wraps the rows in a progress bar.
    """
    rows = chosen_rows(table, count)
    explanations: list[Explanation | str] = []
    for row in bar(rows):
        try:
            explanations.append(explain_row(row))
        except IntonateError as error:
            explanations.append(str(error))
    return ExplainedClips(table.take(rows), tuple(explanations), count)


def write(clips: ExplainedClips, path: Path) -> None:
    """Everything but the sounds, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = [
        {"file": str(clips.table.file[row]), "emotion": str(clips.table.emotion[row])}
        | ({"error": one} if isinstance(one, str) else _without_file(words.to_dict(one)))
        for row, one in enumerate(clips.explanations)
    ]
    content = {"rule": _rule(clips.count), "clips": entries}
    text = json.dumps(content, ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def _without_file(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "file"}


def panels(clips: ExplainedClips) -> list[tuple[str, str]]:
    """(heading, HTML) for a report: whether it is true of the model, what a change does, and each clip."""
    rule = f'<p class="small muted">{escape(_rule(clips.count))}</p>'
    if not clips.found:
        return [("Nothing is explained", _reasons(clips) + rule)]
    parts = [
        ("Is it true of the model?", _faithfulness(clips) + rule + f'<p class="small muted">{_LEGEND} {_FILE}</p>'),
        ("What a change of the voice does", _changes(clips)),
        *((_clip_heading(clips.table, row), _clip(clips.table, row, one)) for row, one in clips.found),
    ]
    if len(clips.found) < len(clips.explanations):
        parts.append(("Not explained", _reasons(clips)))
    return parts


def _rule(count: int) -> str:
    clips = "the one in the middle" if count == 1 else f"the middle one of each of {count} equal parts"
    return (
        "Chosen by a rule: of each class, the clips that it was right on and those that it was wrong on, ranked by the "
        f"model's confidence, and of these {clips}. Each is explained by itself."
    )


def _faithfulness(clips: ExplainedClips) -> str:
    curves = [one.deletion for _, one in clips.found]
    mean = Curves(
        curves[0].shares,
        np.mean([one.explained for one in curves], axis=0),
        np.mean([one.random for one in curves], axis=0),
    )
    area, random = 100 * mean.area(), 100 * mean.random_area()
    ratio = f", {area / random:.1f} times less" if random > 100 * words.LEAST_AREA and area > random else ""
    sentence = (
        f"Over {plural(len(curves), 'clip')}: with up to half of the tiles turned down, first those that the maps "
        f"point at, the answer {words.loses(area)} on average; in random order it {words.loses(random)}{ratio}. "
        "With all of them turned down the clip is only softer, so both lines end near where they began."
    )
    return curve_plot(mean, "deletion, mean of the clips") + f'<p class="small">{escape(sentence)}</p>'


def _changes(clips: ExplainedClips) -> str:
    rows = []
    for name in CHANGES:
        pairs = [(one, item) for _, one in clips.found for item in one.changed if item.name == name]
        if not pairs:
            continue
        moves = np.array([item.probability - one.probability for one, item in pairs])
        flips = sum(item.label != one.label for one, item in pairs)
        rows.append([escape(name), points(moves.mean()), f"{100 * np.abs(moves).mean():.0f}", str(flips)])
    notes = sorted({note for _, one in clips.found for note in one.notes if note.startswith("left out")})
    return (
        html_table(["change", "points", "size", "flips"], rows)
        + f'<p class="small muted">Points: how far the probability of the answer moves, the mean of {len(clips.found)} '
        "clips; size: the same without its sign; flips: clips for which another label becomes the likeliest.</p>"
        + "".join(f'<p class="small muted">{escape(note)}</p>' for note in notes)
    )


def _clip_heading(table: PredictionTable, row: int) -> str:
    truth, label = str(table.emotion[row]), str(table.label[row])
    return f"{truth}, right" if truth == label else f"{truth}, called {label}"


def _clip(table: PredictionTable, row: int, explanation: Explanation) -> str:
    file, start_s = str(table.file[row]), float(table.start[row])
    place = f" from {start_s:g} s" if start_s else ""
    # Of a long clip one window is explained, and the table has the answer to all of it.
    whole = float(table.probabilities[row, table.predicted[row]])
    if abs(whole - explanation.probability) >= 0.01:
        end_s = explanation.start_s + float(explanation.tiles.times_s[-1])
        place += f", {explanation.start_s:.1f} to {end_s:.1f} s (of the whole clip {100 * whole:.0f}\u00a0%)"
    first, *others = words.sentences(explanation)
    area, random = 100 * explanation.deletion.area(), 100 * explanation.deletion.random_area()
    return (
        f'<p class="small muted"><code>{escape(file)}</code>{place}: '
        f"{escape(words.answer_text(explanation))}</p>{little_map(explanation)}"
        f'<p class="small"><b>{escape(first)}</b> {escape(" ".join(others[:1]))}</p>'
        f'<p class="small muted">Tiles turned down by the map: it {words.loses(area)}; in random order it '
        f"{words.loses(random)}.</p>"
    )


def _reasons(clips: ExplainedClips) -> str:
    if not clips.explanations:
        return "<p>There are no clips to choose from.</p>"
    files_by_reason: dict[str, list[str]] = {}
    for file, one in zip(clips.table.file.tolist(), clips.explanations, strict=True):
        if isinstance(one, str):
            files_by_reason.setdefault(one.removeprefix(f"{file}: "), []).append(file)
    ranked = sorted(files_by_reason.items(), key=lambda item: -len(item[1]))
    lines = [f"{plural(len(files), 'clip')}: {reason} ({_names(files)})" for reason, files in ranked[:SHOWN_REASONS]]
    if len(ranked) > SHOWN_REASONS:
        lines.append(f"and {plural(sum(len(files) for _, files in ranked[SHOWN_REASONS:]), 'more clip')}")
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _names(files: Sequence[str]) -> str:
    """The first three, and how many more."""
    return ", ".join(files[:SHOWN_REASONS]) + f" and {len(files) - SHOWN_REASONS} more" * (len(files) > SHOWN_REASONS)
