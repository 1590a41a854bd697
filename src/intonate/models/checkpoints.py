"""Encoders that others trained: checkpoints of Hugging Face transformers, from a folder or by their name on the hub.

Only JSON and safetensors are read: never a pickle, never code that lies beside the weights. Without a network one
sentence says what is missing, how large it is, and where to get and to put it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from intonate.errors import ModelError, require
from intonate.published import SAFETENSORS, hub_folder, refuse_without_safetensors

TOKENIZER = ("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model")
CONFIG = ("config.json", "preprocessor_config.json")
# Weights that many are published without, and that every use learns for itself.
SPARE = ("pooler.", "masked_spec_embed")
# Size of the weights in MB: four bytes for each of the published parameters.
MEGABYTES = {
    "facebook/hubert-base-ls960": 380,
    "facebook/hubert-large-ll60k": 1260,
    "facebook/hubert-xlarge-ll60k": 3850,
    "facebook/wav2vec2-base": 380,
    "microsoft/wavlm-base": 380,
    "microsoft/wavlm-base-plus": 380,
    "microsoft/wavlm-large": 1260,
    "google-bert/bert-base-uncased": 440,
    "FacebookAI/roberta-base": 500,
}
_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def find(name: str, key: str) -> Path:
    """The folder of a checkpoint: the one that is named, or the one that the hub's files are kept in.

    Args:
        name: a folder, or ORG/NAME on the hub, which is fetched once where it is not on this machine.
        key: the parameter of the model that names it, for the sentence: `speech`.

    Raises:
        ModelError: it is not here and cannot be fetched, or is not all there.
    """
    then = f"give --set model.params.{key}=FOLDER"
    folder = Path(name).expanduser()
    if folder.is_dir():
        files = {path.name for path in folder.iterdir()}
        refuse_without_safetensors(files, name, "AutoModel", f"with its tokenizer if it has one, and {then}")
        if "config.json" not in files:
            raise ModelError(f"{name} has no config.json; put the file there, or fetch the whole checkpoint again")
        return folder
    if not _NAME.fullmatch(name):
        raise ModelError(
            f"model.params.{key}: checkpoint {name!r} is neither a folder here nor a name on the hub (ORG/NAME); put "
            f"config.json and {SAFETENSORS[0]} into a folder and give its path"
        )

    def wanted(files: Collection[str]) -> list[str]:
        refuse_without_safetensors(files, name, "AutoModel", f"with its tokenizer if it has one, and {then}")
        return [*CONFIG, *TOKENIZER, *SAFETENSORS, "model-*.safetensors"]

    return hub_folder(name, [("config.json",), SAFETENSORS], wanted, then, size_mb=MEGABYTES.get(name))


def load(name: str, key: str, kind: str = "AutoModel", **settings: Any) -> Any:
    """`transformers.<kind>.from_pretrained` of a checkpoint that `find` finds; the arguments and errors are its own.

    A network comes in full precision, and with the attention that exports with the lengths left open.
    """
    transformers = require("transformers", "train")
    folder = find(name, key)
    network = kind == "AutoModel"
    if network:
        settings |= {"use_safetensors": True, "attn_implementation": "eager", "output_loading_info": True}
    said = transformers.utils.logging
    verbosity = said.get_verbosity()
    said.disable_progress_bar()
    said.set_verbosity_error()
    try:
        found = getattr(transformers, kind).from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True, **settings
        )
    except Exception as error:  # a checkpoint can be wrong in many ways, and each has its own exception
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"model.params.{key}: checkpoint {name!r} cannot be loaded by transformers: {reason}"
        ) from error
    finally:
        said.set_verbosity(verbosity)
    if not network:
        return found
    loaded, told = found
    # What is not in the file is drawn at random, and would go unnoticed.
    drawn = {*told["missing_keys"], *(str(entry[0]) for entry in told["mismatched_keys"])}
    if lacking := sorted(weight for weight in drawn if not weight.startswith(SPARE)):
        raise ModelError(
            f"model.params.{key}: checkpoint {name!r} has no weights for {', '.join(lacking[:3])}"
            f"{' ...' * (len(lacking) > 3)} of its architecture {type(loaded).__name__}; fetch it again"
        )
    return loaded.float()
