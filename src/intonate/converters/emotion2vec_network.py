"""The network of emotion2vec (Ma et al. 2024), which is data2vec 2.0's for sound with a head on the mean of its frames.

(batch, samples) -> (batch, classes): the waveform is layer-normalised, seven convolutions make a frame of every 20 ms,
five more add where it is, and a transformer reads the frames with ten learnt ones in front. How far two frames are
apart is taken off their attention (ALiBi, Press et al. 2022). Weights are the published ones under shorter names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intonate.converters.emotion2vec_config import Sizes
from intonate.models.contract import Network

# Added to the variance of the waveform, and of the frames where the checkpoint does not say otherwise.
EPSILON = 1e-5
# Name in the published file -> name here; `{}` is the number of a layer.
AUDIO = r"modality_encoders\.AUDIO\."
NAMES: Mapping[str, str] = {
    rf"{AUDIO}local_encoder\.conv_layers\.(\d+)\.0\.(.*)": r"convolutions.\1.\2",
    rf"{AUDIO}local_encoder\.conv_layers\.(\d+)\.2(?:\.1)?\.(.*)": r"norms.\1.\2",
    rf"{AUDIO}project_features\.1\.(.*)": r"frame_norm.\1",
    rf"{AUDIO}project_features\.2\.(.*)": r"project.\1",
    rf"{AUDIO}relative_positional_encoder\.(\d+)\.0\.(.*)": r"positions.\1.\2",
    rf"{AUDIO}extra_tokens": "extra",
    rf"{AUDIO}alibi_scale": "distance_scale",
    rf"{AUDIO}context_encoder\.norm\.(.*)": r"first_norm.\1",
    rf"{AUDIO}context_encoder\.blocks\.(\d+)\.(.*)": r"first_blocks.\1.\2",
    r"blocks\.(\d+)\.(.*)": r"blocks.\1.\2",
    r"proj\.(.*)": r"head.\1",
}
# How names begin that are of use: of the encoder of sound, the blocks behind it, and the head.
USED = re.compile(rf"{AUDIO}(?!decoder\.|mask_)|blocks\.|proj")


def parameter_name(published_name: str) -> str | None:
    """The name here of a published tensor; None for one that is of no use (the decoder and the mask of pre-training).

    One of a part that is of use, and that has no name here, keeps its own.
    """
    bare_name = published_name.removeprefix("d2v_model.")
    for pattern, name in NAMES.items():
        if match := re.fullmatch(pattern, bare_name):
            # Their first positional layer is a transposition, so theirs begin to count at one.
            return re.sub(r"^positions\.(\d+)", lambda found: f"positions.{int(found[1]) - 1}", match.expand(name))
    return bare_name if USED.match(bare_name) else None


def slopes(heads: int) -> list[float]:
    """How quickly attention falls with distance, for each head (Press et al. 2022)."""
    if math.log2(heads).is_integer():
        return [2.0 ** (-8.0 * (head + 1) / heads) for head in range(heads)]
    nearest = 2 ** math.floor(math.log2(heads))
    return slopes(nearest) + slopes(2 * nearest)[0::2][: heads - nearest]


class Block(nn.Module):
    """Attention and a feed-forward part, (batch, frames, width) -> the same."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.norm1 = nn.LayerNorm(sizes.width, eps=sizes.epsilon)
        self.norm2 = nn.LayerNorm(sizes.width, eps=sizes.epsilon)
        self.attn = nn.ModuleDict(
            {"qkv": nn.Linear(sizes.width, 3 * sizes.width), "proj": nn.Linear(sizes.width, sizes.width)}
        )
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(sizes.width, sizes.inner), "fc2": nn.Linear(sizes.inner, sizes.width)}
        )

    def attend(self, frames: Tensor, distance: Tensor | None) -> Tensor:
        """`distance`: (heads, frames, frames), added to the attention before the softmax."""
        batch, width = frames.shape[0], frames.shape[2]
        split = self.attn["qkv"](frames).reshape(batch, -1, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        scores = (query * (width // self.heads) ** -0.5) @ key.transpose(-2, -1)
        if distance is not None:
            scores = scores + distance
        projected: Tensor = self.attn["proj"]((scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, -1, width))
        return projected

    def forward(self, frames: Tensor, distance: Tensor | None) -> Tensor:
        frames = self.norm1(frames + self.attend(frames, distance))
        outputs: Tensor = self.norm2(frames + self.mlp["fc2"](F.gelu(self.mlp["fc1"](frames))))
        return outputs


class Emotion2vec(Network):
    """(batch, samples) at 16 kHz -> (batch, classes)."""

    EXPORTER = "dynamo"
    slopes: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        channels = [1, *(convolution[0] for convolution in sizes.convolutions)]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel, stride, bias=False)
            for before, (after, kernel, stride) in zip(channels, sizes.convolutions, strict=False)
        )
        self.norms = nn.ModuleList(
            [nn.LayerNorm(count) for count in channels[1:]]
            if sizes.layered
            else [nn.GroupNorm(channels[1], channels[1])]
        )
        self.frame_norm = nn.LayerNorm(channels[-1])
        self.project = nn.Linear(channels[-1], sizes.width)
        kernel = max(3, sizes.position_width // sizes.positions)
        self.positions = nn.ModuleList(
            nn.Conv1d(sizes.width, sizes.width, kernel, padding=kernel // 2, groups=sizes.position_groups)
            for _ in range(sizes.positions)
        )
        # A kernel of even length makes one frame too many.
        self.surplus = 1 - kernel % 2
        if sizes.extra:
            self.extra = nn.Parameter(torch.zeros(1, sizes.extra, sizes.width))
        if sizes.scales:
            self.distance_scale = nn.Parameter(torch.ones(sizes.scales))
        self.register_buffer("slopes", torch.tensor(slopes(sizes.heads))[:, None, None], persistent=False)
        self.first_blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.first_blocks))
        self.first_norm = nn.LayerNorm(sizes.width, eps=sizes.epsilon)
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.blocks))
        self.head = nn.Linear(sizes.width, sizes.labels)

    def local_features(self, waveform: Tensor) -> Tensor:
        """(batch, samples) -> (batch, frames, width), a frame every 20 ms."""
        if self.sizes.normalise:
            centred = waveform - waveform.mean(1, keepdim=True)
            waveform = centred / torch.sqrt((centred * centred).mean(1, keepdim=True) + EPSILON)
        sound = waveform[:, None]
        for place, convolution in enumerate(self.convolutions):
            sound = convolution(sound)
            if self.sizes.layered:
                sound = self.norms[place](sound.transpose(1, 2)).transpose(1, 2)
            elif place == 0:
                sound = self.norms[0](sound)
            sound = F.gelu(sound)
        frames: Tensor = self.project(self.frame_norm(sound.transpose(1, 2)))
        return frames

    def add_positions(self, frames: Tensor) -> Tensor:
        """The frames with where they are added, and the learnt ones in front."""
        positions = frames
        for convolution in self.positions:
            positions = convolution(positions.transpose(1, 2))
            positions = positions[:, :, : -self.surplus] if self.surplus else positions
            positions = positions.transpose(1, 2)
            positions = F.gelu(F.layer_norm(positions, positions.shape[-1:]))
        frames = frames + positions
        if not self.sizes.extra:
            return frames
        return torch.cat([self.extra.expand(frames.shape[0], -1, -1), frames], dim=1)

    def distances(self, frames: Tensor) -> list[Tensor | None]:
        """For each block, (heads, frames, frames), to add to its attention; nothing where a learnt frame is in it."""
        if not self.sizes.scales:
            return [None] * (len(self.first_blocks) + len(self.blocks))
        place = torch.arange(frames.shape[1], device=frames.device, dtype=frames.dtype)
        sound = (place >= self.sizes.extra).to(frames.dtype)
        distance = (place[:, None] - place[None]).abs() * sound[:, None] * sound[None]
        each: list[Tensor | None] = [-(scale[0] * self.slopes) * distance for scale in self.distance_scale.clamp(min=0)]
        return each if len(each) > 1 else each * (len(self.first_blocks) + len(self.blocks))

    def forward(self, waveform: Tensor) -> Tensor:
        frames = self.add_positions(self.local_features(waveform))
        distances = self.distances(frames)
        frames = self.first_norm(frames)
        for block, distance in zip([*self.first_blocks, *self.blocks], distances, strict=True):
            frames = block(frames, distance)
        logits: Tensor = self.head(frames[:, self.sizes.extra :].mean(dim=1))
        return logits
