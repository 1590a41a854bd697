"""A card of fairness and robustness for the terminal, as Markdown for a model card, and as a page."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from intonate.bench.compare_page import card, difference_plot
from intonate.evaluation.html import document, glossary, header, html_table, limits, panel, percent
from intonate.evaluation.plots import interval_plot

# A model holds where it loses no more than this, and fails where it keeps less than that of what it had over guessing.
HOLDS, FAILS = 0.05, 0.5
_GROUPS = ("gender", "age", "language", "corpus")
_FIGURE_NOTE = (
    "UAR, the mean recall of the classes, among those that the clip's corpus has; each clip by itself; {unit}s were "
    "resampled for the 95 % intervals. Guessing gives {chance} %."
)
_GLOSSARY = {
    "kept": "What is left of what the model has over guessing: 100 is as good as clean, 0 is no better than a guess.",
    "answered": "How many of all clips reach the threshold under which the model says unsure.",
    "ECE": "How far confidence lies from accuracy; a model that hears worse should also be less sure.",
    "fairness gap": "UAR in the group that is best off less that of the worst, both chosen in these clips. Groups "
    "under 20 clips are left out. A gap may come from the model, or from these few speakers: see its interval.",
    "conditions": "Changes of the clean clips by signal processing. Real lines and rooms are less tidy: test your own.",
}


def to_text(facts: Mapping[str, Any]) -> str:
    """For a terminal, under 80 columns."""
    clean = facts["clean"]
    lines = [_headline(facts)]
    lines += textwrap.wrap(_figure_note(facts), 78)
    for note in facts["notes"]:
        lines += textwrap.wrap(note, 78, initial_indent="- ", subsequent_indent="  ")
    for group, names in _compared_groups(facts):
        lines += ["", f"UAR by {group}"]
        lines += [
            f"  {name[:28]:<34}{percent(figures['uar']['value']):>6}  {limits(figures['uar']):<12}"
            f"{figures['utterances']:>6,} clips"
            for name, figures in names.items()
        ]
        if gap := facts["fairness"].get(group):
            lines.append(f"  {'gap, ' + gap['best'] + ' less ' + gap['worst']:<34}{_gap(gap)}")
    lines += ["", f"  {'condition':<34}{'UAR':>6}  {'against clean':<22}{'kept':>5}{'answered':>10}"]
    lines.append(
        f"  {'clean':<34}{percent(clean['uar']['value']):>6}  {'':<22}{'100':>5}{_share(clean['answered']):>10}"
    )
    lines += [
        f"  {item['name'][:33]:<34}{percent(item['uar']['value']):>6}  {_difference(item):<22}{_share(item['kept']):>5}"
        f"{_share(item['answered']):>10}"
        for item in facts["conditions"]
    ]
    sentences = [line for sentence in verdict(facts) for line in textwrap.wrap(sentence, 78, subsequent_indent="  ")]
    return "\n".join([*lines, "", *sentences])


def to_markdown(facts: Mapping[str, Any]) -> str:
    """To be put into a model card."""
    lines = [f"# {facts['model']}: fairness and robustness", "", f"{_headline(facts)} {_figure_note(facts)}", ""]
    lines += [*(f"- {note}" for note in facts["notes"]), *(f"- {sentence}" for sentence in verdict(facts)), ""]
    lines += ["| condition | UAR % | against clean, points | kept % | answered % | ECE % |"]
    lines += ["| --- | ---: | --- | ---: | ---: | ---: |"]
    rows = [{"name": "clean", "kept": 1.0, **facts["clean"]}, *facts["conditions"]]
    lines += [
        f"| {item['name']} | {_with_limits(item['uar'])} | {_difference(item)} | {_share(item['kept'])} "
        f"| {_share(item['answered'])} | {percent(item['ece'])} |"
        for item in rows
    ]
    for group, names in _compared_groups(facts):
        lines += ["", f"| {group} | clips | speakers | UAR % |", "| --- | ---: | ---: | --- |"]
        lines += [
            f"| {name} | {figures['utterances']:,} | {figures['speakers']} | {_with_limits(figures['uar'])} |"
            for name, figures in names.items()
        ]
        if gap := facts["fairness"].get(group):
            lines += ["", f"Gap between {gap['best']} and {gap['worst']}: {_gap(gap)}."]
    return "\n".join(lines) + "\n"


def render(facts: Mapping[str, Any]) -> str:
    """The page."""
    clean, title = facts["clean"], f"{facts['model']}: fairness and robustness"
    body = [
        header(title, _headline(facts), [_figure_note(facts), *facts["notes"]]),
        '<div class="cards">',
        card("clean clips", percent(clean["uar"]["value"]), "% UAR", _interval(limits(clean["uar"]))),
        *(card(*figures) for figures in _largest_gaps(facts)),
        f'</div><ul class="notes">{"".join(f"<li>{escape(sentence)}</li>" for sentence in verdict(facts))}</ul>',
    ]
    pictures = [
        panel(f"By {group}: UAR", interval_plot(list(names.items()), f"UAR by {group}") + _gap_note(facts, group))
        for group, names in _compared_groups(facts)
    ]
    none = '<p class="small muted">One corpus, one gender, one age and one language: nothing to compare.</p>'
    body.append(f'<h2>Whom it hears how well</h2><div class="panels">{"".join(pictures) or none}</div>')
    plot = difference_plot(
        [(item["name"], item["difference"]) for item in facts["conditions"]], "UAR against that on clean clips"
    )
    rows = [
        [
            escape(item["name"]),
            f"{percent(item['uar']['value'])}<small>{limits(item['uar'])}</small>",
            _share(item["kept"]),
            _share(item["answered"]),
            percent(item["ece"]),
        ]
        for item in [{"name": "clean", "kept": 1.0, **clean}, *facts["conditions"]]
    ]
    table = html_table(["condition", "UAR %", "kept %", "answered %", "ECE %"], rows)
    body.append(
        f"<h2>What is left of it in worse conditions</h2>{panel('UAR, with its distance from clean', plot, 'wide')}"
        f"{panel('Every figure', table, 'wide')}"
    )
    body.append(
        f'{glossary(_GLOSSARY)}<footer><p>As Markdown: <a href="card.md">card.md</a>; '
        'every figure: <a href="card.json">card.json</a>.</p></footer>'
    )
    return document(title, "".join(body))


def verdict(facts: Mapping[str, Any]) -> list[str]:
    """Which conditions it holds in, is weaker in, fails in: a sentence each."""
    losses = {item["name"]: -(item["difference"]["difference"] or 0.0) for item in facts["conditions"]}
    kept_shares = {item["name"]: item["kept"] for item in facts["conditions"]}
    holds = [name for name, points in losses.items() if points <= HOLDS]
    fails = [name for name, share in kept_shares.items() if share is not None and share < FAILS]
    weaker = [name for name in losses if name not in holds and name not in fails]
    parts = (
        (f"Holds (loses {100 * HOLDS:.0f} points or less)", holds),
        ("Weaker", weaker),
        ("Fails (keeps less than half of what it had over guessing)", fails),
    )
    return [f"{word}: {'; '.join(names)}." for word, names in parts if names]


def _headline(facts: Mapping[str, Any]) -> str:
    uar = facts["clean"]["uar"]
    return (
        f"{facts['model']} on {facts['manifest']}: UAR {_with_limits(uar)} on {facts['clips']:,} clean clips of "
        f"{facts['speakers']} speakers."
    )


def _figure_note(facts: Mapping[str, Any]) -> str:
    return _FIGURE_NOTE.format(unit=facts["unit"], chance=percent(facts["chance"]))


def _compared_groups(facts: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Those of which there are two or more; a language of its own for every corpus says nothing new."""
    for group in _GROUPS:
        names = facts["groups"][group]
        if len(names) > 1 and not (group == "corpus" and len(names) == len(facts["groups"]["language"])):
            yield group, names


