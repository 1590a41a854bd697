"""ONNX Runtime Web, from npm: one pinned version, held to its digests, and never part of this package."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from intonate.errors import PageError, first_line

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
# File of the package -> its name in the page's folder (some servers do not know .mjs), and its SHA-256.
FILES = {
    "ort.wasm.min.mjs": ("ort.js", "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b"),
    "ort-wasm-simd-threaded.mjs": ("ort-wasm.js", "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b"),
    "ort-wasm-simd-threaded.wasm": (
        "ort-wasm.wasm",
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    ),
}
# Where these lie in a folder that somebody names: beside each other, in the package, or in what npm installed.
PLACES = ("", "dist", "package/dist", f"{PACKAGE}/dist", f"node_modules/{PACKAGE}/dist")
# npm is given up after this, seconds: 30 MB over a slow line.
PATIENCE_S = 600


def copy_runtime(target: Path, source: Path | None = None) -> None:
    """Put the runtime's files into a folder.

    Args:
        target: the folder; it is made.
        source: a folder that holds them already; None to let npm fetch them.

    Raises:
        PageError: they are not there, are of another version, or npm is missing or fails.
    """
    if source is not None:
        _copy(source, target)
        return
    with tempfile.TemporaryDirectory() as folder:
        _copy(_fetched(Path(folder)), target)


def _copy(source: Path, target: Path) -> None:
    dist = next((source / place for place in PLACES if all((source / place / name).is_file() for name in FILES)), None)
    if dist is None:
        raise PageError(
            f"{source} does not hold ONNX Runtime Web ({', '.join(FILES)}); give the folder of the npm package "
            f"{PACKAGE}@{VERSION}, or leave out --runtime and let npm fetch it"
        )
    target.mkdir(parents=True, exist_ok=True)
    for name, (new_name, digest) in FILES.items():
        if hashlib.sha256((dist / name).read_bytes()).hexdigest() != digest:
            raise PageError(
                f"{dist / name} is not that of {PACKAGE}@{VERSION}, which this page was tested with; give that"
            )
        shutil.copyfile(dist / name, target / new_name)


def _fetched(folder: Path) -> Path:
    """The package, unpacked; npm keeps a copy of its own, so that the next time needs no network."""
    npm = shutil.which("npm")
    if npm is None:
        raise PageError(
            f"npm is needed to fetch {PACKAGE}@{VERSION} and is not installed; install Node.js, or give a folder that "
            "holds the package with --runtime DIR"
        )
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--prefer-offline", "--ignore-scripts", "--loglevel=error"]
    try:
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        reason = first_line(RuntimeError(run.stderr.replace("npm error", "").strip() or "no reason given"))
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = first_line(error)
    archives = list(folder.glob("*.tgz"))
    if not archives:
        raise PageError(
            f"npm could not fetch {PACKAGE}@{VERSION} ({reason}); connect this machine, or give a folder that holds "
            "the package with --runtime DIR"
        )
    with tarfile.open(archives[0]) as archive:
        archive.extractall(folder, filter="data")
    return folder
