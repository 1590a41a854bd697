"""Where a result comes from: revision, data, packages, hardware. Never environment variables, never absolute paths."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from intonate.features.cache import keys_of
from intonate.features.text import is_text
from intonate.schema import Utterance
from intonate.training.recipe import Recipe

PACKAGES = ("intonate", "numpy", "torch", "lightning", "scikit-learn", "onnxruntime", "soundfile", "soxr")


def record(recipe: Recipe, utterances: Sequence[Utterance]) -> dict[str, Any]:
    """Facts that belong to every run, JSON-able."""
    return {
        "recipe": recipe.name,
        "recipe_hash": recipe.hash(),
        "description": recipe.card.description,
        "manifest_hash": manifest_hash(utterances, recipe),
        "configurations_tried": recipe.card.configurations_tried,
        "clips": len(utterances),
        "revision": revision(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "hardware": _hardware(),
    }


def manifest_hash(utterances: Sequence[Utterance], recipe: Recipe) -> str:
    """SHA-256 over the content of each file, stretch, label and speaker of every row; 12 hex digits.

    Neither where files lie nor what they are called counts; what was said does where the recipe's model reads it. Of
    text without a sound, the name of its line stands for the content.
    """
    has_sound = any(not is_text(item.front_end) for item in recipe.inputs.values())
    return _digest(keys_of(utterances, hashed=True) if has_sound else _names(utterances), utterances, recipe)


def rows_hash(utterances: Sequence[Utterance], recipe: Recipe) -> str:
    """The same with the names of the files for their content: known before anything is listened to."""
    return _digest(_names(utterances), utterances, recipe)


def _names(utterances: Sequence[Utterance]) -> list[str]:
    return [Path(row.path).name for row in utterances]


def _digest(keys: Sequence[str], utterances: Sequence[Utterance], recipe: Recipe) -> str:
    digest = hashlib.sha256()
    for row, key in zip(utterances, keys, strict=True):
        words = f"\t{row.text}" if recipe.reads() else ""
        rated = "".join(f"\t{name} {row.ratings.get(name)}" for name in recipe.data.ratings)
        several = f"\t{row.labels}" if recipe.task == "multi_label" else ""
        facts = f"{key}\t{row.start_s}\t{row.end_s}\t{row.emotion}\t{row.speaker}{words}{rated}{several}\n"
        digest.update(facts.encode())
    return digest.hexdigest()[:12]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def revision() -> str:
    """The git revision when a process first asked, `+` where code is not committed; empty outside a checkout."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--", str(folder)) else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _hardware() -> str:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
