"""The pictures of a comparison, as SVG: systems with their two splits, corpora against each other, noise.

Narrow on purpose, with names above their marks: they are as readable on a phone as on a desk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from intonate.bench.comparison_rows import CLEAN, Figure, Row
from intonate.bench.comparison_tables import distinct, interval, name_of, pairs, shown_noise, snrs
from intonate.evaluation.html import percent
from intonate.evaluation.svg import (
    ACCENT,
    INK,
    LINE,
    MUTED,
    ON_ACCENT,
    SURFACE,
    WARM,
    circle,
    line,
    picture,
    polyline,
    rect,
    text,
    text_width,
)

_SMALL = 11.0
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
# Above this share a cell is dark enough for light text.
_DARK = 0.65
# Okabe & Ito's set (2008), for noises; after six the dashes tell them apart.
_SHADES = ("#0072b2", "#d55e00", "#009e73", "#b5679a", "#e69f00", "#56b4e9")
_DASHES = ("", "6 3", "2 3")


def systems_plot(rows: Sequence[Row], width: float = 400.0) -> str:
    """Each system's UAR with its interval: where speakers overlap (ring) and where they do not (filled).

    Args:
        rows: of one corpus.
        width: px.
    """
    top, line_height, left, right = 30.0, 42.0, 8.0, width - 14
    lines: list[tuple[tuple[str, str], Figure | None, Figure | None]] = []
    for overlap_row, disjoint_row in pairs(rows):
        name_and_detail = name_of(next(row for row in (overlap_row, disjoint_row) if row))
        lines.append(
            (name_and_detail, overlap_row.uar if overlap_row else None, disjoint_row.uar if disjoint_row else None)
        )
    bottom = top + line_height * len(lines) + 4

    def x(share: float) -> float:
        return left + (right - left) * share

    parts = [
        circle(left + 5, 9, 5, ACCENT),
        text(left + 15, 9, "speaker-disjoint", size=_SMALL, fill=MUTED),
        circle(left + 130, 9, 4.2, SURFACE, stroke=WARM, width=2),
        text(left + 140, 9, "random (speakers overlap)", size=_SMALL, fill=MUTED),
    ]
    for tick in _TICKS:
        parts.append(line(x(tick), top - 6, x(tick), bottom))
        parts.append(text(x(tick), bottom + 11, f"{100 * tick:.0f}", anchor="middle", size=_SMALL, fill=MUTED))
    parts.append(text(x(0.5), bottom + 28, "UAR (%), 95 % interval", anchor="middle", size=_SMALL, fill=MUTED))
    for place, ((system, detail), overlapping, disjoint) in enumerate(lines):
        y = top + place * line_height
        name = f"{system}, {detail}" if detail else system
        figures = [(overlapping, WARM, 400), (disjoint, ACCENT, 600)]
        end = right
        for figure, shade, weight in reversed(figures):
            label = percent(figure.value) if figure and figure.value is not None else "–"
            parts.append(
                _with_mask_under(text(end, y + 8, label, anchor="end", fill=shade, weight=weight), label, end, y + 8)
            )
            end -= 42
        parts.append(
            _with_mask_under(text(left, y + 8, _shorten(name, end - left)), _shorten(name, end - left), left, y + 8, 0)
        )
        middle = y + 26
        values = [figure.value for figure, _, _ in figures if figure and figure.value is not None]
        if len(values) == 2:
            parts.append(rect(x(min(values)), middle - 5, x(max(values)) - x(min(values)), 10, WARM, opacity=0.16))
        for figure, shade, _ in figures:
            if figure is None or figure.value is None:
                continue
            # The two lie a little above and below, or one would hide the other's interval.
            height = middle + (3.5 if shade == ACCENT else -3.5)
            if figure.low is not None and figure.high is not None:
                parts.append(line(x(figure.low), height, x(figure.high), height, shade, width=1.8, cap="round"))
            kind = "speaker-disjoint" if shade == ACCENT else "random"
            tip = f"{name}, {kind}: {percent(figure.value)} ({interval(figure)})"
            ring = circle(x(figure.value), height, 4.4, SURFACE, stroke=shade, width=2, tip=tip)
            parts.append(circle(x(figure.value), height, 5, shade, tip=tip) if shade == ACCENT else ring)
    return picture(width, bottom + 38, "UAR of each system: where speakers overlap, and where they do not", parts)


def _with_mask_under(shape: str, label: str, x: float, y: float, share: float = 1.0) -> str:
    """Text on a patch of the ground, so that grid lines do not run through it."""
    label_width = text_width(label) + 4
    return rect(x - share * label_width + (0 if share else -2), y - 8, label_width, 16, SURFACE) + shape


def _shorten(name: str, width: float) -> str:
    while text_width(name) > width and len(name) > 4:
        name = name[:-2].rstrip(" ,(") + "…"
    return name


def left_out_plot(rows: Sequence[Row]) -> str:
    """Heat map of UAR: a system on each line, tested on the corpus of the column and trained on the others."""
    return corpora_plot([replace(row, trained_on=" ".join(name_of(row)).strip()) for row in rows], "system")


def corpora_plot(rows: Sequence[Row], lines: str = "trained on") -> str:
    """Heat map of UAR: trained on the corpus of the line, tested on that of the column; `lines` heads the lines."""
    sources, targets = distinct(rows, lambda row: row.trained_on), distinct(rows, lambda row: row.corpus)
    figure_of: Mapping[tuple[str, str], Figure | None] = {(row.trained_on, row.corpus): row.uar for row in rows}
    heads = max(text_width(name, _SMALL) for name in targets)
    has_upright_heads = heads > 72
    cell_width, cell_height, gap = (48.0 if has_upright_heads else max(48.0, heads + 8)), 40.0, 2.0
    left = max(max(text_width(name) for name in sources), text_width(lines, _SMALL)) + 12
    top = 26 + (heads + 6 if has_upright_heads else 18)
    middle = left + cell_width * len(targets) / 2
    parts = [
        text(middle, 8, "tested on", anchor="middle", size=_SMALL, fill=MUTED),
        text(left - 10, top - 10, lines, anchor="end", size=_SMALL, fill=MUTED),
    ]
    for place, name in enumerate(targets):
        x = left + place * cell_width + (cell_width - gap) / 2
        if has_upright_heads:
            name_text = text(0, 0, name, size=_SMALL)
            parts.append(f'<g transform="translate({x:.5g} {top - 6:.5g}) rotate(-90)">{name_text}</g>')
        else:
            parts.append(text(x, top - 10, name, anchor="middle", size=_SMALL))
    for down, source in enumerate(sources):
        y = top + down * cell_height
        parts.append(text(left - 10, y + (cell_height - gap) / 2, source, anchor="end"))
        for across, target in enumerate(targets):
            x, figure = left + across * cell_width, figure_of.get((source, target))
            value = figure.value if figure else None
            share, is_own = value or 0.0, source == target
            tip = f"{lines} {source}, tested on {target}: {percent(value)}"
            tip += f" ({interval(figure)})" if figure and interval(figure) else ""
            parts.append(rect(x, y, cell_width - gap, cell_height - gap, LINE, opacity=0.35, radius=3))
            parts.append(
                rect(x, y, cell_width - gap, cell_height - gap, ACCENT, opacity=min(share, 0.999), radius=3, tip=tip)
            )
            shade = ON_ACCENT if share > _DARK else INK
            place_x, place_y = x + (cell_width - gap) / 2, y + (cell_height - gap) / 2
            weight = 600 if is_own else 400
            parts.append(text(place_x, place_y, percent(value), anchor="middle", fill=shade, weight=weight, tip=tip))
    width, bottom = max(left + cell_width * len(targets), 240.0) + 4, top + cell_height * len(sources)
    return picture(width, bottom, f"UAR of each line ({lines}) on each corpus of the test", parts)


def noises_plot(rows: Sequence[Row], width: float = 400.0) -> str:
    """UAR over the signal-to-noise ratio, a line for each noise; what has no ratio is a level across.

    Args:
        rows: of one system on one corpus.
        width: px.
    """
    ratios = snrs(rows)
    clean = next((row.uar for row in rows if row.noise == CLEAN and row.uar), None)
    names = [name for name in distinct(rows, lambda row: row.noise) if name != CLEAN]
    left, right, top, side = 50.0, width - 12, 8.0, 240.0
    base = top + side
    places: list[float | None] = ([None] if clean else []) + list(ratios)

    def x(ratio: float | None) -> float:
        return left + 14 + (right - left - 28) * places.index(ratio) / max(1, len(places) - 1)

    def y(share: float) -> float:
        return base - side * share

    parts = []
    for tick in _TICKS:
        parts.append(line(left, y(tick), right, y(tick)))
        parts.append(text(left - 8, y(tick), f"{100 * tick:.0f}", anchor="end", size=_SMALL, fill=MUTED))
    axis_label = text(0, 0, "UAR (%)", anchor="middle", size=_SMALL, fill=MUTED)
    parts.append(f'<g transform="translate(12 {top + side / 2:.5g}) rotate(-90)">{axis_label}</g>')
    for ratio in places:
        tick_label = "clean" if ratio is None else f"{ratio:g}"
        parts.append(text(x(ratio), base + 12, tick_label, anchor="middle", size=_SMALL, fill=MUTED))
    axis = "signal-to-noise ratio (dB), louder noise to the right"
    parts.append(text((left + right) / 2, base + 30, axis, anchor="middle", size=_SMALL, fill=MUTED))

    key_y = base + 34
    # What is a level across comes last: it has no colour of its own.
    names.sort(key=lambda name: all(row.snr_db is None for row in rows if row.noise == name))
    for number, name in enumerate(names):
        shade, dash = _SHADES[number % len(_SHADES)], _DASHES[number // len(_SHADES) % len(_DASHES)]
        figure_at = {row.snr_db: row.uar for row in rows if row.noise == name and row.uar and row.uar.value is not None}
        level = set(figure_at) == {None}
        if level:
            shade, dash = MUTED, "5 4"
            parts.append(
                line(left, y(_value(figure_at[None])), right, y(_value(figure_at[None])), shade, width=2, dash=dash)
            )
        else:
            figures = ({None: clean} if clean else {}) | figure_at
            points = [(x(ratio), y(_value(figures[ratio]))) for ratio in places if ratio in figures]
            curve = polyline(points, shade, width=2)
            parts.append(curve.replace(" stroke-linejoin", f' stroke-dasharray="{dash}" stroke-linejoin', 1))
            for ratio, figure in figure_at.items():
                tip = f"{name}, {ratio:g} dB: {percent(_value(figure))} ({interval(figure)})" if figure else name
                parts.append(circle(x(ratio), y(_value(figure)), 3.6, shade, tip=tip))
        key_x, key_y = left + (right - left) / 2 * (number % 2), base + 52 + 18 * (number // 2)
        parts.append(line(key_x, key_y, key_x + 20, key_y, shade, width=2, dash=dash))
        parts.append("" if level else circle(key_x + 10, key_y, 3.6, shade))
        parts.append(text(key_x + 26, key_y, shown_noise(name), size=_SMALL, fill=MUTED))
    return picture(width, key_y + 12, "UAR over the signal-to-noise ratio of each noise", parts)


def _value(figure: Figure | None) -> float:
    return 0.0 if figure is None or figure.value is None else figure.value
