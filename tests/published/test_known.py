"""The open models that are listed can be converted, and each says where it is and what fetches it."""

import doctest
import re

import pytest
from typer.testing import CliRunner

from intonate.cli import app
from intonate.converters import FAMILIES
from intonate.errors import ModelError
from intonate.published import known as published
from intonate.published.checkpoints import CLASSIFIER, find
from intonate.published.known import KNOWN
from intonate.recognizer import conversions
from intonate.recognizer.recognizer import load_model


def test_each_is_of_a_family_and_a_figure_has_a_source():
    assert len({known.repository for known in KNOWN}) == len(KNOWN)
    for known in KNOWN:
        assert known.family in FAMILIES
        assert bool(known.figure) == bool(known.source)
        assert known.licence
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", known.repository)
        assert known.required_files


def write_files(folder, known):
    """One after the other, and each time before that."""
    folder.mkdir(parents=True)
    for group in known.required_files:
        yield
        (folder / next(iter(group)).replace("*", "")).touch()


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
    if state == "converted":
        file = conversions.file_of(f"hf:{repository}")
        file.parent.mkdir(parents=True)
        file.touch()
    else:
        # Not before all of it is here.
        for _ in write_files(
            tmp_path / "hub" / f"models--{repository.replace('/', '--')}" / "snapshots" / "a", KNOWN[0]
        ):
            assert conversions.state_of(repository) == "not on this machine"
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
    assert list(
        write_files(tmp_path / cache / f"models--{repository.replace('/', '--')}" / "snapshots" / "a", KNOWN[0])
    )
    assert conversions.state_of(repository) == "fetched"


def test_a_wrong_guess_is_told_the_known_name(monkeypatch):
    assert doctest.testmod(published).failed == 0
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    wanted = "did you mean hf:emotion2vec/emotion2vec_plus_base[?] "
    for name in ("emotion2vec_plus_base", "Emotion2Vec_Plus_Base", "iic/emotion2vec_plus_base"):
        with pytest.raises(ModelError, match=wanted):
            load_model(name)
    for name in ("hf:emotion2vec_plus_base", "hf:iic/emotion2vec_plus_base", "hf:emotion2vec/emotion2vec_plus_bse"):
        with pytest.raises(ModelError, match=wanted):
            find(name, CLASSIFIER)
    with pytest.raises(ModelError, match=r"did you mean hf:FunAudioLLM/SenseVoiceSmall\?"):
        load_model("sensevoice")
    with pytest.raises(ModelError, match="neither built in nor a file; did you mean 'compact'"):
        load_model("compcat")


def test_what_is_not_all_here_is_fetched_and_its_files_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for known in KNOWN:
        folder = tmp_path / f"models--{known.repository.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("c" * 40)
        files = ", ".join(next(iter(group)) for group in known.required_files)
        size = rf"{known.repository} \([\d.,]+ [MG]B\) is not on this machine"
        title = known.repository.rpartition("/")[2]
        sentence = rf"{size} .*bring that folder here \({re.escape(files)} of it\) and give --model {title}$"
        for _ in write_files(folder / "snapshots" / ("c" * 40), known):
            with pytest.raises(ModelError, match=sentence):
                find(f"hf:{known.repository}", CLASSIFIER)
        assert find(f"hf:{known.repository}", CLASSIFIER) == folder / "snapshots" / ("c" * 40)
    with pytest.raises(ModelError, match=r"bring that folder here \(all of it\) and give --model name"):
        find("hf:org/name", CLASSIFIER)
