import numpy as np
import pytest

from intonate.export.nodes import AXES_AS_INPUT, Graph, Value

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


def run(graph, *feeds):
    helper = onnx.helper
    model = helper.make_model(
        helper.make_graph(graph.nodes, "test", graph.inputs, graph.outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", graph.version)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {item.name: feed for item, feed in zip(graph.inputs, feeds, strict=True)})


def test_a_graph_is_written_like_arithmetic():
    graph = Graph("front/")
    x = graph.input("x", np.float32, ["n"])
    graph.output("y", 2 / (x + 1) - x, ["n"])
    values = np.array([0, 1, 3], np.float32)
    np.testing.assert_allclose(run(graph, values)[0], 2 / (values + 1) - values)


def test_its_names_begin_with_the_prefix_and_a_constant_is_written_once():
    graph = Graph("front/")
    x = graph.input("x", np.float32, ["n"])
    graph.output("y", (x + 2) * 2, ["n"])
    assert [entry.name for entry in graph.constants] == ["front/constant_1"]
    assert [node.output[0] for node in graph.nodes] == ["front/add_2", "front/mul_3", "y"]


@pytest.mark.parametrize("version", [AXES_AS_INPUT - 1, AXES_AS_INPUT])
@pytest.mark.parametrize(
    ("operator", "expected"), [("ReduceMax", np.max), ("ReduceMin", np.min), ("ReduceMean", np.mean)]
)
def test_reductions_at_both_kinds_of_operator_sets(version, operator, expected):
    graph = Graph(version=version)
    x = graph.input("x", np.float32, [2, 3])
    graph.output("rows", x.reduce(operator, 1, keepdims=True), [2, 1])
    graph.output("all", x.reduce(operator), [])
    values = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    rows, everything = run(graph, values)
    np.testing.assert_allclose(rows, expected(values, axis=1, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(everything, expected(values), rtol=1e-6)


def test_shape_and_transpose():
    graph = Graph()
    x = graph.input("x", np.float32, ["a", "b", 4])
    graph.output("turned", x.transpose(2, 0, 1), [4, "a", "b"])
    graph.output("middle", x.shape(1, 2), [1])
    graph.output("first", x.length(), [])
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    turned, middle, first = run(graph, values)
    np.testing.assert_array_equal(turned, values.transpose(2, 0, 1))
    assert (middle.tolist(), int(first)) == ([3], 2)


def test_a_model_within_another_keeps_the_kinds_of_its_numbers():
    inner = Graph()
    inner.output("count", inner.input("mask", bool, ["n"]).cast(np.int64).sum(), [])
    helper = onnx.helper
    model = helper.make_model(helper.make_graph(inner.nodes, "inner", inner.inputs, inner.outputs, inner.constants))
    graph = Graph()
    x = graph.input("x", np.float32, ["n"])
    count = graph.embed(model, {"mask": x > 1}, "inner/")
    assert isinstance(count, Value)
    assert count.dtype == np.int64
    graph.output("twice", count + count, [])
    assert int(run(graph, np.array([0, 2, 3], np.float32))[0]) == 4
