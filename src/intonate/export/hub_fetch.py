"""The files of a checkpoint on the Hugging Face hub, and what its weights have to be."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from intonate.errors import ModelError
from intonate.published import SAFETENSORS, hub_folder, refuse_without_safetensors
from intonate.recognizer.checkpoint import HUB

CONFIG, EXTRACTOR, PROCESSOR = "config.json", "preprocessor_config.json", "processor_config.json"
# What is fetched, and nothing else of what lies beside it.
WANTED = (CONFIG, EXTRACTOR, PROCESSOR, "README.md", *SAFETENSORS, "model-*.safetensors")
_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


def fetch(model: str) -> Path:
    """The folder of `hf:ORG/NAME` or `hf:ORG/NAME@REVISION`.

    Raises:
        ModelError: there is no such checkpoint, it has no safetensors, or it is not here and the hub is out of reach.
        MissingExtraError: transformers is not installed.
    """
    match = _NAME.fullmatch(model.removeprefix(HUB))
    if match is None:
        raise ModelError(f"{model!r} is no name of a checkpoint; write hf:ORG/NAME, or hf:ORG/NAME@REVISION")

    def wanted(files: Collection[str]) -> tuple[str, ...]:
        weights_among(files, model)
        return WANTED

    needed = ([CONFIG], [EXTRACTOR, PROCESSOR], SAFETENSORS)
    return hub_folder(match["repository"], needed, wanted, "give --model FOLDER", revision=match["revision"])


def weights_among(files: Collection[str], name: str) -> None:
    """As in `intonate.published.refuse_without_safetensors`, for a checkpoint that classifies recordings."""
    then = "put its preprocessor_config.json into FOLDER as well, and give FOLDER"
    refuse_without_safetensors(files, name.removeprefix(HUB), "AutoModelForAudioClassification", then)
