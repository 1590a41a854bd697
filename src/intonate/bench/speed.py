"""What the fits of a run cost, and how soon its model answers."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.recognizer.recognizer import load_model

# An answer is timed on this much sound; the median of so many, after so many to get warm.
CLIP_S, ROUNDS, WARM_UP = 3.0, 30, 5


def facts(run: Path) -> dict[str, Any]:
    """Minutes and core-hours of all fits, parameters, size of the file, time of an answer: fields of a `Row`."""
    fits = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(run.glob("fold*-seed*/run.json"))]
    model = min(run.glob("fold*-seed*/model.onnx"))
    core_s = [fit.get("train_core_s") for fit in fits]
    return {
        "train_minutes": sum(fit["train_s"] for fit in fits) / 60,
        "core_hours": sum(core_s) / 3600 if None not in core_s else None,
        "parameters": fits[0].get("parameters"),
        "megabytes": model.stat().st_size / 1e6,
        "ms_per_clip": milliseconds(model),
        "configurations_tried": max(fit["configurations_tried"] for fit in fits),
    }


def milliseconds(model: Path) -> float | None:
    """Median time from a waveform of `CLIP_S` in memory to probabilities, one thread; None for a model of text."""
    recognizer = load_model(model)
    rate_hz = recognizer.spec.sample_rate_hz
    if recognizer.spec.text_required:
        return None
    sound, times_ms = _buzz(rate_hz), []
    for _ in range(WARM_UP + ROUNDS):
        start_s = time.perf_counter()
        recognizer.predict((sound, rate_hz))
        times_ms.append(1000 * (time.perf_counter() - start_s))
    return statistics.median(times_ms[WARM_UP:])


def _buzz(rate_hz: int) -> NDArray[np.float32]:
    """What passes for speech, (samples,): 120 Hz and its harmonics, four syllables a second, and hiss between them."""
    time_s = np.arange(int(CLIP_S * rate_hz)) / rate_hz
    harmonics = np.arange(1, 20)[:, None]
    buzz = (np.sin(2 * np.pi * 120 * harmonics * time_s) / harmonics).sum(axis=0)
    syllables = np.sin(2 * np.pi * 2 * time_s) ** 2
    # Without the hiss the voice activity hears no voice, and the model would never be asked.
    hiss = np.random.default_rng(0).normal(size=len(time_s))
    return np.asarray(0.1 * buzz * syllables + 0.03 * hiss * (1 - syllables), np.float32)
