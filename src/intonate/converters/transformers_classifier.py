"""Audio classifiers of Hugging Face transformers: `config.json`, `preprocessor_config.json` and the weights.

What cannot be used honestly is refused: outputs without names, heads without weights, code that lies beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intonate.converters.checkpoint import Checkpoint, Description, labels_of, raw_labels
from intonate.converters.foreign import architecture_refusal, reads_text, text_refusal
from intonate.converters.transformers_inputs import EXTRACTORS, WAVEFORM, sound_of
from intonate.errors import ModelError, require
from intonate.published import tensors
from intonate.published.checkpoints import full_precision, missing_weights, quiet_transformers, unused_weights
from intonate.schema import ModelSpec, Pool

CONFIG, EXTRACTOR, PROCESSOR = "config.json", "preprocessor_config.json", "processor_config.json"
# What a model of dimensions calls its outputs.
DIMENSIONS = frozenset({"arousal", "valence", "dominance", "activation", "pleasure"})
# Encoders of transformers that halve the frames and double them again.
SQUEEZED = frozenset({"SEWEncoder", "SEWDEncoder"})
# A recording up to this long is answered whole, s.
LONGEST_S = 30.0


def recognises(checkpoint: Checkpoint) -> bool:
    return checkpoint.has(CONFIG)


# Of a checkpoint that was trained so.
SIGMOIDS = (
    "Several labels may be true at once, or none: each has a score of its own (a sigmoid), they need not sum to one, "
    "and a label counts from one half on."
)


def describe(checkpoint: Checkpoint) -> Description:
    """What will come of it.

    Raises:
        ModelError: it cannot be used; the sentence says why.
    """
    config, sound = _config(checkpoint), sound_of(extractor_of(checkpoint), checkpoint.name)
    raw = named_labels(config, checkpoint.name)
    labels = labels_of(raw, checkpoint.name, "id2label of its config.json")
    tensors.file_in(checkpoint.folder, checkpoint.name)
    spec = checkpoint.spec(
        labels=sorted(labels),
        inputs=(sound.item,),
        sample_rate_hz=sound.sample_rate_hz,
        pool=Pool(longest_s=min(LONGEST_S, sound.longest_s or LONGEST_S)),
        **sigmoids_of(config),
    )
    remark = SIGMOIDS if spec.multi_label else ""
    return Description(spec, config["architectures"][0], dict(zip(raw, labels, strict=True)), remark)


def sigmoids_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a spec says of a checkpoint that may give several labels at once; nothing of another.

    As the pipeline of transformers has it, a sigmoid of each; from one half on a label counts, as its loss has it.
    """
    is_several = config.get("problem_type") == "multi_label_classification"
    return {"multi_label": True, "abstain_below": 0.5} if is_several else {}


def named_labels(config: Mapping[str, Any], name: str) -> list[str]:
    """The names of a checkpoint's outputs, in its own order.

    Raises:
        ModelError: it has dimensions instead of labels, or beside them.
    """
    raw = raw_labels(config, name)
    dimensions = DIMENSIONS & {label.strip().lower() for label in raw}
    if 0 < len(dimensions) < len(raw):
        raise ModelError(
            f"{name} calls some of its outputs dimensions and some not ({', '.join(raw)}), and a head of both is not "
            "known here; give a checkpoint with either, or mend id2label of its config.json"
        )
    if config.get("problem_type") == "regression" or dimensions:
        raise ModelError(
            f"{name} is a dimensional model (it gives numbers such as {', '.join(raw)}), and its head is none that is "
            "known here (classifier.dense and classifier.out_proj); give one of audEERING's, or one trained on labels"
        )
    return raw


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    """The checkpoint's config.json, if it is one that classifies sound with transformers' own code."""
    config, name = checkpoint.json(CONFIG) or {}, checkpoint.name
    if config.get("auto_map") or config.get("custom_pipelines"):
        raise ModelError(
            f"{name} brings code of its own (auto_map in config.json), and code of others is never run here; "
            "give a checkpoint whose architecture is part of transformers"
        )
    dimensional = config.get("problem_type") == "regression"
    architectures = config.get("architectures") or ["no architecture"]
    if not dimensional and not str(architectures[0]).endswith(("ForSequenceClassification", "ForAudioClassification")):
        raise architecture_refusal(name, config)
    return config


def extractor_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """How it hears: what its processor_config.json has of that, else its preprocessor_config.json, as transformers 5.

    Where neither names the extractor, it is that of the architecture, as in transformers.
    """
    name = checkpoint.name
    content = (checkpoint.json(PROCESSOR) or {}).get("feature_extractor") or checkpoint.json(EXTRACTOR)
    if not isinstance(content, dict):
        if reads_text(checkpoint.json(CONFIG) or {}):
            raise text_refusal(name)
        raise ModelError(
            f"{name} has no preprocessor_config.json, so it takes no sound, or what sound is not known; "
            "put the file that belongs to it beside config.json"
        )
    kind = EXTRACTORS.get(str((checkpoint.json(CONFIG) or {}).get("model_type")), WAVEFORM)
    return content | {"feature_extractor_type": content.get("feature_extractor_type") or kind}


