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
from numpy.typing import NDArray

from intonate.errors import ModelError, require
from intonate.export.onnx import ONE_FILE_BYTES, quiet, save
from intonate.export.probes import probes
from intonate.recognizer.inputs import padded
from intonate.recognizer.model_file import ModelFile, read_model

OPERATORS = ("MatMul", "Gemm", "LSTM")
# What such a graph has and no other: the operators that round activations to 8 bits.
MARKS = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeLSTM", "MatMulIntegerToFloat", "QuantizeLinear"})
SUFFIX = "-int8"
# Channels from which a convolution is worth it: with fewer, laying out its input costs more than the product.
FEWEST_CHANNELS = 64


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
    before = read_model(model)
    graph = onnx.load(str(before.path))
    if MARKS & _operators(graph):
        raise ModelError(f"{before.path} is quantised already; give the file that it was made of")
    # Shapes that the exporter noted, with which onnxruntime's own reckoning would quarrel.
    del graph.graph.value_info[:]
    _multiply_out(graph)
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    spec = replace(before.spec, name=f"{before.spec.name}{SUFFIX}")
    with tempfile.TemporaryDirectory(dir=output) as folder:
        raw, target = Path(folder) / "raw.onnx", Path(folder) / "made" / f"{spec.name}.onnx"
        target.parent.mkdir()
        try:
            with quiet():
                # Signed weights: their products take an eighth of the time of unsigned ones on CPUs with VNNI. Those
                # without add pairs of products in 16 bits, which overflow unless weights keep to 7 bits.
                tools.quantize_dynamic(
                    graph, raw, op_types_to_quantize=list(OPERATORS), weight_type=tools.QuantType.QInt8,
                    per_channel=True, reduce_range=True, use_external_data_format=graph.ByteSize() > ONE_FILE_BYTES,
                )  # fmt: skip
        except (RuntimeError, ValueError, KeyError) as error:
            raise ModelError(f"{before.path} cannot be quantised: {' '.join(str(error).split())[:200]}") from error
        made = onnx.load(str(raw))
        if not MARKS & _operators(made):
            raise ModelError(
                f"{before.path} has no weights that could be quantised ({', '.join(OPERATORS)}); use it as it is"
            )
        onnx.helper.set_model_props(made, {entry.key: entry.value for entry in graph.metadata_props})
        save(made, spec, target)
        difference = _difference(before, read_model(target))
        for part in sorted(target.parent.iterdir(), reverse=True):
            part.replace(output / part.name)
    path = output / target.name
    return Quantized(path, _size(before.path), _size(path), difference)


def _multiply_out(graph: Any) -> None:
    """Convolutions over time as matrix products, in place."""
    onnx = require("onnx", "train")
    weights = {entry.name: entry for entry in graph.graph.initializer}
    version = next(opset.version for opset in graph.opset_import if opset.domain in ("", "ai.onnx"))
    nodes, constants, replaced = [], [], set()
    for node in graph.graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "Conv" else None
        settings = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        pads = any(settings.get("pads", ())) or settings.get("auto_pad", b"NOTSET") != b"NOTSET"
        grouped = settings.get("group", 1) != 1
        if weight is None or len(weight.dims) != 3 or weight.dims[1] < FEWEST_CHANNELS or pads or grouped:
            nodes.append(node)
            continue
        (stride,), (dilation,) = settings.get("strides", [1]), settings.get("dilations", [1])
        more, theirs = _product(node, onnx.numpy_helper.to_array(weight), stride, dilation, version)
        nodes += more
        constants += theirs
        replaced.add(weight.name)
    unused = replaced - {name for node in nodes for name in node.input}
    constants += [entry for entry in weights.values() if entry.name not in unused]
    del graph.graph.node[:], graph.graph.initializer[:]
    graph.graph.node.extend(nodes)
    graph.graph.initializer.extend(constants)


def _product(
    convolution: Any, kernel: NDArray[Any], stride: int, dilation: int, version: int
) -> tuple[list[Any], list[Any]]:
    """The nodes and constants that do what a convolution does.

    With a kernel of K, (batch, channels, T) becomes (batch, frames, K * channels): K strided slices side by side. Each
    frame is divided by the largest value in it, and its product multiplied by that again: onnxruntime rounds to 8 bits
    by the largest value of the whole clip, beside which quiet frames would be nothing.

    Args:
        convolution: the node.
        kernel: (outputs, channels, K).
        stride: of the frames, in rows of the input.
        dilation: of the kernel, in rows of the input.
        version: of the operator set; from 18 on, reductions take their axes as an input.
    """
    onnx = require("onnx", "train")
    outputs, channels, taps = kernel.shape
    nodes, constants = [], []

    def constant(name: str, value: Any) -> str:
        name = f"{convolution.output[0]}/{name}"
        constants.append(onnx.numpy_helper.from_array(np.array(value), name))
        return name

    def made(operator: str, given: list[str], name: str, **attributes: Any) -> str:
        name = f"{convolution.output[0]}/{name}"
        nodes.append(onnx.helper.make_node(operator, given, [name], **attributes))
        return name

    sound = convolution.input[0]
    # Which rows each frame is made of, (frames, K): 0, dilation, 2 * dilation..., and a stride further for the next.
    time = made("Gather", [made("Shape", [sound], "shape"), constant("last", np.int64(2))], "time")
    end = made("Sub", [time, constant("reach", np.int64((taps - 1) * dilation))], "end")
    starts = made("Range", [constant("zero", np.int64(0)), end, constant("stride", np.int64(stride))], "starts")
    starts = made("Reshape", [starts, constant("as_column", [-1, 1])], "column")
    places = made("Add", [starts, constant("steps", dilation * np.arange(taps))], "places")
    frames = made("Gather", [made("Transpose", [sound], "rows", perm=[0, 2, 1]), places], "frames", axis=1)
    frames = made("Reshape", [frames, constant("side_by_side", [0, 0, taps * channels])], "inputs")

    axes, attributes = ([constant("channels", [1])], {}) if version >= 18 else ([], {"axes": [1]})
    highest, lowest = (made(f"Reduce{end}", [sound, *axes], end, keepdims=0, **attributes) for end in ("Max", "Min"))
    size = made("Max", [highest, made("Neg", [lowest], "depth"), constant("least", np.float32(1e-9))], "size")
    axes, attributes = ([constant("columns", [2])], {}) if version >= 18 else ([], {"axes": [2]})
    largest = made("ReduceMax", [made("Gather", [size, places], "sizes", axis=1), *axes], "largest", **attributes)

    scaled = made("Div", [frames, largest], "scaled")
    matrix = constant("matrix", kernel.transpose(2, 1, 0).reshape(taps * channels, outputs))
    product = made("Mul", [made("MatMul", [scaled, matrix], "product"), largest], "sums")
    if len(convolution.input) > 2:
        product = made("Add", [product, convolution.input[2]], "biased")
    nodes.append(onnx.helper.make_node("Transpose", [product], [convolution.output[0]], perm=[0, 2, 1]))
    return nodes, constants


def _operators(graph: Any) -> set[str]:
    return {node.op_type for node in graph.graph.node}


def _difference(before: ModelFile, after: ModelFile) -> float:
    feeds = [padded(before.spec.inputs, [clip]) for clip in probes(before.spec)]
    return float(max(np.abs(before.run(each) - after.run(each)).max() for each in feeds))


def _size(path: Path) -> int:
    """Bytes of a model file, with the weights that may lie beside it."""
    return sum(part.stat().st_size for part in (path, path.with_name(f"{path.name}.data")) if part.is_file())
