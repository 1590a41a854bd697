"""Checkpoints that others publish: a folder, or a name on the hub, found here or fetched once.

Two uses: an encoder inside a network of ours (`ENCODER`, of transformers), and a model that becomes a model file of
ours (`CLASSIFIER`, of any family in `converters/`). Code that lies beside the weights is not even fetched. Without a
network one sentence says what is missing, how large it is, and where to get and to put it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intonate.errors import ModelError, require
from intonate.published import known
from intonate.published.files import SAFETENSORS, hub_folder, incomplete, refuse_without_safetensors

# How a hub name is told from a file wherever a model is named: `hf:ORG/NAME`, `hf:ORG/NAME@REVISION`.
HUB = "hf:"
CONFIG, EXTRACTOR, PROCESSOR = "config.json", "preprocessor_config.json", "processor_config.json"
# What peft leaves of an adapter. It is no model, but whoever gives its folder means one.
ADAPTERS = "adapter_config.json"
# One of these is in the folder of every checkpoint of others: of transformers, FunASR, SpeechBrain, peft.
CONFIGURATION = (CONFIG, "config.yaml", "hyperparams.yaml", ADAPTERS)
TOKENIZER = ("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model")
WEIGHTS = (*SAFETENSORS, "model-*.safetensors")
# Weights that many are published without, and that every use learns for itself.
SPARE = ("pooler.", "masked_spec_embed")
# How weights end that many were saved with and that change no answer: a row for masked frames, and what is computed.
IDLE = ("masked_spec_embed", "position_ids", "inv_freq")
# A weight that a classifier has without a module around it: how much of each layer is heard (SUPERB).
SHARES_OF_LAYERS = "layer_weights"
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
    "openai/whisper-tiny": 150,
    "openai/whisper-tiny.en": 150,
    "openai/whisper-base": 290,
}
_HUB_NAME_PATTERN = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True, slots=True)
class Use:
    """What a checkpoint is wanted for.

    Attributes:
        reader: the class of transformers that reads it.
        required_files: of each of these groups one file at least has to be there.
        patterns: the files to fetch, and nothing else of what lies beside them.
        remedy: what has to be put beside converted weights, after "convert it …, ".
        pickles: patterns of the files to fetch where there are no safetensors; none to refuse those. Whoever wants
            them reads the tensors in them and nothing else (`published/tensors.py`).
    """

    reader: str
    required_files: tuple[Collection[str], ...]
    patterns: tuple[str, ...]
    remedy: str
    pickles: tuple[str, ...] = ()


ENCODER = Use(
    "AutoModel",
    ((CONFIG,), SAFETENSORS),
    (CONFIG, EXTRACTOR, *TOKENIZER, *WEIGHTS),
    "with its tokenizer if it has one, and",
)
# Configuration and weights as FunASR, SpeechBrain and transformers call them.
CLASSIFIER = Use(
    "AutoModelForAudioClassification",
    (CONFIGURATION, (*SAFETENSORS, "model.pt", "pytorch_model.bin", "model.ckpt")),
    ("*.json", "*.yaml", "*.txt", "*.mvn", "*.bpe.model", "README.md", *WEIGHTS),
    "put its preprocessor_config.json into FOLDER as well, and",
    ("*.pt", "*.ckpt", "pytorch_model*.bin"),
)


def find(name: str, use: Use = ENCODER, parameter: str = "") -> Path:
    """The folder of a checkpoint: the one that is named, or the one that the hub's files are kept in.

    Args:
        name: a folder; or `ORG/NAME` or `ORG/NAME@REVISION` on the hub, `hf:` before it or not, which is fetched once
            where it is not on this machine.
        use: what it is wanted for.
        parameter: of a recipe's model (`speech`), or a whole key of a recipe; empty where `--model` names it.

    Raises:
        ModelError: it is not here and cannot be fetched, or is not all there.
        MissingExtraError: the hub's client is not installed.
    """
    option = f"give --set {_key(parameter)}=FOLDER" if parameter else "give FOLDER"
    bare_name = name.removeprefix(HUB)
    folder = Path(name).expanduser()

    def refuse(files: Collection[str]) -> None:
        if not use.pickles:
            refuse_without_safetensors(files, bare_name, use.reader, f"{use.remedy} {option}")

    if not name.startswith(HUB) and folder.is_dir():
        files = {path.name for path in folder.iterdir()}
        refuse(files)
        if not files & set(use.required_files[0]):
            raise incomplete(name, " or ".join(use.required_files[0]))
        return folder
    match = _HUB_NAME_PATTERN.fullmatch(bare_name)
    if match is None and parameter:
        raise ModelError(
            f"{_key(parameter)}: checkpoint {name!r} is neither a folder here nor a name on the hub (ORG/NAME); "
            f"put {CONFIG} and {SAFETENSORS[0]} into a folder and give its path"
        )
    if match is None:
        raise ModelError(
            f"{name!r} is no name of a checkpoint; {known.hint(bare_name)}write hf:ORG/NAME, or hf:ORG/NAME@REVISION"
        )

    def patterns(files: Collection[str]) -> tuple[str, ...]:
        refuse(files)
        return use.patterns if set(SAFETENSORS) & set(files) else (*use.patterns, *use.pickles)

    repository = match["repository"]
    hub_option = option if parameter else "give --model FOLDER"
    listed = known.BY_REPOSITORY.get(repository)
    return hub_folder(
        repository,
        use.required_files if listed is None else listed.required_files,
        patterns,
        hub_option,
        revision=match["revision"],
        size_mb=MEGABYTES.get(repository) if listed is None else listed.size_mb,
        hint="" if parameter else known.hint(repository),
    )


def _key(parameter: str) -> str:
    return parameter if "." in parameter else f"model.params.{parameter}"


@contextlib.contextmanager
def quiet_transformers(problem: str) -> Iterator[Any]:
    """transformers while it loads a network: without its bars and advice, and whatever it raises as one sentence.

    Args:
        problem: what could not be done, the beginning of the sentence.

    Raises:
        ModelError: `problem`, and the reason.
        MissingExtraError: transformers is not installed.
    """
    transformers = require("transformers", "train")
    logging = transformers.utils.logging
    verbosity = logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield transformers
    except Exception as error:  # a checkpoint can be wrong in many ways, and each has its own exception
        raise ModelError(f"{problem}: {' '.join(str(error).split())[:200]}") from error
    finally:
        logging.set_verbosity(verbosity)


def full_precision() -> dict[str, Any]:
    """The arguments of `from_pretrained` for a network that exports and whose weights are not rounded on the way.

    transformers 5 reads them in the precision that config.json names, also where the file has them in a higher one.
    """
    return {"dtype": require("torch", "train").float32, "attn_implementation": "eager"}


def missing_weights(loading_info: Mapping[str, Any], spare: tuple[str, ...] = ()) -> str:
    """The first weights that a checkpoint has not, or in another shape; empty if it has all but those that are spare.

    transformers draws them at random: the network would load, run, and say nothing.
    """
    random_weights = {*loading_info["missing_keys"], *(str(entry[0]) for entry in loading_info["mismatched_keys"])}
    return first_names(weight for weight in random_weights if not weight.startswith(spare))


def unused_weights(network: Any, loading_info: Mapping[str, Any]) -> str:
    """The first weights of a checkpoint that belong to parts of a network and have no place in it; empty if none.

    They were trained, and the answers would be without them: a layer that the configuration does not count, a gate
    that another encoder has. transformers leaves them out with a warning. What was saved beside the network (the head
    of a pre-training) is none of them.
    """
    base = getattr(network, network.base_model_prefix, network)
    parts = {name for module in (network, base) for name, _ in module.named_children()} | {SHARES_OF_LAYERS}
    return first_names(
        weight
        for weight in loading_info["unexpected_keys"]
        if weight.partition(".")[0] in parts and not weight.endswith(IDLE)
    )


def first_names(weights: Iterable[str]) -> str:
    """Three of them at most, to be named in a sentence; empty if there are none."""
    names = sorted(weights)
    return f"{', '.join(names[:3])}{' ...' * (len(names) > 3)}"


def load(name: str, parameter: str, reader: str = "AutoModel", **settings: Any) -> Any:
    """`transformers.<reader>.from_pretrained` of a checkpoint that `find` finds; the arguments and errors are its own.

    A network comes in full precision, and with the attention that exports with the lengths left open.
    """
    folder = find(name, parameter=parameter)
    is_network = reader == "AutoModel"
    if is_network:
        settings |= {"use_safetensors": True, **full_precision(), "output_loading_info": True}
    checkpoint_text = f"{_key(parameter)}: checkpoint {name!r}"
    with quiet_transformers(f"{checkpoint_text} cannot be loaded by transformers") as transformers:
        loaded = getattr(transformers, reader).from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True, **settings
        )
    if not is_network:
        return loaded
    network, loading_info = loaded
    if missing_names := missing_weights(loading_info, SPARE):
        raise ModelError(
            f"{checkpoint_text} has no weights for {missing_names} of its architecture {type(network).__name__}; "
            "fetch it again"
        )
    return network
