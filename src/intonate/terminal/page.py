"""Answers for a person at a terminal: the label, bars, and a coloured timeline; plain where it is piped."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from intonate.audio.voice import NOISE, SILENCE
from intonate.recognizer.recognizer import Failure
from intonate.schema import UNSURE, Prediction, Segment, Speaker
from intonate.terminal.formats import dimensions_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# What every terminal shows well, be it dark or light.
FOREGROUND = "default"
# Hues in use for these emotions since Plutchik (1980), in the colours that every terminal has.
COLOURS: Mapping[str, str] = {
    "angry": "red",
    "anger/disgust": "red",
    "negative": "red",
    "disgust": "magenta",
    "contempt": "magenta",
    "fear": "green",
    "fear/surprise": "green",
    "happy": "yellow",
    "happiness": "yellow",
    "positive": "yellow",
    "excited": "yellow",
    "sad": "blue",
    "sadness": "blue",
    "surprise": "cyan",
    "calm": "bright_green",
    "neutral": FOREGROUND,
    SILENCE: "bright_black",
    NOISE: "bright_black",
    UNSURE: "bright_black",
}
BAR = 24  # columns of a full bar
BAND = 60  # columns of the timeline's band
EIGHTHS = " ▏▎▍▌▋▊▉"
QUOTES = "“”"


def show(console: Console, answer: Prediction | Failure, *, top_k: int | None = None, timeline: bool = False) -> None:
    """Print one answer.

    Args:
        console: where to; colours are used if it is a terminal.
        answer: a failure is left out: it is printed on standard error.
        top_k: how many bars; None for all.
        timeline: show the segments even if there is only one.
    """
    if isinstance(answer, Failure):
        return
    has_unicode = _can_encode(console)
    console.print(_headline(answer), soft_wrap=True)
    bars = [(label, score, f"{score:>5.0%}") for label, score in list(answer.scores.items())[:top_k]]
    bars += [(name, value, f"{value:>5.2f}") for name, value in answer.dimensions.items()]
    width = max((len(name) for name, _, _ in bars), default=0)
    for name, value, number in bars:
        console.print(_coloured_text(f"  {name:<{width}}  ", (_bar(value, has_unicode), _colour(name)), number))
    if answer.events:
        console.print(_coloured_text(f"  hears {_listing(answer.events)}"))
    if answer.language:
        console.print(_coloured_text(f"  language {answer.language}"))
    if answer.transcribed:
        quotes = (QUOTES[0], QUOTES[1]) if has_unicode else ('"', '"')
        console.print(_coloured_text("  ", quotes[0], answer.transcript, quotes[1]), soft_wrap=True)
    if answer.speakers:
        _print_speakers(console, answer)
    if timeline or len(answer.segments) > 1:
        _print_timeline(console, answer.segments, has_unicode)
    console.print()


def _listing(numbers: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.0%}" for name, value in numbers.items())


def _headline(answer: Prediction) -> Text:
    # A text has no file; its words stand for it.
    name = answer.file or answer.transcript
    prefix: list[str | tuple[str, str]] = [(name, "dim"), "  "] if name else []
    if not answer.scores and answer.dimensions:
        return _coloured_text(*prefix, (_guess_text(answer), "bold"))
    if not answer.scores:
        return _coloured_text(*prefix, (answer.label, f"bold {_colour(answer.label)}"), ("  no speech", "dim"))
    guess_text = _guess_text(answer)
    note = (f"  {answer.unfamiliarity}" if answer.unfamiliarity else "", "dim")
    if answer.abstained:
        return _coloured_text(*prefix, (UNSURE, f"bold {COLOURS[UNSURE]}"), (f"  at best {guess_text}", "dim"), note)
    return _coloured_text(*prefix, (guess_text, f"bold {_colour(answer.label)}"), note)


def _guess_text(answer: Prediction | Speaker) -> str:
    """The best label, or all that are likely enough; the dimensions of a model without labels."""
    if not answer.scores:
        return dimensions_text(answer.dimensions) or answer.label
    return _listing({label: answer.scores[label] for label in answer.labels or (answer.guess,)})


def _print_speakers(console: Console, answer: Prediction) -> None:
    if len(answer.speakers) == 1:  # what it sounds like stands in the headline
        (speaker,) = answer.speakers
        learnt = f", learnt from {speaker.clips:,} clips" if speaker.clips > 1 else ""
        seconds = "" if learnt else f"  {speaker.speech_s:.1f} s of speech"
        console.print(_coloured_text(f"  {speaker.name}{learnt}", (seconds, "dim")))
        return
    width = max(len(speaker.name) for speaker in answer.speakers)
    for speaker in answer.speakers:
        guess_text = _guess_text(speaker)
        label_text = f"{UNSURE}  at best {guess_text}" if speaker.abstained else guess_text
        colour = _colour(speaker.label)
        name = f"  {speaker.name:<{width}}  "
        console.print(
            _coloured_text(name, (label_text, f"bold {colour}"), (f"  {speaker.speech_s:.1f} s of speech", "dim"))
        )


def _band(segments: tuple[Segment, ...], columns: int, end_s: float) -> Text:
    """The segments of one speaker (or of all) as a line of blocks, coloured by label."""
    cells = [("·", COLOURS[SILENCE])] * columns
    for segment in segments:
        first, last = (round(columns * time_s / max(end_s, 1e-9)) for time_s in (segment.start_s, segment.end_s))
        cells[first:last] = [("█" if segment.speech else "·", _colour(segment.label))] * (min(last, columns) - first)
    return _coloured_text(*(("".join(mark for mark, _ in run), colour) for colour, run in _colour_runs(cells)))


def _colour_runs(cells: list[tuple[str, str]]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(colour, list(group)) for colour, group in itertools.groupby(cells, key=lambda cell: cell[1])]


def _print_timeline(console: Console, segments: tuple[Segment, ...], has_unicode: bool) -> None:
    end_s = max(segment.end_s for segment in segments)
    speakers = list(dict.fromkeys(segment.speaker for segment in segments))
    # Without colours a band says who speaks when, and nothing of one voice.
    has_colour = console.color_system is not None and not console.no_color
    if has_unicode and len(segments) > 1 and (has_colour or len(speakers) > 1):
        columns = min(BAND, max(20, console.width - 4))
        width = max(map(len, speakers))
        console.print()
        for speaker in speakers:
            speaker_segments = tuple(segment for segment in segments if segment.speaker == speaker)
            name = f"  {speaker:<{width}}  " if width else "  "
            console.print(_coloured_text(name).append(_band(speaker_segments, columns, end_s)))
    else:
        console.print()
    clock = len(_clock(end_s, end_s))
    names = [_segment_text(segment) for segment in segments]
    width = max(map(len, names))
    no_score = " " * 6 if any(segment.scores for segment in segments) else ""
    for segment, name in zip(segments, names, strict=True):
        score = next(iter(segment.scores.values()), None)
        start, end = (_clock(time_s, end_s).rjust(clock) for time_s in (segment.start_s, segment.end_s))
        times_text = f"  {start} {'–' if has_unicode else '-'} {end}  "
        number = no_score if score is None else f"  {score:>4.0%}"
        # What follows the number starts in one column, whatever has no number.
        sounds = f"[{', '.join(segment.events)}]" if segment.events else ""
        words = " ".join(filter(None, (segment.text, sounds)))
        content = "  ".join([number, *filter(None, (dimensions_text(segment.dimensions), words))])
        rest = f"{'':<{width - len(name)}}{content}".rstrip()
        console.print(_coloured_text((times_text, "dim"), (name, _colour(segment.label)), rest), soft_wrap=True)


def _segment_text(segment: Segment) -> str:
    """The label, or all of them; the best guess where it is unsure."""
    name = f"{UNSURE} ({segment.guess})" if segment.abstained else " + ".join(segment.labels or (segment.label,))
    return f"{segment.speaker}  {name}" if segment.speaker else name


def _coloured_text(*spans: str | tuple[str, str]) -> Text:
    from rich.text import Text

    return Text.assemble(*spans)


def _colour(label: str) -> str:
    return COLOURS.get(label, FOREGROUND)


def _bar(score: float, has_unicode: bool) -> str:
    """A bar of exactly `BAR` columns, in steps of an eighth where the terminal can draw them."""
    if not has_unicode:
        return ("#" * round(score * BAR)).ljust(BAR)
    blocks, eighths = divmod(round(score * BAR * 8), 8)
    return ("█" * blocks + EIGHTHS[eighths]).ljust(BAR)[:BAR]


def _can_encode(console: Console) -> bool:
    try:
        ("█" + EIGHTHS + QUOTES).encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _clock(seconds: float, longest_s: float) -> str:
    """`4.5`, `1:04.5` or `1:01:04.5`, whichever the longest of them needs."""
    tenths = round(seconds * 10)
    minutes, tenths_left = divmod(tenths, 600)
    if longest_s < 60:
        return f"{tenths / 10:.1f} s"
    if longest_s < 3600:
        return f"{minutes}:{tenths_left / 10:04.1f}"
    return f"{minutes // 60}:{minutes % 60:02d}:{tenths_left / 10:04.1f}"
