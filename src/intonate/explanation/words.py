"""An explanation in words and figures: for the terminal, and as JSON."""

from __future__ import annotations

import itertools
import textwrap
from typing import Any

from rich.text import Text

from intonate.explanation.explain import ChangeAnswer, Explanation
from intonate.explanation.tiles import BAND_WORDS
from intonate.schema import UNSURE

# Of the terminal: what speaks for the answer, what against it.
FOR, AGAINST = "blue", "yellow"
BAR, SHADES, CELL, PERCENT = 20, " ░▒▓█", 4, 100
# Movements under this, in points of probability, are not worth a ratio.
LEAST_AREA = 0.005
# Changes that move the probability by less hardly do.
HARDLY = 0.03
CAUTION = (
    "This tells what moves the answer of this model to this recording. It does not tell whether the answer is right, "
    "nor what anybody feels."
)


def to_dict(explanation: Explanation) -> dict[str, Any]:
    """Everything but the sound, ready for JSON: probabilities from 0 to 1, times in seconds, log odds in the map."""
    edges_s = (explanation.start_s + explanation.tiles.times_s).round(3).tolist()
    bands_hz = explanation.tiles.bands_hz.tolist()
    return {
        "file": explanation.file,
        "model": explanation.model,
        "explained": explanation.label,
        **explanation.answer.label_dict(),
        "scores": [{"label": name, "score": round(score, 6)} for name, score in explanation.scores.items()],
        "start": round(explanation.start_s, 3),
        "end": round(explanation.end_s, 3),
        "stretches": [
            {"start": start, "end": end, "score_without": round(float(score), 6)}
            for start, end, score in zip(edges_s[:-1], edges_s[1:], explanation.without_stretch, strict=True)
        ],
        "bands": [
            {"low_hz": low, "high_hz": high, "score_without": round(float(score), 6)}
            for low, high, score in zip(bands_hz[:-1], bands_hz[1:], explanation.without_band, strict=True)
        ],
        "changes": [
            {
                "change": item.name,
                "score": round(item.probability, 6),
                "label": item.label,
                "label_score": round(item.label_probability, 6),
            }
            for item in explanation.changed
        ],
        "region": {
            **dict(zip(("start", "end"), (edges_s[place] for place in explanation.region[:2]), strict=True)),
            **dict(zip(("low_hz", "high_hz"), (bands_hz[place] for place in explanation.region[2:]), strict=True)),
            "score_without": round(explanation.without_region.probability, 6),
        },
        "map": explanation.map.round(4).tolist(),
        "faithfulness": {
            name: {
                "shares": curves.shares.tolist(),
                "explained": curves.explained.round(6).tolist(),
                "random": curves.random.round(6).tolist(),
                "area": round(curves.area(), 6),
                "random_area": round(curves.random_area(), 6),
            }
            for name, curves in (("deletion", explanation.deletion), ("insertion", explanation.insertion))
        }
        | {"sentence": faithfulness_sentence(explanation)},
        "questions": explanation.questions,
        "sentences": sentences(explanation),
        "caution": CAUTION,
        "notes": list(explanation.notes),
        **explanation.answer.familiarity_dict(),
    }


def to_text(explanation: Explanation, has_unicode: bool = True) -> Text:
    """For a terminal, under 80 columns; colours tell what speaks for the answer and what against it."""
    label, lines = explanation.label, [Text.assemble((headline(explanation), "bold"))]
    lines += [
        Text(line.replace("\u00a0", " "))
        for sentence in sentences(explanation)
        for line in textwrap.wrap(sentence, 78, subsequent_indent="  ")
    ]
    lines += [Text(line, "dim") for note in explanation.notes for line in textwrap.wrap(note, 78)]
    lines += [Text(), Text(f"{'This stretch of time turned down':<36}{label}", "bold")]
    lines += _bars(explanation, stretch_names(explanation), list(explanation.without_stretch), has_unicode)
    lines += [Text(), Text(f"{'This band of frequency turned down':<36}{label}", "bold")]
    lines += _bars(explanation, band_names(explanation), list(explanation.without_band), has_unicode)
    lines += [Text(), Text(f"{'This change of the voice':<36}{label}", "bold")]
    names = [item.name for item in explanation.changed]
    endings = [f"→ {item.label}" if item.label not in ("", label) else "" for item in explanation.changed]
    lines += _bars(explanation, names, [item.probability for item in explanation.changed], has_unicode, endings)
    lines += [Text(), Text(f"Where it speaks for {label} (dots: against)", "bold"), *_map(explanation, has_unicode)]
    lines += [Text(), *(Text(line) for line in textwrap.wrap(faithfulness_sentence(explanation), 78))]
    return Text("\n").join(lines)


