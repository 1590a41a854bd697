"""The 94 functionals of HuBERT + BERT on a merged corpus (P3), for classical models: means over the utterance.

Chroma (12), mel power (60), MFCC (20), zero-crossing rate and spectral centroid, as librosa computes them with its
defaults, but for the tuning of the chroma: the paper's pitch classes are fixed at A = 440 Hz (`tuning=0.0`), because
a voice has no tuning that could be estimated. Everything is taken from one short-time Fourier transform.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intonate.audio.products import product
from intonate.features.descriptors import bin_hz, crossing_rate, ratio
from intonate.features.spectral import dct_matrix, mel_filters, mel_pieces, mel_power, power_spectrogram

Float = NDArray[np.float32]

# librosa's defaults, samples: 128 ms every 32 ms at 16 kHz.
N_FFT = 2048
HOP = 512
MELS = 60
CEPSTRA = 20
# Mel bands under the cepstra, and how far under the loudest of the clip they are floored.
CEPSTRAL_MELS, TOP_DB = 128, 80.0
# How many frames are multiplied at once (`spectral.TOGETHER`).
FRAMES_TOGETHER = 48
A4_HZ = 440.0
# The octaves of the chroma count most around the fifth over 27.5 Hz (880 Hz), with a deviation of two octaves.
CHROMA_OCTAVE, CHROMA_WIDTH = 5.0, 2.0
NOTES = ("c", "c_sharp", "d", "d_sharp", "e", "f", "f_sharp", "g", "g_sharp", "a", "a_sharp", "b")

SPECTRAL_COLUMNS: tuple[str, ...] = (
    *(f"chroma_{note}" for note in NOTES),
    *(f"mel_{band}" for band in range(MELS)),
    *(f"mfcc_{coefficient}" for coefficient in range(CEPSTRA)),
    "zero_crossing_rate",
    "spectral_centroid",
)


def spectral_functionals(waveform: Float, sample_rate_hz: int) -> Float:
    """The columns of `SPECTRAL_COLUMNS`, (94,) float32; the centroid in Hz.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform.
    """
    waveform = np.asarray(waveform, np.float32)
    power = power_spectrogram(waveform, frame=N_FFT, hop=HOP, n_fft=N_FFT)
    chroma, mel = np.empty((len(power), len(NOTES)), np.float32), np.empty((len(power), CEPSTRAL_MELS), np.float32)
    pieces = mel_pieces(sample_rate_hz, N_FFT, CEPSTRAL_MELS, 0.0, sample_rate_hz / 2)
    for start in range(0, len(power), FRAMES_TOGETHER):
        block = slice(start, start + FRAMES_TOGETHER)
        product(power[block], chroma_filters(sample_rate_hz, N_FFT), chroma[block])
        mel_power(power[block], pieces, mel[block])
    decibels = np.log10(np.maximum(mel, np.float32(1e-10), out=mel), out=mel)
    decibels *= np.float32(10)
    np.maximum(decibels, decibels.max() - np.float32(TOP_DB), out=decibels)
    # A product with a vector is several times quicker than `mean` over the rows, and the largest of each column is than
    # that of each row.
    weights = np.full(len(power), 1 / len(power), np.float32)
    mean_power = np.einsum("t,tf->f", weights, power)
    notes = np.ascontiguousarray(chroma.T)
    total, moment = product(np.sqrt(power, out=power), _moment_weights(sample_rate_hz)).T
    values = (
        ratio(notes, notes.max(axis=0)) @ weights,
        # The mean of a linear map is the map of the mean: 60 bands of one frame, and the DCT of one.
        mean_power @ mel_filters(sample_rate_hz, N_FFT, MELS, 0.0, sample_rate_hz / 2),
        weights @ decibels @ dct_matrix(CEPSTRAL_MELS, CEPSTRA),
        (crossing_rate(waveform, N_FFT, HOP).mean(),),
        (ratio(moment, total).mean(),),
    )
    return np.concatenate([np.asarray(value, np.float32) for value in values])


@lru_cache(maxsize=4)
def _moment_weights(sample_rate_hz: int) -> Float:
    """From magnitudes to their sum and their first moment in Hz, (1025, 2)."""
    hz = bin_hz(sample_rate_hz, N_FFT // 2 + 1)
    return np.stack([np.ones_like(hz), hz], axis=1)


@lru_cache(maxsize=4)
def chroma_filters(sample_rate_hz: int, n_fft: int) -> Float:
    """From a power spectrum to the twelve pitch classes from C, (n_fft // 2 + 1, 12) (Ellis 2007, chroma features).

    Each line of the spectrum goes to the notes nearest to it, by a Gaussian bump whose width is the distance between
    lines, in semitones, and at least one.
    """
    hz = np.arange(1, n_fft) * sample_rate_hz / n_fft
    semitones = 12 * np.log2(hz / (A4_HZ / 16))
    # The line at 0 Hz has no pitch: it is set one and a half octaves under the next.
    semitones = np.concatenate([[semitones[0] - 18], semitones])
    width = np.append(np.maximum(np.diff(semitones), 1), 1)
    distance = np.remainder(semitones[:, None] - np.arange(12) + 6, 12) - 6
    bumps = np.exp(-0.5 * np.square(2 * distance / width[:, None]))
    bumps /= np.linalg.norm(bumps, axis=1, keepdims=True)
    bumps *= np.exp(-0.5 * np.square((semitones / 12 - CHROMA_OCTAVE) / CHROMA_WIDTH))[:, None]
    # Semitones count from A; the columns begin with C, three above.
    return np.asarray(np.roll(bumps, -3, axis=1)[: n_fft // 2 + 1], np.float32)
