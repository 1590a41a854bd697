"""Several models that answer together, as one model file that predict, evaluate and serve take like any other.

    combine("together.onnx", ["compact", "compact-open"])

Each member's logits are divided by its own temperature, so that what is averaged are calibrated probabilities. Inputs
that are the same in two members (front end, parameters, normalisation) are one input of the ensemble: three seeds of
a recipe cost three graphs, but one front end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate import __version__
from intonate.errors import ModelError, did_you_mean, first_line, require
from intonate.export.nodes import Graph, Value
from intonate.export.onnx import OPSET, SMALLEST_PROBABILITY, check, data_of, save, written_aside
from intonate.export.probes import probes
from intonate.recognizer import builtin
from intonate.recognizer.model_file import BATCHINGS, ModelFile, read_model
from intonate.schema import ModelInput, ModelSpec

# Metadata of the file: how its members answer together, and which they are.
MEMBERS_KEY = "intonate.ensemble"
AVERAGE, VOTE = "average", "vote"
# Share of the mean probability in the answer of a vote. It decides between labels with equally many votes and can
# overrule no vote, for one of fewer than a thousand members counts more.
TIE = 1e-3
OUTPUT = "log_probabilities"
# What the members' sound must have gone through alike, for it goes through it once: fields of the spec, in words.
_SHARED_FIELDS = {"sample_rate_hz": "sample rates", "clean": "cleaning steps", "pool": "windows"}


@dataclass(frozen=True, slots=True)
class _Member:
    """A model and its place in the ensemble.

    Attributes:
        file: the model.
        order: the column of each of the ensemble's labels in its answer, (classes,).
        names: {its graph input: the ensemble's}.
    """

    file: ModelFile
    order: NDArray[np.int64]
    names: dict[str, str]


def combine(output: str | Path, models: Sequence[str | Path], by: str = AVERAGE, name: str = "") -> Path:
    """Write one model file that answers as several models do together.

    The file is checked against its members before it gets its name. What it says of itself: corpora and languages of
    all members; as unseen speakers only those that no member has heard; no held-out scores, for nobody has measured
    any; `abstain_below` is the mean of the members', which is careful: the best of the averaged probabilities is
    never over the average of the best ones. For a vote that threshold is a share of the votes.

    Args:
        output: the file to write, `NAME.onnx`; it must not exist yet.
        models: built-in names, model files or folders of runs, two or more with the same set of labels, the same
            rate, cleaning and windows. One that is named twice counts twice; an ensemble is a model like any other.
        by: `average` for the mean of the probabilities; `vote` for the share of the members whose best label it is
            (with equal votes the mean probability decides). Shares of votes are no calibrated probabilities.
        name: what the model is called; the file's name without `.onnx` if empty.

    Returns:
        The file.

    Raises:
        ModelError: there are fewer than two members, one cannot be read, they differ in what must be alike, or
            their graphs cannot be put into one.
    """
    output = Path(output)
    if by not in (AVERAGE, VOTE):
        raise ModelError(f"models cannot be combined by {by!r}; {did_you_mean(by, (AVERAGE, VOTE))}")
    if output.suffix != ".onnx":
        raise ModelError(
            f"the ensemble cannot be written to {output}; give a file name that ends in .onnx, then MODEL..."
        )
    if output.exists():
        raise ModelError(f"{output} exists already; give another name for the ensemble, or delete it first")
    if len(models) < 2:
        raise ModelError(f"an ensemble needs two models or more, not {len(models)}")
    files = [read_model(builtin.path_of(model)) for model in models]
    _refuse_differences(files, [str(model) for model in models])
    inputs, names = _shared_inputs([file.spec for file in files])
    spec = replace(_ensemble_spec(files, by), name=name or output.stem, inputs=inputs)
    members = [
        _Member(file, np.array([file.spec.labels.index(label) for label in spec.labels]), input_names)
        for file, input_names in zip(files, names, strict=True)
    ]
    with written_aside(output) as target:
        save(_ensemble_graph(members, spec, by), spec, target)
        check(target, spec, probes(spec), lambda feeds: _expected_output(members, by, feeds))
    return output


def _refuse_differences(files: Sequence[ModelFile], names: Sequence[str]) -> None:
    first_file, *other_files = files
    for file, name in zip(files, names, strict=True):
        if file.spec.multi_label or not file.spec.labels:
            answer = (
                "several labels at once" if file.spec.labels else f"{', '.join(file.spec.dimensions)} and no labels"
            )
            raise ModelError(f"{name} gives {answer}, and an ensemble chooses one label; leave it out")
    for other_file, name in zip(other_files, names[1:], strict=True):
        cannot = f"{names[0]} and {name} cannot answer together:"
        if unshared_labels := sorted({*first_file.spec.labels} ^ {*other_file.spec.labels}):
            raise ModelError(
                f"{cannot} only one of them has the label{'s' * (len(unshared_labels) > 1)} "
                f"{', '.join(unshared_labels)}"
            )
        for field, words in _SHARED_FIELDS.items():
            first_value, other_value = getattr(first_file.spec, field), getattr(other_file.spec, field)
            if first_value != other_value:
                raise ModelError(
                    f"{cannot} their {words} differ ({_value_text(first_value)} against {_value_text(other_value)}); "
                    "train them alike"
                )
    if len({file.spec.tokenizer for file in files} - {""}) > 1:
        raise ModelError("the models cannot answer together: their tokenizers differ; train them with the same encoder")


def _value_text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_value_text, value)) or "none"
    if isinstance(value, dict):  # a step of cleaning
        parameters = ", ".join(f"{name} {setting}" for name, setting in value.items() if name != "step")
        return f"{value['step']} ({parameters})" if parameters else str(value["step"])
    return str(value)


def _shared_inputs(specs: Sequence[ModelSpec]) -> tuple[tuple[ModelInput, ...], list[dict[str, str]]]:
    """The inputs of the ensemble, and for each member {its graph input: the ensemble's}."""
    inputs: dict[Any, ModelInput] = {}
    taken_names: set[str] = set()
    input_names = []
    for spec in specs:
        names: dict[str, str] = {}
        for item in spec.inputs:
            key = (item.front_end, json.dumps(item.params, sort_keys=True), bool(item.lengths), item.normalisation)
            if key not in inputs:
                name, number = item.name, 1
                while {name, f"{name}_lengths"} & taken_names:
                    number += 1
                    name = f"{item.name}_{number}"
                inputs[key] = replace(item, name=name, lengths=f"{name}_lengths" if item.lengths else "")
                taken_names |= {name, f"{name}_lengths"}
            names[item.name] = inputs[key].name
            if item.lengths:
                names[item.lengths] = inputs[key].lengths
        input_names.append(names)
    return tuple(inputs.values()), input_names


def _ensemble_spec(files: Sequence[ModelFile], by: str) -> ModelSpec:
    """What the members have in common, and together. Name and inputs are still those of the first one."""
    specs = [file.spec for file in files]
    licences = [part for spec in specs for part in (spec.licence or "NOASSERTION").split(" AND ")]
    merges = {spec.merge for spec in specs}
    return replace(
        specs[0],
        merge=specs[0].merge if len(merges) == 1 else "",
        output=OUTPUT,
        batching=max((spec.batching for spec in specs), key=BATCHINGS.index),
        tokenizer=next((spec.tokenizer for spec in specs if spec.tokenizer), ""),
        text_required=any(spec.text_required for spec in specs),
        temperature=1.0,
        encoders={name: origin for spec in specs for name, origin in spec.encoders.items()},
        abstain_below=round(float(np.mean([spec.abstain_below for spec in specs])), 4),
        languages=tuple(sorted({language for spec in specs for language in spec.languages})),
        corpora=tuple(sorted({corpus for spec in specs for corpus in spec.corpora})),
        # A speaker of a corpus that one member never saw is left out too: corpora may share speakers.
        unseen_speakers=tuple(sorted(set.intersection(*(set(spec.unseen_speakers) for spec in specs)))),
        heard_speakers=tuple(sorted({speaker for spec in specs for speaker in spec.heard_speakers})),
        heard_clips=tuple(sorted({clips for spec in specs for clips in spec.heard_clips})),
        licence=" AND ".join(dict.fromkeys(licences)),
        recipe_hash=_members_hash(files, by),
        intonate_version=__version__,
        scores={},
        dimensions=(),
        events=(),
        spoken_languages=(),
        pieces=(),
    )


def _members_hash(files: Sequence[ModelFile], by: str) -> str:
    """No recipe made an ensemble: its hash tells which files did, in which order. First 12 hex digits of SHA-256."""
    digest = hashlib.sha256(by.encode())
    for file in files:
        for part in (file.path, data_of(file.path)):
            if part.is_file():
                with part.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:12]


def _ensemble_graph(members: Sequence[_Member], spec: ModelSpec, by: str) -> Any:
    """The members' graphs side by side, and what joins them."""
    graph = Graph()
    onnx, helper = graph.onnx, graph.onnx.helper
    models = [onnx.load(str(member.file.path)) for member in members]
    versions = _operator_versions(models)
    inputs: dict[str, Value] = {}
    answers = []
    for number, (member, model) in enumerate(zip(members, models, strict=True), 1):
        model = _at_operator_version(model, versions[""], member.file.path)
        answers.append(_add_member(graph, member, model, f"member{number}/", inputs))
    mean = graph.node("Mean", *answers, dtype=np.float32)
    probabilities = _add_votes(graph, answers, mean, len(spec.labels)) if by == VOTE else mean
    logs = probabilities.maximum(SMALLEST_PROBABILITY).apply("Log")
    graph.output(OUTPUT, logs, ["batch", len(spec.labels)])
    ensemble = helper.make_model(
        helper.make_graph(graph.nodes, spec.name, graph.inputs, graph.outputs, graph.constants),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in versions.items()],
        ir_version=max(model.ir_version for model in models),
        producer_name="intonate",
    )
    facts = [
        {"name": m.file.spec.name, "recipe_hash": m.file.spec.recipe_hash, "licence": m.file.spec.licence}
        for m in members
    ]
    helper.set_model_props(ensemble, {MEMBERS_KEY: json.dumps({"by": by, "members": facts}, ensure_ascii=False)})
    return ensemble


