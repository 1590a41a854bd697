"""What CAEmoCyGAN is compared with: `coral` moves clips into the target by a linear map, `unchanged` not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.training.translators import Float, Speech


def coral(speech: Speech, seed: int, folder: Path, shrinkage: float = 1.0) -> tuple[Float, dict[str, Any]]:
    """Every corpus with the mean and the covariance of the target (CORAL; Sun, Feng & Saenko 2016).

    Each corpus is whitened by its own covariance and coloured by the target's; the paper's means are centred first,
    here each corpus takes the target's.

    Args:
        speech: both sides.
        seed: not used; every translator takes one.
        folder: not used; every translator takes one.
        shrinkage: what is added to the variance of every column, in variances of the training part; the paper adds 1.
    """
    target_mean = speech.target.mean(axis=0)
    colour = _power(_covariance(speech.target, shrinkage), 0.5)
    translated = np.empty_like(speech.features)
    for place in range(len(speech.names)):
        rows = speech.features[speech.corpus == place]
        whiten = _power(_covariance(rows, shrinkage), -0.5)
        translated[speech.corpus == place] = (rows - rows.mean(axis=0)) @ (whiten @ colour) + target_mean
    return translated, {}


def unchanged(speech: Speech, seed: int, folder: Path) -> tuple[Float, dict[str, Any]]:
    """Clips of other corpora as they are: what is gained by more clips alone."""
    return speech.features.copy(), {}


def _covariance(rows: Float, shrinkage: float) -> NDArray[np.float64]:
    return np.cov(rows.astype(np.float64), rowvar=False) + shrinkage * np.eye(rows.shape[1])


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Of a symmetric matrix whose eigenvalues are positive."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * values**exponent) @ vectors.T)