def _largest_gaps(facts: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """A card for the largest fairness gap, and one for the condition that costs most."""
    if facts["fairness"]:
        group, gap = max(facts["fairness"].items(), key=lambda item: item[1]["gap"])
        interval = "" if gap["low"] is None else f"{percent(gap['low'])} to {percent(gap['high'])}"
        yield (
            f"largest gap, by {group}",
            percent(gap["gap"]),
            f"points, {gap['best']} over {gap['worst']}",
            _interval(interval),
        )
    item = min(facts["conditions"], key=lambda item: item["uar"]["value"])
    yield f"worst condition: {item['name']}", percent(item["uar"]["value"]), "% UAR", _interval(limits(item["uar"]))


def _interval(limits_text: str) -> str:
    return f"95 % interval {limits_text}" if limits_text else ""


def _gap_note(facts: Mapping[str, Any], group: str) -> str:
    gap = facts["fairness"].get(group)
    return f'<p class="small muted">Gap between {gap["best"]} and {gap["worst"]}: {_gap(gap)}.</p>' if gap else ""


def _gap(gap: Mapping[str, Any]) -> str:
    interval = "" if gap["low"] is None else f" ({percent(gap['low'])} to {percent(gap['high'])})"
    return f"{percent(gap['gap'])} points{interval}"


def _difference(item: Mapping[str, Any]) -> str:
    figure = item.get("difference")
    if figure is None or figure["difference"] is None:
        return ""
    interval = "" if figure["low"] is None else f" ({100 * figure['low']:+.1f} to {100 * figure['high']:+.1f})"
    return f"{100 * figure['difference']:+.1f}{interval}"


def _with_limits(figure: Mapping[str, Any]) -> str:
    return f"{percent(figure['value'])} ({limits(figure)})" if figure["low"] is not None else percent(figure["value"])


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f}"
