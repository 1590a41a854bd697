"""Every file has one row, whatever happens: kills, lost workers, a full disk, bad files."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
import soundfile
import tiny

pa = pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")
pytest.importorskip("filelock")
import pyarrow.parquet as pq  # noqa: E402

from intonate.archive import command, folder, local  # noqa: E402
from intonate.archive.places import Entry  # noqa: E402
from intonate.archive.run import archive  # noqa: E402
from intonate.archive.shards import Shard, cut  # noqa: E402
from intonate.archive.sources import entries  # noqa: E402
from intonate.errors import ArchiveError  # noqa: E402

FILES, SHARD_FILES = 24, 4
SOURCE = str(Path(__file__).parents[2] / "src")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A folder with a bad file in every shard."""
    root = tmp_path_factory.mktemp("sounds")
    for number in range(FILES):
        path = root / f"{number:03d}.wav"
        if number % SHARD_FILES == 1:
            path.write_bytes(b"no sound at all")
        else:
            soundfile.write(path, tiny.speech(0.5 + 0.2 * (number % 5), seed=number), 16_000)
    return root


@pytest.fixture(scope="module")
def undisturbed(sounds, tiny_model, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    done = run(sounds, out, tiny_model)
    assert (done.answered, done.errors) == (FILES, FILES // SHARD_FILES)
    return rows(out)


def run(sources, out, model, **options):
    options = {"workers": 2, "shard_files": SHARD_FILES} | options
    return archive([str(sources)], out, model=str(model), **options)


def rows(out):
    """All rows, by file: there is one each."""
    found = [row for path in sorted((out / "answers").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert len(found) == len({row["file"] for row in found})
    return sorted(found, key=lambda row: row["file"])


def test_a_row_tells_what_was_answered_or_why_not(undisturbed, sounds):
    assert [row["file"] for row in undisturbed] == [str(path) for path in sorted(sounds.iterdir())]
    good, bad = undisturbed[0], undisturbed[1]
    assert good["error"] is None
    assert sum(good["scores"].values()) == pytest.approx(1)
    assert good["duration"] == pytest.approx(0.5)
    assert good["guess"] == max(good["scores"], key=good["scores"].get)
    assert (len(good["hash"]), good["bytes"]) == (64, os.path.getsize(good["file"]))
    assert bad["label"] is None
    assert bad["error"].startswith(bad["file"])


def test_killed_at_random_moments_it_goes_on(undisturbed, sounds, tiny_model, tmp_path):
    out, rng = tmp_path / "out", random.Random(0)
    code = "import sys; from intonate.archive.run import archive; from pathlib import Path; archive([sys.argv[1]],"
    code += f" Path(sys.argv[2]), model=sys.argv[3], workers=1, shard_files={SHARD_FILES})"
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, sounds, out, tiny_model],
            env=os.environ | {"PYTHONPATH": SOURCE},
            stderr=subprocess.DEVNULL,
        )
        time.sleep(rng.uniform(0.3, 1.5))
        process.kill()
        process.wait()
    time.sleep(0.5)
    run(sounds, out, tiny_model)
    assert rows(out) == undisturbed
    assert not list((out / "answers").glob(".*"))
    assert "complete" in command.run([], out, is_status=True)


def test_a_lost_worker_is_replaced(undisturbed, sounds, tiny_model, tmp_path, monkeypatch):
    started, begin = [], local._Worker.__init__

    def watched(self, job):
        begin(self, job)
        started.append(self._process.pid)

    monkeypatch.setattr(local._Worker, "__init__", watched)
    killed = []

    def show(progress):
        if progress.begun and not killed:
            killed.append(started[0])
            os.kill(started[0], signal.SIGKILL)

    run(sounds, tmp_path / "out", tiny_model, show=show)
    assert killed
    assert len(started) > 2
    assert rows(tmp_path / "out") == undisturbed


def test_a_file_that_ends_its_worker_gets_a_row(sounds, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "_work", _fatal_work)
    # The worker imports this module by the name that pytest gave it.
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    run(sounds, tmp_path / "out", tiny_model)
    bad = [row for row in rows(tmp_path / "out") if "ended the process" in (row["error"] or "")]
    assert [Path(row["file"]).name for row in bad] == ["006.wav"]


def _fatal_work(connection, job):
    from intonate.archive import answers

    real = answers.fetch_sound

    def fetch_sound(entry):
        if entry.file.endswith("006.wav"):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(entry)

    answers.fetch_sound = fetch_sound
    answer = answers.open_job(job)
    while True:
        try:
            shard, faults = connection.recv()
        except EOFError:
            return
        connection.send(answer(shard, faults, connection.send))


def test_a_full_disk_is_a_sentence_and_loses_nothing(undisturbed, sounds, tiny_model, tmp_path, monkeypatch):
    out, real, written = tmp_path / "out", os.fsync, []

    def fsync(descriptor):
        written.append(descriptor)
        if len(written) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(folder.os, "fsync", fsync)
        with pytest.raises(ArchiveError, match=r"no space left on device.*make room"):
            run(sounds, out, tiny_model)
    assert 0 < len(rows(out)) < FILES
    assert "stopped" in command.run([], out, is_status=True)
    run(sounds, out, tiny_model)
    assert rows(out) == undisturbed


def test_json_lines_are_the_same_rows(undisturbed, sounds, tiny_model, tmp_path):
    run(sounds, tmp_path / "out", tiny_model, jsonl=True)
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "out/jsonl").glob("*.jsonl")]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    assert sorted(lines, key=lambda line: line["file"]) == undisturbed  # an error has all columns, too
    # What reads a folder as a table reads all of its files.
    assert {path.suffix for path in (tmp_path / "out/answers").iterdir()} == {".parquet"}


