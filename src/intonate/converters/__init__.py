"""Models of others, one file for each family: a checkpoint as it is published becomes a model file of ours.

    convert("hf:emotion2vec/emotion2vec_plus_base")   # into the user's cache; --model takes the same name from then on
    convert("some/folder", "out")                      # out/folder.onnx and its card, and into the cache as well

A family is a module with three functions (`checkpoint.Family`): `recognises` its layout, `describe` what the model file
will be (before torch is loaded, so that what cannot be used is refused at once), and build the `network`. Of files that
are pickles only tensors are read, and no code that lies beside the weights is run, whatever config.json says.
"""

from __future__ import annotations

import contextlib
import os
from importlib import import_module
from pathlib import Path
from typing import cast

from intonate.converters.card import card
from intonate.converters.checkpoint import Checkpoint, Family
from intonate.converters.foreign import refusal
from intonate.errors import ModelError, require
from intonate.export.onnx import save, write_torch, written_aside
from intonate.export.probes import probes
from intonate.published.checkpoints import ADAPTERS, CLASSIFIER, find
from intonate.recognizer import conversions
from intonate.recognizer.model_file import read_spec
from intonate.schema import ModelSpec

# In this order: the first that recognises a checkpoint takes it.
FAMILIES: dict[str, str] = {
    "emotion2vec": "intonate.converters.emotion2vec",
    "sensevoice": "intonate.converters.sensevoice",
    "speechbrain": "intonate.converters.speechbrain",
    "odyssey": "intonate.converters.odyssey",
    "vox_profile": "intonate.converters.vox_profile",
    "wav2small": "intonate.converters.wav2small",
    "own_head": "intonate.converters.own_head",
    "transformers": "intonate.converters.transformers_classifier",
}


def family_of(checkpoint: Checkpoint) -> str:
    """The name in `FAMILIES` of what a checkpoint is.

    Raises:
        ModelError: of none; the sentence says what it looks like, and which door is the right one.
    """
    if checkpoint.has(ADAPTERS):
        # They change the answers of whatever lies beside them, so that no family may take that alone.
        raise refusal(checkpoint)
    for name, module in FAMILIES.items():
        if cast(Family, import_module(module)).recognises(checkpoint):
            return name
    raise refusal(checkpoint)


def _is_same(file: Path, spec: ModelSpec) -> bool:
    """Whether a model file was made of the same files of others."""
    try:
        return read_spec(file).recipe_hash == spec.recipe_hash
    except ModelError:
        return False


def convert(model: str | os.PathLike[str], output: str | Path | None = None) -> Path:
    """Make a model file of a checkpoint.

    Args:
        model: `hf:ORG/NAME`, `hf:ORG/NAME@REVISION`, or a folder.
        output: the folder for `NAME.onnx` and its card `NAME.md`; None for the user's cache alone. There every command
            then finds it by the checkpoint's own name.

    Returns:
        The model file, checked against the network that it was made from at three lengths.

    Raises:
        ModelError: it is not here and cannot be fetched, or is none that can be used, or another model has its place;
            the sentence says which and why.
        MissingExtraError: torch or transformers is not installed.
    """
    name = os.fspath(model)
    checkpoint = Checkpoint(name, find(name, CLASSIFIER))
    family = cast(Family, import_module(FAMILIES[family_of(checkpoint)]))
    description = family.describe(checkpoint)
    spec = description.spec
    cached = conversions.file_of(name)
    target = cached if output is None else Path(output) / f"{spec.name}.onnx"
    if output is not None and target.exists() and not _is_same(target, spec):
        raise ModelError(
            f"{target} exists already and is another model than {name}; give another folder, or delete it first"
        )
    network = family.network(checkpoint, spec)
    with written_aside(target) as written:
        write_torch(network, spec, probes(spec), written)
    if output is not None:
        target.with_suffix(".md").write_text(card(name, description), encoding="utf-8")
        # Not by copying the file: a large one names the weights beside it. Without room there it still has its place.
        with contextlib.suppress(OSError):
            save(require("onnx", "train").load(str(target)), spec, cached)
    return target
