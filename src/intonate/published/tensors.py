"""The tensors of a file of weights that others publish, and nothing else of it: no code in it is ever run."""

from __future__ import annotations

import json
import pickletools
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intonate.audio import kinds
from intonate.errors import ModelError, require
from intonate.published.checkpoints import IDLE, first_names
from intonate.published.files import incomplete

if TYPE_CHECKING:
    from torch import Tensor

# Under what name trainers put the weights among their other things, outermost first.
INSIDE = ("state_dict", "model_state_dict", "model")
SAFETENSORS, INDEX, PICKLE = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"


def file_in(folder: Path, name: str) -> Path:
    """Where the weights of a checkpoint of transformers are: safetensors if there are any.

    Raises:
        ModelError: there are none, or git-lfs has not fetched them.
    """
    for file in (SAFETENSORS, INDEX, PICKLE, f"{PICKLE}.index.json"):
        if (folder / file).is_file():
            kinds.check_fetched(folder / file, ModelError)
            return folder / file
    raise incomplete(name, SAFETENSORS)


def names(path: Path) -> frozenset[str]:
    """The names of the tensors that `read` gives, without torch; for a pickle they are among every text in it.

    Raises:
        ModelError: the file is damaged.
    """
    try:
        if path.name.endswith(".index.json"):
            return frozenset(_bare_names(json.loads(path.read_text(encoding="utf-8")).get("weight_map", {})).values())
        if path.suffix == ".safetensors":
            with path.open("rb") as file:
                header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            return frozenset(_bare_names(name for name in header if name != "__metadata__").values())
        with zipfile.ZipFile(path) as archive:
            inside = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            # The instructions of the pickle are listed, and none is carried out.
            steps = pickletools.genops(archive.read(inside))
            texts = [value for _, value, _ in steps if isinstance(value, str)]
            # Which of them are names is not known, so each is taken for itself.
            return frozenset(texts).union(*(_bare_names([text]).values() for text in texts))
    except (ValueError, OSError, OverflowError, MemoryError, StopIteration, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} cannot be read as weights ({type(error).__name__}); fetch it again") from error


def read(path: Path) -> dict[str, Tensor]:
    """{name: tensor} of a .safetensors, of the index of several, or of a pickle.

    Of a pickle, torch's own reader of tensors is used, which imports and calls nothing else. The names are those of the
    network, also where it was saved with what was wrapped around it.

    Raises:
        ModelError: the file is missing or damaged, holds code, or no tensors.
    """
    tensors = _read_as_saved(path)
    return {name: tensors[saved_name] for saved_name, name in _bare_names(tensors).items()}


def _bare_names(names: Iterable[str]) -> dict[str, str]:
    """{name as saved: name in the network}: without what torch.compile and training on several devices put before it.

    And without the attribute of a trainer (`model.`) that holds the network, if all of them are in there.
    """
    bare = {name: name.replace("_orig_mod.", "").removeprefix("module.") for name in names}
    while bare and all(name.startswith("model.") for name in bare.values()):
        bare = {saved_name: name.removeprefix("model.") for saved_name, name in bare.items()}
    return bare


def _read_as_saved(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ModelError(f"{path} is missing; fetch the whole checkpoint again")
    kinds.check_fetched(path, ModelError)
    if path.name.endswith(".index.json"):
        parts = set(json.loads(path.read_text(encoding="utf-8")).get("weight_map", {}).values())
        return {name: tensor for part in sorted(parts) for name, tensor in _read_as_saved(path.with_name(part)).items()}
    if path.suffix == ".safetensors":
        try:
            return dict(require("safetensors.torch", "train").load_file(path))
        except Exception as error:  # safetensors has an error of its own, in a module of its own
            raise ModelError(f"{path} cannot be read as safetensors ({error}); fetch it again") from error
    return _read_pickle(path)


def _read_pickle(path: Path) -> dict[str, Tensor]:
    torch = require("torch", "train")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a file that is none makes torch stumble over
        text = " ".join(str(error).split())
        if match := re.search(r"(?:GLOBAL|global|Global:?) ([\w.]+)", text):
            raise ModelError(
                f"{path} holds {match[1]}, which is code and no tensor, and code of others is never run here; give a "
                "file that holds tensors only"
            ) from error
        raise ModelError(f"{path} cannot be read as weights of torch: {text[:160]}") from error
    for name in INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    tensors = {
        str(name): value
        for name, value in (content.items() if isinstance(content, Mapping) else ())
        if isinstance(value, torch.Tensor)
    }
    if not tensors:
        raise ModelError(f"{path} holds no tensors by name; give the file of weights that belongs to the checkpoint")
    return tensors


def fill(parts: Mapping[str, Any], tensors: Mapping[str, Tensor], location: str) -> None:
    """Give every weight of a network its tensor, as float32, and every tensor its place.

    Args:
        parts: {how the names of its tensors begin: part of the network}; one part, "", for the whole network.
        tensors: {name: tensor}, without what a checkpoint holds for other uses (the decoder of a pre-training).
        location: where they are from, for the sentences.

    Raises:
        ModelError: a tensor is missing, left over, or has another shape.
    """
    state = {f"{start}{name}": tensor for start, part in parts.items() for name, tensor in part.state_dict().items()}
    if missing_names := first_names(set(state) - set(tensors)):
        raise ModelError(
            f"{location} has no weights for {missing_names}, so its answers would be random; "
            "fetch the whole checkpoint again"
        )
    if unused_names := first_names(name for name in set(tensors) - set(state) if not name.endswith(IDLE)):
        raise ModelError(
            f"{location} holds weights that the network as it is configured has no place for ({unused_names}), so its "
            "answers would be those of another network; give one whose configuration belongs to its weights"
        )
    for name, tensor in state.items():
        if tensors[name].shape != tensor.shape:
            raise ModelError(
                f"{location}: {name} has the shape {tuple(tensors[name].shape)}, and its configuration says "
                f"{tuple(tensor.shape)}; the files do not belong together"
            )
    for start, part in parts.items():
        part.load_state_dict({name: tensors[f"{start}{name}"].float() for name in part.state_dict()})
