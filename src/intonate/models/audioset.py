"""`vggish_mlp` and `yamnet_mlp`: networks that Google trained on AudioSet, and an MLP on their embeddings (P4).

P4 is "bilingual transfer learning and real time": VGGish (Hershey et al. 2017; 128 numbers for each patch of 0.96 s) or
YAMNet (a MobileNet v1; 1024) stays as it was trained, and a small MLP learns emotions from what it gives. Both are
built here as Google published them, and read the published weight files (`published/audioset.py`).

Patches come from the front end `audioset_patches`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intonate.errors import RecipeError
from intonate.features.audioset import BANDS, FRAMES
from intonate.models.patches import PatchClassifier
from intonate.published import audioset as published

# Widths of the 3 x 3 convolutions of VGGish; a maximum over 2 x 2 follows each group. Then its dense layers.
VGGISH_GROUPS = ((64,), (128,), (256, 256), (512, 512))
VGGISH_DENSE = (4096, 4096, 128)
# Stride and width of the layers of YAMNet: a 3 x 3 convolution, then depthwise 3 x 3 and pointwise ones in turn.
YAMNET_LAYERS = (
    (2, 32),
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    *((1, 512),) * 5,
    (2, 1024),
    (1, 1024),
)
YAMNET_EPSILON = 1e-4
# Keras keeps 0.99 of a running mean at each step.
YAMNET_MOMENTUM = 0.01


class VGGish(nn.Module):
    """(patches, 96 * 64) -> (patches, 128), linear at the end as published. 72.1 million weights; Apache 2.0."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = 1
        for group in VGGISH_GROUPS:
            for outside in (_scaled_width(full, width) for full in group):
                layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU()]
                inside = outside
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        halvings = 2 ** len(VGGISH_GROUPS)
        inside *= (FRAMES // halvings) * (BANDS // halvings)
        dense: list[nn.Module] = []
        for outside in (_scaled_width(full, width) for full in VGGISH_DENSE):
            dense += [nn.Linear(inside, outside), nn.ReLU()]
            inside = outside
        self.embeddings = nn.Sequential(*dense[:-1])
        self.width = inside
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):  # so that something arrives where nothing has been learnt
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, patches: Tensor) -> Tensor:
        x = self.features(patches.reshape(-1, 1, FRAMES, BANDS))
        # TensorFlow flattens with the channels last.
        embeddings: Tensor = self.embeddings(x.permute(0, 2, 3, 1).flatten(1))
        return embeddings


class YAMNet(nn.Module):
    """(patches, 96 * 64) -> (patches, 1024). 3.2 million weights without its 521 classes; Apache 2.0."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = 1
        for place, (stride, full) in enumerate(YAMNET_LAYERS):
            outside = _scaled_width(full, width)
            if place == 0:
                layers.append(Convolution(inside, outside, 3, stride))
            else:
                layers.append(Convolution(inside, inside, 3, stride, groups=inside))
                layers.append(Convolution(inside, outside, 1, 1))
            inside = outside
        self.layers = nn.Sequential(*layers)
        self.width = inside

    def forward(self, patches: Tensor) -> Tensor:
        embeddings: Tensor = self.layers(patches.reshape(-1, 1, FRAMES, BANDS)).mean(dim=(2, 3))
        return embeddings


class Convolution(nn.Module):
    """A convolution without bias, padded as TensorFlow's `SAME`, a batch norm without gamma, ReLU."""

    mean: Tensor
    variance: Tensor

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__()
        self.stride, self.groups = stride, groups
        self.weight = nn.Parameter(torch.empty(outside, inside // groups, kernel, kernel))
        self.beta = nn.Parameter(torch.zeros(outside))
        self.register_buffer("mean", torch.zeros(outside))
        self.register_buffer("variance", torch.ones(outside))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.shape[2]
        # So much that ceil(size / stride) is left, the odd one at the end: every size here is a multiple of its stride.
        beyond = kernel - self.stride
        x = F.pad(x, (beyond // 2, beyond - beyond // 2) * 2) if beyond > 0 else x
        x = F.conv2d(x, self.weight, stride=self.stride, groups=self.groups)
        gamma = torch.ones_like(self.beta)
        return torch.relu(
            F.batch_norm(x, self.mean, self.variance, gamma, self.beta, self.training, YAMNET_MOMENTUM, YAMNET_EPSILON)
        )


def _scaled_width(full: int, width: float) -> int:
    return max(1, round(full * width))


class AudioSetMLP(PatchClassifier):
    """Patches in, logits out: an MLP on the embeddings of a network trained on AudioSet.

    Args:
        classes: number of outputs.
        columns: {"patches": 6144}, of the front end `audioset_patches`.
        weights: path of the published weights, or of what they were converted to; empty starts at random.
        freeze: whether the network keeps its weights and the MLP alone learns, as in P4.
        pool: of what the mean over a clip's patches is taken. `answers`: the MLP answers for each patch, and it learns
            from one patch of every clip at a time, drawn at random; P4 learns from all patches, each with the label of
            its clip. `embeddings`: the MLP answers once, for their mean.
        layers: widths of the hidden layers, each with ReLU; P4 searches over eleven.
        dropout: after each of them.
        width: factor on every width inside the network; 1 as published, less for trying things out.
    """

    NETWORK: type[VGGish] | type[YAMNet]

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        weights: str | None = "",
        freeze: bool = True,
        pool: str = "answers",
        layers: Sequence[int] = (512, 256),
        dropout: float = 0.2,
        width: float = 1.0,
    ) -> None:
        if columns["patches"] != FRAMES * BANDS:
            raise RecipeError(
                f"{self.NETWORK.__name__} reads patches of {FRAMES} x {BANDS}, got rows of {columns['patches']}; "
                "use front_end: audioset_patches"
            )
        network = self.NETWORK(width)
        if weights:
            published.load(network, weights)
        super().__init__(network, classes, freeze, pool, layers, dropout)

    def forward(self, patches: Tensor, patches_lengths: Tensor) -> Tensor:
        """(batch, patches, 96 * 64), (batch,) -> (batch, classes)."""
        return self.answer(patches, patches_lengths)

    @classmethod
    def check(cls, weights: str | None = "", **_: Any) -> None:
        """Refuse a path of weights that leads nowhere, before anything is listened to; the rest is ignored."""
        if weights:
            published.find(cls.NETWORK.__name__, weights)


class VGGishMLP(AudioSetMLP):
    __doc__ = AudioSetMLP.__doc__
    NETWORK = VGGish


class YAMNetMLP(AudioSetMLP):
    __doc__ = AudioSetMLP.__doc__
    NETWORK = YAMNet
