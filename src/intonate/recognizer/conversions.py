"""Checkpoints of others, by name (`hf:ORG/NAME`) or as a folder with their configuration (`CONFIGURATION`).

The product reads model files only. A checkpoint is converted into one once, by the workshop (`converters/`), and
from then on it is found here by the checkpoint's name: neither torch nor a network is needed again.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from intonate.cache_folder import cache_folder
from intonate.errors import ModelError
from intonate.published.checkpoints import CONFIGURATION, HUB
from intonate.published.files import is_complete
from intonate.published.known import BY_REPOSITORY
from intonate.recognizer.model_file import read_spec

# What of it leads to another conversion where it changes.
READ = ("*.json", "*.yaml", "*.txt", "*.mvn", "*bpe.model", "*.safetensors", "*.pt", "*.bin", "*.ckpt")
# Raise it where a conversion comes out differently: what older versions converted is then converted anew.
CONVERSION_VERSION = 3


def is_checkpoint(model: str | os.PathLike[str]) -> bool:
    """Whether a model's name is that of a checkpoint, and not of a model file or a run."""
    name = os.fspath(model)
    folder = Path(name).expanduser()
    has_configuration = any((folder / file).is_file() for file in CONFIGURATION)
    return name.startswith(HUB) or (has_configuration and not _is_ours(folder / "model.onnx"))


def _is_ours(file: Path) -> bool:
    """Whether it is a model file, and not the ONNX graph that others put beside their weights (optimum)."""
    try:
        return file.is_file() and bool(read_spec(file))
    except ModelError:
        return False


def checkpoints_in(folder: Path) -> list[Path]:
    """Those inside a folder: of a training, the newest first, or the revisions of a repository in the hub's cache."""
    inside = [path.parent for file in CONFIGURATION for path in folder.glob(f"*/{file}")]
    inside += [path.parent for file in CONFIGURATION for path in folder.glob(f"snapshots/*/{file}")]
    return sorted(filter(is_checkpoint, set(inside)), key=lambda path: path.stat().st_mtime, reverse=True)


def file_of(model: str | os.PathLike[str]) -> Path:
    """Where the conversion of a checkpoint is kept, whether it is there yet or not.

    `$XDG_CACHE_HOME/intonate/models` (`~/.cache/intonate/models`). A folder whose files have changed leads to another
    file; a hub name always leads to the same one.
    """
    name = os.fspath(model)
    identity = [str(CONVERSION_VERSION), name]
    if not name.startswith(HUB):
        folder = Path(name).expanduser().resolve()
        identity = [str(CONVERSION_VERSION), str(folder)]
        for path in sorted(path for pattern in READ for path in folder.glob(pattern)):
            stat = path.stat()
            identity.append(f"{path.name} {stat.st_size} {stat.st_mtime_ns}")
    return (
        _cache_folder()
        / f"{checkpoint_title(name)}-{hashlib.sha256(chr(10).join(identity).encode()).hexdigest()[:12]}.onnx"
    )


def _cache_folder() -> Path:
    return cache_folder("models")


def model_files() -> list[Path]:
    """The model files of all checkpoints that were converted so far, those of changed folders too."""
    return sorted(_cache_folder().glob("*.onnx"))


def state_of(repository: str) -> str:
    """`converted`, `fetched` (all in the hub's own cache) or `not on this machine`, of one of `published.known`."""
    if file_of(f"{HUB}{repository}").is_file():
        return "converted"
    # As the hub's client settles it (huggingface_hub 1), which takes too long to import for that.
    home = os.environ.get("HF_HOME") or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    cache = Path(os.path.expandvars(named)).expanduser()
    snapshots = (cache / f"models--{repository.replace('/', '--')}" / "snapshots").glob("*")
    required_files = BY_REPOSITORY[repository].required_files
    is_fetched = any(is_complete(snapshot, required_files) for snapshot in snapshots)
    return "fetched" if is_fetched else "not on this machine"


def checkpoint_title(model: str) -> str:
    """A short name of a checkpoint: the last part of its name, without the revision."""
    if model.startswith(HUB):
        return model.removeprefix(HUB).partition("@")[0].rpartition("/")[2]
    return Path(model).expanduser().resolve().name


def converted_file(model: str | os.PathLike[str]) -> Path:
    """The model file that a checkpoint was converted into.

    Raises:
        ModelError: it has not been converted yet.
    """
    file = file_of(model)
    if not file.is_file():
        raise ModelError(
            f"{os.fspath(model)} is a checkpoint of others that has not been converted yet; do it once with "
            f"`intonate export {os.fspath(model)}` (it needs: pip install 'intonate[train]'), and from then on its "
            "name is enough"
        )
    return file


def unconverted_checkpoints(model: str | os.PathLike[str] | None) -> list[str]:
    """The checkpoints in a model's name (`VOICE+TEXT` has two) whose conversion is still to be done."""
    name = "" if model is None else os.fspath(model)
    names = [name] if is_checkpoint(name) else name.rsplit("+", 1)
    return [name for name in names if name and is_checkpoint(name) and not file_of(name).is_file()]
