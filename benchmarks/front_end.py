"""How long the front ends take for 3 s of sound on one core, beside librosa's defaults in the same run.

    python benchmarks/front_end.py > benchmarks/results/front_end.json      # needs librosa (the extra `dev`)

The recognizer asks for a log-mel without its level and then for the voice functionals of the same samples; the second
finds the spectrum already computed. Every round is timed on a sound that was not heard before, so that nothing is
remembered from round to round. The stages take turns. The medians are of the clock on the wall and of the thread's own
time, which leaves out what other programs took: on an idle machine the two agree.
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
from threadpoolctl import threadpool_limits

from intonate import features
from intonate.features.functionals import functionals_of
from intonate.features.prosody import pitch
from intonate.features.spectral import log_mel, power_spectrogram

RATE_HZ = 16_000
DURATION_S = 3.0

Sound = np.ndarray[Any, np.dtype[np.float32]]


def sound(seed: int, seconds: float = DURATION_S) -> Sound:
    """A gliding voice with syllables, and some noise."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * rng.uniform(0.3, 1) * time_s)) / RATE_HZ
    voice = sum(np.sin(n * phase) / n for n in range(1, 20)) * np.sin(2 * np.pi * 2 * time_s) ** 2
    return (0.1 * voice + rng.normal(0, 0.005, len(time_s))).astype(np.float32)


def both_front_ends(waveform: Sound) -> None:
    features.get("log_mel")(waveform, RATE_HZ, level=False)
    features.get("voice_functionals")(waveform, RATE_HZ)


def stages(waveform: Sound) -> dict[str, Callable[[], object]]:
    """What is timed, by name. The first four begin with a sound that was not heard before."""
    logs, track = log_mel(waveform, RATE_HZ), pitch(waveform, RATE_HZ)
    fresh = waveform.copy()

    def fresh_sound() -> Sound:
        fresh[0] += np.float32(1e-3)
        return fresh

    return {
        "log_mel and voice_functionals": lambda: both_front_ends(fresh_sound()),
        "log_mel": lambda: log_mel(fresh_sound(), RATE_HZ, level=False),
        "of it: power_spectrogram": lambda: power_spectrogram(waveform),
        "voice_functionals": lambda: features.get("voice_functionals")(fresh_sound(), RATE_HZ),
        "of it: pitch": lambda: pitch(waveform, RATE_HZ),
        "of it: functionals_of": lambda: functionals_of(logs, *track),
        "mfcc": lambda: features.get("mfcc")(waveform, RATE_HZ),
        "librosa melspectrogram (its defaults)": lambda: librosa.power_to_db(
            librosa.feature.melspectrogram(y=waveform, sr=RATE_HZ)
        ),
        "librosa mfcc (its defaults)": lambda: librosa.feature.mfcc(y=waveform, sr=RATE_HZ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="how often each stage is timed")
    rounds = parser.parse_args().rounds

    taken: dict[str, list[tuple[float, float]]] = {}
    with threadpool_limits(1):
        for number in range(-1, rounds):  # the round before the first warms up
            for name, stage in stages(sound(number % 8)).items():
                start, own = time.perf_counter(), time.thread_time()
                stage()
                if number >= 0:
                    taken.setdefault(name, []).append((time.perf_counter() - start, time.thread_time() - own))
    figures = {
        name: dict(zip(("median_ms", "own_ms"), (1000 * np.median(times, axis=0)).round(3).tolist(), strict=True))
        for name, times in taken.items()
    }
    machine = {"processor": platform.machine(), "python": platform.python_version(), "numpy": np.__version__}
    print(json.dumps({"seconds_of_sound": DURATION_S, "rounds": rounds, **machine, "stages": figures}, indent=2))


if __name__ == "__main__":
    main()
