"""What sources name: nothing is lost in silence, and what cannot be listed is one sentence."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
from datetime import datetime
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")
fsspec = pytest.importorskip("fsspec")

import pyarrow.parquet as pq  # noqa: E402

from intonate.archive.answers import fetch_sound  # noqa: E402
from intonate.archive.shards import Shard, shard_of  # noqa: E402
from intonate.archive.sources import entries  # noqa: E402
from intonate.errors import ArchiveError, AudioError  # noqa: E402


def tar_of(path, *names, link=None, kind=tarfile.SYMTYPE):
    """A tar with files that hold their own name, and links {name: target}."""
    with tarfile.open(path, "w") as tar:
        for name in names:
            about = tarfile.TarInfo(name)
            about.size = len(name)
            tar.addfile(about, io.BytesIO(name.encode()))
        for name, target in (link or {}).items():
            about = tarfile.TarInfo(name)
            about.type, about.linkname = kind, target
            tar.addfile(about)
    return path


def listed(*sources, notes=None):
    return [Path(entry.file).name for entry in entries([str(source) for source in sources], notes)]


def content(entry):
    """The bytes of a member of a tar."""
    with fetch_sound(entry)[0] as stream:
        return stream.read()


def test_a_tar_that_is_damaged_or_cut_off_is_not_listed_in_part(tmp_path):
    whole = tar_of(tmp_path / "whole.tar", "a.wav", "b.wav", "c.wav").read_bytes()
    damaged = bytearray(whole)
    damaged[1024 + 148] ^= 1  # the checksum of b.wav
    zeroed, within_a_header, between_members = whole[:1024] + bytes(512) + whole[1536:], whole[:2100], whole[:2048]
    for data in (bytes(damaged), zeroed, within_a_header, between_members):
        (tmp_path / "x.tar").write_bytes(data)
        with pytest.raises(ArchiveError, match=r"x\.tar is damaged or cut off at byte [\d,]+, after .\.wav.*unpack"):
            listed(tmp_path / "x.tar")
    assert listed(tmp_path / "whole.tar") == ["a.wav", "b.wav", "c.wav"]


def test_tars_that_were_joined_are_listed_to_the_end(tmp_path):
    first, second = (tar_of(tmp_path / f"{name}.tar", f"{name}.wav") for name in "ab")
    (tmp_path / "both.tar").write_bytes(first.read_bytes() + second.read_bytes())
    assert [content(entry) for entry in entries([str(tmp_path / "both.tar")])] == [b"a.wav", b"b.wav"]


def test_a_name_that_comes_again_in_a_tar_is_a_sound_of_its_own(tmp_path):
    first = tar_of(tmp_path / "0.tar", "0.wav", link={"l.wav": "0.wav"}).read_bytes()
    second = first.replace(b"0.wav" + bytes(507), b"1.wav" + bytes(507))  # another sound under the same name
    (tmp_path / "joined.tar").write_bytes(first + second)
    found = {Path(entry.file).name: content(entry) for entry in entries([str(tmp_path / "joined.tar")])}
    assert found == {"0.wav": b"0.wav", "0.wav#2": b"1.wav", "l.wav": b"0.wav", "l.wav#2": b"1.wav"}


def test_a_newer_version_in_a_tar_is_answered_beside_the_older(tmp_path):
    tar_of(tmp_path / "x.tar", "a.wav")
    (before,) = entries([str(tmp_path / "x.tar")])
    with tarfile.open(tmp_path / "x.tar", "a") as tar:
        about = tarfile.TarInfo("a.wav")
        about.size = 3
        tar.addfile(about, io.BytesIO(b"new"))
        about.type, about.linkname, about.size = tarfile.LNKTYPE, "a.wav", 0  # as tar writes what is named twice
        tar.addfile(about)
    older, newer = entries([str(tmp_path / "x.tar")])
    assert (older, Path(newer.file).name, content(newer)) == (before, "a.wav#2", b"new")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_a_tar_are_what_they_lead_to(tmp_path, kind):
    target = "a.wav" if kind == tarfile.SYMTYPE else "./in/a.wav"
    links = {"./in/b.wav": target, "in/c.wav": target.replace("a.", "b."), "d.wav": "e.wav", "f.wav": "f.wav"}
    tar_of(tmp_path / "x.tar", "./in/a.wav", link=links, kind=kind)
    *found, dead, endless = entries([str(tmp_path / "x.tar")])
    assert [content(entry) for entry in found] == [b"./in/a.wav"] * 3
    for entry in (dead, endless):
        with pytest.raises(AudioError, match=r"x\.tar/[df]\.wav does not exist"):
            content(entry)


def test_a_hidden_folder_that_was_packed_as_a_whole_is_what_was_named(tmp_path):
    tar_of(tmp_path / "packed.tar", "./.data/b/a.wav", ".data/c.wav", ".data/._c.wav", ".data/.git/d.wav")
    assert listed(tmp_path / "packed.tar") == ["a.wav", "c.wav"]
    tar_of(tmp_path / "alone.tar", "._a.wav")
    with pytest.raises(ArchiveError, match="holds no sound"):
        listed(tmp_path / "alone.tar")


def test_sparse_members_are_refused_and_what_macos_adds_is_left_out(tmp_path):
    tar_of(tmp_path / "mac.tar", "./a.wav", "._a.wav", "in/._b.wav", ".git/c.wav")
    assert listed(tmp_path / "mac.tar") == ["a.wav"]
    with tarfile.open(tmp_path / "sparse.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        about = tarfile.TarInfo("s.wav")
        about.pax_headers = {"GNU.sparse.map": "0,4", "GNU.sparse.size": "1024"}
        about.size = 4
        tar.addfile(about, io.BytesIO(b"RIFF"))
    with pytest.raises(ArchiveError, match=r"holds s\.wav without its zeros \(sparse\); unpack it"):
        listed(tmp_path / "sparse.tar")


def test_a_link_to_nothing_is_a_sound_that_cannot_be_answered(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"a")
    (tmp_path / "dead.wav").symlink_to("nowhere.wav")
    for source in (tmp_path, tmp_path / "*.wav", f"file://{tmp_path}"):
        assert listed(source) == ["a.wav", "dead.wav"]
    assert listed(tmp_path / "dead.wav") == ["dead.wav"]
    dead = list(entries([str(tmp_path)]))[1]
    with pytest.raises(AudioError, match=r"dead\.wav is a link to a file that is not there"):
        fetch_sound(dead)


def test_a_folder_says_what_was_left_out_and_how_to_name_it(tmp_path):
    tar_of(tmp_path / "in.tar", "b.wav")
    with pytest.raises(ArchiveError, match=rf"without audio .*1 \.tar.*name these: '{tmp_path}/\*\*/\*\.tar'"):
        listed(tmp_path)
    (tmp_path / "a.wav").write_bytes(b"a")
    (tmp_path / ".hidden.wav").write_bytes(b"a")
    for source in (str(tmp_path), f"file://{tmp_path}"):
        notes: list[str] = []
        assert listed(source, notes=notes) == ["a.wav"]
        (note,) = notes
        assert "1 file was left out, not known as sound: 1 .tar; for the sounds in .tar files, name these:" in note
        assert f"'{tmp_path}/**/*.tar'" in note
    assert listed(tmp_path / "**/*.tar") == ["b.wav"]


def test_a_folder_that_may_not_be_read_is_no_folder_without_sounds(tmp_path, monkeypatch):
    def scan(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(ArchiveError, match=r"cannot be read: permission denied; .* name the others alone$"):
        listed(tmp_path)


def test_another_store_leaves_out_what_a_folder_leaves_out():
    store = fsspec.filesystem("memory")
    for name in ("a.wav", ".hidden.wav", ".git/annex/c.wav", "in.parquet", "b[1].wav"):
        store.pipe(f"/folder/{name}", b"sound")
    notes: list[str] = []
    try:
        assert listed("memory://folder", notes=notes) == ["a.wav", "b[1].wav"]
        assert "1 .parquet; for the sounds in .parquet files" in notes[0]
        assert listed("memory://folder/*.wav") == listed("memory://folder/**/*.wav") == ["a.wav", "b[1].wav"]
        assert listed("memory://folder/.git/**/*.wav") == listed("memory://folder/.git") == ["c.wav"]
        assert listed("memory://folder/.*.wav") == [".hidden.wav"]
        assert listed("memory://folder/b[1].wav") == ["b[1].wav"]
    finally:
        store.rm("/folder", recursive=True)


def test_the_query_of_a_web_address_is_no_pattern(monkeypatch):
    pytest.importorskip("aiohttp")
    web = fsspec.get_filesystem_class("https")
    monkeypatch.setattr(web, "info", lambda self, path: {"size": 7, "type": "file"})
    address = "https://store/a.wav?X-Signature=[x]*"
    (entry,) = entries([address])
    assert (entry.file, entry.place, entry.size) == (address, address, 7)


def test_a_store_whose_library_is_not_installed_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    (tmp_path / "list.txt").write_text("s3://bucket/a.wav\n")
    with pytest.raises(ArchiveError, match=r"^s3://bucket/ cannot be reached .* pip install s3fs$"):
        listed("s3://bucket/")
    (entry,) = entries([str(tmp_path / "list.txt")])
    with pytest.raises(ArchiveError, match=r"pip install s3fs$"):
        fetch_sound(entry)


def test_a_stretch_may_be_named_as_people_name_it(tmp_path):
    rows = {
        "a.csv": "wav,start_s,end_s\nx.wav,1.5,2\nx.wav,,\n",
        "d.csv": "file,start_s,duration,offset\nx.wav,1.5,0.5,0\nx.wav,,,0\n",
        "e.csv": "file,start_time,end_time\nx.wav,1.5,2\nx.wav,,\n",
        "f.csv": "file,start_ms,end_ms\nx.wav,1500,2000\nx.wav,,\n",
        "b.tsv": "audio\tstart\tduration\nx.wav\t1.5\t0.5\nx.wav\tnan\t9\n",
        "c.jsonl": "".join(
            f"{json.dumps(row)}\n"
            for row in (
                {"audio_filepath": "x.wav", "offset": 1.5, "duration": 0.5, "text": None},
                {"audio_filepath": "x.wav", "duration": 9},
            )
        ),
    }
    for name, text in rows.items():
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            (tmp_path / name).write_text(text, encoding=encoding)
            found = list(entries([str(tmp_path / name)]))
            assert [(entry.start_s, entry.end_s) for entry in found] == [(1.5, 2.0), (0.0, None)]
            assert {entry.place for entry in found} == {str(tmp_path / "x.wav")}


def test_a_text_beside_sounds_is_a_row_and_no_end(tmp_path):
    names = [tmp_path / name for name in ("README", "a.json", "a.wav")]
    for path in names:
        path.write_text("{}")
    assert [entry.place for entry in entries([str(path) for path in names])] == [str(path) for path in names]


@pytest.mark.parametrize("times", [("2024-05-01 10:00:00", "2024-05-01 10:01:00"), (1_700_000_000, 1_700_000_060)])
def test_when_a_call_was_is_no_stretch_of_it(tmp_path, times):
    row = {"file": "x.wav", "start_time": times[0], "end_time": times[1]}
    (tmp_path / "a.csv").write_text(f"{','.join(row)}\n" + f"{','.join(map(str, row.values()))}\n" * 2)
    (tmp_path / "b.jsonl").write_text(json.dumps(row) + "\n")
    for name in ("a.csv", "b.jsonl"):
        assert {(entry.start_s, entry.end_s, entry.problem) for entry in entries([str(tmp_path / name)])} == {
            (0.0, None, "")
        }


def test_json_is_a_manifest_in_lines_and_as_an_array(tmp_path):
    rows = [{"audio_filepath": f"{name}.wav", "offset": 0.5, "duration": 2} for name in "ab"]
    lines, array = "".join(f"{json.dumps(row)}\n" for row in rows), json.dumps(rows, indent=1)
    for name, text in {"x.json": lines, "y.json": array, "x.ndjson": lines, "x.jsonl": array}.items():
        (tmp_path / name).write_text(text)
        found = [(entry.place, entry.start_s, entry.end_s) for entry in entries([str(tmp_path / name)])]
        assert found == [(str(tmp_path / f"{sound}.wav"), 0.5, 2.5) for sound in "ab"]
    (tmp_path / "c.wav").write_bytes(b"c")
    assert listed(tmp_path / "[cxy].*[nv]") == ["c.wav", "a.wav", "b.wav"]  # the lines of x.ndjson, and no x.json
    assert listed(tmp_path / "*.json") == ["a.wav", "b.wav"]


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        (
            "x.lst",
            "a.wav\nжалоба.wav\n".encode(),
            "is text, not a sound; a list of sounds has a name that ends in .csv",
        ),
        ("wav.scp", b"utterance a.wav\n", "is text, not a sound; .* or .txt"),
        ("x.m3u", b"#EXTM3U\na.wav\n", "is a playlist, which holds no sound itself; .* or .txt"),
        ("x.csv.gz", b"\x1f\x8b", "is a list that is compressed; unpack it first"),
    ],
)
def test_a_list_of_another_kind_is_refused_where_it_is_named_itself(tmp_path, name, data, sentence):
    (tmp_path / name).write_bytes(data)
    (tmp_path / "a.wav").write_bytes(b"a")
    for source in (str(tmp_path / name), f"file://{tmp_path}/{name}"):
        with pytest.raises(ArchiveError, match=rf"{name} {sentence}"):
            listed(source)
    assert listed(tmp_path) == listed(tmp_path / "*") == ["a.wav"]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\0", b"NIST_1A\n   1024\nsample_rate -i 16000\n"])
def test_what_may_be_a_sound_is_no_list(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    (tmp_path / "dead").symlink_to("nowhere")
    assert listed(tmp_path / "x", tmp_path / "dead") == ["x", "dead"]


def test_a_row_that_is_wrong_is_a_sound_that_cannot_be_answered(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"audio_filepath": "a.wav"}\n{"text": "a"}\n{"file": "a.wav", "start": "x"}\n')
    right, nameless, timeless = entries([str(tmp_path / "x.jsonl")])
    assert (right.problem, right.place) == ("", str(tmp_path / "a.wav"))
    assert nameless.problem.startswith(f"{tmp_path / 'x.jsonl'}, line 2: expected a file, and start and end")
    assert timeless.problem.endswith("line 3: start is 'x'; expected a number, zero or more")
    assert timeless.file == right.file
    shard = shard_of((right, nameless, timeless))
    assert Shard.from_json(shard.to_json()) == shard


def test_a_sound_beside_its_parquet_is_found_by_its_path(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"beside")
    column = [{"bytes": None, "path": "a.wav"}, {"bytes": None, "path": "b.wav"}, {"bytes": b"", "path": "a.wav"}, None]
    for rows in (column, column[:2]):  # without any bytes the field has no type
        pq.write_table(pa.table({"audio": rows}), tmp_path / "x.parquet")
        there, missing, *empty = entries([str(tmp_path / "x.parquet")])
        assert fetch_sound(there)[::2] == (str(tmp_path / "a.wav"), 6)
        with pytest.raises(AudioError, match=r"x\.parquet#1 holds no bytes but a path, and .*b\.wav does not exist"):
            fetch_sound(missing)
        for entry in empty:
            with pytest.raises(AudioError, match=r"x\.parquet#[23] holds no bytes$"):
                fetch_sound(entry)
    store = fsspec.filesystem("memory")
    try:
        store.pipe({"/set/x.parquet": (tmp_path / "x.parquet").read_bytes(), "/set/a.wav": b"beside"})
        there, _ = entries(["memory://set/x.parquet"])
        assert content(there) == b"beside"
    finally:
        store.rm("/set", recursive=True)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_bytes_of_a_parquet_are_read_in_every_layout(tmp_path, kind):
    structs = pa.array([{"bytes": b"sound"}], pa.struct([("bytes", kind)]))
    for column in (pa.array([b"sound"], kind), structs):
        pq.write_table(pa.table({"audio": column}), tmp_path / f"{kind}.parquet")
        (entry,) = entries([str(tmp_path / f"{kind}.parquet")])
        assert fetch_sound(entry)[0] == b"sound"


@pytest.mark.parametrize("value", ["a.wav", {"array": [0.5]}, {"bytes": [0.5]}])
def test_a_parquet_without_sounds_says_what_it_has(tmp_path, value):
    pq.write_table(pa.table({"audio": [value], "text": ["a"]}), tmp_path / "x.parquet")
    with pytest.raises(ArchiveError, match=r"structs with bytes \(it has audio of type (string|struct<.*>), text\)$"):
        listed(tmp_path / "x.parquet")


def test_a_plan_keeps_what_earlier_versions_kept(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"a")
    (entry,) = entries([str(tmp_path / "a.wav")])
    text = shard_of((entry,)).to_json()
    assert (entry.modified_s > 0, json.loads(text)) == (True, [[entry.file, entry.place, -1, 1, 0.0, None]])
    assert Shard.from_json(text).name == shard_of((entry,)).name


@pytest.mark.parametrize("modified", [1e9, "2001-09-09T01:46:40.000Z", datetime(2001, 9, 9, 1, 46, 40)])
def test_a_store_may_tell_when_a_file_was_changed(monkeypatch, modified):
    pytest.importorskip("aiohttp")
    web, name = fsspec.get_filesystem_class("https"), "updated" if isinstance(modified, str) else "LastModified"
    monkeypatch.setattr(web, "info", lambda self, path: {"size": 7, "type": "file", name: modified})
    (entry,) = entries(["https://store/a.wav?x"])
    assert entry.modified_s == 1e9


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("x.csv", "file\na.wav\ncafé.wav\n".encode("latin-1"), r"line 3 is not text in UTF-8 .* save the table as CSV"),
        ("x.txt", b"a.wav\n\xe9.wav\n", "line 2 is not text in UTF-8"),
        ("x.csv", b"file,start\na.wav,inf\n", "row 2: expected a file, and start and end"),
        ("x.csv", b"file,start\na.wav,soon\n", "row 2: expected a file, and start and end"),
        ("x.csv", b"file,start\na.wav,one\nb.wav,two\n", "row 2: .*, and no row has them; .* another name"),
        ("x.csv", b"", "no column named file"),
        ("x.jsonl", b'{"audio_filepath": "a.wav"}\n["b.wav"]\n', "line 2 is no JSON object like"),
        ("x.jsonl", b'{"text": "hello"}\n', "line 1: expected a file"),
        ("x.json", b'{\n "error": "quota"\n}\n', "line 1 is no JSON object like .* or an array of them"),
        ("x.json", b'[{"file": "a.wav"},\n"b.wav"]\n', "item 2 is no JSON object like"),
        ("x.json", b'[{"file": "a.wav"},\n{"file": "\xe9.wav"}]', "line 2 is not text in UTF-8"),
        ("x.json", b'[{"file": "a.wav"},\n', "line 1 is no JSON object like"),
    ],
)
def test_a_manifest_that_is_none_is_a_sentence(tmp_path, name, data, sentence):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ArchiveError, match=rf"{name},? (has )?{sentence}"):
        listed(tmp_path / name)
