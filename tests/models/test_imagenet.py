"""Networks of Keras inside the house: what they see, what learns, and where their weights come from."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
import toy

from intonate.errors import ModelError, RecipeError
from intonate.export import onnx as export
from intonate.models import keras_networks
from intonate.models.imagenet import ImageNetNetwork
from intonate.models.keras_networks import KerasNetwork
from intonate.recognizer.recognizer import load_model
from intonate.schema import ModelInput, ModelSpec
from intonate.training.fit import train

ROOT = Path(__file__).parents[2]
RAVDESS = ROOT.parent / "shared" / "corpora" / "ravdess"
LABELS = ("angry", "happy", "neutral", "sad")
NAMES = sorted(keras_networks.NETWORKS)
# As Keras's documentation and the papers count them, without the 1,000 classes.
PUBLISHED = {
    "vgg16": 14_714_688,
    "vgg19": 20_024_384,
    "resnet50": 23_587_712,
    "resnet50v2": 23_564_800,
    "mobilenetv2": 2_257_984,
    "inceptionv3": 21_802_784,
}
# Odd and even, so that padding on one side alone would show; no smaller does for InceptionV3.
SIZE = (76, 83)
# Red, green and blue of the photographs of ImageNet (Simonyan & Zisserman 2014).
MEANS = (123.68, 116.779, 103.939)


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No network, and a folder of Keras's own; where the file server would be is `tmp_path / "server"`."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(keras_networks, "BASE", (tmp_path / "server").as_uri())
    return tmp_path / "server"


def images(*shape, size=SIZE, seed=0):
    """Patches of colour with noise: after so many averages, noise alone looks the same in every image."""
    rng = np.random.default_rng(seed)
    height, width = size
    coarse = rng.integers(30, 226, (*shape, 4, 4, 3)).repeat(-(-height // 4), -3).repeat(-(-width // 4), -2)
    return (coarse[..., :height, :width, :] + rng.integers(-30, 30, (*shape, *size, 3))).astype(np.uint8)


def stirred(body):
    """Numbers with which something arrives at the output: statistics that are not 0 and 1, biases that are not 0."""
    rng = np.random.default_rng(3)
    for variable in body.variables:
        name, shape = variable.path.rpartition("/")[2], variable.shape
        if name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, shape))
        elif name in ("bias", "beta", "moving_mean"):
            variable.assign(rng.normal(0, 0.1, shape))
        else:  # a kernel (height, width, in, out), or of each channel by itself (height, width, in, 1)
            fan = np.prod(shape[:2] if "depthwise" in variable.path else shape[:3])
            variable.assign(rng.normal(0, np.sqrt(2 / fan), shape))
    return body


def write_published(path, body):
    """A weight file as Keras 1 and 2 wrote those that are published: a group for each layer, its arrays in order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in body.layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.2.4"
        for layer in body.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0".encode() for weight in layer.weights]
            group.attrs["weight_names"] = names
            for name, weight in zip(names, layer.weights, strict=True):
                group[name.decode()] = np.asarray(weight.value.detach())
    return path


def drawn_file(path, network, width=1.0):
    """A weight file of random numbers, and the body that it was written from."""
    body = stirred(KerasNetwork(network, SIZE, width=width).body)
    return write_published(path, body), body


@pytest.mark.parametrize("name", NAMES)
def test_it_answers_what_keras_does(name, tmp_path):
    """The published weights' way through a file, and Keras in float64 with its own order of axes and preprocessing."""
    path, _ = drawn_file(tmp_path / "weights.h5", name)
    ours = KerasNetwork(name, SIZE, str(path)).eval()
    assert sum(tensor.numel() for tensor in ours.parameters()) == PUBLISHED[name]
    published, keras = keras_networks.NETWORKS[name], keras_networks.library()
    assert published.parameters == PUBLISHED[name]
    keras.config.set_dtype_policy("float64")
    try:
        assert keras.config.image_data_format() == "channels_last"
        reference = getattr(keras.applications, published.function)(
            include_top=False, weights=None, input_shape=(*SIZE, 3), pooling="avg"
        )
        reference.load_weights(path)
        preprocess = getattr(keras.applications, published.module).preprocess_input
        with torch.no_grad():
            theirs = reference(preprocess(images(2).astype(np.float64)), training=False).numpy()
    finally:
        keras.config.set_dtype_policy("float32")
    assert theirs.dtype == np.float64
    with torch.no_grad():
        found = ours(torch.from_numpy(images(2))).numpy()
    assert found.shape == (2, ours.width)
    assert np.abs(found - theirs).max() <= 1e-4 * np.abs(theirs).max()
    assert np.abs(theirs[0] - theirs[1]).max() > 0.05 * np.abs(theirs).max()


