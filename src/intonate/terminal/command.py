"""`intonate predict` and `intonate models`, behind the options."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from intonate.audio.decode import Source, find
from intonate.emotions import merged_labels
from intonate.errors import AudioError, IntonateError
from intonate.recognizer import builtin, conversions
from intonate.recognizer.recognizer import Failure, Recognizer, load_model
from intonate.schema import ModelSpec, Prediction
from intonate.terminal import formats
from intonate.terminal.formats import Answers, Layout
from intonate.transcripts.recognisers import Transcriber, transcriber

STANDARD_INPUT = "-"
TEXT_MODEL = "text"


def predict(
    paths: Sequence[str],
    *,
    model: str | None = None,
    timeline: bool = False,
    text: str | None = None,
    transcribe: str | None = None,
    same_speaker: bool = False,
    labels: str | None = None,
    top_k: int | None = None,
    style: str = "text",
    output: Path | None = None,
) -> bool:
    """Answer files, folders and standard input, and print or write the answers.

    Args:
        paths: files, folders (with all that is in them), or `-`.
        model: a built-in name, a model file or a run folder.
        timeline: segments for short recordings too.
        text: what was said.
        transcribe: the recogniser of speech that writes down what is said (`transcripts.recognisers`); None for none.
        same_speaker: all the recordings are one person.
        labels: a merge of the emotions.
        top_k: how many scores to show.
        style: `text`, or one of `formats.FORMATS`.
        output: a file to write to; for the subtitles of several recordings, a folder.

    Returns:
        Whether every recording was answered. What went wrong is told on standard error, after the answers.

    Raises:
        IntonateError: nothing could be answered at all: no such model, a folder without audio…
    """
    sources, names = _sources(paths)
    several = len(paths) > 1 or Path(paths[0]).is_dir()
    if style == "srt" and several and (output is None or output.is_file()):
        raise AudioError("subtitles of several recordings are several files; name a folder for them with --output")
    recognizer = load_model(model)
    hear = None if transcribe is None else hearing(transcribe)
    quiet = output is not None or not sys.stdout.isatty()
    answers = recognizer.predict_many(
        sources,
        same_speaker=same_speaker,
        text=text,
        transcribe=hear,
        timeline=timeline or style == "srt",
        labels=labels,
        # One at a time is seen at once; many at a time is quicker.
        batch_size=16 if quiet else 1,
        progress=len(sources) > 1 and quiet and sys.stderr.isatty(),
    )
    failures: list[Failure] = []
    named = _named(answers, names, failures)
    layout = Layout(_all_labels(recognizer, labels), top_k, timeline, single=not several)
    try:
        if style == "srt" and several and output is not None:
            _write_subtitles(named, output, layout)
        else:
            with _opened(output) as out:
                _write(named, out, style, layout)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise IntonateError(f"{output or 'standard output'} cannot be written: {error.strerror}") from error
    for failure in failures:
        print(f"intonate: {failure.error}", file=sys.stderr)
    if failures and several:
        print(f"intonate: {len(failures)} of {len(sources)} recordings could not be answered", file=sys.stderr)
    return not failures


def hearing(name: str) -> Transcriber:
    """A recogniser of speech; what it cannot do is told on standard error."""
    hear = transcriber(name)
    if hear.caution:
        print(f"intonate: {hear.caution}", file=sys.stderr)
    return hear


def transcribe(paths: Sequence[str], *, by: str) -> bool:
    """Print what is said in files, folders and standard input, a line each; whether all of them could be heard.

    Raises:
        IntonateError: there is no such recogniser of speech, or a folder has no audio.
    """
    sources, names = _sources(paths)
    hear, well = hearing(by), True
    with _opened(None) as out:
        for source, name in zip(sources, names, strict=True):
            try:
                print(f"{name}\t{hear(source).text}", file=out, flush=True)
            except AudioError as error:
                print(f"intonate: {error}", file=sys.stderr)
                well = False
    return well


def read(
    texts: Sequence[str],
    *,
    model: str = TEXT_MODEL,
    labels: str | None = None,
    top_k: int | None = None,
    style: str = "text",
) -> None:
    """Answer texts by their words alone, and print the answers.

    Args:
        texts: each answered by itself; `-` for the lines of standard input.
        model: a built-in name, a model file or a run folder.
        labels: a merge of the emotions.
        top_k: how many scores to show.
        style: `text`, or one of `formats.FORMATS` but `srt`.

    Raises:
        IntonateError: no such model or merge, or a text is empty.
    """
    if style == "srt":
        raise IntonateError("subtitles need a sound; use --format text, json, jsonl or csv")
    recognizer = load_model(model)
    piped = list(texts) == [STANDARD_INPUT]
    lines = (line.strip() for line in sys.stdin) if piped else texts
    answers = (recognizer.predict_text(line, labels=labels) for line in lines if line or not piped)
    layout = Layout(_all_labels(recognizer, labels), top_k, single=not piped and len(texts) == 1)
    with _opened(None) as out:
        _write(answers, out, style, layout)


def models() -> None:
    """Print what is built in, what was converted, and how to use a model of one's own."""
    from rich.console import Console

    console = Console(highlight=False)
    for name in builtin.names():
        path = builtin.path_of(name)
        spec = load_model(name).spec
        default = "  (the default)" if name == builtin.DEFAULT else ""
        console.print(f"[bold]{name}[/bold]{default}")
        for what, value in {
            "labels": ", ".join(spec.labels),
            "languages": ", ".join(spec.languages),
            "trained on": ", ".join(spec.corpora),
            "licence": spec.licence,
            "size": f"{path.stat().st_size / 1e6:.1f} MB",
            "held out": _held_out(spec),
            "card": str(builtin.card_of(name)),
        }.items():
            if value:
                console.print(f"  {what:<11}{value}", soft_wrap=True, markup=False)
        console.print()
    if not builtin.names():
        console.print("no model is built in\n")
    for path in conversions.model_files():  # not opened: they may be of gigabytes
        megabytes = sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*")) / 1e6
        console.print(
            f"{path}\n  converted from a checkpoint of others, {megabytes:.1f} MB\n", soft_wrap=True, markup=False
        )
    console.print(
        "A model of your own: intonate predict CLIP --model runs/NAME (or its model.onnx); intonate train makes them.\n"
        "A model of others: --model hf:ORG/NAME, or a folder with its checkpoint; it is converted once.",
        soft_wrap=True,
    )


