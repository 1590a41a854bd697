"""Make the picture and the sounds of augmentation.md: an example clip, and what each transform makes of it.

python docs/make_augmentation.py        # writes augmentation.png and augmentation/ beside this script; needs matplotlib
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import soundfile
from matplotlib import pyplot as plt

from intonate.audio.decode import load
from intonate.augment.waveform import apply, draw
from intonate.features import get

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
RATE_HZ = 16_000
SECONDS = 1.9
# Stronger than the defaults, so that one sees and hears them.
SHOWN = {
    "original": {},
    "stretch": {"factor": 1.25},
    "pitch": {"semitones": 4},
    "speed": {"factor": 1.25},
    "gain": {"db": -12},
    "noise": {"snr_db": 5},
    "gaussian": {"snr_db": 10},
    "roll": {"seconds": 0.4},
    "room": {"rt60_s": 0.8, "direct_db": 0},
    "telephone": {},
    "spec_augment": {"mels": 20, "seconds": 0.3, "mels_at": 0.35, "seconds_at": 0.6},
    "equalise": {"db": 10, "tilt_db": 10},
    "codec": {"kind": 0, "compression": 0.98},
    "hum": {"mains_hz": 50, "dbfs": -25},
    "rumble": {"dbfs": -15},
    "coloured": {"snr_db": 5, "slope": 0.5},
    "offset": {"level": 0.1},
    "overdrive": {"share": 0.15},
    "level": {"peak_dbfs": -20},
    "excerpt": {"seconds": 1.2, "at": 0.5},
    "p4_noise": {"uniform": 1},
}
COLUMNS = 3


def chatter(folder: Path) -> None:
    """A background of our own: three other examples at once, twice, the second time backwards."""
    voices = [load(EXAMPLES / f"{name}.flac", RATE_HZ) for name in ("angry", "sad", "changing")]
    together = sum(np.resize(voice, 3 * RATE_HZ) / np.sqrt(np.square(voice).mean()) for voice in voices)
    soundfile.write(folder / "chatter.wav", 0.03 * (together + together[::-1]), RATE_HZ)


def copies(speech: np.ndarray) -> dict[str, np.ndarray]:
    """The clip (samples,) after each transform."""
    with tempfile.TemporaryDirectory() as folder:
        chatter(Path(folder))
        made = {}
        for name, values in SHOWN.items():
            given = {"transform": name} | values | ({"path": folder} if name == "noise" else {})
            steps = [] if name == "original" else [given]
            made[name] = apply(speech, RATE_HZ, draw(steps, np.random.default_rng(0)))
    return made


def title(name: str) -> str:
    told = ", ".join(f"{key} {value:g}" for key, value in SHOWN[name].items() if not key.endswith("_at"))
    return f"{name}: {told}" if told else name


def picture(sounds: dict[str, np.ndarray], path: Path) -> None:
    """The log-mel of each, all on the same scales."""
    longest_s = max(map(len, sounds.values())) / RATE_HZ
    rows = -(-len(sounds) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(12, 2 * rows), sharex=True, sharey=True, layout="constrained")
    for (name, sound), axis in zip(sounds.items(), axes.flat, strict=True):
        # Natural logarithm of the power, in dB as people read it.
        decibels = get("log_mel")(sound, RATE_HZ, bands=40).T * 10 / np.log(10)
        extent = (0, len(sound) / RATE_HZ, 0, len(decibels))
        image = axis.imshow(
            decibels,
            origin="lower",
            aspect="auto",
            extent=extent,
            vmin=-60,
            vmax=10,
            cmap="magma",
            interpolation="none",
        )
        axis.set_title(title(name), fontsize=10)
        axis.set_xlim(0, longest_s)
    for axis in axes[-1]:
        axis.set_xlabel("seconds")
    for axis in axes[:, 0]:
        axis.set_ylabel("mel band")
    figure.colorbar(image, ax=axes, label="dB", pad=0.01)
    figure.savefig(path, dpi=70)


def main() -> None:
    sounds = copies(load(EXAMPLES / "neutral.flac", RATE_HZ)[: int(SECONDS * RATE_HZ)])
    picture(sounds, HERE / "augmentation.png")
    folder = HERE / "augmentation"
    folder.mkdir(exist_ok=True)
    for name, sound in sounds.items():
        # A file cannot hold more than ±1.
        within = sound / max(1.0, float(np.abs(sound).max()))
        soundfile.write(folder / f"{name}.ogg", within, RATE_HZ, format="OGG", subtype="VORBIS")


if __name__ == "__main__":
    main()
