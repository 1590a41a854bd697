"""The command line. Each command's body is one call; the work is done in the rooms.

Exit status: 0 all well; 1 something could not be done (one line on standard error says what); 2 wrong usage;
130 stopped with Ctrl-C.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from intonate.cli_workshop import SERVE, TRAIN, USE, Device, Model, prepare, workshop
from intonate.terminal.commands import CommandGroup, Format, TranscribingCommand, not_nan

Labels = Annotated[str | None, typer.Option(metavar="MERGE", help="Merge emotions: 4, p4-4, valence...")]
Transcribe = Annotated[str | None, typer.Option(metavar="[NAME]", help="Write down what is said, too.")]
Channels = Annotated[
    str, typer.Option(metavar="mix|left|right|each|N", help="Which channels; each: one speaker on each (a call).")
]
_TYPER_OPTIONS: dict[str, Any] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "add_completion": False,
    "context_settings": {"max_content_width": 120},  # of a wide terminal; else the help wraps at 80
}
app = typer.Typer(cls=CommandGroup, no_args_is_help=True, help="Hears how something is said.", **_TYPER_OPTIONS)
corpora_app = typer.Typer(cls=CommandGroup, invoke_without_command=True, **_TYPER_OPTIONS)
app.add_typer(
    corpora_app,
    name="corpora",
    help="The corpora that can be read; `describe` counts one on disk.",
    rich_help_panel=TRAIN,
)


def _version(is_requested: bool) -> None:
    if is_requested:
        from intonate import __version__

        print(f"intonate {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...


@app.command(cls=TranscribingCommand, rich_help_panel=USE)
def predict(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Audio files, folders, or - (standard input).")],
    model: Model = None,
    timeline: Annotated[bool, typer.Option("--timeline", help="Segments, for short recordings too.")] = False,
    text: Annotated[str | None, typer.Option(help="What was said, for a model that reads it.")] = None,
    transcribe: Annotated[
        str | None, typer.Option(metavar="[NAME]", help="Write down what is said: whisper:small, pocketsphinx...")
    ] = None,
    same_speaker: Annotated[
        bool, typer.Option("--same-speaker", help="All is one person, in several moods: learn the voice first.")
    ] = False,
    labels: Labels = None,
    top_k: Annotated[int | None, typer.Option(min=1, metavar="N", help="Show the N best.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="No windows, however long a recording is.")] = False,
    style: Annotated[Format, typer.Option("--format", help="How to answer.")] = Format.text,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write here (a folder for srt of several).")
    ] = None,
    raw: Annotated[
        str | None, typer.Option(metavar="ENCODING:RATE", help="Sound without a header: ulaw:8000, s16le:16000:2...")
    ] = None,
    track: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Audio track of a video; else the first that speaks.")
    ] = None,
    channels: Channels = "mix",
    speakers: Annotated[
        str | None, typer.Option(metavar="auto|N", help="Tell speakers apart; of short clips, auto groups voices.")
    ] = None,
    device: Device = None,
) -> None:
    """Which emotion recordings sound like."""
    prepare(model, device=device)
    from intonate.terminal import command

    is_complete = command.predict(
        paths,
        model=model,
        timeline=timeline,
        text=text,
        transcribe=transcribe,
        same_speaker=same_speaker,
        labels=labels,
        top_k=top_k,
        whole=whole,
        style=style.value,
        output=output,
        raw=raw,
        track=track,
        channels=channels,
        speakers=speakers,
    )
    raise typer.Exit(0 if is_complete else 1)


@app.command(rich_help_panel=USE)
def read(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Sentences, or - (lines of standard input).")],
    model: Annotated[str, typer.Option(help="A built-in name, a model file or a run folder.")] = "text",
    labels: Labels = None,
    top_k: Annotated[int | None, typer.Option(min=1, metavar="N", help="Show the N best.")] = None,
    style: Annotated[Format, typer.Option("--format", help="How to answer.")] = Format.text,
) -> None:
    """Which emotion words carry, read and not heard (English)."""
    prepare()
    from intonate.terminal import command

    command.read(texts, model=model, labels=labels, top_k=top_k, style=style.value)


@app.command(rich_help_panel=USE)
def models() -> None:
    """Which models there are, built in and others', with licences."""
    from intonate.terminal import command

    command.models()


@app.command(cls=TranscribingCommand, rich_help_panel=USE)
def listen(
    model: Model = None,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Play this instead of the microphone, - for standard input.")
    ] = None,
    labels: Labels = None,
    plain: Annotated[bool, typer.Option("--plain", help="Pieces of 2 s without voice activity or smoothing.")] = False,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="Which microphone (name or number).")] = None,
    transcribe: Transcribe = None,
) -> None:
    """What the microphone hears, live in the terminal."""
    prepare(model)
    from intonate.terminal.command import open_transcriber
    from intonate.terminal.listen import listen as start

    transcriber = None if transcribe is None else open_transcriber(transcribe)
    start(model=model, file=file, labels=labels, plain=plain, device=device, transcribe=transcriber)


