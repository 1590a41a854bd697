"""An explanation as one HTML page: the sound and what speaks for the answer in one picture, and copies to listen to."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from intonate.errors import require
from intonate.evaluation.html import document, glossary, header, html_table, panel
from intonate.evaluation.palette import colour
from intonate.evaluation.svg import (
    ACCENT,
    INK,
    LINE,
    MUTED,
    WARM,
    frame,
    line,
    picture,
    polyline,
    rect,
    text,
    text_width,
)
from intonate.explanation import words
from intonate.explanation.explain import ChangeAnswer, Explanation
from intonate.explanation.faithfulness import SHARES, Curves
from intonate.explanation.tiles import SOFTER_DB, Tiles
from intonate.features.spectral import hz_to_htk_mel
from intonate.schema import UNSURE


class Box(NamedTuple):
    """Where a map lies in its picture, px."""

    left: float
    top: float
    width: float
    height: float


# The map of the page, with bars beside and below it; the one of a report, without; text, px.
LARGE, SIDE, BELOW = Box(112.0, 10.0, 640.0, 260.0), 150.0, 96.0
LITTLE = Box(112.0, 6.0, 310.0, 120.0)
SMALL = 11.0
# The spectrogram behind the map, columns and rows for each px of the map.
DETAIL_X, DETAIL_Y = 0.75, 0.5
# The share of the tiles that are turned down, or all but them, in the copies to listen to; one of `SHARES`.
PLAYED_SHARE = SHARES[2]
_GLOSSARY = {
    "map": "What each tile of time and frequency adds to the log odds of the answer, estimated by turning many of them "
    "down at random: blue speaks for it, orange against it.",
    "turned down": f"By {SOFTER_DB:.0f} dB, to a tenth of the amplitude. The bars and the table are measured: the "
    "probability with one whole stretch, or one whole band, turned down.",
    "change": "Measured: the voice itself is changed and the model is asked again. It says what this model goes by, "
    "and nothing about people.",
    "deletion": "The tiles are turned down one after the other, those that the map points at first. The sooner the "
    "probability falls, compared with a random order, the truer the map is of the model.",
    "insertion": "The other way round: all tiles are turned down, and those that the map points at come back first.",
}


def render(explanation: Explanation) -> str:
    """The page; it carries the sound, as it is and in parts."""
    label = explanation.label
    scores = ", ".join(f"{name} {score:.0%}" for name, score in list(explanation.scores.items())[:4])
    name = Path(explanation.file).name or "a recording"
    is_best_guess = explanation.answer.abstained and label == explanation.answer.guess
    title = f"Why {f'{UNSURE}, at best ' if is_best_guess else ''}{label}? {name}"
    body = [
        header(title, f"{words.headline(explanation)}. Its answers: {scores}.", explanation.notes)
        + "".join(f"<p>{escape(sentence)}</p>" for sentence in [*words.sentences(explanation), words.CAUTION]),
        panel(f"Where it speaks for {label}", map_picture(explanation), "wide"),
        f'<p class="small muted">Blue speaks for {escape(label)}, orange against it; the frame is the place of the '
        "first sentence. The bars beside and below: how the probability moves with that band, or that stretch, turned "
        "down (points).</p>",
        _sounds(explanation),
        f'<div class="panels">{panel("With a change of the voice", _changes(explanation))}'
        f"{panel('Is that true of the model?', _curves(explanation))}</div>",
        f"<h2>Band by band</h2>{panel('', _bands(explanation), 'wide')}",
    ]
    body.append(glossary(_GLOSSARY))
    return document(title, "".join(body))


def map_picture(explanation: Explanation) -> str:
    """The map with the bars of the bands beside it and of the stretches below."""
    right, bottom = LARGE.left + LARGE.width, LARGE.top + LARGE.height
    edges_x, edges_y = _edges(explanation, LARGE)
    parts = _map_parts(explanation, LARGE)
    drop_by_place = explanation.probability - np.concatenate([explanation.without_band, explanation.without_stretch])
    largest_drop = max(float(np.abs(drop_by_place).max()), 0.05)
    names, bands = words.stretch_names(explanation), words.band_names(explanation)
    for band, name in enumerate(bands):
        middle = (edges_y[band] + edges_y[band + 1]) / 2
        parts += _side_bar(right + 12, middle, drop_by_place[band], largest_drop, name)
    for stretch, name in enumerate(names):
        middle = (edges_x[stretch] + edges_x[stretch + 1]) / 2
        width = max(2.0, float(edges_x[stretch + 1] - edges_x[stretch]) - 3)
        parts += _bar_below(middle, width, bottom + 22, drop_by_place[len(bands) + stretch], largest_drop, name.strip())
    return picture(right + SIDE, bottom + 22 + BELOW, _title(explanation), parts)


def little_map(explanation: Explanation) -> str:
    """The map alone, as small as it can be read."""
    width, height = LITTLE.left + LITTLE.width + 14, LITTLE.top + LITTLE.height + 20
    return picture(width, height, _title(explanation), _map_parts(explanation, LITTLE))


def _title(explanation: Explanation) -> str:
    return f"what speaks for {explanation.label}, by time and frequency"


def _edges(explanation: Explanation, box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the stretches, from the left, and of the bands, from the bottom, px."""
    tiles = explanation.tiles
    edges_x = box.left + box.width * tiles.times_s * tiles.rate_hz / len(tiles.waveform)
    mel = hz_to_htk_mel(tiles.bands_hz)
    return edges_x, box.top + box.height * (1 - mel / mel[-1])


