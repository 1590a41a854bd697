"""A speech encoder of others as a part of a network: waveform in, rows over time out; how much of it learns is told.

Any encoder of transformers that takes the waveform (HuBERT, wav2vec 2.0, WavLM, UniSpeech, Data2Vec, SEW), and the
encoder half of Whisper. `speech_encoder` and `hubert_bert` both hold it under the same name, so that the one can begin
with the weights of the other (`training.begin_with`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intonate.errors import RecipeError, did_you_mean, require
from intonate.models.rows import mask_of
from intonate.models.whisper import ROWS, SECONDS, LogMel
from intonate.published import checkpoints

TUNE = ("frozen", "last", "partial", "whole")
LAYERS = ("last", "weighted")
# What adapters are put beside, by the names that transformers gives it: queries and values, as LoRA was published (Hu
# et al. 2022). WavLM hands the weights of its attention to torch as they are, past any adapter: its dense layers there.
LORA_TARGETS = {"": ("q_proj", "v_proj"), "wavlm": ("intermediate_dense", "output_dense")}


class SpeechRows(nn.Module):
    """(batch, samples), (batch,) -> (batch, frames, width) and how many of the frames are real, (batch,).

    Args:
        checkpoint: folder or hub name.
        key: the recipe's parameter that names it, for error sentences.
        tune: what learns. `frozen`: nothing; `last`: the last `last` layers; `partial`: all but the convolutions at the
            front (Wang et al. 2021); `whole`: everything.
        last: layers that learn with `tune: last`.
        layers: `last`, the encoder's output; `weighted`, a learnt mean over the outputs of all layers (SUPERB).
        mask: SpecAugment inside the encoder: time_prob, time_length (share of the frames that are masked, frames of one
            mask), feature_prob, feature_length (the same over columns). Empty for none.
        lora: rank, and alpha (twice the rank) and dropout (0): low-rank adapters learn beside the frozen weights.
        seconds: what a Whisper is shown, silence behind a shorter clip and nothing beyond: 30 as it was trained; with
            fewer there are fewer rows to compute.

    Raises:
        ModelError: the checkpoint is not here and cannot be fetched.
        RecipeError: an impossible value.
    """

    def __init__(
        self,
        checkpoint: str,
        key: str = "checkpoint",
        tune: str = "partial",
        last: int = 2,
        layers: str = "last",
        mask: Mapping[str, float] | None = None,
        lora: Mapping[str, float] | None = None,
        seconds: int = SECONDS,
    ) -> None:
        super().__init__()
        check(tune, layers, mask, lora, seconds)
        config = checkpoints.load(checkpoint, key, "AutoConfig")
        whisper = config.model_type == "whisper"
        if not whisper and not hasattr(config, "feat_extract_norm"):
            raise RecipeError(
                f"model.params.{key}: {checkpoint} ({config.model_type}) does not take a waveform; give a speech "
                "encoder: HuBERT, wav2vec 2.0, WavLM or Whisper"
            )
        if mask and whisper:
            raise RecipeError("model.params.mask works inside HuBERT, wav2vec 2.0 and WavLM; leave it out for Whisper")
        if seconds != SECONDS and not whisper:
            raise RecipeError(f"model.params.seconds is for Whisper, and {checkpoint} hears any length; leave it out")
        # LayerDrop would leave out layers that the learnt mean counts; SpecAugment is done in `_mask_hidden_states`.
        options_off: dict[str, Any] = {"apply_spec_augment": False, "layerdrop": 0.0, "encoder_layerdrop": 0.0}
        model = checkpoints.load(
            checkpoint, key, **{name: value for name, value in options_off.items() if hasattr(config, name)}
        )
        self.mel = LogMel(config.num_mel_bins, seconds) if whisper else None
        self.model = _with_positions(model.encoder, seconds) if whisper else model
        self.tune, self.layers, self.mask = tune, layers, dict(mask or {})
        self.width: int = config.hidden_size
        # HuBERT-base normalises its first layer over time, padding included; Whisper always hears 30 s.
        self.pads = whisper or config.feat_extract_norm == "layer"
        self._freeze(last)
        if layers == "weighted":
            self.weights = nn.Parameter(torch.zeros(self.model.config.num_hidden_layers + 1))
        if lora:
            self._add_adapters(lora)
        if self.mask:
            self.model.feature_projection.register_forward_hook(self._mask_hidden_states)

    def _freeze(self, last: int) -> None:
        if self.tune in ("frozen", "last"):
            self.model.requires_grad_(False)
        if self.tune == "last":
            blocks = self._encoder_layers()
            if not 1 <= last <= len(blocks):
                raise RecipeError(f"model.params.last is from 1 to the encoder's {len(blocks)} layers; got {last}")
            blocks[-last:].requires_grad_(True)
        if self.tune != "whole":
            for front in self._front_layers():
                front.requires_grad_(False)
                # Else it asks for the gradient of the sound itself.
                freeze: Any = getattr(front, "_freeze_parameters", None)
                if freeze is not None:
                    freeze()

    def _encoder_layers(self) -> nn.ModuleList:
        blocks: nn.ModuleList = self.model.layers if self.mel is not None else self.model.encoder.layers
        return blocks

    def _front_layers(self) -> list[nn.Module]:
        return [self.model.conv1, self.model.conv2] if self.mel is not None else [self.model.feature_extractor]

    def _add_adapters(self, lora: Mapping[str, float]) -> None:
        peft = require("peft", "train")
        rank = int(lora["rank"])
        config = peft.LoraConfig(
            r=rank,
            lora_alpha=lora.get("alpha", 2 * rank),
            lora_dropout=lora.get("dropout", 0.0),
            target_modules=list(LORA_TARGETS.get(self.model.config.model_type, LORA_TARGETS[""])),
        )
        peft.inject_adapter_in_model(config, self.model)

    def merge(self) -> None:
        """Add the adapters to the weights that they adapt: the same answers from a plain encoder."""
        for parent in list(self.model.modules()):
            for name, child in list(parent.named_children()):
                if hasattr(child, "get_base_layer") and hasattr(child, "merge"):
                    child.merge()
                    setattr(parent, name, child.get_base_layer())

    def trainable_parameters(self) -> Iterator[nn.Parameter]:
        """The encoder's parameters that learn."""
        return (weight for weight in self.model.parameters() if weight.requires_grad)

    def train(self, mode: bool = True) -> SpeechRows:
        super().train(mode)
        if not any(True for _ in self.trainable_parameters()):
            self.model.eval()
        return self

    def stack(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What each layer says, (batch, layers, frames, width), or the last alone, (batch, 1, frames, width)."""
        options: dict[str, Any] = {"output_hidden_states": True} if self.layers == "weighted" else {}
        if self.mel is not None:
            output = self.model(self.mel(waveform), **options)
            frames = self.mel.rows(lengths)
        else:
            output = self.model(waveform, attention_mask=mask_of(lengths, waveform.shape[1]).long(), **options)
            frames = self.model._get_feat_extract_output_lengths(lengths)
        layers = torch.stack(output.hidden_states, dim=1) if options else output.last_hidden_state[:, None]
        # A clip shorter than the convolutions see gives no frame: the one of its padding then.
        return layers, frames.clamp(min=1)

    def layer_mean(self, stack: Tensor) -> Tensor:
        """(batch, layers, ..., width) -> (batch, ..., width)."""
        if self.layers == "last":
            return stack[:, 0]
        share = torch.softmax(self.weights, dim=0).to(stack.dtype)
        return torch.einsum("bl...w,l->b...w", stack, share)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        stack, frames = self.stack(waveform, lengths)
        return self.layer_mean(stack), frames

    def _mask_hidden_states(self, _: nn.Module, __: Any, hidden_states: Any) -> Any:
        """SpecAugment on what enters the layers (Baevski et al. 2020), from torch's generator: a training that was
        stopped goes on the same, which it would not with transformers' own, drawn from numpy's.
        """
        if not self.training:
            return hidden_states
        rows = hidden_states[0] if isinstance(hidden_states, tuple) else hidden_states
        spans = {axis: (self.mask.get(f"{axis}_prob", 0.0), int(self.mask.get(f"{axis}_length", 10)))
                 for axis in ("time", "feature")}  # fmt: skip
        time_mask = _masked_spans(rows.shape[0], rows.shape[1], *spans["time"], device=rows.device)
        mask_embedding = getattr(self.model, "masked_spec_embed", None)
        replacement = torch.zeros_like(rows[0, 0]) if mask_embedding is None else mask_embedding.to(rows.dtype)
        rows = torch.where(time_mask[:, :, None], replacement, rows)
        rows = rows.masked_fill(
            _masked_spans(rows.shape[0], rows.shape[2], *spans["feature"], device=rows.device)[:, None], 0
        )
        return (rows, *hidden_states[1:]) if isinstance(hidden_states, tuple) else rows


def _with_positions(encoder: Any, seconds: int) -> Any:
    """A Whisper's encoder for so many seconds: its positions are sinusoids, of which the first are kept."""
    rows = seconds * ROWS // SECONDS
    if rows < encoder.config.max_source_positions:
        encoder.config.max_source_positions = encoder.max_source_positions = rows
        positions = nn.Embedding(rows, encoder.embed_positions.embedding_dim)
        positions.weight = nn.Parameter(encoder.embed_positions.weight[:rows].detach().clone(), requires_grad=False)
        encoder.embed_positions = positions
    return encoder


def check(
    tune: str,
    layers: str,
    mask: Mapping[str, float] | None,
    lora: Mapping[str, float] | None,
    seconds: int = SECONDS,
) -> None:
    """Refuse values that no encoder takes.

    Raises:
        RecipeError: which, and what was expected.
    """
    for name, value, choices in (("tune", tune, TUNE), ("layers", layers, LAYERS)):
        if value not in choices:
            raise RecipeError(f"model.params.{name} is {', '.join(choices)}; got {value!r}")
    for name, settings, entries in (
        ("mask", mask, ("time_prob", "time_length", "feature_prob", "feature_length")),
        ("lora", lora, ("rank", "alpha", "dropout")),
    ):
        for entry in settings or {}:
            if entry not in entries:
                raise RecipeError(f"model.params.{name} has no {entry!r}; {did_you_mean(entry, entries)}")
    if not (isinstance(seconds, int) and 1 <= seconds <= SECONDS):
        raise RecipeError(f"model.params.seconds is a whole number from 1 to {SECONDS}; got {seconds!r}")
    if lora and (tune != "frozen" or lora.get("rank", 0) < 1):
        raise RecipeError("model.params.lora needs a rank, as in {rank: 8}, and tune: frozen, which it learns beside")


def _masked_spans(clips: int, places: int, share: float, length: int, device: torch.device) -> Tensor:
    """(clips, places) bool: spans that begin anywhere, so many that they would hide `share` if none met another."""
    starts = (torch.rand(clips, 1, places, device=device) < share / length).float()
    return F.max_pool1d(F.pad(starts, (length - 1, 0)), length, stride=1)[:, 0] > 0
