"""The models that come with the package: `assets/NAME.onnx`, each with its card `assets/NAME.md`."""

from __future__ import annotations

import os
import re
from pathlib import Path

from intonate.errors import ModelError, did_you_mean
from intonate.published import known
from intonate.published.checkpoints import CONFIGURATION, HUB
from intonate.recognizer import conversions
from intonate.recognizer.model_file import FOREIGN

ASSETS = Path(__file__).parent / "assets"
DEFAULT = "standard"


def names() -> list[str]:
    """The names of the built-in models, the default first."""
    return sorted((path.stem for path in ASSETS.glob("*.onnx")), key=lambda name: (name != DEFAULT, name))


def path_of(model: str | os.PathLike[str] | None = None) -> Path:
    """The file of a built-in name, of a path, of a run folder that holds `model.onnx`, or of a converted checkpoint.

    Args:
        model: None for the default built-in model.

    Raises:
        ModelError: there is no such name and no such file.
    """
    name = DEFAULT if model is None else os.fspath(model)
    if not name:
        raise ModelError(f"the name of the model is empty; give a model file, or one of: {', '.join(names())}")
    built_in = ASSETS / f"{name}.onnx"
    if Path(name).name == name and built_in.is_file():
        return built_in
    if conversions.is_checkpoint(name):
        return conversions.converted_file(name)
    path = Path(name)
    if path.is_dir():
        # Of a run its first fit, as `intonate export` gives away.
        for candidate in (
            path / "model.onnx",
            path / "fold1-seed0" / "model.onnx",
            *sorted(path.glob("fold*/model.onnx")),
        ):
            if candidate.is_file():
                return candidate
        inside = ", ".join(map(str, conversions.checkpoints_in(path)))
        weights = sorted(file.name for file in path.iterdir() if file.suffix.lower() in FOREIGN)
        if weights and not inside:
            raise ModelError(
                f"{name} holds {weights[0]} and no configuration of it ({', '.join(CONFIGURATION[:-1])}); fetch all "
                "of the checkpoint as its authors publish it (`intonate models` lists known ones)"
            )
        remedy = f"one of the checkpoints in it: {inside}" if inside else "a model file, or the folder of a run"
        raise ModelError(f"{name} is a folder without a model.onnx; give {remedy}")
    if path.is_file():
        if any(map(path.match, conversions.READ)) and conversions.is_checkpoint(path.parent):
            raise ModelError(f"{name} is a file of a checkpoint; give its folder: {path.parent}")
        return path
    if not names():
        raise ModelError(
            f"model {name!r} is no file, and intonate is installed without its own models: expected them in {ASSETS}; "
            "install it as a folder, with all of its files"
        )
    if path.suffix or path.name != name:
        # ORG/NAME, where a dot can only be that of a version.
        hub_name = re.fullmatch(r"(https://huggingface\.co/|hf:)?([\w-]+/[\w-]+(\.\d[\w-]*)*)/?", name, re.IGNORECASE)
        hub_hint = f", {HUB}{hub_name[2]} for that of the hub" if hub_name else ""
        hint = known.hint(hub_name[2]) if hub_name else ""
        raise ModelError(
            f"model file {name} does not exist; {hint}give a file{hub_hint}, or one of: {', '.join(names())}"
        )
    raise ModelError(f"model {name!r} is neither built in nor a file; {known.hint(name)}{did_you_mean(name, names())}")


def card_of(name: str) -> Path:
    """Where the card of a built-in model is: what it was trained on, how well it does, what it must not be used for."""
    return ASSETS / f"{name}.md"
