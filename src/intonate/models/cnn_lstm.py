"""`cnn_lstm`: convolutions inside overlapping windows, an LSTM over the windows, "CNN-LSTM with CAEmoCyGAN" (P1).

Reads (batch, windows, length × columns) with the number of windows, from the front end `windows`: in P1 MFCC over
overlapping sliding windows. P1 prints no size at all. Chosen here: in each window by itself three convolutions over
time with batch norm, ReLU and a pooling that halves the frames, and the mean of what is left; over the windows two
layers of LSTM with 128 units, then attention. (Its augmentation, CAEmoCyGAN, is another matter; its Adam at 1e-3 is the
recipe's.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import Tensor, nn

from intonate.errors import RecipeError
from intonate.models.contract import Network
from intonate.models.rows import Head


class CNNLSTM(Network):
    """Windows in, logits out.

    Args:
        classes: number of outputs.
        columns: {"windows": length × columns of a frame}.
        length: frames of a window, the same as the front end's.
        channels: widths of the convolutions.
        kernel: frames that each sees; odd.
        width: units of a layer of the LSTM.
        layers: of the LSTM.
        dropout: between the layers of the LSTM and before the output.

    Raises:
        RecipeError: windows of this length are not what comes in.
    """

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        length: int = 50,
        channels: Sequence[int] = (64, 128, 128),
        kernel: int = 5,
        width: int = 128,
        layers: int = 2,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if length < 2 ** len(channels) or columns["windows"] % length:
            raise RecipeError(
                f"model.params.length must be the length of the windows in frames, at least {2 ** len(channels)}; "
                f"got {length}, and windows of {columns['windows']} values"
            )
        self.length = length
        widths = (columns["windows"] // length, *channels)
        parts: list[nn.Module] = []
        for inside, outside in pairwise(widths):
            parts += [
                nn.Conv1d(inside, outside, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(outside),
                nn.ReLU(),
                nn.MaxPool1d(2),
            ]
        self.convolutions = nn.Sequential(*parts)
        # Forwards only: what comes after the last window of a clip changes nothing before it.
        self.lstm = nn.LSTM(widths[-1], width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.head = Head(classes, width, 0, dropout)

    def forward(self, windows: Tensor, windows_lengths: Tensor) -> Tensor:
        """(batch, windows, length × columns), (batch,) -> (batch, classes)."""
        batch, count = windows.shape[0], windows.shape[1]
        # One window after the other, (batch × windows, columns, length)
        flat_windows = windows.reshape(batch * count, self.length, -1).transpose(1, 2)
        rows = self.convolutions(flat_windows).mean(dim=2).reshape(batch, count, -1)
        logits: Tensor = self.head(self.lstm(rows)[0], windows_lengths)
        return logits
