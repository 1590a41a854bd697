"""A manifest goes out and comes back the same, and any table of people's own is read."""

import json
import os
from pathlib import Path

import numpy as np
import pandas
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate.corpora import manifest, own
from intonate.emotions import EMOTIONS
from intonate.errors import CorpusError, LabelError
from intonate.schema import Utterance


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def table(folder, text, encoding="utf-8"):
    (folder / "labels.csv").write_text(text, encoding=encoding)
    return folder / "labels.csv"


FULL = {
    "emotion": "happy",
    "raw_label": "Joy",
    "speaker": "mine/anna",
    "corpus": "mine",
    "start_s": 0.25,
    "end_s": 1.75,
    "gender": "female",
    "age": 31.0,
    "language": "pl",
    "sentence": 'a, "b"',
    "intensity": "strong",
    "text": "dwie\nlinie; ś",
    "soft_labels": {"happy": 0.75, "neutral": 0.25},
    "ratings": {"valence": 4.5, "arousal": 3.0},
    "labels": ("happy", "on hold, again"),
}


def test_round_trip_from_another_folder(tmp_path):
    touch(tmp_path, "audio/a.wav", "audio/b c.flac")
    (tmp_path / "out").mkdir()
    utterances = [
        Utterance(path=str(tmp_path / "audio/a.wav"), **FULL),
        Utterance(str(tmp_path / "audio/b c.flac"), "sad", "sad", "", "mine"),
    ]
    manifest.write(tmp_path / "out" / "m.csv", utterances)
    assert manifest.read(tmp_path / "out" / "m.csv") == utterances
    lines = (tmp_path / "out" / "m.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join(manifest.COLUMNS)
    assert lines[1].startswith("../audio/a.wav,0.25,1.75,happy,mine/anna,")
    assert "../audio/b c.flac,0,,sad," in lines[-1]


def test_the_whole_folder_can_be_moved(tmp_path):
    touch(tmp_path, "old/audio/a.wav")
    manifest.write(tmp_path / "old/m.csv", [Utterance(str(tmp_path / "old/audio/a.wav"), "sad", "sad", "", "mine")])
    (tmp_path / "old").rename(tmp_path / "new")
    assert manifest.read(tmp_path / "new/m.csv")[0].path == str(tmp_path / "new/audio/a.wav")


def test_relative_paths_resolve_to_the_same_file(tmp_path, monkeypatch):
    touch(tmp_path, "audio/a.wav")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    manifest.write("out/m.csv", [Utterance("audio/a.wav", "sad", "sad", "", "mine")])
    assert os.path.samefile(manifest.read("out/m.csv")[0].path, "audio/a.wav")


@settings(deadline=None)
@given(
    st.sampled_from(EMOTIONS),
    st.floats(0, 1e5),
    st.none() | st.floats(1e-3, 1e5),
    st.none() | st.floats(0, 120),
    st.text(st.characters(exclude_categories=("Cs", "Cc"))).map(str.strip),
)
def test_every_value_comes_back(tmp_path_factory, emotion, start_s, length_s, age, text):
    folder = tmp_path_factory.mktemp("m")
    touch(folder, "a.wav")
    end_s = None if length_s is None else start_s + length_s
    utterance = Utterance(
        str(folder / "a.wav"), emotion, "x", "c/s", "c", start_s=start_s, end_s=end_s, age=age, text=text
    )
    manifest.write(folder / "m.csv", [utterance])
    assert manifest.read(folder / "m.csv") == [utterance]


def test_pandas_reads_it_as_audformat_expects_it(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    first = Utterance(path=str(tmp_path / "a.wav"), **FULL)
    second = Utterance(str(tmp_path / "b.wav"), "sad", "sad", "", "mine")
    manifest.write(tmp_path / "m.csv", [first, second])
    frame = pandas.read_csv(tmp_path / "m.csv")
    assert list(frame.file) == ["a.wav", "b.wav"]
    assert list(frame.start) == [0.25, 0.0]
    # audformat's segmented index: numbers are seconds, a missing end is NaT.
    ends = pandas.to_timedelta(frame.end, unit="s")
    assert ends[0] == pandas.Timedelta(milliseconds=1750)
    assert ends[1] is pandas.NaT
    # And back, as pandas writes time.
    frame["start"], frame["end"] = pandas.to_timedelta(frame.start, unit="s"), ends
    frame.to_csv(tmp_path / "again.csv", index=False)
    assert manifest.read(tmp_path / "again.csv") == [first, second]


def test_a_manifest_of_before_ratings_is_read(tmp_path):
    touch(tmp_path, "a.wav")
    manifest.write(tmp_path / "m.csv", [Utterance(str(tmp_path / "a.wav"), "sad", "sad", "", "mine")])
    lines = (tmp_path / "m.csv").read_text().splitlines()
    assert lines[0].endswith(",soft_labels,ratings,labels")
    (tmp_path / "old.csv").write_text("\n".join(line.rsplit(",", 2)[0] for line in lines))
    assert manifest.read(tmp_path / "old.csv") == manifest.read(tmp_path / "m.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_any_table_with_a_file_and_an_emotion(tmp_path, separator, encoding):
    touch(tmp_path, "a.wav", "b.wav")
    rows = ["Path,Label,Speaker_ID,sex", "a.wav,Happiness,anna,F", "", "b.wav,sad,x/ben,male"]
    first, second = manifest.read(table(tmp_path, "\n".join(rows).replace(",", separator), encoding))
    assert (first.emotion, first.raw_label, first.speaker) == ("happy", "Happiness", "table/anna")
    assert (first.gender, first.corpus, first.end_s) == ("female", "table", None)
    assert (second.speaker, second.gender) == ("x/ben", "male")


def test_an_unknown_emotion_is_named_with_its_line(tmp_path):
    touch(tmp_path, "a.wav")
    with pytest.raises(LabelError, match=r"labels\.csv, line 3: emotion 'hapy' is not known; did you mean 'happy'"):
        manifest.read(table(tmp_path, "file,emotion\na.wav,sad\na.wav,hapy\n"))


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("joy; laughing", ("happy", "laughing")),
        ("Laughing|on hold|", ("Laughing", "on hold")),
        ('"sad, sadness,bored"', ("sad", "boredom")),
        ('"[""happy"", ""a, b""]"', ("happy", "a, b")),
        ("\"['happy', 'laughing']\"", ("happy", "laughing")),
        ("[]", ()),
        ("", None),
    ],
)
def test_several_labels_as_people_write_them(tmp_path, cell, labels):
    touch(tmp_path, "a.wav")
    (row,) = manifest.read(table(tmp_path, f"file,labels\na.wav,{cell}\n"))
    assert row.labels == labels
    assert manifest.read(table(tmp_path, f"file,emotion,labels\na.wav,sad,{cell}\n"))[0].labels == labels


def test_a_single_label_that_is_an_emotion_is_one(tmp_path):
    touch(tmp_path, "a.wav")
    rows = manifest.read(table(tmp_path, "file,labels\na.wav,joy\na.wav,laughing\na.wav,joy; sad\n"))
    assert [row.emotion for row in rows] == ["happy", "", ""]


def test_missing_files_are_listed_at_once(tmp_path):
    rows = "".join(f"gone{number}.wav,sad\n" for number in range(12))
    with pytest.raises(CorpusError, match=r"names 12 files that do not exist: .*gone0\.wav.*gone9\.wav and 2 more"):
        manifest.read(table(tmp_path, "file,emotion\n" + rows))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'file'"),
        ("file,mood\na.wav,sad\n", "no column 'emotion'"),
        ("file,emotion\n,sad\n", "line 2: the file column is empty"),
        ("file,emotion,start\na.wav,sad,early\n", "line 2: start is 'early'"),
        ("file,emotion,start\na.wav,sad,-1\n", "start is '-1'"),
        ("file,emotion,start,end\na.wav,sad,2,1\n", "ends at 1 s, not after its start at 2 s"),
        ("file,emotion,soft_labels\na.wav,sad,sad\n", "soft_labels is not JSON"),
        ("file,emotion,soft_labels\na.wav,sad,[1]\n", "soft_labels is not JSON"),
        ("file,labels\na.wav,[happy]\n", "line 2: labels is .*; expected happy; laughing, or a list like"),
        ("file,labels\na.wav,\"['a|b']\"\n", "line 2: labels is"),
        ("file,emotion,ratings\na.wav,sad,high\n", 'line 2: ratings is not JSON like {"valence"'),
    ],
)
def test_one_sentence_for_each_fault(tmp_path, text, message):
    touch(tmp_path, "a.wav")
    with pytest.raises(CorpusError, match=message):
        manifest.read(table(tmp_path, text))


