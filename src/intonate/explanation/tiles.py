"""A sound laid out in tiles, stretches of time by bands of frequency, any of which can be taken out.

Taken out means: turned down by 20 dB, in a short-time Fourier transform that is then turned back into sound. What is
left is a waveform as any other, and any model can answer it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intonate.audio.clean import trim_bounds
from intonate.audio.stft import OVERLAP, frame_middles, istft, stft
from intonate.features.spectral import hz_to_htk_mel

# Stretches of a sound, from its first to its last frame within 30 dB of the loudest: what lies before and after stays.
STRETCHES, TRIM_DB = 10, 30.0
# Lower edges of the bands, Hz, about as far apart as the ear has them (each some 550 mel), and what speech has there.
BANDS_HZ = (0.0, 500.0, 1300.0, 2600.0, 4600.0)
BAND_WORDS = ("pitch, nasals", "vowels: openness", "vowels: front or back", "brightness of the voice", "hiss, breath")
# A tenth of the amplitude, chosen on RAVDESS's validation speakers against 60 dB, which leaves holes that no voice has,
# and against room noise in the place of the tile; in windows of 32 ms every 8 ms.
SOFTER_DB, WINDOW_S = 20.0, 0.032
# What a picture shows: so far under the loudest.
RANGE_DB = 70.0

Waveform = NDArray[np.float32]
# Which tiles are taken out: (stretches, bands).
Mask = NDArray[np.bool_]


class Tiles:
    """A waveform, its spectrum, and where the tiles lie in it.

    Attributes:
        waveform: (samples,) float32.
        rate_hz: its rate.
        times_s: the edges of the stretches, seconds, (stretches + 1,).
        bands_hz: the edges of the bands, Hz, (bands + 1,); those over half the rate are not there.
    """

    def __init__(self, waveform: Waveform, rate_hz: int) -> None:
        self.waveform, self.rate_hz = waveform, rate_hz
        self._hop = max(1, round(WINDOW_S * rate_hz / OVERLAP))
        self._spectrum = stft(waveform, self._hop).astype(np.complex64)
        start, end = trim_bounds(waveform, rate_hz, TRIM_DB, margin_s=0.0)
        edges = np.linspace(start, end, STRETCHES + 1)
        self.times_s = edges / rate_hz
        self.bands_hz = np.array([edge for edge in BANDS_HZ if edge < rate_hz / 2] + [rate_hz / 2])
        # Place 0 is before the first stretch, and the last one after all.
        self._stretch = np.searchsorted(edges, frame_middles(len(self._spectrum), self._hop), side="right")
        frequencies_hz = np.fft.rfftfreq(self._hop * OVERLAP, 1 / rate_hz)
        self._band = np.searchsorted(self.bands_hz[1:-1], frequencies_hz, side="right")

    @property
    def shape(self) -> tuple[int, int]:
        """(stretches, bands)."""
        return STRETCHES, len(self.bands_hz) - 1

    def without(self, mask: Mask) -> Waveform:
        """The waveform (samples,) with the tiles of a mask taken out."""
        around = np.zeros((STRETCHES + 2, self.shape[1]), np.bool_)
        around[1:-1] = mask
        gain = np.where(around[self._stretch][:, self._band], np.float32(10 ** (-SOFTER_DB / 20)), np.float32(1))
        return istft(self._spectrum * gain, self._hop, len(self.waveform))

    def spectrogram_db(self) -> NDArray[np.float64]:
        """Power in dB under the loudest, (frames, bins)."""
        power = np.square(np.abs(self._spectrum), dtype=np.float64)
        return np.asarray(10 * np.log10(np.maximum(power / max(float(power.max()), 1e-30), 1e-12)))

    def picture(self, columns: int, rows: int) -> NDArray[np.uint8]:
        """The spectrogram as a picture draws it, (rows, columns): frequency in mel, the highest first; 0 is silent."""
        power_db, top_hz = self.spectrogram_db(), float(self.bands_hz[-1])
        hertz = 700 * np.expm1(np.linspace(0, hz_to_htk_mel(top_hz), rows) / 1127)
        last_bin = power_db.shape[1] - 1
        bins = np.minimum((hertz / top_hz * last_bin).round().astype(int), last_bin)
        frames = np.linspace(0, len(power_db) - 1, min(columns, len(power_db))).round().astype(int)
        level = np.clip(1 + power_db[frames][:, bins].T[::-1] / RANGE_DB, 0, 1)
        return np.asarray(255 * level, np.uint8)
