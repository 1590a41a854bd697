"""What all commands share: how errors are told, how the help is laid out, and an option whose value may be left out."""

from __future__ import annotations

import math
import os
import sys
from enum import StrEnum
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from intonate.errors import IntonateError


class Format(StrEnum):
    """How answers can be written."""

    text = "text"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    srt = "srt"
    vtt = "vtt"
    rttm = "rttm"


class CommandGroup(TyperGroup):
    """Errors of ours are one line, Ctrl-C and a closed pipe are no errors: never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except IntonateError as error:
            print(f"intonate: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("intonate"):
                raise
            remedy = "mend it with: pip install 'intonate[train]'"
            print(f"intonate: {error.name} is needed for this but not installed; {remedy}", file=sys.stderr)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except BrokenPipeError:
            # What reads us has had enough. Python would complain once more when it closes standard output.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except OSError as error:
            # A full disk, a folder that must not be written to: what and where, as the system says.
            file_prefix = f"{error.filename}: " if error.filename else ""
            print(f"intonate: {file_prefix}{(error.strerror or str(error)).lower()}", file=sys.stderr)
            raise typer.Exit(1) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands under the heading of their panel; typer itself does so only with rich, which is slow to load."""
        panels: dict[str, list[tuple[str, Any]]] = {}
        for name in self.list_commands(ctx):
            if (command := self.get_command(ctx, name)) and not command.hidden:
                panels.setdefault(getattr(command, "rich_help_panel", None) or "Commands", []).append((name, command))
        width = max(map(len, self.commands))
        limit = formatter.width - 6 - width
        for panel, commands in panels.items():
            rows = [(name.ljust(width), command.get_short_help_str(limit)) for name, command in commands]
            with formatter.section(panel):
                formatter.write_dl(rows)


def not_nan(value: float | None) -> float | None:
    """The callback of an option that is a number: `nan` is one to Python, and neither too small nor too large.

    Raises:
        typer.BadParameter: it is nan.
    """
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is not a number.")
    return value


class TranscribingCommand(TyperCommand):
    """`--transcribe` may stand alone: the word after it is its value only if it is no recording."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _with_transcriber_name(args))


def _with_transcriber_name(args: list[str]) -> list[str]:
    """`--transcribe clip.wav` as `--transcribe=best clip.wav`."""
    if "--transcribe" not in args:
        return args
    from intonate.transcripts.recognisers import BEST, is_recogniser_name

    words: list[str] = []
    for place, word in enumerate(args):
        next_word = args[place + 1] if place + 1 < len(args) else "-"
        if (
            word == "--transcribe"
            and not is_recogniser_name(next_word)
            and (next_word.startswith("-") or os.path.exists(next_word))
        ):
            word = f"{word}={BEST}"
        words.append(word)
    return words
