#!/usr/bin/env bash
# skl2onnx 1.20.0: isotonic calibration is a line from knot to knot in scikit-learn; converted, it is a staircase. Between
# two knots the probability is that of a knot: off by up to 0.15 here, enough to turn a label.
# intonate calibrates with one temperature.
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
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import LinearSVC

rng = np.random.default_rng(0)
rows = np.concatenate([rng.normal(-1, 1, (60, 3)), rng.normal(1, 1, (60, 3))]).astype(np.float32)
classes = np.repeat([0, 1], 60)
# A line through the rows, finely: what is answered between the knots.
line = (np.linspace(-1, 1, 2001, dtype=np.float32)[:, None] * np.ones(3, np.float32)).astype(np.float32)


def answers(method):
    model = CalibratedClassifierCV(LinearSVC(), method=method, ensemble=False, cv=3).fit(rows, classes)
    graph = skl2onnx.to_onnx(model, rows[:1], options={"zipmap": False})
    answer = InferenceSession(graph.SerializeToString()).run(None, {"X": line})[1]
    return model.predict_proba(line)[:, 1], answer[:, 1]


print("skl2onnx", skl2onnx.__version__, "scikit-learn", sklearn.__version__)
off, values = {}, {}
for method in ("sigmoid", "isotonic"):
    expected, answer = answers(method)
    off[method] = float(np.abs(expected - answer).max())
    values[method] = len(np.unique(expected.round(5))), len(np.unique(answer.round(5)))
    print(f"{method}: off by {off[method]:.6f} at most; {values[method][0]} values expected, {values[method][1]} answered")
if not (off["sigmoid"] < 1e-5 and off["isotonic"] > 0.05 and values["isotonic"][1] < values["isotonic"][0] / 4):
    raise SystemExit("changed: expected the sigmoid to agree, and the isotonic one to answer with a few values only")
print("as described")
PYTHON
