"""Checkpoints of a HuBERT and a BERT as small as they come, at random, written as their big sisters are."""

from __future__ import annotations

from pathlib import Path

INPUTS = {"waveform": {"front_end": "waveform"}, "tokens": {"front_end": "tokens"}}
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "kids", "dogs", "are", "talking", "sitting", "by", "the", "door")


def checkpoints(root: Path, norm: str = "group") -> dict[str, str]:
    """Write both under `root`; the parameters of a recipe's model. HuBERT-base's norm is `group`, -large's `layer`."""
    import torch
    import transformers

    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    speech, text = root / "hubert", root / "bert"
    transformers.HubertModel(
        transformers.HubertConfig(
            **small,
            conv_dim=(16,) * 7,
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=4,
            feat_extract_norm=norm,
            do_stable_layer_norm=norm == "layer",
            conv_bias=norm == "layer",
        )
    ).save_pretrained(speech)
    transformers.BertModel(
        transformers.BertConfig(**small, vocab_size=len(WORDS), max_position_embeddings=64)
    ).save_pretrained(text)
    (text / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    transformers.BertTokenizerFast(str(text / "vocab.txt")).save_pretrained(text)
    return {"speech": str(speech), "text": str(text)}