def test_no_manifest_and_no_text(tmp_path):
    with pytest.raises(CorpusError, match="does not exist"):
        manifest.read(tmp_path / "none.csv")
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(CorpusError, match="cannot be read as a CSV"):
        manifest.read(tmp_path / "labels.csv")
    with pytest.raises(CorpusError, match="make it first"):
        manifest.write(tmp_path / "nowhere" / "m.csv", [])


def test_a_name_that_is_no_text_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "m.csv").write_text("an earlier one")
    names = ("a.wav", os.fsdecode(b"M\xfcller.wav"))
    utterances = [Utterance(str(tmp_path / name), "sad", "sad", "", "mine") for name in names]
    with pytest.raises(CorpusError, match=r"M.ller\.wav: these names are not in UTF-8, .* rename the files first"):
        manifest.write(tmp_path / "m.csv", utterances)
    assert (tmp_path / "m.csv").read_text() == "an earlier one"


def test_all_faulty_rows_are_named_at_once(tmp_path):
    touch(tmp_path, "a.wav")
    rows = ["a.wav,hapy", "a.wav,sad", "a.wav,", "a.wav,hapy", "a.wav,nan", ",sad"]
    with pytest.raises(LabelError) as caught:
        manifest.read(table(tmp_path, "file,emotion\n" + "\n".join(rows)))
    message = str(caught.value)
    assert "has 5 rows with faults: lines 2, 5: emotion 'hapy' is not known; did you mean 'happy'" in message
    assert "lines 4, 6: the emotion is empty; fill it or drop the row" in message
    assert "line 7: the file column is empty" in message
    rows = [f"a.wav,wrong{number}" for number in range(12)]
    with pytest.raises(LabelError, match=r"12 rows with faults: line 2: .*'wrong9'.*; and 2 more faults$"):
        manifest.read(table(tmp_path, "file,emotion\n" + "\n".join(rows)))
    with pytest.raises(LabelError, match=r"line 2: the emotion is empty; fill it or drop the row$"):
        manifest.read(table(tmp_path, "file,emotion\na.wav,\n"))


