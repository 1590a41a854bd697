"""`hubert_bert`: a speech encoder beside a text encoder, HuBERT ⊕ BERT as in "HuBERT + BERT on a merged corpus" (P3).

Each is averaged over its real frames or tokens, then dropout, both side by side, one linear layer; or fused otherwise.
P3's fusion starts with the HuBERT of a run that has learnt by itself: `training.begin_with: runs/hubert-p3`, a run of
`speech_encoder`, whose encoder has the same names here. With `use: speech` or `use: text` one of the two says nothing:
the controls without which a fusion on fixed sentences cannot be judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from intonate.errors import ModelError, RecipeError
from intonate.models import encoders
from intonate.models.contract import Network
from intonate.models.rows import mask_of, masked_mean
from intonate.published import checkpoints

CHOICES = {
    "freeze": ("none", "speech", "text", "both"),
    "fusion": ("concatenate", "gated", "late"),
    "use": ("both", "speech", "text"),
}


class SpeechTextFusion(Network):
    """Waveform and tokens in, logits out.

    Args:
        classes: number of outputs.
        columns: not used; the encoders know their widths.
        speech: folder or hub name of the speech encoder, e.g. `facebook/hubert-base-ls960`.
        text: folder or hub name of the text encoder, e.g. `google-bert/bert-base-uncased`.
        dropout: on each mean.
        freeze: which encoders keep their weights: `none`, `speech`, `text` or `both`. The convolutions under the
            speech encoder are always frozen, as is usual.
        fusion: `concatenate`, as in P3; `gated`, in each column a learnt share of speech and of text (Arevalo et al.
            2017); `late`, an answer of each, learnt by itself too (`training.branch_loss`), and their sum.
        use: `both`, or `speech` or `text` alone, as a control; the inputs stay the same.

    Raises:
        ModelError: a checkpoint is not there, or is not safetensors.
        RecipeError: an impossible value.
    """

    EXPORTER = "dynamo"

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        speech: str = "facebook/hubert-base-ls960",
        text: str = "google-bert/bert-base-uncased",
        dropout: float = 0.1,
        freeze: str = "none",
        fusion: str = "concatenate",
        use: str = "both",
    ) -> None:
        super().__init__()
        _check_choices(freeze=freeze, fusion=fusion, use=use)
        self.use = use
        widths = []
        if use != "text":
            tune = "frozen" if freeze in ("speech", "both") else "partial"
            self.speech = encoders.SpeechRows(speech, "speech", tune)
            widths.append(self.speech.width)
            if not self.speech.pads:
                self.BATCHING = "equal_length"
        if use != "speech":
            self.text = checkpoints.load(text, "text")
            if freeze in ("text", "both"):
                self.text.requires_grad_(False)
            widths.append(self.text.config.hidden_size)
        self.dropout = nn.Dropout(dropout)
        if fusion == "concatenate" or use != "both":
            self.head: nn.Module = nn.Linear(sum(widths), classes)
        elif fusion == "gated":
            self.head = GatedFusion(widths[0], widths[1], classes)
        else:
            self.head = LateFusion(widths[0], widths[1], classes)

    def forward(self, waveform: Tensor, waveform_lengths: Tensor, tokens: Tensor, tokens_lengths: Tensor) -> Tensor:
        """(batch, samples), (batch,), (batch, tokens), (batch,) -> (batch, classes)."""
        means = self._modality_means(waveform, waveform_lengths, tokens, tokens_lengths)
        logits: Tensor = self.head(torch.cat(means, dim=1))
        return logits

    def parts(self, waveform: Tensor, waveform_lengths: Tensor, tokens: Tensor, tokens_lengths: Tensor) -> list[Tensor]:
        """What speech and text say alone, under late fusion; see `Network.parts`."""
        if not isinstance(self.head, LateFusion):
            return []
        return self.head.parts(
            torch.cat(self._modality_means(waveform, waveform_lengths, tokens, tokens_lengths), dim=1)
        )

    def _modality_means(
        self, waveform: Tensor, waveform_lengths: Tensor, tokens: Tensor, tokens_lengths: Tensor
    ) -> list[Tensor]:
        means = []
        if self.use != "text":
            rows, frames = self.speech(waveform, waveform_lengths)
            means.append(masked_mean(rows, mask_of(frames, rows.shape[1])))
        if self.use != "speech":
            token_mask = mask_of(tokens_lengths, tokens.shape[1])
            means.append(masked_mean(self.text(tokens, attention_mask=token_mask.long())[0], token_mask))
        return [self.dropout(mean) for mean in means]

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """What learns at `training.encoder_learning_rate`: both encoders."""
        for name in ("speech", "text"):
            part = getattr(self, name, None)
            if part is not None:
                yield from (weight for weight in part.parameters() if weight.requires_grad)

    @staticmethod
    def check(
        speech: str = "facebook/hubert-base-ls960",
        text: str = "google-bert/bert-base-uncased",
        freeze: str = "none",
        fusion: str = "concatenate",
        use: str = "both",
        **_: Any,
    ) -> None:
        """Refuse a checkpoint that is not there, before anything is listened to."""
        _check_choices(freeze=freeze, fusion=fusion, use=use)
        if use != "text":
            checkpoints.find(speech, parameter="speech")
        # Its tokenizer is needed even where its weights are not.
        checkpoints.find(text, parameter="text")

    @staticmethod
    def tokenizer(texts: Sequence[str] = (), text: str = "google-bert/bert-base-uncased", **_: Any) -> Any:
        """The text encoder's `tokenizers.Tokenizer`; training texts and the model's other parameters are ignored."""
        folder = checkpoints.find(text, parameter="text")
        # transformers makes up a tokenizer that knows no word where there is none.
        if not any(any(folder.glob(pattern)) for pattern in ("tokenizer.json", "vocab.*", "*.model")):
            raise ModelError(
                f"{text} has no tokenizer, so that every word would be unknown; put its tokenizer.json (or vocab.txt) "
                "beside the weights, or give another checkpoint (--set model.params.text=FOLDER)"
            )
        loaded = checkpoints.load(text, "text", "AutoTokenizer")
        if not loaded.is_fast:
            raise ModelError(f"the tokenizer of {text} has no tokenizer.json form, which a model file needs")
        tokenizer = loaded.backend_tokenizer
        tokenizer.no_padding()
        # A position for each token is learnt; what is longer is cut off, as in training.
        config = checkpoints.load(text, "text", "AutoConfig")
        positions = config.max_position_embeddings
        if config.model_type in ("roberta", "xlm-roberta", "camembert"):
            # Its positions are counted from behind the one that means padding.
            positions -= config.pad_token_id + 1
        tokenizer.enable_truncation(min(loaded.model_max_length, positions))
        return tokenizer


class GatedFusion(nn.Module):
    """Speech and text side by side, to logits: each column is a share of the one and the rest of the other."""

    def __init__(self, speech: int, text: int, classes: int) -> None:
        super().__init__()
        width = min(speech, text)
        self.widths = [speech, text]
        self.speech, self.text = nn.Linear(speech, width), nn.Linear(text, width)
        self.gate, self.answer = nn.Linear(speech + text, width), nn.Linear(width, classes)

    def forward(self, means: Tensor) -> Tensor:
        """(batch, speech + text) -> (batch, classes)."""
        speech_mean, text_mean = torch.split(means, self.widths, dim=1)
        share = torch.sigmoid(self.gate(means))
        logits: Tensor = self.answer(
            share * torch.tanh(self.speech(speech_mean)) + (1 - share) * torch.tanh(self.text(text_mean))
        )
        return logits


class LateFusion(nn.Module):
    """Speech and text side by side, to the sum of what each says alone."""

    def __init__(self, speech: int, text: int, classes: int) -> None:
        super().__init__()
        self.widths = [speech, text]
        self.speech, self.text = nn.Linear(speech, classes), nn.Linear(text, classes)

    def parts(self, means: Tensor) -> list[Tensor]:
        speech_mean, text_mean = torch.split(means, self.widths, dim=1)
        return [self.speech(speech_mean), self.text(text_mean)]

    def forward(self, means: Tensor) -> Tensor:
        """(batch, speech + text) -> (batch, classes)."""
        speech_logits, text_logits = self.parts(means)
        return speech_logits + text_logits


def _check_choices(**choices: str) -> None:
    for name, value in choices.items():
        *first_choices, last_choice = CHOICES[name]
        if value not in CHOICES[name]:
            raise RecipeError(f"model.params.{name} is {', '.join(first_choices)} or {last_choice}; got {value!r}")
