"""The page's pure modules, run in node; and what they share with the Python side."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from intonate.emotions import MERGES
from intonate.evaluation.palette import COLOURS, colour

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "src" / "intonate" / "service" / "static"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="needs node")


def in_node(code):
    done = subprocess.run(
        [NODE, "--input-type=module", "--eval", code], cwd=STATIC, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_node
def test_logic():
    done = subprocess.run([NODE, "--test", "logic.test.mjs"], cwd=HERE, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_node
def test_colours_are_those_of_the_reports():
    names = [*COLOURS, "longing", "pride"]
    code = f"import {{ colour }} from './palette.js'; console.log(JSON.stringify({names}.map(colour)))"
    assert in_node(code) == [colour(name) for name in names]


@needs_node
@pytest.mark.parametrize("name", ["p4-4", "valence"])
def test_merges_are_those_of_the_emotions(name):
    table = in_node(f"import {{ MERGES }} from './metrics.js'; console.log(JSON.stringify(MERGES['{name}']))")
    assert table.items() >= MERGES[name].items()
    # What is more is what a stream with merged classes answers.
    assert set(table) - set(MERGES[name]) <= set(MERGES["p4-4"].values())


def test_the_page_brings_everything_along():
    """No address elsewhere, no inline script or style: the security policy would refuse them anyway."""
    for path in (path for path in STATIC.iterdir() if path.suffix != ".mp3"):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "").replace("http://localhost", "")
        assert "http://" not in text, path
        assert "https://" not in text, path
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert "style=" not in page
    assert "onclick" not in page
    assert "<script>" not in page


def test_no_module_of_the_page_is_long():
    for path in STATIC.glob("*.js"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
