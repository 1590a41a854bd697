"""What a stream needs of a model: its spec, and its answers to normalised clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from intonate.recognizer.inputs import Clip
from intonate.schema import ModelSpec


class ClipModel(Protocol):
    """A loaded model, as streams see it; `intonate.Recognizer` is one."""

    spec: ModelSpec

    def probabilities(self, clips: Sequence[Clip], batch_size: int = 16) -> NDArray[np.float64]:
        """Calibrated probabilities (clips, labels) of normalised clips."""
        ...

    def answers(self, clips: Sequence[Clip], batch_size: int = 16) -> NDArray[np.float64]:
        """Calibrated probabilities of normalised clips, and the other outputs behind them, (clips, outputs)."""
        ...
