"""`features.functionals.voice_functionals` as ONNX operators; the names of its columns say what each is."""

from __future__ import annotations

import numpy as np

from intonate.export.nodes import END, Graph, Operand, Value
from intonate.features.functionals import (
    BANDS,
    CEPSTRA,
    HOP_S,
    MODULATION_HZ,
    PERCENTILES,
    group_means,
)
from intonate.features.prosody import VOICED_ABOVE
from intonate.features.spectral import dct_matrix

# Lines of the modulation spectrum under its highest band, per frame: 20 Hz of 100 frames a second.
LINES_PER_FRAME = MODULATION_HZ[-1] * HOP_S
SMOOTH = 9  # frames, over which the level is averaged before its peaks are counted


def functionals(graph: Graph, logs: Value, floored: Value, active: Value, f0_hz: Value, strength: Value) -> Value:
    """(208,) of a log-mel (frames, 80), what `level_removed` makes of it, and a pitch track."""
    voiced = (strength > VOICED_ABOVE) & active
    voiced_count = voiced.cast(np.float32).sum()
    cepstra = floored @ dct_matrix(BANDS, CEPSTRA)
    speech = cepstra.compress(active)
    mean, sd = speech.mean_and_sd()
    _, delta_sd = (cepstra.slice(1, END) - cepstra.slice(0, -1)).mean_and_sd()
    level = logs @ np.full(BANDS, 1 / BANDS, np.float32)
    active_level = level.compress(active)
    level_mean, level_sd = active_level.mean_and_sd()

    def mean_of_voiced(rows: Value, otherwise: Value) -> Value:
        weight = voiced.cast(np.float32)
        weight = weight.reshape(1, -1) if rows is cepstra else weight
        mean = (weight @ rows) / voiced_count.maximum(1.0)
        return graph.where(voiced_count > 0, mean.reshape(-1), otherwise)

    values = [
        mean,
        sd,
        delta_sd,
        *_nearest_rank_percentiles(speech),
        mean_of_voiced(cepstra, mean),
        _modulation_energies(graph, floored).reshape(-1),
        _pitch(graph, f0_hz, strength, voiced),
        _rhythm_statistics(graph, level, floored, active, active_level, level_sd),
        level_mean.reshape(1),
        level.highest().reshape(1),
        mean_of_voiced(level, level_mean.reshape(1)),
    ]
    return graph.concat(values)


def _nearest_rank_percentiles(rows: Value) -> list[Value]:
    """Nearest-rank percentiles per column."""
    ordered = rows.ascending()
    last = (rows.length() - 1).cast(np.float64)
    return [ordered.at((last * (percent / 100)).apply("Round").cast(np.int64)) for percent in PERCENTILES]


def _interpolated_percentile(values: Value, percent: float) -> Value:
    """`np.percentile` of a vector, a scalar."""
    ordered, last = values.ascending(), values.length() - 1
    place = last.cast(np.float64) * (percent / 100)
    whole = place.apply("Floor")
    below, above = ordered.at(whole.cast(np.int64)), ordered.at((whole.cast(np.int64) + 1).minimum(last))
    return below + (above - below) * (place - whole).cast(np.float32)


def _modulation_energies(graph: Graph, floored: Value) -> Value:
    """(4, 8): the transform is over all frames, however many; only the lines under 20 Hz are computed."""
    groups = floored @ group_means()
    frames = groups.length()
    groups = groups - groups.sum(0) / frames.cast(np.float32)
    half = frames / 2
    count = (frames.cast(np.float64) * LINES_PER_FRAME).apply("Ceil").cast(np.int64)
    lines = graph.count_up(count.minimum(half) + 1)
    # Whole turns are taken away while numbers are whole: angles of thousands of turns are inexact.
    turns = (lines.reshape(-1, 1) * graph.count_up(frames).reshape(1, -1)) % frames
    angle = turns.cast(np.float32) * (graph.value(2 * np.pi, np.float32) / frames.cast(np.float32))
    spectrum = (angle.apply("Cos") @ groups).square() + (angle.apply("Sin") @ groups).square()
    # As numpy's rfftfreq reckons them: what lies on the edge of a band must fall to the same side. A row of ones, for
    # onnxruntime multiplies a single one by an inverse, which rounds differently.
    numbers = lines.cast(np.float64)
    hz = numbers * ((numbers * 0 + 1) / (frames.cast(np.float64) * HOP_S))
    lows = graph.value(np.array(MODULATION_HZ[:-1])[:, None], np.float64)
    highs = graph.value(np.array(MODULATION_HZ[1:])[:, None], np.float64)
    inside = ((hz >= lows) & (hz < highs)).cast(np.float32)
    weight = inside / (inside.sum(1, keepdims=True).maximum(1.0) * frames.cast(np.float32))
    return (weight @ spectrum + 1e-3).apply("Log")


