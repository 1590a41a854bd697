"""Published weight files: what is read from them, and what is said of the wrong ones."""

import base64
import os
import pickle

import audioset_files
import numpy as np
import pytest
import torch

from intonate.errors import ModelError
from intonate.models.audioset import VGGish, YAMNet
from intonate.published import audioset as weights
from intonate.published import tensorflow_checkpoint

WIDTH = 0.04

# Written by TensorFlow 2.21, `tf.compat.v1.train.Saver(write_version=1)`: four tensors of normal numbers, drawn from
# numpy's default_rng(0) in this order, and global_step, an int64.
BY_TENSORFLOW = """
AAC+AQq7AQoTCgtnbG9iYWxfc3RlcBIAGAkiAAohChN2Z2dpc2gvY29udjEvYmlhc2VzEgQSAggCGAEiAgoACjQKFHZnZ2lzaC9j
b252MS93ZWlnaHRzEhASAggDEgIIAxICCAESAggCGAEiCAoACgAKAAoACh8KEXZnZ2lzaC9mYzIvYmlhc2VzEgQSAggDGAEiAgoA
CiYKEnZnZ2lzaC9mYzIvd2VpZ2h0cxIIEgIIAhICCAMYASIECgAKABICCAEADxYAZ2xvYmFsX3N0ZXAAAQASFAoLZ2xvYmFsX3N0
ZXASABoDUgEHARkndmdnaXNoL2NvbnYxL2JpYXNlcwABAQGAfxIlChN2Z2dpc2gvY29udjEvYmlhc2VzEgIKABoKKgg9wdI+FHGF
Pw4TbndlaWdodHMAAQEEgH+Af4B/gH8SbAoUdmdnaXNoL2NvbnYxL3dlaWdodHMSCAoACgAKAAoAGkoqSGy/AD5/Rge+vfIjP9/V
1j2hIQm//SK5Pnnppj/mc3I//ic0v1X5ob/qjh+/bkUpPU7NFMDsCmC+A3qfv+B1O7+PVAu/GPKhvggQKWZjMi9iaWFzZXMAAQEB
gH8SJwoRdmdnaXNoL2ZjMi9iaWFzZXMSAgoAGg4qDPhVPr8y9mu/ClvqvgwPOHdlaWdodHMAAQECgH+AfxI2ChJ2Z2dpc2gvZmMy
L3dlaWdodHMSBAoACgAaGioYl54Dvkborj8zSiq/IfmzPtJJZz+FicA9AAAAAAEAAAAA9rKk/gAAAAABAAAAAMDyobAAAQMBAL8E
AAAAAAEAAAAArFZQKMQECNEEDwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABX+4CLJHVH2w==
"""


def by_tensorflow() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"conv1/weights": (3, 3, 1, 2), "conv1/biases": (2,), "fc2/weights": (2, 3), "fc2/biases": (3,)}
    return {f"vggish/{name}": rng.normal(size=shape).astype("f") for name, shape in shapes.items()}


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "vggish_model.ckpt"
    audioset_files.write_checkpoint(path, audioset_files.drawn(VGGish(WIDTH)))
    return path


def test_a_checkpoint_of_tensorflow_is_read(tmp_path):
    path = tmp_path / "small.ckpt"
    path.write_bytes(base64.b64decode(BY_TENSORFLOW))
    found = tensorflow_checkpoint.read(path)
    assert set(found) == set(by_tensorflow())
    for name, tensor in by_tensorflow().items():
        np.testing.assert_array_equal(found[name], tensor)


