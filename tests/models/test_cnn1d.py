"""The 1-D CNN as its paper prints it: layers, widths, parameters; and the penalty on its weights."""

import pytest
import torch
from torch import nn

from intonate.models.cnn1d import CNN1D
from intonate.training.fit_options import Training
from intonate.training.module import Classifier

COLUMNS = 94
DENSE = (128, 64)


def test_the_layers_are_those_of_the_table():
    """Eight convolutions, three dropouts, two batch norms and three dense layers, in this order."""
    layers = CNN1D(7, {"features": COLUMNS}).layers
    told = [
        (layer.out_channels, layer.kernel_size[0]) if isinstance(layer, nn.Conv1d) else type(layer).__name__
        for layer in layers
        if not isinstance(layer, nn.ReLU | nn.ConstantPad1d)
    ]
    normed = ["BatchNorm1d", "Dropout"]
    assert told == [
        *[(256, 8)] * 2, *normed, *[(128, 8)] * 4, *normed, *[(64, 8)] * 2,
        "Flatten", "Linear", "Linear", "Dropout", "Linear",
    ]  # fmt: skip
    assert {layer.p for layer in layers if isinstance(layer, nn.Dropout)} == {0.6}
    assert sum(isinstance(layer, nn.ReLU) for layer in layers) == 8 + 2


def test_its_parameters_counted_by_hand():
    convolutions = [(1, 256), (256, 256), (256, 128), *[(128, 128)] * 3, (128, 64), (64, 64)]
    dense = [(64 * COLUMNS, DENSE[0]), DENSE, (DENSE[1], 7)]
    wanted = sum(8 * inside * outside + outside for inside, outside in convolutions)
    wanted += sum(inside * outside + outside for inside, outside in dense)
    wanted += 2 * 256 + 2 * 128  # the batch norms' scales and shifts
    assert sum(weight.numel() for weight in CNN1D(7, {"features": COLUMNS}).parameters()) == wanted == 2_060_807


def test_same_padding_pads_the_end_by_one_more_as_keras_does():
    pad, first, *_ = CNN1D(2, {"features": 8}).layers
    with torch.no_grad():
        first.weight.fill_(0)
        first.weight[:, :, 0] = 1
        seen = first(pad(torch.arange(1.0, 9)[None, None]))[0, 0]
    assert seen.tolist() == [0, 0, 0, 1, 2, 3, 4, 5], "three zeros before, so four after"


def test_the_penalty_is_of_weights_and_not_of_biases():
    network = CNN1D(2, {"features": 4}, groups=[[2], [2]], dense=[3], l1=0.5, l2=0.25)
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(-2.0)
    # 1 × 2 × 8 and 2 × 2 × 8 in kernels, 8 × 3 and 3 × 2 in dense layers
    count = 16 + 32 + 24 + 6
    assert float(network.penalty().detach()) == pytest.approx(count * (0.5 * 2 + 0.25 * 4))


def test_the_penalty_is_part_of_the_loss_in_training():
    def loss(strength: float) -> tuple[float, float]:
        torch.manual_seed(0)
        network = CNN1D(2, {"features": 4}, groups=[[2]], dense=[3], dropout=0, l1=strength, l2=0)
        module = Classifier(network, Training(mixup=0, label_smoothing=0), steps=1, corpora=None)
        module.log = lambda *_, **__: None
        batch = {
            "features": torch.ones(2, 4),
            "target": torch.tensor([0, 1]),
            "allowed": torch.ones(2, 2, dtype=torch.bool),
        }
        return float(module.training_step(batch, 0).detach()), float(network.penalty().detach())

    (free, nothing), (held, penalty) = loss(0.0), loss(0.1)
    assert nothing == 0 < penalty
    assert held - free == pytest.approx(penalty, rel=1e-5)