def test_a_cell_that_pandas_left_empty_needs_no_emotion_beside_ratings(tmp_path):
    touch(tmp_path, "a.wav")
    (row,) = manifest.read(table(tmp_path, "file,emotion,valence\na.wav,nan,2\n"))
    assert (row.emotion, row.raw_label, row.ratings) == ("", "", {"valence": 2.0})


@pytest.mark.skipif(os.name == "nt", reason="there a backslash is a slash")
def test_backslashes_of_windows_find_their_files(tmp_path):
    touch(tmp_path, "c/a.wav", "odd\\name.wav")
    rows = manifest.read(table(tmp_path, "file,emotion\nc\\a.wav,sad\nodd\\name.wav,sad\n"))
    assert [row.path for row in rows] == [str(tmp_path / "c/a.wav"), str(tmp_path / "odd\\name.wav")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_with_a_byte_order_mark(tmp_path, encoding):
    touch(tmp_path, "ą.wav")
    mark = "" if encoding == "utf-16" else "\ufeff"
    (row,) = manifest.read(table(tmp_path, f"{mark}file\temotion\r\ną.wav\tsad\r\n", encoding))
    assert (row.path, row.emotion) == (str(tmp_path / "ą.wav"), "sad")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("file,emotion\nä.wav,sad\n".encode("cp1252"), "cannot be read as a CSV in UTF-8 .*; save it as CSV UTF-8"),
        ("file,emotion\na.wav,sad\n".encode("utf-16-le"), "NUL characters.; save it as CSV UTF-8"),
        (b"PK\x03\x04\x14\x00", "is an Excel file or an archive, not a CSV; save it as CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is an old Excel file, not a CSV; save it as CSV UTF-8"),
        (b"PAR1\x15\x04", "is a Parquet file, not a CSV; save it as one"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n", "LFS pointer, not .*`git lfs pull`"),
        (b"file,emotion\n\n", "has a header and no rows; expected a row for each recording"),
        (b'[{"file": "a.wav"}]', "line 1 is no JSON object .* save the table as CSV"),
        (b'{\n"file": "a.wav"\n}\n', "line 1 is no JSON object .* save the table as CSV"),
    ],
)
def test_what_is_no_table_is_told_with_a_way_out(tmp_path, data, message):
    (tmp_path / "labels.csv").write_bytes(data)
    with pytest.raises(CorpusError, match=message):
        manifest.read(tmp_path / "labels.csv")


