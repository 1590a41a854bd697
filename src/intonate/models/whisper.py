"""The log-mel spectrogram that Whisper's encoder reads (Radford et al. 2023), as a part of the network.

16 kHz, Hann window of 400 samples every 160, 80 or 128 mel bands (Slaney) from 0 to 8 kHz, log10 of the power within
8 of the largest, (x + 4) / 4. Whisper was never shown less than 30 s, so shorter clips are followed by silence; with
less of it its rows come out a little different, and much sooner.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intonate.features.spectral import mel_filters
from intonate.models.rows import halved

WINDOW, HOP = 400, 160
SECONDS, SAMPLE_RATE_HZ = 30, 16_000
# Rows of the encoder behind its second convolution, of all the seconds.
ROWS = SECONDS * SAMPLE_RATE_HZ // HOP // 2


class LogMel(nn.Module):
    """(batch, samples) -> (batch, bands, 100 × seconds); the transform is a convolution, which exports as it is."""

    waves: Tensor
    filters: Tensor

    def __init__(self, bands: int, seconds: int = SECONDS) -> None:
        super().__init__()
        self.samples = seconds * SAMPLE_RATE_HZ
        time, frequency = np.arange(WINDOW), np.arange(WINDOW // 2 + 1)
        angle = 2 * np.pi * frequency[:, None] * time / WINDOW
        window = 0.5 - 0.5 * np.cos(2 * np.pi * time / WINDOW)
        waves = np.concatenate([np.cos(angle), np.sin(angle)]) * window
        filters = mel_filters(SAMPLE_RATE_HZ, WINDOW, bands, 0.0, SAMPLE_RATE_HZ / 2)
        # Made anew with every network: no part of what is learnt or kept.
        self.register_buffer("waves", torch.from_numpy(waves.astype(np.float32))[:, None], persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters.T.copy()), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """What is beyond those seconds is not heard."""
        sound = F.pad(waveform, (0, self.samples))[:, : self.samples]
        sound = F.pad(sound[:, None], (WINDOW // 2, WINDOW // 2), mode="reflect")
        real, imaginary = F.conv1d(sound, self.waves, stride=HOP)[:, :, : self.samples // HOP].chunk(2, dim=1)
        mel = self.filters @ (real**2 + imaginary**2)
        logs = torch.log10(mel.clamp(min=1e-10))
        logs = torch.maximum(logs, logs.amax(dim=(1, 2), keepdim=True) - 8.0)
        return (logs + 4.0) / 4.0

    def rows(self, lengths: Tensor) -> Tensor:
        """Rows of the encoder that begin within the sound, one every 20 ms."""
        return halved(lengths, 2 * HOP).clamp(max=self.samples // HOP // 2)
