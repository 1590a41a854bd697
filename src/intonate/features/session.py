"""An onnxruntime session as this package runs one: on the processor, as many threads as are given, nothing printed."""

from __future__ import annotations

import os
from typing import Any


def open_session(graph: bytes | str | os.PathLike[str], threads: int = 1) -> Any:
    """The session of an ONNX file, or of its bytes.

    Args:
        graph: the path, or the bytes.
        threads: one is quickest for a small model.

    Raises:
        Exception: whatever onnxruntime makes of a file that is none; its exceptions have no other common base.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised; nothing is printed
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
