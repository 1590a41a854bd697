"""Make the picture and the sounds of cleaning.md: an example clip with noise, pauses and an offset, and what is left.

python docs/make_cleaning.py        # writes cleaning.png and cleaning-*.ogg beside this script; needs matplotlib
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from matplotlib import pyplot as plt

from intonate.audio.clean import clean
from intonate.audio.decode import load
from intonate.features import get

HERE = Path(__file__).parent
RATE_HZ = 16_000
# What the recipe would say under data.clean.
STEPS = [
    {"step": "dc"},
    {"step": "denoise", "reduction_db": 20.0},
    {"step": "remove_silence", "below_db": 30.0},
    {"step": "loudness", "target_dbfs": -20.0},
]
# Power in dB that is drawn black, and white.
COLOURS = {"vmin": -60, "vmax": 30, "cmap": "magma", "interpolation": "none"}


def spoilt(speech: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The clip (samples,) as a poor recording: quiet, long silences around it and inside, hiss, hum, and an offset."""
    middle = len(speech) // 2
    # The quietest 20 ms of the middle second: between two words.
    near = np.arange(middle - RATE_HZ // 2, middle + RATE_HZ // 2, RATE_HZ // 50)
    gap = min(near, key=lambda place: float(np.square(speech[place : place + RATE_HZ // 50]).sum()))
    still = np.zeros(RATE_HZ * 8 // 10)
    sound = 0.3 * np.concatenate([still, speech[:gap], still, speech[gap:], still])
    time_s = np.arange(len(sound)) / RATE_HZ
    hiss = 0.004 * rng.normal(size=len(sound))
    hum = 0.006 * np.sin(2 * np.pi * 100 * time_s) + 0.003 * np.sin(2 * np.pi * 300 * time_s)
    return np.asarray(sound + hiss + hum + 0.03, np.float32)


def draw(sounds: dict[str, np.ndarray], path: Path) -> None:
    """Waveform above log-mel, one column for each sound, all on the same scales."""
    longest_s = max(map(len, sounds.values())) / RATE_HZ
    figure, axes = plt.subplots(2, len(sounds), figsize=(10, 4.2), sharex=True, sharey="row", layout="constrained")
    for (name, sound), (above, below) in zip(sounds.items(), axes.T, strict=True):
        above.plot(np.arange(len(sound)) / RATE_HZ, sound, linewidth=0.4, color="#205080")
        above.set_title(f"{name}, {len(sound) / RATE_HZ:.1f} s", fontsize=11)
        above.axhline(0, linewidth=0.4, color="grey")
        # Natural logarithm of the power, in dB as people read it.
        decibels = get("log_mel")(sound, RATE_HZ, bands=40).T * 10 / np.log(10)
        extent = (0, len(sound) / RATE_HZ, 0, len(decibels))
        image = below.imshow(
            decibels,
            origin="lower",
            aspect="auto",
            extent=extent,
            vmin=-60,
            vmax=30,
            cmap="magma",
            interpolation="none",
        )
        below.set_xlim(0, longest_s)
        below.set_xlabel("seconds")
    axes[0, 0].set_ylabel("amplitude")
    axes[1, 0].set_ylabel("mel band")
    figure.colorbar(image, ax=axes[1], label="dB", pad=0.01)
    figure.savefig(path, dpi=80)


def main() -> None:
    before = spoilt(load(HERE.parent / "examples" / "neutral.flac", RATE_HZ), np.random.default_rng(0))
    sounds = {"before": before, "after": clean(before, RATE_HZ, STEPS)}
    draw(sounds, HERE / "cleaning.png")
    for name, sound in sounds.items():
        soundfile.write(HERE / f"cleaning-{name}.ogg", sound, RATE_HZ, format="OGG", subtype="VORBIS")


if __name__ == "__main__":
    main()