def _sources(paths: Sequence[str]) -> tuple[list[Source], list[str]]:
    """What to read, and what to call it."""
    sources: list[Source] = []
    names: list[str] = []
    for path in paths:
        if path == STANDARD_INPUT:
            found: list[Source] = [sys.stdin.buffer.read()]
            names.append(STANDARD_INPUT)
        elif Path(path).is_dir():
            found = list(find(path))
            names += map(str, found)
        else:
            found = [path]  # a missing file is one failure among the others
            names.append(path)
        sources += found
    return sources, names


def _named(answers: Answers, names: list[str], failures: list[Failure]) -> Iterator[Prediction | Failure]:
    """The answers under the names that the user gave; the failures are kept for the end."""
    for answer, name in zip(answers, names, strict=True):
        if isinstance(answer, Failure):
            failure = Failure(name, answer.error)
            failures.append(failure)
            yield failure
        else:
            yield dataclasses.replace(answer, file=name)


def _write(answers: Answers, out: TextIO, style: str, layout: Layout) -> None:
    if style == "text":
        from rich.console import Console

        from intonate.terminal import page

        console = Console(file=out, highlight=False, markup=False, emoji=False)
        for answer in answers:
            page.show(console, answer, top_k=layout.top_k, timeline=layout.timeline)
        return
    for piece in formats.FORMATS[style](answers, layout):
        out.write(piece)
    out.flush()


def _write_subtitles(answers: Answers, folder: Path, layout: Layout) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for answer in answers:
        if isinstance(answer, Failure):
            continue
        stem = Path(answer.file).stem
        # a/1.wav and b/1.wav are two recordings.
        name = next(name for name in (stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)
        taken.add(name)
        (folder / f"{name}.srt").write_text("".join(formats.as_srt([answer], layout)), encoding="utf-8")


@contextlib.contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        # A file name that is no UTF-8 must not stop the rest.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        yield sys.stdout
        return
    with output.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        yield file


def _all_labels(recognizer: Recognizer, labels: str | None) -> tuple[str, ...]:
    return merged_labels(labels) if labels else recognizer.spec.labels


def _held_out(spec: ModelSpec) -> str:
    """UAR on speakers that the model never heard, corpus by corpus, each clip alone."""
    figures = [
        f"{row['name']} {100 * row['uar']['value']:.0f}"
        for row in spec.scores.get("held_out_speakers", ())
        if row["group"] == "corpus" and row["statistics"] == "clip alone"
    ]
    return f"UAR in %, clip alone: {', '.join(figures)} (more in the card)" if figures else ""
