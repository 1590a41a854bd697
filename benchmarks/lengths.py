"""Whether the temperature of an answer should follow the length of the sound: tried on the corpora left out.

    python benchmarks/lengths.py [--corpora ../shared/corpora]

Of `results/strangers` (each clip alone, by a model without its corpus) some clips of each corpus are drawn once. For
each corpus, temperatures are fitted on the four others: one; one for each third of the lengths after cleaning; one that
follows the logarithm of the length. ECE and log loss of each on the corpus. Writes `benchmarks/results/lengths.json`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from pathlib import Path

import numpy as np

from intonate.audio import decode
from intonate.audio.clean import clean
from intonate.evaluation.calibration import temperature
from intonate.evaluation.metrics import calibration_bins, expected_calibration_error, negative_log_likelihood
from intonate.recognizer.model_file import read_spec
from intonate.recognizer.probabilities import softmax

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
CLIPS = 450


def answers(corpora: Path):
    """{corpus: (logarithms of the probabilities (clips, labels), truth (clips,), seconds (clips,))}."""
    spec = read_spec(ROOT / "src/intonate/recognizer/assets/standard.onnx")
    rows_by_corpus: dict[str, list[dict[str, str]]] = {}
    with gzip.open(RESULTS / "strangers/predictions.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["statistics"] == "clip alone":
                rows_by_corpus.setdefault(row["corpus"], []).append(row)
    found = {}
    for corpus, rows in rows_by_corpus.items():
        drawn = [rows[place] for place in np.random.default_rng(0).permutation(len(rows))[:CLIPS]]
        sounds = (
            clean(decode.load(corpora / row["file"], spec.sample_rate_hz), spec.sample_rate_hz, spec.clean)
            for row in drawn
        )
        seconds = np.array([len(sound) / spec.sample_rate_hz for sound in sounds])
        logs = np.log(np.maximum([[float(row[f"p:{label}"]) for label in spec.labels] for row in drawn], 1e-9))
        found[corpus] = logs, np.array([spec.labels.index(row["emotion"]) for row in drawn]), seconds
    return found


def log_loss(probabilities, truth) -> float:
    return float(negative_log_likelihood(probabilities, truth).mean())


def following(logs, truth, seconds):
    """The temperature exp(a + b log s) of the least log loss, as a function of the seconds."""
    grid = [(a, b) for a in np.linspace(-1, 1.5, 51) for b in np.linspace(-1, 1, 41)]
    a, b = min(grid, key=lambda ab: log_loss(softmax(logs / np.exp(ab[0] + ab[1] * np.log(seconds))[:, None]), truth))
    return lambda lengths: np.exp(a + b * np.log(lengths))


def by_thirds(logs, truth, seconds):
    edges = np.quantile(seconds, [1 / 3, 2 / 3])
    thirds = np.digitize(seconds, edges)
    found = np.array([temperature(logs[thirds == third], truth[thirds == third]) for third in range(3)])
    return lambda lengths: found[np.digitize(lengths, edges)]


def one(logs, truth, seconds):
    found = temperature(logs, truth)
    return lambda lengths: np.full(len(lengths), found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=ROOT / "../shared/corpora")
    asked = parser.parse_args()
    found = answers(asked.corpora)
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for name, fit in {"one": one, "one for each third": by_thirds, "follows the length": following}.items():
        for corpus, (logs, truth, seconds) in found.items():
            others = [
                np.concatenate(part) for part in zip(*(found[other] for other in found if other != corpus), strict=True)
            ]
            probabilities = softmax(logs / fit(*others)(seconds)[:, None])
            figures.setdefault(name, {})[corpus] = {
                "ece": round(float(expected_calibration_error(calibration_bins(probabilities, truth))), 3),
                "log_loss": round(log_loss(probabilities, truth), 3),
            }
        columns = figures[name].values()
        figures[name]["mean"] = {
            key: round(float(np.mean([row[key] for row in columns])), 3) for key in ("ece", "log_loss")
        }
    text = json.dumps(figures, indent=2)
    (RESULTS / "lengths.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