@app.command(cls=TranscribingCommand, rich_help_panel=SERVE)
def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|PATH", help="What to serve; repeat it for several.  [default: standard]"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8000,
    token: Annotated[
        str, typer.Option(envvar="INTONATE_TOKEN", help="What clients must show; needed beyond loopback.")
    ] = "",
    tls_cert: Annotated[Path | None, typer.Option(metavar="PEM", help="Certificate, for HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="PEM", help="Its key.")] = None,
    allow_host: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A further name it goes by.")] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A further web page's origin that may use it.")
    ] = None,
    transcribe: Transcribe = None,
    max_upload_mib: Annotated[int, typer.Option(min=1, help="Largest upload.")] = 64,
    max_audio_s: Annotated[float, typer.Option(min=1, help="Longest upload, decoded.", callback=not_nan)] = 3600,
    max_uploads: Annotated[int, typer.Option(min=1, help="Uploads at once; the rest is told to come back.")] = 32,
    max_connections: Annotated[int, typer.Option(min=1, help="Live connections at once.")] = 100,
    max_session_s: Annotated[float, typer.Option(min=1, help="Longest live session.", callback=not_nan)] = 14_400,
    device: Device = None,
    grace: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="To answer what is under way at a stop.", callback=not_nan)
    ] = 5,
    workers: Annotated[
        int, typer.Option(min=1, max=256, metavar="N", help="Processes that share the port, with these limits each.")
    ] = 1,
) -> None:
    """Serve predictions, live streams and a page for the browser."""
    prepare(*(model or ()), device=device)
    from intonate.service import command

    command.serve(
        model or (),
        host=host,
        port=port,
        token=token,
        tls_cert=tls_cert,
        tls_key=tls_key,
        allowed_hosts=allow_host or (),
        allowed_origins=allow_origin or (),
        transcribe=transcribe,
        upload_bytes=max_upload_mib * 2**20,
        audio_s=max_audio_s,
        uploads=max_uploads,
        connections=max_connections,
        session_s=max_session_s,
        grace_s=grace,
        workers=workers,
    )


@app.command(cls=TranscribingCommand, rich_help_panel=USE)
def archive(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the table; a stopped run goes on there.")],
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE...", help="Folders, globs, manifests, .tar, .parquet, files; or URLs of them."),
    ] = None,
    model: Model = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes; one per processor if not given.")
    ] = None,
    engine: Annotated[str, typer.Option(metavar="local|ray", help="This machine's processes, or Ray Data.")] = "local",
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Of a Ray cluster, or auto; else Ray on this machine.")
    ] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Write JSON lines, too.")] = False,
    timeline: Annotated[bool, typer.Option("--timeline", help="Segments, for short recordings too.")] = False,
    transcribe: Transcribe = None,
    labels: Labels = None,
    channels: Channels = "mix",
    speakers: Annotated[
        str | None, typer.Option(metavar="auto|N", help="Tell the speakers of one channel apart, turn by turn.")
    ] = None,
    shard_files: Annotated[int | None, typer.Option(min=1, metavar="N", help="Files in a shard, at most.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Answer anew what has an error, and files that have changed.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="How far the archive in DIR is.")] = False,
    device: Device = None,
) -> None:
    """Answer many files, into one table of Parquet."""
    prepare(model, device=device)
    from intonate.archive import command

    options = {"timeline": timeline, "transcribe": transcribe, "labels": labels, "speakers": speakers}
    options |= {} if channels == "mix" else {"channels": channels}
    how = {"engine": engine, "address": address, "jsonl": jsonl, "shard_files": shard_files, "again": again}
    print(command.run(sources or (), out, is_status=status, model=model, workers=workers, options=options, **how))


@corpora_app.callback()
def corpora(ctx: typer.Context) -> None:
    """The corpora that can be read."""
    if ctx.invoked_subcommand is None:
        from intonate.corpora import command

        command.print_corpora()


@corpora_app.command("describe")
def describe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="See `intonate corpora`.")],
    root: Annotated[Path | None, typer.Argument(metavar="[ROOT]", help="The folder it lies in.")] = None,
) -> None:
    """What a corpus is and where to get it; or count one on disk.

    With ROOT: clips, speakers, emotions, and what is wrong.
    """
    from intonate.corpora import describe as descriptions

    print(descriptions.about(name) if root is None else descriptions.describe(name, root).to_text())


@app.command(rich_help_panel=TRAIN)
def manifest(
    out: Annotated[Path, typer.Argument(metavar="OUT.csv", help="The CSV to write.")],
    roots: Annotated[list[str], typer.Argument(metavar="NAME=ROOT...", help="Corpora and where they lie.")],
) -> None:
    """Write one table of everything that is labelled in corpora."""
    from intonate.corpora import command

    command.write_manifest(out, roots)


@app.command(rich_help_panel=USE)
def transcribe(
    paths: Annotated[
        list[str], typer.Argument(metavar="MANIFEST.csv|PATH...", help="A manifest; or audio files, folders, or -.")
    ],
    by: Annotated[
        str, typer.Option(metavar="NAME", help="whisper:SIZE, whisper:FOLDER, pocketsphinx, sensevoice.")
    ] = "best",
) -> None:
    """Write down what recordings, or those of a manifest, say."""
    if paths[0].lower().endswith(".csv"):
        from intonate.corpora import transcripts
        from intonate.terminal.command import open_transcriber

        print(transcripts.command(paths, open_transcriber(by)))
        return
    from intonate.terminal import command

    raise typer.Exit(0 if command.transcribe(paths, by=by) else 1)


app.add_typer(workshop)


def main() -> None:
    """The entry point of `intonate`."""
    # A sign that the encoding of the output lacks, or a file name that is no text, must not stop the rest.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="intonate")
    except KeyboardInterrupt:
        sys.exit(130)
