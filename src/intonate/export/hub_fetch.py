"""The files of a checkpoint on the Hugging Face hub, and what its weights have to be."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from intonate.errors import ModelError
from intonate.published import hub_folder
from intonate.recognizer.checkpoint import HUB

CONFIG, EXTRACTOR, PROCESSOR = "config.json", "preprocessor_config.json", "processor_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
# What is fetched, and nothing else of what lies beside it.
WANTED = (CONFIG, EXTRACTOR, PROCESSOR, "README.md", WEIGHTS, INDEX, "model-*.safetensors")
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

    needed = ([CONFIG], [EXTRACTOR, PROCESSOR], [WEIGHTS, INDEX])
    return hub_folder(match["repository"], needed, wanted, "give --model FOLDER", revision=match["revision"])


def weights_among(files: Collection[str], name: str) -> None:
    """See that a checkpoint's weights are safetensors.

    Raises:
        ModelError: there are none, or only a pickle.
    """
    if {WEIGHTS, INDEX} & set(files):
        return
    if any(file.startswith("pytorch_model") for file in files):
        source = name.removeprefix(HUB)
        raise ModelError(
            f"the weights of {name} are a pickle (pytorch_model.bin), which could run code and is not read here; if "
            "you trust it, convert it once with: python -c "
            f"\"from transformers import AutoModelForAudioClassification as M; M.from_pretrained('{source}')"
            ".save_pretrained('FOLDER')\", put its preprocessor_config.json into FOLDER as well, and give FOLDER"
        )
    raise ModelError(f"{name} has no {WEIGHTS}; put the file there, or fetch the whole checkpoint again")
