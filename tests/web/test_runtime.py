"""ONNX Runtime Web is fetched, found or missed with a sentence."""

import pytest
from typer.testing import CliRunner

from intonate.cli import app
from intonate.errors import PageError
from intonate.web import runtime as fetching
from intonate.web.runtime import FILES, copy_runtime


def test_a_folder_that_holds_it(runtime, tmp_path):
    copy_runtime(tmp_path / "page", runtime)
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == sorted(name for name, _ in FILES.values())
    # As npm lays it out.
    dist = tmp_path / "node_modules/onnxruntime-web/dist"
    dist.parent.mkdir(parents=True)
    dist.symlink_to(runtime)
    copy_runtime(tmp_path / "again", tmp_path)


def test_a_folder_that_does_not_hold_it(tmp_path):
    with pytest.raises(PageError, match=r"does not hold ONNX Runtime Web .*onnxruntime-web@1\.30\.0"):
        copy_runtime(tmp_path / "page", tmp_path)


def test_another_version(tmp_path):
    for name in FILES:
        (tmp_path / name).write_text("of another year")
    with pytest.raises(PageError, match=r"ort\.wasm\.min\.mjs is not that of onnxruntime-web@1\.30\.0"):
        copy_runtime(tmp_path / "page", tmp_path)


def test_without_npm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(app, ["web", str(tmp_path / "site")])
    assert done.exit_code == 1
    assert "npm is needed to fetch onnxruntime-web@1.30.0 and is not installed" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", ["echo 'npm error network down' >&2; exit 1", "sleep 5"])
def test_without_a_network(script, tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)
    monkeypatch.setattr(fetching.shutil, "which", lambda _: str(npm))
    monkeypatch.setattr(fetching, "PATIENCE_S", 0.5)
    with pytest.raises(PageError, match=r"npm could not fetch .*(network down|timed out).*--runtime DIR"):
        copy_runtime(tmp_path / "page")
