"""Checkpoints at random of those who publish an encoder with a head of their own, and what each ought to answer.

The encoder is transformers' own class in float64; what is around it is written out in numpy.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

# As small as they come with heads of 64 numbers, which all published ones have.
WIDTH = 128
SPEECH = {
    "hidden_size": WIDTH, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 96,
    "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
BUCKETS = {"num_buckets": 32, "max_bucket_distance": 800}
WHISPER = {
    "d_model": WIDTH, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 96, "num_mel_bins": 80,
    "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 32, "vocab_size": 100, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "max_source_positions": 750,
    "suppress_tokens": None, "begin_suppress_tokens": None,
}  # fmt: skip
ODYSSEY_LABELS = ("Angry", "Sad", "Happy", "Surprise", "Fear", "Disgust", "Contempt", "Neutral")
VOX_LABELS = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise", "Other")
MEAN, DEVIATION = -8.278621631819787e-05, 0.08485510250851999

Weights = dict[str, torch.Tensor]


def drawn(network: torch.nn.Module) -> torch.nn.Module:
    """With weights at random that say more than fresh ones."""
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim > 1 and "embed" not in name:
                weight.normal_(0, 1 / weight[0].numel() ** 0.5)
            elif name.endswith("bias"):
                weight.normal_(0, 0.05)
    return network.eval()


def layer(name: str, outputs: int, inputs: int, scale: float = 1.0, kernel: tuple[int, ...] = ()) -> Weights:
    weight = torch.randn(outputs, inputs, *kernel) * scale / inputs**0.5
    return {f"{name}.weight": weight, f"{name}.bias": torch.randn(outputs) / 10}


def norm(name: str, width: int) -> Weights:
    return {f"{name}.weight": 1 + torch.randn(width) / 10, f"{name}.bias": torch.randn(width) / 10}


def prefixed(prefix: str, network: torch.nn.Module) -> Weights:
    return {f"{prefix}{name}": weight.clone() for name, weight in network.state_dict().items()}


def doubled(folder: Path) -> dict[str, np.ndarray]:
    return {name: weight.numpy().astype(np.float64) for name, weight in load_file(folder / "model.safetensors").items()}


def frames_of(network: torch.nn.Module, sound: np.ndarray, **options: bool) -> list[np.ndarray]:
    """[(frames, width)] of all layers and last of the whole encoder, in float64."""
    with torch.no_grad():
        answer = network.double()(torch.from_numpy(sound.astype(np.float64))[None], output_hidden_states=True)
    return [state[0].numpy() for state in (*answer.hidden_states, answer.last_hidden_state)]


def affine(x: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    matrix = weights[f"{name}.weight"]
    return x @ matrix.reshape(matrix.shape[:2]).T + weights[f"{name}.bias"]


def softmax(odds: np.ndarray) -> np.ndarray:
    odds = np.exp(odds - odds.max(0))
    return odds / odds.sum(0)


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


# --- Odyssey -------------------------------------------------------------------------------------------------------


def odyssey_encoder() -> torch.nn.Module:
    torch.manual_seed(3)
    return drawn(transformers.WavLMModel(transformers.WavLMConfig(**SPEECH, **LARGE, **BUCKETS)))


def odyssey(folder: Path, labels: tuple[str, ...], layers: int = 1) -> Path:
    """As 3loi/SER-Odyssey-Baseline-WavLM-Categorical and -Multi-Attributes lie on the hub."""
    encoder = odyssey_encoder()
    weights = prefixed("ssl_model.", encoder) | layer("pool_model.sap_linear", WIDTH, WIDTH)
    weights["pool_model.attention"] = torch.randn(WIDTH, 1)
    for place in range(layers):
        weights |= layer(f"ser_model.fc.{place}.0", WIDTH, WIDTH * (2 if place == 0 else 1))
        weights |= norm(f"ser_model.fc.{place}.1", WIDTH)
    spread = 0.3 if "arousal" in labels else 3
    weights |= layer("ser_model.out.0", len(labels), WIDTH, spread)
    if "arousal" in labels:
        weights["ser_model.out.0.bias"] += 0.5
    folder.mkdir(parents=True)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = {
        "architectures": ["SERModel"], "model_type": "ser", "ssl_type": "microsoft/wavlm-large", "mean": MEAN,
        "auto_map": {
            "AutoConfig": "pipeline_utils.SERConfig", "AutoModelForAudioClassification": "pipeline_utils.SERModel"
        },
        "std": DEVIATION, "num_classes": len(labels), "hidden_size": WIDTH, "classifier_hidden_layers": layers,
        "classifier_dropout_prob": 0.5, "num_attention_heads": SPEECH["num_attention_heads"],
        "num_hidden_layers": SPEECH["num_hidden_layers"], "sampling_rate": 16000,
        "id2label": dict(enumerate(labels)), "torch_dtype": "float32",
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "pipeline_utils.py").write_text("raise SystemExit('this was run')\n")
    return folder


def odyssey_answer(folder: Path, waveform: np.ndarray) -> dict[str, float]:
    weights, config = doubled(folder), json.loads((folder / "config.json").read_text())
    *_, frames = frames_of(odyssey_encoder(), (waveform.astype(np.float64) - MEAN) / (DEVIATION + 0.000001))
    shares = softmax(np.tanh(affine(frames, weights, "pool_model.sap_linear")) @ weights["pool_model.attention"])
    centre = (frames * shares).sum(0)
    deviation = np.sqrt(np.maximum((frames**2 * shares).sum(0) - centre**2, 1e-5))
    hidden = np.concatenate([centre, deviation])
    for place in range(config["classifier_hidden_layers"]):
        hidden = affine(hidden, weights, f"ser_model.fc.{place}.0")
        hidden = (hidden - hidden.mean()) / np.sqrt(hidden.var() + 1e-5)
        name = f"ser_model.fc.{place}.1"
        hidden = np.maximum(0, hidden * weights[f"{name}.weight"] + weights[f"{name}.bias"])
    outputs = affine(hidden, weights, "ser_model.out.0")
    labels = list(config["id2label"].values())
    values = np.clip(outputs, 0, 1) if "arousal" in labels else softmax(outputs)
    return dict(zip(labels, values.tolist(), strict=True))


# --- SpeechBrain ---------------------------------------------------------------------------------------------------

HYPERPARAMS = """# Generated, as SpeechBrain's own is
wav2vec2_hub: facebook/wav2vec2-base
encoder_dim: 768
out_n_neurons: 4
wav2vec2: !new:speechbrain.lobes.models.huggingface_transformers.wav2vec2.Wav2Vec2
    source: !ref <wav2vec2_hub>
    output_norm: True
    freeze: False
    freeze_feature_extractor: True
    save_path: wav2vec2_checkpoints
