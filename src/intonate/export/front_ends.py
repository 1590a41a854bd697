"""Front ends as ONNX operators: the numpy code of `intonate.features`, written once more for engines without Python.

    mel = FrontEnds(graph, samples).get("log_mel", {"level": False})    # a Value, (frames, 80)

Each is held to the numpy one by `tests/export/test_waveform.py`. Spectra are products with matrices of cosines and
sines: a frame times its window is even or odd about its middle, so that it is folded there first, and only the lines
that the next step hears are computed. (onnxruntime's own STFT is slower: it transforms every frame by itself.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.errors import ModelError, require
from intonate.export.functionals import functionals
from intonate.export.nodes import END, Graph, Value
from intonate.features import encoded as encoders
from intonate.features.prosody import RATE_HZ, SHORTEST
from intonate.features.prosody import WINDOW as PITCH_WINDOW
from intonate.features.prosody import product_matrices as pitch_matrices
from intonate.features.spectral import FLOOR, FRAME, HOP, N_FFT, hann, mel_filters
from intonate.features.whisper import FLOOR as WHISPER_FLOOR
from intonate.features.whisper import RANGE
from intonate.features.whisper import WINDOW as WHISPER_WINDOW

# Sound at this rate only: pitch and Whisper know no other, and every built-in model hears it.
SAMPLE_RATE_HZ = 16_000


class FrontEnds:
    """The front ends of one waveform, (samples,) float32: what two of them share is computed once."""

    def __init__(self, graph: Graph, samples: Value) -> None:
        self.graph, self.samples = graph, samples
        self._computed: dict[str, Value] = {}

    def get(self, name: str, params: Mapping[str, Any] | None) -> Value:
        """The output of a front end: (rows, columns), or (columns,).

        Raises:
            ModelError: it is not among those that can be written as ONNX operators, with these parameters.
        """
        params = dict(params or {})
        key = f"{name} {json.dumps(params, sort_keys=True)}"
        if key not in self._computed:
            if name not in BUILDERS:
                raise ModelError(
                    f"front end {name!r} cannot be put into the graph; those that can are {', '.join(sorted(BUILDERS))}"
                )
            self._computed[key] = BUILDERS[name](self, **params)
        return self._computed[key]


def frames(graph: Graph, padded: Value, frame: int, hop: int, count: Value) -> Value:
    """(count, frame): overlapping frames of a signal that reaches at least a hop beyond the last one.

    Rows of a hop each lie side by side in memory: a frame is a few of them in a row, and no sample is gathered.
    """
    rows = padded.slice(0, (padded.length() - padded.length() % hop)).reshape(-1, hop)
    pieces = [rows.slice(shift, count + shift) for shift in range(-(-frame // hop))]
    joined = graph.concat(pieces, axis=1)
    return joined if frame % hop == 0 else joined.slice(0, frame, axis=1)


def power(graph: Graph, cut: Value, window: NDArray[np.float32], n_fft: int, lines: slice) -> Value:
    """Some lines of the power spectrum of (count, frame) frames, (count, lines).

    The periodic Hann window is zero at sample 0 and even about the middle: so is what the cosines see, and odd what
    the sines see. Moving the start to the middle changes phases only.
    """
    middle = len(window) // 2
    offset = np.arange(1, middle)
    angle = 2 * np.pi * np.arange(n_fft // 2 + 1)[lines] / n_fft
    weight = window[middle + 1 :, None].astype(np.float64)
    cosines = np.concatenate([np.full((1, len(angle)), window[middle]), weight * np.cos(offset[:, None] * angle)])
    sines = weight * np.sin(offset[:, None] * angle)
    after = cut.slice(middle + 1, END, axis=1)
    before = cut.slice(middle - 1, 0, axis=1, step=-1)
    even = graph.concat([cut.slice(middle, middle + 1, axis=1), after + before], axis=1)
    return (even @ cosines).square() + ((after - before) @ sines).square()


def padded_zeros(graph: Graph, samples: Value, before: int, after: int) -> Value:
    return graph.concat([np.zeros(before), samples, np.zeros(after)])


def _mel(front: FrontEnds, bands: int, low_hz: float, high_hz: float) -> Value:
    filters = mel_filters(SAMPLE_RATE_HZ, N_FFT, bands, low_hz, high_hz)
    covered = np.flatnonzero(filters.any(axis=1))
    lines = slice(int(covered[0]), int(covered[-1]) + 1)
    count = front.samples.length() / HOP + 1
    padded = padded_zeros(front.graph, front.samples, FRAME // 2, FRAME + HOP)
    cut = frames(front.graph, padded, FRAME, HOP, count)
    return power(front.graph, cut, hann(FRAME), N_FFT, lines) @ filters[lines]


def log_mel(
    front: FrontEnds, *, bands: int = 80, low_hz: float = 40.0, high_hz: float = 7800.0, level: bool = True
) -> Value:
    """`features.spectral.log_mel`."""
    if not level:
        logs = front.get("log_mel", {"bands": bands, "low_hz": low_hz, "high_hz": high_hz, "level": True})
        return level_removed(front.graph, logs)[0]
    return (_mel(front, bands, low_hz, high_hz) + FLOOR).apply("Log")


def level_removed(graph: Graph, logs: Value, below_peak: float = 6.9) -> tuple[Value, Value]:
    """`features.spectral.level_removed`: the levelled log-mel, and which frames are active."""
    energy = logs.highest(1)
    active = energy >= energy.highest() - below_peak
    weight = active.cast(np.float32)
    bands = logs.slice(0, 1).reshape(-1).length().cast(np.float32)
    mean = (logs.sum(1) * weight).sum() / (weight.sum() * bands)
    return (logs - mean).maximum(-12.0), active


def pitch(front: FrontEnds) -> tuple[Value, Value]:
    """`features.prosody.pitch`: fundamental frequency in Hz and strength, each (frames,)."""
    graph = front.graph
    cosines, sines, to_lags = pitch_matrices()
    kernel = np.array([1, 3, 3, 1], np.float32).reshape(1, 1, 4) / 8
    sound = front.samples.reshape(1, 1, -1)
    for _ in range(2):
        sound = graph.node("Conv", sound, kernel, dtype=np.float32, strides=[2], pads=[1, 2])
    count, hop = front.samples.length() / HOP + 1, HOP // 4
    padded = padded_zeros(graph, sound.reshape(-1), PITCH_WINDOW // 2, PITCH_WINDOW + hop)
    cut = frames(graph, padded, PITCH_WINDOW, hop, count)
    left = cut.slice(0, PITCH_WINDOW // 2, axis=1)
    right = cut.slice(END, PITCH_WINDOW // 2 - 1, axis=1, step=-1)
    spectrum = ((left + right) @ cosines).square() + ((left - right) @ sines).square()
    lags = spectrum @ to_lags
    strength = lags.slice(1, END, axis=1) / (lags.slice(0, 1, axis=1) + 1e-9)
    inner, before, after = (
        strength.slice(1, -1, axis=1), strength.slice(0, -2, axis=1), strength.slice(2, END, axis=1)
    )  # fmt: skip
    peaks = inner * ((inner >= before) & (inner >= after)).cast(np.float32)
    near_highest = (peaks >= peaks.highest(1, keepdims=True) * 0.9).cast(np.float32)
    best = graph.node("ArgMax", near_highest, dtype=np.int64, axis=1, keepdims=1)

    def chosen(rows: Value) -> Value:
        return graph.node("GatherElements", rows, best, dtype=np.float32, axis=1).reshape(-1)

    left, top, right = chosen(before), chosen(inner), chosen(after)
    bend = left - top * 2 + right
    shift = graph.where(bend.apply("Abs") > 1e-6, (left - right) * 0.5 / bend.minimum(-1e-6), 0.0)
    lag = best.reshape(-1).cast(np.float32) + SHORTEST + shift.clip(-0.5, 0.5)
    voiced = graph.where(chosen(peaks) > 0, top.clip(0.0, 1.0), 0.0)
    return RATE_HZ / lag, voiced


def voice_functionals(front: FrontEnds) -> Value:
    """`features.functionals.voice_functionals`, (208,)."""
    logs = front.get("log_mel", {"bands": 80, "low_hz": 40.0, "high_hz": 7800.0, "level": True})
    return functionals(front.graph, logs, *level_removed(front.graph, logs), *pitch(front))


def whisper_log_mel(front: FrontEnds, *, bands: int = 80, seconds: int = 0, mark: bool = False) -> Value:
    """`features.whisper.whisper_log_mel` of the clip's own length; it takes 201 samples at least."""
    if seconds or mark:
        raise ModelError(
            "whisper_log_mel of a fixed length, or with a mark, cannot be put into the graph; use seconds 0"
        )
    graph, middle = front.graph, WHISPER_WINDOW // 2
    filters = mel_filters(SAMPLE_RATE_HZ, WHISPER_WINDOW, bands, 0.0, SAMPLE_RATE_HZ / 2)
    pads = np.array([middle, middle], np.int64)
    mirrored = graph.node("Pad", front.samples, pads, dtype=np.float32, mode="reflect")
    padded = padded_zeros(graph, mirrored, 0, HOP)
    cut = frames(graph, padded, WHISPER_WINDOW, HOP, front.samples.length() / HOP)
    spectrum = power(graph, cut, hann(WHISPER_WINDOW), WHISPER_WINDOW, slice(0, None))
    logs = (spectrum @ filters).maximum(WHISPER_FLOOR).apply("Log") * float(1 / np.log(10))
    return (logs.maximum(logs.highest() - RANGE) + 4) / 4


