"""Files of others: found where they lie, and one sentence where they do not."""

import doctest
import json

import pytest

from intonate.errors import ModelError
from intonate.published import files as published

COMMIT = "c" * 40
NEEDED = (["config.json"], ["model.safetensors", "model.safetensors.index.json"])


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A cache of the hub's own client, in which `main` of org/name leads to a commit; the folder of its files."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--org--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    folder = repository / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    return folder


def find(**more):
    return published.hub_folder("org/name", NEEDED, lambda files: ["*"], "give --model FOLDER", **more)


def test_the_sentence():
    assert doctest.testmod(published).failed == 0
    assert "x (1.3 GB) is not" in str(published.not_here("x", "get x", "use it", size_mb=1260))


def test_what_the_client_has_is_used_as_it_is(cache):
    for name in ("config.json", "model.safetensors"):
        with pytest.raises(ModelError, match=r"org/name \(380 MB\) is not on this machine and cannot be fetched now"):
            find(size_mb=380)
        (cache / name).write_text("{}")
    assert find() == cache
    with pytest.raises(
        ModelError, match=r"hf download org/name --revision v2 --local-dir name`, and bring that folder"
    ):
        find(revision="v2")


@pytest.mark.parametrize("name", ["ü/ö", "a/b--c"])
def test_what_can_be_no_name_is_told_so(name, cache):
    with pytest.raises(ModelError, match=f"'{name}' is no name of the hub; write ORG/NAME"):
        published.hub_folder(name, NEEDED, lambda files: ["*"], "give --model FOLDER")


def test_weights_in_parts_are_there_when_all_parts_are(cache):
    (cache / "config.json").write_text("{}")
    parts = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    (cache / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict(zip("ab", parts, strict=True))}))
    for part in parts:
        with pytest.raises(ModelError, match="is not on this machine"):
            find()
        (cache / part).write_text("")
    assert find() == cache


def test_what_was_fetched_is_found_again(cache, monkeypatch):
    """By the client's own bookkeeping: it notes where a branch led, and only for a fetch that names no commit."""
    from types import SimpleNamespace

    asked = []

    def fetch(repository, revision, allow_patterns, local_files_only=False):
        asked.append((revision, allow_patterns, local_files_only))
        return str(cache)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    told = SimpleNamespace(sha=COMMIT, siblings=[SimpleNamespace(rfilename="config.json")])
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: told)
    with pytest.raises(ModelError, match=r"org/name on the hub has not all of config.json, model.safetensors"):
        find()
    assert asked == [(None, ["config.json"], True), (None, ["*"], False)]
