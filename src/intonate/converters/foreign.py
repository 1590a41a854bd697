"""What a checkpoint that no converter takes looks like, and the right door for it, in one sentence."""

from __future__ import annotations

from intonate.converters.checkpoint import Checkpoint
from intonate.errors import ModelError
from intonate.published.checkpoints import ADAPTERS

# File in the folder -> what it is, and what to do instead; the first that is there counts.
MARKS = {
    ADAPTERS: "has adapters (adapter_config.json), which change the weights that they were trained "
    "on; merge them into those (merge_and_unload in peft), save that into a folder of its own, and give it",
    "config.yaml": "looks like a checkpoint of FunASR, and of those emotion2vec and SenseVoice Small can be converted; "
    "give one of them",
    "hyperparams.yaml": "looks like a checkpoint of SpeechBrain, and of those the wav2vec 2.0 classifiers can be "
    "converted; give one with wav2vec2.ckpt and label_encoder.txt",
    "modules.json": "is a checkpoint of sentence-transformers, which reads text; give one that hears",
    "model_index.json": "is a pipeline of diffusers; give one that classifies recordings",
    "saved_model.pb": "is a SavedModel of TensorFlow; give a checkpoint of transformers, FunASR or SpeechBrain",
}


def refusal(checkpoint: Checkpoint) -> ModelError:
    """The error to raise."""
    mark_found = next((mark for mark in MARKS if checkpoint.has(mark)), None)
    if mark_found is None:
        return ModelError(
            f"{checkpoint.name} is no checkpoint of transformers, FunASR or SpeechBrain (no config.json, config.yaml "
            "or hyperparams.yaml); give the folder that its authors publish, or hf:ORG/NAME"
        )
    model = (checkpoint.yaml(mark_found) or {}).get("model") if mark_found == "config.yaml" else None
    model_note = f" ({model})" if isinstance(model, str) else ""
    return ModelError(f"{checkpoint.name}{model_note} {MARKS[mark_found]}")