def _operator_versions(models: Sequence[Any]) -> dict[str, int]:
    """For each domain of operators the newest version that a member needs; "" is ONNX's own."""
    versions: dict[str, int] = {"": OPSET}
    for opset in (opset for model in models for opset in model.opset_import):
        domain = "" if opset.domain == "ai.onnx" else opset.domain
        versions[domain] = max(opset.version, versions.get(domain, 0))
    return versions


def _add_member(graph: Graph, member: _Member, model: Any, prefix: str, inputs: dict[str, Value]) -> Value:
    """A member's graph, and its calibrated probabilities in the order of the ensemble's labels, (batch, classes).

    Args:
        graph: of the ensemble, changed in place.
        member: the member.
        model: its ONNX model, at the ensemble's versions of operators.
        prefix: goes before each of its names.
        inputs: of the ensemble, by name; those of the member are added.
    """
    feeds = {}
    for item in model.graph.input:
        name, kind = member.names[item.name], item.type.tensor_type
        if name not in inputs:
            # Each has a length of its own: onnxruntime may plan its memory by dimensions of the same name.
            axes = [_dimension_or_name(axis, f"{name}_axis{n}") for n, axis in enumerate(kind.shape.dim[1:], 1)]
            dtype = graph.onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
            inputs[name] = graph.input(name, dtype, ["batch", *axes])
        feeds[item.name] = inputs[name]
    # Behind the labels there may be dimensions and events, which an ensemble leaves out.
    logits = graph.embed(model, feeds, prefix).at(member.order, axis=1).cast(np.float32)
    return (logits / member.file.spec.temperature).apply("Softmax", axis=-1)