def _scalars(graph: Graph, values: list[Operand]) -> Value:
    """Scalars as one vector."""
    return graph.concat([graph.value(value, np.float32).reshape(1) for value in values])


def _pitch(graph: Graph, f0_hz: Value, strength: Value, voiced: Value) -> Value:
    """(16,); a clip with less than three voiced frames gets zeros for its melody."""
    count = voiced.cast(np.int64).sum()
    is_sung = count >= 3
    share = count.cast(np.float32) / voiced.length().cast(np.float32)
    # Without voice the statistics are those of all frames, and are thrown away.
    counted = voiced | (count < 3)
    semitones = (f0_hz.compress(counted) / 100).apply("Log") * (12 / np.log(2))
    middle = _interpolated_percentile(semitones, 50)
    semitones = semitones.clip(middle - 9, middle + 12)
    low, p50, high = (_interpolated_percentile(semitones, percent) for percent in (10, 50, 90))
    mean, sd = semitones.mean_and_sd()
    places = graph.count_up(voiced.length()).compress(counted)
    gaps = places.slice(1, END) - places.slice(0, -1)
    steps = semitones.slice(1, END) - semitones.slice(0, -1)
    is_step = (gaps.equals(1) & (steps.apply("Abs") < 3.0)).cast(np.float32)
    step_count = is_step.sum().maximum(1.0)
    times = places.cast(np.float32)
    spread = (times - times.sum() / times.length().cast(np.float32)) * HOP_S
    slope = (spread * (semitones - mean)).sum() / spread.square().sum().maximum(1e-6)
    tail = (semitones.length() / 4).maximum(3)
    tail_mean, _ = semitones.slice(graph.value(0, np.int64) - tail, END).mean_and_sd()
    strong = strength.compress(counted)
    strong_mean, strong_sd = strong.mean_and_sd()
    runs = (gaps > 1).cast(np.float32).sum() + 1
    length_s = voiced.length().cast(np.float32) * HOP_S
    sung: list[Operand] = [
        mean, sd, low, p50, high, high - low,
        (steps.apply("Abs") * is_step).sum() / step_count, (steps * is_step).sum() / step_count,
        slope, tail_mean - mean,
        share, strong_mean, strong_sd, _interpolated_percentile(strong, 90),
        runs / length_s, count.cast(np.float32) / runs * HOP_S,
    ]  # fmt: skip
    unsung: list[Operand] = [*[0.0] * 10, share, *strength.mean_and_sd(), 0.0, 0.0, 0.0]
    return graph.where(is_sung, _scalars(graph, sung), _scalars(graph, unsung))


def _rhythm_statistics(
    graph: Graph, level: Value, floored: Value, active: Value, active_level: Value, level_sd: Value
) -> Value:
    """(7,)."""
    frames = level.length().cast(np.float32)
    length_s = frames * HOP_S
    box = np.full((1, 1, SMOOTH), 1 / SMOOTH, np.float32)
    smooth = graph.node("Conv", level.reshape(1, 1, -1), box, dtype=np.float32, pads=[SMOOTH // 2] * 2).reshape(-1)
    inner = smooth.slice(1, -1)
    peaks = (inner > smooth.slice(0, -2)) & (inner >= smooth.slice(2, END)) & active.slice(1, -1)
    steps = level.slice(1, END) - level.slice(0, -1)
    changes = (frames - 1).maximum(1.0)
    rises = (floored.slice(1, END) - floored.slice(0, -1)).maximum(0.0)
    return _scalars(
        graph,
        [
            length_s.apply("Log"), active.cast(np.float32).sum() / frames, level_sd,
            _interpolated_percentile(active_level, 90) - _interpolated_percentile(active_level, 10),
            steps.apply("Abs").sum() / changes, peaks.cast(np.float32).sum() / length_s,
            rises.sum() / (changes * BANDS),
        ],
    )  # fmt: skip
