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
from intonate.export.graph_builder import GraphBuilder

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
    version = next(opset.version for opset in graph.opset_import if opset.domain in ("", "ai.onnx"))
    nodes, constants, replaced_outputs = [], [], set()
    for node in graph.graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "Conv" else None
        if weight is None or len(weight.dims) != 3 or not _is_unpadded(node):
            if node.output[0] not in replaced_outputs:
                nodes.append(node)
            continue
        norm = norms.get(node.output[0]) if uses[node.output[0]] == 1 else None
        kernel = onnx.numpy_helper.to_array(weight)
        replacement = _Replacement(node, version)
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


class _Replacement(GraphBuilder):
    """The nodes and constants that take the place of a convolution, under its name.

    Args:
        convolution: that node.
        version: of the operator set; from 18 on, reductions take their axes as an input.
    """

    def __init__(self, convolution: Any, version: int) -> None:
        super().__init__(f"{convolution.output[0]}/")
        self.convolution, self.version = convolution, version

    def reduce(self, operator: str, inputs: str, axis: int, name: str, keepdims: int = 1) -> str:
        """ReduceMax, ReduceMin or ReduceMean over one axis."""
        if self.version >= 18:
            axes = self.constant(f"{name}_axis", [axis])
            return self.node(operator, [inputs, axes], name, keepdims=keepdims)
        return self.node(operator, [inputs], name, axes=[axis], keepdims=keepdims)

    def places(self, taps: int) -> str:
        """Which rows each frame is made of, (frames, K): 0, dilation, 2 * dilation..., then a stride on."""
        settings = _attributes_of(self.convolution)
        (stride,), (dilation,) = settings.get("strides", [1]), settings.get("dilations", [1])
        sound = self.convolution.input[0]
        time = self.node("Gather", [self.node("Shape", [sound], "shape"), self.constant("last", np.int64(2))], "time")
        end = self.node("Sub", [time, self.constant("reach", np.int64((taps - 1) * dilation))], "end")
        starts = self.node(
            "Range", [self.constant("zero", np.int64(0)), end, self.constant("stride", np.int64(stride))], "starts"
        )
        starts = self.node("Reshape", [starts, self.constant("as_column", [-1, 1])], "column")
        return self.node("Add", [starts, self.constant("steps", dilation * np.arange(taps))], "places")

    def finish(self, product: str, output: str) -> None:
        """(batch, frames, outputs) -> (batch, outputs, frames), under the name that others know."""
        self.nodes.append(self.onnx.helper.make_node("Transpose", [product], [output], perm=[0, 2, 1]))


def _add_integer_product(graph: _Replacement, convolution: Any, kernel: NDArray[Any]) -> None:
    """A convolution as a product of integers, its kernel (outputs, channels, K).

    Each frame is rounded to 8 bits by the largest value in it: by that of the whole clip, as onnxruntime does by
    itself, quiet frames would be nothing beside loud ones.
    """
    outputs, channels, taps = kernel.shape
    places = graph.places(taps)
    rows = graph.node("Transpose", [convolution.input[0]], "rows", perm=[0, 2, 1])
    highest = graph.reduce("ReduceMax", rows, 2, "highest", keepdims=0)
    lowest = graph.node("Neg", [graph.reduce("ReduceMin", rows, 2, "lowest", keepdims=0)], "depth")
    sizes = graph.node("Max", [highest, lowest, graph.constant("least", np.float32(1e-9))], "sizes")
    sizes = graph.node("Gather", [sizes, places], "sizes_apart", axis=1)
    size = graph.reduce("ReduceMax", sizes, 2, "size")  # (batch, frames, 1)
    step = graph.node("Div", [size, graph.constant("steps_of_8_bits", np.float32(ACTIVATION_STEPS))], "step")

    # One step for each row of a matrix: (batch * frames, K * channels).
    flat = graph.node("Reshape", [step, graph.constant("flat", [-1])], "flat_step")
    zeros = graph.node(
        "Expand",
        [graph.constant("zero_of_8_bits", np.uint8(ZERO)), graph.node("Shape", [flat], "rows_of_all")],
        "zeros",
    )
    inputs = graph.node("Gather", [rows, places], "frames", axis=1)
    inputs = graph.node("Reshape", [inputs, graph.constant("side_by_side", [-1, taps * channels])], "inputs")
    rounded = graph.node("QuantizeLinear", [inputs, flat, zeros], "rounded", axis=0)

    matrix = kernel.transpose(2, 1, 0).reshape(taps * channels, outputs)
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-9).astype(np.float32) / np.float32(WEIGHT_STEPS)
    product = graph.node(
        "MatMulIntegerToFloat",
        [
            rounded,
            graph.constant("matrix", np.rint(matrix / scale).astype(np.int8)),
            graph.constant("one", np.float32(1)),
            graph.constant("scale", scale),
            graph.constant("zero_point", np.uint8(ZERO)),
        ],
        "product",
        domain=MICROSOFT,
    )
    shape = graph.node(
        "Concat",
        [graph.node("Shape", [size], "frames_of_all", end=2), graph.constant("outputs", [outputs])],
        "whole",
        axis=0,
    )
    product = graph.node("Mul", [graph.node("Reshape", [product, shape], "sums"), step], "scaled")
    if len(convolution.input) > 2:
        product = graph.node("Add", [product, convolution.input[2]], "biased")
    graph.finish(product, convolution.output[0])


