#!/usr/bin/env bash
# skl2onnx 1.20.0: a CalibratedClassifierCV around a pipeline that ends in an SVC, with two classes, is converted without
# complaint, with the sign of the decision turned round: every row gets the other label. The SVC without a pipeline is right.
# intonate compares what a file answers with what the model answered, before it gives it a name.
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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

rng = np.random.default_rng(0)
rows = np.concatenate([rng.normal(-1, 1, (60, 3)), rng.normal(1, 1, (60, 3))]).astype(np.float32)
classes = np.repeat([0, 1], 60)


def comparison(classifier):
    """The largest difference from scikit-learn's probabilities, and the share of rows with another label."""
    model = CalibratedClassifierCV(classifier, ensemble=False, cv=3).fit(rows, classes)
    graph = skl2onnx.to_onnx(model, rows[:1], options={"zipmap": False})
    answer = InferenceSession(graph.SerializeToString()).run(None, {"X": rows})[1]
    expected = model.predict_proba(rows)
    return np.abs(answer - expected).max(), np.mean(answer.argmax(axis=1) != expected.argmax(axis=1))


alone, pipeline = comparison(SVC()), comparison(make_pipeline(StandardScaler(), SVC()))
print("skl2onnx", skl2onnx.__version__, "scikit-learn", sklearn.__version__)
for name, (off, other) in (("alone", alone), ("in a pipeline", pipeline)):
    print(f"SVC {name}: probabilities off by {off:.6f} at most, {other:.0%} other labels")
if not (alone[0] < 1e-5 and pipeline[0] > 0.9 and pipeline[1] == 1):
    raise SystemExit("changed: expected the SVC alone to agree, and no label of the pipeline to do so")
print("as described")
PYTHON
