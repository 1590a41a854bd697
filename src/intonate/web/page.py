"""The service's page, changed where it speaks of a service: everything else of it is used as it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from intonate.errors import PageError

STATIC = Path(__file__).parent / "static"
SERVICE_STATIC = Path(__file__).parents[1] / "service" / "static"

# A static page has no headers to say what it may do: it says so itself. 'wasm-unsafe-eval' lets WebAssembly run.
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'"
)
# What stands in index.html -> what takes its place.
CHANGES = {
    '<meta charset="utf-8">\n': (
        f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    ),
    "<title>intonate</title>\n": (
        "<title>intonate</title>\n"
        '<link rel="manifest" href="manifest.webmanifest">\n'
        '<meta name="theme-color" content="#f3f5f8" media="(prefers-color-scheme: light)">\n'
        '<meta name="theme-color" content="#0e1217" media="(prefers-color-scheme: dark)">\n'
        '<link rel="apple-touch-icon" href="icon-192.png">\n'
    ),
    '<span id="connection-text">connecting</span>': '<span id="connection-text">loading</span>',
    # Neither plain pieces nor the denoiser are in the tab.
    '<label><input type="checkbox" id="plain">': '<label hidden><input type="checkbox" id="plain">',
    "<fieldset>\n        <legend>For files</legend>": "<fieldset hidden>\n        <legend>For files</legend>",
    # Nor is there anybody to ask why.
    "<b>Why?</b> asks what moves the answer to the place where you are: the service turns parts of that sound down, "
    "changes its pitch, tempo and level, and answers again. ": "",
    "    <dt><kbd>W</kbd></dt><dd>why this answer</dd>\n": "",
    "The sound goes to the service behind this page and nowhere else, and is not kept there. It stays in this tab "
    'until you close it. <a href="docs">Interface for programs</a>': (
        "The sound never leaves this tab: the model runs in it, and once loaded the page works without a network. "
        "{models} Where somebody speaks is told by the sound’s level alone: music and a dog’s bark may be taken for "
        'speech. <a href="licences.txt">Licences</a>'
    ),
}


def html(models: Iterable[str]) -> str:
    """The page; `models` are sentences about the models, for its foot.

    Raises:
        PageError: the service's page no longer has what is changed here.
    """
    text = (SERVICE_STATIC / "index.html").read_text(encoding="utf-8")
    for old, new in CHANGES.items():
        if text.count(old) != 1:
            raise PageError(f"the page of the service has no {old!r} that could be changed; install intonate again")
        text = text.replace(old, new)
    return text.replace("{models}", " ".join(models)).replace('"static/', '"')


def scripts() -> dict[str, Path]:
    """{name: file} of the service's modules, styles and icon; those of the same name here take their place."""
    files = {path.name: path for path in SERVICE_STATIC.iterdir() if path.is_file() and path.name != "index.html"}
    return files | {path.name: path for path in STATIC.iterdir() if path.is_file() and path.name != "sw.js"}


def service_worker(folder: Path) -> str:
    """The service worker of a folder that is otherwise complete: which files it keeps, and a name for this state."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(
                path.relative_to(folder).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest()
            )
    pages = ["./", *sorted(path.name for path in folder.iterdir() if path.is_file())]
    rest = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*"))
    text = (STATIC / "sw.js").read_text(encoding="utf-8")
    for placeholder, paths in (('["PAGE"]', pages), ('["REST"]', rest)):
        text = text.replace(placeholder, json.dumps(paths))
    return text.replace("VERSION", digest.hexdigest()[:12])