def test_published_names_and_shapes():
    """As `vggish_slim.py` and the layers of `yamnet.py` give them."""
    with torch.device("meta"):
        vggish, yamnet = VGGish(), YAMNet()
    shapes = {theirs: tuple(vggish.state_dict()[ours].shape) for ours, theirs in weights.vggish_names(vggish).items()}
    assert shapes["vggish/conv1/weights"] == (64, 1, 3, 3)
    assert shapes["vggish/conv3/conv3_2/weights"] == (256, 256, 3, 3)
    assert shapes["vggish/conv4/conv4_1/biases"] == (512,)
    assert shapes["vggish/fc1/fc1_1/weights"] == (4096, 12_288)
    assert shapes["vggish/fc1/fc1_2/biases"] == (4096,)
    assert shapes["vggish/fc2/weights"] == (128, 4096)
    assert len(shapes) == 18
    shapes = {theirs: tuple(yamnet.state_dict()[ours].shape) for ours, theirs in weights.yamnet_names(yamnet).items()}
    assert shapes["layer1/conv/layer1/conv/kernel:0"] == (32, 1, 3, 3)
    assert shapes["layer1/conv/bn/layer1/conv/bn/moving_variance:0"] == (32,)
    assert shapes["layer2/depthwise_conv/layer2/depthwise_conv/depthwise_kernel:0"] == (32, 1, 3, 3)
    assert shapes["layer2/pointwise_conv/layer2/pointwise_conv/kernel:0"] == (64, 32, 1, 1)
    assert shapes["layer13/pointwise_conv/bn/layer13/pointwise_conv/bn/beta:0"] == (1024,)
    assert shapes["layer14/depthwise_conv/layer14/depthwise_conv/depthwise_kernel:0"] == (1024, 1, 3, 3)
    assert len(shapes) == 4 * 27


def test_axes_come_into_torchs_order(checkpoint, tmp_path):
    network, tensors = VGGish(WIDTH), audioset_files.drawn(VGGish(WIDTH))
    weights.load(network, checkpoint)
    state = network.state_dict()
    kernel = tensors["vggish/conv2/weights"]  # (height, width, in, out)
    assert state["features.3.weight"][4, 1, 2, 0] == kernel[2, 0, 1, 4]
    np.testing.assert_array_equal(state["embeddings.4.weight"], tensors["vggish/fc2/weights"].T)
    network, tensors = YAMNet(WIDTH), audioset_files.drawn(YAMNet(WIDTH))
    audioset_files.write_keras(tmp_path / "yamnet.h5", tensors)
    weights.load(network, tmp_path / "yamnet.h5")
    state = network.state_dict()
    depthwise = tensors["layer4/depthwise_conv/layer4/depthwise_conv/depthwise_kernel:0"]  # (…, channels, 1)
    pointwise = tensors["layer4/pointwise_conv/layer4/pointwise_conv/kernel:0"]
    assert state["layers.5.weight"][3, 0, 2, 1] == depthwise[2, 1, 3, 0]
    assert state["layers.6.weight"][4, 2, 0, 0] == pointwise[0, 0, 2, 4]
    beta = tensors["layer4/pointwise_conv/bn/layer4/pointwise_conv/bn/beta:0"]
    np.testing.assert_array_equal(state["layers.6.beta"], beta)


def test_the_names_of_torchvggish_are_ours(tmp_path):
    torch.manual_seed(0)
    given, network = VGGish(WIDTH), VGGish(WIDTH)
    with torch.device("meta"):
        names = set(VGGish().state_dict())
    convolutions = {f"features.{place}" for place in (0, 3, 6, 8, 11, 13)}
    dense = {f"embeddings.{place}" for place in (0, 2, 4)}
    assert names == {f"{layer}.{kind}" for layer in convolutions | dense for kind in ("weight", "bias")}
    torch.save(given.state_dict(), tmp_path / "vggish-10086976.pth")
    weights.load(network, tmp_path / "vggish-10086976.pth")
    for name, tensor in given.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor)


def test_a_converted_file_is_read_instead(checkpoint, monkeypatch):
    first, second = VGGish(WIDTH), VGGish(WIDTH)
    weights.load(first, checkpoint)
    assert [path.name for path in checkpoint.parent.glob("*.safetensors")] == ["vggish_model.ckpt.safetensors"]
    assert not list(checkpoint.parent.glob("*.partial"))

    def read_again(path):
        raise AssertionError("the checkpoint was read again")

    monkeypatch.setitem(weights.READERS, ".ckpt", read_again)
    weights.load(second, checkpoint)
    for name, tensor in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], tensor)
    weights.load(second, f"{checkpoint}.safetensors")
    checkpoint.unlink()
    weights.load(second, checkpoint)


