"""A model file whose weights take 16 bits each: half the size, and computed with as before, in 32 bits.

On opening, onnxruntime widens them once; answers differ by the rounding of the weights alone. (`--quantize fp16`
computes in 16 bits, too: for devices that are quicker at it.)
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from intonate.errors import ModelError, require
from intonate.export.onnx import move, save
from intonate.export.probes import probes
from intonate.recognizer.inputs import padded_batch
from intonate.recognizer.model_file import ModelFile, read_model

# Smaller ones weigh nothing, and norms and biases are where rounding is felt.
FEWEST_WEIGHTS = 1_000
# The largest difference of a probability between the two files that is taken for the smaller one.
LARGEST_DIFFERENCE = 0.005


def write_half_weights(source: Path, target: Path) -> Path:
    """Write a model file again with weights of 16 bits.

    Args:
        source: a model file.
        target: where to write; may be the same.

    Returns:
        `target`.

    Raises:
        ModelError: the file cannot be read, has no weights of 32 bits, or answers differently without half of them.
    """
    onnx = require("onnx", "train")
    model = read_model(source)
    graph = onnx.load(str(source))
    if not _halve(graph.graph):
        raise ModelError(f"{source} has no weights of 32 bits to speak of; leave --half-weights out")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        written = Path(folder) / target.name
        save(graph, model.spec, written)
        if (difference := _largest_difference(model, read_model(written))) > LARGEST_DIFFERENCE:
            raise ModelError(
                f"{source} answers differently with weights of 16 bits (a probability by {difference:.3f}, "
                f"{LARGEST_DIFFERENCE:g} allowed); leave --half-weights out"
            )
        move(written, target)
    return target


def _halve(graph: Any) -> int:
    """Give the larger weights 16 bits, in place, each with a node that widens it; how many there were."""
    onnx = require("onnx", "train")
    widened = []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or int(np.prod(weight.dims)) < FEWEST_WEIGHTS:
            continue
        values, name = onnx.numpy_helper.to_array(weight), weight.name
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        widened.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*widened, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return len(widened)


def widen(graph: Any) -> None:
    """Give the weights of such a file their 32 bits back, in place, without the nodes that widen them."""
    onnx = require("onnx", "train")
    halved = {weight.name: weight for weight in graph.initializer if weight.data_type == onnx.TensorProto.FLOAT16}
    widening = [node for node in graph.node if node.op_type == "Cast" and node.input[0] in halved]
    for node in widening:
        weight = halved[node.input[0]]
        values = onnx.numpy_helper.to_array(weight).astype(np.float32)
        weight.CopyFrom(onnx.numpy_helper.from_array(values, node.output[0]))
        graph.node.remove(node)


def _largest_difference(before: ModelFile, after: ModelFile) -> float:
    batches = [padded_batch(before.spec.inputs, [clip]) for clip in probes(before.spec)]
    differences = [np.abs(before.run(feeds) - after.run(feeds)).max() for feeds in batches]
    return float(max(differences))
