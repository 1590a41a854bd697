"""A corpus that nobody spoke: tones whose melody, loudness and speed tell the "emotion", by several "speakers"."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import yaml

from intonate import corpora
from intonate.corpora import manifest

SAMPLE_RATE_HZ = 16_000
# emotion -> (pitch against the speaker's own, rise in semitones, loudness, syllables per second)
MANNER = {
    "angry": (1.3, -4.0, 0.5, 6.0),
    "happy": (1.5, 5.0, 0.3, 5.0),
    "neutral": (1.0, 0.0, 0.2, 4.0),
    "sad": (0.8, -2.0, 0.1, 2.5),
}
SPEAKERS = ("ada", "ben", "cleo", "dan", "eve", "fritz")


def voice(
    emotion: str, speaker: int, rng: np.random.Generator, seconds: float | None = None, hiss: float = 0.0
) -> np.ndarray:
    """(samples,) float32: a buzz with twelve harmonics, syllable by syllable.

    With `hiss` (0.1) between them, as of consonants, the neural voice activity takes it for a voice.
    """
    pitch, rise, loud, rate_hz = MANNER[emotion]
    seconds = rng.uniform(0.8, 1.6) if seconds is None else seconds
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    f0_hz = (110 + 25 * speaker) * pitch * 2 ** (rise * time_s / seconds / 12) * rng.uniform(0.95, 1.05)
    phase = 2 * np.pi * np.cumsum(f0_hz) / SAMPLE_RATE_HZ
    buzz = sum(np.sin(k * phase) / k for k in range(1, 13))
    # Quiet between the syllables, or it is a hum and no voice.
    syllables = np.square(np.sin(np.pi * (rate_hz * time_s + rng.uniform(0, 1))))
    sound = syllables * buzz / 3 + 0.0003 / loud * rng.normal(size=len(time_s))
    if hiss:
        sound += hiss * np.diff(rng.normal(size=len(time_s)), prepend=0.0) * (1 - syllables) ** 4
    return np.asarray(loud * sound, np.float32)


def clip(path: Path) -> Path:
    """An angry clip that the voice activity takes for speech."""
    soundfile.write(path, voice("angry", 0, np.random.default_rng(0), seconds=1.2, hiss=0.1), SAMPLE_RATE_HZ)
    return path


def corpus(root: Path, speakers: int = 4, takes: int = 3, emotions: tuple[str, ...] = tuple(MANNER)) -> Path:
    """A folder `emotion/speaker/take.wav` for the corpus `folder`."""
    rng = np.random.default_rng(0)
    for emotion in emotions:
        for place, speaker in enumerate(SPEAKERS[:speakers]):
            folder = root / emotion / speaker
            folder.mkdir(parents=True)
            for take in range(takes):
                soundfile.write(folder / f"{emotion}-{speaker}-{take}.wav", voice(emotion, place, rng), SAMPLE_RATE_HZ)
    return root


def two_corpora(folder: Path, root: Path) -> dict[str, str]:
    """The toy corpus and another one, of other speakers on a worse microphone, as `data.corpora` of a recipe."""
    rng, rows = np.random.default_rng(1), []
    root.mkdir(parents=True, exist_ok=True)
    for emotion in MANNER:
        for place, speaker in enumerate(("gil", "hana", "ida", "jon")):
            for take in range(3):
                name = f"{emotion}-{speaker}-{take}.wav"
                sound = voice(emotion, place + 1, rng)
                soundfile.write(root / name, np.diff(sound, prepend=0) * 0.5, SAMPLE_RATE_HZ)
                rows.append(f"{name},{emotion},{speaker}")
    (root / "labels.csv").write_text("\n".join(["file,emotion,speaker", *rows]) + "\n", encoding="utf-8")
    return {"folder": str(folder), "table": str(root)}


VOICE = {"voice": {"front_end": "voice_functionals", "normalise": {"kind": "speaker", "prior": 3, "clip": 5}}}
MEL = {
    "mel": {
        "front_end": "log_mel",
        "params": {"bands": 40, "level": False},
        "normalise": {"kind": "speaker", "prior": 300, "prior_sd": 300},
    }
}
SMALL = {"channels": [4, 8, 8, 8], "blocks": [0, 1, 1, 1], "width": 16, "hidden": 16}


def words(emotion: str) -> str:
    """Something to say that tells the emotion as well."""
    return f"they are {emotion}, by the door"


def with_words(path: Path, folder: Path) -> dict[str, object]:
    """The `data` part of a recipe on the toy corpus, where every clip has words; its manifest is written to `path`."""
    spoken = corpora.read("folder", folder).utterances
    manifest.write(path, [replace(utterance, text=words(utterance.emotion)) for utterance in spoken])
    return {"manifest": str(path), "labels": "4", "split": "speakers-4", "folds": [1], "cache": ""}


def with_several_labels(path: Path, folder: Path) -> str:
    """A manifest of the toy corpus in which a clip may be loud, fast, both or neither."""
    labels = {"angry": ("loud", "fast"), "happy": ("fast",), "neutral": ("loud",), "sad": ()}
    spoken = corpora.read("folder", folder).utterances
    manifest.write(path, [replace(utterance, labels=labels[utterance.emotion]) for utterance in spoken])
    return str(path)


def recipe(path: Path, folder: Path, **parts: object) -> Path:
    """A YAML recipe of a small `compact` on the toy corpus; `parts` replace its parts."""
    raw = {
        "name": "toy",
        "data": {"corpora": {"folder": str(folder)}, "labels": "4", "split": "speakers-4", "folds": [1], "cache": ""},
        "inputs": MEL | VOICE,
        "model": {"name": "compact", "params": SMALL},
        "training": {"epochs": 2, "batch_size": 8, "average": 0.5},
        "card": {"licence": "CC0-1.0"},
    } | parts
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def encoder(bands: int = 80, columns: int = 3) -> bytes:
    """An ONNX graph (1, rows, bands) -> (1, rows, columns) in place of a speech encoder: a projection at random."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).normal(0, 0.1, (bands, columns)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["mel", "weights"], ["rows"])],
        "encoder",
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, [1, "frames", bands])],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [1, "frames", columns])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
