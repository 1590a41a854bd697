"""Products on one thread: what numpy would have, and no thread of BLAS that turns in circles beside it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intonate.audio.products import PIECE, product
from intonate.features import CATALOGUE

ROOT = Path(__file__).parents[2]
# What other threads compute is in the time of the process, and not in that of the thread that asks.
BESIDE = """
import time
import numpy as np
noise = np.random.default_rng(0).normal(0, 0.1, {seconds} * 16_000).astype(np.float32)
{prepare}
answer()
time.sleep(0.5)  # numpy's threads turn in circles when they are new, too
process_s, thread_s = time.process_time(), time.thread_time()
for _ in range({times}):
    answer()
thread_s, process_s = time.thread_time() - thread_s, time.process_time() - process_s
print(process_s / thread_s - 1)
"""
# Those that need a model, or another front end, to begin with.
OF_OTHERS = ("encoded", "pooled", "windows")


def share_beside(prepare, seconds, times):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "PYTHONPATH": str(ROOT / "src")}
    code = BESIDE.format(prepare=prepare, seconds=seconds, times=times)
    return float(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)


@given(st.integers(0, 900), st.integers(1, 40), st.integers(1, 300), st.booleans())
def test_the_product_is_numpys(rows, inner, columns, into_columns):
    generator = np.random.default_rng(rows * inner + columns)
    left = generator.normal(size=(rows, inner)).astype(np.float32)
    matrix = generator.normal(size=(inner, columns)).astype(np.float32)
    out = np.full((rows, columns + 2), 7.0, np.float32)[:, 1:-1] if into_columns else None
    found = product(left, matrix, out)
    assert out is None or found is out
    np.testing.assert_allclose(found, left @ matrix, rtol=1e-4, atol=1e-4)


def test_a_matrix_larger_than_one_piece():
    matrix = np.ones((PIECE // 100, 250), np.float32)
    found = product(np.ones((3, len(matrix)), np.float32), matrix)
    assert (found == len(matrix)).all()


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in OF_OTHERS])
def test_no_front_end_wakes_other_threads(name):
    prepare = f"from intonate import features\nanswer = lambda: features.get({name!r})(noise, 16_000)"
    assert share_beside(prepare, 20, 2) < 0.3


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
@pytest.mark.parametrize("model", ["compact", "standard"])
def test_no_answer_wakes_other_threads(model):
    prepare = f"""
import soundfile
from intonate import load_model
model = load_model({model!r})
samples, rate_hz = soundfile.read({str(ROOT / "examples" / "changing.flac")!r}, dtype="float32")
def answer():
    assert model.predict((samples, rate_hz), speakers="auto").label != "silence"
    stream = model.stream(rate_hz)
    for start in range(0, len(samples), 1000):
        stream.push(samples[start : start + 1000])
"""
    assert share_beside(prepare, 0, 2) < 0.3
