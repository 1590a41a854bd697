"""Others' models: an audio-classification checkpoint of Hugging Face transformers becomes a model file of ours.

    convert("hf:superb/hubert-base-superb-er")      # into the user's cache; --model takes the same name from then on
    convert("some/folder", "out")                   # out/folder.onnx and its card

Only JSON and safetensors are read: never a pickle, never code that lies beside the weights. What cannot be used
honestly is refused before torch is loaded: models of arousal and valence, outputs without names, heads without weights.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from intonate import __version__
from intonate.emotions import canonical
from intonate.errors import LabelError, ModelError, require
from intonate.export.onnx import move, write_torch
from intonate.export.probes import probes
from intonate.published.checkpoints import CLASSIFIER, find
from intonate.recognizer import conversions
from intonate.schema import ModelInput, ModelSpec

# What a model of dimensions calls its outputs.
DIMENSIONS = frozenset({"arousal", "valence", "dominance", "activation", "pleasure"})
WAVEFORM = "Wav2Vec2FeatureExtractor"


def convert(model: str | os.PathLike[str], output: str | Path | None = None) -> Path:
    """Make a model file of a checkpoint.

    Args:
        model: `hf:ORG/NAME`, `hf:ORG/NAME@REVISION`, or a folder.
        output: the folder for `NAME.onnx` and its card `NAME.md`; None for the user's cache, where every command then
            finds it by the checkpoint's own name.

    Returns:
        The model file, checked against the checkpoint at three lengths.

    Raises:
        ModelError: it is not here and cannot be fetched, or is none that can be used; the sentence says which and why.
        MissingExtraError: transformers is not installed.
    """
    name = os.fspath(model)
    folder = find(name, CLASSIFIER)
    config, extractor = _config(folder, name), _extractor(folder, name)
    labels = labels_of(config, name)
    about = _front_matter(folder)
    waveform = ModelInput("waveform", "waveform", {} if extractor.get("do_normalize", True) else {"scale": False})
    spec = ModelSpec(
        name=conversions.checkpoint_title(name),
        labels=tuple(sorted(labels)),
        inputs=(waveform,),
        sample_rate_hz=int(extractor.get("sampling_rate", 16_000)),
        # A clip is never padded: with the group norm of HuBERT-base padding would change the answer.
        batching="equal_length",
        languages=tuple(_listed(about.get("language"))),
        licence=_licence(about, name),
        recipe_hash=_hash(folder),
        intonate_version=__version__,
    )
    network = _network(folder, name, [labels.index(label) for label in spec.labels])
    target = conversions.file_of(name) if output is None else Path(output) / f"{spec.name}.onnx"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        written = Path(place) / target.name
        write_torch(network, spec, probes(spec), written)
        move(written, target)
    if output is not None:
        target.with_suffix(".md").write_text(_card(spec, name, labels, config), encoding="utf-8")
    return target


def labels_of(config: Mapping[str, Any], name: str) -> list[str]:
    """The names of a checkpoint's outputs, in its own order: canonical where they are known, else as they are.

    Raises:
        ModelError: it has dimensions instead of labels, or no names for them.
    """
    raw = [label for _, label in sorted((int(place), str(label)) for place, label in config["id2label"].items())]
    if config.get("problem_type") == "regression" or DIMENSIONS & {label.strip().lower() for label in raw}:
        raise ModelError(
            f"{name} is a dimensional model (it gives numbers such as {', '.join(raw)}) and names no emotion; "
            "give a checkpoint that was trained on labels"
        )
    if config.get("problem_type") == "multi_label_classification":
        raise ModelError(
            f"{name} lets several labels be true at once, and here the probabilities of a model sum to one; "
            "give a checkpoint that was trained on one label per recording"
        )
    if len(raw) < 2 or all(label.upper().startswith("LABEL_") for label in raw):
        raise ModelError(
            f"{name} does not say what its outputs mean ({', '.join(raw)}); download it, write the names into id2label "
            f'of its config.json ({{"0": "angry", ...}}), and give that folder'
        )
    known = [_canonical(label) for label in raw]
    labels = [mine if known.count(mine) == 1 else own.strip() for mine, own in zip(known, raw, strict=True)]
    if len(set(labels)) < len(labels):
        raise ModelError(f"{name} gives two outputs the same name ({', '.join(labels)}); mend id2label in config.json")
    return labels


def _canonical(label: str) -> str:
    try:
        return canonical(label)
    except LabelError:
        return label.strip()


def _json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is no such file."""
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON ({error}); fetch the checkpoint again") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds no JSON object; fetch the checkpoint again")
    return found


