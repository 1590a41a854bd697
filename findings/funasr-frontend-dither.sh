#!/usr/bin/env bash
# funasr 1.4.16: the front end of SenseVoice and Paraformer adds noise to the sound (dither=1.0) in inference, too, unless its
# configuration says otherwise, and kaldi-native-fbank draws it anew for each call: one sound has other features every time.
# Seen: a sine of 220 Hz at -23 dBFS differs from itself by up to about 2 in log-mel (0.17 in the mean), digital silence by
# about 7; with dither=0.0 both are equal to the last bit. intonate's front end has no dither.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
  funasr==1.4.16 kaldi-native-fbank==1.23.0 torch==2.13.0
"$folder/env/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import torch
from funasr.frontends.wav_frontend import WavFrontend

SECOND = 16_000
sine = torch.tensor(0.1 * np.sin(2 * np.pi * 220 * np.arange(SECOND) / SECOND), dtype=torch.float32)[None]
sounds = {"sine": sine, "silence": torch.zeros(1, SECOND)}
shape = {"fs": SECOND, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10, "lfr_m": 7, "lfr_n": 6}


def difference(sound: torch.Tensor, **options: float) -> float:
    """The largest difference of two analyses of one sound."""
    front_end = WavFrontend(**shape, **options)
    first, second = (front_end(sound, torch.tensor([SECOND]))[0] for _ in range(2))
    return float((first - second).abs().max())


usual = {name: difference(sound) for name, sound in sounds.items()}
without = {name: difference(sound, dither=0.0) for name, sound in sounds.items()}
print("funasr", version("funasr"), "kaldi-native-fbank", version("kaldi-native-fbank"))
print("twice the same sound, largest difference in log-mel:", {name: round(value, 2) for name, value in usual.items()})
print("with dither=0.0:", without)
if min(usual.values()) < 0.5 or max(without.values()) > 0:
    raise SystemExit("changed: expected other features at each call, and the same ones without dither")
print("as described")
PYTHON
