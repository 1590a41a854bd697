"""VGGish and YAMNet against an independent implementation in float64, and the MLP on what they give."""

import audioset_files
import numpy as np
import pytest
import torch
import toy

from intonate.errors import ModelError, RecipeError
from intonate.export import onnx as export
from intonate.models import patches as patch_networks
from intonate.models.audioset import VGGish, VGGishMLP, YAMNet, YAMNetMLP
from intonate.published import audioset as weights
from intonate.schema import ModelInput, ModelSpec
from intonate.training.fit import train

WIDTH = 0.04
LABELS = ("angry", "happy", "neutral", "sad")
PATCHES = ModelInput("patches", "audioset_patches", lengths="patches_lengths")
MLPS = (VGGishMLP, YAMNetMLP)


def spectra(*shape):
    """Like log-mel patches: between log(0.01) and about 2."""
    return np.random.default_rng(7).normal(-2, 1.5, (*shape, 96 * 64)).astype("f")


def convolved(x, kernel, stride=1, depthwise=False):
    """TensorFlow's convolution of (batch, height, width, in) with (height, width, in, out), `SAME` padding, float64."""
    size = kernel.shape[0]
    ahead = []
    for n in x.shape[1:3]:
        padding = max((-(-n // stride) - 1) * stride + size - n, 0)
        ahead.append((padding // 2, padding - padding // 2))
    x = np.pad(x, ((0, 0), *ahead, (0, 0)))
    slices = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("bhwcij,ijco->bhwc" if depthwise else "bhwcij,ijco->bhwo", slices, kernel, optimize=True)


def vggish(patches, tensors):
    """`define_vggish_slim`, in float64 and with TensorFlow's order of axes."""
    get = {name.removeprefix("vggish/"): tensor.astype(np.float64) for name, tensor in tensors.items()}
    x = patches.reshape(-1, 96, 64, 1).astype(np.float64)
    for group in (("conv1",), ("conv2",), ("conv3/conv3_1", "conv3/conv3_2"), ("conv4/conv4_1", "conv4/conv4_2")):
        for name in group:
            x = np.maximum(convolved(x, get[f"{name}/weights"]) + get[f"{name}/biases"], 0)
        batch, height, width, channels = x.shape
        x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
    x = x.reshape(len(x), -1)
    for name in ("fc1/fc1_1", "fc1/fc1_2"):
        x = np.maximum(x @ get[f"{name}/weights"] + get[f"{name}/biases"], 0)
    return x @ get["fc2/weights"] + get["fc2/biases"]


def yamnet(patches, tensors):
    """`yamnet` of yamnet.py, in float64 and with TensorFlow's order of axes."""

    def norm(x, layer):
        beta, mean, variance = (
            tensors[f"{layer}/bn/{layer}/bn/{kind}:0"].astype(np.float64)
            for kind in ("beta", "moving_mean", "moving_variance")
        )
        return np.maximum((x - mean) / np.sqrt(variance + 1e-4) + beta, 0)

    x = patches.reshape(-1, 96, 64, 1).astype(np.float64)
    x = norm(convolved(x, tensors["layer1/conv/layer1/conv/kernel:0"], 2), "layer1/conv")
    for place, stride in enumerate((1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1), 2):
        deep, point = f"layer{place}/depthwise_conv", f"layer{place}/pointwise_conv"
        x = norm(convolved(x, tensors[f"{deep}/{deep}/depthwise_kernel:0"], stride, depthwise=True), deep)
        x = norm(x @ tensors[f"{point}/{point}/kernel:0"][0, 0], point)
    return x.mean(axis=(1, 2))


def test_vggish_answers_what_its_definition_does(tmp_path):
    network = VGGish(WIDTH).eval()
    tensors = audioset_files.drawn(network)
    audioset_files.write_checkpoint(tmp_path / "vggish_model.ckpt", tensors)
    weights.load(network, tmp_path / "vggish_model.ckpt")
    with torch.no_grad():
        ours = network(torch.from_numpy(spectra(3))).numpy()
    theirs = vggish(spectra(3), tensors)
    assert theirs.shape == (3, 5)
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


@pytest.mark.parametrize("width", [WIDTH, 0.25])
def test_yamnet_answers_what_its_definition_does(width, tmp_path):
    network = YAMNet(width).eval()
    tensors = audioset_files.drawn(network)
    audioset_files.write_keras(tmp_path / "yamnet.h5", tensors)
    weights.load(network, tmp_path / "yamnet.h5")
    with torch.no_grad():
        ours = network(torch.from_numpy(spectra(3))).numpy()
    theirs = yamnet(spectra(3), tensors)
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


def test_sizes_are_the_published_ones():
    """TensorFlow counts 3,729,481 trained numbers of YAMNet, 534,025 of them for its 521 classes."""
    with torch.device("meta"):
        vggish, yamnet = VGGish(), YAMNet()
        shapes = vggish(torch.empty(2, 96 * 64)).shape, yamnet(torch.empty(2, 96 * 64)).shape
    assert shapes == ((2, 128), (2, 1024))
    assert sum(weight.numel() for weight in vggish.parameters()) == 72_141_184
    assert sum(weight.numel() for weight in yamnet.parameters()) == 3_729_481 - 534_025


def build(mlp, **params):
    """So that one patch is told from another: untrained, a narrow YAMNet says nearly the same of all."""
    torch.manual_seed(0)
    model = mlp(4, {"patches": 96 * 64}, **{"width": 0.1, "layers": [16], "dropout": 0.0} | params)
    if mlp is YAMNetMLP:
        torch.nn.init.normal_(model.mlp.layers[0].weight)
    return model


def ask(model, patches, *lengths):
    with torch.no_grad():
        return model.eval()(torch.from_numpy(patches), torch.tensor(lengths)).numpy()


@pytest.mark.parametrize("mlp", MLPS)
@pytest.mark.parametrize("pool", ["answers", "embeddings"])
def test_padding_does_not_change_the_answer(mlp, pool):
    model, patches = build(mlp, pool=pool), spectra(2, 5)
    alone = np.concatenate([ask(model, patches[:1, :2], 2), ask(model, patches[1:], 5)])
    assert np.abs(ask(model, patches[:1, :3], 3) - alone[:1]).max() > 1e-3
    for filling in (0.0, 100.0):
        padded = patches.copy()
        padded[0, 2:] = filling
        np.testing.assert_allclose(ask(model, padded, 2, 5), alone, atol=1e-5)


@pytest.mark.parametrize("mlp", MLPS)
def test_what_is_averaged(mlp):
    patches = spectra(1, 3)
    answers, embeddings = build(mlp, pool="answers"), build(mlp, pool="embeddings")
    alone = [ask(answers, patches[:, [place]], 1) for place in range(3)]
    np.testing.assert_allclose(ask(answers, patches, 3), np.mean(alone, axis=0), atol=1e-5)
    with torch.no_grad():
        mean = embeddings.network(torch.from_numpy(patches[0])).mean(dim=0, keepdim=True)
        np.testing.assert_allclose(ask(embeddings, patches, 3), embeddings.mlp(mean), atol=1e-5)


def test_in_training_one_patch_of_a_clip_is_answered_for():
    model, patches = build(VGGishMLP), spectra(1, 3)
    alone = np.concatenate([ask(model, patches[:, [place]], 1) for place in range(3)])
    model.train()
    torch.manual_seed(0)
    with torch.no_grad():
        drawn = [model(torch.from_numpy(patches), torch.tensor([2])).numpy() for _ in range(30)]
    chosen = {int(np.abs(alone - answer).max(axis=1).argmin()) for answer in drawn}
    assert chosen == {0, 1}  # never the third, which is padding
    assert all(np.abs(alone - answer).max(axis=1).min() < 1e-5 for answer in drawn)


def learn(model, patches, steps=2):
    """Some steps of training; the network's tensors before and after."""
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    optimizer = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], 1e-2)
    model.train()
    for _ in range(steps):
        model(torch.from_numpy(patches), torch.tensor([3, 2])).square().sum().backward()
        optimizer.step()
    return before, model.network.state_dict()


@pytest.mark.parametrize("mlp", MLPS)
def test_a_frozen_network_stays_as_it_was(mlp):
    before, after = learn(build(mlp), spectra(2, 3))
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("mlp", MLPS)
@pytest.mark.parametrize("pool", ["answers", "embeddings"])
def test_one_that_is_not_frozen_learns(mlp, pool):
    before, after = learn(build(mlp, freeze=False, pool=pool), spectra(2, 3))
    changed = {name.rpartition(".")[2] for name in before if not torch.equal(before[name], after[name])}
    assert changed == ({"weight", "bias"} if mlp is VGGishMLP else {"weight", "beta", "mean", "variance"})


def test_a_frozen_network_looks_at_a_patch_once():
    patch_networks._embedding_cache.cache_clear()  # what other tests left
    model, patches = build(YAMNetMLP), spectra(2, 4)
    seen = []
    model.network.register_forward_hook(lambda module, given, answer: seen.append(len(given[0])))
    first = ask(model, patches, 4, 3)
    ask(model, patches[:, 1:], 3, 3)
    np.testing.assert_array_equal(ask(model, patches, 4, 3), first)
    assert seen == [7, 1]
    again = build(YAMNetMLP, layers=[32])  # another trial of a search: the same network under another head
    again.network.register_forward_hook(lambda module, given, answer: seen.append(len(given[0])))
    ask(again, patches, 4, 3)
    assert seen == [7, 1]
    other = build(YAMNetMLP)
    torch.nn.init.normal_(other.network.layers[0].weight)
    model.load_state_dict(other.state_dict())
    changed = ask(model, patches, 4, 3)
    assert seen == [7, 1, 7]
    assert np.abs(changed - first).max() > 1e-3
    np.testing.assert_allclose(ask(other, patches, 4, 3), changed, atol=1e-6)


@pytest.mark.parametrize("mlp", MLPS)
@pytest.mark.parametrize("params", [{}, {"pool": "embeddings"}, {"freeze": False}], ids=["answers", "mean", "fine"])
def test_the_file_answers_what_the_model_does(mlp, params, tmp_path):
    clips = [{"patches": patches} for patches in (spectra(1), spectra(4), spectra(9))]
    spec = ModelSpec("toy", LABELS, (PATCHES,))
    assert export.write_torch(build(mlp, **params), spec, clips, tmp_path / "model.onnx") <= export.TOLERANCE


def test_published_weights_are_taken_by_their_path(tmp_path):
    network = YAMNet(WIDTH)
    audioset_files.write_keras(tmp_path / "yamnet.h5", audioset_files.drawn(network))
    weights.load(network, tmp_path / "yamnet.h5")
    model = build(YAMNetMLP, weights=str(tmp_path / "yamnet.h5"), width=WIDTH)
    for name, tensor in network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], tensor)
    YAMNetMLP.check(weights=str(tmp_path / "yamnet.h5"), width=WIDTH)
    for mlp in MLPS:
        mlp.check()
        with pytest.raises(ModelError, match="is not on this machine"):
            build(mlp, weights="nowhere/weights.h5")


def test_missing_weights_are_told_before_anything_is_listened_to(toy_corpus, tmp_path):
    inputs = {"patches": {"front_end": "audioset_patches"}}
    model = {"name": "vggish_mlp", "params": {"weights": str(tmp_path / "vggish_model.ckpt")}}
    kept = tmp_path / "cache"
    data = {"corpora": {"folder": str(toy_corpus)}, "labels": "4", "split": "speakers-4", "cache": str(kept)}
    recipe = toy.recipe(tmp_path / "toy.yaml", toy_corpus, data=data, inputs=inputs, model=model)
    with pytest.raises(ModelError, match=r"289 MB\) is not on this machine; .* https://storage\.googleapis\.com"):
        train(recipe, runs=tmp_path)
    assert not kept.exists()


def test_what_cannot_be_is_refused():
    with pytest.raises(RecipeError, match="audioset_patches"):
        VGGishMLP(4, {"patches": 80})
    with pytest.raises(RecipeError, match="answers or embeddings"):
        build(VGGishMLP, pool="both")
