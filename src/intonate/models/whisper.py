"""The log-mel spectrogram that Whisper's encoder reads (Radford et al. 2023), as a part of the network.

16 kHz, Hann window of 400 samples every 160, 80 or 128 mel bands (Slaney) from 0 to 8 kHz, log10 of the power within
8 of the largest, (x + 4) / 4. Always 30 s: Whisper was never shown less, so shorter clips are followed by silence.
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
SAMPLES = SECONDS * SAMPLE_RATE_HZ
# Frames of the spectrogram, and of the encoder behind its second convolution.
FRAMES, ROWS = SAMPLES // HOP, SAMPLES // HOP // 2


class LogMel(nn.Module):
    """(batch, samples) -> (batch, bands, 3000); the transform is a convolution, which exports as it is."""

    waves: Tensor
    filters: Tensor

    def __init__(self, bands: int) -> None:
        super().__init__()
        time, frequency = np.arange(WINDOW), np.arange(WINDOW // 2 + 1)
        angle = 2 * np.pi * frequency[:, None] * time / WINDOW
        window = 0.5 - 0.5 * np.cos(2 * np.pi * time / WINDOW)
        waves = np.concatenate([np.cos(angle), np.sin(angle)]) * window
        filters = mel_filters(SAMPLE_RATE_HZ, WINDOW, bands, 0.0, SAMPLE_RATE_HZ / 2)
        # Made anew with every network: no part of what is learnt or kept.
        self.register_buffer("waves", torch.from_numpy(waves.astype(np.float32))[:, None], persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters.T.copy()), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """What is beyond 30 s is not heard."""
        sound = F.pad(waveform, (0, SAMPLES))[:, :SAMPLES]
        sound = F.pad(sound[:, None], (WINDOW // 2, WINDOW // 2), mode="reflect")
        real, imaginary = F.conv1d(sound, self.waves, stride=HOP)[:, :, :FRAMES].chunk(2, dim=1)
        mel = self.filters @ (real**2 + imaginary**2)
        logs = torch.log10(mel.clamp(min=1e-10))
        logs = torch.maximum(logs, logs.amax(dim=(1, 2), keepdim=True) - 8.0)
        return (logs + 4.0) / 4.0

    @staticmethod
    def rows(lengths: Tensor) -> Tensor:
        """Rows of the encoder that begin within the sound, one every 20 ms."""
        return halved(lengths, 2 * HOP).clamp(max=ROWS)
