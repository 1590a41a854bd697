"""wav2vec 2.0 and its kin with a head of their own, which transformers would draw at random and only warn of.

The head is recognised by its tensors: two layers on the pooled frames (`classifier.dense`, tanh, `classifier.out_proj`
or `.output`), for labels or, as audEERING's (Wagner et al. 2023), for arousal, dominance and valence. Or it is a
recogniser of speech (`...ForCTC`) whose letters are emotions: the mean of the frames' logits is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intonate.converters.checkpoint import NUMBERS_REMARK, Checkpoint, Description, labels_of, raw_labels
from intonate.converters.transformers_classifier import (
    CONFIG,
    LONGEST_S,
    SIGMOIDS,
    extractor_of,
    named_labels,
    sigmoids_of,
)
from intonate.converters.transformers_inputs import sound_of
from intonate.errors import ModelError, require
from intonate.published import tensors
from intonate.schema import ModelSpec, Pool

FIRST, SECONDS = "classifier.dense", ("classifier.out_proj", "classifier.output")
LETTERS = "lm_head"
POOLINGS = ("mean", "sum", "max")
# What others call them.
DIMENSIONS = {"activation": "arousal", "pleasure": "valence"} | {
    name: name for name in ("arousal", "valence", "dominance")
}


def recognises(checkpoint: Checkpoint) -> bool:
    config = checkpoint.json(CONFIG)
    if config is None or config.get("auto_map"):
        return False
    if _is_letter_vocabulary(config, checkpoint.name):
        return not set(map(str.upper, raw_labels(config, checkpoint.name))) <= {"LABEL_0", "LABEL_1"}
    # An architecture that transformers has not: its weights are judged where they are read, also those that cannot be.
    has_own_architecture = any(
        str(name).endswith("ForSpeechClassification") for name in config.get("architectures") or ()
    )
    try:
        weight_names = tensors.names(tensors.file_in(checkpoint.folder, checkpoint.name))
    except ModelError:
        if has_own_architecture:
            raise
        return False
    if has_own_architecture and not any(name.startswith("classifier") for name in weight_names):
        return True
    return f"{FIRST}.weight" in weight_names and any(f"{second}.weight" in weight_names for second in SECONDS)


def describe(checkpoint: Checkpoint) -> Description:
    """What will come of it.

    Raises:
        ModelError: its sound is no waveform, its outputs have no names, or its frames are pooled in an unknown way.
    """
    config, name = checkpoint.json(CONFIG) or {}, checkpoint.name
    sound = sound_of(extractor_of(checkpoint), name)
    if sound.item.front_end != "waveform":
        raise ModelError(f"{name} has a head of its own and no waveform as its input, which cannot be converted yet")
    if (pooling := config.get("pooling_mode", "mean")) not in POOLINGS:
        raise ModelError(
            f"{name} pools its frames by {pooling!r} (pooling_mode), and only {', '.join(POOLINGS)} are known"
        )
    outputs = outputs_of(config, name)
    numbers = bool(dimensions_of(config, name))
    spec = checkpoint.spec(
        labels=() if numbers else sorted(outputs),
        dimensions=tuple(outputs) if numbers else (),
        inputs=(sound.item,),
        sample_rate_hz=sound.sample_rate_hz,
        pool=Pool(longest_s=LONGEST_S),
        **({} if numbers else sigmoids_of(config)),
    )
    architecture = str((config.get("architectures") or ["a head of its own"])[0])
    remark = NUMBERS_REMARK if numbers else ""
    remark = SIGMOIDS if spec.multi_label else remark
    return Description(spec, architecture, dict(zip(raw_labels(config, name), outputs, strict=True)), remark)


def network(checkpoint: Checkpoint, spec: ModelSpec) -> Any:
    """(batch, samples) -> (batch, labels or dimensions).

    Raises:
        ModelError: weights are missing, or do not belong to the configuration.
    """
    from intonate.converters.encoders import configuration_of, encoder_of
    from intonate.models.contract import Network

    torch = require("torch", "train")
    config, name = checkpoint.json(CONFIG) or {}, checkpoint.name
    weights = tensors.read(tensors.file_in(checkpoint.folder, name))
    settings = configuration_of(config, name)
    encoder = encoder_of(settings, weights, name)
    outputs = outputs_of(config, name)
    order = [outputs.index(output) for output in (*spec.labels, *spec.dimensions)]
    width, pooling, letters = (
        settings.hidden_size,
        config.get("pooling_mode", "mean"),
        _is_letter_vocabulary(config, name),
    )
    second = next((second for second in SECONDS if f"{second}.weight" in weights), SECONDS[0])

    class OwnHead(Network):
        EXPORTER = "dynamo"

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.first = torch.nn.Identity() if letters else torch.nn.Linear(width, width)
            self.last = torch.nn.Linear(width, len(outputs))
            self.register_buffer("order", torch.tensor(order), persistent=False)

        def forward(self, waveform: Any) -> Any:
            frames = self.encoder(waveform).last_hidden_state
            if letters:
                return self.last(frames).mean(dim=1)[:, self.order]
            pooled = getattr(torch, "amax" if pooling == "max" else pooling)(frames, dim=1)
            return self.last(torch.tanh(self.first(pooled)))[:, self.order]

    module = OwnHead()
    parts = {f"{LETTERS}.": module.last} if letters else {f"{FIRST}.": module.first, f"{second}.": module.last}
    # With whatever else is not the encoder's: a layer more makes another head.
    of_encoder = {encoder.base_model_prefix, *(part for part, _ in encoder.named_children())}
    of_head = {key: weight for key, weight in weights.items() if key.partition(".")[0] not in of_encoder}
    tensors.fill(parts, of_head, name)
    return module


def outputs_of(config: Mapping[str, Any], name: str) -> list[str]:
    """The names of its outputs here, in its own order."""
    if numbers := dimensions_of(config, name):
        return numbers
    return labels_of(named_labels(config, name), name, "id2label of its config.json")


def dimensions_of(config: Mapping[str, Any], name: str) -> list[str]:
    """Its outputs where they are dimensions, in its own order; empty where they are labels."""
    raw = [label.strip().lower() for label in raw_labels(config, name)]
    return [DIMENSIONS[label] for label in raw] if raw and all(label in DIMENSIONS for label in raw) else []


def _is_letter_vocabulary(config: Mapping[str, Any], name: str) -> bool:
    """Whether it is a recogniser of speech with a letter for every label."""
    architecture = str((config.get("architectures") or [""])[0])
    return architecture.endswith("ForCTC") and len(raw_labels(config, name)) == config.get("vocab_size")
