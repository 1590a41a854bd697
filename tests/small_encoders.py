"""Checkpoints of encoders as small as they come, at random, written as their big sisters are."""

from __future__ import annotations

from pathlib import Path

INPUTS = {"waveform": {"front_end": "waveform"}, "tokens": {"front_end": "tokens"}}
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "kids", "dogs", "are", "talking", "sitting", "by", "the", "door")
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}


def speech(folder: Path, kind: str = "Hubert", norm: str = "group") -> str:
    """Write a speech encoder: Hubert, Wav2Vec2, WavLM. The norm of the base models is `group`, of -large's `layer`."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        **SMALL,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
        conv_bias=norm == "layer",
    )
    getattr(transformers, f"{kind}Model")(config).save_pretrained(folder)
    return str(folder)


def whisper(folder: Path) -> str:
    """Write a Whisper."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        d_model=32,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        vocab_size=64,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
        decoder_start_token_id=1,
    )
    transformers.WhisperModel(config).save_pretrained(folder)
    return str(folder)


def bert(folder: Path) -> str:
    """Write a text encoder and its tokenizer."""
    import torch
    import transformers

    torch.manual_seed(0)
    transformers.BertModel(
        transformers.BertConfig(**SMALL, vocab_size=len(WORDS), max_position_embeddings=64)
    ).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


def roberta(folder: Path) -> str:
    """Write a RoBERTa, without a tokenizer."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.RobertaConfig(**SMALL, vocab_size=64, max_position_embeddings=34, type_vocab_size=1)
    transformers.RobertaModel(config).save_pretrained(folder)
    return str(folder)


def checkpoints(root: Path, norm: str = "group") -> dict[str, str]:
    """Write a HuBERT and a BERT under `root`; the parameters of a fusion."""
    return {"speech": speech(root / "hubert", norm=norm), "text": bert(root / "bert")}


def params(model: str, root: Path) -> dict[str, str]:
    """Write what a model of the catalogue starts with; its parameters, none for a model that starts with nothing."""
    if model == "hubert_bert":
        return checkpoints(root)
    if model == "speech_encoder":
        return {"checkpoint": speech(root / "hubert")}
    if model == "resnet_roberta":
        return {"checkpoint": roberta(root / "roberta")}
    return {}
