"""`encoded`: what a speech encoder that others trained makes of a sound, row by row: a front end that was learnt.

The encoder is an ONNX graph, Whisper's log-mel (1, frames, bands) in, rows (1, rows, columns) out, and is called by the
SHA-256 of its bytes: the same in the recipe's cache, in the training and in a model file, which carries it along. Who
opens a model file adds it here (`add`); a training finds it in the user's cache folder, in every one of its processes.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.cache_folder import cache_folder
from intonate.errors import ModelError, first_line
from intonate.features.whisper import whisper_log_mel
from intonate.onnx_session import open_session

Float = NDArray[np.float32]

# Hex digits of the digest that an encoder is called by.
DIGITS = 16

_SESSIONS: dict[str, Any] = {}
_GRAPHS: dict[str, bytes] = {}
_DEVICES: dict[str, str | None] = {}
_LOCK = threading.Lock()


def encoded(
    waveform: Float, sample_rate_hz: int, *, encoder: str, layers: Sequence[int] = (), int8: bool = True
) -> Float:
    """The encoder's rows for a clip as long as it is.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: the rate that the encoder was trained at: 16 kHz.
        encoder: what `add` or `keep` called it. A recipe names the checkpoint instead, a folder or a name on the hub,
            of which the training makes the graph (`intonate.training.encoders`).
        layers: of a checkpoint: whose rows stand side by side, counted from 1.
        int8: of a checkpoint: weights of 8 bits.

    Returns:
        (rows, columns) float32; for Whisper a row every 20 ms.

    Raises:
        ModelError: there is no such encoder.
    """
    session = _session_of(encoder)
    (entry,) = session.get_inputs()
    mel = whisper_log_mel(waveform, sample_rate_hz, bands=entry.shape[2])
    return np.asarray(session.run(None, {entry.name: mel[None]})[0][0], np.float32)


def name_of(graph: bytes) -> str:
    """What an encoder is called: the first digits of the SHA-256 of its file."""
    return hashlib.sha256(graph).hexdigest()[:DIGITS]


def add(graph: bytes, device: str | None = None) -> str:
    """Make an encoder usable in this process, on a device (`onnx_session`), and return its name.

    A process has it once: two models with the same encoder run it on the device of the one that was opened last.

    Raises:
        ModelError: it is no ONNX graph, or not of one input and one output.
    """
    name = name_of(graph)
    with _LOCK:
        if name not in _SESSIONS or _DEVICES[name] != device:
            _GRAPHS[name], _SESSIONS[name], _DEVICES[name] = graph, _open_encoder(graph, device), device
    return name


def keep(graph: bytes) -> str:
    """Write an encoder to the user's cache folder, where every process finds it, and return its name."""
    path = path_of(name_of(graph))
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        unfinished.write_bytes(graph)
        unfinished.replace(path)
    return name_of(graph)


def path_of(name: str) -> Path:
    """Where an encoder of that name is kept: `$XDG_CACHE_HOME/intonate/encoders`, or under `~/.cache`."""
    return cache_folder("encoders") / f"{name}.onnx"


def graph_of(name: str) -> bytes:
    """The file of an encoder that was added to this process, or is kept in the user's cache folder.

    Raises:
        ModelError: it is in neither.
    """
    if name not in _GRAPHS:
        path = path_of(name)
        if not path.is_file() or add(path.read_bytes()) != name:
            raise ModelError(
                f"encoder {name!r} is neither in the model file nor in {path.parent}; train or export the model again"
            )
    return _GRAPHS[name]


def _session_of(name: str) -> Any:
    graph_of(name)
    return _SESSIONS[name]


def _open_encoder(graph: bytes, device: str | None) -> Any:
    try:
        session = open_session(graph, device=device)
    except ModelError:
        raise
    except Exception as error:  # onnxruntime's exceptions have no common base but Exception
        raise ModelError(f"the encoder inside the model cannot be read: {first_line(error)}") from error
    if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1 or len(session.get_inputs()[0].shape) != 3:
        raise ModelError("the encoder inside the model does not turn rows into rows; export the model again")
    return session
