"""The network of SenseVoice Small (An et al. 2024): self-attention with a memory (SANM, Gao et al. 2020) and CTC.

(batch, frames, bands) -> (batch, answers) and (batch, stacks): frames of a Kaldi filter bank are stacked, seven every
sixty milliseconds, and centred. Four learnt queries stand in front of them, whose outputs are the language, the
emotion, the event and the manner of writing. Of each stack behind them the best symbol is given: the words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intonate.converters.sensevoice_files import Sizes
from intonate.models.contract import Network

# Rows of the embedding: the language is to be found out; event and emotion; words without punctuation ("woitn").
QUERIES = (0, 1, 2, 15)
ROWS = 16
# Whose outputs are the language, the emotion and the event: the place of the query does not say so, the training does.
LANGUAGE, EMOTION, EVENT = 0, 1, 2
# Name in the published file -> name here.
NAMES: Mapping[str, str] = {
    r"encoder\.encoders0\.0\.(.*)": r"blocks.0.\1",
    r"encoder\.encoders\.(\d+)\.(.*)": r"blocks.\1.\2",
    r"encoder\.tp_encoders\.(\d+)\.(.*)": r"further_blocks.\1.\2",
    r"encoder\.after_norm\.(.*)": r"norm.\1",
    r"encoder\.tp_norm\.(.*)": r"last_norm.\1",
    r"ctc\.ctc_lo\.(.*)": r"symbols.\1",
    r"embed\.weight": "queries",
}
# How names begin that are of use.
USED = ("encoder.", "ctc.", "embed.")
# A layer of a block as it is published -> here.
LAYERS: Mapping[str, str] = {
    "self_attn.linear_q_k_v": "query_key_value",
    "self_attn.linear_out": "mixed",
    "self_attn.fsmn_block": "memory",
    "feed_forward.w_1": "first",
    "feed_forward.w_2": "second",
}


def parameter_name(published_name: str) -> str | None:
    """The name here of a published tensor; None for one that is of no use.

    One of a part that is of use, and that has no name here, keeps its own.
    """
    for pattern, name in NAMES.items():
        if match := re.fullmatch(pattern, published_name):
            module_name = match.expand(name)
            if published_name.startswith("encoder.encoders."):
                # Theirs begin to count behind the first, which is wider at its entrance.
                module_name = re.sub(r"^blocks\.(\d+)", lambda found: f"blocks.{int(found[1]) + 1}", module_name)
            for their_layer, our_layer in LAYERS.items():
                module_name = module_name.replace(their_layer, our_layer)
            return module_name
    return published_name if published_name.startswith(USED) else None


def positions(count: int, width: int) -> Tensor:
    """(count, width): sines and cosines of a frame's number, which begins at one (Vaswani et al. 2017)."""
    rates = torch.exp(torch.arange(width / 2) * (-math.log(10_000) / (width / 2 - 1)))
    angles = torch.arange(1, count + 1)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Block(nn.Module):
    """Attention beside a memory of the frames around, and a feed-forward part: (batch, frames, before) -> width."""

    def __init__(self, input_width: int, sizes: Sizes) -> None:
        super().__init__()
        self.heads, self.is_wider = sizes.heads, input_width != sizes.width
        self.norm1, self.norm2 = nn.LayerNorm(input_width), nn.LayerNorm(sizes.width)
        self.query_key_value = nn.Linear(input_width, 3 * sizes.width)
        self.memory = nn.Conv1d(sizes.width, sizes.width, sizes.kernel, groups=sizes.width, bias=False)
        left_padding = (sizes.kernel - 1) // 2 + sizes.shift
        self.padding = (left_padding, sizes.kernel - 1 - left_padding)
        self.mixed = nn.Linear(sizes.width, sizes.width)
        self.first, self.second = nn.Linear(sizes.width, sizes.inner), nn.Linear(sizes.inner, sizes.width)

    def attend(self, frames: Tensor) -> Tensor:
        batch, width = frames.shape[0], self.mixed.in_features
        split = self.query_key_value(frames).reshape(batch, -1, 3, width)
        value: Tensor = split[:, :, 2]
        query, key, heads = split.reshape(batch, -1, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        shares = ((query * (width // self.heads) ** -0.5) @ key.transpose(-2, -1)).softmax(-1)
        projected: Tensor = self.mixed((shares @ heads).transpose(1, 2).reshape(batch, -1, width))
        memory: Tensor = self.memory(F.pad(value.transpose(1, 2), self.padding)).transpose(1, 2)
        return projected + memory + value

    def forward(self, frames: Tensor) -> Tensor:
        attention = self.attend(self.norm1(frames))
        frames = attention if self.is_wider else frames + attention
        outputs: Tensor = frames + self.second(F.relu(self.first(self.norm2(frames))))
        return outputs


class SenseVoice(Network):
    """(batch, frames, bands) at 16 kHz -> (batch, labels + events + languages), (batch, stacks).

    Args:
        sizes: of the network.
        labels: the symbol of each label; their logits come first, in this order.
        events: the symbols that exclude one another in the place of the event.
        event_count: how many of them, from the first, are answered, each from 0 to 1.
        languages: as `events`.
        language_count: as `event_count`.
    """

    EXPORTER = "dynamo"
    OUTPUTS = ("logits", "symbols")
    statistics: Tensor

    def __init__(
        self,
        sizes: Sizes,
        labels: Sequence[int],
        events: Sequence[int],
        event_count: int,
        languages: Sequence[int],
        language_count: int,
    ) -> None:
        super().__init__()
        self.sizes = sizes
        self.labels, self.events, self.languages = list(labels), list(events), list(languages)
        self.event_count, self.language_count = event_count, language_count
        columns = sizes.bands * sizes.stack
        # Read from a file of its own, not from that of the weights.
        self.register_buffer("statistics", torch.zeros(2, columns), persistent=False)
        self.queries = nn.Parameter(torch.zeros(ROWS, columns))
        self.blocks = nn.ModuleList(
            Block(columns if place == 0 else sizes.width, sizes) for place in range(sizes.blocks)
        )
        self.norm, self.last_norm = nn.LayerNorm(sizes.width), nn.LayerNorm(sizes.width)
        self.further_blocks = nn.ModuleList(Block(sizes.width, sizes) for _ in range(sizes.further_blocks))
        self.symbols = nn.Linear(sizes.width, sizes.symbols)

    def stacked(self, frames: Tensor) -> Tensor:
        """(batch, frames, bands) -> (batch, stacks, columns); the first and the last frame go on beyond the ends."""
        count = frames.shape[1]
        starts = torch.arange((count + self.sizes.step - 1) // self.sizes.step) * self.sizes.step
        frame_index = starts[:, None] + torch.arange(self.sizes.stack) - (self.sizes.stack - 1) // 2
        frame_index = frame_index.clamp(min=0).minimum(torch.zeros_like(frame_index) + count - 1)
        stacks = frames[:, frame_index.flatten()].reshape(frames.shape[0], -1, self.statistics.shape[1])
        return (stacks + self.statistics[0]) * self.statistics[1]

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        stacks = self.stacked(features)
        queries = self.queries[list(QUERIES)].expand(stacks.shape[0], -1, -1)
        frames = torch.cat([queries, stacks], dim=1) * self.sizes.width**0.5
        frames = frames + positions(frames.shape[1], frames.shape[2])
        for block in self.blocks:
            frames = block(frames)
        frames = self.norm(frames)
        for block in self.further_blocks:
            frames = block(frames)
        logits = self.symbols(self.last_norm(frames))
        events = logits[:, EVENT, self.events].softmax(-1)[:, : self.event_count]
        languages = logits[:, LANGUAGE, self.languages].softmax(-1)[:, : self.language_count]
        answers = torch.cat([logits[:, EMOTION, self.labels], events, languages], dim=1)
        return answers, logits[:, len(QUERIES) :].argmax(-1)
