"""Checkpoints of SenseVoice at random in FunASR's layout, and what they answer, reckoned apart in float64 by numpy."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from small_weights import Drawn

# The published sizes are the first.
SMALL = {"width": 512, "heads": 4, "inner": 2048, "blocks": 50, "further": 20, "pieces": 25055, "kernel": 11}
TINY = {"width": 32, "heads": 4, "inner": 48, "blocks": 3, "further": 2, "pieces": 90, "kernel": 11}
BANDS, STACK, STEP = 80, 7, 6
TAGS = (
    *("<|zh|>", "<|en|>", "<|yue|>", "<|ja|>", "<|ko|>", "<|nospeech|>", "<|Speech|>", "<|/Speech|>", "<|BGM|>"),
    *(
        "<|/BGM|>",
        "<|Laughter|>",
        "<|/Laughter|>",
        "<|Applause|>",
        "<|/Applause|>",
        "<|HAPPY|>",
        "<|SAD|>",
        "<|ANGRY|>",
    ),
    *("<|NEUTRAL|>", "<|FEARFUL|>", "<|DISGUSTED|>", "<|SURPRISED|>", "<|EMO_UNKNOWN|>", "<|Cry|>", "<|Cough|>"),
    *("<|withitn|>", "<|woitn|>", "<|Event_UNK|>"),
)
EMOTIONS = TAGS[14:22]
EVENTS = ("<|BGM|>", "<|Applause|>", "<|Laughter|>", "<|Cry|>", "<|Cough|>", "<|Speech|>", "<|Event_UNK|>")
LANGUAGES = TAGS[:6]


def pieces(sizes: dict[str, int]) -> list[str]:
    """As the published vocabulary: the unknown first, then words and their parts, the tags last."""
    words = ["<unk>", "<s>", "</s>", "▁the", "▁kids", "s", "ing", "▁talk", "▁", "你", "好", "안"]
    more = [f"▁w{number}" if number % 3 else f"x{number}" for number in range(sizes["pieces"] - len(words) - len(TAGS))]
    return [*words, *more, *TAGS]


def _message(number: int, content: bytes) -> bytes:
    """A field of a protocol buffer that holds bytes."""
    length, head = len(content), bytearray([number << 3 | 2])
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    return bytes(head) + bytes([length]) + content


def bpe_model(sizes: dict[str, int]) -> bytes:
    """What sentencepiece reads: pieces with a score, and a kind (2 unknown, 3 control, 4 defined by the user)."""
    made = b""
    for number, piece in enumerate(pieces(sizes)):
        kind = 2 if number == 0 else 3 if number < 3 else 4 if piece in TAGS else 1
        score = np.float32(-number).tobytes()
        made += _message(1, _message(1, piece.encode()) + bytes([2 << 3 | 5]) + score + bytes([3 << 3, kind]))
    return made


def statistics() -> np.ndarray:
    """(2, bands * stack) as am.mvn has them: minus the mean, and one over the deviation."""
    rng = np.random.default_rng(5)
    size = BANDS * STACK
    return np.array([-10 - rng.random(size), 0.15 + 0.02 * rng.random(size)], np.float32)


def config(sizes: dict[str, int]) -> dict[str, object]:
    return {
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": {
            "output_size": sizes["width"], "attention_heads": sizes["heads"], "linear_units": sizes["inner"],
            "num_blocks": sizes["blocks"], "tp_blocks": sizes["further"], "dropout_rate": 0.1,
            "positional_dropout_rate": 0.1, "attention_dropout_rate": 0.1, "input_layer": "pe",
            "pos_enc_class": "SinusoidalPositionEncoder", "normalize_before": True, "kernel_size": sizes["kernel"],
            "sanm_shfit": 0, "selfattention_layer_type": "sanm",
        },
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
        "frontend": "WavFrontend",
        # The published file leaves `dither` out, and with it funasr adds noise that is different each time.
        "frontend_conf": {
            "fs": 16000, "window": "hamming", "n_mels": BANDS, "frame_length": 25, "frame_shift": 10, "lfr_m": STACK,
            "lfr_n": STEP, "cmvn_file": None, "dither": 0.0,
        },
    }  # fmt: skip


def tensors(sizes: dict[str, int], seed: int = 0) -> dict[str, np.ndarray]:
    """{published name: weights}; answers differ from clip to clip, as those of a fresh network would not."""
    found = Drawn(seed)
    draw, norm, linear = found.draw, found.norm, found.linear
    width, columns = sizes["width"], BANDS * STACK

    def block(name: str, before: int) -> None:
        norm(f"{name}.norm1", before)
        norm(f"{name}.norm2", width)
        linear(f"{name}.self_attn.linear_q_k_v", 3 * width, before)
        linear(f"{name}.self_attn.linear_out", width, width)
        draw(f"{name}.self_attn.fsmn_block.weight", width, 1, sizes["kernel"])
        linear(f"{name}.feed_forward.w_1", sizes["inner"], width)
        linear(f"{name}.feed_forward.w_2", width, sizes["inner"])

    block("encoder.encoders0.0", columns)
    for place in range(sizes["blocks"] - 1):
        block(f"encoder.encoders.{place}", width)
    for place in range(sizes["further"]):
        block(f"encoder.tp_encoders.{place}", width)
    norm("encoder.after_norm", width)
    norm("encoder.tp_norm", width)
    linear("ctc.ctc_lo", sizes["pieces"], width, scale=2 / math.sqrt(width))
    draw("embed.weight", 16, columns, scale=0.2)
    return found


def checkpoint(folder: Path, sizes: dict[str, int] = TINY, loud: str = "") -> Path:
    """Write model.pt, config.yaml, am.mvn, the vocabulary and configuration.json.

    Args:
        folder: that is not there yet.
        sizes: of the network.
        loud: a tag that is always answered.
    """
    import torch
    import yaml

    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config(sizes)), encoding="utf-8")
    name = "chn_jpn_yue_eng_ko_spectok.bpe.model"
    (folder / name).write_bytes(bpe_model(sizes))
    shift, scale = (" ".join(map(str, row.tolist())) for row in statistics())
    size = f"{BANDS * STACK} {BANDS * STACK}"
    (folder / "am.mvn").write_text(
        f"<Nnet>\n<Splice> {size}\n[ 0 ]\n<AddShift> {size}\n<LearnRateCoef> 0 [ {shift} ]\n"
        f"<Rescale> {size}\n<LearnRateCoef> 0 [ {scale} ]\n</Nnet>\n"
    )
    files = {
        "init_param": "model.pt", "config": "config.yaml", "tokenizer_conf": {"bpemodel": name},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }  # fmt: skip
    about = {"framework": "pytorch", "task": "auto-speech-recognition", "model": {"type": "funasr"}}
    (folder / "configuration.json").write_text(json.dumps(about | {"file_path_metas": files}), encoding="utf-8")
    weights = tensors(sizes)
    if loud:
        weights["ctc.ctc_lo.bias"][pieces(sizes).index(loud)] = 30
    torch.save({name: torch.from_numpy(value) for name, value in weights.items()}, folder / "model.pt")
    return folder


def frames(waveform: np.ndarray) -> np.ndarray:
    """(stacks, bands * stack): Kaldi's filter bank with a Hamming window, stacked and normalised, in float64."""
    sound = waveform.astype(np.float64) * 32768
    count = 1 + (len(sound) - 400) // 160
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)
    mel = lambda hz: 1127 * np.log(1 + hz / 700)  # noqa: E731
    edges = np.linspace(mel(20.0), mel(8000.0), BANDS + 2)
    bins = mel(np.arange(256) * 16000 / 512)
    banks = np.array(
        [
            np.clip(np.minimum((bins - left) / (top - left), (right - bins) / (right - top)), 0, None)
            for left, top, right in zip(edges, edges[1:], edges[2:], strict=False)
        ]
    )
    rows = []
    for number in range(count):
        piece = sound[160 * number : 160 * number + 400]
        piece = piece - piece.mean()
        piece = piece - 0.97 * np.concatenate([piece[:1], piece[:-1]])
        power = np.abs(np.fft.rfft(piece * window, 512)[:256]) ** 2
        rows.append(np.log(np.maximum(banks @ power, 1.1920929e-07)))
    padded = [rows[0]] * (STACK // 2) + rows + [rows[-1]] * STACK * 2
    stacks = [np.concatenate(padded[first : first + STACK]) for first in range(0, count, STEP)]
    shift, scale = statistics().astype(np.float64)
    return (np.array(stacks) + shift) * scale


def logits(sizes: dict[str, int], waveform: np.ndarray) -> np.ndarray:
    """(4 + stacks, pieces) in float64."""
    weights = {name: value.astype(np.float64) for name, value in tensors(sizes).items()}
    width, heads = sizes["width"], sizes["heads"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        made = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return made * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def attend(x: np.ndarray, name: str) -> np.ndarray:
        query, key, value = np.split(linear(x, f"{name}.linear_q_k_v"), 3, axis=1)
        mixed = np.empty_like(value)
        for head in range(heads):
            own = slice(head * width // heads, (head + 1) * width // heads)
            odds = query[:, own] @ key[:, own].T / math.sqrt(width // heads)
            odds = np.exp(odds - odds.max(1, keepdims=True))
            mixed[:, own] = odds / odds.sum(1, keepdims=True) @ value[:, own]
        kernel, side = weights[f"{name}.fsmn_block.weight"][:, 0], sizes["kernel"] // 2
        padded = np.pad(value, ((side, side), (0, 0)))
        memory = sum(padded[shift : shift + len(value)] * kernel[:, shift] for shift in range(sizes["kernel"]))
        return linear(mixed, f"{name}.linear_out") + memory + value

    def block(x: np.ndarray, name: str) -> np.ndarray:
        attended = attend(norm(x, f"{name}.norm1"), f"{name}.self_attn")
        x = attended if x.shape[1] != width else x + attended
        inner = np.maximum(0, linear(norm(x, f"{name}.norm2"), f"{name}.feed_forward.w_1"))
        return x + linear(inner, f"{name}.feed_forward.w_2")

    x = np.concatenate([weights["embed.weight"][[0, 1, 2, 15]], frames(waveform)]) * math.sqrt(width)
    half = x.shape[1] // 2
    angles = np.arange(1, len(x) + 1)[:, None] * 10_000 ** (-np.arange(half) / (half - 1))
    x = block(x + np.concatenate([np.sin(angles), np.cos(angles)], 1), "encoder.encoders0.0")
    for place in range(sizes["blocks"] - 1):
        x = block(x, f"encoder.encoders.{place}")
    x = norm(x, "encoder.after_norm")
    for place in range(sizes["further"]):
        x = block(x, f"encoder.tp_encoders.{place}")
    return linear(norm(x, "encoder.tp_norm"), "ctc.ctc_lo")


def shares(sizes: dict[str, int], odds: np.ndarray, tags: tuple[str, ...]) -> dict[str, float]:
    """{tag: its share among these} of one row of logits."""
    place = {piece: number for number, piece in enumerate(pieces(sizes))}
    chosen = np.exp([odds[place[tag]] - odds.max() for tag in tags])
    return dict(zip(tags, (chosen / chosen.sum()).tolist(), strict=True))


def answer(sizes: dict[str, int], waveform: np.ndarray) -> dict[str, float]:
    """{tag of an emotion: probability} of a whole recording."""
    return shares(sizes, logits(sizes, waveform)[1], EMOTIONS)
