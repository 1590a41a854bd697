"""wav2vec 2.0 classifiers of SpeechBrain, as its IEMOCAP model: encoder and head in files of their own.

`hyperparams.yaml`, `wav2vec2.ckpt`, `model.ckpt` and `label_encoder.txt`. Whatever hyperparams.yaml would build
(`!new:…`) and code beside it (custom_interface.py) is not built or run. SpeechBrain adds noise of 1e-5 to the mean of
the frames, another one each time; here there is none.
"""

from __future__ import annotations

import re
from typing import Any

from intonate.converters.checkpoint import Checkpoint, Description, labels_of
from intonate.converters.transformers_classifier import LONGEST_S
from intonate.errors import ModelError, require
from intonate.published import tensors
from intonate.schema import ModelInput, ModelSpec, Pool

CONFIG, ENCODER, HEAD, LABELS = "hyperparams.yaml", "wav2vec2.ckpt", "model.ckpt", "label_encoder.txt"
# 'neu' => 0
LABEL = re.compile(r"""['"](.+)['"]\s*=>\s*(\d+)""")
# Where the list of labels ends, and settings of the encoder begin.
END = "====="
# Added to the variance of the waveform and of the frames.
EPSILON = 1e-5


def recognises(checkpoint: Checkpoint) -> bool:
    return checkpoint.has(CONFIG) and "wav2vec2" in (checkpoint.yaml(CONFIG) or {})


def describe(checkpoint: Checkpoint) -> Description:
    """What will come of it.

    Raises:
        ModelError: a file is missing, the head is another one, or the labels cannot be read.
    """
    checkpoint.require(CONFIG, ENCODER, HEAD, LABELS)
    config, source = checkpoint.yaml(CONFIG) or {}, f"{checkpoint.name}: {CONFIG}"
    pool = config.get("avg_pool")
    if not isinstance(pool, dict) or pool.get("return_std") is not False:
        raise ModelError(
            f"{source} has no avg_pool with return_std: False, and only the mean of the frames is known here"
        )
    raw = raw_labels(checkpoint)
    labels = labels_of(raw, checkpoint.name, LABELS)
    spec = checkpoint.spec(
        labels=sorted(labels),
        inputs=(ModelInput("waveform", "waveform", {"scale": False}),),
        pool=Pool(longest_s=LONGEST_S),
    )
    return Description(spec, "wav2vec 2.0 of SpeechBrain", dict(zip(raw, labels, strict=True)))


def network(checkpoint: Checkpoint, spec: ModelSpec) -> Any:
    """(batch, samples) -> (batch, labels).

    Raises:
        ModelError: weights cannot be read, are missing, or do not belong together.
    """
    from intonate.converters.encoders import encoder_of, under, waveform_configuration
    from intonate.models.contract import Network

    torch = require("torch", "train")
    name, config = checkpoint.name, checkpoint.yaml(CONFIG) or {}
    weights = tensors.read(checkpoint.folder / ENCODER)
    # Saved with the pre-training model around it.
    weights = under("wav2vec2.", weights) or weights
    encoder = encoder_of(waveform_configuration("Wav2Vec2", weights, f"{name}: {ENCODER}"), weights, name)
    head = tensors.read(checkpoint.folder / HEAD)
    labels = labels_of(raw_labels(checkpoint), name, LABELS)
    order = [labels.index(label) for label in spec.labels]
    # A list of one list of one layer, so that it is called by numbers.
    layer = next((encoder_weights for prefix in ("0.0.w.", "0.w.") if (encoder_weights := under(prefix, head))), {})
    if set(head) - {f"{prefix}{key}" for prefix in ("0.0.w.", "0.w.") for key in layer}:
        raise ModelError(
            f"{name}: {HEAD} holds more than the one layer that is known here ({', '.join(sorted(head)[:4])})"
        )
    is_normed = bool((config["wav2vec2"] if isinstance(config["wav2vec2"], dict) else {}).get("output_norm"))

    class SpeechBrain(Network):
        EXPORTER = "dynamo"

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.head = torch.nn.Linear(encoder.config.hidden_size, len(labels), bias="bias" in layer)
            self.register_buffer("order", torch.tensor(order), persistent=False)

        def forward(self, waveform: Any) -> Any:
            centred = waveform - waveform.mean(dim=1, keepdim=True)
            waveform = centred / ((centred * centred).mean(dim=1, keepdim=True) + EPSILON).sqrt()
            frames = self.encoder(waveform).last_hidden_state
            pooled = frames.mean(dim=1)
            if is_normed:
                # All frames and numbers of a clip together; their mean is that of the means.
                centre = pooled.mean(dim=1, keepdim=True)
                apart = frames - centre[:, None]
                pooled = (pooled - centre) / ((apart * apart).mean(dim=(1, 2))[:, None] + EPSILON).sqrt()
            return self.head(pooled)[:, self.order]

    module = SpeechBrain()
    tensors.fill({"": module.head}, layer, f"{name}: {HEAD}")
    return module


def raw_labels(checkpoint: Checkpoint) -> list[str]:
    """The labels in label_encoder.txt, in the order of the outputs.

    Raises:
        ModelError: there are none, or their numbers are not those of outputs.
    """
    labels_by_index = dict[int, str]()
    for line in checkpoint.text(LABELS).partition(END)[0].splitlines():
        if match := LABEL.fullmatch(line.strip()):
            labels_by_index[int(match[2])] = match[1]
    if not labels_by_index or sorted(labels_by_index) != list(range(len(labels_by_index))):
        raise ModelError(
            f"{checkpoint.name}: {LABELS} has no lines such as 'neu' => 0 that number all outputs; fetch it again"
        )
    return [labels_by_index[place] for place in range(len(labels_by_index))]
