"""ResNet-34 in one dimension: the published network's blocks, and rows of features that another model can read."""

import torch
from torch import nn

from intonate.models.resnet import Block, ResNet34

# The residual stages of the published network (He et al. 2016; torchvision's resnet34: 21,797,672 in all), without the
# first layer (3 × 64 × 7 × 7 and its norm) and the last (512 × 1,000 + 1,000).
PUBLISHED = 21_797_672 - (3 * 64 * 49 + 2 * 64) - (512 * 1_000 + 1_000)


def test_the_residual_stages_are_the_published_ones_with_three_taps_for_three_by_three():
    network = ResNet34(8, {"frames": 20})
    assert [block.second.out_channels for block in network.stages] == [64] * 3 + [128] * 4 + [256] * 6 + [512] * 3
    flat = square = 0
    for module in network.stages.modules():
        if isinstance(module, nn.Conv1d):
            flat += module.weight.numel()
            square += module.weight.numel() * module.kernel_size[0]
        elif isinstance(module, nn.BatchNorm1d):
            flat += 2 * module.num_features
            square += 2 * module.num_features
    assert square == PUBLISHED == 21_275_136
    assert flat == sum(weight.numel() for weight in network.stages.parameters()) == 7_217_664
    layers = sum(isinstance(module, nn.Conv1d) and module.kernel_size[0] > 1 for module in network.modules())
    assert layers + 1 == 34, "33 convolutions and the last linear layer"


def test_a_row_for_every_32_frames_and_none_for_the_padding():
    torch.manual_seed(0)  # of ten channels at random, now and then none is above zero for a frame
    network = ResNet34(4, {"frames": 5}, channels=(4, 6, 8, 10), blocks=(1, 1, 1, 1)).eval()
    lengths = torch.tensor([1, 32, 33, 200])
    with torch.no_grad():
        rows, left = network.rows(torch.randn(4, 200, 5), lengths)
    assert rows.shape == (4, 7, 10)
    assert left.tolist() == [1, 1, 2, 7]
    for row, count in zip(rows, left, strict=True):
        assert not row[count:].any()
        assert row[:count].abs().sum() > 0


def test_rows_do_not_depend_on_what_lies_in_the_padding():
    network = ResNet34(4, {"frames": 5}, channels=(4, 6, 8, 10), blocks=(1, 1, 1, 1)).eval()
    frames = torch.randn(1, 150, 5)
    with torch.no_grad():
        alone = network(frames[:, :77], torch.tensor([77]))
        torch.testing.assert_close(network(frames, torch.tensor([77])), alone, rtol=1e-4, atol=1e-5)
        assert (network(frames, torch.tensor([150])) - alone).abs().max() > 1e-3


def test_a_block_adds_what_came_in():
    block = Block(3, 3, 1).eval()
    with torch.no_grad():
        block.second_norm.weight.zero_()
        x = torch.rand(1, 3, 6)
        torch.testing.assert_close(block(x, torch.tensor([6]))[0], x)
