"""The baselines of the Odyssey 2024 challenge (Goncalves et al. 2024): WavLM and attentive statistics of its frames.

For labels, or for arousal, dominance and valence, together or one of them. `config.json` names code that lies beside it
(`auto_map`), which is never run: what it says is written out here. The waveform is centred and scaled by the mean and
the deviation of the training, which config.json tells.
"""

from __future__ import annotations

from typing import Any

from intonate.converters.checkpoint import NUMBERS_REMARK, Checkpoint, Description, labels_of, raw_labels, setting
from intonate.converters.own_head import dimensions_of
from intonate.converters.transformers_classifier import CONFIG, LONGEST_S
from intonate.errors import ModelError, require
from intonate.published import tensors
from intonate.schema import ModelInput, ModelSpec, Pool

MODEL, TYPE = "SERModel", "ser"
ENCODER, POOLING, HEAD = "ssl_model.", "pool_model.", "ser_model."
# Added to the deviation of the training, and the least variance of a number over the frames.
EPSILON, LEAST = 1e-6, 1e-5


def recognises(checkpoint: Checkpoint) -> bool:
    config = checkpoint.json(CONFIG) or {}
    return config.get("model_type") == TYPE and config.get("architectures") == [MODEL]


def describe(checkpoint: Checkpoint) -> Description:
    """What will come of it.

    Raises:
        ModelError: config.json does not say what the network or its outputs are.
    """
    config, name, source = checkpoint.json(CONFIG) or {}, checkpoint.name, f"{checkpoint.name}: {CONFIG}"
    for key in ("mean", "std"):
        setting(config, key, float, source)
    setting(config, "id2label", dict, source)
    if "wavlm" not in str(config.get("ssl_type", "")).lower():
        raise ModelError(
            f"{source} has the encoder {config.get('ssl_type')!r} (ssl_type), and only WavLM is known here"
        )
    tensors.file_in(checkpoint.folder, name)
    raw, outputs = raw_labels(config, source), _outputs(config, source)
    count = setting(config, "num_classes", int, source)
    if count != len(outputs):
        raise ModelError(f"{source} has {count} classes, and names for {len(outputs)} in id2label; mend id2label")
    numbers = bool(dimensions_of(config, source))
    spec = checkpoint.spec(
        labels=() if numbers else sorted(outputs),
        dimensions=tuple(outputs) if numbers else (),
        inputs=(ModelInput("waveform", "waveform", {"scale": False}),),
        pool=Pool(longest_s=LONGEST_S),
    )
    remark = NUMBERS_REMARK if numbers else ""
    return Description(spec, MODEL, dict(zip(raw, outputs, strict=True)), remark)


def network(checkpoint: Checkpoint, spec: ModelSpec) -> Any:
    """(batch, samples) -> (batch, labels or dimensions).

    Raises:
        ModelError: weights are missing, or do not belong to the configuration.
    """
    from intonate.converters.encoders import encoder_of, under, waveform_configuration
    from intonate.models.contract import Network

    torch, name = require("torch", "train"), checkpoint.name
    config, source = checkpoint.json(CONFIG) or {}, f"{checkpoint.name}: {CONFIG}"
    weights = tensors.read(tensors.file_in(checkpoint.folder, name))
    of_encoder = under(ENCODER, weights)
    encoder = encoder_of(waveform_configuration("WavLM", of_encoder, name), of_encoder, name)
    width, layers = encoder.config.hidden_size, int(config.get("classifier_hidden_layers", 1))
    outputs = _outputs(config, source)
    order = [outputs.index(output) for output in (*spec.labels, *spec.dimensions)]
    mean, scale = config["mean"], 1 / (config["std"] + EPSILON)

    class Odyssey(Network):
        EXPORTER = "dynamo"

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.pooling = torch.nn.Module()
            self.pooling.sap_linear = torch.nn.Linear(width, width)
            self.pooling.attention = torch.nn.Parameter(torch.zeros(width, 1))
            self.head = torch.nn.Module()
            self.head.fc = torch.nn.ModuleList(
                torch.nn.Sequential(
                    torch.nn.Linear(2 * width if place == 0 else width, width),
                    torch.nn.LayerNorm(width),
                    torch.nn.ReLU(),
                )
                for place in range(layers)
            )
            self.head.out = torch.nn.Sequential(torch.nn.Linear(width, len(outputs)))
            self.register_buffer("order", torch.tensor(order), persistent=False)

        def forward(self, waveform: Any) -> Any:
            frames = self.encoder((waveform - mean) * scale).last_hidden_state
            shares = (torch.tanh(self.pooling.sap_linear(frames)) @ self.pooling.attention).softmax(dim=1)
            centre = (frames * shares).sum(dim=1)
            variance = ((frames * frames) * shares).sum(dim=1) - centre * centre
            hidden = torch.cat([centre, variance.clamp(min=LEAST).sqrt()], dim=1)
            for layer in self.head.fc:
                hidden = layer(hidden)
            return self.head.out(hidden)[:, self.order]

    module = Odyssey()
    parts = {POOLING: module.pooling, HEAD: module.head}
    of_head = {key: weight for key, weight in weights.items() if not key.startswith(ENCODER)}
    tensors.fill(parts, of_head, name)
    return module


def _outputs(config: dict[str, Any], source: str) -> list[str]:
    """The names of its outputs here, in its own order."""
    return dimensions_of(config, source) or labels_of(raw_labels(config, source), source, "id2label of its config.json")
