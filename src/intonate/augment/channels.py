"""What microphones, lines and codecs do to a voice: pure functions, as in `transforms.py`.

Each but `excerpt` keeps the clip's length. Where a strength is given in dBFS it is of full scale, as recordings come:
what hums, hums under a quiet voice as loudly as under a loud one.
"""

from __future__ import annotations

import io

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from intonate.audio.resample import resample

Waveform = NDArray[np.float32]

# Where `equalise` sets its gains, Hz: between them it goes straight, in dB over frequency.
BANDS_HZ = (0.0, 150.0, 400.0, 1000.0, 2500.0, 5000.0, 8000.0)
# Formats and subtypes of libsndfile that speech is sent in, and the rates that they know, Hz.
CODECS = {
    0: ("OGG", "OPUS", (8000, 12000, 16000, 24000, 48000)),
    1: ("MP3", "MPEG_LAYER_III", (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)),
}


def equalise(waveform: Waveform, sample_rate_hz: int, db: float, tilt_db: float, seed: int = 0) -> Waveform:
    """Another frequency response: gains of normal distribution, with a deviation of `db`, at BANDS_HZ, and a slope.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: its rate.
        db: deviation of the gains.
        tilt_db: the gain of the highest band over the middle; the lowest is as much under it.
        seed: of the gains.
    """
    gains = np.random.default_rng(int(seed)).normal(0, 1, len(BANDS_HZ)) * db
    gains += tilt_db * np.linspace(-1, 1, len(BANDS_HZ))
    frequencies_hz = np.fft.rfftfreq(len(waveform), 1 / sample_rate_hz)
    response = 10 ** (np.interp(frequencies_hz, BANDS_HZ, gains) / 20)
    return np.fft.irfft(np.fft.rfft(waveform) * response, len(waveform)).astype(np.float32)


def codec(waveform: Waveform, sample_rate_hz: int, kind: int, compression: float) -> Waveform:
    """Coded and decoded again: `kind` 0 for Opus, 1 for MP3; `compression` from 0 to 1, at 0.97 Opus has 12 kbit/s.

    At a rate that the codec does not know, it is coded at the next higher one, 48 kHz at most.
    """
    file_format, subtype, rates_hz = CODECS[int(kind)]
    coded_hz = next((rate_hz for rate_hz in rates_hz if rate_hz >= sample_rate_hz), rates_hz[-1])
    sound = resample(waveform, sample_rate_hz, coded_hz)
    loudest = max(1.0, float(np.abs(sound).max()))
    coded = io.BytesIO()
    sf.write(coded, sound / loudest, coded_hz, subtype, format=file_format, compression_level=compression)
    coded.seek(0)
    decoded, rate_hz = sf.read(coded, dtype="float32")
    decoded = resample(decoded, rate_hz, sample_rate_hz)
    return np.pad(decoded[: len(waveform)], (0, max(0, len(waveform) - len(decoded)))) * np.float32(loudest)


def hum(waveform: Waveform, sample_rate_hz: int, mains_hz: float, dbfs: float, harmonics: float = 0.3) -> Waveform:
    """The hum of the mains under the voice: a sine of `dbfs`, twice and three times as high `harmonics` of it."""
    time_s = np.arange(len(waveform)) / sample_rate_hz
    tones = sum(
        share * np.sin(2 * np.pi * k * mains_hz * time_s) for k, share in ((1, 1), (2, harmonics), (3, harmonics))
    )
    return waveform + np.asarray(np.sqrt(2) * 10 ** (dbfs / 20) * tones, np.float32)


def rumble(waveform: Waveform, sample_rate_hz: int, dbfs: float, seed: int = 0) -> Waveform:
    """Wind, traffic, a hand on the microphone: noise whose power falls by 6 dB an octave, its peak at `dbfs`."""
    walk = np.cumsum(np.random.default_rng(int(seed)).standard_normal(len(waveform)))
    walk -= np.linspace(walk[0], walk[-1], len(walk))
    return waveform + np.asarray(walk / max(np.abs(walk).max(), 1e-9) * 10 ** (dbfs / 20), np.float32)


def coloured(waveform: Waveform, sample_rate_hz: int, snr_db: float, slope: float, seed: int = 0) -> Waveform:
    """Noise under the whole clip with amplitudes that fall as frequency to the power of `-slope`: 0 white, 0.5 pink."""
    white = np.random.default_rng(int(seed)).standard_normal(len(waveform))
    frequencies_hz = np.maximum(np.fft.rfftfreq(len(waveform), 1 / sample_rate_hz), 50.0)
    noise = np.fft.irfft(np.fft.rfft(white) * frequencies_hz**-slope, len(waveform))
    signal_power, noise_power = float(np.square(waveform, dtype=np.float64).mean()), float(np.square(noise).mean())
    return waveform + np.asarray(
        noise * np.sqrt(signal_power / max(noise_power, 1e-30)) * 10 ** (-snr_db / 20), np.float32
    )


def offset(waveform: Waveform, sample_rate_hz: int, level: float) -> Waveform:
    """A constant on every sample."""
    return waveform + np.float32(level)


def overdrive(waveform: Waveform, sample_rate_hz: int, share: float) -> Waveform:
    """Clipped at this share of the loudest sample."""
    limit = np.float32(share * np.abs(waveform).max())
    return np.clip(waveform, -limit, limit)


def level(waveform: Waveform, sample_rate_hz: int, peak_dbfs: float) -> Waveform:
    """Scaled so that the loudest sample is at `peak_dbfs`, and rounded to 16 bits: quiet recordings are coarse ones."""
    scaled = waveform * np.float32(10 ** (peak_dbfs / 20) / max(float(np.abs(waveform).max()), 1e-9))
    return np.asarray(np.round(scaled * 32768) / 32768, np.float32)


def excerpt(waveform: Waveform, sample_rate_hz: int, seconds: float, at: float = 0.0) -> Waveform:
    """So many seconds of it, from somewhere: 0 for its beginning, 1 for its end. Shorter clips stay whole."""
    length = round(seconds * sample_rate_hz)
    start = round(at * max(0, len(waveform) - length))
    return waveform[start : start + length]
