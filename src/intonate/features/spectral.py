"""Short-time spectra in numpy: STFT power, mel bands, log-mel, MFCC.

One code for training and for serving. Frames are laid as in librosa with `center=True, pad_mode="constant"`:
frame t is centred on sample `t * hop`, so n samples give `1 + n // hop` frames. Parity with librosa is held by
`tests/features/test_spectral.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from intonate.audio.products import product
from intonate.features.frame_memory import by_frames

Float = NDArray[np.float32]
P = ParamSpec("P")
T = TypeVar("T")

# Defaults at 16 kHz: a 25 ms window every 10 ms, the usual analysis of speech; 512 is the next power of two.
FRAME = 400
HOP = 160
N_FFT = 512
# Power floor inside the logarithm: about the power of 16-bit quantisation noise through the window.
FLOOR = 1e-8
# Samples transformed at a time. They and their spectra take 100 kB each: that stays in the processor's cache, and the
# allocator, which gives more than 128 kB back, keeps it from one block to the next; for a whole clip, fresh pages of
# memory cost as much as the transforms. In blocks of a third, the calls take a quarter of the time.
BLOCK_SAMPLES = 24_576
# How many mel bands are computed by one product: OpenBLAS multiplies small matrices (up to a million products) as they
# are, and copies larger ones first.
TOGETHER = 32
# Longest array that is remembered between two front ends (see `remember_last`): a minute at 16 kHz, 4 MB.
REMEMBERED = 960_000


def remember_last(function: Callable[Concatenate[Float, P], T]) -> Callable[Concatenate[Float, P], T]:
    """Keep the last answer of a function of one array (and parameters), in each thread.

    A model with two inputs asks two front ends, one after the other, about the same samples: what they share is
    computed once. The array is compared by its values, so one that was changed in between is never mistaken. The
    answer is shared as well: who hands it to a user hands out a copy.
    """
    memory = threading.local()

    @wraps(function)
    def remembered(array: Float, /, *args: P.args, **kwargs: P.kwargs) -> T:
        params = (args, kwargs)
        memory_entry: tuple[object, Float, T] | None = getattr(memory, "last", None)
        if memory_entry is not None and memory_entry[0] == params and np.array_equal(memory_entry[1], array):
            return memory_entry[2]
        answer = function(array, *args, **kwargs)
        if array.size <= REMEMBERED:
            memory.last = (params, array.copy(), answer)
        return answer

    return remembered


def cut_frames(samples: Float, frame: int, hop: int, count: int) -> Float:
    """The first `count` overlapping frames, a read-only view (count, frame); frame t is centred on `t * hop`."""
    padded = np.zeros(max(len(samples), (count - 1) * hop) + frame, np.float32)
    padded[frame // 2 : frame // 2 + len(samples)] = samples
    step = padded.strides[0]
    return np.lib.stride_tricks.as_strided(padded, (count, frame), (hop * step, step), writeable=False)


@lru_cache(maxsize=8)
def hann(length: int) -> Float:
    """Periodic Hann window (length,), as used for spectra rather than for filter design."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