def network(checkpoint: Checkpoint, spec: ModelSpec) -> Any:
    """The spec's input -> (batch, classes), in the order of its labels.

    Raises:
        ModelError: the weights cannot be read, or some are missing.
    """
    from intonate.models.contract import Network

    name, torch = checkpoint.name, require("torch", "train")
    sound = sound_of(extractor_of(checkpoint), name)
    classifier = load(checkpoint, tensors.read(tensors.file_in(checkpoint.folder, name)))
    labels = labels_of(named_labels(_config(checkpoint), name), name, "id2label of its config.json")

    class Classifier(Network):
        EXPORTER = "dynamo"

        def __init__(self) -> None:
            super().__init__()
            self.classifier = classifier
            self.register_buffer("order", torch.tensor([labels.index(label) for label in spec.labels]))

        def answer(self, prepared: Any) -> Any:
            return self.classifier(prepared).logits[:, self.order]

    # The exporter knows the inputs by the names of the arguments.
    class OfWaveform(Classifier):
        def forward(self, waveform: Any) -> Any:
            return self.answer(sound.prepare(waveform))

    class OfFeatures(Classifier):
        def forward(self, features: Any) -> Any:
            return self.answer(sound.prepare(features))

    return OfWaveform() if sound.item.name == "waveform" else OfFeatures()


def load(checkpoint: Checkpoint, weights: Mapping[str, Any]) -> Any:
    """transformers' own network of a config.json with these weights, in full precision.

    Raises:
        ModelError: there is no such architecture, or a weight is missing, left over, or has another shape.
    """
    from intonate.converters.encoders import configuration_of

    name, transformers = checkpoint.name, require("transformers", "train")
    config = configuration_of(checkpoint.json(CONFIG) or {}, name)
    architecture: Any = getattr(transformers, config.architectures[0], None)
    if not isinstance(config, getattr(architecture, "config_class", None) or ()):
        raise ModelError(
            f"{name} is {config.architectures[0]} (architectures in its config.json), which transformers "
            f"{transformers.__version__} does not have for the model_type {config.model_type!r}; write the name of the "
            "network that was trained there"
        )
    with quiet_transformers(f"{name} cannot be loaded as an audio classifier of transformers"):
        classifier, loading_info = architecture.from_pretrained(
            None,
            config=config,
            state_dict=dict(weights),
            ignore_mismatched_sizes=True,  # they are named below
            output_loading_info=True,
            **full_precision(),
        )
    for weight, shape, expected in loading_info["mismatched_keys"]:
        raise ModelError(
            f"{name}: {weight} has the shape {tuple(shape)}, and its config.json says {tuple(expected)}, with "
            f"{config.num_labels} labels in id2label; the files do not belong together"
        )
    if missing_names := missing_weights(loading_info):
        raise ModelError(
            f"{name} has no weights for {missing_names} of its architecture {type(classifier).__name__}, so its "
            "answers would be random; it was written for code of its own, or has not been fine-tuned"
        )
    if unused_names := unused_weights(classifier, loading_info):
        raise ModelError(
            f"{name} holds weights that its config.json has no place for ({unused_names}), so its answers would be "
            "those of another network; give the config.json that belongs to its weights"
        )
    return _with_dynamic_lengths(classifier)


def _with_dynamic_lengths(classifier: Any) -> Any:
    """SEW fills up what it shortened where the frames are odd in number, and an export would settle that once.

    So that it always fills up, and by as many rows as are lacking: where none are, by none.
    """
    torch = require("torch", "train")

    class Pool(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self, pool: Any) -> None:
            super().__init__()
            self.pool, self.frames = pool, 0

        def forward(self, hidden_states: Any) -> Any:
            self.frames = hidden_states.shape[-1]
            return self.pool(hidden_states)

    class Upsample(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self, upsample: Any, pool: Any) -> None:
            super().__init__()
            self.upsample, self.lengths = upsample, [pool]

        def forward(self, hidden_states: Any) -> Any:
            made = self.upsample(hidden_states)
            return torch.nn.functional.pad(made, (0, 0, 0, self.lengths[0].frames - made.shape[1]))

    for module in [*classifier.modules()]:
        if type(module).__name__ in SQUEEZED:
            module.pool = Pool(module.pool)
            module.upsample = Upsample(module.upsample, module.pool)
    return classifier
