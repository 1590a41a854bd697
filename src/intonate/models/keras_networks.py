"""Networks that were trained on ImageNet, from `keras.applications`: the very ones that the papers used.

Keras runs on torch here, so that a network is a torch module like any other. Images come as they are drawn, uint8; the
network's own preprocessing is part of it. Axes are torch's inside, which leaves nothing to transpose between layers.

Published weights are the files that Keras itself takes, in HDF5 (numbers, no code), without the 1,000 classes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from intonate.catalogue import entry
from intonate.errors import ModelError, RecipeError, first_line, require
from intonate.processes import temporary_environment
from intonate.published.files import weights_not_here

BASE = "https://storage.googleapis.com/tensorflow/keras-applications"
IMAGENET = "imagenet"
# Widths for which MobileNetV2 was published.
WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
FEATURES = {"average": "avg", "flatten": None}
# One attempt to reach the file server, s.
TIMEOUT_S = 5.0

# Last layers of the blocks that a freeze depth counts: groups of convolutions, residual units, inception modules.
VGG = r"block\d_pool"
RESNET = r"pool1_pool|conv[2-4]_block\d_out|conv5_block[12]_out"
MOBILENET = r"(expanded_conv|block_\d+)_(project_BN|add)"
INCEPTION = r"max_pooling2d_1|mixed\d"


@dataclass(frozen=True)
class NetworkInfo:
    """A network of `keras.applications`.

    Attributes:
        function: builds it.
        module: has its `preprocess_input`.
        parameters: numbers in the weight file, at 4 bytes each.
        file: of the weights, under BASE; `{width}` stands for a width of MobileNetV2.
        md5: of the file, as Keras checks it; empty where Keras does not.
        block_ends: a regular expression for the names of the layers that end a block.
    """

    function: str
    module: str
    parameters: int
    file: str
    md5: str
    block_ends: str


TF = "weights_tf_dim_ordering_tf_kernels"
NETWORKS = {
    "vgg16": NetworkInfo(
        "VGG16", "vgg16", 14_714_688, f"vgg16/vgg16_{TF}_notop.h5", "6d6bbae143d832006294945121d1f1fc", VGG
    ),
    "vgg19": NetworkInfo(
        "VGG19", "vgg19", 20_024_384, f"vgg19/vgg19_{TF}_notop.h5", "253f8cb515780f3b799900260a226db6", VGG
    ),
    "resnet50": NetworkInfo(
        "ResNet50", "resnet", 23_587_712, f"resnet/resnet50_{TF}_notop.h5", "4d473c1dd8becc155b73f8504c6f6626", RESNET
    ),
    "resnet50v2": NetworkInfo(
        "ResNet50V2",
        "resnet_v2",
        23_564_800,
        f"resnet/resnet50v2_{TF}_notop.h5",
        "fac2f116257151a9d068a22e544a4917",
        RESNET,
    ),
    "mobilenetv2": NetworkInfo(
        "MobileNetV2",
        "mobilenet_v2",
        2_257_984,
        f"mobilenet_v2/mobilenet_v2_{TF}_{{width}}_224_no_top.h5",
        "",
        MOBILENET,
    ),
    "inceptionv3": NetworkInfo(
        "InceptionV3",
        "inception_v3",
        21_802_784,
        f"inception_v3/inception_v3_{TF}_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
        INCEPTION,
    ),
}


def get(network: str, width: float = 1.0) -> NetworkInfo:
    """The network of that name.

    Raises:
        RecipeError: there is none, or it has one width only.
    """
    info = entry(network, NETWORKS, "model.params.network", RecipeError)
    if width != 1 and network != "mobilenetv2":
        raise RecipeError(f"{network} has one width; set model.params.width to 1, or network to mobilenetv2")
    return info


class KerasNetwork(nn.Module):
    """(images, height, width, 3), values from 0 to 255 in the order red, green, blue -> (images, self.width).

    Args:
        network: a name of NETWORKS.
        size: height and width of the images, pixels.
        weights: `imagenet`, the path of a weight file, or empty for random ones.
        trainable: how many blocks learn, counted from the output; `all` of them; 0 for none. In those that do not,
            batch normalisation goes on with the means and deviations that it has.
        features: the `average` of what the last layer sees, or all of it, `flatten`.
        width: factor on the width of every layer, of MobileNetV2 only.

    Raises:
        RecipeError: an impossible value.
        ModelError: the weights are not there, or of another network.
        MissingExtraError: keras is not installed.
    """

    def __init__(
        self,
        network: str,
        size: tuple[int, int],
        weights: str | None = "",
        trainable: int | str = 0,
        features: str = "average",
        width: float = 1.0,
    ) -> None:
        super().__init__()
        network_info = get(network, width)
        if features not in FEATURES:
            raise RecipeError(f"model.params.features is {' or '.join(FEATURES)}; got {features!r}")
        self.body = _build_network(network_info, size, FEATURES[features], width)
        if weights:
            _load_weights(self.body, find(network, weights, width), network)
        keras = library()
        self.preprocess = getattr(keras.applications, network_info.module).preprocess_input
        self.width = int(torch.tensor(self.body.output_shape[1:]).prod())
        layer_blocks = blocks(self.body, network_info.block_ends)
        if trainable not in ("all", *range(len(layer_blocks) + 1)):
            raise RecipeError(
                f"model.params.trainable is all, or how many of the {len(layer_blocks)} blocks of {network} learn, "
                f"counted from the output; got {trainable!r}"
            )
        if trainable != "all":
            for block in layer_blocks[: len(layer_blocks) - int(trainable)]:
                for layer in block:
                    layer.trainable = False

    def forward(self, images: Tensor) -> Tensor:
        # A copy: what Keras does to it is done in place.
        x = images.permute(0, 3, 1, 2).to(torch.float32, copy=True)
        with library().device(str(images.device)):
            features: Tensor = self.body(self.preprocess(x, data_format="channels_first"), training=self.training)
        return features.flatten(1)


def _build_network(network_info: NetworkInfo, size: tuple[int, int], pooling: str | None, width: float) -> Any:
    """The network at random, on the processor, with torch's order of axes."""
    keras = library()
    previous_format = keras.config.image_data_format()
    # Layers without a name are numbered from 1 in every network, so that its tensors have the same names each time.
    keras.backend.clear_session(free_memory=False)
    keras.config.set_image_data_format("channels_first")
    width_option = {"alpha": width} if width != 1 else {}
    try:
        with keras.device("cpu"):
            return getattr(keras.applications, network_info.function)(
                include_top=False, weights=None, input_shape=(3, *size), pooling=pooling, **width_option
            )
    except ValueError as error:
        subject = f"{network_info.function} cannot be built for images of {size[0]} x {size[1]} pixels"
        raise RecipeError(f"{subject}: {first_line(error)}") from error
    finally:
        keras.config.set_image_data_format(previous_format)