def _add_votes(graph: Graph, answers: Sequence[Value], mean: Value, classes: int) -> Value:
    """The share of the members whose best label it is, with a trace of the mean probability; see `TIE`."""
    ballots = []
    for answer in answers:
        best = graph.node("ArgMax", answer, dtype=np.int64, axis=-1, keepdims=0)
        no_and_yes = np.array([0, 1], np.float32)
        ballots.append(graph.node("OneHot", best, np.array(classes, np.int64), no_and_yes, dtype=np.float32))
    return graph.node("Mean", *ballots, dtype=np.float32) * (1 - TIE) + mean * TIE


def _dimension_or_name(axis: Any, name: str) -> int | str:
    """A dimension as the member has it: fixed, or of any length under a name of its own."""
    return axis.dim_value if axis.HasField("dim_value") else name


def _at_operator_version(graph: Any, version: int, path: Path) -> Any:
    """A member's model at the operator set of all: exporters choose their own."""
    onnx = require("onnx", "train")
    from onnx import inliner, version_converter

    if graph.functions:
        graph = inliner.inline_local_functions(graph)
    if any(opset.domain in ("", "ai.onnx") and opset.version != version for opset in graph.opset_import):
        try:
            graph = version_converter.convert_version(graph, version)
        except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
            raise ModelError(
                f"{path} cannot be brought to operator set {version}, which another member needs: {first_line(error)}; "
                "export the members alike"
            ) from error
    # Shapes that the exporter noted, under names of dimensions that mean something else beside other members.
    del graph.graph.value_info[:]
    return graph


def _expected_output(members: Sequence[_Member], by: str, feeds: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """What the ensemble's graph must answer, from the members' own files: log-probabilities (batch, classes)."""
    member_probabilities = np.stack(
        [
            member.file.run({member_name: feeds[name] for member_name, name in member.names.items()})[:, member.order]
            for member in members
        ]
    )
    mean = member_probabilities.mean(axis=0)
    if by == VOTE:
        votes = np.eye(member_probabilities.shape[2])[member_probabilities.argmax(axis=2)].mean(axis=0)
        mean = (1 - TIE) * votes + TIE * mean
    return np.asarray(np.log(np.maximum(mean, SMALLEST_PROBABILITY)))
