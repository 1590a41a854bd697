"""A model file without the masks of padding, for clips that each fill their batch: the same answers, a fifth sooner.

A graph that takes lengths multiplies by a mask after every convolution, so that what lies beyond the end of a clip
changes nothing. Live streams and single recordings have no padding: their masks are ones, and each of them keeps
onnxruntime from computing two layers without laying the numbers out anew in between. On one processor a batch of
padded clips is no quicker than the clips one by one without masks; on others it may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from intonate.errors import ModelError, require
from intonate.export.onnx import check, save, written_aside
from intonate.export.probes import probes
from intonate.recognizer.model_file import read_model


def write_for_whole_clips(source: Path, target: Path) -> Path:
    """Write a model file again for clips of equal lengths.

    Args:
        source: a model file whose graph takes lengths, and masks with them alone.
        target: where to write; may be the same.

    Returns:
        `target`.

    Raises:
        ModelError: the file cannot be read, takes no lengths, or needs them for more than masks; or the two answer
            differently.
    """
    onnx = require("onnx", "train")
    model = read_model(source)
    spec = model.spec
    lengths = {item.lengths for item in spec.inputs if item.lengths}
    if not lengths:
        raise ModelError(f"{source} has no masks of padding: it takes whole clips already; leave --whole-clips out")
    graph = onnx.load(str(source))
    _drop_masks(graph.graph, lengths)
    if lengths & {name for node in graph.graph.node for name in node.input}:
        raise ModelError(f"{source} needs the lengths of clips for more than masks; it stays as it is")
    whole_spec = replace(spec, inputs=tuple(replace(item, lengths="") for item in spec.inputs), batching="equal_length")

    def reference(feeds: Mapping[str, Any]) -> Any:
        shapes = {item.lengths: feeds[item.name].shape for item in spec.inputs if item.lengths}
        return model.session.run(
            None, {**feeds, **{name: np.full(shape[0], shape[1]) for name, shape in shapes.items()}}
        )[0]

    with written_aside(target) as written:
        save(graph, whole_spec, written)
        check(written, whole_spec, probes(whole_spec), reference)
    return target


def _drop_masks(graph: Any, lengths: set[str]) -> None:
    """Leave out, in place, what is nothing to do where a mask is all ones, and then what nobody needs any more."""
    onnx = require("onnx", "train")
    producer = {name: node for node in graph.node for name in node.output}
    of_lengths, masks = set(lengths), dict[str, str]()  # {mask: how many frames it has}
    never, same = set[str](), dict[str, str]()  # conditions that are never true; {a value: another that is the same}
    for node in graph.node:
        inputs = [same.get(name, name) for name in node.input]
        node.input[:] = inputs
        output = node.output[0]
        mask = next((name for name in inputs if name in masks), None)
        if node.op_type == "Less" and inputs[1] in of_lengths and (count := _count_of(inputs[0], producer)):
            masks[output] = count
        elif node.op_type in ("Cast", "Unsqueeze") and mask:
            masks[output] = masks[mask]
        elif node.op_type == "Mul" and mask:
            same[output] = next((name for name in inputs if name != mask), mask)
        elif (node.op_type == "Equal" and mask) or (node.op_type == "Cast" and inputs[0] in never):  # with zero
            never.add(output)
        elif node.op_type == "Where" and inputs[0] in never:
            same[output] = inputs[2]
        elif node.op_type == "ReduceSum" and mask:
            node.op_type = "Cast"
            del node.attribute[:], node.input[:]
            node.input.append(masks[mask])
            node.attribute.append(onnx.helper.make_attribute("to", onnx.TensorProto.FLOAT))
        elif of_lengths & set(inputs):
            of_lengths.add(output)
    _drop_unused(graph)


def _count_of(name: str, producer: Mapping[str, Any]) -> str:
    """N, of a value that counts 0 to N - 1; empty if it does not."""
    node = producer.get(name)
    while node is not None and node.op_type == "Unsqueeze":
        node = producer.get(node.input[0])
    return str(node.input[1]) if node is not None and node.op_type == "Range" else ""


def _drop_unused(graph: Any) -> None:
    needed, nodes = {output.name for output in graph.output}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            nodes.append(node)
    _replace(graph.node, nodes[::-1])
    _replace(graph.initializer, [entry for entry in graph.initializer if entry.name in needed])
    _replace(graph.input, [entry for entry in graph.input if entry.name in needed])


def _replace(entries: Any, kept: Sequence[Any]) -> None:
    kept = list(kept)
    del entries[:]
    entries.extend(kept)
