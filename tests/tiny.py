"""Tiny models, built by hand: what the recognizer must be able to read, without training anything."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from intonate.schema import ModelInput, ModelSpec, Normalisation, Region

LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
BANDS = 8
# Where its one corpus lies.
REGIONS = (Region((-8.0,) * BANDS, (4.0,) * BANDS),)


def spec(**changes: object) -> ModelSpec:
    """Log-mel frames, normalised by the running speaker, lengths told to the graph."""
    normalisation = Normalisation("speaker", (-8.0,) * BANDS, (4.0,) * BANDS, (100.0,) * BANDS, 100.0)
    mel = ModelInput("mel", "log_mel", {"bands": BANDS}, lengths="mel_lengths", normalisation=normalisation)
    known: dict[str, object] = {
        "name": "tiny",
        "labels": LABELS,
        "inputs": (mel,),
        "clean": ({"step": "trim", "below_db": 40.0},),
        "temperature": 0.5,
        "languages": ("en",),
        "corpora": ("ravdess",),
        "licence": "CC-BY-4.0",
        "scores": {
            "held_out_speakers": [
                {"statistics": "clip alone", "group": "corpus", "name": "ravdess", "uar_restricted": {"value": 0.5}},
                {"statistics": "clip alone", "group": "language", "name": "en", "uar_restricted": {"value": 0.4}},
            ]
        },
    }
    return ModelSpec(**(known | changes))  # type: ignore[arg-type]


def write(path: object, model_spec: ModelSpec | None, *, tokens: bool = False, classes: int = len(LABELS)) -> None:
    """A masked mean over the frames, then a linear layer; with `tokens`, plus a mean of token embeddings.

    Args:
        path: where to write.
        model_spec: goes into the metadata; None for a graph that is not ours.
        tokens: a second input, (batch, tokens) int64 with lengths.
        classes: outputs of the graph.
    """
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(BANDS, classes)).astype(np.float32)
    embeddings = rng.normal(size=(100, classes)).astype(np.float32)
    nodes = [*_mean("mel", "mel_lengths", "mel"), helper.make_node("MatMul", ["mel_mean", "w"], ["mel_out"])]
    graph_inputs = [_input("mel", TensorProto.FLOAT, ["batch", "rows", BANDS]), _lengths("mel_lengths")]
    last = "mel_out"
    if tokens:
        nodes += [helper.make_node("Gather", ["e", "ids"], ["embedded"]), *_mean("embedded", "ids_lengths", "text")]
        nodes += [helper.make_node("Add", ["mel_out", "text_mean"], ["both"])]
        graph_inputs += [_input("ids", TensorProto.INT64, ["batch", "tokens"]), _lengths("ids_lengths")]
        last = "both"
    nodes += [helper.make_node("Identity", [last], ["logits"])]
    constants = {"w": weights, "axes": np.array([1], np.int64), "last": np.array([-1], np.int64), "one": np.array(1)}
    constants |= {"zero": np.array(0), "position": np.array(1), "third": np.array([2], np.int64)}
    constants |= {"e": embeddings} if tokens else {}
    graph = helper.make_graph(
        nodes,
        "tiny",
        graph_inputs,
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if model_spec is not None:
        helper.set_model_props(model, {"intonate.spec": model_spec.to_json()})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def write_reader(path: object, model_spec: ModelSpec) -> None:
    """A graph that only reads: the mean of token embeddings."""
    embeddings = np.random.default_rng(1).normal(size=(100, len(model_spec.labels))).astype(np.float32)
    nodes = [helper.make_node("Gather", ["e", "ids"], ["embedded"]), *_mean("embedded", "ids_lengths", "text")]
    nodes += [helper.make_node("Identity", ["text_mean"], ["logits"])]
    constants = {"e": embeddings, "axes": np.array([1], np.int64), "one": np.array(1), "zero": np.array(0)}
    constants |= {"position": np.array(1), "third": np.array([2], np.int64)}
    graph = helper.make_graph(
        nodes,
        "reader",
        [_input("ids", TensorProto.INT64, ["batch", "tokens"]), _lengths("ids_lengths")],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(model_spec.labels)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"intonate.spec": model_spec.to_json()})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def token_spec(**changes: object) -> ModelSpec:
    """The two-input model: sound and text."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: number for number, word in enumerate(["[UNK]", "kids", "are", "talking", "by", "the", "door"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    inputs = (*spec().inputs, ModelInput("ids", "tokens", lengths="ids_lengths"))
    return spec(name="tiny-text", inputs=inputs, tokenizer=tokenizer.to_str(), text_required=True, **changes)