class Mirror(torch.nn.Module):
    """In the place of a network: gives back what it is shown."""

    def forward(self, x, training):
        return x


@pytest.mark.parametrize("name", NAMES)
def test_what_is_done_to_an_image_is_what_was_done_to_photographs(name):
    network = KerasNetwork(name, SIZE)
    network.body = Mirror()
    shown, x = images(2), images(2).astype(np.float64)
    # Caffe's: blue first, each less its mean; or TensorFlow's.
    caffe = name in ("vgg16", "vgg19", "resnet50")
    expected = (x - MEANS)[..., ::-1] if caffe else x / 127.5 - 1
    expected = np.moveaxis(expected, -1, 1).reshape(2, -1)
    np.testing.assert_allclose(network(torch.from_numpy(shown)), expected, atol=1e-4)
    # Images that were mixed are floats; they are left as they are.
    mixed = torch.from_numpy(shown).float()
    np.testing.assert_allclose(network(mixed), expected, atol=1e-4)
    assert torch.equal(mixed, torch.from_numpy(shown).float())


def build(**params):
    torch.manual_seed(0)
    params = {"network": "mobilenetv2", "weights": "", "width": 0.1} | params
    model = ImageNetNetwork(4, {"images": (*SIZE, 3)}, **params)
    stirred(model.network.body)
    return model


def ask(model, shown, *lengths):
    with torch.no_grad():
        return model.eval()(torch.from_numpy(shown), torch.tensor(lengths)).numpy()


@pytest.mark.parametrize("pool", ["answers", "embeddings"])
def test_several_images_of_a_clip(pool):
    model, shown = build(pool=pool, layers=[8]), images(2, 3)
    alone = np.concatenate([ask(model, shown[:1, :2], 2), ask(model, shown[1:], 3)])
    shown[0, 2] = 77  # padding
    np.testing.assert_allclose(ask(model, shown, 2, 3), alone, atol=1e-5)
    if pool == "answers":
        each = [ask(model, shown[1:, [place]], 1) for place in range(3)]
        np.testing.assert_allclose(alone[1:], np.mean(each, axis=0), atol=1e-5)


def learn(model):
    """Two steps of training; the names of the network's tensors that changed, and of those that did not."""
    before = {name: tensor.clone() for name, tensor in model.network.body.state_dict().items()}
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], 1e-2)
    model.train()
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.from_numpy(images(4, 1)), torch.ones(4, dtype=torch.int64)).square().sum().backward()
        optimizer.step()
    after = model.network.body.state_dict()
    changed = {name.rpartition(".")[2] for name in before if not torch.equal(before[name], after[name])}
    return changed, {name.rpartition(".")[2] for name in before} - changed


def test_a_frozen_network_stays_as_it_was():
    changed, _ = learn(build())
    assert changed == set()


def test_only_the_last_blocks_learn():
    """Their statistics too; those of the others stay as they are, as all else of them does."""
    changed, kept = learn(build(trainable=2))
    assert {name.partition("/")[0].rpartition("_")[0] for name in changed} <= {"Conv", "Conv_1", "block_16"} | {
        f"block_16_{part}" for part in ("expand", "depthwise", "project")
    }
    assert {"Conv_1/kernel", "Conv_1_bn/moving_mean", "block_16_expand/kernel"} <= changed
    assert {"Conv1/kernel", "block_15_project/kernel", "block_15_project_BN/moving_mean"} <= kept


def test_all_of_it_learns():
    changed, kept = learn(build(trainable="all"))
    assert {"Conv1/kernel", "bn_Conv1/moving_mean", "Conv_1/kernel"} <= changed
    assert not any(name.endswith(("kernel", "moving_mean")) for name in kept)