def headline(explanation: Explanation) -> str:
    """`sad.flac, 0.0 to 5.5 s: sad 56 %, says standard`; `…: unsure, at best sad 36 %, says standard`."""
    place = f"{explanation.start_s:.1f} to {explanation.end_s:.1f} s"
    file = f"{explanation.file}, " if explanation.file else ""
    return f"{file}{place}: {answer_text(explanation)}, says {explanation.model}"


def answer_text(explanation: Explanation) -> str:
    """The explained answer and how likely it is, and before it that the model abstained, with its best guess."""
    names, guess = [explanation.label], explanation.answer.guess
    if explanation.answer.abstained:
        names = list(dict.fromkeys((guess, explanation.label)))
    shares = ", ".join(f"{name} {PERCENT * explanation.scores[name]:.0f} %" for name in names)
    return f"{UNSURE}, at best {shares}" if explanation.answer.abstained else shares


def sentences(explanation: Explanation) -> list[str]:
    """What moves the answer, in plain words: a place in the sound, a change of the voice, and what hardly does.

    Each figure is an answer of the model, and none an estimate.
    """
    before = f"{PERCENT * explanation.probability:.0f}"
    region = explanation.without_region
    lines = [
        f"Turning down {region_name(explanation)} takes {explanation.label} from {before} to "
        f"{PERCENT * region.probability:.0f}\u00a0%{_other_label(explanation, region)}."
    ]
    changes = sorted(explanation.changed, key=lambda item: -abs(item.probability - explanation.probability))
    weak = [item.name for item in changes if abs(item.probability - explanation.probability) < HARDLY]
    if len(weak) < len(changes):
        largest = changes[0]
        lines.append(
            f"Of the changes of the voice, {largest.name} moves it most: from {before} to "
            f"{PERCENT * largest.probability:.0f}\u00a0%{_other_label(explanation, largest)}."
        )
    if weak:
        lines.append(f"What moves it by less than {PERCENT * HARDLY:.0f} points: {', '.join(weak)}.")
    return lines


def _other_label(explanation: Explanation, item: ChangeAnswer) -> str:
    """`, and sad is likelier (48 %)`, or nothing."""
    if item.label in ("", explanation.label):
        return ""
    return f", and {item.label} is likelier ({PERCENT * item.label_probability:.0f}\u00a0%)"


def region_name(explanation: Explanation) -> str:
    """`1.2 to 1.6 s above 2,600 Hz`, `everything below 500 Hz`."""
    region, bands_hz = explanation.region, explanation.tiles.bands_hz
    start_s, end_s = (explanation.start_s + explanation.tiles.times_s[place] for place in region[:2])
    low, high = (f"{bands_hz[place]:,.0f}" for place in region[2:])
    is_lowest, is_highest = region.low == 0, region.high == len(bands_hz) - 1
    band = {
        (True, True): "",
        (True, False): f" below {high} Hz",
        (False, True): f" above {low} Hz",
        (False, False): f" between {low} and {high} Hz",
    }[is_lowest, is_highest]
    time = "everything" if region[:2] == (0, len(explanation.tiles.times_s) - 1) else f"{start_s:.1f} to {end_s:.1f} s"
    return f"{time}{band}"


