"""The door out of the workshop: a trained model becomes one ONNX file with its `ModelSpec` inside.

Every export is checked against the model that it came from, at three lengths and two batch sizes, before the file
gets its name.
"""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.errors import ModelError, require
from intonate.recognizer.inputs import padded
from intonate.recognizer.model_file import SPEC_KEY
from intonate.schema import ModelSpec

OPSET = 17
# Largest difference between logits of the model and of its file, relative to the largest logit.
TOLERANCE = 1e-3
# Log-probabilities of a scikit-learn model are bounded below: log(1e-6).
SMALLEST_PROBABILITY = 1e-6
# A graph over this is written with its weights beside it: protobuf stops at 2 GiB.
ONE_FILE_BYTES = 1_800_000_000

Array = NDArray[Any]
Feeds = dict[str, Array]


def write_torch(network: Any, spec: ModelSpec, clips: Sequence[Mapping[str, Array]], path: Path) -> float:
    """Export a torch module.

    Args:
        network: takes the spec's inputs (and lengths) by name, returns logits. Its class may set
            `EXPORTER = "dynamo"`; the older exporter is right for recurrent and convolutional networks and
            much quicker, the newer for attention.
        spec: goes into the file.
        clips: three real clips of different lengths, ready for the graph, for the trace and the check.
        path: where to write.

    Returns:
        The largest difference between the module's and the file's logits, relative to the largest logit.

    Raises:
        ModelError: they differ by more than `TOLERANCE`.
    """
    import torch

    network = network.eval()
    names = [name for item in spec.inputs for name in (item.name, item.lengths) if name]
    order = [name for name in inspect.signature(network.forward).parameters if name in names]
    example = {name: torch.from_numpy(value) for name, value in padded(spec.inputs, clips[:2]).items()}
    moving = {item.name: {0: "batch", **({1: "rows"} if item.lengths else {})} for item in spec.inputs}
    moving |= {item.lengths: {0: "batch"} for item in spec.inputs if item.lengths}
    dynamo = getattr(network, "EXPORTER", "legacy") == "dynamo"
    if dynamo:
        dynamic = {"dynamic_shapes": {name: dict.fromkeys(moving[name], torch.export.Dim.DYNAMIC) for name in order}}
        options: dict[str, Any] = {"dynamo": True, "external_data": False, "optimize": True, **dynamic}
    else:
        options = {"dynamo": False, "opset_version": OPSET, "dynamic_axes": moving}
    with _quiet(), torch.no_grad():
        torch.onnx.export(
            network,
            () if dynamo else tuple(example[name] for name in order),
            str(path),
            kwargs={name: example[name] for name in order} if dynamo else None,
            input_names=order,
            output_names=["logits"],
            verbose=False,
            **options,
        )
    sign(path, spec)

    def reference(feeds: Feeds) -> Array:
        with torch.no_grad():
            tensors = {name: torch.from_numpy(value) for name, value in feeds.items()}
            return np.asarray(network(**{name: tensors[name] for name in order}))

    return check(path, spec, clips, reference)


def write_sklearn(estimator: Any, spec: ModelSpec, clips: Sequence[Mapping[str, Array]], path: Path) -> float:
    """Export a fitted scikit-learn classifier on one vector input; its logits are log(max(p, 1e-6)).

    A label that the training part does not have is no column of the estimator; it gets probability zero here.
    Arguments, result and errors as in `write_torch`.
    """
    onnx = require("onnx", "train")
    skl2onnx = require("skl2onnx", "train")
    (item,) = spec.inputs
    columns = len(clips[0][item.name])
    kind = skl2onnx.common.data_types.FloatTensorType([None, columns])
    with _quiet():
        graph = skl2onnx.convert_sklearn(
            estimator, initial_types=[(item.name, kind)], options={id(estimator): {"zipmap": False}}, target_opset=OPSET
        )
    helper = onnx.helper
    probabilities = graph.graph.output[1].name
    del graph.graph.output[:]
    floor = np.array(SMALLEST_PROBABILITY, np.float32)
    # (estimator's classes, labels): each column to the place of its label.
    places = np.eye(len(spec.labels), dtype=np.float32)[estimator.classes_]
    graph.graph.initializer.extend(
        [onnx.numpy_helper.from_array(floor, "smallest_probability"), onnx.numpy_helper.from_array(places, "places")]
    )
    graph.graph.node.extend(
        [
            helper.make_node("MatMul", [probabilities, "places"], ["placed"]),
            helper.make_node("Max", ["placed", "smallest_probability"], ["floored"]),
            helper.make_node("Log", ["floored"], ["logits"]),
        ]
    )
    classes = len(spec.labels)
    graph.graph.output.append(helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [None, classes]))
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))
    sign(path, spec)

    def reference(feeds: Feeds) -> Array:
        placed = np.asarray(estimator.predict_proba(feeds[item.name])) @ places
        return np.asarray(np.log(np.maximum(placed, SMALLEST_PROBABILITY)))

    return check(path, spec, clips, reference)


@contextmanager
def _quiet() -> Iterator[None]:
    """Converters warn of packages they miss and attributes that will go; what counts is the check afterwards."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def sign(path: Path, spec: ModelSpec) -> None:
    """Write the spec into the file's metadata, in place of the one that is there."""
    onnx = require("onnx", "train")
    graph = onnx.load(str(path))
    kept = {entry.key: entry.value for entry in graph.metadata_props} | {SPEC_KEY: spec.to_json()}
    onnx.helper.set_model_props(graph, kept)
    graph.doc_string = f"intonate {spec.intonate_version}: {spec.name}"
    for node in graph.graph.node:
        # Exporters note the source line of every node: paths of the machine that trained, and of no use to anyone.
        node.doc_string = ""
        del node.metadata_props[:]
    large = graph.ByteSize() > ONE_FILE_BYTES
    onnx.save(graph, str(path), save_as_external_data=large, location=f"{path.name}.data" if large else None)


def check(
    path: Path, spec: ModelSpec, clips: Sequence[Mapping[str, Array]], reference: Callable[[Feeds], Array]
) -> float:
    """Compare a file with what it was made from: each clip alone, and, where padding is allowed, all together.

    Where padding is allowed it must also leave the answers as they are.

    Returns:
        The largest difference of logits, relative to the largest logit.

    Raises:
        ModelError: it, or what padding changes, is over `TOLERANCE`; the file is deleted.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    batches = [padded(spec.inputs, [clip]) for clip in clips]
    if spec.batching == "any":
        batches.append(padded(spec.inputs, clips))
    else:
        batches += [padded(spec.inputs, [clip, clip]) for clip in clips]
    wanted = [reference(feeds) for feeds in batches]
    worst = max(_apart(answer, session.run(None, feeds)[0]) for answer, feeds in zip(wanted, batches, strict=True))
    if spec.batching == "any" and not _apart(np.concatenate(wanted[:-1]), wanted[-1]) <= TOLERANCE:
        path.unlink()
        raise ModelError(
            f"padding changes the answers of {spec.name!r}; mend the model, or let its class say "
            'BATCHING = "equal_length"; the file was deleted'
        )
    if not worst <= TOLERANCE:
        path.unlink()
        raise ModelError(
            f"the exported {spec.name!r} answers differently from the model it was made from "
            f"(by {worst:.2g}, {TOLERANCE:g} allowed); the file was deleted"
        )
    return worst


def _apart(wanted: Array, got: Array) -> float:
    """The largest difference, relative to the largest logit."""
    return float(np.abs(wanted - got).max() / max(1.0, float(np.abs(wanted).max())))
