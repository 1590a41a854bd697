"""Changes of a waveform: pure functions `(waveform (samples,) float32, sample_rate_hz, …) -> (samples,) float32`.

Nothing is drawn here but from a `seed` that was drawn before (`waveform.draw`), and nothing is clipped: samples are
floats, and may pass ±1 where a change makes them louder. The catalogue with the limits of every parameter is in
`waveform.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.audio.resample import resample
from intonate.audio.stft import OVERLAP, frame_middles, istft, stft
from intonate.augment import background
from intonate.errors import require

Waveform = NDArray[np.float32]

TELEPHONE_HZ = 8_000
# Width of the raised cosine at both edges of the telephone's band.
EDGE_HZ = 50.0
# The room's tail falls by 60 dB in the reverberation time: e^(-6.9) is a thousandth of the amplitude.
DECAY = np.log(1000.0)
# 80 mel channels, of which SpecAugment masks some; windows of 32 ms every 8 ms.
CHANNELS, WINDOW_S = 80, 0.032
# SpecAugment's policies for conversations (SM, SS) mask no more than a fifth of the time.
MASKED_AT_MOST = 0.2


def stretch(waveform: Waveform, sample_rate_hz: int, factor: float) -> Waveform:
    """`factor` times as long, at the same pitch."""
    return _stretch_by_signalsmith(waveform, sample_rate_hz, speed_factor=1 / factor)


def pitch(waveform: Waveform, sample_rate_hz: int, semitones: float) -> Waveform:
    """Higher by `semitones`, as long as before; the formants move along, as in a smaller head."""
    return _stretch_by_signalsmith(waveform, sample_rate_hz, semitones=semitones)


def _stretch_by_signalsmith(
    waveform: Waveform, sample_rate_hz: int, speed_factor: float = 1.0, semitones: float = 0.0
) -> Waveform:
    """Signalsmith Stretch (MIT), a phase vocoder in C++: 12 ms for 3 s, no delay, the same for the same seed."""
    stretcher = require("python_stretch", "train").Signalsmith.Stretch(0)
    stretcher.preset(1, sample_rate_hz)
    stretcher.setTransposeSemitones(semitones)
    stretcher.timeFactor = speed_factor
    output: Waveform = stretcher.process(np.ascontiguousarray(waveform[None]))[0]
    return _fit_length(output, max(1, round(len(waveform) / speed_factor)))


def speed(waveform: Waveform, sample_rate_hz: int, factor: float) -> Waveform:
    """`factor` times as fast, and as much higher, as a tape that runs faster; to 1 / sample_rate_hz exactly."""
    return resample(waveform, round(factor * sample_rate_hz), sample_rate_hz)


def gain(waveform: Waveform, sample_rate_hz: int, db: float) -> Waveform:
    """Louder by `db`."""
    return waveform * np.float32(10 ** (db / 20))


def noise(
    waveform: Waveform, sample_rate_hz: int, path: str, snr_db: float, file: float = 0.0, start: float = 0.0
) -> Waveform:
    """A recorded background under the whole clip, repeated where it is the shorter.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform.
        path: a folder of sounds, or one sound.
        snr_db: the clip's power over the noise's, both over the whole clip.
        file: which sound of the folder: 0 is the first by name, 1 the last.
        start: where in the sound, from 0 to 1.
    """
    sounds = background.sounds(path)
    sound = background.load_sound(sounds[min(int(file * len(sounds)), len(sounds) - 1)], sample_rate_hz)
    places = (int(start * len(sound)) + np.arange(len(waveform))) % len(sound)
    return _mix_at_snr(waveform, sound[places], snr_db)


def gaussian(waveform: Waveform, sample_rate_hz: int, snr_db: float, seed: int = 0) -> Waveform:
    """White Gaussian noise under the whole clip."""
    return _mix_at_snr(waveform, _white_noise(len(waveform), seed), snr_db)


def roll(waveform: Waveform, sample_rate_hz: int, samples: float = 0, seconds: float | None = None) -> Waveform:
    """Later by so many samples (or seconds, where given); what falls off the end comes back at the start."""
    return np.roll(waveform, round(samples if seconds is None else seconds * sample_rate_hz))


def room(waveform: Waveform, sample_rate_hz: int, rt60_s: float, direct_db: float, seed: int = 0) -> Waveform:
    """As heard in a room: the sound itself, and a tail of white noise that decays exponentially (Polack 1988).

    The clip keeps its length and its power.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform.
        rt60_s: seconds in which the tail falls by 60 dB.
        direct_db: power of the direct sound over the tail's.
        seed: of the noise in the tail.
    """
    time_s = np.arange(1, max(2, round(rt60_s * sample_rate_hz))) / sample_rate_hz
    tail = _white_noise(len(time_s), seed) * np.exp(-DECAY * time_s / rt60_s)
    response = np.concatenate([[1.0], tail * 10 ** (-direct_db / 20) / np.sqrt(np.square(tail).sum())])
    # Long enough that nothing comes around; powers of two transform quickly.
    size = 1 << (len(waveform) + len(response)).bit_length()
    output = np.fft.irfft(np.fft.rfft(waveform, size) * np.fft.rfft(response, size), size)[: len(waveform)]
    return np.asarray(output * np.sqrt(_power(waveform) / max(_power(output), 1e-30)), np.float32)


def telephone(waveform: Waveform, sample_rate_hz: int, low_hz: float, high_hz: float) -> Waveform:
    """8,000 samples per second and the band that a telephone carries, then the old rate again."""
    narrow_band = resample(waveform, sample_rate_hz, min(TELEPHONE_HZ, sample_rate_hz))
    frequencies_hz = np.fft.rfftfreq(len(narrow_band), 1 / min(TELEPHONE_HZ, sample_rate_hz))
    inside = np.minimum(frequencies_hz - low_hz, high_hz - frequencies_hz) / EDGE_HZ
    band = 0.5 - 0.5 * np.cos(np.pi * np.clip(inside + 1, 0, 1))
    narrow_band = np.fft.irfft(np.fft.rfft(narrow_band) * band, len(narrow_band)).astype(np.float32)
    return _fit_length(resample(narrow_band, min(TELEPHONE_HZ, sample_rate_hz), sample_rate_hz), len(waveform))


def spec_augment(
    waveform: Waveform, sample_rate_hz: int, mels: float, seconds: float, mels_at: float = 0.0, seconds_at: float = 0.0
) -> Waveform:
    """SpecAugment (Park et al. 2019) of a waveform: holes in its STFT, then back with the phase that it had.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform.
        mels: width of the band that is silenced, in 80ths of the mel scale.
        seconds: length of the stretch that is silenced; a fifth of the clip at most.
        mels_at: where the band lies, from 0 (lowest) to 1.
        seconds_at: where the stretch lies, from 0 (start) to 1.
    """
    hop = max(1, round(WINDOW_S * sample_rate_hz / OVERLAP))
    spectrum = stft(waveform, hop)
    mel = 2595 * np.log10(1 + np.fft.rfftfreq(hop * OVERLAP, 1 / sample_rate_hz) / 700)
    channel = CHANNELS * mel / mel[-1]
    lowest = mels_at * (CHANNELS - mels)
    spectrum[:, (channel >= lowest) & (channel < lowest + mels)] = 0
    mask_samples = min(seconds * sample_rate_hz, MASKED_AT_MOST * len(waveform))
    mask_start = seconds_at * (len(waveform) - mask_samples)
    middle = frame_middles(len(spectrum), hop)
    spectrum[(middle >= mask_start) & (middle < mask_start + mask_samples)] = 0
    return istft(spectrum, hop, len(waveform))


def p4_noise(waveform: Waveform, sample_rate_hz: int, ratio: float, uniform: float, seed: int = 0) -> Waveform:
    """P4's Algorithm 1: `ratio * max * U(0, 1) * N(0, 1)`, its U drawn once for a clip."""
    return waveform + np.float32(ratio * uniform * waveform.max()) * _white_noise(len(waveform), seed)


def p4_pitch(waveform: Waveform, sample_rate_hz: int, steps: float) -> Waveform:
    """P4's Algorithm 2 as printed: the spectrum of the clip rolled by int(steps) bins, which for its 0.7 is none."""
    return np.asarray(np.fft.ifft(np.roll(np.fft.fft(waveform), int(steps))).real, np.float32)


def _white_noise(count: int, seed: float) -> Waveform:
    return np.random.default_rng(int(seed)).standard_normal(count, np.float32)


def _power(waveform: NDArray[Any]) -> float:
    return float(np.square(waveform, dtype=np.float64).mean())


def _mix_at_snr(waveform: Waveform, sound: Waveform, snr_db: float) -> Waveform:
    """The sound under the clip, that much quieter; as it was where either is silent."""
    signal_power, noise_power = _power(waveform), _power(sound)
    return (
        waveform + np.float32(np.sqrt(signal_power / noise_power) * 10 ** (-snr_db / 20)) * sound
        if signal_power and noise_power
        else waveform
    )


def _fit_length(waveform: Waveform, samples: int) -> Waveform:
    """Cut, or filled with silence."""
    return np.pad(waveform[:samples], (0, max(0, samples - len(waveform))))
