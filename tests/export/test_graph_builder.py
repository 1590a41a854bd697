import numpy as np
import pytest

from intonate.export.graph_builder import GraphBuilder

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


def test_a_graph_runs_and_its_names_begin_with_the_prefix():
    builder = GraphBuilder("member1/")
    total = builder.node("Add", ["x", builder.constant("step", np.float32(2))], "sum")
    assert total == "member1/sum"
    assert [entry.name for entry in builder.constants] == ["member1/step"]
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", kind, [1])]
    outputs = [helper.make_tensor_value_info(total, kind, [1])]
    graph = helper.make_graph(builder.nodes, "sum", inputs, outputs, builder.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {"x": np.ones(1, np.float32)})[0], [3])
