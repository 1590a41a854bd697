"""Make the example clips: espeak-ng speaks, a little signal code gives each style its colour and its level.

    python examples/make_examples.py        # writes the FLAC files beside this script; needs espeak-ng

The voice is a machine's. The clips show the commands; what a model answers on them says little about people.
"""

from __future__ import annotations

import subprocess
import tempfile
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
    """A way of speaking.

    Attributes:
        prosody: attributes of SSML's `<prosody>`.
        level_dbfs: root mean square of the speech.
        tilt: one-pole filter y[n] = x[n] + tilt * x[n - 1]; above 0 the voice is dull, under 0 it is pressed.
        tremor_hz: slow wavering of the level; 0 for none.
    """

    prosody: str
    level_dbfs: float
    tilt: float = 0.0
    tremor_hz: float = 0.0


STYLES = {
    "plain": Style('pitch="45%" range="40%" rate="95%"', level_dbfs=-24.0),
    "lively": Style('pitch="75%" range="95%" rate="120%"', level_dbfs=-16.0, tilt=-0.6),
    "subdued": Style('pitch="25%" range="10%" rate="70%"', level_dbfs=-32.0, tilt=0.8, tremor_hz=4.5),
}
# Clip name -> what is said in which style.
CLIPS = {
    "plain": [("plain", "The parcel is on the table by the window.")],
    "lively": [("lively", "You came all this way! I can hardly believe it!")],
    "subdued": [("subdued", "There is nobody left in the house.")],
    "changing": [
        ("plain", "The train leaves at ten past nine from platform four."),
        ("lively", "No, wait! They have changed it again! Run, it is leaving from the other side!"),
        ("subdued", "It is gone. There is no other train today."),
    ],
}


def speak(text: str, prosody: str) -> Waveform:
    """espeak-ng's English voice, (samples,) at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        ssml = f"<speak><prosody {prosody}>{text}</prosody></speak>"
        subprocess.run(["espeak-ng", "-v", "en-gb", "-m", "-w", str(path), ssml], check=True)
        speech, rate_hz = sf.read(path)
    return np.asarray(soxr.resample(speech, rate_hz, RATE_HZ))


def colour(speech: Waveform, style: Style) -> Waveform:
    """The style's tilt, tremor and level."""
    tilted = speech.copy()
    tilted[1:] += style.tilt * speech[:-1]
    if style.tremor_hz:
        time_s = np.arange(len(tilted)) / RATE_HZ
        tilted *= 1 - 0.3 * (1 + np.sin(2 * np.pi * style.tremor_hz * time_s)) / 2
    return tilted * 10 ** (style.level_dbfs / 20) / np.sqrt(np.mean(tilted**2))


def clip(parts: list[tuple[str, str]], rng: np.random.Generator) -> Waveform:
    """The parts one after the other, with 0.3 s of room around each."""
    pause = np.zeros(int(0.3 * RATE_HZ))
    pieces = [pause]
    for name, text in parts:
        pieces += [colour(speak(text, STYLES[name].prosody), STYLES[name]), pause]
    dry = np.concatenate(pieces)
    return np.clip(dry + rng.normal(0.0, 10 ** (ROOM_DBFS / 20), len(dry)), -1.0, 1.0)


def main() -> None:
    rng = np.random.default_rng(7)
    for name, parts in CLIPS.items():
        waveform = clip(parts, rng)
        path = HERE / f"{name}.flac"
        sf.write(path, waveform, RATE_HZ, subtype="PCM_16")
        print(f"{path.name}: {len(waveform) / RATE_HZ:.1f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
