"""A model file whose weights take 16 or 8 bits each: half or a quarter of the size, computed with in 32 bits as before.

On opening, onnxruntime widens them once; answers differ by the rounding of the weights alone. (`--quantize fp16` and
`int8` compute in fewer bits, too: for devices that are quicker at it.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.errors import ModelError, require
from intonate.export.onnx import save, written_aside
from intonate.export.probes import probes
from intonate.recognizer.inputs import padded_batch
from intonate.recognizer.model_file import ModelFile, read_model

# Smaller ones weigh nothing, and norms and biases are where rounding is felt.
FEWEST_WEIGHTS = 1_000
# {bits: the largest difference of a probability between the two files that is taken for the smaller one}.
LARGEST_DIFFERENCE = {16: 0.005, 8: 0.02}


def check_bits(bits: int) -> None:
    """Refuse other numbers of bits, before any work.

    Raises:
        ModelError: there are no such weights.
    """
    if bits not in LARGEST_DIFFERENCE:
        raise ModelError(f"--weights is {' or '.join(map(str, LARGEST_DIFFERENCE))}, the bits of each; got {bits}")


def write_small_weights(source: Path, target: Path, bits: int) -> Path:
    """Write a model file again with smaller weights.

    Args:
        source: a model file.
        target: where to write; may be the same.
        bits: of each weight, 16 or 8.

    Returns:
        `target`.

    Raises:
        ModelError: there are no such weights, the file cannot be read, has no weights of 32 bits, or answers
            differently without the rest of them.
    """
    check_bits(bits)
    onnx = require("onnx", "train")
    model = read_model(source)
    graph = onnx.load(str(source))
    if not narrow(graph.graph, bits):
        raise ModelError(f"{source} has no weights of 32 bits to speak of; leave --weights out")
    with written_aside(target) as written:
        save(graph, model.spec, written)
        largest = LARGEST_DIFFERENCE[bits]
        if (difference := _largest_difference(model, read_model(written))) > largest:
            raise ModelError(
                f"{source} answers differently with weights of {bits} bits (a probability by {difference:.3f}, "
                f"{largest:g} allowed); leave --weights out"
            )
    return target


def narrow(graph: Any, bits: int) -> bool:
    """Give the larger weights 16 or 8 bits, in place, each with nodes that widen it; whether there were any.

    Those of 8 bits have a scale for each output of their layer, or whatever their first axis is.
    """
    onnx = require("onnx", "train")
    widening, scales = [], []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or int(np.prod(weight.dims)) < FEWEST_WEIGHTS:
            continue
        values, name = onnx.numpy_helper.to_array(weight), weight.name
        if bits == 16 and np.abs(values).max() <= np.finfo(np.float16).max:
            weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.16"))
            widening.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
        elif bits == 8 and values.ndim > 1:
            whole, scale = _eight_bits(values)
            weight.CopyFrom(onnx.numpy_helper.from_array(whole, f"{name}.8"))
            scales.append(onnx.numpy_helper.from_array(scale, f"{name}.scale"))
            # Not DequantizeLinear: of weights alone onnxruntime (1.31) repeats it at every run, and these two it folds.
            wide = f"{name}.whole"
            widening.append(onnx.helper.make_node("Cast", [weight.name], [wide], to=onnx.TensorProto.FLOAT))
            widening.append(onnx.helper.make_node("Mul", [wide, scales[-1].name], [name]))
    graph.initializer.extend(scales)
    nodes = [*widening, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return bool(widening)


def _eight_bits(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers up to 127, and what each is multiplied by, (outputs, 1, ...)."""
    largest = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
    scale = (np.maximum(largest, np.finfo(np.float32).tiny * 127) / 127).astype(np.float32)
    return np.round(values / scale).astype(np.int8), scale


def widen(graph: Any) -> None:
    """Give the weights of such a file their 32 bits back, in place, without the nodes that widen them."""
    onnx = require("onnx", "train")
    narrow_types = (onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8)
    weights = {weight.name: weight for weight in graph.initializer}
    reader_of = {name: node for node in graph.node for name in node.input}
    for node in [node for node in graph.node if node.op_type == "Cast" and node.input[0] in weights]:
        weight = weights[node.input[0]]
        if weight.data_type not in narrow_types:
            continue
        values, name = onnx.numpy_helper.to_array(weight).astype(np.float32), node.output[0]
        if weight.data_type == onnx.TensorProto.INT8:
            scaling = reader_of[name]
            scale, name = weights[scaling.input[1]], scaling.output[0]
            values = values * onnx.numpy_helper.to_array(scale)
            graph.node.remove(scaling)
            graph.initializer.remove(scale)
        weight.CopyFrom(onnx.numpy_helper.from_array(values, name))
        graph.node.remove(node)


def _largest_difference(before: ModelFile, after: ModelFile) -> float:
    batches = [padded_batch(before.spec.inputs, [clip]) for clip in probes(before.spec)]
    differences = [np.abs(before.run(feeds) - after.run(feeds)).max() for feeds in batches]
    return float(max(differences))
