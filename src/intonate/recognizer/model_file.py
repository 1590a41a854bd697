"""Open a model file: an ONNX graph with its `ModelSpec` inside, and nothing that could run code of its own.

The spec is the metadata property `intonate.spec`. Everything that could disagree between the graph and the spec is
checked here, once, so that the recognizer need not check it again.
"""

from __future__ import annotations

import base64
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate import features
from intonate.audio import kinds
from intonate.errors import ModelError, first_line
from intonate.features import encoded
from intonate.features.text import TOKENS, is_text
from intonate.onnx_session import device_of, open_session
from intonate.published.protobuf import fields
from intonate.recognizer.probabilities import softmax
from intonate.schema import ModelSpec

SPEC_KEY = "intonate.spec"
# Of an ONNX ModelProto: metadata_props.
METADATA_FIELD = 14
# Before the name of an encoder that the file carries along, in base64: what its front end `encoded` runs.
ENCODER_KEY = "intonate.encoder."
# How files of others end -> what they are.
FOREIGN: Mapping[str, str] = {
    ".bin": "weights of PyTorch",
    ".ckpt": "weights of PyTorch",
    ".gguf": "a model of llama.cpp",
    ".h5": "a model of Keras",
    ".joblib": "a pickle, which could run code",
    ".keras": "a model of Keras",
    ".nemo": "a model of NeMo",
    ".pickle": "a pickle, which could run code",
    ".pkl": "a pickle, which could run code",
    ".pt": "weights of PyTorch",
    ".pth": "weights of PyTorch",
    ".safetensors": "weights without a network",
    ".tflite": "a model of TensorFlow Lite",
}
# How clips may share a batch, from any to none with another (`ModelSpec.batching`).
BATCHINGS = ("any", "equal_length", "one")
NORMALISATIONS = ("corpus", "clip", "speaker")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model that is ready to run.

    Attributes:
        path: where it was read from.
        spec: its description: inputs, labels, temperature, licence…
        session: the onnxruntime session.
    """

    path: Path
    spec: ModelSpec
    session: Any

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, in another process too, opens the file again: a session cannot be copied."""
        threads = self.session.get_session_options().intra_op_num_threads
        return _reopened, (self.path, self.spec, threads, device_of(self.session))

    def run(self, feeds: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Calibrated probabilities (batch, outputs) of a padded batch.

        Those of the labels sum to one in every row, unless several may be true; the spec's other outputs, each from 0
        to 1, follow.

        Raises:
            ModelError: the graph refused the shapes, or answered with something that is not a number.
        """
        return self.run_with_pieces(feeds)[0]

    def run_with_pieces(self, feeds: dict[str, NDArray[Any]]) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
        """The same, and the numbers of the pieces of words, (batch, steps); None for a model that writes none down."""
        try:
            output, *other_outputs = self.session.run(None, feeds)
        except Exception as error:  # onnxruntime's exceptions have no common base but Exception
            raise ModelError(f"model {self.spec.name!r} could not be run on this sound: {first_line(error)}") from error
        columns, count = np.asarray(output, np.float64), len(self.spec.labels)
        if columns.ndim != 2 or columns.shape[1] != len(self.spec.outputs) or np.isnan(columns).any():
            raise ModelError(f"model {self.spec.name!r} gave no usable answer (shape {columns.shape}, or not a number)")
        logits, dimensions = columns[:, :count] / self.spec.temperature, np.clip(columns[:, count:], 0.0, 1.0)
        # Sigmoids without overflow where a label is as good as ruled out.
        scores = np.exp(-np.logaddexp(0.0, -logits)) if self.spec.multi_label else softmax(logits)
        return np.concatenate([scores, dimensions], axis=1), other_outputs[0] if self.spec.pieces else None


def _reopened(path: Path, spec: ModelSpec, threads: int, device: str) -> ModelFile:
    return replace(read_model(path, threads, device), spec=spec)


def read_model(path: str | os.PathLike[str], threads: int = 1, device: str | None = None) -> ModelFile:
    """Read a model file. A `NAME.onnx.data` with the weights of a large one lies beside it.

    Args:
        path: the .onnx file.
        threads: of onnxruntime; one is quickest for a small model.
        device: what computes (`onnx_session`); None for that of the environment, or the processor.

    Raises:
        ModelError: the device is not here; the file is missing, is not ONNX, is not ours, or its graph does not agree
            with its spec.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"model file {path} does not exist")
    try:
        session = open_session(path, threads, device)
    except ModelError:
        raise
    except Exception as error:  # as above
        _check_fetched(path)
        if path.suffix.lower() in (".csv", ".tsv", ".jsonl"):
            raise ModelError(f"{path} is a table and no model; the model comes first, then its manifest") from error
        if path.suffix.lower() in FOREIGN:
            raise ModelError(
                f"{path} looks like {FOREIGN[path.suffix.lower()]}; give a model file (.onnx), or a checkpoint of "
                "others by its name or as a folder with its configuration (`intonate models` lists known ones)"
            ) from error
        raise ModelError(f"{path} cannot be read as an ONNX model: {first_line(error)}") from error
    metadata = session.get_modelmeta().custom_metadata_map
    text = metadata.get(SPEC_KEY)
    if text is None:
        raise ModelError(
            f"{path} is an ONNX model, but not one that intonate wrote: its metadata has no {SPEC_KEY!r}; "
            "train or export it with intonate"
        )
    try:
        spec = ModelSpec.from_json(text)
        problem = _encoders_added(spec, metadata, device) or _disagreement(spec, session)
    except (ModelError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: {error}") from error
    if problem:
        raise ModelError(f"{path} does not agree with its own spec: {problem}; export it again")
    return ModelFile(path, spec, session)


def _check_fetched(path: Path) -> None:
    """Say so where git-lfs has not fetched a model file, or the weights beside it: what else is wrong is no news."""
    for part in (path, path.with_name(f"{path.name}.data")):
        if part.is_file():
            kinds.check_fetched(part, ModelError)


def _encoders_added(spec: ModelSpec, metadata: Mapping[str, str], device: str | None) -> str:
    """Make the encoders that the file carries usable; what is wrong with them, empty if nothing is."""
    for name in spec.encoders:
        graph = base64.b64decode(metadata.get(ENCODER_KEY + name, ""))
        if encoded.name_of(graph) != name:
            return f"its encoder {name} is missing or damaged"
        encoded.add(graph, device)
    return ""


def read_spec(path: str | os.PathLike[str]) -> ModelSpec:
    """The spec of a model file, without opening the model: its metadata are read past the graph.

    Raises:
        ModelError: the file is missing, damaged, or not ours.
    """
    try:
        # The system reads only the pages that are looked at.
        with (
            open(path, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
            memoryview(data) as message,
        ):
            entries = [bytes(value) for number, value in fields(message) if number == METADATA_FIELD]
        pairs = [dict(fields(memoryview(entry))) for entry in entries]
        metadata = {bytes(pair[1]).decode(): bytes(pair[2]).decode() for pair in pairs}
    except OSError as error:
        raise ModelError(f"model file {path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (LookupError, ValueError, TypeError, BufferError) as error:  # the last: parts of it were being looked at
        _check_fetched(Path(path))
        raise ModelError(f"{path} cannot be read as an ONNX model: it is damaged") from error
    if SPEC_KEY not in metadata:
        raise ModelError(f"{path} is no model file that intonate wrote: its metadata has no {SPEC_KEY!r}")
    return ModelSpec.from_json(metadata[SPEC_KEY])


def _disagreement(spec: ModelSpec, session: Any) -> str:
    """Where the spec contradicts itself, this version of intonate, or the graph; empty if it does not."""
    outputs = spec.outputs
    if not outputs or len(set(outputs)) != len(outputs):
        return "its labels are missing or repeated"
    if spec.output not in ("logits", "log_probabilities") or spec.batching not in BATCHINGS:
        return f"output {spec.output!r} with batching {spec.batching!r} is not known to this version"
    if spec.prior and len(spec.prior) != len(spec.labels):
        return f"its prior has {len(spec.prior)} shares, for {len(spec.labels)} labels"
    if not spec.temperature > 0 or not 0 < spec.pool.hop_s <= spec.pool.window_s or not spec.sample_rate_hz > 0:
        return "its temperature, sample rate, window and hop must be above zero, and the hop no longer than the window"
    for item in spec.inputs:
        if not is_text(item.front_end):
            features.get(item.front_end)  # raises, with the nearest known name
        elif item.front_end == TOKENS and not spec.tokenizer:
            return f"input {item.name!r} wants tokens, but the spec has no tokenizer"
        if item.normalisation is not None and item.normalisation.kind not in NORMALISATIONS:
            return f"normalisation {item.normalisation.kind!r} of input {item.name!r} is not known"

    kinds = {TOKENS: "int64", **dict.fromkeys(features.IMAGES, "uint8")}
    expected_types = {item.name: kinds.get(item.front_end, "float") for item in spec.inputs}
    expected_types |= {item.lengths: "int64" for item in spec.inputs if item.lengths}
    actual_types = {node.name: node.type.removeprefix("tensor(").removesuffix(")") for node in session.get_inputs()}
    if expected_types != actual_types:
        return f"the graph takes {_signature(actual_types)}, the spec says {_signature(expected_types)}"
    classes = session.get_outputs()[0].shape[-1:]
    if classes and isinstance(classes[0], int) and classes[0] != len(outputs):
        kinds_of_output = ("labels", "dimensions", "events", "spoken_languages")
        counts = {kind: len(getattr(spec, kind)) for kind in kinds_of_output}
        outputs_text = " and ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in counts.items() if count)
        return f"the graph has {classes[0]} outputs, the spec {outputs_text}"
    if spec.pieces and not (len(session.get_outputs()) > 1 and spec.piece_s > 0):
        return "it has pieces of words, and the graph no second output that chooses among them, or not how often"
    return ""


def _signature(inputs: dict[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in sorted(inputs.items())) or "nothing"