def power_spectrogram(waveform: Float, *, frame: int = FRAME, hop: int = HOP, n_fft: int = N_FFT) -> Float:
    """Squared magnitude of the short-time Fourier transform.

    Args:
        waveform: (samples,) float32.
        frame: Hann window length, samples.
        hop: distance between frames, samples.
        n_fft: transform length, samples; at least `frame`.

    Returns:
        (1 + samples // hop, n_fft // 2 + 1) float32. No samples at all give one frame of silence.

    Raises:
        ValueError: the window does not fit into the transform.
    """
    if not 0 < frame <= n_fft:
        raise ValueError(f"the window does not fit the transform: expected 0 < frame <= n_fft, got {frame} and {n_fft}")
    power = np.empty((1 + len(waveform) // hop, n_fft // 2 + 1), np.float32)
    for rows, block in power_blocks(cut_frames(np.asarray(waveform, np.float32), frame, hop, len(power)), n_fft):
        power[rows] = block
    return power


def power_blocks(frames: Float, n_fft: int) -> Iterator[tuple[slice, Float]]:
    """The power of frames (frames, samples), through a Hann window, some frames at a time.

    Yields:
        which frames, and their power (some frames, n_fft // 2 + 1), in memory that the next ones overwrite.
    """
    # A window in the middle of `n_fft` samples has the same magnitude wherever it lies: only the windowed part is cut
    # out and transformed.
    frame = frames.shape[1]
    window = hann(frame)
    # The zeros after the window are laid out once: left to `rfft`, they would be copied in for each frame.
    block = max(1, BLOCK_SAMPLES // n_fft)
    padded, power = np.zeros((block, n_fft), np.float32), np.empty((block, n_fft // 2 + 1), np.float32)
    spectrum = np.empty((block, n_fft // 2 + 1), np.complex64)
    squares = spectrum.view(np.float32)  # real and imaginary parts by turns
    for start in range(0, len(frames), block):
        rows = slice(start, min(start + block, len(frames)))
        count = rows.stop - start
        np.multiply(frames[rows], window, out=padded[:count, :frame])
        # numpy's stub knows of complex128 only; what float32 goes into is complex64.
        np.fft.rfft(padded[:count], out=spectrum[:count])  # type: ignore[arg-type]
        np.square(squares[:count], out=squares[:count])
        yield rows, np.add(squares[:count, 0::2], squares[:count, 1::2], out=power[:count])


def hz_to_mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Slaney's mel scale: linear below 1 kHz (3 mels per 200 Hz), logarithmic above (27 mels per factor 6.4)."""
    hz = np.asarray(hz, np.float64)
    return np.where(hz < 1000.0, hz * 3 / 200, 15.0 + 27 * np.log(np.maximum(hz, 1e-9) / 1000.0) / np.log(6.4))


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of `hz_to_mel`."""
    return np.where(mel < 15.0, mel * 200 / 3, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27))


@lru_cache(maxsize=16)
def mel_filters(sample_rate_hz: int, n_fft: int, bands: int, low_hz: float, high_hz: float) -> Float:
    """Triangular mel filters of equal area (Slaney 1998, Auditory Toolbox).

    Returns:
        (n_fft // 2 + 1, bands) float32.

    Raises:
        ValueError: the band edges do not fit the sample rate.
    """
    if not 0 <= low_hz < high_hz <= sample_rate_hz / 2:
        raise ValueError(
            f"mel bands need 0 <= low_hz < high_hz <= {sample_rate_hz / 2:g}, got low_hz={low_hz:g} and {high_hz:g}"
        )
    edges = mel_to_hz(np.linspace(hz_to_mel(low_hz), hz_to_mel(high_hz), bands + 2))
    bins = np.linspace(0, sample_rate_hz / 2, n_fft // 2 + 1)[:, None]
    area = 2.0 / (edges[2:] - edges[:-2])
    return (triangles(bins, edges) * area).astype(np.float32)


@lru_cache(maxsize=16)
def mel_pieces(
    sample_rate_hz: int, n_fft: int, bands: int, low_hz: float, high_hz: float
) -> tuple[tuple[slice, slice, Float], ...]:
    """The mel filters, some at a time: which bands, the lines that they hear, (lines, bands).

    All filters at once would mostly multiply by zero: four times the products.
    """
    filters_all = mel_filters(sample_rate_hz, n_fft, bands, low_hz, high_hz)
    pieces = []
    for start in range(0, bands, TOGETHER):
        some_bands = slice(start, start + TOGETHER)
        is_heard = np.asarray(filters_all[:, some_bands].any(axis=1))
        lines = slice(int(is_heard.argmax()), len(is_heard) - int(is_heard[::-1].argmax()))
        pieces.append((some_bands, lines, np.ascontiguousarray(filters_all[lines, some_bands])))
    return tuple(pieces)


def mel_power(power: Float, pieces: tuple[tuple[slice, slice, Float], ...], out: Float) -> None:
    """What the bands of `mel_pieces` (…, bands) hear of a power spectrogram (frames, lines): `out`, (frames, bands)."""
    for bands, lines, filters in pieces:
        product(power[:, lines], filters, out[:, bands])


def triangles(bins: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filters of height 1 between neighbouring edges.

    Args:
        bins: (lines, 1), where the lines of the spectrum lie, on the scale of the edges.
        edges: (bands + 2,), ascending; band b rises from edge b to edge b + 1 and falls to edge b + 2.

    Returns:
        (lines, bands).
    """
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def hz_to_htk_mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The mel scale of HTK and Kaldi (O'Shaughnessy): 1127 ln(1 + f / 700)."""
    return np.asarray(1127.0 * np.log1p(np.asarray(hz) / 700.0), np.float64)


def spectrogram(waveform: Float, sample_rate_hz: int) -> Float:
    """Natural logarithm of the power of every line of the spectrum.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform; the frame is 25 ms and the hop 10 ms at 16 kHz, whose lines are 31.25 Hz apart.

    Returns:
        (1 + samples // 160, 257) float32.
    """
    power = power_spectrogram(waveform)
    power += np.float32(FLOOR)
    return np.log(power, out=power)


def log_mel(
    waveform: Float,
    sample_rate_hz: int,
    *,
    bands: int = 80,
    low_hz: float = 40.0,
    high_hz: float = 7800.0,
    level: bool = True,
) -> Float:
    """Natural logarithm of the power in mel bands.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform; the frame is 25 ms and the hop 10 ms at 16 kHz.
        bands: number of mel bands.
        low_hz: lower edge of the first band.
        high_hz: upper edge of the last band.
        level: False takes the loudness of the clip away (see `remove_level`), so that the gain of the
            microphone does not matter.

    Returns:
        (1 + samples // 160, bands) float32.
    """
    logs = _log_mel(np.asarray(waveform, np.float32), sample_rate_hz, bands, low_hz, high_hz)
    return logs.copy() if level else remove_level(logs)


@remember_last
@by_frames(HOP, reach=2)  # half a frame is 200 samples
def _log_mel(waveform: Float, sample_rate_hz: int, bands: int, low_hz: float, high_hz: float) -> Float:
    logs = _mel_spectrogram(waveform, sample_rate_hz, bands, low_hz, high_hz)
    logs += np.float32(FLOOR)
    np.log(logs, out=logs)
    return logs


def _mel_spectrogram(waveform: Float, sample_rate_hz: int, bands: int, low_hz: float, high_hz: float) -> Float:
    pieces = mel_pieces(sample_rate_hz, N_FFT, bands, low_hz, high_hz)
    mel = np.empty((1 + len(waveform) // HOP, bands), np.float32)
    for rows, power in power_blocks(cut_frames(waveform, FRAME, HOP, len(mel)), N_FFT):
        mel_power(power, pieces, mel[rows])
    return mel


def active_frames(logs: Float, below_peak: float = 6.9) -> NDArray[np.bool_]:
    """Frames whose mean log energy is within `below_peak` nepers (6.9 = 30 dB) of the loudest frame; at least one."""
    energy = np.ascontiguousarray(logs.T).max(axis=0)  # twice as quick as along the short rows
    return np.asarray(energy >= energy.max() - below_peak)


def remove_level(logs: Float) -> Float:
    """Subtract the mean of the active frames from a log-mel, one number per clip, and floor what is 80 dB under."""
    return level_removed(logs)[0].copy()


@remember_last
def level_removed(logs: Float) -> tuple[Float, NDArray[np.bool_]]:
    """`remove_level` and `active_frames` of a log-mel at once. Not to be written to: both are remembered."""
    active = active_frames(logs)
    centred = logs - logs[active].mean()
    # Without the floor, digital silence (log 1e-8) would tell the gain of the clip all the same.
    return np.maximum(centred, np.float32(-12.0), out=centred), active


@lru_cache(maxsize=8)
def dct_matrix(bands: int, coefficients: int) -> Float:
    """Orthonormal DCT-II, (bands, coefficients)."""
    k = np.arange(coefficients)[None, :]
    n = np.arange(bands)[:, None]
    matrix = np.cos(np.pi * k * (2 * n + 1) / (2 * bands)) * np.sqrt(2.0 / bands)
    matrix[:, 0] *= np.sqrt(0.5)
    return np.asarray(matrix, np.float32)


def mfcc(
    waveform: Float,
    sample_rate_hz: int,
    *,
    coefficients: int = 20,
    bands: int = 128,
    low_hz: float = 0.0,
    high_hz: float = 8000.0,
    top_db: float = 80.0,
) -> Float:
    """Mel-frequency cepstral coefficients: the DCT-II of the mel power in decibels.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform.
        coefficients: how many to keep, from the 0th.
        bands: number of mel bands.
        low_hz: lower edge of the first band.
        high_hz: upper edge of the last band.
        top_db: what is this far under the loudest band of the clip is raised to it.

    Returns:
        (1 + samples // 160, coefficients) float32.
    """
    mel = _mel_spectrogram(np.asarray(waveform, np.float32), sample_rate_hz, bands, low_hz, high_hz)
    decibels = 10.0 * np.log10(np.maximum(mel, np.float32(1e-10)))
    decibels = np.maximum(decibels, decibels.max() - np.float32(top_db))
    cepstra: Float = product(decibels, dct_matrix(bands, coefficients))
    return cepstra
