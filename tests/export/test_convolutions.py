"""Convolutions as products: the same numbers, to what 8 bits of each frame can say."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from intonate.export.convolutions import FEWEST_CHANNELS, multiply_out

SETTINGS = {
    "taps": st.integers(1, 5),
    "stride": st.integers(1, 4),
    "dilation": st.integers(1, 3),
    "frames": st.integers(0, 20),
    "bias": st.booleans(),
    "version": st.sampled_from([17, 18]),
}


def convolution(kernel, bias=None, norm=None, version=17, **settings):
    """(batch, channels, T) in, a convolution out; `norm` is gain and offset of each channel."""
    constants = {"kernel": kernel} | ({} if bias is None else {"bias": bias})
    output = "out" if norm is None else "between"
    nodes = [helper.make_node("Conv", ["sound", *constants], [output], **settings)]
    if norm is not None:
        constants |= dict(zip(("gain", "offset"), norm, strict=True))
        nodes.append(helper.make_node("InstanceNormalization", ["between", "gain", "offset"], ["out"], epsilon=1e-5))
    graph = helper.make_graph(
        nodes,
        "convolution",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, ["batch", kernel.shape[1], "time"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", kernel.shape[0], "frames"])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)


def answer(model, sound):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"sound": sound.astype(np.float32)})[0]


def operators(model):
    return [node.op_type for node in model.graph.node]


@given(**SETTINGS)
def test_a_convolution_is_a_product_of_integers(taps, stride, dilation, frames, bias, version):
    rng = np.random.default_rng(taps + 10 * stride)
    kernel = rng.normal(size=(5, FEWEST_CHANNELS, taps))
    settings = {"strides": [stride], "dilations": [dilation], "pads": [0, 0], "auto_pad": "NOTSET"}
    offset = 1e-6 * rng.normal(size=5) if bias else None
    model = convolution(kernel, offset, version=version, **settings)
    sound = rng.normal(size=(2, FEWEST_CHANNELS, (taps - 1) * dilation + 1 + frames))
    # The later, the quieter, down to a millionth: each frame has 8 bits of its own, and a clip of silence is nothing.
    loudness = np.geomspace(1, 1e-6, sound.shape[2])
    sound *= loudness
    sound[1] *= 0 if frames == 7 else 1
    wanted = answer(model, sound)
    multiply_out(model)
    assert "Conv" not in operators(model)
    assert "kernel" not in {entry.name for entry in model.graph.initializer}
    got = answer(model, sound)
    assert got.shape == wanted.shape
    # The standard deviation of a sum of so many products; a frame is as loud as its first row.
    size = np.sqrt(taps * FEWEST_CHANNELS) * loudness[: frames + 1 : stride]
    error = np.sqrt(((got - wanted) ** 2).mean(axis=1))
    assert np.all(error <= 0.05 * size)


@given(channels=st.integers(1, 3), **SETTINGS)
def test_a_norm_behind_few_numbers_is_part_of_the_product(channels, taps, stride, dilation, frames, bias, version):
    rng = np.random.default_rng(taps + 10 * stride)
    kernel = rng.normal(size=(5, channels, taps))
    norm = rng.normal(size=(2, 5))
    norm[0, 1] = 0  # a channel that says nothing
    offset = rng.normal(size=5) if bias else None
    model = convolution(kernel, offset, norm, version, strides=[stride], dilations=[dilation])
    # A constant beside the sound, as recordings have it, is more than the sound itself.
    sound = 3 + rng.normal(size=(2, channels, (taps - 1) * dilation + 1 + (frames + 1) * stride))
    wanted = answer(model, sound)
    multiply_out(model)
    assert not {"Conv", "InstanceNormalization"} & {*operators(model)}
    np.testing.assert_allclose(answer(model, sound), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("channels", "settings"), [(64, {"pads": [1, 1]}), (64, {"auto_pad": "SAME_UPPER"}), (8, {}), (64, {"group": 2})]
)
def test_other_convolutions_stay(channels, settings):
    model = convolution(np.ones((4, channels, 3)), **settings)
    multiply_out(model)
    assert operators(model) == ["Conv"]


def test_a_norm_stays_where_others_use_what_it_is_made_of():
    model = convolution(np.ones((4, 1, 3)), norm=np.ones((2, 4)))
    model.graph.output.append(helper.make_tensor_value_info("between", TensorProto.FLOAT, ["batch", 4, "frames"]))
    multiply_out(model)
    assert operators(model) == ["Conv", "InstanceNormalization"]
