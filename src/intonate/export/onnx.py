"""The door out of the workshop: a trained model becomes one ONNX file with its `ModelSpec` inside.

Every export is checked against the model that it came from, at three lengths and two batch sizes, before the file
gets its name.
"""

from __future__ import annotations

import base64
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intonate.errors import ModelError, first_line, require
from intonate.features import encoded
from intonate.onnx_session import open_session
from intonate.recognizer.inputs import padded_batch
from intonate.recognizer.model_file import ENCODER_KEY, SPEC_KEY
from intonate.schema import ModelSpec

if TYPE_CHECKING:
    from intonate.models.contract import Network, Pipeline

OPSET = 17
# Of the operators of classical models, which onnxmltools knows up to here.
OPSETS = {"": OPSET, "ai.onnx.ml": 3}
# Largest difference between logits of the model and of its file, relative to the largest logit.
TOLERANCE = 1e-3
# Log-probabilities of a scikit-learn model are bounded below: log(1e-6).
SMALLEST_PROBABILITY = 1e-6
# Classifiers that are not scikit-learn's own: how skl2onnx shall call them, and who converts them.
CONVERTERS = {
    "LGBMClassifier": ("LightGbmLGBMClassifier", "onnxmltools.convert.lightgbm.operator_converters.LightGbm"),
    "XGBClassifier": ("XGBoostXGBClassifier", "onnxmltools.convert.xgboost.operator_converters.XGBoost"),
}
# A graph over this is written with its weights beside it: protobuf stops at 2 GiB.
ONE_FILE_BYTES = 1_800_000_000

Array = NDArray[Any]
Feeds = dict[str, Array]


def write_torch(network: Network, spec: ModelSpec, clips: Sequence[Mapping[str, Array]], path: Path) -> float:
    """Export a torch module.

    Args:
        network: takes the spec's inputs (and lengths) by name, returns logits; it says which exporter is right for it.
        spec: goes into the file.
        clips: three real clips of different lengths, ready for the graph, for the trace and the check.
        path: where to write.

    Returns:
        The largest difference between the module's and the file's logits, relative to the largest logit.

    Raises:
        ModelError: they differ by more than `TOLERANCE`.
    """
    import torch

    network = _simplify_for_export(network.eval())
    names = [name for item in spec.inputs for name in (item.name, item.lengths) if name]
    order = [name for name in network.input_names() if name in names]
    example = {name: torch.from_numpy(value) for name, value in padded_batch(spec.inputs, clips[:2]).items()}
    axes = _dynamic_axes(spec, clips)
    dynamo = network.EXPORTER == "dynamo"
    if dynamo:
        shapes = {name: dict.fromkeys(axes[name], torch.export.Dim.DYNAMIC) for name in order}
        options: dict[str, Any] = {"dynamo": True, "external_data": False, "optimize": True, "dynamic_shapes": shapes}
    else:
        options = {"dynamo": False, "opset_version": OPSET, "dynamic_axes": axes}
    for name, weight in network.named_parameters():
        if not weight.isfinite().all():
            raise ModelError(
                f"the weights of {spec.name!r} are damaged: {name} holds nan or infinity; "
                "give those of an earlier step of the training, or fetch them again"
            )
    with quiet(), torch.no_grad(), _one_sentence(f"{spec.name!r} cannot be written as an ONNX graph"):
        torch.onnx.export(
            network,
            () if dynamo else tuple(example[name] for name in order),
            str(path),
            kwargs={name: example[name] for name in order} if dynamo else None,
            input_names=order,
            output_names=list(network.OUTPUTS),
            verbose=False,
            **options,
        )
    sign(path, spec)

    def reference(feeds: Feeds) -> Array:
        with torch.no_grad():
            tensors = {name: torch.from_numpy(value) for name, value in feeds.items()}
            answer = network(**{name: tensors[name] for name in order})
            return np.asarray(answer if len(network.OUTPUTS) == 1 else answer[0])

    return check(path, spec, clips, reference)


def _simplify_for_export(network: Network) -> Network:
    """The same network without what the exporters stumble over, changed in place."""
    import torch

    for module in [*network.modules()]:
        # Weights that are kept as a norm and a direction are multiplied out once, and not in every answer.
        for weight in [*getattr(module, "parametrizations", ())]:
            torch.nn.utils.parametrize.remove_parametrizations(module, weight)
        # A norm of each channel over time, as HuBERT-base begins with, is one operator under its other name.
        over_time = any(isinstance(child, torch.nn.Conv1d) for child in module.children())
        for name, child in module.named_children():
            if over_time and isinstance(child, torch.nn.GroupNorm) and child.num_groups == child.num_channels:
                norm = torch.nn.InstanceNorm1d(child.num_channels, eps=child.eps, affine=child.affine).eval()
                norm.weight, norm.bias = child.weight, child.bias
                setattr(module, name, norm)
    return network


