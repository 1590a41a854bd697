"""How long the 94 functionals of P3 take on one core, beside librosa with its defaults in the same run.

    python benchmarks/functionals.py > benchmarks/results/functionals.json      # needs librosa (the extra `dev`)

librosa is called as its documentation shows it, once for each kind of feature, with nothing but the numbers of bands
and coefficients set: so it estimates the tuning for its chroma. The second way gives it the tuning, the third the
spectrum as well, computed once: the best that can be made of it. All take turns, after one that warms up, each with one
thread: a turn is eight sounds one after the other, as when a corpus is analysed. `faster` is the median of a way over
ours. The medians are of the clock on the wall and of the thread's own time, which leaves out what other programs took.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
from front_end import RATE_HZ, Sound, sound
from threadpoolctl import threadpool_limits

from intonate.features.spectral_functionals import spectral_functionals

DEFAULTS, TUNED, SHARED = "librosa, its defaults", "librosa, tuning given", "librosa, tuning given, one spectrum"
OURS = "spectral_functionals"


def intonate_functionals(waveform: Sound) -> Any:
    return spectral_functionals(waveform, RATE_HZ)


def librosa_functionals(waveform: Sound, **chroma: float) -> Any:
    feature = librosa.feature
    rows = (
        feature.chroma_stft(y=waveform, sr=RATE_HZ, **chroma),
        feature.melspectrogram(y=waveform, sr=RATE_HZ, n_mels=60),
        feature.mfcc(y=waveform, sr=RATE_HZ, n_mfcc=20),
        feature.zero_crossing_rate(waveform),
        feature.spectral_centroid(y=waveform, sr=RATE_HZ),
    )
    return np.concatenate([row.mean(axis=1) for row in rows])


def librosa_functionals_at_once(waveform: Sound) -> Any:
    feature = librosa.feature
    magnitude = np.abs(librosa.stft(waveform))
    power = np.square(magnitude)
    decibels = librosa.power_to_db(feature.melspectrogram(S=power, sr=RATE_HZ))
    rows = (
        feature.chroma_stft(S=power, sr=RATE_HZ, tuning=0.0),
        feature.melspectrogram(S=power, sr=RATE_HZ, n_mels=60),
        feature.mfcc(S=decibels, n_mfcc=20),
        feature.zero_crossing_rate(waveform),
        feature.spectral_centroid(S=magnitude, sr=RATE_HZ),
    )
    return np.concatenate([row.mean(axis=1) for row in rows])


WAYS: dict[str, Callable[[Sound], Any]] = {
    OURS: intonate_functionals,
    DEFAULTS: librosa_functionals,
    TUNED: lambda waveform: librosa_functionals(waveform, tuning=0.0),
    SHARED: librosa_functionals_at_once,
}


def measure(seconds: float, rounds: int) -> dict[str, Any]:
    sounds = [sound(seed, seconds) for seed in range(8)]
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for turn in range(-1, -(-rounds // len(sounds))):
        for name, way in WAYS.items():
            for each in sounds:
                start, own = time.perf_counter(), time.thread_time()
                way(each)
                if turn >= 0:
                    taken[name].append((time.perf_counter() - start, time.thread_time() - own))
    medians = {name: 1000 * np.median(times, axis=0) for name, times in taken.items()}
    apart = max(
        float(np.abs(intonate_functionals(each) / librosa_functionals(each, tuning=0.0) - 1).max()) for each in sounds
    )
    return {
        "ways": {
            name: {
                "median_ms": round(float(wall), 3),
                "own_ms": round(float(own), 3),
                "faster": round(float(wall / medians[OURS][0]), 1),
            }
            for name, (wall, own) in medians.items()
        },
        "largest_relative_difference": float(f"{apart:.1e}"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="how often each way is timed")
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.0, 3.0, 6.0], help="lengths of the sounds")
    options = parser.parse_args()
    with threadpool_limits(1):
        lengths = {f"{seconds:g}": measure(seconds, options.rounds) for seconds in options.seconds}
    machine = {"processor": platform.machine(), "python": platform.python_version(), "numpy": np.__version__}
    libraries = machine | {"librosa": librosa.__version__}
    print(json.dumps({"rounds": options.rounds, **libraries, "seconds_of_sound": lengths}, indent=2))


if __name__ == "__main__":
    main()
