"""What models that look at patches have in common: a network says something of each, and an MLP answers for the clip.

The real patches of a batch are looked at and no padding. What a frozen network says of a patch is kept: for every
epoch, trial and fold of a process it looks at it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from intonate.errors import RecipeError
from intonate.models.contract import Network
from intonate.models.digest import array_digest
from intonate.models.mlp import MLP
from intonate.models.rows import mask_of

POOLS = ("answers", "embeddings")
# Of the embeddings that are kept while a network is frozen, bytes: those of 100,000 patches with 1,024 numbers each.
CACHE_BYTES = 100_000 * 1024 * 4
# Patches that a network looks at together where nothing is learnt from it: Keras holds on to every layer's output.
AT_ONCE = 16


class PatchClassifier(Network):
    """Patches in, logits out; a subclass says in its forward what its patches are called.

    Args:
        network: (patches, …) -> (patches, network.width).
        classes: number of outputs.
        freeze: whether the network keeps its weights and the MLP alone learns.
        pool: of what the mean over a clip's patches is taken, `answers` or `embeddings`.
        layers: widths of the hidden layers of the MLP, each with ReLU.
        dropout: after each of them.

    Raises:
        RecipeError: the pool is not known.
    """

    def __init__(
        self, network: Any, classes: int, freeze: bool, pool: str, layers: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise RecipeError(f"model.params.pool is {' or '.join(POOLS)}; got {pool!r}")
        self.freeze, self.pool = freeze, pool
        self.network = network
        if freeze:
            self.network.requires_grad_(False).eval()
        self.mlp = MLP(classes, {"features": network.width}, layers, dropout)
        self._network_digest: bytes | None = None

    def answer(self, patches: Tensor, lengths: Tensor) -> Tensor:
        """(batch, patches, …), (batch,) -> (batch, classes)."""
        answers = self.pool == "answers"
        if answers and self.training:
            patch_index = (torch.rand(len(patches), device=patches.device) * lengths).long()
            clips = torch.arange(len(patches), device=patches.device)
            patches, lengths = patches[clips, patch_index][:, None], torch.ones_like(patch_index)
        real = mask_of(lengths, patches.shape[1]).bool()
        rows = self.embed(patches[real])
        rows = self.mlp(rows) if answers else rows
        # Which clip each row belongs to, (batch, rows): with it, a product is the sum over the clip's rows.
        clip_of_row = real.nonzero()[:, 0][None, :] == torch.arange(patches.shape[0], device=patches.device)[:, None]
        means = clip_of_row.to(rows.dtype) @ rows / lengths[:, None]
        logits: Tensor = means if answers else self.mlp(means)
        return logits

    def embed(self, patches: Tensor) -> Tensor:
        """(patches, …) -> (patches, width). A frozen network looks at each patch once, and not in every epoch."""
        if torch.onnx.is_in_onnx_export() or (self.training and not self.freeze):
            embeddings: Tensor = self.network(patches)
            return embeddings
        if not self.freeze:
            return self._embed_in_batches(patches)
        if self._network_digest is None:
            self._network_digest = array_digest(
                *(tensor.cpu().numpy() for tensor in self.network.state_dict().values())
            )
        cached = _embedding_cache(self._network_digest)
        if len(cached) * 4 * self.network.width > CACHE_BYTES:
            cached.clear()
        keys = [array_digest(patch) for patch in patches.cpu().numpy()]
        missing_patches = {key: place for place, key in enumerate(keys) if key not in cached}
        if missing_patches:
            cached |= zip(
                missing_patches,
                self._embed_in_batches(patches[list(missing_patches.values())]).float().cpu(),
                strict=True,
            )
        return torch.stack([cached[key] for key in keys]).to(patches.device)

    def _embed_in_batches(self, patches: Tensor) -> Tensor:
        return torch.cat([self.network(batch) for batch in torch.split(patches, AT_ONCE)])

    def train(self, mode: bool = True) -> PatchClassifier:
        super().train(mode)
        if self.freeze:
            self.network.eval()
        return self

    def _load_from_state_dict(self, *args: object) -> None:
        self._network_digest = None  # these are other weights
        super()._load_from_state_dict(*args)


@lru_cache(maxsize=1)
def _embedding_cache(weights: bytes) -> dict[bytes, Tensor]:
    """What the frozen network with these weights said of each patch: for every epoch, trial and fold of a process."""
    return {}