def blocks(body: Any, block_ends: str) -> list[list[Any]]:
    """The layers in order, cut after each whose name matches; blocks without weights do not count."""
    layer_blocks: list[list[Any]] = [[]]
    for layer in body.layers:
        layer_blocks[-1].append(layer)
        if re.fullmatch(block_ends, layer.name):
            layer_blocks.append([])
    return [block for block in layer_blocks if any(layer.weights for layer in block)]


def library() -> Any:
    """Keras with torch behind it, and without the folder that it makes in the user's home on its first import.

    Raises:
        MissingExtraError: it is not installed.
        ModelError: it has been imported before, with another backend.
    """
    if "keras" in sys.modules:
        keras = sys.modules["keras"]
    else:
        with (
            tempfile.TemporaryDirectory() as home,
            temporary_environment({"KERAS_BACKEND": "torch", "KERAS_HOME": home}),
        ):
            keras = require("keras", "train")
    if keras.config.backend() != "torch":
        raise ModelError(
            f"Keras has been imported with {keras.config.backend()} behind it; import intonate.models.keras_networks "
            "first, or set KERAS_BACKEND=torch"
        )
    return keras


def find(network: str, weights: str, width: float = 1.0) -> Path:
    """The weight file of a network: by its path, or, for `imagenet`, where Keras keeps it, fetched if it is not there.

    Raises:
        ModelError: it is not there, and cannot be fetched; the sentence says where it is to be had.
        RecipeError: nobody published MobileNetV2 with such a width.
    """
    network_info = get(network, width)
    if weights != IMAGENET:
        path = Path(weights).expanduser()
        if not path.is_file():
            raise _missing_weights_error(path, f"{BASE}/{network_info.file.format(width=1.0)}", network_info, "")
        return path
    if width not in WIDTHS:
        widths = ", ".join(f"{known_width:g}" for known_width in WIDTHS)
        raise RecipeError(
            f"MobileNetV2 has weights for the widths {widths}; set model.params.width to one, or weights="
        )
    url = f"{BASE}/{network_info.file.format(width=float(width))}"
    path = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models" / url.rpartition("/")[2]
    if not path.is_file():
        _fetch_file(url, path, network_info)
    return path


def _fetch_file(url: str, path: Path, network_info: NetworkInfo) -> None:
    """Fetch a file, whole or not at all."""
    if os.environ.get("HF_HUB_OFFLINE", "0").lower() not in ("", "0", "false", "off"):
        raise _missing_weights_error(path, url, network_info, "HF_HUB_OFFLINE is set")
    rich = require("rich.progress", "train")
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            path.parent.mkdir(parents=True, exist_ok=True)
            size = int(answer.headers.get("Content-Length") or 4 * network_info.parameters)
            with rich.wrap_file(answer, size, description=path.name) as source, partial.open("wb") as file:
                shutil.copyfileobj(source, file)
        if (
            network_info.md5
            and hashlib.md5(partial.read_bytes(), usedforsecurity=False).hexdigest() != network_info.md5
        ):
            raise OSError("another file came than Keras expects")
        partial.replace(path)
    except OSError as error:  # of urllib, too
        raise _missing_weights_error(path, url, network_info, first_line(error)) from error
    finally:
        partial.unlink(missing_ok=True)


def _missing_weights_error(path: Path, url: str, network_info: NetworkInfo, reason: str) -> ModelError:
    name = f"{path}, the weights of {network_info.function}"
    return weights_not_here(name, path, url, 4e-6 * network_info.parameters, reason)


def _load_weights(body: Any, path: Path, network: str) -> None:
    """Fill a network from a weight file, by Keras's own reader: layer by layer, every shape checked."""
    if path.suffix != ".h5":
        raise ModelError(f"the weights {path} are no .h5 file, in which those of {network} are published")
    try:
        with library().device("cpu"):
            body.load_weights(str(path))
    except (
        Exception
    ) as error:  # ValueError, KeyError, OSError: whatever a file of another network makes Keras stumble over
        raise ModelError(
            f"the weights {path} are not those of {network} without its 1,000 classes ({first_line(error)}); take "
            f"{NETWORKS[network].file.rpartition('/')[2].format(width='1.0')}"
        ) from error
