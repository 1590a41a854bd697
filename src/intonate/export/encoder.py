"""The first layers of a Whisper, published or taught, as a graph of a few megabytes, for the front end `encoded`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from intonate.errors import ModelError, RecipeError, require
from intonate.export.onnx import OPSET, TOLERANCE, drop_source_lines, quiet
from intonate.published import checkpoints

if TYPE_CHECKING:
    from torch import nn

    from intonate.models.whisper_rows import WhisperRows

# Frames that the graph is checked at: half a second to ten.
FRAMES = (50, 301, 1000)
# Where a recipe names a checkpoint.
RECIPE_KEY = "inputs.voice.params.params.encoder"


def whisper_rows(checkpoint: str, layers: Sequence[int], frames_per_row: int = 2) -> tuple[WhisperRows, int]:
    """The first layers of a published Whisper, and how many mel bands it hears.

    Args:
        checkpoint: folder, or name on the hub, of a Whisper.
        layers: whose outputs stand side by side, counted from 1; the network ends at the last of them.
        frames_per_row: of `WhisperRows`; with other than the published 2 it has to be taught.

    Raises:
        ModelError: the checkpoint is not here and cannot be fetched.
        RecipeError: it is no Whisper, or has no such layer.
    """
    require("torch", "train")
    from intonate.models.whisper_rows import WhisperRows

    network = checkpoints.load(checkpoint, RECIPE_KEY)
    if network.config.model_type != "whisper":
        raise RecipeError(f"encoder {checkpoint} is a {network.config.model_type}; expected a Whisper")
    return WhisperRows(network.encoder, layers, frames_per_row), network.config.num_mel_bins


def encoder_graph(rows: nn.Module, bands: int, int8: bool = True) -> bytes:
    """An ONNX graph (1, frames, bands) -> (1, rows, columns), checked against the network that it is made of.

    Args:
        rows: `WhisperRows` or `TaughtRows`.
        bands: that it hears.
        int8: weights of 8 bits (of 7, so that CPUs without VNNI do not overflow), a quarter of the size.

    Raises:
        ModelError: the graph answers differently.
    """
    torch = require("torch", "train")
    rows = rows.eval()
    moving = {name: {0: "batch", 1: name} for name in ("frames", "rows")}
    with tempfile.TemporaryDirectory() as folder, quiet(), torch.no_grad():
        raw, small = Path(folder) / "raw.onnx", Path(folder) / "int8.onnx"
        torch.onnx.export(
            rows, (torch.zeros(1, FRAMES[0] + 1, bands),), str(raw), dynamo=False, opset_version=OPSET,
            input_names=["frames"], output_names=["rows"], dynamic_axes=moving, verbose=False,
        )  # fmt: skip
        _check_against_network(raw, rows, bands)
        if int8:
            tools = require("onnxruntime.quantization", "train")
            tools.quantize_dynamic(
                raw, small, op_types_to_quantize=["MatMul"], weight_type=tools.QuantType.QInt8, per_channel=True,
                reduce_range=True, extra_options={"MatMulConstBOnly": True},
            )  # fmt: skip
        graph = require("onnx", "train").load(str(small if int8 else raw))
        drop_source_lines(graph)
        return bytes(graph.SerializeToString())


def _check_against_network(path: Path, network: object, bands: int) -> None:
    import onnxruntime

    torch = require("torch", "train")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for frames in FRAMES:
        mel = np.random.default_rng(frames).normal(0, 0.5, (1, frames, bands)).astype(np.float32)
        expected = np.asarray(network(torch.from_numpy(mel)))  # type: ignore[operator]
        (actual,) = session.run(None, {"frames": mel})
        if not np.abs(actual - expected).max() <= TOLERANCE * np.abs(expected).max():
            raise ModelError(f"the exported encoder answers differently from the network at {frames} frames")