def _map_parts(explanation: Explanation, box: Box) -> list[str]:
    """The spectrogram under the map of the tiles, its bands and its times."""
    tiles, bottom = explanation.tiles, box.top + box.height
    edges_x, edges_y = _edges(explanation, box)
    data = base64.b64encode(_spectrogram(tiles, round(DETAIL_X * box.width), round(DETAIL_Y * box.height))).decode()
    parts = [
        rect(box.left, box.top, box.width, box.height, LINE, opacity=0.35),
        f'<image x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{data}"/>',
    ]
    largest = max(float(np.abs(explanation.map).max()), 1e-9)
    names, bands = words.stretch_names(explanation), words.band_names(explanation)
    for stretch, band in np.ndindex(*explanation.map.shape):
        value, x, y = float(explanation.map[stretch, band]), edges_x[stretch], edges_y[band + 1]
        shade, strength = ACCENT if value > 0 else WARM, 0.8 * abs(value) / largest
        tip = f"{names[stretch].strip()}, {bands[band]}: {value:+.2f}"
        width, height = float(edges_x[stretch + 1] - x) - 1, float(edges_y[band] - y) - 1
        parts.append(rect(float(x), float(y), width, height, shade, opacity=strength, radius=2, tip=tip))
    region = explanation.region
    left, right = (float(edges_x[place]) for place in (region.first, region.last))
    low, high = (float(edges_y[place]) for place in (region.low, region.high))
    parts.append(frame(left, high, right - left - 1, low - high - 1, INK, tip=words.region_name(explanation)))
    for band, name in enumerate(bands):
        middle = (edges_y[band] + edges_y[band + 1]) / 2
        parts.append(text(box.left - 8, middle, name, anchor="end", size=SMALL))
    length_s = len(tiles.waveform) / tiles.rate_hz
    for share in np.linspace(0, 1, 5):
        label = f"{explanation.start_s + share * length_s:.1f} s"
        parts.append(text(box.left + box.width * share, bottom + 11, label, anchor="middle", size=SMALL, fill=MUTED))
    return parts


def _side_bar(x: float, middle: float, drop: float, largest_drop: float, tip: str) -> list[str]:
    length = (SIDE - 62) * abs(drop) / largest_drop
    bar = rect(x, middle - 9, length, 18, ACCENT if drop > 0 else WARM, opacity=0.9, radius=2, tip=tip)
    return [bar, text(x + length + 5, middle, points(-drop), size=SMALL)]


def _bar_below(middle: float, width: float, top: float, drop: float, largest_drop: float, tip: str) -> list[str]:
    length = (BELOW - 18) * abs(drop) / largest_drop
    shape = rect(middle - width / 2, top, width, length, ACCENT if drop > 0 else WARM, opacity=0.9, radius=2, tip=tip)
    return [shape, text(middle, top + length + 8, points(-drop), anchor="middle", size=SMALL)]


def _spectrogram(tiles: Tiles, columns: int, rows: int) -> bytes:
    """A PNG in which power is opacity, so that it is seen on light and dark ground."""
    image = require("PIL.Image", "train")
    shade = tiles.picture(columns, rows)
    pixels = np.dstack([np.full(shade.shape, 110, np.uint8), (shade * (200 / 255)).astype(np.uint8)])
    file = io.BytesIO()
    image.fromarray(pixels, "LA").save(file, "PNG", optimize=True)
    return file.getvalue()


def _sounds(explanation: Explanation) -> str:
    """The sound as it is, without what the map points at, and that alone."""
    tiles, order = explanation.tiles, np.argsort(-explanation.map, axis=None, kind="stable")
    mask = np.zeros(explanation.map.size, np.bool_)
    mask[order[: round(PLAYED_SHARE * len(order))]] = True
    mask = mask.reshape(tiles.shape)
    share_index = 1 + SHARES.index(PLAYED_SHARE)
    copies = [
        ("As it is", tiles.waveform, explanation.probability),
        (
            f"The {PLAYED_SHARE:.0%} that speak most for it turned down",
            tiles.without(mask),
            explanation.deletion.explained[share_index],
        ),
        (
            f"All but these {PLAYED_SHARE:.0%} turned down",
            tiles.without(~mask),
            explanation.insertion.explained[share_index],
        ),
    ]
    players = "".join(
        f"<div><h4>{escape(name)}: {escape(explanation.label)} {probability:.0%}</h4>"
        f'<audio controls preload="none" style="width:100%" src="data:audio/mpeg;base64,{_mp3(sound, tiles.rate_hz)}">'
        "</audio></div>"
        for name, sound, probability in copies
    )
    return panel("Listen", f'<div class="groups">{players}</div>', "wide")