def stretch_names(explanation: Explanation) -> list[str]:
    """`0.31 to 0.55 s`."""
    edges_s = explanation.start_s + explanation.tiles.times_s
    return [f"{start:.2f} to {end:.2f} s" for start, end in itertools.pairwise(edges_s)]


def band_names(explanation: Explanation) -> list[str]:
    """`up to 500 Hz`, `500 to 1,300 Hz`, `over 4,600 Hz`."""
    inner = [f"{edge:,.0f}" for edge in explanation.tiles.bands_hz[1:-1]]
    middle = [f"{low} to {high} Hz" for low, high in itertools.pairwise(inner)]
    return [f"up to {inner[0]} Hz", *middle, f"over {inner[-1]} Hz"] if inner else ["all"]


def band_meanings(explanation: Explanation) -> tuple[str, ...]:
    """What speech has in each band."""
    return BAND_WORDS[: explanation.tiles.shape[1]]


def faithfulness_sentence(explanation: Explanation) -> str:
    """How much sooner the answer moves than by chance, both ways."""
    area, random = (PERCENT * area for area in (explanation.deletion.area(), explanation.deletion.random_area()))
    times = f", {area / random:.1f} times less" if min(area, random) > PERCENT * LEAST_AREA else ""
    return (
        f"How true this is of the model: with up to half of the tiles turned down, first those that speak most for it, "
        f"{explanation.label} {loses(area)} on average; in random order it {loses(random)}{times}. The model was "
        f"asked {explanation.questions} times."
    )


def loses(points: float) -> str:
    """`loses 12 points`, `gains 3 points`."""
    count = round(abs(points))
    return f"{'loses' if round(points) >= 0 else 'gains'} {count} point{'s' * (count != 1)}"


def _bars(
    explanation: Explanation, names: list[str], values: list[float], has_unicode: bool, endings: list[str] | None = None
) -> list[Text]:
    """A line each: the probability then, the points that it moved, and a bar of them."""
    moves = [value - explanation.probability for value in values]
    probabilities = [
        *explanation.without_stretch,
        *explanation.without_band,
        *(x.probability for x in explanation.changed),
    ]
    largest = max([abs(value - explanation.probability) for value in probabilities] + [0.1])
    lines = []
    for name, value, move, ending in zip(names, values, moves, endings or [""] * len(names), strict=True):
        bar = ("█" if has_unicode else "#") * round(BAR * abs(move) / largest)
        points = f"{PERCENT * move:+4.0f}" if round(PERCENT * move) else "   ·" if has_unicode else "   ."
        ending = ending if has_unicode else ending.replace("→", "->")
        style = FOR if move < 0 else AGAINST
        lines.append(
            Text.assemble(f"  {name:<32}  {PERCENT * value:3.0f} %  ", (points, style), "  ", (bar, style), " ", ending)
        )
        lines[-1].rstrip()
    return lines


def _map(explanation: Explanation, has_unicode: bool) -> list[Text]:
    """Bands from high to low, stretches from left to right; the darker, the more it adds."""
    largest = max(float(abs(explanation.map).max()), 1e-9)
    shades = SHADES if has_unicode else " .:+#"
    dot = "·" if has_unicode else "-"
    lines = []
    for band in reversed(range(explanation.map.shape[1])):
        cells = []
        for value in explanation.map[:, band]:
            depth = round((len(shades) - 1) * abs(value) / largest)
            mark = " " if not depth else shades[depth] if value > 0 else dot
            cells.append((mark * CELL, FOR if value > 0 else AGAINST))
        lines.append(Text.assemble(f"  {band_names(explanation)[band]:<20}", *cells))
    width = CELL * explanation.map.shape[0]
    first, last = (f"{explanation.start_s + explanation.tiles.times_s[place]:.1f} s" for place in (0, -1))
    return [*lines, Text(f"  {'':<20}{first}{last:>{width - len(first)}}", "dim")]