def test_json_lines_are_a_table(tmp_path):
    touch(tmp_path, "a.wav")
    lines = ['{"file_name": "a.wav", "label": "joy"}', "", '{"label": null, "file_name": "a.wav", "labels": ["sad"]}']
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    rows = manifest.read(tmp_path / "metadata.jsonl")
    assert [(row.emotion, row.labels) for row in rows] == [("happy", None), ("sad", ("sad",))]
    (tmp_path / "metadata.jsonl").write_text("\n".join((lines[0], lines[0].replace("joy", "joi"))))
    with pytest.raises(LabelError, match="jsonl, line 2: emotion 'joi'"):
        manifest.read(tmp_path / "metadata.jsonl")


@pytest.mark.parametrize(
    ("header", "cells", "stretch"),
    [
        ("audio_filepath,label,offset,duration", "0.5,1.5", (0.5, 2.0)),
        ("file,label,begin,duration", "0.5,1.5", (0.5, 2.0)),
        ("file,label,onset,offset", "0.5,1.5", (0.5, 1.5)),
        ("file,label,duration,x", "3.5,", (0.0, None)),  # that of the file
        ("file,label,start,offset", "0.5,0", (0.5, None)),  # an offset of something else
        ("file,label,start_s,offset,duration", "0.5,0,1", (0.5, 1.5)),
        ("file,label,begin,duration", "yes,1", (0.0, None)),
        ("file,label,begin,offset,duration", "yes,0.5,1", (0.5, 1.5)),
        ("file,label,offset,x", "12 bytes,", (0.0, None)),
        ("file,label,offset,x", "-0.5,", (0.0, None)),
        ("file,label,start,duration", "0.5,0", (0.5, None)),
        ("file,label,start_time,end_time", "0.5,1.5", (0.5, 1.5)),
        ("file,label,start_sec,end_sec", "0.5,1.5", (0.5, 1.5)),
        ("file,label,start (s),end (s)", "0.5,1.5", (0.5, 1.5)),
        ("file,label,start_ms,end_ms", "500,1500", (0.5, 1.5)),
        ("file,label,Start [ms],duration_ms", "500,1000", (0.5, 1.5)),
        ("file,label,onset_s,offset_s", "0.5,1.5", (0.5, 1.5)),
        ("file,label,tmin,tmax", "0.5,1.5", (0.5, 1.5)),
        ("file,label,from,to", "4930123,4930456", (0.0, None)),  # who called whom
        ("file,label,start,to", "0.5,7", (0.5, None)),
        ("file,label,Begin Time - ss.msec,End Time - ss.msec", "0.5,1.5", (0.5, 1.5)),
        ("file,label,Begin Time - msec,End Time - msec", "500,1500", (0.5, 1.5)),
        ("file,label,start_time,end_time", "monday,tuesday", (0.0, None)),
        ("file,label,start_time,end_time", "1700000000.5,1700000060.5", (0.0, None)),  # seconds since 1970
    ],
)
def test_what_cuts_a_clip_goes_by_several_names(tmp_path, header, cells, stretch):
    touch(tmp_path, "a.wav")
    path = table(tmp_path, f"{header}\na.wav,sad,{cells}\n")
    for row in (*manifest.read(path), *own.read(path).utterances):
        assert (row.start_s, row.end_s) == stretch


