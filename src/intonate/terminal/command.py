"""`intonate predict` and `intonate models`, behind the options."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

from intonate.audio.decode import Sound, Source, listing
from intonate.audio.listing import Listing, check_output
from intonate.errors import AudioError, IntonateError
from intonate.published.checkpoints import HUB
from intonate.published.known import KNOWN
from intonate.recognizer import builtin, conversions
from intonate.recognizer.model_file import read_spec
from intonate.recognizer.recognizer import Failure, load_model
from intonate.schema import ModelSpec, Prediction
from intonate.terminal import formats
from intonate.terminal.formats import Answers, Layout
from intonate.transcripts.recognisers import Transcriber, transcriber

STANDARD_INPUT = "-"
# Of a weight, as they are published.
BYTES = 4
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
    whole: bool = False,
    style: str = "text",
    output: Path | None = None,
    raw: str | None = None,
    track: int | None = None,
    channels: str = "mix",
    speakers: str | None = None,
) -> bool:
    """Answer files, folders and standard input, and print or write the answers.

    Args:
        paths: files, folders (with all that is in them), or `-`.
        model: a built-in name, a model file or a run folder.
        timeline: segments for short recordings too.
        text: the words, for a model that reads them.
        transcribe: the recogniser of speech (`transcripts.recognisers`); None for no transcript.
        same_speaker: all the recordings are of one person.
        labels: a merge of the emotions.
        top_k: how many scores to show.
        whole: answer recordings of any length whole, and not in windows.
        style: `text`, or one of `formats.FORMATS`.
        output: a file to write to; for the subtitles of several recordings, a folder.
        raw: `ENCODING:RATE[:CHANNELS]` of samples without a header.
        track: which audio track of a video; None for the first one in which somebody speaks.
        channels: `mix`, `left`, `right`, `each` or a number.
        speakers: how many people to tell apart, or `auto`; None for taking all for one.

    Returns:
        Whether every recording was answered. Failures, and what was not heard, are printed on standard
        error, after the answers.

    Raises:
        IntonateError: nothing could be answered at all: no such model, a folder without audio…
    """
    sources, names, notes = _sources(paths, takes_headerless=raw is not None)
    check_output(output, sources)
    if raw is not None or track is not None:
        sources = [Sound(source, raw, track) for source in sources]  # type: ignore[arg-type]
    is_single = len(paths) == 1 and not os.path.isdir(paths[0])
    if style in formats.SUBTITLES and not is_single and (output is None or output.is_file()):
        raise AudioError("subtitles of several recordings are several files; name a folder for them with --output")
    if style in formats.SUBTITLES and not is_single and output is not None:
        _check_subtitles(output, names, style)
    recognizer = load_model(model)
    is_interactive = output is None and _standard_output().isatty()
    answers = recognizer.predict_many(
        sources,
        same_speaker=same_speaker,
        text=text,
        transcribe=None if transcribe is None else open_transcriber(transcribe),
        timeline=timeline or style in formats.TIMELINES,
        labels=labels,
        channels=channels,
        speakers=speakers,
        whole=whole,
        # One at a time is seen at once; many at a time is quicker.
        batch_size=1 if is_interactive else 16,
        progress=len(sources) > 1 and not is_interactive and sys.stderr.isatty(),
    )
    failures: list[Failure] = []
    has_speakers = channels == "each" or speakers is not None
    chosen = {"top_k": top_k, "timeline": timeline, "single": is_single, "speakers": has_speakers}
    layout = Layout.of(recognizer.spec, labels, **chosen)
    _write_to(output, _answers_with_names(answers, names, failures, notes), style, layout, notes)
    for sentence in dict.fromkeys([*notes, *(failure.error for failure in failures)]):
        print(f"intonate: {sentence}", file=sys.stderr)
    if failures and not is_single:
        print(f"intonate: {len(failures)} of {len(sources)} recordings could not be answered", file=sys.stderr)
    return not failures


def open_transcriber(name: str) -> Transcriber:
    """A recogniser of speech; its limits are printed on standard error."""
    recogniser = transcriber(name)
    if recogniser.caution:
        print(f"intonate: {recogniser.caution}", file=sys.stderr)
    return recogniser


def transcribe(paths: Sequence[str], *, by: str) -> bool:
    """Print the transcripts of files, folders and standard input, a line each; whether all of them could be read.

    Raises:
        IntonateError: there is no such recogniser of speech, or a folder has no audio.
    """
    sources, names, notes = _sources(paths)
    for note in notes:
        print(f"intonate: {note}", file=sys.stderr)
    transcriber, is_complete = open_transcriber(by), True
    with _open_output(None) as out:
        for source, name in zip(sources, names, strict=True):
            try:
                transcript = transcriber(source)
                print(f"{name}\t{transcript.text}", file=out, flush=True)
                for warning in transcript.warnings:
                    print(f"intonate: {_with_names(warning)}", file=sys.stderr)
            except AudioError as error:
                print(f"intonate: {_with_names(str(error))}", file=sys.stderr)
                is_complete = False
    return is_complete


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
        style: `text`, or one of `formats.FORMATS` but subtitles.

    Raises:
        IntonateError: no such model or merge, or a text is empty.
    """
    if style in formats.TIMELINES:
        raise IntonateError("subtitles need a sound; use --format text, json, jsonl or csv")
    recognizer = load_model(model)
    is_piped = list(texts) == [STANDARD_INPUT]
    lines = (line.strip() for line in sys.stdin) if is_piped else texts
    notes = Counter[str]()

    def answers() -> Iterator[Prediction]:
        for line in lines:
            if line or not is_piped:
                yield (answer := recognizer.predict_text(line, labels=labels))
                notes.update(answer.warnings)

    layout = Layout.of(recognizer.spec, labels, top_k=top_k, single=not is_piped and len(texts) == 1)
    with _open_output(None) as out:
        _write(answers(), out, style, layout)
    for warning, count in notes.items():
        print(f"intonate: {warning}" + f" ({count:,} texts)" * (count > 1), file=sys.stderr)


