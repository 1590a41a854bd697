"""A model file with weights of 8 bits: a quarter of the size, and on CPUs several times quicker where it is large.

Only matrix products and LSTMs are quantised, their activations as they come ("dynamic"). onnxruntime's convolutions of
integers are no quicker than those of floats; so the convolutions over time that HuBERT and its kin begin with, two
fifths of their work, are written as matrix products first.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from intonate.errors import ModelError, require
from intonate.export.convolutions import multiply_out
from intonate.export.onnx import data_of, is_large, move, quiet, save
from intonate.export.probes import probes
from intonate.recognizer.inputs import padded_batch
from intonate.recognizer.model_file import ModelFile, read_model

OPERATORS = ("MatMul", "Gemm", "LSTM")
# What such a graph has and no other: the operators that round activations to 8 bits.
MARKS = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeLSTM", "MatMulIntegerToFloat", "QuantizeLinear"})
SUFFIX = "-int8"


@dataclass(frozen=True, slots=True)
class Quantized:
    """What came of it.

    Attributes:
        path: the file.
        bytes_before: size of the file it was made of, weights beside it included.
        bytes_after: its own size.
        difference: the largest difference of a probability between the two, on three clips.
    """

    path: Path
    bytes_before: int
    bytes_after: int
    difference: float


def quantized(model: str | Path, output: str | Path) -> Quantized:
    """Write `NAME-int8.onnx`. Its spec is the model's, but for the name; held-out scores are those of the model.

    Args:
        model: a model file.
        output: the folder to write to.

    Raises:
        ModelError: the file is quantised already, has nothing that could be, or holds a graph that onnxruntime cannot
            quantise.
    """
    onnx, tools = require("onnx", "train"), require("onnxruntime.quantization", "train")
    original = read_model(model)
    graph = onnx.load(str(original.path))
    if MARKS & _operator_types(graph):
        raise ModelError(f"{original.path} is quantised already; give the file that it was made of")
    # Shapes that the exporter noted, with which onnxruntime's own reckoning would quarrel.
    del graph.graph.value_info[:]
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    spec = replace(original.spec, name=f"{original.spec.name}{SUFFIX}")
    with tempfile.TemporaryDirectory(dir=output) as folder:
        raw, target = Path(folder) / "raw.onnx", Path(folder) / "made" / f"{spec.name}.onnx"
        target.parent.mkdir()
        try:
            with quiet():
                # Signed weights: their products take an eighth of the time of unsigned ones on CPUs with VNNI. Those
                # without add pairs of products in 16 bits, which overflow unless weights keep to 7 bits.
                tools.quantize_dynamic(
                    graph, raw, op_types_to_quantize=list(OPERATORS), weight_type=tools.QuantType.QInt8,
                    per_channel=True, reduce_range=True, use_external_data_format=is_large(graph),
                )  # fmt: skip
        except (RuntimeError, ValueError, KeyError) as error:
            raise ModelError(f"{original.path} cannot be quantised: {' '.join(str(error).split())[:200]}") from error
        quantized_graph = onnx.load(str(raw))
        multiply_out(quantized_graph)
        if not MARKS & _operator_types(quantized_graph):
            raise ModelError(
                f"{original.path} has no weights that could be quantised ({', '.join(OPERATORS)}); use it as it is"
            )
        onnx.helper.set_model_props(quantized_graph, {entry.key: entry.value for entry in graph.metadata_props})
        save(quantized_graph, spec, target)
        difference = _largest_difference(original, read_model(target))
        path = output / target.name
        move(target, path)
    return Quantized(path, _file_bytes(original.path), _file_bytes(path), difference)


def _operator_types(graph: Any) -> set[str]:
    return {node.op_type for node in graph.graph.node}


def _largest_difference(original: ModelFile, quantized_file: ModelFile) -> float:
    feeds = [padded_batch(original.spec.inputs, [clip]) for clip in probes(original.spec)]
    return float(max(np.abs(original.run(feed) - quantized_file.run(feed)).max() for feed in feeds))


def _file_bytes(path: Path) -> int:
    """Bytes of a model file, with the weights that may lie beside it."""
    return sum(part.stat().st_size for part in (path, data_of(path)) if part.is_file())
