"""How long the built-in model takes for 3 s of audio, beside a HuBERT-base classifier in the same run.

    taskset -c 1 python benchmarks/latency.py > benchmarks/results/latency.json         # needs the extra `train`
    taskset -c 1 python benchmarks/latency.py --model standard --before ../before/src

Both get the same waveform in memory, on one thread, front end included, warm, in turns. HuBERT-base is the
architecture that most published systems of today begin with; its weights are random here, which takes the same time.
`--before` is the source folder of an older build, whose `compact` takes turns with them in a process of its own.
"""

from __future__ import annotations

import os

# One thread on each side. Voice activity asks for that itself where it is loaded first; here torch has loaded OpenMP.
os.environ["OMP_THREAD_LIMIT"] = "1"

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
import transformers
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import intonate

ROOT = Path(__file__).resolve().parents[1]
RATE_HZ = 16_000
DURATION_S = 3.0
# For each round of HuBERT, so many of ours: its times are tens of times as long.
ROUNDS, OURS_PER_ROUND, WARM_UP = 12, 25, 5

# The older build answers as often as it gets a line, and says how long each answer took.
OLDER = """
import json, sys, time
import numpy, intonate
waveform, rate_hz = numpy.load(sys.argv[1]), int(sys.argv[2])
recognizer = intonate.load_model("compact")
for line in sys.stdin:
    times_ms = []
    for _ in range(int(line)):
        start = time.perf_counter()
        recognizer.predict((waveform, rate_hz))
        times_ms.append((time.perf_counter() - start) * 1000)
    print(json.dumps(times_ms), flush=True)
"""


def hubert_base() -> transformers.Pipeline:
    """The pipeline of the usual HuBERT-base classifier, seven classes, random weights."""
    config = transformers.HubertConfig(num_labels=7)
    return transformers.pipeline(
        "audio-classification",
        model=transformers.HubertForSequenceClassification(config),
        feature_extractor=transformers.Wav2Vec2FeatureExtractor(),
        device="cpu",
    )


def milliseconds(answer: Callable[[], object]) -> float:
    start = time.perf_counter()
    answer()
    return (time.perf_counter() - start) * 1000


def summary(times_ms: list[float]) -> dict[str, float]:
    return {
        "median_ms": round(float(np.median(times_ms)), 3),
        "p95_ms": round(float(np.percentile(times_ms, 95)), 3),
        "runs": len(times_ms),
    }


@contextmanager
def older_build(source: Path | None, waveform: NDArray[np.float32]) -> Iterator[Callable[[int], list[float]]]:
    """A function that lets the older build answer so often, and gives the milliseconds of each; none without one."""
    if source is None:
        yield lambda count: []
        return
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "waveform.npy", waveform)
        command = [sys.executable, "-c", OLDER, str(Path(folder) / "waveform.npy"), str(RATE_HZ)]
        environment = os.environ | {"PYTHONPATH": str(source.resolve()), "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            asked, told = process.stdin, process.stdout

            def answers(count: int) -> list[float]:
                print(count, file=asked, flush=True)
                times_ms: list[float] = json.loads(told.readline())
                return times_ms

            yield answers
            asked.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="compact", help="a built-in name or a model file")
    parser.add_argument("--before", type=Path, metavar="SRC", help="the source folder of an older build")
    options = parser.parse_args()

    waveform = np.resize(sf.read(ROOT / "examples/neutral.flac", dtype="float32")[0], int(DURATION_S * RATE_HZ))
    recognizer, pipeline = intonate.load_model(options.model), hubert_base()

    def intonate_answer() -> object:
        return recognizer.predict((waveform, RATE_HZ))

    def pipeline_answer() -> object:
        return pipeline({"raw": waveform, "sampling_rate": RATE_HZ})

    ours_ms: list[float] = []
    hubert_ms: list[float] = []
    older_ms: list[float] = []
    torch.set_num_threads(1)
    with threadpool_limits(1), older_build(options.before, waveform) as older:  # the BLAS of numpy
        for _ in range(WARM_UP):
            intonate_answer()
            pipeline_answer()
        older(WARM_UP)
        for _ in range(ROUNDS):
            ours_ms += [milliseconds(intonate_answer) for _ in range(OURS_PER_ROUND)]
            hubert_ms.append(milliseconds(pipeline_answer))
            older_ms += older(OURS_PER_ROUND)
    result: dict[str, object] = {
        "audio_s": DURATION_S,
        "threads": 1,
        f"intonate {recognizer.spec.name}": summary(ours_ms),
        "hubert-base": summary(hubert_ms),
        "times_faster": round(float(np.median(hubert_ms) / np.median(ours_ms)), 1),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {
            package: version(package) for package in ("numpy", "onnxruntime", "soxr", "torch", "transformers")
        },
    }
    if older_ms:
        result["the older build's compact"] = summary(older_ms)
        result["times_the_older_build"] = round(float(np.median(ours_ms) / np.median(older_ms)), 2)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
