"""The workshop's commands, registered by `cli.py`: evaluate, compare, doctor. Nothing heavy is imported at first."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand


class CommandWithNameList(TyperCommand):
    """Its help ends with what can be named: the recipes or the suites that are here and in the package."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from intonate.training import recipe_files

        kind = self.params[0].name or ""
        with formatter.section(f"{kind.capitalize()}s that can be named"):
            names = textwrap.wrap(", ".join(recipe_files.names(kind)), formatter.width - 4, break_on_hyphens=False)
            formatter.write(textwrap.indent("\n".join(names), "  ") + "\n")


def register(app: typer.Typer, panel: str, convert: Callable[..., None]) -> None:
    """Add the commands to an application.

    Args:
        app: the application.
        panel: the heading of `--help` that they stand under.
        convert: makes model files of the checkpoints among names of models.
    """

    @app.command(rich_help_panel=panel)
    def evaluate(
        model: Annotated[
            str,
            typer.Argument(metavar="[MODEL]", help="A built-in name, a model file or a run folder; none with answers."),
        ],
        manifest: Annotated[
            Path | None, typer.Argument(metavar="MANIFEST", help="A CSV of labelled utterances.", show_default=False)
        ] = None,
        predictions: Annotated[
            Path | None,
            typer.Option(metavar="CSV", help="Score these answers of another program: file, and label or scores."),
        ] = None,
        name: Annotated[
            list[str] | None,
            typer.Option("--map", metavar="THEIRS=OURS", help="A column or label of theirs; repeat it."),
        ] = None,
        labels: Annotated[str | None, typer.Option(metavar="MERGE", help="With --predictions: merge emotions.")] = None,
        report: Annotated[
            Path, typer.Option(metavar="DIR", help="Write the table, JSON and an HTML page here.")
        ] = Path("report"),
        whole: Annotated[bool, typer.Option("--whole", help="No windows, however long a recording is.")] = False,
    ) -> None:
        """Score a model, or answers of another program, on a manifest."""
        if predictions is not None:
            from intonate.bench.outside import evaluate as score_answers

            print(score_answers(predictions, manifest or Path(model), report, _pairs(name), labels))
            return
        if manifest is None:
            raise typer.BadParameter("give MODEL and MANIFEST, or --predictions CSV and MANIFEST")
        convert(model)
        from intonate.training.evaluate import evaluate as score

        print(score(model, manifest, report, whole=whole))

    @app.command(rich_help_panel=panel)
    def compare(
        systems: Annotated[
            list[str],
            typer.Argument(metavar="A B... [MANIFEST]", help="Models, runs or CSVs of predictions; a manifest."),
        ],
        name: Annotated[
            list[str] | None,
            typer.Option("--map", metavar="THEIRS=OURS", help="A column or label of theirs; repeat it."),
        ] = None,
        report: Annotated[Path, typer.Option(metavar="DIR", help="Write the JSON and an HTML page here.")] = Path(
            "comparison"
        ),
        repeats: Annotated[int, typer.Option(min=100, help="Bootstrap resamples.")] = 2000,
    ) -> None:
        """Compare systems clip by clip, with p-values."""
        convert(*(system for system in systems if not system.lower().endswith((".csv", ".tsv"))))
        from intonate.bench.compare import command

        print(command(systems, report, _pairs(name), repeats))

    @app.command(rich_help_panel=panel)
    def doctor(
        target: Annotated[
            str, typer.Argument(metavar="MANIFEST|FOLDER", help="A CSV, a folder of recordings, or NAME=ROOT.")
        ],
        report: Annotated[Path, typer.Option(metavar="DIR", help="Write the JSON and an HTML page here.")] = Path(
            "doctor"
        ),
    ) -> None:
        """Find copies, broken files and give-away labels.

        The exit status is 1 where a fault is proved.
        """
        from intonate.bench.doctor import command

        text, is_healthy = command(target, report)
        print(text)
        raise typer.Exit(0 if is_healthy else 1)


def _pairs(names: list[str] | None) -> dict[str, str]:
    """{theirs: ours} of THEIRS=OURS."""
    pairs = [name.rpartition("=") for name in names or ()]
    if malformed := [
        name for name, (theirs, _, ours) in zip(names or (), pairs, strict=True) if not theirs or not ours
    ]:
        raise typer.BadParameter(f"{malformed[0]!r} is not THEIRS=OURS, e.g. guess=label or hap=happy")
    return {theirs: ours for theirs, _, ours in pairs}
