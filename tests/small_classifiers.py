"""Audio-classification checkpoints as small as they come, at random, as others publish theirs on the hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# HuBERT-base divides by the statistics of the whole clip after its first layer; HuBERT-large does not.
NORMS = {"Hubert": "group", "Wav2Vec2": "layer"}
CARD = """---
language: de
license: cc-by-nc-4.0
---
# A checkpoint of nobody's
"""


def checkpoint(folder: Path, labels: Sequence[str], kind: str = "Hubert", normalise: bool = True) -> Path:
    """Write one under `folder`. Its answers differ from clip to clip, as those of a fresh head would not."""
    import torch
    import transformers

    torch.manual_seed(0)
    layered = NORMS[kind] == "layer"
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        classifier_proj_size=16,
        feat_extract_norm=NORMS[kind],
        do_stable_layer_norm=layered,
        conv_bias=layered,
        use_weighted_layer_sum=layered,  # as those of SUPERB
        id2label=dict(enumerate(labels)),
        label2id={label: place for place, label in enumerate(labels)},
    )
    network = getattr(transformers, f"{kind}ForSequenceClassification")(config)
    with torch.no_grad():
        network.projector.weight.normal_(0, 0.3)
        network.classifier.weight.normal_(0, 0.3)
        if layered:
            network.layer_weights.normal_(0, 1)
    network.save_pretrained(folder)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=normalise, return_attention_mask=layered)
    extractor.save_pretrained(folder)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    return folder