@pytest.mark.parametrize(
    ("name", "depth", "first", "count"),
    [
        ("vgg16", 1, "block5_conv1", 6),
        ("vgg19", 2, "block4_conv1", 16),
        ("resnet50", 1, "conv5_block3_1_conv", 12),
        ("resnet50v2", 1, "conv5_block3_preact_bn", 12),
        ("inceptionv3", 12, "conv2d", 188),
    ],
)
def test_freeze_depth_counts_blocks_from_the_output(name, depth, first, count):
    body = KerasNetwork(name, SIZE, trainable=depth).body
    learning = [weight.path for layer in body.layers for weight in layer.trainable_weights]
    assert learning[0].partition("/")[0] == first
    assert len(learning) == count
    assert sum(weight.requires_grad for weight in body.parameters()) == count


def test_what_a_network_sees_may_be_flattened():
    """P4's VGG16: 7 x 7 x 512 of an image of 224 x 224."""
    assert KerasNetwork("vgg16", (224, 224), features="flatten").width == 7 * 7 * 512


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, at a copy
def test_a_network_is_a_module_like_any_other():
    """Its tensors have the same names each time, and a copy of it is one by itself."""
    one, other = (KerasNetwork("inceptionv3", SIZE).state_dict() for _ in range(2))
    assert list(one) == list(other)
    model, shown = build(trainable="all"), images(2, 1)
    before, copied = ask(model, shown, 1, 1), copy.deepcopy(model)
    np.testing.assert_array_equal(ask(copied, shown, 1, 1), before)
    with torch.no_grad():
        for weight in copied.network.parameters():
            weight.mul_(1.5)
    assert np.abs(ask(copied, shown, 1, 1) - before).max() > 1e-3
    np.testing.assert_array_equal(ask(model, shown, 1, 1), before)
    copied.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(ask(copied, shown, 1, 1), before)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "vgg16")) for name in NAMES])
def test_the_file_answers_what_the_model_does(name, tmp_path):
    clips = [{"images": images(count, seed=count)} for count in (1, 2, 4)]
    spec = ModelSpec("toy", LABELS, (ModelInput("images", "jet_image", lengths="images_lengths"),))
    model = build(network=name, width=1.0, trainable=1)
    assert export.write_torch(model, spec, clips, tmp_path / "model.onnx") <= 1e-4


def test_published_weights_are_found_where_keras_keeps_them(tmp_path):
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
    path, body = drawn_file(tmp_path / "keras" / "models" / name, "mobilenetv2", 0.35)
    assert keras_networks.find("mobilenetv2", "imagenet", 0.35) == path
    found = KerasNetwork("mobilenetv2", SIZE, "imagenet", width=0.35).body
    for one, other in zip(body.variables, found.variables, strict=True):
        np.testing.assert_array_equal(one.value.detach(), other.value.detach())


def test_weights_are_fetched_once_and_whole(nowhere, tmp_path):
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    server = nowhere / "mobilenet_v2" / name
    server.parent.mkdir(parents=True)
    server.write_bytes(b"what is published")
    path = keras_networks.find("mobilenetv2", "imagenet")
    assert path == tmp_path / "keras" / "models" / name
    assert path.read_bytes() == b"what is published"
    server.unlink()
    assert keras_networks.find("mobilenetv2", "imagenet") == path
    assert os.listdir(path.parent) == [name]


def test_another_file_than_the_published_one_is_not_kept(nowhere, tmp_path):
    server = nowhere / keras_networks.NETWORKS["vgg16"].file
    server.parent.mkdir(parents=True)
    server.write_bytes(b"something else")
    with pytest.raises(ModelError, match="another file came"):
        keras_networks.find("vgg16", "imagenet")
    assert os.listdir(tmp_path / "keras" / "models") == []


def test_without_a_network_it_says_what_is_missing(toy_corpus, tmp_path, monkeypatch):
    """Before anything is listened to: which file, its size, whence, and where to put it."""
    wanted = (
        r"keras/models/vgg16_weights_tf_dim_ordering_tf_kernels_notop\.h5, the weights of VGG16 \(59 MB\) is not "
        r"on this machine .*`curl -L --create-dirs -o .*/vgg16/vgg16_"
    )
    inputs = {"images": {"front_end": "mfcc_image"}}
    kept = tmp_path / "cache"
    data = {"corpora": {"folder": str(toy_corpus)}, "labels": "4", "split": "speakers-4", "cache": str(kept)}
    model = {"name": "imagenet", "params": {"network": "vgg16"}}
    recipe = toy.recipe(tmp_path / "toy.yaml", toy_corpus, data=data, inputs=inputs, model=model)
    with pytest.raises(ModelError, match=wanted):
        train(recipe, runs=tmp_path)
    assert not kept.exists()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(keras_networks.urllib.request, "urlopen", None)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set"):
        ImageNetNetwork.check("vgg16")
    with pytest.raises(ModelError, match=r"nowhere\.h5, the weights of MobileNetV2 \(9 MB\) is not on this machine"):
        build(weights="nowhere.h5")


