"""Fit the discriminants by which `recognizer/voices.py` tells voices apart.

    python benchmarks/voices.py [--corpora ../shared/corpora] [--output src/intonate/recognizer/assets/voices.npz]

Speakers of EMO-DB, BanglaSER and EmoGator only (free, CC BY 4.0, Apache-2.0): so many clips of each, stretches
of 1.5 s of speech. The scatter within speakers holds their emotions and sentences, so that these are dropped.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

from intonate.audio.activity import speech_frames
from intonate.audio.decode import load
from intonate.features.prosody import pitch
from intonate.features.spectral import log_mel
from intonate.recognizer.voices import BANDS, SHORTEST, STRETCH, describe

RATE = 16_000
ROOT = Path(__file__).parents[1]
DIMENSIONS, SHRINKAGE, LONGEST_S = 20, 0.15, 4.0
# Bursts are recorded with devices of their own, which tell people apart as well: they count half between speakers.
CLIPS = {"emodb": 535, "banglaser": 1466, "emogator": 1500}
BETWEEN_WEIGHT = {"emodb": 1.0, "banglaser": 1.0, "emogator": 0.5}


def clips(corpora: Path) -> dict[str, list[tuple[Path, str]]]:
    """(path, speaker) of each corpus."""
    with (corpora / "emogator/emogator.csv").open() as table:
        bursts = [(corpora / "emogator" / row["path"], row["speaker"]) for row in csv.DictReader(table)]
    found = {path.name: path for path in (corpora / "emogator").rglob("*.ogg")}
    return {
        "emodb": [(path, path.name[:2]) for path in sorted((corpora / "emodb/wav").glob("*.flac"))],
        "banglaser": [(path, path.stem.split("-")[-1]) for path in sorted((corpora / "banglaser").glob("*-*.ogg"))],
        "emogator": [(found[path.name], speaker) for path, speaker in bursts if path.name in found],
    }


def stretches(path: Path) -> list[np.ndarray]:
    """The statistics of each stretch of speech in a clip's first seconds."""
    waveform = load(path, RATE, end_s=LONGEST_S)
    log_mels, (f0_hz, strength) = log_mel(waveform, RATE, bands=BANDS), pitch(waveform, RATE)
    places = np.flatnonzero(speech_frames(waveform, RATE)[: min(len(log_mels), len(f0_hz))])
    cuts = [places[start : start + STRETCH] for start in range(0, max(1, len(places) - STRETCH + 1), STRETCH // 2)]
    return [describe(log_mels[cut], f0_hz[cut], strength[cut]) for cut in cuts if len(cut) >= SHORTEST]


def discriminants(rows: np.ndarray, speakers: np.ndarray, corpora: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean (statistics,) and the projection (statistics, dimensions) in which one speaker's spread is about one."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    scaled = (rows - mean) / scale
    within, between = np.zeros((2, rows.shape[1], rows.shape[1]))
    within_count = between_count = 0.0
    for corpus in np.unique(corpora):
        centre = scaled[corpora == corpus].mean(axis=0)
        for speaker in np.unique(speakers[corpora == corpus]):
            own = scaled[speakers == speaker]
            around, away = own - own.mean(axis=0), own.mean(axis=0) - centre
            within += around.T @ around
            within_count += len(own) - 1
            between += BETWEEN_WEIGHT[corpus] * np.outer(away, away)
            between_count += BETWEEN_WEIGHT[corpus]
    within, between = within / within_count, between / between_count
    within = (1 - SHRINKAGE) * within + SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    whitening = np.linalg.cholesky(np.linalg.inv(within))
    _, vectors = np.linalg.eigh(whitening.T @ between @ whitening)
    return mean, (whitening @ vectors[:, ::-1])[:, :DIMENSIONS] / scale[:, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=ROOT / "../shared/corpora")
    parser.add_argument("--output", type=Path, default=ROOT / "src/intonate/recognizer/assets/voices.npz")
    parser.add_argument("--share", type=float, default=1.0, help="Of the clips.")
    given = parser.parse_args()
    rng, rows, speakers, corpora = np.random.default_rng(0), [], [], []
    for corpus, found in clips(given.corpora).items():
        for place in rng.permutation(len(found))[: round(given.share * CLIPS[corpus])]:
            path, speaker = found[place]
            vectors = stretches(path)
            rows += vectors
            speakers += [f"{corpus}/{speaker}"] * len(vectors)
            corpora += [corpus] * len(vectors)
    mean, projection = discriminants(np.array(rows), np.array(speakers), np.array(corpora))
    np.savez(given.output, mean=mean.astype(np.float32), projection=projection.astype(np.float32))
    print(f"{len(rows)} stretches of {len(set(speakers))} speakers, written to {given.output}")


if __name__ == "__main__":
    main()
