"""A model file whose last layers are replaced by one that was learnt anew: what lies before stays bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.errors import ModelError, require


def embeddings(graph: Any) -> list[str]:
    """The tensors that dense layers of an ONNX model read, from the input to the last: what a new head may lie on.

    Only those through which all of the answer goes: of members that answer together no one's own.

    Raises:
        ModelError: the model does not end in a dense layer on one input.
    """
    inputs = {entry.name for entry in graph.graph.input}
    dense = [node for node in graph.graph.node if node.op_type == "Gemm"]
    if len(inputs) != 1 or not dense or list(dense[-1].output) != [graph.graph.output[0].name]:
        raise ModelError("this model does not end in a dense layer on one input, so that no new head can be laid on it")
    return [name for name in dict.fromkeys(node.input[0] for node in dense) if not _answers_without(graph, name)]


def _answers_without(graph: Any, tensor: str) -> bool:
    """Whether anything of the input reaches the output on a way around a tensor."""
    reached = {entry.name for entry in graph.graph.input} - {tensor}
    for node in graph.graph.node:  # each after those whose outputs it reads
        if reached & set(node.input):
            reached |= set(node.output) - {tensor}
    return graph.graph.output[0].name in reached


def outputs(graph: Any, tensors: Sequence[str], rows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """What a model has in some of its tensors, (rows, columns) each, for rows of its input."""
    onnx, runtime = require("onnx", "train"), require("onnxruntime", "train")
    (entry,) = graph.graph.input
    inner = [name for name in tensors if name != entry.name]
    shortened_graph = _copy_graph(graph)
    del shortened_graph.graph.output[:]
    shortened_graph.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in inner
    )
    session = runtime.InferenceSession(shortened_graph.SerializeToString(), providers=["CPUExecutionProvider"])
    tensor_values = dict(zip(inner, session.run(inner, {entry.name: rows}), strict=True)) if inner else {}
    return [tensor_values.get(name, rows) for name in tensors]


def with_head(graph: Any, tensor: str, weights: NDArray[np.float64], bias: NDArray[np.float64]) -> Any:
    """The model up to a tensor, and on it logits = tensor @ weights.T + bias.

    Args:
        graph: the ONNX model, which stays as it is.
        tensor: a name that `embeddings` gives.
        weights: (classes, columns).
        bias: (classes,).
    """
    onnx = require("onnx", "train")
    new_graph = _copy_graph(graph)
    producer_of = {name: node for node in new_graph.graph.node for name in node.output}
    needed_tensors, queue = set(), [tensor]
    while queue:
        name = queue.pop()
        if name not in needed_tensors:
            needed_tensors.add(name)
            queue += producer_of[name].input if name in producer_of else []
    nodes = [node for node in new_graph.graph.node if needed_tensors & set(node.output)]
    initializers = [entry for entry in new_graph.graph.initializer if entry.name in needed_tensors]
    for field in (
        new_graph.graph.node,
        new_graph.graph.initializer,
        new_graph.graph.output,
        new_graph.graph.value_info,
    ):
        del field[:]
    head = {"new_head.weight": weights, "new_head.bias": bias}
    new_graph.graph.node.extend([*nodes, onnx.helper.make_node("Gemm", [tensor, *head], ["logits"], transB=1)])
    new_graph.graph.initializer.extend(
        [*initializers, *(onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in head.items())]
    )
    shape = ["batch", len(bias)]
    new_graph.graph.output.append(onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, shape))
    onnx.checker.check_model(new_graph)
    return new_graph


def _copy_graph(graph: Any) -> Any:
    copy = type(graph)()
    copy.CopyFrom(graph)
    return copy
