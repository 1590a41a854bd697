"""Write the graph of the voice activity network, without its weights: src/intonate/audio/silero.onnx.

    python benchmarks/silero_graph.py        # needs the extra `train`

The graph computes what Silero's network (version 6, 16 kHz) does, for all the chunks that are there in one run:
magnitudes of four frames of a chunk, four convolutions over them, a recurrent cell from chunk to chunk, a sigmoid. The
convolutions are written as products of matrices, which are quicker at four frames.
"""

from __future__ import annotations

from pathlib import Path

import onnx

from intonate.audio.silero import FRAME, GRAPH, STATE
from intonate.export.graph_builder import GraphBuilder

BINS, FRAMES = FRAME // 2 + 1, 4
# (channels in, channels out, stride, frames that come in) of each convolution, of width three.
CONVOLUTIONS = ((BINS, 128, 1, 4), (128, 64, 2, 4), (64, 64, 2, 2), (64, STATE, 1, 1))
SHAPES = {
    "frames": ("chunks x 4", FRAME),
    "hidden": (1, 1, STATE),
    "cell": (1, 1, STATE),
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


def graph() -> bytes:
    """The ONNX file."""
    build = GraphBuilder()
    names = iter(f"value{number}" for number in range(1000))

    def constant(*values: int) -> str:
        return build.constant(next(names), list(values))

    def node(operator: str, *inputs: str, output: str | None = None, **attributes: object) -> str:
        return build.node(operator, list(inputs), output or next(names), **attributes)

    spectrum = node("MatMul", "frames", "basis")
    parts = [node("Slice", spectrum, constant(low), constant(low + BINS), constant(1)) for low in (0, BINS)]
    power = node("Add", *(node("Mul", part, part) for part in parts))
    rows = node("Reshape", node("Sqrt", power), constant(-1, FRAMES, BINS))
    for layer, (_, _, stride, frames) in enumerate(CONVOLUTIONS):
        padded = node("Pad", rows, constant(0, 1, 0, 0, 1, 0))
        last = stride * ((frames - 1) // stride) + 1
        shifted = [
            node("Slice", padded, constant(shift), constant(shift + last), constant(1), constant(stride))
            for shift in range(3)
        ]
        product = node("MatMul", node("Concat", *shifted, axis=2), f"kernel{layer}")
        rows = node("Relu", node("Add", product, f"bias{layer}"))
    build.nodes.append(
        onnx.helper.make_node(
            "LSTM",
            [rows, "input_weight", "hidden_weight", "gate_bias", "", "hidden", "cell"],
            ["states", "next_hidden", "next_cell"],
            hidden_size=STATE,
        )
    )
    states = node("Relu", node("Reshape", "states", constant(-1, STATE)))
    node("Sigmoid", node("Add", node("MatMul", states, "output_weight"), "output_bias"), output="probabilities")

    def values(shapes: dict[str, tuple[int | str, ...]]) -> list[onnx.ValueInfoProto]:
        return [
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()
        ]

    made = onnx.helper.make_graph(build.nodes, "silero", values(SHAPES), values(OUTPUTS), build.constants)
    model = onnx.helper.make_model(
        made, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8, producer_name="intonate"
    )
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


if __name__ == "__main__":
    Path(GRAPH).write_bytes(graph())
