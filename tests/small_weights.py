"""Weights of small random networks, drawn as a fresh network would not: answers differ from clip to clip."""

import math

import numpy as np


class Drawn(dict[str, np.ndarray]):
    """{published name: weights}, drawn in the order in which they are asked for."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)

    def draw(self, name: str, *shape: int, scale: float | None = None) -> None:
        spread = 1 / math.sqrt(np.prod(shape[1:])) if scale is None else scale
        self[name] = (self.rng.standard_normal(shape) * spread).astype(np.float32)

    def norm(self, name: str, size: int) -> None:
        self[f"{name}.weight"] = (1 + 0.1 * self.rng.standard_normal(size)).astype(np.float32)
        self.draw(f"{name}.bias", size, scale=0.1)

    def linear(self, name: str, outputs: int, inputs: int, scale: float | None = None) -> None:
        self.draw(f"{name}.weight", outputs, inputs, scale=scale)
        self.draw(f"{name}.bias", outputs, scale=0.05)
