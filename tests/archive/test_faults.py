"""What is wrong with sources, names and the folder itself: told, in the right words, and in the way of nothing else."""

from __future__ import annotations

import errno
import io
import os
import tarfile

import numpy as np
import pytest
import soundfile
import tiny

pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")
filelock = pytest.importorskip("filelock")
import pyarrow.parquet as pq  # noqa: E402

from intonate.archive import command  # noqa: E402
from intonate.archive.answers import open_job  # noqa: E402
from intonate.archive.job import Job, model_hash  # noqa: E402
from intonate.archive.run import archive  # noqa: E402
from intonate.archive.shards import shard_of  # noqa: E402
from intonate.archive.sources import entries  # noqa: E402
from intonate.errors import ArchiveError  # noqa: E402


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, tiny.speech(0.5, seed=1), 16_000)
    return path


def run(source, out, model):
    return archive([str(source)], out, model=str(model), workers=1)


def rows(out):
    return [row for path in (out / "answers").glob("*.parquet") for row in pq.read_table(path).to_pylist()]


def test_a_stretch_has_its_channels(tiny_model, tmp_path):
    left, right = tiny.speech(2.0, seed=1), 0.5 * tiny.speech(2.0, seed=2)
    for name, sound in {"call": np.stack([left, right], axis=1), "right": right, "part": right[3200:19200]}.items():
        soundfile.write(tmp_path / f"{name}.wav", sound, 16_000, "FLOAT")
    (tmp_path / "call.csv").write_text("file,start,end\ncall.wav,0.2,1.2\n")

    def answer(source, **options):
        job = Job(str(tiny_model), model_hash(str(tiny_model)), options)
        (row,) = open_job(job)(shard_of(tuple(entries([str(tmp_path / source)]))))
        return row

    part = answer("part.wav")
    assert answer("call.csv", channels="right")["scores"] == part["scores"] != answer("call.csv")["scores"]
    each = answer("call.csv", channels="each")
    told = [speaker["speaker"] for speaker in each["speakers"]] + each["warnings"]
    assert len(told) == 2
    call = tmp_path / "call.wav"
    assert answer("call.csv", channels=3)["error"] == f"{call} has 2 channels, so there is no channel 3"


def test_a_stretch_that_is_clipped_is_told_once(tiny_model, tmp_path):
    soundfile.write(tmp_path / "call.wav", np.clip(20 * tiny.speech(2.0), -1, 1), 44_100)
    (tmp_path / "call.csv").write_text("file,start,end\ncall.wav,0.2,0.7\n")
    archive([str(tmp_path / "call.csv")], tmp_path / "out", model=str(tiny_model), workers=1)
    (row,) = rows(tmp_path / "out")
    (warning,) = row["warnings"]
    assert warning.startswith(f"{tmp_path}/call.wav is clipped: ")


def test_a_name_that_is_no_unicode_and_a_member_that_is_cut_off_are_named(sound, tiny_model, tmp_path):
    source, content = tmp_path / "in", sound.read_bytes()
    source.mkdir()
    (source / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"no sound at all")
    with tarfile.open(tmp_path / "cut.tar", "w") as tar:
        about = tarfile.TarInfo("a.wav")
        about.size = len(content) // 2
        tar.addfile(about, io.BytesIO(content))
    sources = [str(source), str(source / os.fsdecode(b"caf\xe9.wav")), str(tmp_path / "cut.tar")]
    for _ in range(2):
        archive(sources, tmp_path / "out", model=str(tiny_model), workers=1, jsonl=True)
    bad, cut_off = sorted(rows(tmp_path / "out"), key=lambda row: row["error"] is None)
    assert bad["error"].startswith(f"{source}/caf\\udce9.wav")
    assert cut_off["warnings"][0].startswith(f"{tmp_path}/cut.tar/a.wav is damaged or cut off")


def test_a_source_that_was_mistyped_does_not_bind_the_folder(sound, tiny_model, tmp_path):
    with pytest.raises(ArchiveError, match=r"nowhere\.wav does not exist"):
        run(tmp_path / "nowhere.wav", tmp_path / "out", tiny_model)
    assert run(sound, tmp_path / "out", tiny_model).answered == 1
    assert run(tmp_path / ".." / tmp_path.name / "sound.wav", tmp_path / "out", tiny_model).answered == 0
    with pytest.raises(ArchiveError, match="memory of this process alone"):
        archive(["memory://folder"], tmp_path / "out", model=str(tiny_model))


def test_what_a_folder_holds_besides_is_told(sound, tiny_model, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.wav").write_bytes(sound.read_bytes())
    (tmp_path / "in/b.parquet").write_bytes(b"")
    command.run([str(tmp_path / "in")], tmp_path / "out", model=str(tiny_model), workers=1)
    assert "1 file was left out, not known as sound: 1 .parquet; for the sounds in" in capsys.readouterr().err


def test_what_is_damaged_in_the_folder_is_a_sentence(sound, tiny_model, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(sound, out, tiny_model)
    (table,), (plan,) = (out / "answers").glob("*.parquet"), (out / "plan").glob("*.jsonl")
    whole = table.read_bytes()
    table.write_bytes(whole[:100])  # as if its sounds were not answered yet
    assert "stopped (the same command goes on)" in command.run([], out, is_status=True)
    assert run(sound, out, tiny_model).answered == 1
    table.write_bytes(b"PAR1")
    with pytest.raises(ArchiveError, match=r"\.parquet cannot be read; remove it"):
        command.run([], out, is_status=True)
    table.write_bytes(whole)
    with monkeypatch.context() as patch:
        patch.setattr(filelock.FileLock, "acquire", read_only)
        assert "complete" in command.run([], out, is_status=True)
    plan.write_bytes(plan.read_bytes()[:-9])
    for action in (lambda: command.run([], out, is_status=True), lambda: run(sound, out, tiny_model)):
        with pytest.raises(ArchiveError, match=r"0001\.jsonl, line 1 is damaged.*another --out"):
            action()


def read_only(*_, **__):
    raise OSError(errno.EROFS, "Read-only file system")


@pytest.mark.parametrize("sources", [[], [""]])
def test_an_empty_name_is_no_source(tmp_path, monkeypatch, sound, sources):
    """Nor is it the folder that one works in."""
    monkeypatch.chdir(sound.parent)
    with pytest.raises(ArchiveError, match=r"^nothing to answer: name files, folders"):
        command.run(sources, tmp_path / "out")
