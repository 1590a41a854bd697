"""The commands of the workshop, which `cli.py` adds to its own: train, evaluate… Nothing heavy is imported at first."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from intonate.terminal.commands import not_nan


class ExplanationFormat(StrEnum):
    """How an explanation can be written."""

    text = "text"
    json = "json"
    html = "html"


# The headings of `intonate --help`.
USE, SERVE, TRAIN = "Use it", "Serve it", "Train it"
workshop = typer.Typer()
Model = Annotated[str | None, typer.Option(help="A built-in name, a file, a run or hf:ORG/NAME.  [default: standard]")]
Device = Annotated[str | None, typer.Option(metavar="NAME", help="What computes: cpu, cuda, openvino, auto...")]
TheirNames = Annotated[
    list[str] | None, typer.Option("--map", metavar="THEIRS=OURS", help="A column or label of theirs; repeat it.")
]


class CommandWithNameList(TyperCommand):
    """Its help ends with what can be named: the recipes or the suites that are here and in the package."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from intonate.training import recipe_files

        kind = self.params[0].name or ""
        with formatter.section(f"{kind.capitalize()}s that can be named"):
            names = textwrap.wrap(", ".join(recipe_files.names(kind)), formatter.width - 4, break_on_hyphens=False)
            formatter.write(textwrap.indent("\n".join(names), "  ") + "\n")


@workshop.command(cls=CommandWithNameList, rich_help_panel=TRAIN)
def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or a name of those below.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value; data.manifest replaces data.corpora."),
    ] = None,
) -> None:
    """Train a model as a recipe says."""
    from intonate.training import recipe_files

    path = recipe_files.find(recipe, "recipe")  # before anything heavy is imported
    from intonate.training.fit import train as fit

    print(fit(path, overrides))


@workshop.command(rich_help_panel=TRAIN)
def finetune(
    source: Annotated[
        Path,
        typer.Argument(metavar="FOLDER|CSV|LABELS.json", help="Labelled recordings: any labels, or a saved session."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.onnx", help="The model file to write.")] = Path("my.onnx"),
    label: Annotated[
        str, typer.Option(metavar="COLUMN|PATTERN", help="Where the label is; guessed if not given.")
    ] = "",
    speaker: Annotated[str, typer.Option(metavar="COLUMN|PATTERN", help="Where the speaker is; guessed too.")] = "",
    file: Annotated[str, typer.Option(metavar="COLUMN", help="Where a table names its files; guessed too.")] = "",
    hold_out: Annotated[
        list[str] | None, typer.Option(metavar="SPEAKER", help="Test on this speaker; may be repeated.")
    ] = None,
    refit: Annotated[bool, typer.Option("--refit", help="In the end fit to the test part as well.")] = False,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Of your recordings, for the card.")] = "",
) -> None:
    """Make a model of your own labelled recordings."""
    from intonate.training.finetune import finetune as fit

    print(
        fit(
            source,
            out,
            label=label,
            speaker=speaker,
            file=file,
            hold_out=hold_out or (),
            refit=refit,
            licence=licence,
        )
    )


@workshop.command(cls=CommandWithNameList, rich_help_panel=TRAIN)
def benchmark(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A YAML file, or a name of those below.")],
    only: Annotated[list[str] | None, typer.Option(metavar="SYSTEM", help="This system; may be repeated.")] = None,
    hours: Annotated[float, typer.Option(min=0, help="Begin no fit after this long.", callback=not_nan)] = float("inf"),
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder that the corpora lie in.")] = None,
) -> None:
    """Train and compare many systems, and write the tables."""
    from intonate.training import recipe_files

    path = recipe_files.find(suite, "suite")
    from intonate.bench.benchmark import benchmark as run

    page, failed = run(path, only or (), hours, data)
    print(page)
    if failed:
        print(f"intonate: {len(failed)} cells failed, {page} says why: {', '.join(failed)}", file=sys.stderr)
        raise typer.Exit(1)


@workshop.command(rich_help_panel=TRAIN)
def export(
    model: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A run folder; or a model file, hf:ORG/NAME or a checkpoint's folder."),
    ],
    output: Annotated[Path, typer.Option(metavar="DIR", help="Write NAME.onnx and its card NAME.md here.")] = Path("."),
    unseen: Annotated[
        list[Path] | None, typer.Option(metavar="REPORT", help="A report of `intonate evaluate`, for the card.")
    ] = None,
    fold: Annotated[int, typer.Option(help="Which fit of the run.")] = 1,
    seed: Annotated[int, typer.Option(help="Which fit of the run.")] = 0,
    quantize: Annotated[
        str | None,
        typer.Option(metavar="int8|fp16", help="Also in fewer bits, as NAME-int8.onnx; a run's is checked."),
    ] = None,
    waveform_input: Annotated[
        bool, typer.Option("--waveform-input", help="Also as NAME-waveform.onnx: samples in, its front end inside.")
    ] = False,
    opset: Annotated[int | None, typer.Option(metavar="N", help="In this version of ONNX's operators.")] = None,
    whole_clips: Annotated[
        bool, typer.Option("--whole-clips", help="Without masks of padding: quicker for streams and single clips.")
    ] = False,
    weights: Annotated[
        int | None, typer.Option(metavar="16|8", help="So many bits for each weight in the file; 32 in use.")
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option(metavar="MANIFEST", help="Labelled clips to check --quantize; a run has its validation clips."),
    ] = None,
) -> None:
    """Make a model ready to give away: one file, with a card."""
    from intonate.converters.command import export as export_model

    def labelled(file: Path) -> Any:
        from intonate.training.validation import for_export

        return for_export(model, file, clips, fold, seed)

    forms = (quantize, waveform_input, opset, whole_clips, weights)
    print(export_model(model, output, unseen or (), fold, seed, *forms, labelled))


@workshop.command(rich_help_panel=TRAIN)
def ensemble(
    out: Annotated[Path, typer.Argument(metavar="OUT.onnx", help="The model file to write.")],
    members: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Built-in names, model files or folders of runs.")
    ],
    by: Annotated[str, typer.Option(metavar="average|vote", help="Average probabilities, or count votes.")] = "average",
    name: Annotated[str, typer.Option(help="What to call it; the file's name if not given.")] = "",
) -> None:
    """Make one model of several with the same labels and cleaning."""
    prepare(*members)
    from intonate.export.ensemble import combine

    print(combine(out, members, by, name))


