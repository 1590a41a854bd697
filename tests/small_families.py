"""For each family of `converters/`: a checkpoint at random in its authors' layout, and what it ought to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import small_classifiers
import small_emotion2vec
import small_sensevoice
import small_speech
import small_transformers

from intonate.emotions import canonical

IEMOCAP = ("neu", "hap", "ang", "sad")
DIMENSIONS = ("arousal", "dominance", "valence")


@dataclass(frozen=True)
class Case:
    """One layout.

    Attributes:
        family: the name in the catalogue.
        write: makes the checkpoint in a folder that is not there yet.
        answer: (folder, waveform at 16 kHz) -> {label: probability}, reckoned without any code of intonate.
        weights: the file of weights that is damaged to see what is said.
    """

    family: str
    write: Callable[[Path], object]
    answer: Callable[[Path, np.ndarray], Mapping[str, float]]
    weights: str


def renamed(answer: Mapping[str, float]) -> dict[str, float]:
    """The same under the names that intonate uses."""
    names = {label: label.rpartition("/")[2].replace("<unk>", "unknown") for label in answer}
    names = {
        label: name.removeprefix("<|").removesuffix("|>").removeprefix("EMO_").lower() for label, name in names.items()
    }
    return {name if name in DIMENSIONS else canonical(name): answer[label] for label, name in names.items()}


def emotion2vec(labels: tuple[str, ...], normalise: bool = True) -> Case:
    small = small_emotion2vec
    return Case(
        "emotion2vec",
        lambda folder: small.checkpoint(folder, labels, small.TINY, normalise),
        lambda folder, waveform: small.answer(small.TINY, labels, waveform, normalise),
        "model.pt",
    )


def sensevoice() -> Case:
    small = small_sensevoice
    return Case("sensevoice", small.checkpoint, lambda _, waveform: small.answer(small.TINY, waveform), "model.pt")


def transformers(write: Callable[[Path], object]) -> Case:
    return Case("transformers", write, small_transformers.answer, "model.safetensors")


def own_head(labels: tuple[str, ...], second: str = "out_proj") -> Case:
    return Case(
        "own_head",
        lambda folder: small_transformers.own_head(folder, labels, second),
        small_transformers.own_head_answer,
        "model.safetensors",
    )


def odyssey(labels: tuple[str, ...], layers: int = 1) -> Case:
    small = small_speech
    return Case(
        "odyssey", lambda folder: small.odyssey(folder, labels, layers), small.odyssey_answer, "model.safetensors"
    )


def speechbrain() -> Case:
    small = small_speech
    return Case(
        "speechbrain",
        lambda folder: small.speechbrain(folder, IEMOCAP),
        lambda folder, waveform: small.speechbrain_answer(folder, IEMOCAP, waveform),
        "wav2vec2.ckpt",
    )


def vox_profile(kind: str, has_labels: bool = True, rank: int = 0) -> Case:
    small = small_speech
    return Case(
        "vox_profile",
        lambda folder: small.vox_profile(folder, kind, has_labels, rank),
        small.vox_profile_answer,
        "model.safetensors",
    )


CASES: dict[str, Case] = {
    "emotion2vec_plus": emotion2vec(small_emotion2vec.LABELS),
    "emotion2vec, some outputs unused": emotion2vec(small_emotion2vec.FEW_LABELS, normalise=False),
    "SenseVoice": sensevoice(),
    "HuBERT": transformers(lambda folder: small_classifiers.checkpoint(folder, IEMOCAP)),
    **{
        kind: transformers(lambda folder, kind=kind: small_transformers.checkpoint(folder, kind, IEMOCAP))
        for kind in small_transformers.CONFIGS
    },
    "Odyssey, labels": odyssey(small_speech.ODYSSEY_LABELS),
    "Odyssey, dimensions": odyssey(DIMENSIONS, layers=2),
    "SpeechBrain": speechbrain(),
    "Vox-Profile, WavLM": vox_profile("wavlm_large", rank=4),
    "Vox-Profile, dimensions alone": vox_profile("wavlm", has_labels=False),
    "Vox-Profile, Whisper": vox_profile("whisper_tiny"),
    "wav2small": Case("wav2small", small_speech.wav2small, small_speech.wav2small_answer, "model.safetensors"),
    "audEERING": own_head(DIMENSIONS),
    "two layers of its own": own_head(IEMOCAP, "output"),
    "letters that are emotions": own_head(IEMOCAP, "lm_head"),
}