def speech(duration_s: float, rate_hz: int = 16_000, seed: int = 0, hiss: float = 0.0) -> np.ndarray:
    """A synthetic voice that the detector takes for one: glottal pulses through formants of vowels, in syllables.

    With `hiss` (0.1) between them, as of consonants, the neural detector finds it from its first sound on, too.
    Formants (Hz) of six vowels after Peterson and Barney (1952), men.
    """
    rng = np.random.default_rng(seed)
    samples, hop, size = round(duration_s * rate_hz), rate_hz // 100, 1024
    time_s = np.arange(samples) / rate_hz
    start, start_fast = rng.uniform(0, 6, 2)
    octaves = 0.25 * np.sin(2 * np.pi * 0.4 * time_s + start) + 0.1 * np.sin(2 * np.pi * 2.3 * time_s + start_fast)
    pulses = np.diff(np.floor(np.cumsum(120 * 2**octaves) / rate_hz), prepend=0.0) + 0.01 * rng.normal(size=samples)
    vowels = np.array(
        [(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410), (660, 1720, 2410)]
    )
    spoken = vowels[rng.integers(0, len(vowels), round(duration_s / 0.18) + 3)]
    frames = -(-samples // hop)
    places = np.arange(frames) * 0.01 / 0.18
    formants = np.stack([np.interp(places, np.arange(len(spoken)), spoken[:, place]) for place in range(3)], axis=1)
    frequencies, padded, voice = (
        np.fft.rfftfreq(size, 1 / rate_hz),
        np.pad(pulses, (hop, size)),
        np.zeros(samples + size),
    )
    for frame, centres in enumerate(formants):
        resonance = sum(
            gain / (1 + ((frequencies - centre) / width) ** 2)
            for centre, width, gain in zip(centres, (60, 90, 150), (1, 0.6, 0.35), strict=True)
        )
        piece = padded[frame * hop : (frame + 2) * hop] * np.hanning(2 * hop)
        voice[frame * hop : frame * hop + size] += np.fft.irfft(np.fft.rfft(piece, size) * resonance, size)
    syllables = np.clip(1.3 * np.sqrt(np.abs(np.sin(np.pi * time_s / 0.18))), 0.1, 1)
    voice = voice[:samples] * syllables
    if hiss:
        consonants = np.diff(rng.normal(size=samples), prepend=0.0) * np.clip(1 - syllables, 0, None)
        voice += hiss * np.abs(voice).max() * consonants
    return (0.3 * voice / np.abs(voice).max() + 1e-4 * rng.normal(size=samples)).astype(np.float32)


def _mean(values: str, lengths: str, name: str) -> list[onnx.NodeProto]:
    """Mean of (batch, rows, columns) over the rows that are within the lengths."""
    return [
        helper.make_node("Shape", [values], [f"{name}_shape"]),
        helper.make_node("Gather", [f"{name}_shape", "position"], [f"{name}_rows"]),
        helper.make_node("Range", ["zero", f"{name}_rows", "one"], [f"{name}_range"]),
        helper.make_node("Unsqueeze", [lengths, "axes"], [f"{name}_column"]),
        helper.make_node("Less", [f"{name}_range", f"{name}_column"], [f"{name}_inside"]),
        helper.make_node("Cast", [f"{name}_inside"], [f"{name}_mask2"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", [f"{name}_mask2", "third"], [f"{name}_mask"]),
        helper.make_node("Mul", [values, f"{name}_mask"], [f"{name}_masked"]),
        helper.make_node("ReduceSum", [f"{name}_masked", "axes"], [f"{name}_sum"], keepdims=0),
        helper.make_node("Cast", [f"{name}_column"], [f"{name}_count"], to=TensorProto.FLOAT),
        helper.make_node("Div", [f"{name}_sum", f"{name}_count"], [f"{name}_mean"]),
    ]


def _input(name: str, kind: int, shape: list[object]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _lengths(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch"])
