"""How every sound of an archive is answered: what all workers share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from intonate.recognizer import builtin


@dataclass(frozen=True, slots=True)
class Job:
    """How every sound of an archive is answered.

    Attributes:
        model: a built-in name, a file, a run folder; None for the default.
        model_hash: SHA-256 of the model file; what a worker finds under the name must have it.
        options: for `Recognizer.predict_many`: labels, timeline, transcribe, channels, speakers.
        device: what computes (`onnx_session`); None for that of each worker's own environment.
    """

    model: str | None
    model_hash: str
    options: Mapping[str, Any] = field(default_factory=dict)
    device: str | None = None


def model_hash(model: str | None) -> str:
    """SHA-256 of the file of a model; of several that answer as one (`compact+text`), one after the other."""
    digest = hashlib.sha256()
    for name in (model or builtin.DEFAULT).split("+"):
        with open(builtin.path_of(name), "rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()
