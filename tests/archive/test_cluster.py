"""Ray answers as this machine's processes do, and a node that is lost costs nothing but time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import tiny

pytest.importorskip("ray", reason="the extra `distributed` is not installed")
import pyarrow.parquet as pq

from intonate.archive.run import archive

SOURCE = str(Path(__file__).parents[2] / "src")
# In a process of its own: Ray's warnings are its own, and what it leaves behind ends with it.
LOSES_A_NODE = """
import sys
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from intonate.archive.run import archive

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
other = cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, log_to_driver=False)
killed = []

def show(progress):
    if progress.answered and not killed:
        killed.append(progress.answered)
        cluster.remove_node(other, allow_graceful=False)

done = archive([sys.argv[1]], Path(sys.argv[2]), model=sys.argv[3], workers=2, engine="ray", shard_files=2, show=show)
print("done", done.answered, "killed at", *killed)
ray.shutdown()
cluster.shutdown()
"""


def rows(out):
    found = [row for path in (out / "answers").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    return sorted(found, key=lambda row: row["file"])


@pytest.mark.slow
def test_a_lost_node_costs_nothing_but_time(tiny_model, tmp_path):
    sounds = tmp_path / "in"
    sounds.mkdir()
    for number in range(24):
        soundfile.write(sounds / f"{number:03d}.wav", tiny.speech(1.0, seed=number), 16_000)
    (sounds / "003.wav").write_bytes(b"no sound")
    archive([str(sounds)], tmp_path / "local", model=str(tiny_model), workers=1, shard_files=2)
    done = subprocess.run(
        [sys.executable, "-c", LOSES_A_NODE, sounds, tmp_path / "ray", tiny_model],
        env=os.environ | {"PYTHONPATH": SOURCE, "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "done 24 killed at" in done.stdout, done.stderr[-3000:]
    assert "Deprecat" not in done.stderr
    assert rows(tmp_path / "ray") == rows(tmp_path / "local")
