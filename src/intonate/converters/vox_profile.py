"""Vox-Profile (Feng et al. 2025): WavLM or Whisper with small heads, saved by PyTorchModelHubMixin.

`config.json` holds the arguments of their wrapper and `model.safetensors` its weights; the wrapper itself lies in a
repository of code, which is not run. Nine labels, and arousal, valence and dominance beside them or instead. Matrices
that were adapted at low rank (LoRA, Hu et al. 2021) are added up. A Whisper of theirs hears 15 s, and its answer is the
mean over the frames of the sound alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from intonate.converters.checkpoint import Checkpoint, Description, labels_of, setting
from intonate.converters.transformers_classifier import CONFIG, LONGEST_S
from intonate.errors import ModelError, require
from intonate.published import tensors
from intonate.schema import ModelInput, ModelSpec, Pool

# The first argument of the wrapper -> what it is about: the encoder, and whether it takes the waveform normalised.
WAVLM = {"wavlm": False, "wavlm_large": True}
WHISPER = {"whisper_tiny": 80, "whisper_base": 80, "whisper_small": 80, "whisper_medium": 80, "whisper_large": 128}
# The outputs have no names in the files: these are those of their code, in its order.
LABELS = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise", "Other")
DIMENSIONS = ("arousal", "valence", "dominance")
WHISPER_S = 15
ENCODER, SEQUENCE, EMOTIONS = "backbone_model.", "model_seq", "emotion_layer"
# Scale of what LoRA adds, before it is divided by the rank: their default.
ALPHA = 1.0


def recognises(checkpoint: Checkpoint) -> bool:
    config = checkpoint.json(CONFIG) or {}
    return "pretrain_model" in config and "finetune_method" in config


def describe(checkpoint: Checkpoint) -> Description:
    """What will come of it.

    Raises:
        ModelError: its encoder is not known, or it has other outputs.
    """
    config, name, source = checkpoint.json(CONFIG) or {}, checkpoint.name, f"{checkpoint.name}: {CONFIG}"
    kind = config["pretrain_model"]
    if kind not in WAVLM and kind not in WHISPER:
        raise ModelError(f"{source} has the encoder {kind!r}, and only {', '.join((*WAVLM, *WHISPER))} are known here")
    if config["finetune_method"] not in ("lora", "finetune"):
        raise ModelError(
            f"{source} was fine-tuned by {config['finetune_method']!r}, and only lora and finetune are known"
        )
    path = tensors.file_in(checkpoint.folder, name)
    names = tensors.names(path)
    has_labels = f"{EMOTIONS}.2.weight" in names
    if has_labels and setting(config, "output_class_num", int, source) != len(LABELS):
        raise ModelError(
            f"{source} has {config['output_class_num']} classes, and the nine of Vox-Profile are known "
            f"({', '.join(LABELS)})"
        )
    dimensions = tuple(dimension for dimension in DIMENSIONS if f"{dimension}_layer.2.weight" in names)
    if not has_labels and not dimensions:
        tensors.read(path)  # a file with code in it is refused for that
        raise ModelError(f"{name} is a Vox-Profile that tells no emotion (no {EMOTIONS}); give one of emotion")
    labels = labels_of(LABELS, name, CONFIG) if has_labels else []
    item = ModelInput("waveform", "waveform", {} if WAVLM.get(kind) else {"scale": False})
    if kind in WHISPER:
        params = {"bands": WHISPER[kind], "seconds": WHISPER_S, "mark": True}
        item = ModelInput("features", "whisper_log_mel", params)
    spec = checkpoint.spec(
        labels=sorted(labels),
        dimensions=dimensions,
        inputs=(item,),
        pool=Pool(longest_s=float(WHISPER_S) if kind in WHISPER else LONGEST_S),
    )
    outputs = dict(zip(LABELS, labels, strict=False)) | {dimension: dimension for dimension in dimensions}
    remark = "It does not hear what lies beyond 15 s." if kind in WHISPER else ""
    return Description(spec, f"Vox-Profile on {kind}", outputs, remark)


def network(checkpoint: Checkpoint, spec: ModelSpec) -> Any:
    """The spec's input -> (batch, labels + dimensions).

    Raises:
        ModelError: weights are missing, or do not belong to the configuration.
    """
    from intonate.models.contract import Network

    torch, name, config = require("torch", "train"), checkpoint.name, checkpoint.json(CONFIG) or {}
    weights = tensors.read(tensors.file_in(checkpoint.folder, name))
    is_whisper = config["pretrain_model"] in WHISPER
    settings, encoder = _encoder(weights, is_whisper, name)
    width, hidden = settings.hidden_size, int(config.get("hidden_dim", 256))
    all_labels = labels_of(LABELS, name, CONFIG)
    order = [all_labels.index(label) for label in spec.labels]
    first_layer = 0 if config.get("use_conv_output", True) else 1

    def head(outputs: int) -> Any:
        return torch.nn.Sequential(torch.nn.Linear(hidden, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, outputs))

    class VoxProfile(Network):
        EXPORTER = "dynamo"

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            convolution = torch.nn.Conv1d
            self.model_seq = torch.nn.ModuleDict(
                {"0": convolution(width, hidden, 1), "3": convolution(hidden, hidden, 1),
                 "6": convolution(hidden, hidden, 1)}
            )  # fmt: skip
            if not is_whisper:
                self.weights = torch.nn.Parameter(torch.zeros(settings.num_hidden_layers + 1 - first_layer))
            if spec.labels:
                self.emotion_layer = head(len(all_labels))
            for dimension in spec.dimensions:
                setattr(self, f"{dimension}_layer", head(1))
            self.register_buffer("order", torch.tensor(order, dtype=torch.int64), persistent=False)

        def answer(self, frames: Any, shares: Any) -> Any:
            """(batch, frames, width), (batch, frames, 1) that sum to one -> (batch, outputs)."""
            rows = frames.transpose(1, 2)
            for place in ("0", "3"):
                rows = torch.relu(self.model_seq[place](rows))
            pooled = (self.model_seq["6"](rows) @ shares)[:, :, 0]
            answers = [self.emotion_layer(pooled)[:, self.order]] if spec.labels else []
            answers += [getattr(self, f"{dimension}_layer")(pooled).sigmoid() for dimension in spec.dimensions]
            return torch.cat(answers, dim=1)

    class OfWaveform(VoxProfile):
        def forward(self, waveform: Any) -> Any:
            states = self.encoder(waveform, output_hidden_states=True).hidden_states[first_layer:]
            layers = zip(self.weights.softmax(0), states, strict=True)
            frames = sum(weight * state for weight, state in layers)
            ones = torch.ones_like(frames[:, :, :1])
            return self.answer(frames, ones / ones.sum(dim=1, keepdim=True))

    class OfFeatures(VoxProfile):
        def forward(self, features: Any) -> Any:
            frames = self.encoder(features[:, :, :-1].transpose(1, 2)).last_hidden_state
            # The encoder halves the rows; the last column marks those that begin within the sound.
            marks = features[:, ::2, -1:]
            return self.answer(frames, marks / marks.sum(dim=1, keepdim=True))

    module = OfFeatures() if is_whisper else OfWaveform()
    # What other answers need (finer labels) has no part here, and the encoder is filled already.
    parts = {key.partition(".")[0] for key in module.state_dict()}
    head_weights = {key: value for key, value in weights.items() if key.partition(".")[0] in parts}
    head_weights |= {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
    tensors.fill({"": module}, head_weights, name)
    return module


def _encoder(weights: Mapping[str, Any], is_whisper: bool, name: str) -> tuple[Any, Any]:
    """The configuration of the encoder, and the encoder filled with its weights."""
    from intonate.converters.encoders import encoder_of, under, waveform_configuration, whisper_configuration

    encoder_weights = merge_adapters(under(ENCODER, weights))
    if is_whisper:
        # Of a Whisper only the encoder is used, and 15 s of its positions.
        encoder_weights = under("encoder.", encoder_weights)
        positions = encoder_weights["embed_positions.weight"][: WHISPER_S * 50]
        encoder_weights["embed_positions.weight"] = positions
        settings = whisper_configuration(encoder_weights, name)
    else:
        settings = waveform_configuration("WavLM", encoder_weights, name)
    return settings, encoder_of(settings, encoder_weights, name)


def merge_adapters(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Weights in which what LoRA learnt is added to the matrix that it belongs to."""
    merged_weights = dict(weights)
    for key in weights:
        if match := re.fullmatch(r"(.*)\.lora_A", key):
            low, high = merged_weights.pop(key), merged_weights.pop(f"{match[1]}.lora_B")
            merged_weights[f"{match[1]}.weight"] = merged_weights[f"{match[1]}.weight"] + high @ low * (
                ALPHA / low.shape[0]
            )
    return merged_weights
