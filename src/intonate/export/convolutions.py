"""Convolutions over time as matrix products of 8-bit integers, in an ONNX graph.

HuBERT and its kin begin with seven of them, two fifths of their work, and onnxruntime's convolutions of integers are no
quicker than those of floats. Rows of channels, (T, channels), lie side by side in memory, so that K neighbours of them
are one row of a matrix, and in 8 bits laying these out costs a quarter.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.errors import require
from intonate.export.nodes import Graph, Value
from intonate.export.onnx import opset_of

# Channels from which a convolution is worth it: with fewer, laying out its input costs more than the product.
FEWEST_CHANNELS = 64
# Numbers in a frame up to which the normalisation of what a convolution gives is reckoned from its input.
FEW = 64
# Activations have 8 bits, written without their sign, and weights 7: two products then add up to no more than 16 bits,
# in which CPUs without VNNI add them.
ZERO, ACTIVATION_STEPS, WEIGHT_STEPS = 128, 127, 63
MICROSOFT = "com.microsoft"


def multiply_out(graph: Any) -> None:
    """Rewrite the convolutions of a graph that are worth it, in place.

    Those over time, with weights of their own, without padding and groups: with many channels they become products of
    integers; with few numbers in a frame and a norm of each channel behind them, as HuBERT-base begins, both become
    one product of floats.
    """
    onnx = require("onnx", "train")
    weights = {entry.name: entry for entry in graph.graph.initializer}
    uses = Counter(name for node in graph.graph.node for name in node.input)
    uses.update(entry.name for entry in graph.graph.output)
    norms = {node.input[0]: node for node in graph.graph.node if node.op_type == "InstanceNormalization"}
    version = opset_of(graph)
    nodes, constants, replaced_outputs = [], [], set()
    for node in graph.graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "Conv" else None
        if weight is None or len(weight.dims) != 3 or not _is_unpadded(node):
            if node.output[0] not in replaced_outputs:
                nodes.append(node)
            continue
        norm = norms.get(node.output[0]) if uses[node.output[0]] == 1 else None
        kernel = onnx.numpy_helper.to_array(weight)
        replacement = Graph(f"{node.output[0]}/", version)
        if norm is not None and weight.dims[1] * weight.dims[2] <= FEW:
            _add_normalised_product(replacement, node, kernel, norm)
            replaced_outputs.add(norm.output[0])
        elif weight.dims[1] >= FEWEST_CHANNELS:
            _add_integer_product(replacement, node, kernel)
        else:
            nodes.append(node)
            continue
        nodes += replacement.nodes
        constants += replacement.constants
    used_names = {name for node in nodes for name in node.input}
    constants += [entry for entry in weights.values() if entry.name in used_names or uses[entry.name] == 0]
    del graph.graph.node[:], graph.graph.initializer[:]
    graph.graph.node.extend(nodes)
    graph.graph.initializer.extend(constants)
    if not any(opset.domain == MICROSOFT for opset in graph.opset_import):
        graph.opset_import.append(onnx.helper.make_opsetid(MICROSOFT, 1))


def _attributes_of(node: Any) -> dict[str, Any]:
    onnx = require("onnx", "train")
    return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}


def _is_unpadded(convolution: Any) -> bool:
    """Whether it neither pads nor has groups."""
    settings = _attributes_of(convolution)
    pads = any(settings.get("pads", ())) or settings.get("auto_pad", b"NOTSET") != b"NOTSET"
    return not pads and settings.get("group", 1) == 1


def _frame_places(graph: Graph, convolution: Any, taps: int) -> Value:
    """Which rows each frame is made of, (frames, K): 0, dilation, 2 * dilation..., then a stride on."""
    settings = _attributes_of(convolution)
    (stride,), (dilation,) = settings.get("strides", [1]), settings.get("dilations", [1])
    end = _input(graph, convolution, 0).shape().at(2) - (taps - 1) * dilation
    starts = graph.node("Range", np.int64(0), end, np.int64(stride), dtype=np.int64)
    steps: NDArray[np.int64] = dilation * np.arange(taps)
    return starts.reshape(-1, 1) + steps


def _input(graph: Graph, node: Any, place: int) -> Value:
    """An input of a node that is there already."""
    return Value(graph, node.input[place], np.float32)


def _finish(graph: Graph, product: Value, output: str) -> None:
    """(batch, frames, outputs) -> (batch, outputs, frames), under the name that others know."""
    graph.node("Transpose", product, dtype=np.float32, name=output, perm=[0, 2, 1])


def _add_integer_product(graph: Graph, convolution: Any, kernel: NDArray[Any]) -> None:
    """A convolution as a product of integers, its kernel (outputs, channels, K).

    Each frame is rounded to 8 bits by the largest value in it: by that of the whole clip, as onnxruntime does by
    itself, quiet frames would be nothing beside loud ones.
    """
    outputs, channels, taps = kernel.shape
    places = _frame_places(graph, convolution, taps)
    rows = _input(graph, convolution, 0).transpose(0, 2, 1)
    depth = rows.reduce("ReduceMin", 2).apply("Neg")
    sizes = graph.node("Max", rows.highest(2), depth, np.float32(1e-9), dtype=np.float32)
    size = sizes.at(places, axis=1).highest(2, keepdims=True)  # (batch, frames, 1)
    step = size / ACTIVATION_STEPS

    # One step for each row of a matrix: (batch * frames, K * channels).
    flat_step = step.reshape(-1)
    zeros = graph.node("Expand", np.uint8(ZERO), flat_step.shape(), dtype=np.uint8)
    inputs = rows.at(places, axis=1).reshape(-1, taps * channels)
    rounded = graph.node("QuantizeLinear", inputs, flat_step, zeros, dtype=np.uint8, axis=0)

    matrix = kernel.transpose(2, 1, 0).reshape(taps * channels, outputs)
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-9).astype(np.float32) / np.float32(WEIGHT_STEPS)
    integers = np.rint(matrix / scale).astype(np.int8)
    sums = graph.node(
        "MatMulIntegerToFloat", rounded, integers, np.float32(1), scale, np.uint8(ZERO),
        dtype=np.float32, domain=MICROSOFT,
    )  # fmt: skip
    shape = graph.concat([size.shape(end=2), np.int64(outputs).reshape(1)], dtype=np.int64)
    product = graph.node("Reshape", sums, shape, dtype=np.float32) * step
    if len(convolution.input) > 2:
        product = product + _input(graph, convolution, 2)
    _finish(graph, product, convolution.output[0])


def _add_normalised_product(graph: Graph, convolution: Any, kernel: NDArray[Any], norm: Any) -> None:
    """A convolution and the norm of each of its channels over time, as one product.

    Mean and variance of a linear function of frames follow from the frames' own: with C the frames without their mean
    and W the kernel as a matrix, channel i has the variance (W' C' C W)_ii / n, and its norm is C W_i, scaled, plus an
    offset, which is one more column of ones. The (9600, 512) numbers of 3 s are written once and not read for it.
    """
    outputs, channels, taps = kernel.shape
    numbers = taps * channels
    rows = _input(graph, convolution, 0).transpose(0, 2, 1)
    frames = rows.at(_frame_places(graph, convolution, taps), axis=1).reshape(0, 0, numbers)
    centred = frames - frames.reduce("ReduceMean", 1, keepdims=True)
    count = frames.shape(1, 2).cast(np.float32)
    covariance = (centred.transpose(0, 2, 1) @ centred) / count

    matrix = graph.value(kernel.transpose(0, 2, 1).reshape(outputs, numbers), np.float32)
    variance = (matrix @ covariance * matrix).reduce("ReduceMean", 2, keepdims=True) * numbers
    deviation = (variance + _attributes_of(norm).get("epsilon", 1e-5)).apply("Sqrt")
    gain = _input(graph, norm, 1).reshape(outputs, 1) / deviation
    offset = graph.node("Expand", _input(graph, norm, 2).reshape(outputs, 1), gain.shape(), dtype=np.float32)
    augmented_matrix = graph.concat([matrix * gain, offset], axis=2)
    one_column = np.array([0] * 5 + [1], np.int64)
    augmented_frames = graph.node("Pad", centred, one_column, np.float32(1), dtype=np.float32)
    _finish(graph, augmented_frames @ augmented_matrix.transpose(0, 2, 1), norm.output[0])
