"""`hubert_bert`: a speech encoder beside a text encoder, HuBERT ⊕ BERT as in "HuBERT + BERT on a merged corpus".

Both encoders are any `AutoModel` of Hugging Face transformers, from a folder or a hub name; each is averaged over its
real frames or tokens, then dropout, both side by side, one linear layer. Only safetensors and JSON are read: never a
pickle, never code that lies beside the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from intonate.errors import ModelError, RecipeError, require
from intonate.models.rows import mask_of, masked_mean

NEEDED = ("config.json", "model.safetensors")


class SpeechTextFusion(nn.Module):
    """Waveform and tokens in, logits out.

    Args:
        classes: number of outputs.
        columns: not used; the encoders know their widths.
        speech: folder or hub name of the speech encoder, e.g. `facebook/hubert-base-ls960`.
        text: folder or hub name of the text encoder, e.g. `bert-base-uncased`.
        dropout: on each mean.
        freeze: which encoders keep their weights: `none`, `speech`, `text` or `both`. The convolutions under the
            speech encoder are always frozen, as is usual.

    Raises:
        ModelError: a checkpoint is not there, or is not safetensors.
    """

    # HuBERT-base normalises its first layer over time, padding included.
    BATCHING = "equal_length"
    EXPORTER = "dynamo"

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        speech: str = "facebook/hubert-base-ls960",
        text: str = "bert-base-uncased",
        dropout: float = 0.1,
        freeze: str = "none",
    ) -> None:
        super().__init__()
        if freeze not in ("none", "speech", "text", "both"):
            raise RecipeError(f"model.params.freeze is none, speech, text or both; got {freeze!r}")
        # SpecAugment and LayerDrop inside HuBERT draw from generators that a resumed training cannot set back.
        self.speech = _encoder(speech, "speech", apply_spec_augment=False, layerdrop=0.0)
        self.text = _encoder(text, "text")
        if getattr(self.speech.config, "feat_extract_norm", "group") == "layer":
            self.BATCHING = "any"
        self.speech.feature_extractor.requires_grad_(False)
        for name in ("speech", "text"):
            if freeze in (name, "both"):
                getattr(self, name).requires_grad_(False)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.speech.config.hidden_size + self.text.config.hidden_size, classes)

    def forward(self, waveform: Tensor, waveform_lengths: Tensor, tokens: Tensor, tokens_lengths: Tensor) -> Tensor:
        """(batch, samples), (batch,), (batch, tokens), (batch,) -> (batch, classes)."""
        heard = self.speech(waveform, attention_mask=mask_of(waveform_lengths, waveform.shape[1]).long())[0]
        frames = self.speech._get_feat_extract_output_lengths(waveform_lengths)
        spoken = mask_of(tokens_lengths, tokens.shape[1])
        read = self.text(tokens, attention_mask=spoken.long())[0]
        means = (masked_mean(heard, mask_of(frames, heard.shape[1])), masked_mean(read, spoken))
        logits: Tensor = self.head(torch.cat([self.dropout(mean) for mean in means], dim=1))
        return logits

    @staticmethod
    def tokenizer(text: str = "bert-base-uncased", **_: Any) -> Any:
        """The text encoder's `tokenizers.Tokenizer`; the other parameters of the model are ignored."""
        loaded = _load(text, "text", "AutoTokenizer")
        if not loaded.is_fast:
            raise ModelError(f"the tokenizer of {text} has no tokenizer.json form, which a model file needs")
        tokenizer = loaded.backend_tokenizer
        tokenizer.no_padding()
        # A position for each token is learnt; what is longer is cut off, as in training.
        positions = _load(text, "text", "AutoConfig").max_position_embeddings
        tokenizer.enable_truncation(min(loaded.model_max_length, positions))
        return tokenizer


def _encoder(name: str, role: str, **settings: Any) -> Any:
    # "eager" attention exports with the lengths left open; a checkpoint in half precision is trained in full.
    return _load(name, role, "AutoModel", use_safetensors=True, attn_implementation="eager", **settings).float()


def _load(name: str, role: str, kind: str, **settings: Any) -> Any:
    """`transformers.<kind>.from_pretrained`, with a sentence where the checkpoint is not there."""
    transformers = require("transformers", "train")
    folder = Path(name).expanduser()
    if folder.is_dir():
        missing = [needed for needed in NEEDED if not (folder / needed).exists()]
        if missing and not (folder / f"{NEEDED[1]}.index.json").exists():
            raise ModelError(
                f"{role} checkpoint {name} has no {' and no '.join(missing)}; put the file there "
                "(weights are read from safetensors only, never from a pickle)"
            )
    try:
        return getattr(transformers, kind).from_pretrained(
            str(folder) if folder.is_dir() else name, trust_remote_code=False, **settings
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{role} checkpoint {name!r} is neither a folder here nor could it be fetched; put {' and '.join(NEEDED)} "
            f"into a folder and give its path as model.params.{role} ({' '.join(str(error).split())[:160]})"
        ) from error
