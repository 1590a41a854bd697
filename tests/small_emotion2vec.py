"""Checkpoints of emotion2vec at random in FunASR's layout, and what they answer, reckoned apart in float64 by numpy."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from scipy.special import erf
from small_weights import Drawn

LABELS = (
    *("生气/angry", "厌恶/disgusted", "恐惧/fearful", "开心/happy", "中立/neutral"),
    *("其他/other", "难过/sad", "吃惊/surprised", "<unk>"),
)
FEW_LABELS = ("angry", "unuse_0", "unuse_1", "happy", "neutral", "unuse_2", "sad", "surprised", "<unk>")
# The published sizes are: width 768 and 12 heads in 4 + 8 blocks (seed, base, finetuned), or 1024 and 16 in 24 (large).
BASE = {"width": 768, "heads": 12, "first": 4, "blocks": 8, "channels": 512, "groups": 16, "extra": 10}
TINY = {"width": 24, "heads": 3, "first": 1, "blocks": 2, "channels": 12, "groups": 4, "extra": 3}
SOUND = "modality_encoders.AUDIO"


def config(sizes: dict[str, int], normalise: bool = True) -> dict[str, object]:
    """config.yaml as it is published, but for what only training needs."""
    channels = sizes["channels"]
    drop = {"start_drop_path_rate": 0.0, "end_drop_path_rate": 0.0}
    sound = {
        "type": "AUDIO", "prenet_depth": sizes["first"], "prenet_layerdrop": 0.05, "prenet_dropout": 0.1, **drop,
        "num_extra_tokens": sizes["extra"], "init_extra_token_zero": True, "mask_noise_std": 0.01,
        "mask_prob_min": None, "mask_prob": 0.5, "inverse_mask": False, "mask_prob_adjust": 0.05,
        "keep_masked_pct": 0.0, "mask_length": 5, "add_masks": False, "remove_masks": False, "mask_dropout": 0.0,
        "encoder_zero_mask": True, "mask_channel_prob": 0.0, "mask_channel_length": 64, "ema_local_encoder": False,
        "local_grad_mult": 1.0, "use_alibi_encoder": True, "alibi_scale": 1.0, "learned_alibi": False,
        "alibi_max_pos": None, "learned_alibi_scale": True, "learned_alibi_scale_per_head": True,
        "learned_alibi_scale_per_layer": False, "num_alibi_heads": sizes["heads"], "model_depth": sizes["blocks"],
        "decoder": None, "extractor_mode": "layer_norm",
        "feature_encoder_spec": "[(N, 10, 5)] + [(N, 3, 2)] * 4 + [(N,2,2)] + [(N,2,2)]".replace("N", str(channels)),
        "conv_pos_width": 95, "conv_pos_groups": sizes["groups"], "conv_pos_depth": 5, "conv_pos_pre_ln": False,
    }  # fmt: skip
    model = {
        "loss_beta": 0.0, "loss_scale": None, "depth": sizes["blocks"], **drop, "num_heads": sizes["heads"],
        "norm_eps": 1e-05, "norm_affine": True, "encoder_dropout": 0.1, "post_mlp_drop": 0.1, "attention_dropout": 0.1,
        "activation_dropout": 0.0, "dropout_input": 0.0, "layerdrop": 0.05, "embed_dim": sizes["width"],
        "mlp_ratio": 4.0, "layer_norm_first": False, "average_top_k_layers": 8, "end_of_block_targets": False,
        "clone_batch": 8, "normalize": normalise, "modalities": {"audio": sound},
    }  # fmt: skip
    return {
        "model": "Emotion2vec",
        "model_conf": model,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "scope_map": ["d2v_model.", "none"],
    }


def tensors(sizes: dict[str, int], labels: int, seed: int = 0) -> dict[str, np.ndarray]:
    """{published name: weights}; answers differ from clip to clip, as those of a fresh network would not."""
    found = Drawn(seed)
    rng, draw, norm, linear = found.rng, found.draw, found.norm, found.linear
    width, channels = sizes["width"], sizes["channels"]

    def block(name: str) -> None:
        norm(f"{name}.norm1", width)
        norm(f"{name}.norm2", width)
        linear(f"{name}.attn.qkv", 3 * width, width)
        linear(f"{name}.attn.proj", width, width)
        linear(f"{name}.mlp.fc1", 4 * width, width)
        linear(f"{name}.mlp.fc2", width, 4 * width)

    before = 1
    for place, kernel in enumerate((10, 3, 3, 3, 3, 2, 2)):
        draw(f"{SOUND}.local_encoder.conv_layers.{place}.0.weight", channels, before, kernel)
        norm(f"{SOUND}.local_encoder.conv_layers.{place}.2.1", channels)
        before = channels
    norm(f"{SOUND}.project_features.1", channels)
    linear(f"{SOUND}.project_features.2", width, channels)
    for place in range(1, 6):
        name = f"{SOUND}.relative_positional_encoder.{place}.0"
        draw(f"{name}.weight", width, width // sizes["groups"], 19)
        draw(f"{name}.bias", width, scale=0.05)
    draw(f"{SOUND}.extra_tokens", 1, sizes["extra"], width, scale=1.0)
    found[f"{SOUND}.alibi_scale"] = (0.5 + rng.random((1, 1, sizes["heads"], 1, 1))).astype(np.float32)
    norm(f"{SOUND}.context_encoder.norm", width)
    for place in range(sizes["first"]):
        block(f"{SOUND}.context_encoder.blocks.{place}")
    for place in range(sizes["blocks"]):
        block(f"blocks.{place}")
    linear("proj", labels, width, scale=3 / math.sqrt(width))
    return found


def checkpoint(
    folder: Path, labels: tuple[str, ...] = LABELS, sizes: dict[str, int] = TINY, normalise: bool = True
) -> Path:
    """Write model.pt, config.yaml and tokens.txt."""
    import torch
    import yaml

    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config(sizes, normalise)), encoding="utf-8")
    (folder / "tokens.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    files = {"init_param": "model.pt", "tokenizer_conf": {"token_list": "tokens.txt"}, "config": "config.yaml"}
    about = {
        "framework": "pytorch",
        "task": "emotion-recognition",
        "model": {"type": "funasr"},
        "file_path_metas": files,
    }
    (folder / "configuration.json").write_text(json.dumps(about), encoding="utf-8")
    drawn = tensors(sizes, len(labels)).items()
    state = {f"d2v_model.{name}".replace("d2v_model.proj", "proj"): torch.from_numpy(value) for name, value in drawn}
    torch.save({"model": state}, folder / "model.pt")
    return folder


def answer(
    sizes: dict[str, int], labels: tuple[str, ...], waveform: np.ndarray, normalise: bool = True
) -> dict[str, float]:
    """{label as published: probability} of a whole recording, in float64."""
    weights = {name: value.astype(np.float64) for name, value in tensors(sizes, len(labels)).items()}

    def gelu(x: np.ndarray) -> np.ndarray:
        return x * 0.5 * (1 + erf(x / math.sqrt(2)))

    def norm(x: np.ndarray, name: str | None = None) -> np.ndarray:
        made = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return made if name is None else made * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def convolve(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
        """(frames, channels) -> (frames, channels)."""
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2], axis=0)[::stride]
        return np.einsum("tck,ock->to", windows, kernel, optimize=True)

    def block(x: np.ndarray, name: str) -> np.ndarray:
        heads, size = sizes["heads"], sizes["width"] // sizes["heads"]
        query, key, value = linear(x, f"{name}.attn.qkv").reshape(len(x), 3, heads, size).transpose(1, 2, 0, 3)
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(size) + bias
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ value
        x = norm(x + linear(mixed.transpose(1, 0, 2).reshape(len(x), -1), f"{name}.attn.proj"), f"{name}.norm1")
        return norm(x + linear(gelu(linear(x, f"{name}.mlp.fc1")), f"{name}.mlp.fc2"), f"{name}.norm2")

    x = waveform.astype(np.float64)[:, None]
    if normalise:
        x = norm(x.T).T
    for place, stride in enumerate((5, 2, 2, 2, 2, 2, 2)):
        name = f"{SOUND}.local_encoder.conv_layers.{place}"
        x = gelu(norm(convolve(x, weights[f"{name}.0.weight"], stride), f"{name}.2.1"))
    x = linear(norm(x, f"{SOUND}.project_features.1"), f"{SOUND}.project_features.2")
    where, groups = x, sizes["groups"]
    for place in range(1, 6):
        name = f"{SOUND}.relative_positional_encoder.{place}.0"
        kernels = np.split(weights[f"{name}.weight"], groups)
        parts = np.split(np.pad(where, ((9, 9), (0, 0))), groups, axis=1)
        where = np.concatenate([convolve(part, kernel, 1) for part, kernel in zip(parts, kernels, strict=True)], axis=1)
        where = gelu(norm(where + weights[f"{name}.bias"]))
    x, extra = x + where, sizes["extra"]
    apart = np.abs(np.subtract.outer(np.arange(len(x)), np.arange(len(x))))
    bias = np.zeros((sizes["heads"], len(x) + extra, len(x) + extra))
    for head, slope in enumerate(_slopes(sizes["heads"])):
        bias[head, extra:, extra:] = -slope * weights[f"{SOUND}.alibi_scale"][0, 0, head, 0, 0] * apart
    x = norm(np.concatenate([weights[f"{SOUND}.extra_tokens"][0], x]), f"{SOUND}.context_encoder.norm")
    for place in range(sizes["first"]):
        x = block(x, f"{SOUND}.context_encoder.blocks.{place}")
    for place in range(sizes["blocks"]):
        x = block(x, f"blocks.{place}")
    logits = linear(x[extra:].mean(0), "proj")
    kept = [place for place, label in enumerate(labels) if not label.startswith("unuse")]
    odds = np.exp(logits[kept] - logits[kept].max())
    return {labels[place]: float(odd / odds.sum()) for place, odd in zip(kept, odds, strict=True)}


def _slopes(heads: int) -> list[float]:
    if heads & (heads - 1) == 0:
        return [2 ** (-8 * (head + 1) / heads) for head in range(heads)]
    low = 1 << (heads.bit_length() - 1)
    return _slopes(low) + _slopes(2 * low)[::2][: heads - low]