def _config(folder: Path, name: str) -> dict[str, Any]:
    """The checkpoint's config.json, if it is one that classifies sound with transformers' own code."""
    config = _json(folder / "config.json")
    if config is None:
        raise ModelError(f"{name} has no config.json, so it is no checkpoint of transformers; give its own folder")
    if config.get("auto_map") or config.get("custom_pipelines"):
        raise ModelError(
            f"{name} brings code of its own (auto_map in config.json), and code of others is never run here; "
            "give a checkpoint whose architecture is part of transformers"
        )
    # transformers leaves id2label out of the file where nobody named the labels: LABEL_0 and LABEL_1 then.
    config.setdefault("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
    dimensional = config.get("problem_type") == "regression"
    architectures = config.get("architectures") or ["no architecture"]
    if not dimensional and not str(architectures[0]).endswith(("ForSequenceClassification", "ForAudioClassification")):
        raise ModelError(
            f"{name} is {architectures[0]}, which does not classify recordings; give a checkpoint that was "
            "fine-tuned for audio classification (...ForSequenceClassification)"
        )
    return config


def _extractor(folder: Path, name: str) -> dict[str, Any]:
    """How the checkpoint wants its sound: a waveform, or it is refused."""
    found = _json(folder / "preprocessor_config.json")
    if found is None:
        found = (_json(folder / "processor_config.json") or {}).get("feature_extractor")
    if not isinstance(found, dict):
        raise ModelError(
            f"{name} has no preprocessor_config.json, so it takes no sound, or what sound is not known; "
            "put the file that belongs to it beside config.json"
        )
    if found.get("auto_map"):
        raise ModelError(
            f"{name} brings code of its own (auto_map in preprocessor_config.json), and code of others is never run "
            "here; give a checkpoint whose feature extractor is part of transformers"
        )
    kind = found.get("feature_extractor_type") or WAVEFORM
    if kind != WAVEFORM or found.get("feature_size", 1) != 1:
        raise ModelError(
            f"{name} hears through {kind}, which intonate cannot compute yet; give one that takes the waveform "
            f"({WAVEFORM}: HuBERT, wav2vec 2.0, WavLM, UniSpeech, SEW, Data2Vec)"
        )
    return found


def _network(folder: Path, name: str, order: Sequence[int]) -> Any:
    """(batch, samples) -> (batch, classes), the classes in `order`."""
    from intonate.models.contract import Network

    torch, transformers = require("torch", "train"), require("transformers", "train")
    transformers.utils.logging.disable_progress_bar()
    verbosity = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    try:
        loaded, told = transformers.AutoModelForAudioClassification.from_pretrained(
            str(folder), use_safetensors=True, trust_remote_code=False, local_files_only=True,
            attn_implementation="eager", output_loading_info=True,
        )  # fmt: skip
    except Exception as error:  # a checkpoint can be wrong in many ways, and each has its own exception
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{name} cannot be loaded as an audio classifier of transformers: {reason}") from error
    finally:
        transformers.utils.logging.set_verbosity(verbosity)
    # Weights that are not in the checkpoint are drawn at random: it would load, run, and say nothing.
    if lacking := sorted({*told["missing_keys"], *(str(key[0]) for key in told["mismatched_keys"])}):
        raise ModelError(
            f"{name} has no weights for {', '.join(lacking[:3])}{' ...' * (len(lacking) > 3)} of its architecture "
            f"{type(loaded).__name__}, so its answers would be random; it was written for code of its own, or has "
            "not been fine-tuned"
        )

    class Classifier(Network):
        EXPORTER = "dynamo"

        def __init__(self) -> None:
            super().__init__()
            self.classifier = loaded.float()
            self.register_buffer("order", torch.tensor(order))

        def forward(self, waveform: Any) -> Any:
            return self.classifier(waveform).logits[:, self.order]

    return Classifier()


def _hash(folder: Path) -> str:
    """No recipe of ours made it: which files did. First 12 hex digits of SHA-256 over configuration and weights."""
    whole = hashlib.sha256()
    for path in sorted((folder / "config.json", *folder.glob("*.safetensors"))):
        with path.open("rb") as content:
            whole.update(hashlib.file_digest(content, "sha256").digest())
    return whole.hexdigest()[:12]


def _front_matter(folder: Path) -> dict[str, Any]:
    """What the checkpoint's own card says at its top, as YAML between two lines of dashes; empty if nothing."""
    card = folder / "README.md"
    if not card.is_file():
        return {}
    yaml = require("yaml", "train")
    before, _, rest = card.read_text(encoding="utf-8", errors="replace").partition("---\n")
    try:
        found = yaml.safe_load(rest.partition("\n---")[0]) if not before.strip() else None
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _listed(entry: Any) -> Collection[str]:
    return [str(item) for item in (entry if isinstance(entry, list) else [entry] if entry else [])]


def _licence(about: Mapping[str, Any], name: str) -> str:
    stated = " ".join(map(str, filter(None, [*_listed(about.get("license")), about.get("license_name")])))
    return stated or f"not stated by {name}; ask its authors before you use it"


def _card(spec: ModelSpec, name: str, labels: Sequence[str], config: Mapping[str, Any]) -> str:
    own = config["id2label"]
    named = "; ".join(f"{own.get(str(place), own.get(place))} is `{label}`" for place, label in enumerate(labels))
    return "\n\n".join(
        [
            f"# {spec.name}",
            f"A checkpoint of others, {name}, converted by intonate {spec.intonate_version} "
            f"({config['architectures'][0]}; SHA-256 of its files begins with {spec.recipe_hash}). "
            "The answers are the checkpoint's own; the conversion was checked against it at three lengths.",
            f"Its outputs: {named}.",
            "## Licence of the weights",
            spec.licence,
            "## Scores",
            "None are known here. Its probabilities are not calibrated, it never abstains, and which speakers it was "
            "trained on is not recorded: test it with `intonate evaluate` on a corpus that it cannot have seen.",
        ]
    ) + "\n"  # fmt: skip