def models() -> None:
    """Print the built-in models, those that were converted, and how to use a model of one's own."""
    from rich.console import Console

    console = Console(highlight=False)
    for name in builtin.names():
        path = builtin.path_of(name)
        spec = read_spec(path)
        default = "  (the default)" if name == builtin.DEFAULT else ""
        console.print(f"[bold]{name}[/bold]{default}")
        for key, value in {
            "labels": ", ".join(spec.labels) + " (several at once)" * spec.multi_label,
            "dimensions": ", ".join(spec.dimensions),
            "events": ", ".join(spec.events),
            "languages": ", ".join(spec.languages),
            "trained on": ", ".join(spec.corpora),
            "licence": spec.licence,
            "size": f"{path.stat().st_size / 1e6:.1f} MB",
            "held out": _held_out_uar(spec),
            "card": str(builtin.card_of(name)),
        }.items():
            if value:
                console.print(f"  {key:<11}{value}", soft_wrap=True, markup=False)
        console.print()
    if not builtin.names():
        console.print("no model is built in\n")
    for path in conversions.model_files():  # not opened: they may be of gigabytes
        megabytes = sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*")) / 1e6
        console.print(
            f"{path}\n  converted from a checkpoint of others, {megabytes:.1f} MB\n", soft_wrap=True, markup=False
        )
    console.print("[bold]open models of others[/bold], with what is published of them (nothing of it measured here)\n")
    for published_model in KNOWN:
        state = conversions.state_of(published_model.repository)
        console.print(f"[bold]{published_model.repository}[/bold]  ({state})", soft_wrap=True)
        for heading, value in {
            "answers": published_model.answers,
            "languages": published_model.languages,
            "licence": published_model.licence,
            "size": (
                f"{published_model.parameters} million parameters, {published_model.parameters * BYTES / 1000:.1f} GB"
                if published_model.parameters
                else "less than a million parameters, 1 MB"
            ),
            "published": f"{published_model.figure} ({published_model.source})" if published_model.figure else "",
            "use it" if state == "converted" else "fetch it": (
                f"intonate predict CLIP --model {HUB}{published_model.repository}"
                if state == "converted"
                else f"intonate export {HUB}{published_model.repository}"
            ),
        }.items():
            if value:
                console.print(f"  {heading:<11}{value}", soft_wrap=True, markup=False)
        console.print()
    console.print(
        "A model of your own: intonate predict CLIP --model runs/NAME (or its model.onnx); intonate train makes them.\n"
        "A model of others: --model hf:ORG/NAME, or a folder with its checkpoint; it is converted once.",
        soft_wrap=True,
    )


