"""Checkpoints of transformers at random, as small as they come, for each front end and each odd encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

SPEECH = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
    "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 16,
}  # fmt: skip
SQUEEZED = SPEECH | {"conv_stride": (5, 2, 2, 2, 2, 2, 2), "conv_kernel": (10, 3, 3, 3, 3, 2, 2), "squeeze_factor": 2}
CONFIGS: dict[str, dict[str, object]] = {
    "SEW": SQUEEZED,
    "SEWD": SQUEEZED | {"max_position_embeddings": 64, "position_buckets": 16},
    "WavLM": SPEECH | {"num_buckets": 32, "max_bucket_distance": 64},
    "Whisper": {
        "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 48, "decoder_layers": 1,
        "decoder_attention_heads": 2, "decoder_ffn_dim": 48, "num_mel_bins": 80, "max_source_positions": 1500,
        "classifier_proj_size": 16, "vocab_size": 100, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        "decoder_start_token_id": 1, "suppress_tokens": None, "begin_suppress_tokens": None,
    },
    "AST": {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
        "num_mel_bins": 128, "max_length": 1024, "frequency_stride": 32, "time_stride": 32,
    },
    "Wav2Vec2Bert": SPEECH | {
        "feature_projection_input_dim": 160, "position_embeddings_type": "relative_key",
        "conv_depthwise_kernel_size": 7,
    },
}  # fmt: skip
EXTRACTORS = {"Whisper": "Whisper", "AST": "AST", "Wav2Vec2Bert": "SeamlessM4T"}
HEADS = {"Whisper": "ForAudioClassification", "AST": "ForAudioClassification"}


def checkpoint(folder: Path, kind: str, labels: Sequence[str]) -> Path:
    """Write one. Its answers differ from clip to clip, as those of a fresh head would not."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**CONFIGS[kind], id2label=dict(enumerate(labels)))
    network = getattr(transformers, f"{kind}{HEADS.get(kind, 'ForSequenceClassification')}")(config)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim > 1 and "embed" not in name:
                weight.normal_(0, 1 / weight[0].numel() ** 0.5)
            if name.startswith("classifier") and weight.ndim > 1:
                weight.normal_(0, 4 / weight.shape[1] ** 0.5)
    network.save_pretrained(folder)
    getattr(transformers, f"{EXTRACTORS.get(kind, 'Wav2Vec2')}FeatureExtractor")().save_pretrained(folder)
    return folder


def answer(folder: Path, waveform: object) -> dict[str, float]:
    """What transformers' own extractor and network make of a recording, a clip alone."""
    import torch
    import transformers

    extractor = transformers.AutoFeatureExtractor.from_pretrained(str(folder))
    network = transformers.AutoModelForAudioClassification.from_pretrained(str(folder)).eval()
    feeds = extractor(waveform, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        shares = network(**feeds).logits.softmax(-1)[0].tolist()
    return {network.config.id2label[place]: share for place, share in enumerate(shares)}


def own_head(folder: Path, labels: Sequence[str], second: str = "out_proj") -> Path:
    """A wav2vec 2.0 with two layers of its own on the mean of the frames, as audEERING and others publish theirs."""
    import json

    import torch
    import transformers
    from safetensors.torch import save_file

    torch.manual_seed(1)
    config = transformers.Wav2Vec2Config(**SPEECH, id2label=dict(enumerate(labels)))
    if second == "lm_head":
        config.vocab_size = len(labels)
    encoder = transformers.Wav2Vec2Model(config)
    width, spread = config.hidden_size, 0.2 if "arousal" in labels else 3.0
    weights = {f"wav2vec2.{name}": weight.contiguous() for name, weight in encoder.state_dict().items()}
    head = "lm_head" if second == "lm_head" else f"classifier.{second}"
    weights |= {
        f"{head}.weight": torch.randn(len(labels), width) * spread * (32 / width) ** 0.5,
        f"{head}.bias": torch.randn(len(labels)) / 8,
    }
    if head != "lm_head":
        weights |= {
            "classifier.dense.weight": torch.randn(width, width) / 3 * (32 / width) ** 0.5,
            "classifier.dense.bias": torch.randn(width),
        }
    folder.mkdir(parents=True)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    settings = json.loads(config.to_json_string()) | {"model_type": "wav2vec2"}
    kind = "ForCTC" if head == "lm_head" else "ForSpeechClassification"
    (folder / "config.json").write_text(json.dumps(settings | {"architectures": [f"Wav2Vec2{kind}"]}))
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def own_head_answer(folder: Path, waveform: object) -> dict[str, float]:
    """Its head written out, on transformers' own encoder."""
    import torch
    import transformers
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    encoder = transformers.Wav2Vec2Model.from_pretrained(str(folder)).eval()
    extractor = transformers.AutoFeatureExtractor.from_pretrained(str(folder))
    feeds = extractor(waveform, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        frames = encoder(feeds["input_values"]).last_hidden_state[0]
        if "lm_head.weight" in weights:
            made = (frames @ weights["lm_head.weight"].T + weights["lm_head.bias"]).mean(0)
        else:
            second = "out_proj" if "classifier.out_proj.weight" in weights else "output"
            inner = frames.mean(0) @ weights["classifier.dense.weight"].T + weights["classifier.dense.bias"]
            made = torch.tanh(inner) @ weights[f"classifier.{second}.weight"].T + weights[f"classifier.{second}.bias"]
    labels = encoder.config.id2label
    shares = made.clamp(0, 1) if "arousal" in labels.values() else made.softmax(-1)
    return {labels[place]: share for place, share in enumerate(shares.tolist())}
