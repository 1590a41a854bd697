"""Published weights of VGGish and YAMNet, from the files in which they are given away.

A file is looked at once: what it holds is checked name by name and shape by shape, brought into torch's order of axes,
and written beside it as safetensors, which is what later runs read.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from intonate.errors import ModelError, first_line, require
from intonate.published import tensorflow_checkpoint, tensors
from intonate.published.files import weights_not_here

Array = NDArray[Any]

GOOGLE = "https://storage.googleapis.com/audioset"
# What can be fetched, by network: URL and size in MB, 4 bytes for each number. The first is the one to take.
FILES = {
    "VGGish": {
        f"{GOOGLE}/vggish_model.ckpt": 289,
        "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth": 289,
    },
    "YAMNet": {f"{GOOGLE}/yamnet.h5": 15},
}
# Layers of VGGish in TensorFlow, in the order of those of torch that have weights.
VGGISH = (
    *("conv1", "conv2", "conv3/conv3_1", "conv3/conv3_2", "conv4/conv4_1", "conv4/conv4_2"),
    *("fc1/fc1_1", "fc1/fc1_2", "fc2"),
)
# Axes of TensorFlow's arrays in torch's order: a kernel there is (height, width, in, out) and a matrix (in, out); of a
# depthwise kernel, (height, width, channels, 1).
AXES: Mapping[int, tuple[int, ...]] = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}
DEPTHWISE = (2, 3, 0, 1)


def find(kind: str, path: str | Path) -> Path:
    """The file to be read for a path that was given: what it was converted to, where that is newer or left alone.

    Raises:
        ModelError: there is neither; the sentence says where the weights of `kind` are to be had.
    """
    path = Path(path).expanduser()
    converted = _converted_path(path)
    if converted.is_file() and (not path.is_file() or converted.stat().st_mtime >= path.stat().st_mtime):
        return converted
    if not path.is_file():
        # By what its name ends in: a path to a .pth wants the file of torch.
        url, size_mb = next(
            (file for file in FILES[kind].items() if file[0].endswith(path.suffix)), _preferred_source(kind)
        )
        file = path if url.endswith(path.suffix) else path.with_name(url.rpartition("/")[2])
        raise weights_not_here(f"{path}, the weights of {kind}", file, url, size_mb)
    return path


def _preferred_source(kind: str) -> tuple[str, int]:
    return next(iter(FILES[kind].items()))


def _converted_path(path: Path) -> Path:
    return path if path.suffix == ".safetensors" else path.with_name(f"{path.name}.safetensors")


def load(network: nn.Module, path: str | Path) -> None:
    """Fill a `VGGish` or a `YAMNet` from a file: .safetensors, .pth, .ckpt or .h5.

    Raises:
        ModelError: there is no such file (the sentence says where it is to be had), it cannot be read, or a tensor is
            missing or has another shape.
        MissingExtraError: h5py is not installed, for a .h5.
    """
    kind = type(network).__name__
    path = find(kind, path)
    reader = READERS.get(path.suffix)
    if reader is None:
        raise ModelError(
            f"the weights {path} end in none of {', '.join(READERS)}; for {kind}, take {_preferred_source(kind)[0]}"
        )
    state, arrays = network.state_dict(), reader(path)
    from_tensorflow = path.suffix in (".ckpt", ".h5")
    names = NAMES[kind](network) if from_tensorflow else {name: name for name in state}
    checked = {}
    for name, tensor in state.items():
        axes = _axis_order(names[name], tensor.ndim) if from_tensorflow else tuple(range(tensor.ndim))
        checked[name] = _checked_tensor(
            arrays, names[name], axes, tensor, f"{path} does not hold the weights of {kind}"
        )
    network.load_state_dict(checked)
    if path != _converted_path(path):
        _write_converted(checked, path, _converted_path(path))


def _checked_tensor(
    arrays: Mapping[str, Array], name: str, axes: tuple[int, ...], tensor: Tensor, location: str
) -> Tensor:
    """The tensor of that name in torch's order of axes.

    Raises:
        ModelError: it is not there, or has not the shape of `tensor`.
    """
    if name not in arrays:
        raise ModelError(f"{location}: the tensor {name} is missing")
    shape, expected = arrays[name].shape, tuple(np.array(tensor.shape)[np.argsort(axes)].tolist())
    if shape != expected:
        raise ModelError(f"{location}: the tensor {name} has the shape {shape}, expected {expected}")
    return torch.from_numpy(np.array(arrays[name].transpose(axes), np.float32, order="C"))


def vggish_names(network: nn.Module) -> dict[str, str]:
    """Name in torch -> name in TensorFlow, for every tensor of a `VGGish`."""
    layers = [name.removesuffix(".weight") for name in network.state_dict() if name.endswith(".weight")]
    kinds = (("weight", "weights"), ("bias", "biases"))
    return {
        f"{own_name}.{kind}": f"vggish/{layer}/{published_name}"
        for own_name, layer in zip(layers, VGGISH, strict=True)
        for kind, published_name in kinds
    }


def yamnet_names(network: nn.Module) -> dict[str, str]:
    """Name in torch -> path in the HDF5 file, for every tensor of a `YAMNet`; its 521 classes are left there."""
    names = {}
    for place in range(sum(name.endswith(".weight") for name in network.state_dict())):
        # Ours: 0 is layer 1; then the depthwise convolution of layer 2, its pointwise one, that of layer 3…
        kind = "conv" if place == 0 else ("pointwise_conv", "depthwise_conv")[place % 2]
        layer = f"layer{1 + (place + 1) // 2}/{kind}"
        # Keras says the layer twice: once for the group in the file, once in the name of the weight.
        names[f"layers.{place}.weight"] = f"{layer}/{layer}/{'depthwise_' * (place % 2)}kernel:0"
        for own_name, published_name in (("beta", "beta"), ("mean", "moving_mean"), ("variance", "moving_variance")):
            names[f"layers.{place}.{own_name}"] = f"{layer}/bn/{layer}/bn/{published_name}:0"
    return names


NAMES = {"VGGish": vggish_names, "YAMNet": yamnet_names}


def _axis_order(name: str, ndim: int) -> tuple[int, ...]:
    return DEPTHWISE if name.endswith("depthwise_kernel:0") else AXES[ndim]


def _read_torch(path: Path) -> dict[str, Array]:
    return {name: tensor.float().numpy() for name, tensor in tensors.read(path).items()}


def _read_keras(path: Path) -> dict[str, Array]:
    h5py = require("h5py", "train")
    arrays: dict[str, Array] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except OSError as error:
        raise ModelError(f"the weights {path} cannot be read as HDF5: {first_line(error)}") from error
    return arrays


READERS: dict[str, Callable[[Path], Mapping[str, Array]]] = {
    ".safetensors": _read_torch,
    ".pth": _read_torch,
    ".ckpt": tensorflow_checkpoint.read,
    ".h5": _read_keras,
}


def _write_converted(state: Mapping[str, Tensor], path: Path, converted: Path) -> None:
    """Write safetensors, whole or not at all; a folder that cannot be written to is no reason to stop."""
    save = require("safetensors.torch", "train").save_file
    partial = converted.with_suffix(f".{os.getpid()}.partial")
    try:
        save(dict(state), partial)
        shutil.copymode(path, partial)  # safetensors lets the owner alone read
        partial.replace(converted)
    except OSError:
        partial.unlink(missing_ok=True)
