"""How long the built-in model takes for 3 s of audio, beside a HuBERT-base classifier in the same run.

    python benchmarks/latency.py > benchmarks/results/latency.json                      # needs the extra `train`
    python benchmarks/latency.py --model standard > benchmarks/results/latency-standard.json

Both get the same waveform in memory, on one thread, front end included, warm, in turns. HuBERT-base is the
architecture that most published systems of today begin with; its weights are random here, which takes the same time.
"""

from __future__ import annotations

import os

# One thread on each side. Voice activity asks for that itself where it is loaded first; here torch has loaded OpenMP.
os.environ["OMP_THREAD_LIMIT"] = "1"

import argparse
import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
import transformers
from threadpoolctl import threadpool_limits

import intonate

ROOT = Path(__file__).resolve().parents[1]
RATE_HZ = 16_000
DURATION_S = 3.0
# For each round of HuBERT, so many of ours: its times are tens of times as long.
ROUNDS, OURS_PER_ROUND, WARM_UP = 12, 25, 5


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="compact", help="a built-in name or a model file")
    name = parser.parse_args().model

    waveform = np.resize(sf.read(ROOT / "examples/neutral.flac", dtype="float32")[0], int(DURATION_S * RATE_HZ))
    recognizer, pipeline = intonate.load_model(name), hubert_base()

    def intonate_answer() -> object:
        return recognizer.predict((waveform, RATE_HZ))

    def pipeline_answer() -> object:
        return pipeline({"raw": waveform, "sampling_rate": RATE_HZ})

    ours_ms: list[float] = []
    hubert_ms: list[float] = []
    torch.set_num_threads(1)
    with threadpool_limits(1):  # the BLAS of numpy
        for _ in range(WARM_UP):
            intonate_answer()
            pipeline_answer()
        for _ in range(ROUNDS):
            ours_ms += [milliseconds(intonate_answer) for _ in range(OURS_PER_ROUND)]
            hubert_ms.append(milliseconds(pipeline_answer))
    result = {
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
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