def _sources(paths: Sequence[str], takes_headerless: bool = False) -> tuple[list[Source], list[str], list[str]]:
    """The sources, their names, and sentences about files that are left out."""
    notes: list[str] = []
    sources: list[Source] = []
    names: list[str] = []
    for path in paths:
        if path == STANDARD_INPUT:
            path_sources: list[Source] = [standard_input().read()]
            names.append(STANDARD_INPUT)
        elif os.path.isdir(path):  # an empty name is none; to Path it would be the folder that one works in
            try:
                folder = listing(path, takes_headerless)
            except AudioError as error:
                if len(paths) == 1 or isinstance(error.__cause__, OSError):
                    raise
                notes.append(str(error))
                folder = Listing((Path(path),), {})  # one failure among the others
            path_sources = list(folder.files)
            names += map(str, path_sources)
            notes += filter(None, [folder.left_out_sentence()])
        else:
            path_sources = [path]  # a missing file is one failure among the others
            names.append(path)
        sources += path_sources
    return sources, names, notes


def standard_input() -> BinaryIO:
    """Where the bytes of `-` come from.

    Raises:
        AudioError: it is closed (`<&-`).
    """
    if sys.stdin is None:
        raise AudioError("there is no standard input to read; name a file")
    return sys.stdin.buffer


def _with_names(sentence: str) -> str:
    """The bytes that a message speaks of are those of standard input."""
    return sentence.replace("<bytes>", "standard input")


def _answers_with_names(
    answers: Answers, names: list[str], failures: list[Failure], notes: list[str]
) -> Iterator[Prediction | Failure]:
    """The answers under the names that the user gave; failures and warnings are kept for the end."""
    for answer, name in zip(answers, names, strict=True):
        if isinstance(answer, Failure):
            failure = Failure(name, _with_names(answer.error))
            failures.append(failure)
            yield failure
        else:
            notes += map(_with_names, answer.warnings)
            yield dataclasses.replace(answer, file=name)


def _write_to(output: Path | None, answers: Answers, style: str, layout: Layout, notes: list[str]) -> None:
    """Write the answers to a file or standard output; the subtitles of several recordings to a folder.

    `notes` takes sentences about what was written.

    Raises:
        IntonateError: that cannot be written to.
    """
    try:
        if style in formats.SUBTITLES and not layout.single and output is not None:
            _write_subtitles(answers, output, style, layout, notes)
        else:
            with _open_output(output) as out:
                _write(answers, out, style, layout)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise IntonateError(f"{output or 'standard output'} cannot be written: {error.strerror}") from error


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


def _check_subtitles(folder: Path, names: Sequence[str], style: str) -> None:
    """Keep the subtitles that a video has: beside it lie those of its words, by the same name.

    Raises:
        AudioError: one would be written over.
    """
    for name in names:
        subtitles = folder / f"{Path(name).stem}.{style}"
        if subtitles.exists() and os.path.samefile(folder, Path(name).parent):
            raise AudioError(f"{subtitles} is there already, beside its recording; name another folder with --output")


def _write_subtitles(answers: Answers, folder: Path, style: str, layout: Layout, notes: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    used_names: set[str] = set()
    for answer in answers:
        if isinstance(answer, Failure):
            continue
        stem = Path(answer.file).stem
        # a/1.wav and b/1.wav are two recordings.
        name = next(
            name for name in (stem, *(f"{stem}-{n}" for n in range(2, len(used_names) + 3))) if name not in used_names
        )
        used_names.add(name)
        if name != stem:
            notes.append(f"{folder / name}.{style} is of {answer.file}")
        (folder / f"{name}.{style}").write_text("".join(formats.FORMATS[style]([answer], layout)), encoding="utf-8")


def _standard_output() -> TextIO:
    """Where answers go to.

    Raises:
        IntonateError: it is closed (`>&-`).
    """
    if sys.stdout is None:
        raise IntonateError("there is no standard output to write to; name a file with --output")
    return sys.stdout


@contextlib.contextmanager
def _open_output(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield _standard_output()
        return
    with output.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        yield file


def _held_out_uar(spec: ModelSpec) -> str:
    """UAR on held-out speakers among the classes of their corpus, corpus by corpus, each clip alone."""
    figures = [
        f"{row['name']} {100 * row['uar_restricted']['value']:.0f}"
        for row in spec.scores.get("held_out_speakers", ())
        if row["group"] == "corpus" and row["statistics"] == "clip alone"
    ]
    return f"UAR in %, clip alone, own classes: {', '.join(figures)} (more in the card)" if figures else ""