def _dynamic_axes(spec: ModelSpec, clips: Sequence[Mapping[str, Array]]) -> dict[str, dict[int, str]]:
    """For each input and lengths of the graph, the axes whose sizes are left open, with their names."""
    # A vector is as long as the model wants it; a waveform without lengths may be of any.
    sizes = {item.name: {len(clip[item.name]) for clip in clips} for item in spec.inputs}
    free = {item.name for item in spec.inputs if item.lengths or len(sizes[item.name]) > 1}
    axes = {item.name: {0: "batch", **({1: "rows"} if item.name in free else {})} for item in spec.inputs}
    return axes | {item.lengths: {0: "batch"} for item in spec.inputs if item.lengths}


def write_sklearn(
    pipeline: Pipeline,
    spec: ModelSpec,
    clips: Sequence[Mapping[str, Array]],
    path: Path,
    present: Sequence[int] | NDArray[np.int64],
) -> float:
    """Export a fitted scikit-learn pipeline on one vector input; its logits are log(max(p, 1e-6)).

    Args:
        pipeline: ends in a classifier with `predict_proba`; XGBoost's and LightGBM's too.
        spec: goes into the file; so as in `write_torch` do `clips` and `path`.
        present: for each column of the probabilities, which label it is. The other labels get probability zero.

    Returns:
        The largest difference between the pipeline's and the file's probabilities.

    Raises:
        ModelError: they differ by more than `TOLERANCE`.
    """
    onnx = require("onnx", "train")
    skl2onnx = require("skl2onnx", "train")
    (item,) = spec.inputs
    columns = len(clips[0][item.name])
    kind = skl2onnx.common.data_types.FloatTensorType([None, columns])
    with quiet():
        _register_converter(pipeline)
        graph = skl2onnx.convert_sklearn(
            pipeline, initial_types=[(item.name, kind)], options={id(pipeline): {"zipmap": False}}, target_opset=OPSETS
        )
        _mend_knn_graph(graph, pipeline)
    helper = onnx.helper
    probabilities = graph.graph.output[1].name
    del graph.graph.output[:]
    floor = np.array(SMALLEST_PROBABILITY, np.float32)
    # (columns, labels): each column to the place of its label.
    places = np.eye(len(spec.labels), dtype=np.float32)[np.asarray(present)]
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
        placed = np.asarray(pipeline.predict_proba(feeds[item.name])) @ places
        return np.asarray(np.log(np.maximum(placed, SMALLEST_PROBABILITY)))

    return check(path, spec, clips, reference)


def _register_converter(pipeline: Pipeline) -> None:
    """Tell skl2onnx who converts the last step, where it does not know."""
    classifier_class = type(pipeline.steps[-1][1])
    if classifier_class.__name__ not in CONVERTERS:
        return
    skl2onnx = require("skl2onnx", "train")
    alias, module = CONVERTERS[classifier_class.__name__]
    skl2onnx.update_registered_converter(
        classifier_class,
        alias,
        skl2onnx.common.shape_calculator.calculate_linear_classifier_output_shapes,
        getattr(require(module, "train"), f"convert_{module.split('.')[2]}"),
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )


def _mend_knn_graph(graph: Any, pipeline: Pipeline) -> None:
    """Neighbours that count by 1 / distance: skl2onnx (1.20) takes max(-distance, 1e-6), so that all count the same."""
    if getattr(pipeline.steps[-1][1], "weights", None) != "distance":
        return
    producer_of = {name: node for node in graph.graph.node for name in node.output}
    for node in graph.graph.node:
        negation = producer_of.get(node.input[0]) if node.op_type == "Max" else None
        if negation is not None and negation.op_type == "Mul":
            negation.op_type = "Abs"
            floor_name = negation.input.pop()
            initializers = [entry for entry in graph.graph.initializer if entry.name != floor_name]
            del graph.graph.initializer[:]
            graph.graph.initializer.extend(initializers)