avg_pool: !new:speechbrain.nnet.pooling.StatisticsPooling
    return_std: False
output_mlp: !new:speechbrain.nnet.linear.Linear
    input_size: !ref <encoder_dim>
    n_neurons: !ref <out_n_neurons>
    bias: False
model: !new:torch.nn.ModuleList
    - [!ref <output_mlp>]
modules:
    wav2vec2: !ref <wav2vec2>
    output_mlp: !ref <output_mlp>
softmax: !new:speechbrain.nnet.activations.Softmax
label_encoder: !new:speechbrain.dataio.encoder.CategoricalEncoder
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        wav2vec2: !ref <wav2vec2>
        model: !ref <model>
        label_encoder: !ref <label_encoder>
"""


def speechbrain_encoder() -> torch.nn.Module:
    torch.manual_seed(4)
    return drawn(transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**SPEECH)))


def speechbrain(folder: Path, labels: tuple[str, ...]) -> Path:
    """As speechbrain/emotion-recognition-wav2vec2-IEMOCAP lies on the hub."""
    folder.mkdir(parents=True)
    torch.save(prefixed("model.", speechbrain_encoder()), folder / "wav2vec2.ckpt")
    torch.save({"0.w.weight": torch.randn(len(labels), WIDTH) * 3 / WIDTH**0.5}, folder / "model.ckpt")
    lines = [f"'{label}' => {place}" for place, label in enumerate(labels)]
    (folder / "label_encoder.txt").write_text("\n".join([*lines, "=" * 16, "'starting_index' => 0", ""]))
    (folder / "hyperparams.yaml").write_text(HYPERPARAMS)
    (folder / "custom_interface.py").write_text("raise SystemExit('this was run')\n")
    return folder


def speechbrain_answer(folder: Path, labels: tuple[str, ...], waveform: np.ndarray) -> dict[str, float]:
    sound = waveform.astype(np.float64)
    *_, frames = frames_of(speechbrain_encoder(), (sound - sound.mean()) / np.sqrt(sound.var() + 1e-5))
    frames = (frames - frames.mean()) / np.sqrt(frames.var() + 1e-5)
    head = torch.load(folder / "model.ckpt", weights_only=True)["0.w.weight"].numpy().astype(np.float64)
    return dict(zip(labels, softmax(head @ frames.mean(0)).tolist(), strict=True))


# --- Vox-Profile ---------------------------------------------------------------------------------------------------


def vox_encoder(kind: str) -> torch.nn.Module:
    torch.manual_seed(5)
    if kind.startswith("whisper"):
        return drawn(transformers.WhisperModel(transformers.WhisperConfig(**WHISPER)))
    more = LARGE if kind == "wavlm_large" else {}
    return drawn(transformers.WavLMModel(transformers.WavLMConfig(**SPEECH, **more, **BUCKETS)))


def vox_profile(folder: Path, kind: str, has_labels: bool = True, rank: int = 0) -> Path:
    """As tiantiaf/wavlm-large-msp-podcast-emotion and tiantiaf/whisper-large-v3-msp-podcast-emotion lie on the hub.

    Args:
        folder: that is not there yet.
        kind: of the encoder.
        has_labels: else numbers alone.
        rank: of LoRA; 0 for none.
    """
    hidden, encoder = 32, vox_encoder(kind)
    weights = prefixed("backbone_model.", encoder)
    if rank:
        # The layers behind the middle one.
        for name in ("intermediate_dense", "output_dense"):
            key = f"backbone_model.encoder.layers.2.feed_forward.{name}"
            outputs, inputs = weights[f"{key}.weight"].shape
            weights[f"{key}.lora_A"] = torch.randn(rank, inputs) / inputs**0.5
            weights[f"{key}.lora_B"] = torch.randn(outputs, rank)
    layers = 1 + (WHISPER["encoder_layers"] if kind.startswith("whisper") else SPEECH["num_hidden_layers"])
    weights["weights"] = torch.randn(layers)
    for place, inputs in ((0, WIDTH), (3, hidden), (6, hidden)):
        weights |= layer(f"model_seq.{place}", hidden, inputs, 1.5, (1,))
    heads = {"emotion": 9, "detailed_out": 17} if has_labels else {}
    for name, outputs in (heads | {"arousal": 1, "valence": 1, "dominance": 1}).items():
        weights |= layer(f"{name}_layer.0", hidden, hidden, 1.5) | layer(f"{name}_layer.2", outputs, hidden)
    if kind.startswith("whisper"):
        weights["embed_positions"] = torch.randn(1500, WIDTH)
    folder.mkdir(parents=True)
    save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / "model.safetensors")
    config = {
        "detailed_class_num": 17, "finetune_method": "lora" if rank else "finetune", "freeze_params": True,
        "hidden_dim": hidden, "lora_rank": rank or 16, "output_class_num": 9 if has_labels else 4,
        "pretrain_model": kind, "use_conv_output": True,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def vox_profile_answer(folder: Path, waveform: np.ndarray) -> dict[str, float]:
    weights, config = doubled(folder), json.loads((folder / "config.json").read_text())
    kind, encoder = config["pretrain_model"], vox_encoder(config["pretrain_model"])
    for name in [name for name in weights if name.endswith("lora_A")]:
        stem = name.removesuffix(".lora_A")
        more = weights[f"{stem}.lora_B"] @ weights[name] / config["lora_rank"]
        own = encoder.get_parameter(f"{stem.removeprefix('backbone_model.')}.weight")
        own.data = own.data.double() + torch.from_numpy(more)
    if kind.startswith("whisper"):
        extractor = transformers.WhisperFeatureExtractor(chunk_length=15)
        features = extractor(waveform, sampling_rate=16_000, max_length=15 * 16_000, return_tensors="np")
        *_, frames = frames_of(encoder.encoder, features["input_features"][0])
        frames = frames[: (min(len(waveform), 15 * 16_000) // 160 - 1) // 2 + 1]
    else:
        sound = waveform.astype(np.float64)
        if kind == "wavlm_large":
            sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
        *states, _ = frames_of(encoder, sound)
        frames = np.tensordot(softmax(weights["weights"]), np.array(states), 1)
    for place in (0, 3, 6):
        frames = affine(frames if place == 0 else np.maximum(0, frames), weights, f"model_seq.{place}")
    pooled = frames.mean(0)

    def head(name: str) -> np.ndarray:
        return affine(np.maximum(0, affine(pooled, weights, f"{name}_layer.0")), weights, f"{name}_layer.2")

    numbers = {name: sigmoid(head(name)[0]) for name in ("arousal", "valence", "dominance")}
    if "emotion_layer.2.weight" not in weights:
        return numbers
    return dict(zip(VOX_LABELS, softmax(head("emotion")).tolist(), strict=True)) | numbers


# --- wav2small -----------------------------------------------------------------------------------------------------


def wav2small(folder: Path) -> Path:
    """As audeering/wav2small lies on the hub: its published size is as small as they come."""
    torch.manual_seed(6)
    window, bands, channels = 64, 26, 13
    grid = np.arange(window // 2 + 1)[:, None] * np.arange(window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    waves = np.exp(-2j * np.pi * grid / window) * hann
    mel = np.abs(np.random.default_rng(0).normal(size=(window // 2 + 1, bands))).astype(np.float32) / 10
    extractors = "vgg7.spectrogram_extractor.conv"
    weights: Weights = {
        f"{extractors}_real.weight": torch.from_numpy(waves.real[:, None].astype(np.float32)),
        f"{extractors}_imag.weight": torch.from_numpy(waves.imag[:, None].astype(np.float32)),
        "vgg7.logmel_extractor.melW": torch.from_numpy(mel),
        "vgg7.logmel_extractor.amin": torch.tensor([1e-10]),
    }
    for place in range(1, 8):
        inputs = 1 if place == 1 else channels
        weights[f"vgg7.l{place}.conv.weight"] = torch.randn(channels, inputs, 3, 3) / (3 * inputs**0.5)
        weights |= norm(f"vgg7.l{place}.norm", channels)
        weights[f"vgg7.l{place}.norm.running_mean"] = torch.randn(channels) / 10
        weights[f"vgg7.l{place}.norm.running_var"] = 1 + torch.rand(channels)
        weights[f"vgg7.l{place}.norm.num_batches_tracked"] = torch.tensor(7)
    for name in ("lin", "sof"):
        weights |= layer(f"vgg7.{name}", channels, channels, 1.0, (1, 1))
    weights |= layer("adv", 3, channels * 2 * channels, 0.2)
    weights["adv.bias"] = torch.full((3,), 0.4)
    folder.mkdir(parents=True)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    auto_map = {"AutoModel": "modeling.Wav2Small"}
    (folder / "config.json").write_text(json.dumps({"architectures": ["Wav2Small"], "auto_map": auto_map}))
    (folder / "modeling.py").write_text("raise SystemExit('this was run')\n")
    return folder


def wav2small_answer(folder: Path, waveform: np.ndarray) -> dict[str, float]:
    from scipy.ndimage import maximum_filter

    weights, sound = doubled(folder), waveform.astype(np.float64)
    sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    windows = np.lib.stride_tricks.sliding_window_view(sound, 64)[::32]
    parts = [windows @ weights[f"vgg7.spectrogram_extractor.conv_{part}.weight"][:, 0].T for part in ("real", "imag")]
    power = (parts[0] ** 2 + parts[1] ** 2) @ weights["vgg7.logmel_extractor.melW"]
    picture = 10 * np.log10(np.maximum(power, 1e-10))[None]
    for place in range(1, 8):
        name, kernels = f"vgg7.l{place}", weights[f"vgg7.l{place}.conv.weight"]
        padded = np.pad(picture, ((0, 0), (1, 1), (1, 1)))
        shifted = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
        made = np.einsum("ctfij,ocij->otf", shifted, kernels, optimize=True)
        mean, variance = (weights[f"{name}.norm.running_{kind}"][:, None, None] for kind in ("mean", "var"))
        scale, shift = (weights[f"{name}.norm.{kind}"][:, None, None] for kind in ("weight", "bias"))
        picture = np.maximum(0, (made - mean) / np.sqrt(variance + 1e-5) * scale + shift)
        if place == 3:
            picture = maximum_filter(picture, (1, 3, 3), mode="constant", cval=-np.inf)[:, ::2, ::2]
    values, odds = (affine(picture.transpose(1, 2, 0), weights, f"vgg7.{name}") for name in ("lin", "sof"))
    summed = (values * softmax(odds)).sum(0).T
    joined = np.concatenate([summed, summed @ summed.T], 1).ravel()
    return dict(zip(("arousal", "dominance", "valence"), np.clip(affine(joined, weights, "adv"), 0, 1), strict=True))
