"""Ray answers as this machine's processes do, and a node that is lost costs nothing but time."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import tiny

pytest.importorskip("ray", reason="the extra `distributed` is not installed")
import pyarrow.parquet as pq

from intonate.archive import answers, cluster, local
from intonate.archive.job import Job, model_hash
from intonate.archive.places import file_entry
from intonate.archive.run import archive
from intonate.archive.shards import shard_of
from intonate.errors import ArchiveError
from intonate.onnx_session import ENVIRONMENT

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


@pytest.fixture
def job(tiny_model):
    return Job(str(tiny_model), model_hash(str(tiny_model)))


@pytest.fixture
def item(tmp_path):
    """A shard of three sounds, as Ray hands it to an actor."""
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", tiny.speech(0.5, seed=number), 16_000)
    shard = shard_of(tuple(file_entry(str(tmp_path / f"{number}.wav")) for number in range(3)))
    return {"name": shard.name, "shard": shard.to_json()}


def test_a_sound_that_ends_its_process_is_named_and_the_actor_lives_on(job, item, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(local, "_work", _fatal_work)
        patch.setattr(local, "LOSSES", 1)
        # The worker imports this module by the name that pytest gave it.
        patch.syspath_prepend(Path(__file__).parents[2])
        actor = cluster.Answerer(job)
        answered = [actor(item) for _ in range(2)]
    assert multiprocessing.active_children()  # one process for both
    for answer in answered:
        errors = [row["error"] or "" for row in json.loads(answer["rows"])]
        assert answer["name"] == item["name"]
        assert answer["error"] == errors[0] == errors[2] == ""
        assert "ended the process that answered it, 1 times" in errors[1]


def _fatal_work(connection, job):
    real = answers.fetch_sound

    def fetch_sound(entry):
        if entry.file.endswith("1.wav"):
            os._exit(9)
        return real(entry)

    answers.fetch_sound = fetch_sound
    real_work(connection, job)


real_work = local._work


def test_an_error_of_ours_is_told_by_the_actor_and_the_device_is_that_of_the_archive(job, item, tmp_path, monkeypatch):
    actor = cluster.Answerer(dataclasses.replace(job, device="nothing"))
    for _ in range(2):
        answer = actor(item)
        assert (answer["rows"], answer["error"][:30]) == ("[]", "device 'nothing' is not known;")
    # What the command line sets is there in its own process alone.
    monkeypatch.setenv(ENVIRONMENT, "cpu")
    jobs = []
    monkeypatch.setattr(cluster, "run", lambda shards, job, *_: jobs.append(job) or (shard for shard in ()))
    archive([str(tmp_path / "0.wav")], tmp_path / "out", model=job.model, engine="ray")
    assert [job.device for job in jobs] == ["cpu"]


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nothing_listens_is_a_sentence_at_once(job, scheme, monkeypatch):
    monkeypatch.setattr(cluster.require("ray", "distributed"), "init", None)  # which would ask for minutes
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ArchiveError, match=r"Ray cluster at .* cannot be reached: .*refused; give the HOST:PORT"):
        next(cluster.run([], job, 1, f"{scheme}127.0.0.1:{port}"))
    with pytest.raises(ArchiveError, match=r"cannot be reached: Port could not be cast to integer.*give the HOST:PORT"):
        next(cluster.run([], job, 1, f"{scheme}127.0.0.1:here"))
