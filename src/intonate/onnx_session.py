"""An onnxruntime session as this package runs one: on the device that was asked for, and on no other in silence.

A device is what onnxruntime calls an execution provider. Each build has some of them; the others are other packages.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from intonate.cache_folder import cache_folder
from intonate.catalogue import check_count, check_name
from intonate.errors import ModelError, first_line

CPU, AUTO = "cpu", "auto"
# The device of all that does not name one, e.g. of the processes of an archive.
ENVIRONMENT = "INTONATE_DEVICE"
# {device: (onnxruntime's provider, the package that brings it)}, the first that starts is `auto`. TensorRT is none of
# those: it builds an engine for minutes before the first answer.
PROVIDERS: Mapping[str, tuple[str, str]] = {
    "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
    "directml": ("DmlExecutionProvider", "onnxruntime-directml"),
    "coreml": ("CoreMLExecutionProvider", ""),
    "openvino": ("OpenVINOExecutionProvider", "onnxruntime-openvino"),
    "tensorrt": ("TensorrtExecutionProvider", "onnxruntime-gpu and tensorrt"),
    CPU: ("CPUExecutionProvider", "onnxruntime"),
}
# TensorRT makes an engine for sizes from the first to the last, and the best one for that between: of a batch, and of
# what varies in length: rows of 10 or 20 ms, or samples of 1/16 ms.
BATCH_SIZES, LENGTHS, SAMPLES = (1, 8, 64), (1, 300, 6000), (400, 48_000, 960_000)
# A graph that hands on the one number that it is given: enough to see whether a device starts.
NO_MODEL = (
    b'\x08\x08:7\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01'
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r"
)


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
    if device == CPU:
        return onnxruntime.InferenceSession(graph, options, providers=[PROVIDERS[CPU][0]])
    settings: dict[str, str] = {}
    if device == "tensorrt":
        described = onnxruntime.InferenceSession(graph, options, providers=[PROVIDERS[CPU][0]])
        settings = tensorrt_settings(described.get_inputs())
    try:
        return _open_on(device, graph, options, settings)
    except ModelError:
        raise
    except Exception as error:  # onnxruntime's exceptions have no common base but Exception
        raise ModelError(f"the device {device} does not run this model: {first_line(error)}") from error


def _open_on(device: str, graph: Any, options: Any = None, settings: Mapping[str, str] | None = None) -> Any:
    """A session on a device, what it cannot do on the processor.

    Raises:
        ModelError: the device does not start.
        Exception: as `open_session`.
    """
    import onnxruntime

    provider, on_processor = PROVIDERS[device][0], PROVIDERS[CPU][0]
    onnxruntime.set_default_logger_severity(4)  # that of the session is none of a device that does not start
    try:
        # Without the fallback, which prints and goes on with another one.
        session = onnxruntime.InferenceSession(
            graph, options, providers=[(provider, dict(settings or {})), on_processor], enable_fallback=0
        )
    finally:
        onnxruntime.set_default_logger_severity(2)
    if provider not in session.get_providers():
        raise _not_started(device)
    return session


def _not_started(device: str) -> ModelError:
    return ModelError(
        f"this onnxruntime has {device}, but it does not start here: a driver or a library of it is missing; "
        "use the device cpu"
    )


@lru_cache
def starts(device: str) -> bool:
    """Whether a device that this onnxruntime has computes here: its driver and its libraries may be missing."""
    try:
        return device == CPU or _open_on(device, NO_MODEL) is not None
    except Exception:  # as above
        return False


def device_of(session: Any) -> str:
    """The device that a session computes on."""
    return next(device for device, (provider, _) in PROVIDERS.items() if provider == session.get_providers()[0])


def device_name(device: str | None, available: Sequence[str]) -> str:
    """Which device answers.

    Args:
        device: as in `open_session`.
        available: onnxruntime's providers that are here.

    Raises:
        ModelError: the device is not known, not here, or does not start.
    """
    name = device or os.environ.get(ENVIRONMENT) or CPU
    if name == AUTO:
        return next(
            known_name
            for known_name, (provider, _) in PROVIDERS.items()
            if provider in available and known_name != "tensorrt" and starts(known_name)
        )
    check_name(name, (AUTO, *PROVIDERS), "device", ModelError)
    provider, package = PROVIDERS[name]
    if provider not in available:
        available_names = ", ".join(
            known_name for known_name, (provider_name, _) in PROVIDERS.items() if provider_name in available
        )
        where = f"put {package} in the place of the package onnxruntime" if package else "it is on Macs only"
        raise ModelError(f"this onnxruntime has no {name} (it has {available_names}); {where}, or use another device")
    if not starts(name):
        raise _not_started(name)
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
        shapes = []
        for item in inputs:
            lengths = SAMPLES if len(item.shape) == 2 and item.type == "tensor(float)" else LENGTHS
            sizes = (BATCH_SIZES[place], lengths[place])
            shape = (size if isinstance(size, int) else sizes[axis > 0] for axis, size in enumerate(item.shape))
            shapes.append(f"{item.name}:{'x'.join(map(str, shape))}")
        settings[f"trt_profile_{kind}_shapes"] = ",".join(shapes)
    return settings