def test_what_tells_no_times_is_said_to_be_unused(tmp_path):
    touch(tmp_path, "a.wav")
    path = table(tmp_path, "file,label,begin,duration\na.wav,sad,yes,2\n")
    assert manifest.read_with_notes(path)[1] == ["labels.csv: columns not used: begin, duration."]
    notes = own.read(path).notes
    assert "not used: columns 'begin', 'duration'" in notes
    assert not any(note.startswith(("duration:", "start:")) for note in notes)
    with pytest.raises(CorpusError, match="line 3: start is 'soon'"):
        manifest.read(table(tmp_path, "file,label,begin\na.wav,sad,1\na.wav,sad,soon\n"))
    with pytest.raises(CorpusError, match="start is 'soon'"):
        manifest.read(table(tmp_path, "file,label,start\na.wav,sad,soon\n"))


def test_a_name_just_as_it_is_known_goes_before_other_spellings(tmp_path):
    touch(tmp_path, "a.wav")
    path = table(tmp_path, "file path,file_name,label,Speaker ID,speaker_id\nb.wav,a.wav,sad,x,ann\n")
    (row,) = manifest.read(path)
    assert (Path(row.path).name, row.speaker) == ("a.wav", "table/ann")
    for name, speaker in (("", "ann"), ("speaker_id", "ann"), ("Speaker ID", "x"), ("SPEAKER-ID", "ann")):
        assert own.read(path, speaker=name).utterances[0].speaker == f"own/{speaker}"
    path = table(tmp_path, "file,label,Voice,voice\na.wav,sad,x,ann\n")
    assert own.read(path, speaker="voice").utterances[0].speaker == "own/ann"


@pytest.mark.parametrize("name", ["Speaker ID", "speaker_name", "spk_id", "SpkrID", "client_id", "speaker-id"])
def test_who_speaks_goes_by_several_names(tmp_path, name):
    touch(tmp_path, "a.wav")
    assert manifest.read(table(tmp_path, f"file,emotion,{name}\na.wav,sad,ann\n"))[0].speaker == "table/ann"


@pytest.mark.parametrize("cell", ["nan", "NA", "unknown", "n/a", "?", "-", "<NA>"])
def test_nobody_is_no_speaker_in_either_reader(tmp_path, cell):
    touch(tmp_path, "a.wav")
    path = table(tmp_path, f"file,emotion,speaker,gender\na.wav,sad,{cell},{cell}\n")
    (row,), notes = manifest.read_with_notes(path)
    recordings = own.read(path)
    assert [(found.speaker, found.gender) for found in (row, *recordings.utterances)] == [("", "")] * 2
    if cell not in ("nan", "<NA>"):
        assert f"labels.csv: speakers taken for not known: 1 rows say {cell}." in notes
        assert f"speakers taken for not known: 1 rows say {cell}" in recordings.notes


