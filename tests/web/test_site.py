"""The folder that `intonate web` writes."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from intonate.cli import app
from intonate.errors import ModelError, PageError
from intonate.web import page
from intonate.web.site import write_site

sys.path.insert(0, str(Path(__file__).parents[1] / "recognizer"))
import tiny

LARGEST = 20_000_000


def test_the_first_visit_is_small(site):
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) <= LARGEST


def test_nothing_comes_from_elsewhere(site):
    """Neither the page nor a module of it names another address, and the page brings its policy."""
    for path in [*site.glob("*.js"), *site.glob("*.css"), site / "index.html", site / "manifest.webmanifest"]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "").replace("http://localhost", "")
        assert "http://" not in text, path
        assert "https://" not in text, path
    html = (site / "index.html").read_text(encoding="utf-8")
    assert '"static/' not in html
    assert "Content-Security-Policy" in html
    assert "service behind this page" not in html
    assert "CC-BY-NC-SA-4.0" in html
    assert "VERSION" not in (site / "sw.js").read_text()


def test_models_json(site):
    listing = json.loads((site / "models.json").read_text())
    (model,) = listing["models"]
    assert (model["name"], model["moments"]) == ("compact", {"mel_moments": 80, "voice_moments": 208})
    assert (site / model["file"]).is_file()
    assert listing["bytes"] == sum(
        path.stat().st_size for path in [*site.glob("models/*"), *site.glob("runtime/*.wasm")]
    )


def test_command_writes_again_and_leaves_other_folders_alone(runtime, tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec())
    command = ["web", str(tmp_path / "site"), "--runtime", str(runtime), "--model", str(tmp_path / "tiny.onnx")]
    for _ in range(2):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        assert done.output.splitlines()[-1] == str(tmp_path / "site")
    first = (tmp_path / "site/sw.js").read_text()
    write_site(tmp_path / "site", ["compact-open", str(tmp_path / "tiny.onnx")], runtime)
    # Another state has another store; two models stand side by side.
    assert (tmp_path / "site/sw.js").read_text() != first
    assert [model["name"] for model in json.loads((tmp_path / "site/models.json").read_text())["models"]] == [
        "compact-open",
        "tiny",
    ]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    for other in ("mine", "tiny.onnx"):
        done = CliRunner().invoke(app, ["web", str(tmp_path / other), *command[2:]])
        assert done.exit_code == 1
        assert "give a new folder" in done.stderr or "is a file" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "site", "tiny.onnx"]


def test_models_that_a_page_cannot_hear_with(runtime, tmp_path):
    tiny.write(tmp_path / "noisy.onnx", tiny.spec(clean=({"step": "denoise"},)))
    with pytest.raises(ModelError, match=r"cleans its sound by 'denoise', which the page cannot; it can dc, high_pass"):
        write_site(tmp_path / "site", [str(tmp_path / "noisy.onnx")], runtime)
    with pytest.raises(ModelError, match="reads words"):
        write_site(tmp_path / "site", ["text"], runtime)
    with pytest.raises(ModelError, match="give each one once"):
        write_site(tmp_path / "site", ["compact", "compact"], runtime)
    assert not (tmp_path / "site").exists()


def test_a_page_that_is_not_the_services(tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("<html></html>")
    monkeypatch.setattr(page, "SERVICE_STATIC", tmp_path)
    with pytest.raises(PageError, match="has no '<meta charset"):
        page.html([])


def test_no_module_of_the_page_is_long():
    for path in page.STATIC.glob("*.js"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