@workshop.command(rich_help_panel=TRAIN)
def evaluate(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A built-in name, a model file or a run folder; none with answers.",
            show_default=False,
        ),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Argument(
            metavar="MANIFEST|SHARDS", help="A CSV of utterances, or oruk-bench's Parquet.", show_default=False
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Score these answers of another program: file, and label or scores."),
    ] = None,
    name: TheirNames = None,
    labels: Annotated[str | None, typer.Option(metavar="MERGE", help="With --predictions: merge emotions.")] = None,
    report: Annotated[Path, typer.Option(metavar="DIR", help="Write the table, JSON and an HTML page here.")] = Path(
        "report"
    ),
    whole: Annotated[bool, typer.Option("--whole", help="No windows, however long a recording is.")] = False,
    scale: Annotated[
        str | None,
        typer.Option(metavar="LOW-HIGH", help="Of the manifest's ratings, for a model with dimensions: 1-7."),
    ] = None,
    device: Device = None,
    card: Annotated[
        bool, typer.Option("--card", help="Fairness and robustness, too: groups, noise, lines, codecs, lengths.")
    ] = False,
    noise: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --card: noises of yours, too, 10 dB softer.")
    ] = None,
    explained: Annotated[
        int,
        typer.Option(
            "--explain",
            min=0,
            metavar="N",
            help="Explain N right and N wrong answers of each class in the report; seconds each.",
            show_default=False,
        ),
    ] = 0,
) -> None:
    """Score a model, or answers of another program, on a manifest."""
    changed_sounds = "asks a model again about changed sounds"
    asks_a_model = {
        "--card": (card, changed_sounds),
        "--noise": (noise, changed_sounds),
        "--explain": (explained, changed_sounds),
        "--whole": (whole, "says how a model hears"),
        "--scale": (scale, "is of a model's dimensions"),
        "--device": (device, "is what a model computes on"),
    }
    if predictions is not None:
        _refuse_unused(asks_a_model, "answers alone cannot be asked")
        from intonate.bench.outside import evaluate as score_answers

        if model is None:
            raise typer.BadParameter("--predictions are answers to the clips of a manifest: name it")
        if manifest is not None:
            raise typer.BadParameter(f"--predictions has the answers, and no model is asked: leave {model} out")
        print(score_answers(predictions, Path(model), report, _pairs(name), labels))
        return
    says_what_answers_mean = {"--map": (name, "names answers"), "--labels": (labels, "merges answers")}
    _refuse_unused(says_what_answers_mean, "it needs --predictions")
    if noise is not None and not card:
        raise typer.BadParameter("--noise needs --card: what else would it be laid over?")
    if model is None or manifest is None:
        raise typer.BadParameter("give MODEL and MANIFEST, or --predictions CSV and MANIFEST")
    prepare(model, device=device)
    from intonate.bench import leaderboard
    from intonate.training.evaluate import evaluate as score
    from intonate.training.evaluate import headlines

    if leaderboard.are_shards(manifest):
        of_files = {option: asks_a_model[option] for option in ("--card", "--explain", "--scale")}
        _refuse_unused(of_files, "it needs a manifest of sound files, and these are shards of Parquet")
        page = leaderboard.evaluate(model, manifest, report, whole)
    else:
        parsed_scale = None if scale is None else _parse_scale(scale)
        page = score(model, manifest, report, whole=whole, scale=parsed_scale, explained=explained)
    print(*headlines(page), page, sep="\n")
    if card:
        from intonate.bench.card import command

        print(command(model, manifest, report, noise))


