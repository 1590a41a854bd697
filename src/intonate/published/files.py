"""Files that others publish and intonate does not bring along: found on this machine, fetched once, or one sentence.

Whoever needs such a file says the same thing where it is missing: which file, how large, the one command that fetches
it where there is a network, and where to put it. That sentence is made here and nowhere else.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import ModuleType

from intonate.errors import ModelError, require

# Weights that are data and nothing else: in one file, or the list of several.
SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
# One attempt to reach the hub, s: its own client would try again for minutes.
HUB_TIMEOUT_S = 5.0


def not_here(
    name: str, command: str, remedy: str, *, size_mb: float | None = None, reason: str = "", hint: str = ""
) -> ModelError:
    """The error of a published file that is missing, to be raised by whoever wanted it.

    >>> print(not_here("yamnet.h5", "curl -LO https://x.org/yamnet.h5", "put it beside the recipe", size_mb=15))
    yamnet.h5 (15 MB) is not on this machine; where there is a network, fetch it with `curl -LO \
https://x.org/yamnet.h5`, and put it beside the recipe

    Args:
        name: the file, or the checkpoint with all its files.
        command: what fetches it, as it is typed.
        remedy: where to put it or what to give, as an imperative.
        size_mb: of what is fetched, if known.
        reason: it could not be fetched now.
        hint: which other name may be meant, as a question with a space behind it.
    """
    size = "" if size_mb is None else f" ({size_mb:,.0f} MB)" if size_mb < 1000 else f" ({size_mb / 1000:.1f} GB)"
    reason = f" and cannot be fetched now ({reason})" if reason else ""
    return ModelError(
        f"{name}{size} is not on this machine{reason}; {hint}where there is a network, fetch it with `{command}`, "
        f"and {remedy}"
    )


def weights_not_here(name: str, file: Path, url: str, size_mb: float, reason: str = "") -> ModelError:
    """The same for the weights of a network that a recipe names, at `url`, to be put in `file`."""
    return not_here(
        name,
        f"curl -L --create-dirs -o {shlex.quote(str(file))} {url}",
        "bring that file here or give another (--set model.params.weights=PATH), or start at random (--set "
        "model.params.weights=)",
        size_mb=size_mb,
        reason=reason,
    )


def incomplete(name: str, file: str) -> ModelError:
    """The error of a checkpoint that lacks a file, to be raised by whoever wanted it."""
    return ModelError(f"{name} has no {file}; put the file there, or fetch the whole checkpoint again")


def hub_folder(
    repository: str,
    required_files: Sequence[Collection[str]],
    select_patterns: Callable[[Collection[str]], Sequence[str]],
    folder_option: str,
    *,
    revision: str | None = None,
    size_mb: float | None = None,
    hint: str = "",
    extra: str = "train",
) -> Path:
    """The folder with a repository's files of the Hugging Face hub: as they are here, else fetched once.

    Args:
        repository: ORG/NAME.
        required_files: of each of these groups one file (a name or a pattern) at least has to be there; the first is
            that of its configuration.
        select_patterns: of the names of all its files, the patterns of those to fetch; it may refuse them with a
            ModelError.
        folder_option: how to give a folder instead, after "bring FOLDER here and": `give --model FOLDER`, where FOLDER
            stands for the name of the folder.
        revision: a branch, tag or commit; None for the newest.
        size_mb: of what is fetched, if known.
        hint: which other name may be meant, before the remedy of one that is not here.
        extra: the extra of intonate that brings the hub's client.

    Raises:
        ModelError: it is not here and the hub is out of reach, does not give it out, or has not what is needed.
        MissingExtraError: the hub's client is not installed.
    """
    hub, names = require("huggingface_hub", extra), _required_files_text(required_files)
    # Where its configuration may be of several kinds, nobody knows yet which files those are.
    carried = names if len(required_files[0]) == 1 else "all"

    def unreachable(reason: str) -> ModelError:
        revision_option, folder = f" --revision {revision}" if revision else "", repository.rpartition("/")[2]
        return not_here(
            repository,
            f"hf download {repository}{revision_option} --local-dir {folder}",
            f"bring that folder here ({carried} of it) and {folder_option.replace('FOLDER', folder)}",
            size_mb=size_mb,
            reason=reason,
            hint=hint,
        )

    cached = _cached_repository_folder(hub, repository, revision, required_files[0])
    if cached is not None and is_complete(cached, required_files):
        return cached
    if hub.constants.HF_HUB_OFFLINE:
        raise unreachable("HF_HUB_OFFLINE is set")
    try:
        files = _hub_files(hub, repository, revision, hint)
    except ModelError:
        raise
    except Exception as error:  # what its HTTP library raises without a network has no common base but Exception
        raise unreachable(type(error).__name__) from error
    patterns = [*select_patterns(files)]
    try:
        # By its own name, not by the commit just seen: under a commit it would not be found again by the name.
        folder = Path(hub.snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except Exception as error:  # as above, halfway
        raise unreachable(f"{type(error).__name__} on the way") from error
    if not is_complete(folder, required_files):
        raise ModelError(f"{repository} on the hub has not all of {names}; give another checkpoint")
    return folder


def _cached_repository_folder(
    hub: ModuleType, repository: str, revision: str | None, required: Collection[str]
) -> Path | None:
    """The folder of a repository in the cache of the hub's client, complete or not."""
    try:
        # For these files alone: of all that are wanted, the client would miss the least of them.
        return Path(
            hub.snapshot_download(repository, revision=revision, allow_patterns=[*required], local_files_only=True)
        )
    except hub.errors.LocalEntryNotFoundError:
        return None
    except hub.errors.HFValidationError as error:
        raise ModelError(f"{repository!r} is no name of the hub; write ORG/NAME as its page does") from error


