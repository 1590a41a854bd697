"""Make the example clips: espeak-ng speaks in three manners, a little signal code gives each its colour and level.

    python examples/make_examples.py        # writes the FLAC files beside this script; needs espeak-ng

The voice is a machine's. The manners follow what is known of actors' voices; within that, their numbers were chosen so
that `standard` answers as meant. So the clips show the commands, and nothing of how good a model is.
"""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

HERE = Path(__file__).parent
RATE_HZ = 16_000
# Level of the room behind every clip: digital silence is found in no real recording.
ROOM_DBFS = -66.0

Waveform = NDArray[np.float64]


@dataclass(frozen=True)
class Style:
    """A manner of speaking, as studies of voices describe it (Banse and Scherer 1996; Juslin and Laukka 2003).

    Attributes:
        voice: espeak-ng's voice and variant.
        pitch: 0 to 99, espeak-ng's own scale.
        words_per_minute: rate, before `speed`.
        melody: range of the pitch in percent of the voice's own.
        level_dbfs: root mean square of the speech.
        speed: played so much faster, and higher with it: a body under tension, or one that is slack.
        tilt: one-pole filter y[n] = x[n] + tilt * x[n - 1]; above 0 the voice is dull, under 0 it is pressed.
        drive: tanh(drive * x) of the peak-normalised voice, the harmonics of a voice that is raised; 0 for none.
        tremor_hz: slow wavering of the level; 0 for none.
    """

    voice: str
    pitch: int
    words_per_minute: int
    melody: int
    level_dbfs: float
    speed: float = 1.0
    tilt: float = 0.0
    drive: float = 0.0
    tremor_hz: float = 0.0


# Anger: high, fast, loud, pressed. Sadness: low, slow, soft, dull, unsteady, without melody. Neutral: the middle.
STYLES = {
    "neutral": Style("en-gb-scotland+klatt", 41, 170, 30, level_dbfs=-24.0),
    "angry": Style("en-gb", 88, 197, 190, level_dbfs=-14.0, speed=1.33, tilt=-0.8, drive=3.0),
    "sad": Style("en-gb-scotland+klatt3", 32, 117, 20, level_dbfs=-36.0, speed=0.85, tilt=0.9, tremor_hz=6.0),
}
# Clip name -> what is said in which style.
CLIPS = {
    "neutral": [("neutral", "The parcel is on the table by the window.")],
    "angry": [("angry", "No! I told you not to touch it! Get out of here!")],
    "sad": [("sad", "It is gone. It will not come back again.")],
    "changing": [
        ("neutral", "The parcel is on the table by the window, and the key is under the mat."),
        (
            "angry",
            "No! Stop it! They have changed it again! I told you not to touch it! Give me back my ticket, right now!",
        ),
        ("sad", "It is gone. It will not come back again. It is gone."),
    ],
}


def speak(text: str, style: Style) -> Waveform:
    """espeak-ng's voice in that style, (samples,) at 16 kHz."""
    ssml = f'<speak><prosody range="{style.melody}%">{text}</prosody></speak>'
    options = ["-v", style.voice, "-p", str(style.pitch), "-s", str(style.words_per_minute), "-m", "--stdout"]
    spoken = subprocess.run(["espeak-ng", *options, ssml], check=True, capture_output=True).stdout
    speech, rate_hz = sf.read(io.BytesIO(spoken))
    return np.asarray(soxr.resample(speech, rate_hz * style.speed, RATE_HZ))


def colour(speech: Waveform, style: Style) -> Waveform:
    """The style's drive, tilt, tremor and level."""
    if style.drive:
        speech = np.tanh(style.drive * speech / np.abs(speech).max())
    tilted = speech.copy()
    tilted[1:] += style.tilt * speech[:-1]
    if style.tremor_hz:
        time_s = np.arange(len(tilted)) / RATE_HZ
        tilted *= 1 - 0.4 * (1 + np.sin(2 * np.pi * style.tremor_hz * time_s)) / 2
    return tilted * 10 ** (style.level_dbfs / 20) / np.sqrt(np.mean(tilted**2))


def clip(parts: list[tuple[str, str]], rng: np.random.Generator) -> Waveform:
    """The parts one after the other, with 0.3 s of room around each."""
    pause = np.zeros(int(0.3 * RATE_HZ))
    pieces = [pause]
    for name, text in parts:
        pieces += [colour(speak(text, STYLES[name]), STYLES[name]), pause]
    dry = np.concatenate(pieces)
    return np.clip(dry + rng.normal(0.0, 10 ** (ROOM_DBFS / 20), len(dry)), -1.0, 1.0)


def main() -> None:
    for name, parts in CLIPS.items():
        rng = np.random.default_rng(7)
        waveform = clip(parts, rng)
        path = HERE / f"{name}.flac"
        sf.write(path, waveform, RATE_HZ, subtype="PCM_16")
        print(f"{path.name}: {len(waveform) / RATE_HZ:.1f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
