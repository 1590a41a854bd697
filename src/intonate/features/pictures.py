"""Colours and sizes of images, without an image library: colormaps as tables, and a bilinear resize."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intonate.audio.products import product
from intonate.catalogue import entry
from intonate.errors import ModelError

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

# For red, green and blue: where between 0 and 1 the lines bend, and how bright the colour is there. `jet` is
# Matplotlib's, which is the one of the papers.
COLORMAPS: dict[str, tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]] = {
    "jet": (
        ((0.35, 0.66, 0.89, 1.0), (0.0, 1.0, 1.0, 0.5)),
        ((0.125, 0.375, 0.64, 0.91), (0.0, 1.0, 1.0, 0.0)),
        ((0.0, 0.11, 0.34, 0.65), (0.5, 1.0, 1.0, 0.0)),
    ),
    "gray": (((0.0, 1.0), (0.0, 1.0)),) * 3,
}


@lru_cache(maxsize=4)
def colours(name: str) -> Image:
    """The 256 colours of a colormap, (256, 3).

    Raises:
        ModelError: there is none of that name.
    """
    lines = entry(name, COLORMAPS, "colormap", ModelError)
    places = np.linspace(0, 1, 256)
    return np.stack([255 * np.interp(places, *line) for line in lines], axis=1).astype(np.uint8)


def coloured(values: Float, colormap: str) -> Image:
    """An image (..., 3) of values between 0 and 1, in 256 steps of equal width; what lies outside gets the end's."""
    return colours(colormap)[np.clip(values * 256, 0, 255).astype(np.uint8)]


def resized(image: Float, height: int, width: int) -> Float:
    """An image (height, width, ...) in another size, bilinear; what shrinks is averaged first, as Pillow does."""
    return np.swapaxes(_stretched(np.swapaxes(_stretched(image, height), 0, 1), width), 0, 1)


def _stretched(image: Float, size: int) -> Float:
    """An image with its first axis in another size."""
    rows = product(_bilinear_weights(len(image), size), image.reshape(len(image), -1))
    return rows.reshape(size, *image.shape[1:])


@lru_cache(maxsize=64)
def _bilinear_weights(old_size: int, new_size: int) -> Float:
    """How much of each old row is in each new one, (after, before): triangles as wide as the larger of the two."""
    scale = old_size / new_size
    centres = (np.arange(new_size) + 0.5) * scale
    distance = np.abs(np.arange(old_size) + 0.5 - centres[:, None]) / max(scale, 1.0)
    weights = np.maximum(0, 1 - distance)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
