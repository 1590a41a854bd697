"""An onnxruntime session as this package runs one: on the device that was asked for, and on no other in silence.

A device is what onnxruntime calls an execution provider. Each build has some of them; the others are other packages.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from intonate.cache_folder import cache_folder
from intonate.catalogue import check_count, check_name
from intonate.errors import ModelError, first_line

CPU, AUTO = "cpu", "auto"
# The device of all that does not name one, e.g. of the processes of an archive.
ENVIRONMENT = "INTONATE_DEVICE"
# {device: (onnxruntime's provider, the package that brings it)}, the first that is there is `auto`. TensorRT is none of
# those: it builds an engine for minutes before the first answer.
PROVIDERS: Mapping[str, tuple[str, str]] = {
    "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
    "directml": ("DmlExecutionProvider", "onnxruntime-directml"),
    "coreml": ("CoreMLExecutionProvider", "onnxruntime, on a Mac"),
    "openvino": ("OpenVINOExecutionProvider", "onnxruntime-openvino"),
    "tensorrt": ("TensorrtExecutionProvider", "onnxruntime-gpu and tensorrt"),
    CPU: ("CPUExecutionProvider", "onnxruntime"),
}
# TensorRT makes an engine for sizes from the first to the last, and the best one for that between: of a batch, and of
# what varies in length (rows of 10 or 20 ms, samples are never one).
BATCH_SIZES, LENGTHS = (1, 8, 64), (1, 300, 6000)


def open_session(
    graph: bytes | str | os.PathLike[str],
    threads: int = 1,
    device: str | None = None,
    weights: Mapping[str, Any] | None = None,
) -> Any:
    """The session of an ONNX file, or of its bytes.

    Args:
        graph: the path, or the bytes.
        threads: of the processor; one is quickest for a small model.
        device: one of `PROVIDERS`, or `auto`; None for that of the environment, or the processor.
        weights: arrays that the graph says lie outside of it, by name.

    Raises:
        ModelError: the device is not known, this onnxruntime has none, or it does not start; or the threads are no
            whole number from 1 on.
        Exception: whatever onnxruntime makes of a file that is none; its exceptions have no other common base.
    """
    import onnxruntime

    device = device_name(device, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = check_count(threads, "threads", ModelError)
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised; nothing is printed
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if weights:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in weights.values()]
        options.add_external_initializers(list(weights), values)
    on_processor = [PROVIDERS[CPU][0]]
    if device == CPU:
        return onnxruntime.InferenceSession(graph, options, providers=on_processor)
    settings: dict[str, str] = {}
    if device == "tensorrt":
        settings = tensorrt_settings(onnxruntime.InferenceSession(graph, options, providers=on_processor).get_inputs())
    provider = PROVIDERS[device][0]
    try:
        # Without the fallback, which prints and goes on with another one.
        session = onnxruntime.InferenceSession(
            graph, options, providers=[(provider, settings), *on_processor], enable_fallback=0
        )
    except Exception as error:  # onnxruntime's exceptions have no common base but Exception
        raise ModelError(f"the device {device} does not run this model: {first_line(error)}") from error
    if provider not in session.get_providers():
        raise ModelError(
            f"this onnxruntime has {device}, but it does not start here: a driver or a library of it is missing; "
            "use the device cpu"
        )
    return session


def device_of(session: Any) -> str:
    """The device that a session computes on."""
    return next(device for device, (provider, _) in PROVIDERS.items() if provider == session.get_providers()[0])


def device_name(device: str | None, available: Sequence[str]) -> str:
    """Which device answers.

    Args:
        device: as in `open_session`.
        available: onnxruntime's providers that are here.

    Raises:
        ModelError: the device is not known, or not here.
    """
    name = device or os.environ.get(ENVIRONMENT) or CPU
    if name == AUTO:
        return next(
            known_name
            for known_name, (provider, _) in PROVIDERS.items()
            if provider in available and known_name != "tensorrt"
        )
    check_name(name, (AUTO, *PROVIDERS), "device", ModelError)
    provider, package = PROVIDERS[name]
    if provider not in available:
        available_names = ", ".join(
            known_name for known_name, (provider_name, _) in PROVIDERS.items() if provider_name in available
        )
        raise ModelError(
            f"this onnxruntime has no {name} (it has {available_names}); put {package} in the place of the package "
            "onnxruntime, or use another device"
        )
    return name


def use_device(device: str) -> str:
    """Make a device that of this process and of those that it starts, and return its name.

    Raises:
        ModelError: as `device_name`.
    """
    import onnxruntime

    os.environ[ENVIRONMENT] = device_name(device, onnxruntime.get_available_providers())
    return os.environ[ENVIRONMENT]


def tensorrt_settings(inputs: Sequence[Any]) -> dict[str, str]:
    """The shapes that TensorRT makes its engine for, and where it keeps it; the first size of an input is the batch."""
    cache = cache_folder("tensorrt")
    cache.mkdir(parents=True, exist_ok=True)
    settings = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(cache), "trt_timing_cache_enable": "1"}
    for place, kind in enumerate(("min", "opt", "max")):
        sizes = (BATCH_SIZES[place], LENGTHS[place])
        shapes = [
            f"{item.name}:"
            + "x".join(str(size if isinstance(size, int) else sizes[axis > 0]) for axis, size in enumerate(item.shape))
            for item in inputs
        ]
        settings[f"trt_profile_{kind}_shapes"] = ",".join(shapes)
    return settings
