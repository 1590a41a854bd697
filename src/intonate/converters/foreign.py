"""What a checkpoint that no converter takes looks like, and the right door for it, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intonate.converters.checkpoint import Checkpoint
from intonate.errors import ModelError
from intonate.published.checkpoints import ADAPTERS, HUB

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
KNOWN = "`intonate models` lists models of emotion"
WRITES = f"it writes down what is said (--transcribe does that); {KNOWN}"
SPEAKERS = f"it tells who speaks (--speakers auto does that); {KNOWN}"
TRAIN = "it has learnt no emotions yet; for that: intonate train %s-partial --set model.params.checkpoint=NAME"
# How the name of an architecture of transformers ends -> what it does, and the door for it; the first that fits counts.
ARCHITECTURES = {
    "WhisperForConditionalGeneration": "it writes down what is said (--transcribe whisper:SIZE does that), and "
    + TRAIN % "whisper",
    "WhisperModel": TRAIN % "whisper",
    "ForCTC": WRITES,
    "ForSpeechSeq2Seq": WRITES,
    "ForConditionalGeneration": f"it writes text; {KNOWN}",
    "ForCausalLM": f"it writes text; {KNOWN}",
    "ForXVector": SPEAKERS,
    "ForAudioFrameClassification": SPEAKERS,
    "ForPreTraining": TRAIN % "hubert",
    "Model": TRAIN % "hubert",
}
# The kinds of encoder that those recipes train.
ENCODERS = ("hubert", "wav2vec2", "wavlm", "whisper")
# What the configuration of an encoder that hears has, and that of one that reads has not.
HEARS = frozenset({"conv_dim", "num_mel_bins", "feature_projection_input_dim", "audio_config"})


def refusal(checkpoint: Checkpoint) -> ModelError:
    """The error to raise."""
    mark_found = next((mark for mark in MARKS if checkpoint.has(mark)), None)
    if mark_found is None:
        return ModelError(
            f"{checkpoint.name} is no checkpoint of transformers, FunASR or SpeechBrain (no config.json, config.yaml "
            "or hyperparams.yaml); give the folder that its authors publish, or hf:ORG/NAME"
        )
    if mark_found == "config.yaml" and "pyannote" in checkpoint.text(mark_found):
        return ModelError(f"{checkpoint.name} is of pyannote; {SPEAKERS}")
    model = (checkpoint.yaml(mark_found) or {}).get("model") if mark_found == "config.yaml" else None
    model_note = f" ({model})" if isinstance(model, str) else ""
    return ModelError(f"{checkpoint.name}{model_note} {MARKS[mark_found]}")


def reads_text(config: Mapping[str, Any]) -> bool:
    """Whether a config.json of transformers is that of a network for words."""
    return "vocab_size" in config and not HEARS & config.keys()


def text_refusal(name: str) -> ModelError:
    return ModelError(f"{name} reads text and hears nothing (`intonate read` judges words); {KNOWN}")


def architecture_refusal(name: str, config: Mapping[str, Any]) -> ModelError:
    """The error to raise of an architecture of transformers that does not classify recordings."""
    architecture = str((config.get("architectures") or ["no architecture"])[0])
    if reads_text(config):
        return text_refusal(name)
    door = next((door for ending, door in ARCHITECTURES.items() if architecture.endswith(ending)), "")
    door = "" if "intonate train" in door and config.get("model_type") not in ENCODERS else door
    door = door or "give a checkpoint that was fine-tuned for audio classification (...ForSequenceClassification)"
    return ModelError(
        f"{name} is {architecture}, which does not classify recordings; {door.replace('NAME', name.removeprefix(HUB))}"
    )