def _hub_files(hub: ModuleType, repository: str, revision: str | None, hint: str) -> set[str]:
    """The names of a repository's files on the hub, by one attempt.

    Raises:
        ModelError: the hub does not give it out.
        Exception: the hub is out of reach.
    """
    try:
        info = hub.HfApi().model_info(repository, revision=revision, timeout=HUB_TIMEOUT_S)
    except hub.errors.HfHubHTTPError as error:
        raise ModelError(
            f"the hub does not give out {repository}{f' at {revision}' if revision else ''} "
            f"({type(error).__name__}); {hint}check the name at https://huggingface.co/{repository}, and if it is "
            "private or its terms have to be accepted, do that there and log in with: hf auth login"
        ) from error
    return {entry.rfilename for entry in info.siblings or ()}


def refuse_without_safetensors(files: Collection[str], name: str, kind: str, remedy: str) -> None:
    """See that the weights of a checkpoint of transformers can be read: as safetensors, for a pickle could run code.

    Args:
        files: the names of all its files.
        name: of the checkpoint, on the hub or a folder.
        kind: the class of transformers that reads and writes it: `AutoModel`.
        remedy: what to do with the converted FOLDER, as an imperative.

    Raises:
        ModelError: there are none, or only a pickle.
    """
    if set(SAFETENSORS) & set(files):
        return
    if any(file.startswith("pytorch_model") for file in files):
        raise ModelError(
            f"the weights of {name} are a pickle (pytorch_model.bin), which could run code and is not read here; if "
            f'you trust it, convert it once with: python -c "from transformers import {kind} as M; '
            f"M.from_pretrained('{name}').save_pretrained('FOLDER')\", {remedy}"
        )
    raise incomplete(name, SAFETENSORS[0])


def _required_files_text(required_files: Sequence[Collection[str]]) -> str:
    return ", ".join(next(iter(group)) for group in required_files)


def is_complete(folder: Path, required_files: Sequence[Collection[str]]) -> bool:
    """Whether all that is needed is there, with every part of weights that are in parts."""
    if not all(any(any(folder.glob(file)) for file in group) for group in required_files):
        return False
    for index in folder.glob("*.index.json"):
        parts = json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values()
        if not all((folder / part).is_file() for part in parts):
            return False
    return True
