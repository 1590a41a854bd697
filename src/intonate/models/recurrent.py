"""`recurrent`: LSTM or GRU over frames, the RNN of "acoustic + linguistic, on the web" (P2).

Reads (batch, frames, columns) with lengths, in P2 MFCC, and beside them a vector of spectral and prosodic descriptors
of the whole clip where there is one. P2 prints that it compares an RNN and no more: two layers of 128 units, both
directions and attention over the frames are chosen here.

What reads backwards begins at the end of each clip and not in its padding: the clips are reversed by their lengths and
read forwards. (Packed sequences would do the same, and do not export.)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from intonate.errors import RecipeError
from intonate.models.contract import Network
from intonate.models.rows import Head, backwards, beside, vector_width

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class Recurrent(Network):
    """Frames in, logits out.

    Args:
        classes: number of outputs.
        columns: {"frames": columns of a frame}, and "descriptors" and "linguistic" where there are
            such vectors.
        cell: `lstm` or `gru`.
        width: units of a layer, in each direction.
        layers: one above the other.
        bidirectional: read backwards as well.
        dropout: between the layers and before the output.

    Raises:
        RecipeError: there is no such cell.
    """

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        cell: str = "lstm",
        width: int = 128,
        layers: int = 2,
        bidirectional: bool = True,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise RecipeError(f"model.params.cell is {' or '.join(CELLS)}; got {cell!r}")
        directions = 2 if bidirectional else 1
        widths = [columns["frames"], *[directions * width] * (layers - 1)]
        # One module per layer and direction: what reads backwards is given its clips turned round.
        self.forth = nn.ModuleList(CELLS[cell](inside, width, batch_first=True) for inside in widths)
        self.back = nn.ModuleList(
            CELLS[cell](inside, width, batch_first=True) for inside in widths[: layers * bidirectional]
        )
        self.dropout = nn.Dropout(dropout)
        self.head = Head(classes, directions * width, vector_width(columns), dropout)

    def forward(
        self,
        frames: Tensor,
        frames_lengths: Tensor,
        descriptors: Tensor | None = None,
        linguistic: Tensor | None = None,
    ) -> Tensor:
        """(batch, frames, columns), (batch,), (batch, descriptors) and (batch, linguistic) -> (batch, classes)."""
        x = frames
        for place, forth in enumerate(self.forth):
            x = self.dropout(x) if place else x
            outputs = [forth(x)[0]]
            if len(self.back):
                outputs.append(backwards(self.back[place](backwards(x, frames_lengths))[0], frames_lengths))
            x = torch.cat(outputs, dim=2)
        logits: Tensor = self.head(x, frames_lengths, beside(descriptors, linguistic))
        return logits
