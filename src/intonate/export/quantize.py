"""A network in fewer bits: `int8` a quarter of the size, and quicker where it is large; `fp16` half of the size.

int8 is "dynamic" where most weights are of matrix products and LSTMs: only those are quantised, their activations as
they come. onnxruntime's convolutions of integers are no quicker than those of floats; so the convolutions over time
that HuBERT and its kin begin with, two fifths of their work, are written as matrix products first. Where most weights
are of other convolutions, it is "static": the ranges of the activations are measured beforehand, on clips.

With labelled clips, both files answer them, and one that loses more than a point of UAR is not written.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intonate.errors import MESSAGE_LENGTH, ModelError, require
from intonate.evaluation import metrics
from intonate.export.convolutions import multiply_out
from intonate.export.onnx import data_of, is_large, quiet, save, written_aside
from intonate.export.probes import probes
from intonate.export.small_weights import widen
from intonate.recognizer.inputs import Clip, batches, padded_batch
from intonate.recognizer.model_file import ModelFile, read_model

FORMS = ("int8", "fp16")
DYNAMIC_OPERATORS, STATIC_OPERATORS = ("MatMul", "Gemm", "LSTM"), ("Conv", "MatMul", "Gemm")
# What such a graph has and no other: the operators that round activations to 8 bits.
MARKS = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeLSTM", "MatMulIntegerToFloat", "QuantizeLinear"})
# Clips that the ranges of activations are measured on, spread over all; and how many a graph answers at once.
CALIBRATION_CLIPS, BATCH = 128, 16
# The largest loss of UAR on labelled clips that is taken for the smaller file.
LARGEST_LOSS = 0.01


class LabelledClips(NamedTuple):
    """Clips that the model has not learnt from, as its graph takes them, each alone.

    Attributes:
        name: what the card calls them.
        clips: one at least.
        truth: (clips,) index into the labels of the model.
    """

    name: str
    clips: Sequence[Clip]
    truth: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Quantized:
    """What came of it.

    Attributes:
        path: the file.
        bytes_before: size of the file it was made of, weights beside it included.
        bytes_after: its own size.
        difference: the largest difference of a probability between the two, on three clips or on the labelled ones.
        uar: unweighted average recall of the two on the labelled clips, 0 to 1; None without.
        milliseconds: what a clip took the two, the network alone, on one thread; None without.
        clips: what the labelled clips are called, and how many they are; empty without.
    """

    path: Path
    bytes_before: int
    bytes_after: int
    difference: float
    uar: tuple[float, float] | None = None
    milliseconds: tuple[float, float] | None = None
    clips: str = ""

    def __str__(self) -> str:
        before, after = self.bytes_before / 1e6, self.bytes_after / 1e6
        size = f"{before:.1f} MB became {after:.1f} MB"
        if after > 0.99 * before:
            size += " (nothing in it could be shrunk)"
        if self.uar is None or self.milliseconds is None:
            return f"{size}; the largest difference of a probability on three clips is {self.difference:.3f}"
        return (
            f"{size}, UAR {100 * self.uar[0]:.1f} became {100 * self.uar[1]:.1f} on {self.clips}, and "
            f"{self.milliseconds[0]:.2f} ms a clip became {self.milliseconds[1]:.2f} ms"
        )


def quantized(
    model: str | Path, output: str | Path, form: str = "int8", labelled: LabelledClips | None = None
) -> Quantized:
    """Write `NAME-int8.onnx` or `NAME-fp16.onnx`. Its spec is the model's, but for the name.

    Args:
        model: a model file.
        output: the folder to write to; with labelled clips, a card with the figures goes there as well.
        form: one of `FORMS`.
        labelled: to check it with, and to measure the ranges of activations on; static int8 needs them.

    Raises:
        ModelError: the file is quantised already, has nothing that could be, holds a graph that onnxruntime cannot
            quantise, loses too much, would grow, or needs clips and there are none.
    """
    onnx = require("onnx", "train")
    original = read_model(model)
    graph = onnx.load(str(original.path))
    widen(graph.graph)  # weights that are small in the file alone are no quantised ones
    if MARKS & _operator_types(graph) or _weights(graph, onnx.TensorProto.FLOAT16):
        raise ModelError(f"{original.path} is quantised already; give the file that it was made of")
    # Shapes that the exporter noted, with which onnxruntime's own reckoning would quarrel.
    del graph.graph.value_info[:]
    spec = replace(original.spec, name=f"{original.spec.name}-{form}")
    path = Path(output) / f"{spec.name}.onnx"
    with written_aside(path) as target:
        try:
            with quiet():
                made = _half(graph) if form == "fp16" else _int8(original, graph, target.parent, labelled)
        except ModelError:
            raise
        except Exception as error:  # RuntimeError, ValueError, onnx's and onnxruntime's own…
            reason = " ".join(str(error).split())[:MESSAGE_LENGTH]
            raise ModelError(f"{original.path} cannot be written in {form} ({reason}); use it as it is") from error
        onnx.helper.set_model_props(made, {entry.key: entry.value for entry in graph.metadata_props})
        save(made, spec, target)
        try:
            written = read_model(target)
        except ModelError as error:
            # Whether the converter of fp16 can do a graph shows only here, by a message about a file soon gone: trees,
            # neighbours and support vectors have parts that are computed in 32 bits alone.
            raise ModelError(
                f"{original.path} holds a kind of model that cannot be written in {form}; use it as it is"
            ) from error
        found = _compared(original, written, labelled)
        if found.bytes_after > found.bytes_before:
            remedy = "its weights are small already; use it as it is"
            if form == "int8" and labelled is None and is_convolutional(graph):
                remedy = "most are convolutions, which take 8 bits on labelled clips alone; give some: --clips MANIFEST"
            raise ModelError(
                f"{spec.name} would have {found.bytes_after:,} bytes and {original.path} has {found.bytes_before:,}: "
                f"{remedy}"
            )
    found = replace(found, path=path)
    if found.uar and found.milliseconds:
        card = _card(original.spec.name, spec.name, found, found.uar, found.milliseconds)
        path.with_suffix(".md").write_text(card, encoding="utf-8")
    return found


def _int8(original: ModelFile, graph: Any, folder: Path, labelled: LabelledClips | None) -> Any:
    onnx, tools = require("onnx", "train"), require("onnxruntime.quantization", "train")
    raw = folder / "raw.onnx"
    # Signed weights: their products take an eighth of the time of unsigned ones on CPUs with VNNI. Those without add
    # pairs of products in 16 bits, which overflow unless weights keep to 7 bits.
    options = {"weight_type": tools.QuantType.QInt8, "per_channel": True, "reduce_range": True}
    options["use_external_data_format"] = is_large(graph)
    if labelled is not None and is_convolutional(graph):
        tools.quantize_static(
            graph, raw, _calibration(original, labelled.clips), op_types_to_quantize=list(STATIC_OPERATORS), **options
        )
        return onnx.load(str(raw))
    tools.quantize_dynamic(graph, raw, op_types_to_quantize=list(DYNAMIC_OPERATORS), **options)
    made = onnx.load(str(raw))
    multiply_out(made)
    if not MARKS & _operator_types(made):
        raise ModelError(
            f"{original.path} has no weights that could be quantised ({', '.join(DYNAMIC_OPERATORS)}); use it as it is"
        )
    return made


def is_convolutional(graph: Any) -> bool:
    """Whether most weights of an ONNX model are of convolutions over several axes."""
    convolved = {node.input[1] for node in graph.graph.node if node.op_type == "Conv"}
    sizes = {weight.name: (int(np.prod(weight.dims)), len(weight.dims)) for weight in graph.graph.initializer}
    flat = sum(size for size, axes in sizes.values() if axes > 1)
    return 2 * sum(size for name, (size, axes) in sizes.items() if name in convolved and axes > 3) > flat


def _calibration(original: ModelFile, clips: Sequence[Clip]) -> Any:
    """Some clips, one by one, as onnxruntime's calibration asks for them."""
    step = -(-len(clips) // CALIBRATION_CLIPS)
    feeds = (padded_batch(original.spec.inputs, [clip]) for clip in clips[::step])

    class Reader(require("onnxruntime.quantization", "train").CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(feeds, None)

    return Reader()


def _half(graph: Any) -> Any:
    """Weights and products of 16 bits; what goes in and comes out stays as it was."""
    float16 = require("onnxruntime.transformers.float16", "train")
    return float16.convert_float_to_float16(graph, keep_io_types=True)


def _operator_types(graph: Any) -> set[str]:
    return {node.op_type for node in graph.graph.node}


def _weights(graph: Any, kind: int) -> bool:
    return any(weight.data_type == kind for weight in graph.graph.initializer)


def _compared(original: ModelFile, made: ModelFile, labelled: LabelledClips | None) -> Quantized:
    """The figures of the two.

    Raises:
        ModelError: too much is lost.
    """
    sizes = (_file_bytes(original.path), _file_bytes(made.path))
    clips = probes(original.spec) if labelled is None else labelled.clips
    (before, before_ms), (after, after_ms) = _answers(original, clips), _answers(made, clips)
    found = Quantized(made.path, *sizes, float(np.abs(before - after).max()))
    if labelled is None:
        return found
    uar = (_uar(before, labelled, original), _uar(after, labelled, original))
    if uar[0] - uar[1] > LARGEST_LOSS:
        raise ModelError(
            f"{made.spec.name} loses {100 * (uar[0] - uar[1]):.1f} points of UAR on {labelled.name} "
            f"({100 * uar[0]:.1f} became {100 * uar[1]:.1f}), and more than {100 * LARGEST_LOSS:g} is not given away; "
            "use the model as it is"
        )
    name = f"{labelled.name} ({len(labelled.clips):,} clips)"
    return replace(found, uar=uar, milliseconds=(before_ms, after_ms), clips=name)


def _answers(model: ModelFile, clips: Sequence[Clip]) -> tuple[NDArray[np.float64], float]:
    """Its probabilities (clips, outputs), and how many milliseconds a clip took."""
    answers = np.empty((len(clips), len(model.spec.outputs)))
    seconds = 0.0
    for positions, feeds in _feeds(model, clips):
        start_s = time.process_time()
        answers[positions] = model.run(feeds)
        seconds += time.process_time() - start_s
    return answers, 1000 * seconds / len(clips)


def _feeds(model: ModelFile, clips: Sequence[Clip]) -> Iterator[tuple[list[int], dict[str, NDArray[Any]]]]:
    for start in range(0, len(clips), BATCH):
        for positions, feeds in batches(model.spec, clips[start : start + BATCH], BATCH):
            yield [start + position for position in positions], feeds


def _uar(answers: NDArray[np.float64], labelled: LabelledClips, model: ModelFile) -> float:
    labels = len(model.spec.labels)
    guesses = answers[:, :labels].argmax(axis=1)
    return float(metrics.uar(metrics.confusion_matrix(labelled.truth, guesses, labels)))


def _card(
    original: str, name: str, found: Quantized, uar: tuple[float, float], milliseconds: tuple[float, float]
) -> str:
    rows = {
        "size, MB": (found.bytes_before / 1e6, found.bytes_after / 1e6),
        f"UAR on {found.clips}, clip alone, %": (100 * uar[0], 100 * uar[1]),
        "network, ms a clip (one thread of the machine that made it)": milliseconds,
    }
    lines = [f"| | `{original}` | `{name}` |", "| --- | ---: | ---: |"]
    lines += [f"| {what} | {before:.2f} | {after:.2f} |" for what, (before, after) in rows.items()]
    return (
        f"# {name}\n\nThe model `{original}` in fewer bits. All that its card says holds for this one too; the "
        f"held-out scores inside the file are those of `{original}`.\n\n" + "\n".join(lines) + "\n\n"
        f"The largest difference of a probability on these clips is {found.difference:.3f}.\n"
    )


def _file_bytes(path: Path) -> int:
    """Bytes of a model file, with the weights that may lie beside it."""
    return sum(part.stat().st_size for part in (path, data_of(path)) if part.is_file())
