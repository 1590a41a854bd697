"""The documentation site: the Markdown of the repository as it is, and a reference from the docstrings.

    python -m sphinx -W --keep-going -c docs . site        # then open site/index.html

The source folder is the root of the repository, so that every link between documents, and to files beside them, is the
same on the site as it is where the code is kept.
"""

from __future__ import annotations

import re
import shutil
import sys
from importlib import import_module
from inspect import getdoc, isclass, isfunction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

import intonate  # noqa: E402

project = "intonate"
author = "the authors of intonate"
version = release = intonate.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "README"
include_patterns = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md"),
    *("examples/README.md", "benchmarks/README.md", "benchmarks/RESULTS.md", "findings/README.md"),
    "benchmarks/results/*-card.md",
]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
# In Markdown a prompt or a line of bash is not told from what it answers.
suppress_warnings = ["misc.highlighting_failure"]
highlight_language = "text"
# Docstrings are plain text with `code` in it.
default_role = "code"
napoleon_custom_sections = []
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
html_theme = "furo"
html_title = "intonate"
html_static_path = ["site"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"font-stack": "system-ui, sans-serif", "color-brand-primary": "#1b6b5f"},
    "dark_css_variables": {"color-brand-primary": "#6cc5b4"},
}
# The order of the sidebar. Whatever is not in it is an error: Sphinx warns of a document that nothing leads to.
CONTENTS = {
    "Use it": (
        *("examples/README", "docs/recordings", "docs/text", "docs/transcripts", "docs/models", "docs/pretrained"),
        *("docs/explain", "docs/scale", "docs/responsible-use"),
    ),
    "Serve it": ("docs/serving", "docs/voice-agents", "docs/web"),
    "Train it": (
        *(
            "docs/finetune",
            "docs/the-evaluation-protocol",
            "docs/compare",
            "docs/doctor",
            "docs/add-a-corpus",
            "docs/add-a-model",
            "docs/dimensions",
            "docs/several-labels",
            "docs/augmentation",
        ),
        *("docs/cleaning", "docs/speech-encoders", "docs/imagenet", "benchmarks/README", "benchmarks/RESULTS"),
        *("benchmarks/results/standard-card", "benchmarks/results/compact-card"),
    ),
    "Reference": ("docs/reference", "docs/catalogues", "CONTRIBUTING", "CHANGELOG", "findings/README"),
}


def contents() -> str:
    """The tables of contents, for the end of the front page: there they would only be noise where the code is kept."""
    trees = (
        f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(f"/{name}" for name in names) + "\n```"
        for caption, names in CONTENTS.items()
    )
    return "\n\n" + "\n\n".join(trees) + "\n"


def catalogue(room: str) -> str:
    """A table of what can be named in a recipe, of `features.text` too: the name, and what it is."""
    lines = ["| name | what it is |", "| --- | --- |"]
    for name, where in sorted(import_module(f"intonate.{room}").CATALOGUE.items()):
        module_name, attribute = where.split(":")
        module = import_module(module_name)
        thing = getattr(module, attribute)
        documented = thing if isclass(thing) or isfunction(thing) else module
        first = (getdoc(documented) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        lines.append(f"| `{name}` | {first} |")
    return "\n".join(lines)


def read_source(app: Any, name: str, source: list[str]) -> None:
    if name == root_doc:
        source[0] += contents()
    source[0] = re.sub(r"<!-- catalogue of ([\w.]+) -->", lambda match: catalogue(match[1]), source[0])


def finish(app: Any, error: Exception | None) -> None:
    """What Sphinx does not copy: pictures that are chosen by the reader's colours, and the door."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    shutil.copytree(ROOT / "docs/pictures", out / "docs/pictures", dirs_exist_ok=True)
    (out / "index.html").write_text('<meta http-equiv="refresh" content="0; url=README.html">\n', encoding="utf-8")


def setup(app: Any) -> None:
    app.connect("source-read", read_source)
    app.connect("build-finished", finish)
