"""Who is heard and what is not: clips of speech at many levels, and sounds in which nobody speaks.

    python benchmarks/voice_activity.py [--corpora ../shared/corpora] [--noise ../shared/noise] [--every 1]

Clips of RAVDESS, EMO-DB and TESS are brought to a peak of -60, -40, -20 and -3 dBFS in 16 bits: the share in which
the voice is found (at least 99 % are wanted). The six noises, whole and in pieces of 4 s, and signals of telephones,
music and machines, made here, at three levels: those that `predict` answers with an emotion (none is wanted). Writes
`benchmarks/results/voice_activity.json`.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_THREAD_LIMIT", "1")
import numpy as np

from intonate import load_model
from intonate.audio import decode
from intonate.audio.voice import has_voice

RATE, SECONDS, PIECE_S = 16_000, 6, 4
ROOT = Path(__file__).parents[1]
SPEECH = {"ravdess": "ravdess/*/*.flac", "emodb": "emodb/wav/*.flac", "tess": "tess/*.ogg"}
SPEECH_PEAKS_DBFS, SOUND_LEVELS_DB = (-60, -40, -20, -3), (0, -20, -40)


def level(samples: np.ndarray, peak_dbfs: float) -> np.ndarray:
    """The samples at a peak, in 16 bits."""
    scaled = samples / max(1e-9, float(np.abs(samples).max())) * 10 ** (peak_dbfs / 20)
    return (np.round(scaled * 32767) / 32768).astype(np.float32)


def signals() -> dict[str, np.ndarray]:
    """Sounds of telephones, music and machines, each of `SECONDS`, peak 1."""
    rng, time_s = np.random.default_rng(0), np.arange(RATE * SECONDS) / RATE

    def tones(*hz: float, on_s: float = 1.0, of_s: float = 1.0) -> np.ndarray:
        return sum(np.sin(2 * np.pi * f * time_s) for f in hz) * (time_s % of_s < on_s)

    def notes(hz: tuple[float, ...], note_s: float, decay: float, partials: int, glide: float = 0.0) -> np.ndarray:
        at_s = np.arange(round(note_s * RATE)) / RATE
        one = [
            np.exp(-decay * at_s)
            * sum(
                np.sin(2 * np.pi * f * k * at_s + glide * k * np.sin(2 * np.pi * 6 * at_s)) / k
                for k in range(1, partials + 1)
            )
            for f in hz
        ]
        return np.resize(np.concatenate(one), len(time_s))

    def struck(every_s: float, decay: float, hz: float | None) -> np.ndarray:
        at_s = np.arange(round(0.3 * RATE)) / RATE
        body = np.exp(-decay * at_s) * (np.sin(2 * np.pi * hz * at_s) if hz else rng.normal(size=len(at_s)))
        return np.resize(np.concatenate([body, np.zeros(round(every_s * RATE))]), len(time_s))

    white = rng.normal(size=len(time_s))
    spectrum = np.fft.rfft(white)
    pink = np.fft.irfft(spectrum / np.sqrt(1 + np.arange(len(spectrum))), len(time_s))
    scale = (262, 330, 392, 523, 392, 330)
    made = {
        "ring, US": tones(440, 480, on_s=2, of_s=6),
        "ring, UK": tones(400, 450, on_s=0.4, of_s=0.6) * (time_s % 3 < 1),
        "ring, Europe": tones(425, on_s=1, of_s=5),
        "engaged, US": tones(480, 620, on_s=0.5),
        "engaged, Europe": tones(425, on_s=0.48, of_s=0.96),
        "dial tone": tones(350, 440),
        "keys": notes((697, 770, 852, 941), 0.15, 3, 2),
        "fax": tones(1100, on_s=0.5, of_s=3.5),
        "beeps": tones(1000, on_s=0.2, of_s=2),
        "siren": np.sin(2 * np.pi * 700 * time_s - 95 * np.cos(np.pi * time_s)),
        "hum": sum(np.sin(2 * np.pi * 50 * k * time_s) / k for k in range(1, 20)),
        "white": white,
        "white in bursts": white * (time_s % 1 < 0.3),
        "white that swells": white * (1 + np.sin(8 * np.pi * time_s)),
        "pink": pink,
        "piano": notes(scale, 0.4, 3, 7),
        "xylophone": notes((784, 1047, 1319, 1568), 0.15, 8, 3),
        "violin": notes(scale, 0.7, 0, 14, glide=0.8),
        "flute": notes(scale, 0.5, 0, 1, glide=0.2),
        "square": np.sign(notes(scale, 0.25, 0, 1)),
        "drums": struck(0.2, 30, None),
        "band": notes(scale, 0.5, 3, 7) + struck(0.2, 30, None) + 2 * struck(0.7, 12, 60),
        "knocks": struck(0.5, 60, 180),
        "clicks": (rng.random(len(time_s)) < 3e-4) * 1.0,
    }
    return {name: samples / np.abs(samples).max() for name, samples in made.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=ROOT / "../shared/corpora")
    parser.add_argument("--noise", type=Path, default=ROOT / "../shared/noise")
    parser.add_argument("--every", type=int, default=1, help="Of the clips of speech, every n-th.")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/voice_activity.json")
    given = parser.parse_args()
    model = load_model("compact")
    sounds = dict(signals())
    for path in sorted(given.noise.glob("*.flac")):
        noise = decode.load(path, RATE)
        sounds[path.stem] = noise
        for start in range(0, len(noise) - PIECE_S * RATE + 1, PIECE_S * RATE):
            sounds[f"{path.stem}, {start // RATE} s"] = noise[start : start + PIECE_S * RATE]
    answered = {
        f"{name}, {gain_db} dB": answer.label
        for name, samples in sounds.items()
        for gain_db in SOUND_LEVELS_DB
        if (answer := model.predict(((samples * 10 ** (gain_db / 20)).astype(np.float32), RATE))).scores
    }
    found = {}
    for corpus, pattern in SPEECH.items():
        clips = [decode.load(path, RATE) for path in sorted(given.corpora.glob(pattern))[:: given.every]]
        found[corpus] = {"clips": len(clips)} | {
            f"{peak} dBFS": round(float(np.mean([has_voice(level(clip, peak), RATE) for clip in clips])), 4)
            for peak in SPEECH_PEAKS_DBFS
        }
        print(corpus, found[corpus], flush=True)
    result = {
        "command": f"python benchmarks/voice_activity.py --every {given.every}",
        "share of clips in which a voice is found": found,
        "sounds without a voice": len(sounds) * len(SOUND_LEVELS_DB),
        "answered with an emotion": answered,
    }
    given.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
