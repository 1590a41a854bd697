"""Devices: what is there answers alike, what is not there gets a sentence, and nothing else answers in its place."""

from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import tiny

from intonate import load_model
from intonate import onnx_session as session
from intonate.errors import ModelError

HERE = [name for name, (provider, _) in session.PROVIDERS.items() if provider in onnxruntime.get_available_providers()]
AWAY = sorted(session.PROVIDERS.keys() - set(HERE))


@pytest.mark.parametrize("device", [*HERE, session.AUTO])
@pytest.mark.parametrize("model", ["standard", "compact"])
def test_devices_agree(device, model):
    # A device of its own for the front end's encoder, too.
    sound = (tiny.speech(2.5), 16_000)
    on_device, on_processor = (load_model(model, device=name).predict(sound).scores for name in (device, "cpu"))
    assert on_device.keys() == on_processor.keys()
    np.testing.assert_allclose(
        [on_device[label] for label in on_processor], list(on_processor.values()), atol=1e-3 if device != "cpu" else 0
    )


@pytest.mark.parametrize("device", AWAY)
def test_a_device_that_is_not_here(device, monkeypatch):
    package = session.PROVIDERS[device][1]
    with pytest.raises(ModelError, match=rf"has no {device} \(it has .*cpu.*\); put {package}"):
        load_model(device=device)
    monkeypatch.setenv(session.ENVIRONMENT, device)
    with pytest.raises(ModelError, match=f"has no {device}"):
        load_model()
    load_model(device="cpu")


def test_a_device_that_nobody_knows():
    with pytest.raises(ModelError, match="did you mean 'openvino'"):
        load_model(device="openvinu")


def test_a_device_that_is_here_and_does_not_start(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    with pytest.raises(ModelError, match="cuda"):
        load_model(device="cuda")


def test_auto_prefers_an_accelerator_and_never_waits_for_an_engine():
    every = [provider for provider, _ in session.PROVIDERS.values()]
    assert session.device_name("auto", every) == "cuda"
    assert session.device_name("auto", ["TensorrtExecutionProvider", "CPUExecutionProvider"]) == "cpu"
    assert session.device_name(None, every) == "cpu"


def test_tensorrt_knows_its_shapes_and_keeps_its_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    inputs = [
        SimpleNamespace(name="voice", shape=["batch", "frames", 80]),
        SimpleNamespace(name="lengths", shape=["batch"]),
    ]
    settings = session.tensorrt_settings(inputs)
    assert settings["trt_profile_min_shapes"] == "voice:1x1x80,lengths:1"
    assert settings["trt_profile_opt_shapes"] == "voice:8x300x80,lengths:8"
    assert settings["trt_profile_max_shapes"] == "voice:64x6000x80,lengths:64"
    assert (tmp_path / "intonate" / "tensorrt").is_dir()
    assert settings["trt_engine_cache_path"] == str(tmp_path / "intonate" / "tensorrt")