def test_a_newer_file_is_converted_again(checkpoint):
    network = VGGish(WIDTH)
    weights.load(network, checkpoint)
    converted = checkpoint.with_name(f"{checkpoint.name}.safetensors")
    later = audioset_files.drawn(VGGish(WIDTH), seed=1)
    audioset_files.write_checkpoint(checkpoint, later)
    os.utime(converted, (0, 0))
    weights.load(network, checkpoint)
    np.testing.assert_array_equal(network.state_dict()["features.0.bias"], later["vggish/conv1/biases"])


@pytest.mark.parametrize(
    ("network", "file", "size", "place"),
    [
        (VGGish, "vggish_model.ckpt", "289 MB", "https://storage.googleapis.com/audioset/vggish_model.ckpt"),
        (VGGish, "own.pth", "289 MB", "own.pth https://github.com/harritaylor/torchvggish/releases/download/v0.1/"),
        (YAMNet, "yamnet.h5", "15 MB", "https://storage.googleapis.com/audioset/yamnet.h5"),
        (YAMNet, "kept.safetensors", "15 MB", "/yamnet.h5 https://storage.googleapis.com/audioset/yamnet.h5"),
    ],
)
def test_a_missing_file_says_where_it_is_to_be_had(network, file, size, place, tmp_path):
    with pytest.raises(ModelError) as told:
        weights.load(network(WIDTH), tmp_path / file)
    assert all(word in str(told.value) for word in (file, size, place, str(tmp_path), "model.params.weights"))


def test_another_shape_is_named(checkpoint, tmp_path):
    with pytest.raises(ModelError, match=r"vggish/conv1/weights has the shape \(3, 3, 1, 3\), expected \(3, 3, 1, 6\)"):
        weights.load(VGGish(0.1), checkpoint)
    tensors = audioset_files.drawn(YAMNet(WIDTH))
    del tensors["layer9/pointwise_conv/bn/layer9/pointwise_conv/bn/beta:0"]
    audioset_files.write_keras(tmp_path / "yamnet.h5", tensors)
    with pytest.raises(ModelError, match=r"YAMNet: the tensor layer9/pointwise_conv/bn/.*beta:0 is missing"):
        weights.load(YAMNet(WIDTH), tmp_path / "yamnet.h5")
    assert not list(tmp_path.glob("*.safetensors"))


@pytest.mark.parametrize("name", ["vggish_model.ckpt", "yamnet.h5", "vggish.pth", "vggish.safetensors", "vggish.bin"])
@pytest.mark.parametrize("content", [b"", b"<html>404</html>" * 20], ids=["empty", "a page"])
def test_what_is_no_weight_file_is_refused(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=name):
        weights.load((YAMNet if "yamnet" in name else VGGish)(WIDTH), tmp_path / name)


def test_a_checkpoint_that_is_cut_or_garbled_is_refused(checkpoint, tmp_path):
    whole = checkpoint.read_bytes()
    damaged = tmp_path / "damaged.ckpt"
    for content in (whole[: len(whole) // 2], whole[:100] + whole[-48:], b"\xff" * 300 + whole[300:]):
        damaged.write_bytes(content)
        with pytest.raises(ModelError, match=r"damaged\.ckpt"):
            weights.load(VGGish(WIDTH), damaged)
    audioset_files.write_checkpoint(damaged, audioset_files.drawn(VGGish(WIDTH)), compression=1)
    with pytest.raises(ModelError, match="compressed"):
        weights.load(VGGish(WIDTH), damaged)


class Evil:
    def __reduce__(self):
        return print, ("this ran",)


def test_no_pickle_is_run(tmp_path, capsys):
    (tmp_path / "vggish.pth").write_bytes(pickle.dumps({"features.0.weight": Evil()}))
    with pytest.raises(ModelError, match="cannot be read as weights of torch"):
        weights.load(VGGish(WIDTH), tmp_path / "vggish.pth")
    torch.save({"features.0.weight": Evil()}, tmp_path / "vggish.pth")
    with pytest.raises(ModelError, match="print, which is code"):
        weights.load(VGGish(WIDTH), tmp_path / "vggish.pth")
    assert "this ran" not in capsys.readouterr().out
