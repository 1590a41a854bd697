"""`speech_encoder`: HuBERT, wav2vec 2.0, WavLM or Whisper's encoder under a linear layer, fine-tuned as far as told.

Frozen with a linear head (P3, "HuBERT + BERT on a merged corpus", stage one), its last layers, all but its convolutions
(Wang et al. 2021; P4), or whole; with adapters in place of its own weights (LoRA).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from intonate.errors import RecipeError
from intonate.models import encoders
from intonate.models.contract import Network
from intonate.models.digest import array_digest
from intonate.models.rows import AttentivePooling, mask_of, masked_mean
from intonate.models.whisper import SECONDS
from intonate.published import checkpoints

POOLS = ("mean", "attention")


class SpeechEncoder(Network):
    """Waveform in, logits out.

    Args:
        classes: number of outputs.
        columns: not used; the encoder knows its width.
        checkpoint: folder, or name on the Hugging Face hub, of any encoder that takes the waveform, or of a Whisper.
        tune: what of it learns: `frozen`, `last`, `partial` or `whole`; see `intonate.models.encoders`.
        last: layers that learn with `tune: last`.
        layers: `last`, or `weighted` for a learnt mean over the outputs of all layers.
        pool: over time: `mean`, or `attention`, a weighted mean beside the deviation (attentive statistics).
        dropout: before the output.
        mask: SpecAugment inside the encoder: {time_prob: 0.05, time_length: 10, feature_prob: 0, feature_length: 10}.
        lora: {rank: 8}, and alpha and dropout: adapters learn, with `tune: frozen`; in the file they are merged.
        seconds: what a Whisper is shown of a clip, from its beginning; less than its own 30 is sooner done.

    Raises:
        ModelError: the checkpoint is not here and cannot be fetched.
        RecipeError: an impossible value.
    """

    EXPORTER = "dynamo"

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        checkpoint: str = "facebook/hubert-base-ls960",
        tune: str = "partial",
        last: int = 2,
        layers: str = "last",
        pool: str = "mean",
        dropout: float = 0.1,
        mask: Mapping[str, float] | None = None,
        lora: Mapping[str, float] | None = None,
        seconds: int = SECONDS,
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise RecipeError(f"model.params.pool is {' or '.join(POOLS)}; got {pool!r}")
        self.speech = encoders.SpeechRows(checkpoint, "checkpoint", tune, last, layers, mask, lora, seconds)
        if not self.speech.pads:
            self.BATCHING = "equal_length"
        self.attention = AttentivePooling(self.speech.width) if pool == "attention" else None
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.speech.width * (2 if pool == "attention" else 1), classes)
        # A frozen encoder says the same of a clip in every epoch, unless something is masked.
        self._has_frozen_means = (
            self.attention is None and not mask and not any(True for _ in self.speech.trainable_parameters())
        )
        self._weights_digest: bytes | None = None

    def forward(self, waveform: Tensor, waveform_lengths: Tensor) -> Tensor:
        """(batch, samples), (batch,) -> (batch, classes)."""
        if self._has_frozen_means:
            pooled = self.speech.layer_mean(self._clip_means(waveform, waveform_lengths))
        else:
            rows, frames = self.speech(waveform, waveform_lengths)
            real = mask_of(frames, rows.shape[1])
            pooled = masked_mean(rows, real) if self.attention is None else self.attention(rows, real)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits

    def _clip_means(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """Each layer's mean over the clip's frames, (batch, layers, width); each clip alone, once, without padding."""
        if self._weights_digest is None:
            self._weights_digest = array_digest(
                *(weight.cpu().numpy() for weight in self.speech.model.state_dict().values())
            )
        cached_means = _mean_cache(self._weights_digest, self.speech.layers)
        keys = [
            array_digest(clip[:length].cpu().numpy()) for clip, length in zip(waveform, lengths.tolist(), strict=True)
        ]
        for place, key in enumerate(keys):
            if key not in cached_means:
                length = lengths[place : place + 1]
                with torch.no_grad():
                    stack, frames = self.speech.stack(waveform[place : place + 1, : int(length)], length)
                cached_means[key] = stack[:, :, : int(frames)].mean(dim=2)[0].float().cpu()
        return torch.stack([cached_means[key] for key in keys]).to(waveform.device)

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """What learns at `training.encoder_learning_rate`."""
        return self.speech.trainable_parameters()

    def finish(self) -> None:
        """After the last epoch: adapters become part of the weights that they adapt, and nothing is remembered."""
        self.speech.merge()
        self._has_frozen_means = False

    @staticmethod
    def check(
        checkpoint: str = "facebook/hubert-base-ls960",
        tune: str = "partial",
        layers: str = "last",
        mask: Mapping[str, float] | None = None,
        lora: Mapping[str, float] | None = None,
        seconds: int = SECONDS,
        **_: Any,
    ) -> None:
        """Refuse a checkpoint that is not there, before anything is listened to."""
        encoders.check(tune, layers, mask, lora, seconds)
        checkpoints.find(checkpoint, parameter="checkpoint")

    def _load_from_state_dict(self, *args: Any) -> None:
        self._weights_digest = None  # these are others
        super()._load_from_state_dict(*args)


@lru_cache(maxsize=1)
def _mean_cache(weights: bytes, layers: str) -> dict[bytes, Tensor]:
    """What the frozen encoder with these weights said of each clip: for every epoch, trial and fold of a process."""
    return {}