@workshop.command(rich_help_panel=TRAIN)
def compare(
    systems: Annotated[
        list[str],
        typer.Argument(metavar="A B... [MANIFEST]", help="Models, runs or CSVs of predictions; a manifest."),
    ],
    name: TheirNames = None,
    report: Annotated[Path, typer.Option(metavar="DIR", help="Write the JSON and an HTML page here.")] = Path(
        "comparison"
    ),
    repeats: Annotated[int, typer.Option(min=100, help="Bootstrap resamples.")] = 2000,
) -> None:
    """Compare systems clip by clip, with p-values."""
    prepare(*systems)
    from intonate.bench.compare import command

    print(command(systems, report, _pairs(name), repeats))


@workshop.command(rich_help_panel=USE)
def explain(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An audio file.")],
    model: Model = None,
    style: Annotated[
        ExplanationFormat, typer.Option("--format", help="How to answer; html: a page with pictures and sounds.")
    ] = ExplanationFormat.text,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write here.")] = None,
    label: Annotated[str | None, typer.Option(metavar="LABEL", help="Explain this one, and not the likeliest.")] = None,
    start: Annotated[float, typer.Option(min=0, metavar="S", help="From here on, seconds.", callback=not_nan)] = 0.0,
    end: Annotated[float | None, typer.Option(min=0, metavar="S", help="To here, seconds.", callback=not_nan)] = None,
    text: Annotated[str | None, typer.Option(help="What was said, for a model that reads it.")] = None,
) -> None:
    """Say which moments, bands and changes move an answer."""
    prepare(model)
    from intonate.evaluation.explanation_command import command

    command(file, model, style.value, output, label, start, end, text)


@workshop.command(rich_help_panel=TRAIN)
def doctor(
    target: Annotated[
        str, typer.Argument(metavar="MANIFEST|FOLDER", help="A CSV, a folder of recordings, or NAME=ROOT.")
    ],
    report: Annotated[Path, typer.Option(metavar="DIR", help="Write the JSON and an HTML page here.")] = Path("doctor"),
) -> None:
    """Find copies, broken files and give-away labels.

    The exit status is 1 where a fault is proved.
    """
    from intonate.bench.doctor import command

    text, is_healthy = command(target, report)
    print(text)
    raise typer.Exit(0 if is_healthy else 1)


@workshop.command(rich_help_panel=SERVE)
def web(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write; new, or of this command.")],
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|PATH", help="A built-in name or a model file; repeat it.  [default: compact]"),
    ] = None,
    runtime: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder with ONNX Runtime Web; else npm fetches it.")
    ] = None,
) -> None:
    """Write a page that hears all by itself, without a server."""
    prepare(*(model or ()))
    from intonate.web.command import command

    print(command(out, model or (), runtime))


def prepare(*models: str | None, device: str | None = None) -> None:
    """What a command that asks models does first: one thread, the device, and checkpoints of others.

    A device other than the processor is named on standard error. Checkpoints become model files the first time that
    they are named: all else reads only those.
    """
    # The matrices are small: more threads of numpy's would only wait for each other. It is read when numpy loads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if device is not None:
        from intonate.onnx_session import use_device

        print(f"intonate: {use_device(device)} computes", file=sys.stderr)
    from intonate.recognizer.conversions import unconverted_checkpoints

    for name in dict.fromkeys(part for model in models for part in unconverted_checkpoints(model)):
        from intonate.converters import convert

        print(f"intonate: {name} is converted once, into {convert(name)}", file=sys.stderr)


def _refuse_unused(options: Mapping[str, tuple[object, str]], reason: str) -> None:
    """Refuse the first option that was given, of {option: (its value, what it is for)}; what goes unused misleads."""
    for option, (value, purpose) in options.items():
        if value:
            raise typer.BadParameter(f"{option} {purpose}; {reason}")


def _parse_scale(text: str) -> tuple[float, float]:
    """(1, 7) of `1-7`."""
    try:
        low, high = (float(number) for number in text.rsplit("-", 1))
    except ValueError:
        low = high = 0.0
    if not low < high:
        raise typer.BadParameter(f"--scale {text!r} is not LOW-HIGH, e.g. 1-7")
    return low, high


def _pairs(names: list[str] | None) -> dict[str, str]:
    """{theirs: ours} of THEIRS=OURS."""
    pairs = [name.rpartition("=") for name in names or ()]
    if malformed_pairs := [
        name
        for name, (their_name, _, our_name) in zip(names or (), pairs, strict=True)
        if not their_name or not our_name
    ]:
        raise typer.BadParameter(f"{malformed_pairs[0]!r} is not THEIRS=OURS, e.g. guess=label or hap=happy")
    return {their_name: our_name for their_name, _, our_name in pairs}
