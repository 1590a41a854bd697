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
PROCESSOR = session.PROVIDERS[session.CPU][0]
AWAY = sorted(session.PROVIDERS.keys() - set(HERE))


@pytest.mark.parametrize("device", [*HERE, session.AUTO])
@pytest.mark.parametrize("model", ["standard", "compact"])
def test_devices_agree(device, model):
    # A device of its own for the front end's encoder, too.
    sound = (tiny.speech(2.5), 16_000)
    on_device, on_processor = (load_model(model, device=name).predict(sound).scores for name in (device, "cpu"))
    assert on_device.keys() == on_processor.keys()
    # OpenVINO rounds otherwise what the encoder of `standard` rounds to 8 bits.
    bound = 0 if device == "cpu" else 1e-2 if model == "standard" else 1e-3
    np.testing.assert_allclose([on_device[label] for label in on_processor], list(on_processor.values()), atol=bound)


@pytest.mark.parametrize("device", AWAY)
def test_a_device_that_is_not_here(device, monkeypatch):
    package = session.PROVIDERS[device][1]
    remedy = "it is on Macs only" if device == "coreml" else f"put {package} in the place of the package onnxruntime"
    with pytest.raises(ModelError, match=rf"has no {device} \(it has .*cpu.*\); {remedy}, or use another device"):
        load_model(device=device)
    monkeypatch.setenv(session.ENVIRONMENT, device)
    with pytest.raises(ModelError, match=f"has no {device}"):
        load_model()
    load_model(device="cpu")


def test_a_device_that_nobody_knows():
    with pytest.raises(ModelError, match="did you mean 'openvino'"):
        load_model(device="openvinu")


@pytest.mark.skipif("cuda" in HERE, reason="this onnxruntime has cuda, which may start")
def test_a_device_that_is_here_and_does_not_start(monkeypatch):
    # As with a build for NVIDIA's cards where there is none.
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", PROCESSOR])
    sentence = "has cuda, but it does not start here: a driver or a library of it is missing; use the device cpu"
    with pytest.raises(ModelError, match=sentence):
        load_model(device="cuda")
    # Before anybody is told that it computes.
    monkeypatch.setenv(session.ENVIRONMENT, "cpu")
    with pytest.raises(ModelError, match=sentence):
        session.use_device("cuda")
    assert session.use_device("auto") == "cpu"
    assert load_model(device="auto").predict((tiny.speech(1.0), 16_000)).label


def test_auto_prefers_an_accelerator_that_starts_and_never_waits_for_an_engine(monkeypatch):
    every = [provider for provider, _ in session.PROVIDERS.values()]
    monkeypatch.setattr(session, "starts", lambda device: True)
    assert session.device_name("auto", every) == "cuda"
    assert session.device_name("auto", ["TensorrtExecutionProvider", PROCESSOR]) == "cpu"
    assert session.device_name(None, every) == "cpu"
    monkeypatch.setattr(session, "starts", lambda device: device not in ("cuda", "directml"))
    assert session.device_name("auto", every) == "coreml"


def test_tensorrt_knows_its_shapes_and_keeps_its_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    inputs = [
        SimpleNamespace(name="voice", shape=["batch", "frames", 80], type="tensor(float)"),
        SimpleNamespace(name="lengths", shape=["batch"], type="tensor(int64)"),
        SimpleNamespace(name="waveform", shape=[1, "samples"], type="tensor(float)"),
        SimpleNamespace(name="words", shape=["batch", "tokens"], type="tensor(int64)"),
        SimpleNamespace(name="functionals", shape=["batch", 88], type="tensor(float)"),
    ]
    settings = session.tensorrt_settings(inputs)
    assert settings["trt_profile_min_shapes"].split(",") == [
        "voice:1x1x80",
        "lengths:1",
        "waveform:1x400",
        "words:1x1",
        "functionals:1x88",
    ]
    assert settings["trt_profile_opt_shapes"].split(",") == [
        "voice:8x300x80",
        "lengths:8",
        "waveform:1x48000",
        "words:8x300",
        "functionals:8x88",
    ]
    assert settings["trt_profile_max_shapes"].split(",") == [
        "voice:64x6000x80",
        "lengths:64",
        "waveform:1x960000",
        "words:64x6000",
        "functionals:64x88",
    ]
    assert (tmp_path / "intonate" / "tensorrt").is_dir()
    assert settings["trt_engine_cache_path"] == str(tmp_path / "intonate" / "tensorrt")
