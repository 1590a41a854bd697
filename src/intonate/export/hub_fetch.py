"""The files of a checkpoint on the Hugging Face hub: from this machine where they are here, else fetched once.

Without a network it says so at once, in one sentence: the hub's own client would try again for minutes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from intonate.errors import ModelError, require
from intonate.recognizer.checkpoint import HUB

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
# What is fetched, and nothing else of what lies beside it.
WANTED = ("config.json", "preprocessor_config.json", "processor_config.json", "README.md", INDEX, "model*.safetensors")
# One attempt to reach the hub, s.
TIMEOUT_S = 5.0
_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


def fetch(model: str) -> Path:
    """The folder of `hf:ORG/NAME` or `hf:ORG/NAME@REVISION`.

    Raises:
        ModelError: there is no such checkpoint, it has no safetensors, or it is not here and the hub is out of reach.
        MissingExtraError: transformers is not installed.
    """
    hub = require("huggingface_hub", "train")
    match = _NAME.fullmatch(model.removeprefix(HUB))
    if match is None:
        raise ModelError(f"{model!r} is no name of a checkpoint; write hf:ORG/NAME, or hf:ORG/NAME@REVISION")
    repository, revision = match["repository"], match["revision"]
    asked: dict[str, Any] = {"repo_id": repository, "allow_patterns": list(WANTED)}
    try:
        folder = Path(hub.snapshot_download(**asked, revision=revision, local_files_only=True))
        if (folder / "config.json").is_file() and {WEIGHTS, INDEX} & set(os.listdir(folder)):
            return folder
    except hub.errors.LocalEntryNotFoundError:
        pass
    if hub.constants.HF_HUB_OFFLINE:
        raise _out_of_reach(repository, revision, "HF_HUB_OFFLINE is set")
    try:
        told = hub.HfApi().model_info(repository, revision=revision, timeout=TIMEOUT_S)
    except hub.errors.HfHubHTTPError as error:
        raise ModelError(
            f"the hub does not give out {repository}{f' at {revision}' if revision else ''} "
            f"({type(error).__name__}); check the name at https://huggingface.co/{repository}, and if it is private or "
            "its terms have to be accepted, do that there and log in with: hf auth login"
        ) from error
    except Exception as error:  # what its HTTP library raises without a network has no common base but Exception
        raise _out_of_reach(repository, revision, type(error).__name__) from error
    weights_among({entry.rfilename for entry in told.siblings or ()}, model)
    try:
        return Path(hub.snapshot_download(**asked, revision=told.sha))
    except Exception as error:  # as above, halfway
        raise _out_of_reach(repository, revision, f"{type(error).__name__} on the way") from error


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


def _out_of_reach(repository: str, revision: str | None, why: str) -> ModelError:
    at = f" --revision {revision}" if revision else ""
    folder = repository.rpartition("/")[2]
    return ModelError(
        f"{repository} is not on this machine and the hub cannot be reached ({why}); where there is a network, fetch "
        f"it with `hf download {repository}{at} --local-dir {folder}`, bring that folder here (of it config.json, "
        f"preprocessor_config.json and {WEIGHTS} are needed) and give --model {folder}"
    )