@contextmanager
def _one_sentence(problem: str) -> Iterator[None]:
    """The exporter of torch tells a page of what it tried; what went wrong is at the bottom of its causes."""
    try:
        yield
    except Exception as error:  # whatever the network raises while it is traced
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise ModelError(f"{problem}: {first_line(cause)}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Converters warn of packages they miss and attributes that will go; what counts is the check afterwards."""
    previous_level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous_level)


def sign(path: Path, spec: ModelSpec) -> None:
    """Write the spec into the file's metadata, in place of the one that is there."""
    onnx = require("onnx", "train")
    save(onnx.load(str(path)), spec, path)


def save(graph: Any, spec: ModelSpec, path: Path) -> None:
    """Write an ONNX model with the spec in its metadata; a large one with its weights beside it."""
    onnx = require("onnx", "train")
    properties = {entry.key: entry.value for entry in graph.metadata_props} | {SPEC_KEY: spec.to_json()}
    properties |= {ENCODER_KEY + name: base64.b64encode(encoded.graph_of(name)).decode() for name in spec.encoders}
    onnx.helper.set_model_props(graph, properties)
    graph.doc_string = f"intonate {spec.intonate_version}: {spec.name}"
    drop_source_lines(graph)
    large = is_large(graph)
    # Beside an older one: weights are written to the end of a file that is there.
    with written_aside(path) as written:
        location = f"{path.name}.data" if large else None
        onnx.save(graph, str(written), save_as_external_data=large, location=location)


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Where a model file is written and checked before it takes its place; after an error nothing has changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        written = Path(folder) / path.name
        yield written
        # Weights beside it go first: the model is never there without them.
        if data_of(written).is_file():
            data_of(written).replace(data_of(path))
            written.replace(path)
        else:
            written.replace(path)
            data_of(path).unlink(missing_ok=True)


def opset_of(graph: Any) -> int:
    """The version of ONNX's own operators that a model is written in."""
    return int(next(opset.version for opset in graph.opset_import if opset.domain in ("", "ai.onnx")))


def drop_source_lines(graph: Any) -> None:
    """Exporters note the source line of every node: paths of the machine that trained, and of no use to anyone."""
    for node in graph.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]


def is_large(graph: Any) -> bool:
    """Whether an ONNX model is written with its weights beside it; protobuf cannot even measure one over 2 GiB."""
    return bool(sum(weight.ByteSize() for weight in graph.graph.initializer) > ONE_FILE_BYTES)


def data_of(path: Path) -> Path:
    """Where the weights of a large model file lie."""
    return path.with_name(f"{path.name}.data")


def check(
    path: Path, spec: ModelSpec, clips: Sequence[Mapping[str, Array]], reference: Callable[[Feeds], Array]
) -> float:
    """Compare a file with what it was made from: each clip alone, and, where padding is allowed, all together.

    Where padding is allowed it must also leave the answers as they are.

    Returns:
        The largest difference of logits, relative to the largest logit; of probabilities, if the file says those.

    Raises:
        ModelError: it, or what padding changes, is over `TOLERANCE`; the file is deleted.
    """
    session = open_session(path)
    batches = [padded_batch(spec.inputs, [clip]) for clip in clips]
    if spec.batching == "any":
        batches.append(padded_batch(spec.inputs, clips))
    elif spec.batching == "equal_length":
        batches += [padded_batch(spec.inputs, [clip, clip]) for clip in clips]
    # Log-probabilities are compared as what they say: near none at all, their rounding is all that there is of them.
    comparable = np.exp if spec.output == "log_probabilities" else np.asarray
    expected = [comparable(reference(feeds)) for feeds in batches]
    actual = [comparable(session.run(None, feeds)[0]) for feeds in batches]
    difference = max(
        _relative_difference(expected_answer, actual_answer)
        for expected_answer, actual_answer in zip(expected, actual, strict=True)
    )
    if spec.batching == "any" and not _relative_difference(np.concatenate(expected[:-1]), expected[-1]) <= TOLERANCE:
        path.unlink()
        raise ModelError(
            f"padding changes the answers of {spec.name!r}; mend the model, or let its class say "
            'BATCHING = "equal_length"; the file was deleted'
        )
    if not difference <= TOLERANCE:
        path.unlink()
        raise ModelError(
            f"the exported {spec.name!r} answers differently from the model it was made from "
            f"(by {difference:.2g}, {TOLERANCE:g} allowed); the file was deleted"
        )
    return difference


def _relative_difference(expected: Array, actual: Array) -> float:
    """The largest difference, relative to the largest logit."""
    return float(np.abs(expected - actual).max() / max(1.0, float(np.abs(expected).max())))