def encoded(front: FrontEnds, *, encoder: str, **_of_checkpoint: Any) -> Value:
    """`features.encoded.encoded`: the encoder's own graph, behind Whisper's log-mel."""
    model = require("onnx", "train").load_from_string(encoders.graph_of(encoder))
    (entry,) = model.graph.input
    mel = front.get("whisper_log_mel", {"bands": entry.type.tensor_type.shape.dim[2].dim_value})
    batch = front.graph.node("Unsqueeze", mel, np.array([0], np.int64), dtype=np.float32)
    rows = front.graph.embed(model, {entry.name: batch}, f"{encoder}/")
    return front.graph.node("Squeeze", rows, np.array([0], np.int64), dtype=np.float32)


def pooled(
    front: FrontEnds, *, of: str, params: Mapping[str, Any] | None = None, statistics: tuple[str, ...] = ("mean", "sd")
) -> Value:
    """`features.pooled.pooled` of means and standard deviations."""
    if unknown := [name for name in statistics if name not in ("mean", "sd")]:
        raise ModelError(
            f"statistic {unknown[0]!r} of pooled cannot be put into the graph; those that can are mean, sd"
        )
    mean, sd = front.get(of, params).mean_and_sd()
    return front.graph.concat([mean if name == "mean" else sd for name in statistics])


def waveform(front: FrontEnds, *, scale: bool = True) -> Value:
    """`features.waveform.waveform`."""
    if not scale:
        return front.samples
    count = front.samples.length().cast(np.float32)
    centred = front.samples - front.samples.sum() / count
    return centred / (centred.square().sum() / count + 1e-7).apply("Sqrt")


BUILDERS: dict[str, Callable[..., Value]] = {
    "encoded": encoded,
    "log_mel": log_mel,
    "pooled": pooled,
    "voice_functionals": voice_functionals,
    "waveform": waveform,
    "whisper_log_mel": whisper_log_mel,
}