def test_weights_of_another_network_are_refused(tmp_path):
    path, _ = drawn_file(tmp_path / "vgg16.h5", "vgg16")
    with pytest.raises(ModelError, match="are not those of vgg19"):
        KerasNetwork("vgg19", SIZE, str(path))
    whole = path.read_bytes()
    (tmp_path / "half.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="are not those of vgg16"):
        KerasNetwork("vgg16", SIZE, str(tmp_path / "half.h5"))
    path.rename(tmp_path / "vgg16.keras")
    with pytest.raises(ModelError, match=r"no \.h5 file"):
        KerasNetwork("vgg16", SIZE, str(tmp_path / "vgg16.keras"))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"network": "vgg17"}, "did you mean 'vgg1"),
        ({"network": "vgg16"}, "has one width"),
        ({"weights": "imagenet", "width": 0.3}, "0.35, 0.5"),
        ({"trainable": 19}, "18 blocks of mobilenetv2"),
        ({"trainable": "some"}, "18 blocks of mobilenetv2"),
        ({"features": "maximum"}, "average or flatten"),
        ({"pool": "both"}, "answers or embeddings"),
    ],
)
def test_what_cannot_be_is_refused(params, said):
    with pytest.raises(RecipeError, match=said):
        build(**params)


def test_images_that_cannot_be_seen_are_refused():
    with pytest.raises(RecipeError, match="mfcc_image or jet_image"):
        ImageNetNetwork(4, {"images": 80}, weights="")
    with pytest.raises(RecipeError, match=r"20 x 20 pixels: .*at least 32x32"):
        KerasNetwork("vgg16", (20, 20))


def test_keras_with_another_backend_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(config=SimpleNamespace(backend=lambda: "jax")))
    with pytest.raises(ModelError, match="with jax behind it"):
        keras_networks.library()


@pytest.mark.slow
def test_keras_leaves_nothing_in_the_home_folder(tmp_path):
    """And another backend in the environment, of another program, is no matter."""
    code = (
        "import json, os; from intonate.models.keras_networks import library; keras = library();"
        "print(json.dumps([keras.config.backend(), os.environ['KERAS_BACKEND'], 'KERAS_HOME' in os.environ]))"
    )
    home = tmp_path / "home"
    home.mkdir()
    kept = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(home),
        "KERAS_BACKEND": "tensorflow",
    }
    done = subprocess.run([sys.executable, "-c", code], env=kept, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["torch", "tensorflow", False]
    assert ".keras" not in os.listdir(home)


@pytest.mark.slow
@pytest.mark.corpora
@pytest.mark.skipif(not RAVDESS.is_dir(), reason="needs ../shared/corpora/ravdess")
def test_from_real_voices_to_an_answer(tmp_path):
    """P3's recipe with the smallest network: a few steps on some clips of four actors, then one is asked about."""
    for actor in ("Actor_01", "Actor_02", "Actor_03", "Actor_04"):
        (tmp_path / "ravdess" / actor).mkdir(parents=True)
        for clip in (RAVDESS / actor).glob("03-01-*-*-01-01-*.*"):  # one statement, said once
            (tmp_path / "ravdess" / actor / clip.name).symlink_to(clip)
    changes = {
        "data.corpora.ravdess": tmp_path / "ravdess",
        "data.split": "speakers-4",
        "data.folds": [1],
        "data.cache": "",
        "model.params.weights": "",
        "model.params.width": 0.1,
        "training.epochs": 2,
        "training.batch_size": 8,
    }
    overrides = [f"{key}={value}" for key, value in changes.items()]
    run = train(ROOT / "recipes" / "mobilenetv2-p3.yaml", overrides, runs=tmp_path)
    record = json.loads((run / "fold1-seed0" / "run.json").read_text())
    assert record["onnx_difference"] <= export.TOLERANCE
    assert (run / "report" / "metrics.json").is_file()
    clips = sorted((tmp_path / "ravdess" / "Actor_01").iterdir())[:3]
    answers = load_model(run / "fold1-seed0").predict_many(clips)
    assert all(sum(answer.scores.values()) == pytest.approx(1) and len(answer.scores) == 7 for answer in answers)
