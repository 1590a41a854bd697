#!/usr/bin/env bash
# skl2onnx 1.20.0: forests of scikit-learn learn which way a missing value goes at each split. Converted, such a forest
# answers as before where nothing is missing, and follows other branches where something is, without a word.
# intonate's features have no missing values.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 scikit-learn==1.9.1 skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.31.1
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import skl2onnx
import sklearn
from onnxruntime import InferenceSession
from sklearn.ensemble import RandomForestClassifier

rng = np.random.default_rng(0)
rows = rng.normal(size=(400, 3)).astype(np.float32)
classes = (rows[:, 0] + rows[:, 1] > 0).astype(int)
rows[rng.random(rows.shape) < 0.2] = np.nan
missing = np.isnan(rows).any(axis=1)

model = RandomForestClassifier(20, random_state=0).fit(rows, classes)
graph = skl2onnx.to_onnx(model, rows[:1], options={"zipmap": False})
answer = InferenceSession(graph.SerializeToString()).run(None, {"X": rows})[1]
expected = model.predict_proba(rows)
off = np.abs(answer - expected).max(axis=1)
labels = answer.argmax(axis=1) != expected.argmax(axis=1)
print("skl2onnx", skl2onnx.__version__, "scikit-learn", sklearn.__version__)
for name, which in (("complete", ~missing), ("with a missing value", missing)):
    print(f"{which.sum()} rows {name}: probabilities off by {off[which].max():.6f}, {labels[which].mean():.0%} other labels")
if not (off[~missing].max() < 1e-5 and off[missing].max() > 0.5 and labels[missing].mean() > 0.1):
    raise SystemExit("changed: expected complete rows to agree, and labels of the others to differ")
print("as described")
PYTHON
