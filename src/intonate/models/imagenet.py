"""`imagenet`: a network that was trained on photographs looks at images of speech (P3, P4, and baselines of P0).

P4, "bilingual transfer learning and real time", shows MFCC images to VGG16 and ResNet50V2; P3, "HuBERT + BERT on a
merged corpus", spectrograms of one second each in the colours of `jet` to MobileNetV2; P0, "modified ResNet-34 +
RoBERTa", compares itself with ResNet50, VGG19 and InceptionV3. The images come from `mfcc_image` and `jet_image`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from intonate.errors import RecipeError
from intonate.models import keras_networks
from intonate.models.keras_networks import IMAGENET, KerasNetwork
from intonate.models.patches import PatchClassifier


class ImageNetNetwork(PatchClassifier):
    """Images in, logits out: a network trained on ImageNet, and an MLP on what it sees.

    Args:
        classes: number of outputs.
        columns: {"images": (height, width, 3)}, of the front ends `mfcc_image` and `jet_image`.
        network: vgg16, vgg19, resnet50, resnet50v2, mobilenetv2 or inceptionv3.
        weights: `imagenet`, the published ones, which are fetched if they are not there; the path of their file, or
            empty to start at random.
        trainable: how many of the network's blocks learn, counted from the output; `all`, or 0 for the MLP alone. There
            are 5 of VGG, 17 of ResNet50, 18 of MobileNetV2, 12 of InceptionV3.
        features: what the MLP gets: the `average` over the places of the last layer, or all of them, `flatten`.
        pool: of what the mean over a clip's images is taken, where it has several. `answers`: the MLP answers for each
            image, and it learns from one of every clip at a time, drawn at random; `embeddings`: it answers once, for
            their mean.
        layers: widths of the hidden layers of the MLP, each with ReLU.
        dropout: after each of them.
        width: factor on every width inside MobileNetV2; 1 as published, less for trying things out.
    """

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, Any],
        network: str = "mobilenetv2",
        weights: str | None = IMAGENET,
        trainable: int | str = 0,
        features: str = "average",
        pool: str = "answers",
        layers: Sequence[int] = (),
        dropout: float = 0.0,
        width: float = 1.0,
    ) -> None:
        shape = columns.get("images", ())
        if not isinstance(shape, Sequence) or len(shape) != 3:
            raise RecipeError("imagenet reads images; use front_end: mfcc_image or jet_image")
        seeing = KerasNetwork(network, (shape[0], shape[1]), weights, trainable, features, width)
        super().__init__(seeing, classes, trainable == 0, pool, layers, dropout)

    def forward(self, images: Tensor, images_lengths: Tensor) -> Tensor:
        """(batch, images, height, width, 3) of values from 0 to 255, (batch,) -> (batch, classes)."""
        return self.answer(images, images_lengths)

    @classmethod
    def check(cls, network: str = "mobilenetv2", weights: str | None = IMAGENET, width: float = 1.0, **_: Any) -> None:
        """Find or fetch the weights before anything is listened to; the other parameters are ignored."""
        keras_networks.get(network, width)
        if weights:
            keras_networks.find(network, weights, width)