def _add_normalised_product(graph: _Replacement, convolution: Any, kernel: NDArray[Any], norm: Any) -> None:
    """A convolution and the norm of each of its channels over time, as one product.

    Mean and variance of a linear function of frames follow from the frames' own: with C the frames without their mean
    and W the kernel as a matrix, channel i has the variance (W' C' C W)_ii / n, and its norm is C W_i, scaled, plus an
    offset, which is one more column of ones. The (9600, 512) numbers of 3 s are written once and not read for it.
    """
    outputs, channels, taps = kernel.shape
    numbers = taps * channels
    rows = graph.node("Transpose", [convolution.input[0]], "rows", perm=[0, 2, 1])
    gathered = graph.node("Gather", [rows, graph.places(taps)], "frames", axis=1)
    frames = graph.node("Reshape", [gathered, graph.constant("side_by_side", [0, 0, numbers])], "inputs")
    centred = graph.node("Sub", [frames, graph.reduce("ReduceMean", frames, 1, "mean")], "centred")
    transposed = graph.node("Transpose", [centred], "turned", perm=[0, 2, 1])
    count = graph.node("Shape", [frames], "count", start=1, end=2)
    count = graph.node("Cast", [count], "count_as_float", to=graph.onnx.TensorProto.FLOAT)
    covariance = graph.node("Div", [graph.node("MatMul", [transposed, centred], "products"), count], "covariance")

    matrix = graph.constant("matrix", kernel.transpose(0, 2, 1).reshape(outputs, numbers))
    variances = graph.node("Mul", [graph.node("MatMul", [matrix, covariance], "spread"), matrix], "spread_of_each")
    variance = graph.node(
        "Mul",
        [graph.reduce("ReduceMean", variances, 2, "variance_of_one"), graph.constant("numbers", np.float32(numbers))],
        "variance",
    )
    epsilon = graph.constant("epsilon", np.float32(_attributes_of(norm).get("epsilon", 1e-5)))
    deviation = graph.node("Sqrt", [graph.node("Add", [variance, epsilon], "variance_at_least")], "deviation")
    as_column = graph.constant("as_rows", [outputs, 1])
    gain = graph.node("Div", [graph.node("Reshape", [norm.input[1], as_column], "gain"), deviation], "gain_of_each")
    offset = graph.node("Reshape", [norm.input[2], as_column], "offset")
    offset = graph.node("Expand", [offset, graph.node("Shape", [gain], "gain_shape")], "offset_of_each")
    augmented_matrix = graph.node("Concat", [graph.node("Mul", [matrix, gain], "scaled"), offset], "whole", axis=2)
    augmented_frames = graph.node(
        "Pad", [centred, graph.constant("a_column", [0] * 5 + [1]), graph.constant("one", np.float32(1))], "ones"
    )
    product = graph.node(
        "MatMul",
        [augmented_frames, graph.node("Transpose", [augmented_matrix], "whole_turned", perm=[0, 2, 1])],
        "product",
    )
    graph.finish(product, norm.output[0])
