"""Whisper's first layers as a front end: the same numbers as transformers, one graph in training and in the file."""

import numpy as np
import pytest
import torch

from intonate import features
from intonate.errors import ModelError, RecipeError
from intonate.export.encoder import whisper_rows
from intonate.export.onnx import write_torch
from intonate.features import encoded
from intonate.models.head import Head
from intonate.models.whisper_rows import WhisperRows
from intonate.recognizer.inputs import extract
from intonate.recognizer.model_file import read_model
from intonate.schema import ModelInput, ModelSpec, Normalisation
from intonate.training import encoders

transformers = pytest.importorskip("transformers")
WIDTH, BANDS, LAYERS = 32, 80, 3


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        d_model=WIDTH, encoder_layers=LAYERS, encoder_attention_heads=4, encoder_ffn_dim=64, decoder_layers=1,
        decoder_attention_heads=4, decoder_ffn_dim=64, vocab_size=64, num_mel_bins=BANDS, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("checkpoints") / "whisper-toy"
    transformers.WhisperModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    encoders._digest_params.cache_clear()
    yield
    encoders._digest_params.cache_clear()


@pytest.fixture
def waveform():
    return np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)


def test_its_rows_are_those_of_transformers(checkpoint):
    encoder = transformers.WhisperModel.from_pretrained(checkpoint).encoder.eval()
    mel = torch.randn(1, 3000, BANDS, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        states = encoder(mel.transpose(1, 2), output_hidden_states=True).hidden_states
        rows = WhisperRows(encoder, [1, 2])(mel)
    np.testing.assert_allclose(rows[..., :WIDTH], states[1], atol=2e-4)
    np.testing.assert_allclose(rows[..., WIDTH:], states[2], atol=2e-4)


def test_a_checkpoint_that_is_not_here_names_the_key_that_takes_a_folder(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"give --set inputs\.voice\.params\.params\.encoder=whisper-none"):
        whisper_rows("openai/whisper-none", [1])


@pytest.mark.parametrize("int8", [False, True])
def test_a_checkpoint_becomes_a_front_end(checkpoint, waveform, int8):
    params = {"encoder": str(checkpoint), "layers": [1, 2], "int8": int8}
    settled = encoders.with_digests("encoded", params)
    assert encoders.with_digests("encoded", settled) == settled, "a digest stays what it is"
    rows = features.get("encoded")(waveform, 16_000, **settled)
    assert rows.shape == (75, 2 * WIDTH)
    assert rows.dtype == np.float32
    whole = WhisperRows(transformers.WhisperModel.from_pretrained(checkpoint).encoder.eval(), [1, 2])
    with torch.no_grad():
        wanted = whole(torch.from_numpy(features.get("whisper_log_mel")(waveform, 16_000))[None])[0]
    np.testing.assert_allclose(rows, wanted, atol=0.2 if int8 else 1e-4)


def test_it_is_found_inside_other_front_ends(checkpoint):
    inner = {"encoder": str(checkpoint), "layers": [2]}
    settled = encoders.with_digests("pooled", {"of": "encoded", "params": inner, "statistics": ["mean"]})
    assert settled == {"of": "encoded", "params": encoders.with_digests("encoded", inner), "statistics": ["mean"]}
    assert encoders.with_digests("log_mel", {"bands": 40}) == {"bands": 40}


@pytest.mark.parametrize("layers", [[0], [4], []])
def test_a_layer_that_is_not_there_is_refused(checkpoint, layers):
    with pytest.raises(RecipeError, match="layers"):
        whisper_rows(str(checkpoint), layers)


def test_an_encoder_that_nobody_has_is_one_sentence(waveform):
    with pytest.raises(ModelError, match="neither in the model file"):
        features.get("encoded")(waveform, 16_000, encoder="0123456789abcdef")


@pytest.fixture
def model(checkpoint, tmp_path):
    settled = encoders.with_digests("encoded", {"encoder": str(checkpoint), "layers": [1]})
    params = {"of": "encoded", "params": settled, "statistics": ["mean", "sd"]}
    width = 2 * WIDTH
    normalisation = Normalisation("speaker", (0.0,) * width, (1.0,) * width, (3.0,) * width, 8.0)
    spec = ModelSpec(
        name="toy", labels=("angry", "sad"), inputs=(ModelInput("voice", "pooled", params, "", normalisation),),
        encoders={settled["encoder"]: "openai/whisper-toy, layers 1"},
    )  # fmt: skip
    clips = [{"voice": np.random.default_rng(seed).normal(size=width).astype(np.float32)} for seed in range(3)]
    path = tmp_path / "toy.onnx"
    write_torch(Head(2, {"voice": width}, units=8), spec, clips, path)
    return path


def test_a_model_file_carries_its_encoder(model, waveform, monkeypatch, tmp_path):
    name = next(iter(read_model(model).spec.encoders))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    monkeypatch.setattr(encoded, "_SESSIONS", {})
    monkeypatch.setattr(encoded, "_GRAPHS", {})
    opened = read_model(model)
    assert list(opened.spec.encoders) == [name]
    assert extract(opened.spec, waveform)["voice"].shape == (2 * WIDTH,)


def test_a_damaged_encoder_is_refused(model):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(model)
    for entry in graph.metadata_props:
        if entry.key.startswith("intonate.encoder."):
            entry.value = entry.value[:-8]
    onnx.save(graph, model)
    with pytest.raises(ModelError, match="missing or damaged"):
        read_model(model)
