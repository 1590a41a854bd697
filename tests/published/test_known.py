"""The open models that are listed can be converted, and each says where it is and what fetches it."""

import re

import pytest
from typer.testing import CliRunner

from intonate.cli import app
from intonate.converters import FAMILIES
from intonate.published.known import KNOWN
from intonate.recognizer import conversions


def test_each_is_of_a_family_and_a_figure_has_a_source():
    assert len({known.repository for known in KNOWN}) == len(KNOWN)
    for known in KNOWN:
        assert known.family in FAMILIES
        assert bool(known.figure) == bool(known.source)
        assert known.licence
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", known.repository)


def test_models_lists_them_with_the_command_that_fetches_each():
    done = CliRunner().invoke(app, ["models"])
    assert done.exit_code == 0, done.output
    for known in KNOWN:
        assert f"intonate export hf:{known.repository}" in done.output
    assert "not on this machine" in done.output


@pytest.mark.parametrize("state", ["fetched", "converted"])
def test_what_is_here_says_so(state, tmp_path, monkeypatch):
    repository = KNOWN[0].repository
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert conversions.state_of(repository) == "not on this machine"
    file = tmp_path / "hub" / f"models--{repository.replace('/', '--')}" / "snapshots" / "abc" / "model.pt"
    if state == "converted":
        file = conversions.file_of(f"hf:{repository}")
    file.parent.mkdir(parents=True)
    file.touch()
    assert conversions.state_of(repository) == state
    assert f"{repository}  ({state})" in CliRunner().invoke(app, ["models"]).output


@pytest.mark.parametrize(
    ("variables", "cache"),
    [
        ({"HUGGINGFACE_HUB_CACHE": "named"}, "named"),
        ({"HF_HUB_CACHE": "hub", "HUGGINGFACE_HUB_CACHE": "named"}, "hub"),
        ({"XDG_CACHE_HOME": "cache"}, "cache/huggingface/hub"),
    ],
)
def test_the_hubs_cache_is_where_its_client_has_it(variables, cache, tmp_path, monkeypatch):
    """As huggingface_hub 1 settles it."""
    repository = KNOWN[0].repository
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name, folder in variables.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    file = tmp_path / cache / f"models--{repository.replace('/', '--')}" / "snapshots" / "abc" / "model.pt"
    file.parent.mkdir(parents=True)
    file.touch()
    assert conversions.state_of(repository) == "fetched"
