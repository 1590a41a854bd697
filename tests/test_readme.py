"""What the documents say is true: their examples run, their links lead somewhere, and they tell no private thing."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "examples/README.md", ROOT / "benchmarks/README.md"]
)
# A block of code, and the comment before it that says why it is not run here.
BLOCK = re.compile(
    r"(?:<!-- not run by the tests: (?P<reason>[^>]+) -->\s*)?^```(?P<language>\w+)\n(?P<code>.*?)^```", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    reason: str | None


def blocks(path: Path) -> list[Block]:
    found = BLOCK.finditer(path.read_text(encoding="utf-8"))
    return [Block(match["language"], match["code"], match["reason"]) for match in found]


def commands(block: Block) -> list[str]:
    """The lines after the prompt, without their trailing comments."""
    lines = [line.removeprefix("$ ") for line in block.code.splitlines() if line.startswith("$ ")]
    return [line.split("  #")[0].strip() for line in lines]


def run(arguments: list[str], tmp_path: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A new process in the root of the repository, whose home is empty."""
    environment = os.environ | {"HOME": str(tmp_path), "NO_COLOR": "1", "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, input=stdin, capture_output=True, check=False
    )


README_BLOCKS = blocks(README)
PYTHON = [block for block in README_BLOCKS if block.language == "python"]
CONSOLE = [(block, command) for block in README_BLOCKS if block.language == "console" for command in commands(block)]


def test_readme_has_examples() -> None:
    assert len(PYTHON) >= 2
    assert len(CONSOLE) >= 5


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_python_example_runs(block: Block, tmp_path: Path) -> None:
    answer = run(["-W", "error", "-c", block.code], tmp_path)
    assert answer.returncode == 0, answer.stderr.decode()
    assert answer.stdout


def test_the_live_example_tells_the_end_of_a_short_recording(tmp_path: Path) -> None:
    code = next(block.code for block in PYTHON if ".stream(" in block.code)
    answer = run(["-c", code.replace("examples/changing.flac", "examples/neutral.flac")], tmp_path)
    assert re.search(rb"^ *2\.\d s  final +neutral$", answer.stdout, re.M)


@pytest.mark.parametrize(("block", "command"), CONSOLE, ids=[command for _, command in CONSOLE])
def test_console_example_runs(block: Block, command: str, tmp_path: Path) -> None:
    if block.reason:
        pytest.skip(block.reason)
    program, *arguments = shlex.split(command)
    assert program == "intonate"
    stdin = b""
    if "<" in arguments:
        at = arguments.index("<")
        stdin = (ROOT / arguments[at + 1]).read_bytes()
        del arguments[at : at + 2]
    answer = run(["-c", "from intonate.cli import main; main()", *arguments], tmp_path, stdin)
    assert answer.returncode == 0, answer.stderr.decode()
    assert answer.stdout


def test_first_command_is_a_prediction_on_an_example() -> None:
    first = next(block.code for block in README_BLOCKS if block.language == "sh")
    prediction = shlex.split(first.split("&&")[-1])
    assert prediction[:2] == [".venv/bin/intonate", "predict"]
    assert all((ROOT / path).is_file() for path in prediction[2:])


# A command, and what it prints.
SHOWN = re.compile(r"^```sh\n([^`]*)```\s+<!-- output -->\s+```text\n([^`]*)```\s+<!-- /output -->$", re.M)
SHOWN_OUTPUTS = [shown for path in DOCUMENTS for shown in SHOWN.findall(path.read_text(encoding="utf-8"))]


def words_and_shares(output: str) -> tuple[list[str], list[float]]:
    """An output without its bars, and the shares in it, which may differ a little from machine to machine."""
    text = re.sub(r"[█▉▊▋▌▍▎▏]+", " ", output)
    share = re.compile(r"(\d+)%|(?<=familiarity )(\d\.\d+)")
    shares = [float(percent) / 100 if percent else float(number) for percent, number in share.findall(text)]
    return share.sub("#", text).split(), shares


def test_outputs_are_shown() -> None:
    marks = sum(path.read_text(encoding="utf-8").count("<!-- output -->") for path in DOCUMENTS)
    assert len(SHOWN_OUTPUTS) == marks > 0


@pytest.mark.parametrize(("command", "shown"), SHOWN_OUTPUTS, ids=range(len(SHOWN_OUTPUTS)))
def test_shown_output_is_what_the_command_prints(command: str, shown: str, tmp_path: Path) -> None:
    """Word for word; shares within two points, and their bars as they may."""
    program, *arguments = shlex.split(command.split("&&")[-1])
    assert program == ".venv/bin/intonate"
    printed = run(["-c", "from intonate.cli import main; main()", *arguments], tmp_path).stdout.decode()
    words, shares = words_and_shares(shown)
    printed_words, printed_shares = words_and_shares(printed)
    assert words == printed_words
    assert shares == pytest.approx(printed_shares, abs=0.02)


def test_ci_can_take_both_commands_from_the_readme() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    for name, last in ((".venv", "predict"), (".venv-dev", "pytest")):
        found = [line for line in lines if line.startswith(f"python3 -m venv {name} ")]
        assert len(found) == 1
        assert last in found[0].split(" && ")[-1]


def test_table_of_commands_is_the_command_line() -> None:
    import typer

    from intonate.cli import app

    told = set(re.findall(r"^\| `intonate (\w+)", README.read_text(encoding="utf-8"), re.M))
    assert told == set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_exist(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    relative = [link for link in links if "://" not in link]
    assert [link for link in relative if not (path.parent / link).exists()] == []


def test_every_licence_has_its_text_and_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = {path.stem for path in (ROOT / "LICENSES").iterdir()}
    assert set(project["license"].split(" AND ")) == texts
    readme = README.read_text(encoding="utf-8")
    assert all(f"LICENSES/{name}.txt" in readme or name == "Apache-2.0" for name in texts)


def test_torch_is_pinned_to_the_version_whose_build_is_small() -> None:
    assert re.search(r"^torch==[\d.]+$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M)


# Where somebody keeps things, and hosts that only somebody can reach. This file itself is left out of the search.
PRIVATE = re.compile(
    "|".join(
        [
            r"(?<![\w.])/(?:work|root|home|Users|tmp/bash_jobs[^/]*)/\w",  # somebody's disk
            r"(?<![\w.])/opt/(?:wheels|pypi)",
            r"://[\w.-]+\.(?:internal|intranet|corp|lan)\b",
            r"(?:extra-)?index-url[ =]",
        ]
    )
)


def test_nothing_private_is_told() -> None:
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    found = []
    for name in listed.decode().split("\0"):
        path = ROOT / name
        if not path.is_file() or path == Path(__file__).resolve():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # audio and models
        found += [f"{name}: {match[0]}" for match in PRIVATE.finditer(text)]
    assert found == []


def test_models_tell_no_private_path() -> None:
    for path in (ROOT / "src/intonate/recognizer/assets").glob("*.onnx"):
        content = path.read_bytes()
        assert not re.search(rb"(?<![\w.])/(?:work|root|home)/\w", content), path.name
