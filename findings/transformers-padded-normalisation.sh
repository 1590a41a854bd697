#!/usr/bin/env bash
# transformers 5.23.0: Wav2Vec2FeatureExtractor with return_attention_mask=False (what HuBERT-base and wav2vec2-base ship)
# normalises a batch after it was padded. A clip beside one of three times its length gets a deviation of 1.73 instead of 1:
# the same clip, another input and possibly another label, by what it was batched with.
# intonate batches such models by equal length only.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 transformers==5.23.0
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import transformers
from transformers import Wav2Vec2FeatureExtractor

rng = np.random.default_rng(0)
clip, longer = (rng.normal(0, 0.1, 16_000 * seconds).astype(np.float32) for seconds in (1, 3))
prepare = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=False)
alone = prepare(clip, sampling_rate=16_000, return_tensors="np").input_values[0]
beside = prepare([clip, longer], sampling_rate=16_000, padding=True, return_tensors="np").input_values[0]
print("transformers", transformers.__version__)
print(f"standard deviation of the clip: {alone.std():.3f} alone, {beside[: len(clip)].std():.3f} beside a longer one")
if not (abs(alone.std() - 1) < 0.01 and abs(beside[: len(clip)].std() - 3**0.5) < 0.02):
    raise SystemExit("changed: expected 1 alone and the square root of 3 beside a clip three times as long")
print("as described")
PYTHON
