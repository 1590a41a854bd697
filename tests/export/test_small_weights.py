"""Weights of 16 or 8 bits in the file and of 32 in use: a smaller file and the same answers, or a sentence."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from typer.testing import CliRunner

from intonate import load_model
from intonate.cli import app
from intonate.converters.command import export
from intonate.errors import ModelError
from intonate.export.probes import sounds
from intonate.export.small_weights import widen, write_small_weights
from intonate.recognizer import builtin

BUILT_IN = ("compact", "compact-open", "standard", "standard-open", "text")


SMALL = (TensorProto.FLOAT16, TensorProto.INT8)


def counts(path):
    """{type: how many numbers of it the graph's weights are}."""
    found = dict.fromkeys((TensorProto.FLOAT, *SMALL), 0)
    for weight in onnx.load(str(path)).graph.initializer:
        if weight.data_type in found:
            found[weight.data_type] += int(np.prod(weight.dims))
    return found


def with_full_weights(path, target):
    """The file with weights of 32 bits, as if they had never been rounded."""
    graph = onnx.load(str(path))
    widen(graph.graph)
    for weight in graph.graph.initializer:
        if weight.data_type == TensorProto.FLOAT and len(weight.dims) > 1:
            values = numpy_helper.to_array(weight)
            values = values * (1 + np.random.default_rng(0).normal(scale=1e-4, size=values.shape).astype(np.float32))
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(graph, str(target))
    return target


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return with_full_weights(builtin.path_of("compact"), tmp_path_factory.mktemp("full") / "mine.onnx")


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_models_are_written_so(name):
    found = counts(builtin.path_of(name))
    assert sum(found[kind] for kind in SMALL) > 20 * found[TensorProto.FLOAT]


@pytest.mark.parametrize(("bits", "size", "difference"), [(16, 0.55, 2e-3), (8, 0.32, 0.02)])
def test_a_smaller_file_and_the_same_answers(bits, size, difference, full, tmp_path):
    result = CliRunner().invoke(app, ["export", str(full), "--weights", str(bits), "--output", str(tmp_path)])
    path = tmp_path / full.name
    assert result.output.strip() == str(path)
    assert path.stat().st_size < size * full.stat().st_size
    before, after = load_model(full), load_model(path)
    assert after.spec == before.spec
    for sound in sounds(before.spec.sample_rate_hz):
        expected, answer = (model.predict((sound, 16_000)).scores for model in (before, after))
        assert answer.values() != expected.values()
        np.testing.assert_allclose(list(answer.values()), list(expected.values()), atol=difference)


def test_in_place_and_once(full, tmp_path):
    path = tmp_path / "mine.onnx"
    path.write_bytes(full.read_bytes())
    assert write_small_weights(path, path, 16) == path
    with pytest.raises(ModelError, match="no weights of 32 bits to speak of; leave --weights out"):
        write_small_weights(path, path, 16)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.onnx"]


def test_weights_that_16_bits_cannot_hold_stay(full, tmp_path):
    graph = onnx.load(str(full))
    largest = max(graph.graph.initializer, key=lambda weight: int(np.prod(weight.dims)))
    values = numpy_helper.to_array(largest).copy()
    values.flat[0] = 1e6
    largest.CopyFrom(numpy_helper.from_array(values, largest.name))
    onnx.save(graph, str(tmp_path / "wide.onnx"))
    path = write_small_weights(tmp_path / "wide.onnx", tmp_path / "half.onnx", 16)
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
        write_small_weights(tmp_path / "odd.onnx", tmp_path / "half.onnx", 16)
    assert [file.name for file in tmp_path.iterdir()] == ["odd.onnx"]


def test_the_weights_are_given_back(full, tmp_path):
    before = {weight.name: numpy_helper.to_array(weight) for weight in onnx.load(str(full)).graph.initializer}
    for bits, tolerance in ((16, 5e-4), (8, 0.5 / 127)):
        graph = onnx.load(str(write_small_weights(full, tmp_path / f"{bits}.onnx", bits)))
        widen(graph.graph)
        after = {weight.name: numpy_helper.to_array(weight) for weight in graph.graph.initializer}
        assert after.keys() == before.keys()
        for name, values in before.items():
            np.testing.assert_allclose(after[name], values, atol=tolerance * np.abs(values).max(initial=1e-9) + 1e-9)
        onnx.checker.check_model(graph)


def test_other_numbers_of_bits_are_one_sentence_and_nothing_is_written(full, tmp_path):
    with pytest.raises(ModelError, match="--weights is 16 or 8, the bits of each; got 4"):
        export(str(full), tmp_path / "out", weights=4)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", BUILT_IN)
def test_cards_tell_the_size_of_what_is_given_away(name):
    path = builtin.path_of(name)
    assert f"parameters, {path.stat().st_size / 1e6:.1f} MB" in path.with_suffix(".md").read_text(encoding="utf-8")