def points(move: float) -> str:
    """`+12`, `-3`; `0` without a sign."""
    return f"{100 * move:+.0f}" if round(100 * move) else "0"


def _mp3(waveform: NDArray[np.float32], rate_hz: int) -> str:
    file = io.BytesIO()
    soundfile.write(file, waveform / max(1.0, float(np.abs(waveform).max())), rate_hz, format="MP3")
    return base64.b64encode(file.getvalue()).decode()


def _changes(explanation: Explanation) -> str:
    """The points that the answer moves by with each change, around zero, and the label where another one wins."""
    row, width = 26.0, 460.0
    left = max([text_width(item.name) for item in explanation.changed] + [60.0]) + 10
    right = width - 124
    moves = [item.probability - explanation.probability for item in explanation.changed]
    largest_move = max([abs(move) for move in moves] + [0.05])
    zero = (left + right) / 2
    parts = [line(zero, 2, zero, row * len(moves), MUTED, dash="3 3")]
    for place, (item, move) in enumerate(zip(explanation.changed, moves, strict=True)):
        middle, length = row * (place + 0.5), (right - left) / 2 * abs(move) / largest_move
        parts.append(text(left - 8, middle, item.name, anchor="end"))
        parts.append(rect(zero - length if move < 0 else zero, middle - 7, length, 14, ACCENT, radius=2))
        parts.append(text(right + 8, middle, points(move), weight=600))
        parts += _new_label(item, explanation.label, right + 44, middle)
    return picture(width, row * max(1, len(moves)) + 4, "what a change of the voice does to the answer", parts)


def _new_label(item: ChangeAnswer, label: str, x: float, middle: float) -> list[str]:
    if item.label in ("", label):
        return []
    dot = f'<circle cx="{x:.5g}" cy="{middle:.5g}" r="4" fill="{colour(item.label)}"/>'
    return [dot, text(x + 9, middle, item.label, tip=f"{item.label} {item.label_probability:.0%}")]


def _curves(explanation: Explanation) -> str:
    plots = "".join(
        f"<div><h4>{name}</h4>{curve_plot(curves, name)}</div>"
        for name, curves in (("deletion", explanation.deletion), ("insertion", explanation.insertion))
    )
    sentence = words.faithfulness_sentence(explanation)
    return (
        f'<div style="display:flex;gap:16px;flex-wrap:wrap">{plots}</div><p class="small muted">{escape(sentence)}</p>'
    )


def curve_plot(curves: Curves, title: str) -> str:
    """The probability over the share of the tiles: in the order of the explanation, and at random."""
    side, left, top = 150.0, 34.0, 8.0
    parts = []
    for tick in (0.0, 0.5, 1.0):
        y, x = top + side * (1 - tick), left + side * tick
        parts += [
            line(left, y, left + side, y, LINE),
            text(left - 5, y, f"{100 * tick:.0f}", anchor="end", size=SMALL, fill=MUTED),
        ]
        parts.append(text(x, top + side + 11, f"{100 * tick:.0f}", anchor="middle", size=SMALL, fill=MUTED))
    for values, shade in ((curves.random, MUTED), (curves.explained, ACCENT)):
        points = [
            (left + side * float(share), top + side * (1 - float(value)))
            for share, value in zip(curves.shares, values, strict=True)
        ]
        parts.append(polyline(points, shade))
    verb = "turned up again" if curves.is_insertion else "turned down"
    parts.append(
        text(left + side / 2, top + side + 25, f"% of the tiles {verb}", anchor="middle", size=SMALL, fill=MUTED)
    )
    parts.append(text(left + side, top + 4, "random", anchor="end", size=SMALL, fill=MUTED))
    parts.append(text(left + side, top + 18, "by the map", anchor="end", size=SMALL, fill=ACCENT))
    return picture(left + side + 14, top + side + 34, title, parts)


def _bands(explanation: Explanation) -> str:
    rows = [
        [escape(name), escape(meaning), f"{100 * value:.0f}", points(value - explanation.probability)]
        for name, meaning, value in zip(
            words.band_names(explanation), words.band_meanings(explanation), explanation.without_band, strict=True
        )
    ]
    return html_table(
        ["band", "what speech has there", f"{explanation.label} with it turned down, %", "points"], rows, text_columns=2
    )
