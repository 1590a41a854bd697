"""How long a HuBERT-base classifier takes for 3 s of audio: transformers' pipeline, our file of it, our file in int8.

    python benchmarks/int8.py > benchmarks/results/int8.json        # needs the extra `train`, 2 GB of memory

All three get the same waveform in memory, on one thread, warm, in turns; ours with everything that the recognizer does
around the graph. The weights are random, which takes the same time, and the answers differ as real ones would not:
`largest_difference` is that of a probability between the two files on three clips. --layers makes a smaller one.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
import transformers
from latency import DURATION_S, RATE_HZ, ROOT, milliseconds, summary
from threadpoolctl import threadpool_limits

import intonate
from intonate.converters import convert
from intonate.emotions import SEVEN
from intonate.export.quantize import quantized

ROUNDS, WARM_UP = 12, 2


def checkpoint(folder: Path, layers: int) -> Path:
    """HuBERT-base with a head for seven emotions, at random."""
    torch.manual_seed(0)
    config = transformers.HubertConfig(num_hidden_layers=layers, id2label=dict(enumerate(SEVEN)))
    transformers.HubertForSequenceClassification(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=12, help="transformer layers; HuBERT-base has 12")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()

    waveform = np.resize(sf.read(ROOT / "examples/neutral.flac", dtype="float32")[0], int(DURATION_S * RATE_HZ))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place, threadpool_limits(1):  # the BLAS of numpy
        folder = checkpoint(Path(place) / "hubert", asked.layers)
        pipeline = transformers.pipeline("audio-classification", model=str(folder), device="cpu")
        file = convert(folder, Path(place) / "made")
        small = quantized(file, Path(place) / "made")
        float32, int8 = intonate.load_model(file), intonate.load_model(small.path)
        answers: dict[str, Callable[[], object]] = {
            "torch": lambda: pipeline({"raw": waveform, "sampling_rate": RATE_HZ}),
            "float32": lambda: float32.predict((waveform, RATE_HZ)),
            "int8": lambda: int8.predict((waveform, RATE_HZ)),
        }
        times_ms: dict[str, list[float]] = {name: [] for name in answers}
        for number in range(-WARM_UP, asked.rounds):
            for name, answer in answers.items():
                taken_ms = milliseconds(answer)
                if number >= 0:
                    times_ms[name].append(taken_ms)
    median = {name: float(np.median(times)) for name, times in times_ms.items()}
    result = {
        "audio_s": DURATION_S,
        "threads": 1,
        "layers": asked.layers,
        "parameters": sum(weight.numel() for weight in pipeline.model.parameters()),
        **{name: summary(times) for name, times in times_ms.items()},
        "times_faster_than_torch": {name: round(median["torch"] / median[name], 2) for name in ("float32", "int8")},
        "megabytes": {"float32": round(small.bytes_before / 1e6, 1), "int8": round(small.bytes_after / 1e6, 1)},
        "largest_difference": round(small.difference, 4),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {package: version(package) for package in ("numpy", "onnxruntime", "torch", "transformers")},
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
