"""Pictures are well-formed, say their figures, and no text leaves its picture or lies on another."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import numpy as np
import pytest
from prediction_tables import benchmark, predicted, utterances

from intonate.emotions import EMOTIONS, SEVEN, merged_labels
from intonate.evaluation import plots
from intonate.evaluation.palette import COLOURS, colour
from intonate.evaluation.protocol import view
from intonate.evaluation.svg import text_width
from intonate.evaluation.table import PredictionTable

Box = tuple[float, float, float, float]


def texts(svg: str) -> Iterator[tuple[str, Box]]:
    """Every text of a picture with the box (left, top, right, bottom) that it takes at most."""

    def walk(node: ET.Element, shift: tuple[float, float] | None) -> Iterator[tuple[str, Box]]:
        moved = re.match(r"translate\(([\d.-]+) ([\d.-]+)\) rotate\(-90\)", node.get("transform", ""))
        shift = (float(moved[1]), float(moved[2])) if moved else shift
        if node.tag.endswith("}text"):
            size, content = float(node.get("font-size", "0")), node.text or ""
            width = text_width(content, size)
            left = (
                float(node.get("x", "0")) - {"start": 0, "middle": width / 2, "end": width}[node.get("text-anchor", "")]
            )
            base = float(node.get("y", "0"))
            box = (left, base - 0.75 * size, left + width, base + 0.2 * size)
            if shift:  # (x, y) turned by -90° is (y, -x)
                box = (shift[0] + box[1], shift[1] - box[2], shift[0] + box[3], shift[1] - box[0])
            yield content, box
        for child in node:
            yield from walk(child, shift)

    yield from walk(ET.fromstring(svg), None)


def check(svg: str) -> None:
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert "nan" not in svg
    _, _, width, height = map(float, root.get("viewBox", "").split())
    found = list(texts(svg))
    for content, (left, top, right, bottom) in found:
        assert left >= -0.5, content
        assert top >= -0.5, content
        assert right <= width + 0.5, content
        assert bottom <= height + 0.5, content
    for place, (one, a) in enumerate(found):
        for other, b in found[place + 1 :]:
            overlap = min(a[2], b[2]) - max(a[0], b[0]) > 0.5 and min(a[3], b[3]) - max(a[1], b[1]) > 0.5
            assert not overlap, f"{one!r} lies on {other!r}"


def table_of(labels: tuple[str, ...], count: int = 300, skill: float = 2.0) -> PredictionTable:
    rng = np.random.default_rng(0)
    rows = [dataclasses.replace(row, emotion=str(rng.choice(labels))) for row in utterances("ravdess", 6, 10)][:count]
    return predicted(rows, rng, skill, labels, abstain_below=0.5)


@pytest.mark.parametrize(
    "labels",
    [
        SEVEN,
        merged_labels("8"),
        merged_labels("p4-4"),
        merged_labels("valence"),
        EMOTIONS,
        ("no", "a very long class <&>"),
    ],
    ids=["7", "8", "p4-4", "valence", "all", "strange"],
)
@pytest.mark.parametrize("skill", [0.0, 2.0, 30.0])
def test_every_picture_fits(labels: tuple[str, ...], skill: float) -> None:
    table = table_of(labels, skill=skill)
    figures = view(table, repeats=20)
    check(plots.confusion_plot(figures["confusion"], labels))
    check(plots.class_plot(figures["classes"]))
    check(plots.reliability_plot(table))
    check(plots.coverage_plot(table))
    for groups in figures["groups"].values():
        check(plots.interval_plot(list(groups.items()), "UAR"))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_hardly_any_rows_are_drawn_too(count: int) -> None:
    table = table_of(SEVEN, count)
    figures = view(table, repeats=20)
    for svg in (
        plots.confusion_plot(figures["confusion"], SEVEN),
        plots.class_plot(figures["classes"]),
        plots.reliability_plot(table),
        plots.coverage_plot(table),
        plots.interval_plot(list(figures["groups"]["corpus"].items()), "UAR"),
    ):
        check(svg)


def test_the_confusion_matrix_says_shares_and_counts() -> None:
    svg = plots.confusion_plot([[6, 2], [0, 0]], ("happy", "sad"))
    assert [content for content, _ in texts(svg)][-4:] == ["75", "25", "–", "–"]
    assert "happy called sad: 2 of 8 (25.0%)" in svg


def test_the_interval_plot_says_its_figures() -> None:
    group = {"utterances": 9, "speakers": 3, "uar": {"value": 0.582, "low": 0.5, "high": 1.0}}
    nothing = {"utterances": 0, "speakers": 0, "uar": {"value": None, "low": None, "high": None}}
    svg = plots.interval_plot([("emodb", group), ("none", nothing)], "UAR")
    assert {"58.2", "50.0–100.0", "emodb", "none"} <= {content for content, _ in texts(svg)}
    assert "9 clips of 3 speakers" in svg
    check(svg)


def test_the_coverage_curve_ends_at_the_accuracy_of_all() -> None:
    table = benchmark(each=1)
    coverage, right = plots.coverage_curve(table)
    assert coverage[-1] == 1
    assert right[-1] == pytest.approx((table.label == table.emotion).mean())
    assert right[len(right) // 4] > right[-1]


def test_one_colour_per_emotion() -> None:
    assert set(EMOTIONS) <= set(COLOURS)
    assert len({colour(name) for name in SEVEN}) == 7
    assert colour("something new") == colour("something new")
    assert all(re.fullmatch("#[0-9a-f]{6}", colour(name)) for name in (*COLOURS, "something new"))
