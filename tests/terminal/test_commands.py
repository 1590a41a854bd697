"""The help is laid out for the three kinds of people who read it."""

import re
import sys

import pytest

from intonate.cli import app, main
from intonate.recognizer import builtin


def test_every_command_stands_under_a_heading_and_on_one_line(monkeypatch, capsys):
    import typer

    monkeypatch.setattr(sys, "argv", ["intonate", "--help"])
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().out
    _, *sections = re.split(r"^(Use it|Serve it|Train it):$", told, flags=re.M)
    assert sections[::2] == ["Use it", "Serve it", "Train it"]
    listed = [name for text in sections[1::2] for name in re.findall(r"^  (\w+) ", text, re.M)]
    assert sorted(listed) == sorted(typer.main.get_command(app).commands)
    assert "..." not in told.partition("Use it")[2]


@pytest.mark.parametrize(("command", "name"), [("benchmark", "speaker-disjoint"), ("train", "hubert-frozen")])
def test_help_lists_what_can_be_named(command, name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["intonate", command, "--help"])
    with pytest.raises(SystemExit):
        main()
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("command", ["predict", "explain", "archive", "listen", "serve"])
def test_help_tells_the_default_model_in_the_width_of_the_terminal(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["intonate", command, "--help"])
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().out
    (option,) = re.findall(r"^  --model .*?(?=^  --)", told, re.M | re.S)
    assert option.rstrip().endswith(f"[default: {builtin.DEFAULT}]")
    assert 80 < max(map(len, told.splitlines())) <= 120