def test_what_is_odd_in_a_table_is_told(tmp_path):
    touch(tmp_path, "a.wav")
    soundfile.write(tmp_path / "b.wav", np.zeros(16_000), 16_000)
    rows = ["a.wav,sad,s02,twenties,,x", "a.wav,sad,S2,40,,x", "b.wav,sad,s20,-1,60,x", "b.wav,sad,s20,,1.3,x"]
    found, notes = manifest.read_with_notes(table(tmp_path, "file,emotion,speaker,age,end,mood\n" + "\n".join(rows)))
    assert [row.age for row in found] == [None, 40, None, None]
    assert notes == [
        "labels.csv: columns not used: mood.",
        "labels.csv: ages taken for not known: 2 rows say twenties, -1.",
        "labels.csv: speakers who may be one person, and count as several: S2 and s02; write each name in one way.",
        "labels.csv: 1 rows end after their files do, as at 60 s of b.wav, which is 1.0 s long (milliseconds or "
        "samples in place of seconds, or a file that is cut off?); the end of the file counts.",
    ]


def test_msp_podcast_has_letters(tmp_path):
    touch(tmp_path, "a.wav")
    header = "FileName,EmoClass,EmoAct,SpkrID"
    rows = manifest.read(table(tmp_path, "\n".join([header, *(f"a.wav,{letter},4,7" for letter in "ASHUFDCNOX")])))
    assert [row.emotion for row in rows] == [
        *("angry", "sad", "happy", "surprise", "fear", "disgust", "contempt", "neutral", "other", "unknown")
    ]
    assert rows[0].speaker == "table/7"


@pytest.mark.parametrize("start", ["sep=;\n", "# made by hand, of 2024\n", "#\nsep=;\n"])
def test_lines_before_the_header_are_skipped(tmp_path, start):
    touch(tmp_path, "a.wav")
    assert manifest.read(table(tmp_path, f"{start}file;emotion;mood\na.wav;sad;x\n"))[0].emotion == "sad"
    with pytest.raises(LabelError, match=rf"line {start.count(chr(10)) + 2}: emotion 'sud'"):
        manifest.read(table(tmp_path, f"{start}file;emotion;mood\na.wav;sud;x\n"))


@pytest.mark.parametrize(
    "text",
    [
        '#,file,emotion,text\n0,a.wav,sad,"well, no"\n',
        '#,file,emotion,text\n0,a.wav,sad,"well,\nno"\n',
        '#;file;emotion;text\n0;a.wav;sad;"well, well, well, no"\n',
        '#,file,ratings\n0,a.wav,"{""valence"": 2, ""arousal"": 3}"\n',
        '# of 2024, by hand\n#,file,emotion,text\n0,a.wav,sad,"well, no"\n',
        "# by ann, bob\nfile,emotion\na.wav,sad\n",
        "#,file,emotion,text\n0,a.wav,sad\n",
    ],
)
def test_a_header_that_begins_with_a_sharp_is_no_comment(tmp_path, text):
    touch(tmp_path, "a.wav")
    (row,) = manifest.read(table(tmp_path, text))
    assert Path(row.path).name == "a.wav"


def test_a_sound_of_the_library_datasets_is_its_path(tmp_path):
    touch(tmp_path, "a.wav")
    (tmp_path / "m.jsonl").write_text('{"audio": {"path": "a.wav", "bytes": null}, "label": "sad"}\n')
    assert manifest.read(tmp_path / "m.jsonl")[0].path == str(tmp_path / "a.wav")


def test_a_folder_and_many_columns_are_told_shortly(tmp_path):
    with pytest.raises(CorpusError, match="is a folder; expected a CSV"):
        manifest.read(tmp_path)
    (tmp_path / "m.json").write_text(json.dumps({f"u{number}": {"wav": "a.wav"} for number in range(90)}))
    for read in (manifest.read, own.read):
        with pytest.raises(CorpusError, match=r"u19 and 70 more|no labels that the page saved"):
            read(tmp_path / "m.json")
