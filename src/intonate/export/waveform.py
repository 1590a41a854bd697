"""A model file with its front end inside: one ONNX graph that takes samples, for engines without Python.

    waveform_model("compact.onnx", "out")    # out/compact-waveform.onnx

The graph takes a clean waveform (1, samples) at 16 kHz: what the cleaning steps of its spec leave. Its first output is
`logits`, as in any model file, so that `predict` reads it too; `scores` are the calibrated probabilities. Where the
model normalises with what it has heard of the speaker, the graph takes and gives that as well, input by input:
`NAME_moments`, (3, columns) float64: how many rows, their sum, their squares' sum. Zeros, the default, are a clip
alone; the output fed to the next clip is the running speaker of a stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from intonate.errors import ModelError, require
from intonate.export.front_ends import SAMPLE_RATE_HZ, FrontEnds
from intonate.export.nodes import Graph, Value
from intonate.export.onnx import OPSET, check, opset_of, save, written_aside
from intonate.export.probes import sounds
from intonate.recognizer import inputs
from intonate.recognizer.model_file import ModelFile, read_model
from intonate.schema import ModelInput, ModelSpec, Normalisation

SUFFIX = "-waveform"
INPUT, MOMENTS = "waveform", "_moments"
# Smallest standard deviation, as in `features/normalise.py`.
TINY = 1e-4


def waveform_model(model: str | Path, output: str | Path) -> Path:
    """Write `NAME-waveform.onnx`, checked against the model with its numpy front ends.

    Args:
        model: a model file.
        output: the folder to write to.

    Returns:
        The file.

    Raises:
        ModelError: the model reads words, hears another rate, or has a front end that cannot be put into the graph; or
            the graph answers differently.
    """
    before = read_model(model)
    spec = waveform_spec(before.spec)
    clips = [{INPUT: sound} for sound in sounds(spec.sample_rate_hz)]
    path = Path(output) / f"{spec.name}.onnx"
    with written_aside(path) as target:
        save(waveform_graph(before), spec, target)
        check(target, spec, clips, lambda feeds: _expected(before, feeds[INPUT]))
    return path


def waveform_spec(spec: ModelSpec) -> ModelSpec:
    """The spec of the model with its front ends in the graph."""
    return replace(
        spec,
        name=f"{spec.name}{SUFFIX}",
        inputs=(ModelInput(INPUT, "waveform", {"scale": False}),),
        batching="one",
        encoders={},
        regions=(),
        distances=(),
    )


def waveform_graph(model: ModelFile, optional_speaker: bool = True) -> Any:
    """The ONNX model: front ends, normalisation, the model's own graph, calibration.

    Args:
        model: what is put behind its front ends.
        optional_speaker: whether the moments have a default, zeros; engines that feed only the inputs without one want
            none.

    Raises:
        ModelError: as in `waveform_model`.
    """
    onnx, spec = require("onnx", "train"), model.spec
    if inputs.takes_text(spec):
        raise ModelError(f"model {spec.name!r} reads words, and a graph of samples cannot; give one that listens only")
    if spec.pieces:
        raise ModelError(f"model {spec.name!r} writes words down, for which its graph has an output that is not kept")
    if spec.sample_rate_hz != SAMPLE_RATE_HZ:
        raise ModelError(
            f"model {spec.name!r} hears {spec.sample_rate_hz:,} Hz; only {SAMPLE_RATE_HZ:,} Hz can be put in"
        )
    inner = onnx.load(str(model.path))
    version = opset_of(inner)
    if version < OPSET or inner.functions:
        raise ModelError(
            f"the graph of model {spec.name!r} is of operator set {version}, or has functions, and its front end is "
            f"written in {OPSET} or above, without; export the model again"
        )
    graph = Graph("front/", version)
    sound = graph.input(INPUT, np.float32, [1, "samples"])
    front = FrontEnds(graph, sound.reshape(-1))
    feeds: dict[str, Value] = {}
    moments: dict[str, Value] = {}
    for item in spec.inputs:
        features = front.get(item.front_end, item.params)
        if item.normalisation is not None:
            rows = features if _has_rows(item) else features.reshape(1, -1)
            columns = len(item.normalisation.mean)
            total = _moments(graph, rows)
            if item.normalisation.kind == "speaker":
                total = total + graph.input(f"{item.name}{MOMENTS}", np.float64, [3, columns])
                moments[item.name] = total
            features = _normalised(graph, features, item.normalisation, total)
        feeds[item.name] = graph.node("Unsqueeze", features, np.array([0], np.int64), dtype=np.float32)
        if item.lengths:
            feeds[item.lengths] = features.length().reshape(1)
    logits = graph.embed(inner, feeds, "model/")
    outputs = len(spec.outputs)
    graph.output("logits", logits, [1, outputs])
    graph.output("scores", _scores(graph, logits, spec), [1, outputs])
    for name, value in moments.items():
        graph.output(f"{name}{MOMENTS}_out", value, [3, len(_input(spec, name).mean)])
    if optional_speaker:
        for name in moments:
            zeros = np.zeros((3, len(_input(spec, name).mean)))
            graph.constants.append(onnx.numpy_helper.from_array(zeros, f"{name}{MOMENTS}"))
    helper = onnx.helper
    made = helper.make_model(
        helper.make_graph(graph.nodes, spec.name, graph.inputs, graph.outputs, graph.constants),
        opset_imports=[*inner.opset_import],
        ir_version=inner.ir_version,
        producer_name="intonate",
    )
    onnx.checker.check_model(made)
    return made


def _input(spec: ModelSpec, name: str) -> Normalisation:
    normalisation = next(item.normalisation for item in spec.inputs if item.name == name)
    if normalisation is None:
        raise ModelError(f"input {name!r} of model {spec.name!r} is not normalised")
    return normalisation


def _has_rows(item: ModelInput) -> bool:
    """Whether a front end gives (rows, columns) rather than one vector."""
    return item.front_end not in ("voice_functionals", "pooled", "waveform")


def _moments(graph: Graph, rows: Value) -> Value:
    """(3, columns) float64 of (rows, columns): `features.normalise.Moments`."""
    rows = rows.cast(np.float64)
    count = rows.length().cast(np.float64)
    total = rows.sum(0)
    parts = [total * 0 + count, total, rows.square().sum(0)]
    return graph.concat([part.reshape(1, -1) for part in parts], dtype=np.float64)


def _normalised(graph: Graph, features: Value, normalisation: Normalisation, moments: Value) -> Value:
    """`features.normalise.normalise`."""
    mean0, sd0, prior = (
        np.asarray(row, np.float64) for row in (normalisation.mean, normalisation.sd, normalisation.prior)
    )
    count, total, squares = (moments.at(row) for row in range(3))
    mean: Value
    if normalisation.kind == "corpus":
        mean, variance = graph.value(mean0, np.float64), graph.value(np.square(sd0), np.float64)
    elif normalisation.kind == "clip":
        mean = total / count
        variance = squares / count - mean.square()
    else:
        mean = (total + prior * mean0) / (count + prior).maximum(TINY)
        around = (squares - mean * total * 2 + count * mean.square()).maximum(0.0)
        weight = normalisation.prior_sd
        variance = (around + weight * np.square(sd0)) / (count + weight)
    sd = variance.maximum(TINY**2).apply("Sqrt").cast(np.float32)
    scaled = (features - mean.cast(np.float32)) / sd
    return scaled.clip(-normalisation.clip, normalisation.clip) if normalisation.clip else scaled


def _scores(graph: Graph, logits: Value, spec: ModelSpec) -> Value:
    """Calibrated probabilities of the labels, and the outputs behind them: `ModelFile.run`."""
    labels = len(spec.labels)
    if not labels:
        return logits.clip(0.0, 1.0)
    calibrated = logits.slice(0, labels, axis=1) / spec.temperature
    scores = calibrated.apply("Sigmoid") if spec.multi_label else calibrated.apply("Softmax", axis=1)
    if len(spec.outputs) == labels:
        return scores
    others = logits.slice(labels, len(spec.outputs), axis=1).clip(0.0, 1.0)
    return graph.concat([scores, others], axis=1)


def _expected(model: ModelFile, sound: Any) -> Any:
    """The logits of the model with its numpy front ends, each clip alone."""
    answers = []
    for samples in sound:
        clip = inputs.normalise_alone(model.spec, inputs.extract(model.spec, samples))
        feeds: Mapping[str, Any] = inputs.padded_batch(model.spec.inputs, [clip])
        answers.append(model.session.run(None, feeds)[0])
    return np.concatenate(answers)
