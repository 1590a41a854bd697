"""Weights of 16 bits in the file and of 32 in use: half the size and the same answers, or a sentence."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from typer.testing import CliRunner

from intonate import load_model
from intonate.cli import app
from intonate.errors import ModelError
from intonate.export.half_weights import write_half_weights
from intonate.export.probes import sounds
from intonate.recognizer import builtin

BUILT_IN = ("compact", "compact-open", "standard", "standard-open", "text")


def counts(path):
    """{type: how many numbers of it the graph's weights are}."""
    found = dict.fromkeys((TensorProto.FLOAT, TensorProto.FLOAT16), 0)
    for weight in onnx.load(str(path)).graph.initializer:
        if weight.data_type in found:
            found[weight.data_type] += int(np.prod(weight.dims))
    return found


def with_full_weights(path, target):
    """A file whose weights take 16 bits, as if they had never been rounded; (name, values) of one of them."""
    graph = onnx.load(str(path))
    for weight in graph.graph.initializer:
        if weight.data_type == TensorProto.FLOAT16:
            values = numpy_helper.to_array(weight).astype(np.float32)
            values += np.random.default_rng(0).normal(scale=1e-4, size=values.shape).astype(np.float32) * np.abs(values)
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(graph, str(target))
    return target


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return with_full_weights(builtin.path_of("compact"), tmp_path_factory.mktemp("full") / "mine.onnx")


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_models_are_written_so(name):
    found = counts(builtin.path_of(name))
    assert found[TensorProto.FLOAT16] > 20 * found[TensorProto.FLOAT]


def test_half_the_size_and_the_same_answers(full, tmp_path):
    result = CliRunner().invoke(app, ["export", str(full), "--half-weights", "--output", str(tmp_path)])
    path = tmp_path / full.name
    assert result.output.strip() == str(path)
    assert path.stat().st_size < 0.55 * full.stat().st_size
    before, after = load_model(full), load_model(path)
    assert after.spec == before.spec
    for sound in sounds(before.spec.sample_rate_hz):
        expected, answer = (model.predict((sound, 16_000)).scores for model in (before, after))
        assert answer.values() != expected.values()
        np.testing.assert_allclose(list(answer.values()), list(expected.values()), atol=2e-3)


def test_in_place_and_once(full, tmp_path):
    path = tmp_path / "mine.onnx"
    path.write_bytes(full.read_bytes())
    assert write_half_weights(path, path) == path
    with pytest.raises(ModelError, match="no weights of 32 bits to speak of; leave --half-weights out"):
        write_half_weights(path, path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.onnx"]


def test_weights_that_16_bits_cannot_hold_stay(full, tmp_path):
    graph = onnx.load(str(full))
    largest = max(graph.graph.initializer, key=lambda weight: int(np.prod(weight.dims)))
    values = numpy_helper.to_array(largest).copy()
    values.flat[0] = 1e6
    largest.CopyFrom(numpy_helper.from_array(values, largest.name))
    onnx.save(graph, str(tmp_path / "wide.onnx"))
    path = write_half_weights(tmp_path / "wide.onnx", tmp_path / "half.onnx")
    kept = next(weight for weight in onnx.load(str(path)).graph.initializer if weight.name == largest.name)
    np.testing.assert_array_equal(numpy_helper.to_array(kept), values)


def test_answers_that_change_are_refused(full, tmp_path):
    graph = onnx.load(str(full))
    for weight in graph.graph.initializer:  # too small for 16 bits, and made large again behind
        if weight.data_type == TensorProto.FLOAT and len(weight.dims) == 2:
            scaled = numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1e-8), f"{weight.name}.small")
            factor = numpy_helper.from_array(np.float32(1e8), f"{weight.name}.factor")
            name = weight.name
            weight.CopyFrom(scaled)
            graph.graph.initializer.append(factor)
            graph.graph.node.insert(0, onnx.helper.make_node("Mul", [scaled.name, factor.name], [name]))
    onnx.save(graph, str(tmp_path / "odd.onnx"))
    with pytest.raises(ModelError, match="answers differently with weights of 16 bits"):
        write_half_weights(tmp_path / "odd.onnx", tmp_path / "half.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["odd.onnx"]