def test_json_lines_of_an_earlier_version_are_put_in_their_folder(sounds, tiny_model, tmp_path):
    out = tmp_path / "out"
    run(sounds, out, tiny_model, jsonl=True)
    content = {path.name: path.read_bytes() for path in (out / "jsonl").iterdir()}
    for path in (out / "jsonl").iterdir():
        path.rename(out / "answers" / path.name)
    (out / "jsonl").rmdir()
    assert run(sounds, out, tiny_model, jsonl=True).answered == 0
    assert {path.name: path.read_bytes() for path in (out / "jsonl").iterdir()} == content
    assert not list((out / "answers").glob("*.jsonl"))


def test_new_files_are_added(sounds, tiny_model, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.wav").write_bytes((sounds / "000.wav").read_bytes())
    assert run(source, tmp_path / "out", tiny_model).answered == 1
    assert run(source, tmp_path / "out", tiny_model).answered == 0
    (source / "b.wav").write_bytes((sounds / "002.wav").read_bytes())
    assert run(source, tmp_path / "out", tiny_model).answered == 1
    assert len(rows(tmp_path / "out")) == 2


def test_files_that_have_changed_since_are_told(sounds, tiny_model, tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    content = (sounds / "000.wav").read_bytes()
    (source / "a.wav").write_bytes(content[: len(content) // 2])  # still on its way
    command.run([str(source)], tmp_path / "out", model=str(tiny_model), workers=1)
    assert "changed since" not in capsys.readouterr().err
    (source / "a.wav").write_bytes(content)
    said = command.run([str(source)], tmp_path / "out", model=str(tiny_model), workers=1)
    assert "nothing is new, 1 file answered already" in said
    assert "changed since they were answered, with the rows of before: 1 file; --again" in capsys.readouterr().err


def test_what_has_changed_or_failed_is_answered_again_and_nothing_else(sounds, tiny_model, tmp_path, capsys):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    content = (sounds / "000.wav").read_bytes()
    (source / "a.wav").write_bytes(content[: len(content) // 2])  # still on its way
    (source / "b.wav").write_bytes(content)
    (source / "c.wav").write_bytes(b"")
    options = {"model": str(tiny_model), "workers": 1, "jsonl": True}
    assert "1 of them could not be answered: see the column error, and --again" in command.run(
        [str(source)], out, **options
    )
    kept = {Path(row["file"]).name: row for row in rows(out)}

    for name in ("a.wav", "c.wav"):
        (source / name).write_bytes(content)
    assert "nothing is new, 3 files answered already" in command.run([str(source)], out, **options)
    assert "--again answers them anew" in capsys.readouterr().err
    assert command.run([str(source)], out, again=True, **options).startswith("2 files, ")
    anew = {Path(row["file"]).name: row for row in rows(out)}
    assert len(rows(out)) == 3
    assert anew["b.wav"] == kept["b.wav"]
    assert anew["a.wav"]["hash"] == anew["c.wav"]["hash"] == kept["b.wav"]["hash"] != kept["a.wav"]["hash"]
    assert [row["error"] for row in anew.values()] == [None] * 3
    lines = [line for path in out.glob("jsonl/*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    assert [json.loads(line)["hash"] for line in lines] == [kept["b.wav"]["hash"]] * 3

    assert "nothing is new, 3 files answered already" in command.run([str(source)], out, again=True, **options)
    assert "changed since" not in capsys.readouterr().err


def test_a_change_that_keeps_the_size_is_told_by_its_time(sounds, tiny_model, tmp_path, capsys):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name, seed in (("a.wav", 1), ("b.wav", 2)):
        soundfile.write(source / name, tiny.speech(1.0, seed=seed), 16_000)
    options = {"model": str(tiny_model), "workers": 1}
    command.run([str(source)], out, **options)
    kept = {Path(row["file"]).name: row for row in rows(out)}
    soundfile.write(source / "a.wav", tiny.speech(1.0, seed=3), 16_000)
    assert "nothing is new, 2 files" in command.run([str(source)], out, **options)
    assert "changed since they were answered, with the rows of before: 1 file; --again" in capsys.readouterr().err
    assert command.run([str(source)], out, again=True, **options).startswith("1 file, ")
    anew = {Path(row["file"]).name: row for row in rows(out)}
    assert (anew["b.wav"], anew["a.wav"]["bytes"]) == (kept["b.wav"], kept["a.wav"]["bytes"])
    assert anew["a.wav"]["hash"] != kept["a.wav"]["hash"]
    assert "nothing is new, 2 files" in command.run([str(source)], out, again=True, **options)
    assert "changed since" not in capsys.readouterr().err
    os.utime(source / "b.wav", (2e10, 2e10))  # a time that is still to come, by another machine's clock
    assert "nothing is new, 2 files" in command.run([str(source)], out, **options)
    assert "changed since" not in capsys.readouterr().err


def test_a_row_of_a_table_that_is_wrong_is_one_error(sounds, tiny_model, tmp_path):
    paths = [sounds / name for name in ("000.wav", "002.wav", "003.wav")]
    times = ("0.1,0.4", "soon,0.4", ",")
    lines = ["file,begin,offset", *(f"{path},{time}" for path, time in zip(paths, times, strict=True))]
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    done = run(tmp_path / "list.csv", tmp_path / "out", tiny_model)
    assert (done.answered, done.errors) == (3, 1)
    (error,) = (row["error"] for row in rows(tmp_path / "out") if row["error"])
    assert error == f"{tmp_path / 'list.csv'}, row 3: start is 'soon'; expected a number, zero or more"
    assert run(tmp_path / "list.csv", tmp_path / "out", tiny_model).answered == 0


def test_a_damaged_table_is_named(sounds, tiny_model, tmp_path):
    run(sounds / "000.wav", tmp_path / "out", tiny_model)
    (table,) = (tmp_path / "out/answers").glob("*.parquet")
    table.write_bytes(b"PAR1")
    with pytest.raises(ArchiveError, match=r"\.parquet cannot be read; remove it"):
        run(sounds / "000.wav", tmp_path / "out", tiny_model, again=True)


def test_tar_parquet_manifest_and_url_give_the_same_answers(undisturbed, sounds, tiny_model, tmp_path):
    content = (sounds / "000.wav").read_bytes()
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        for name in ("a.txt", "a.wav"):
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    pq.write_table(pa.table({"audio": [{"bytes": content, "path": "a.wav"}, None]}), tmp_path / "s.parquet")
    (tmp_path / "s.csv").write_text(f"file,start,end\n{sounds / '000.wav'},,\n{sounds / '000.wav'},0.1,0.4\nno.wav,,\n")
    sources = [str(tmp_path / name) for name in ("s.tar", "s.parquet", "s.csv")] + [f"file://{sounds}/000.wav"]
    archive(sources, tmp_path / "out", model=str(tiny_model), workers=1)
    found = [row for path in (tmp_path / "out/answers").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    whole = [row for row in found if row["error"] is None and row["end"] is None]
    # Batches differ, so the last bits may.
    assert [row["scores"] for row in whole] == [pytest.approx(undisturbed[0]["scores"], abs=1e-6)] * 4
    assert {row["hash"] for row in whole} == {undisturbed[0]["hash"]}
    assert [row["duration"] for row in found if row["end"]] == [pytest.approx(0.3)]
    assert sorted(Path(row["file"]).name for row in found if row["error"]) == ["no.wav", "s.parquet#1"]


def test_shards_are_named_by_what_is_in_them():
    sounds = [Entry(f"{number}.wav", f"{number}.wav", size=number) for number in range(5)]
    shards = list(cut(sounds, files=2))
    assert [len(shard.entries) for shard in shards] == [2, 2, 1]
    assert [shard.name for shard in cut(sounds, files=2)] == [shard.name for shard in shards]
    assert next(cut([sounds[0]._replace(size=9), *sounds[1:]], files=2)).name != shards[0].name
    assert Shard.from_json(shards[1].to_json()) == shards[1]


def test_shards_are_small_beside_the_whole():
    hours = [Entry(f"{number}.wav", f"{number}.wav", size=32_000 * 60) for number in range(20 * 60)]
    sizes = [len(shard.entries) for shard in cut(hours)]
    assert (sizes[0], sum(sizes)) == (4, len(hours))
    assert sizes == sorted(sizes[:-1]) + sizes[-1:]
    assert max(sizes) <= len(hours) / 50
    assert max(len(shard.entries) for shard in cut(hours, longest_s=3600, shortest_s=1e6)) == 60
    mixed = [Entry("a.opus", "a.opus", size=720_000), Entry("b.flac", "b.flac", size=720_000)] * 8
    assert [len(shard.entries) for shard in cut(mixed)] == [1] + 7 * [2] + [1]
    assert len(list(cut([Entry("c.wav", "c.wav", start_s=1.0, end_s=2.0, size=10**9)] * 100))) == 1


def test_what_is_not_there_or_holds_nothing_is_a_sentence(tmp_path):
    (tmp_path / "x.csv").write_text("name\na.wav\n")
    (tmp_path / "x.tar").write_bytes(b"no tar")
    (tmp_path / "x.parquet").write_bytes(b"no parquet")
    for source, sentence in {
        "missing": "does not exist",
        "*.flac": "nothing matches",
        "x.csv": "no column named file; it has name",
        "x.tar": "is no tar",
        "x.parquet": "is no Parquet file",
        "x.tar.gz": "does not exist",
    }.items():
        with pytest.raises(ArchiveError, match=sentence):
            list(entries([str(tmp_path / source)]))
    with pytest.raises(ArchiveError, match="does not exist"):
        list(entries([f"file://{tmp_path}/missing.wav"]))


def test_credentials_that_fail_are_a_sentence(monkeypatch):
    fsspec = pytest.importorskip("fsspec")

    def refuse(*_, **__):
        raise PermissionError("Forbidden")

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "isdir", refuse)
    with pytest.raises(ArchiveError, match=r"cannot be listed \(PermissionError: Forbidden\); check .* credentials"):
        list(entries(["memory://bucket/folder"]))


def test_nothing_of_others_is_overwritten(sounds, tiny_model, tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(ArchiveError, match="other things in it"):
        run(sounds, foreign, tiny_model)
    assert os.listdir(foreign) == ["thesis.txt"]
    with pytest.raises(ArchiveError, match="is a file"):
        run(sounds, foreign / "thesis.txt", tiny_model)
    out = tmp_path / "out"
    run(sounds, out, tiny_model)
    before = {path: path.read_bytes() for path in (out / "answers").iterdir()}
    with pytest.raises(ArchiveError, match="begun with other sources"):
        run(sounds / "000.wav", out, tiny_model)
    with pytest.raises(ArchiveError, match="begun with another model"):
        run(sounds, out, "compact")
    with pytest.raises(ArchiveError, match="begun with other options"):
        run(sounds, out, tiny_model, options={"timeline": True})
    about = json.loads((out / folder.ABOUT).read_text())
    (out / folder.ABOUT).write_text(json.dumps(about | {"columns": {"file": "string"}}))
    with pytest.raises(ArchiveError, match="begun with other columns"):
        run(sounds, out, tiny_model)
    (out / folder.ABOUT).write_text(json.dumps(about))
    with folder.open_folder(out, about), pytest.raises(ArchiveError, match="written by another run"):
        run(sounds, out, tiny_model)
    assert {path: path.read_bytes() for path in (out / "answers").iterdir()} == before
    with pytest.raises(ArchiveError, match="no archive of intonate"):
        command.run([], foreign, is_status=True)
