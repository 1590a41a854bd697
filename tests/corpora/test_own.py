"""What is label and who speaks, guessed and overridden."""

import os

import pytest

from intonate.corpora import manifest, own
from intonate.errors import CorpusError


def lay(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def test_folders_are_labels_and_speakers_in_either_order(tmp_path):
    names = [f"{who}/{label}/{k}.wav" for who in ("ann", "bob") for label in ("happy", "sad") for k in range(2)]
    rows = own.read(lay(tmp_path, *names)).utterances
    assert {row.emotion for row in rows} == {"happy", "sad"}
    assert {row.speaker for row in rows} == {"own/ann", "own/bob"}


def test_file_names_may_tell_the_speaker_but_takes_are_none(tmp_path):
    names = [f"{label}/{who}_{k}.wav" for who in ("ann", "bob") for label in ("rude", "polite") for k in range(3)]
    assert {row.speaker for row in own.read(lay(tmp_path / "a", *names)).utterances} == {"own/ann", "own/bob"}
    names = [f"{label}/{k}_{who}.wav" for who in ("ann", "bob") for label in ("rude", "polite") for k in range(3)]
    lay(tmp_path / "b", *names)
    assert {row.speaker for row in own.read(tmp_path / "b").utterances} == {""}
    found = own.read(tmp_path / "b", speaker=r"_(\w+)\.wav").utterances
    assert {row.speaker for row in found} == {"own/ann", "own/bob"}


def test_a_long_list_of_guessed_speakers_says_how_many_it_leaves_out(tmp_path):
    names = [f"{label}/a{who}_{k}.wav" for who in range(1, 9) for label in ("rude", "polite") for k in range(2)]
    notes = own.read(lay(tmp_path, *names)).notes
    people = "a1, a2, a3, a4, a5, a6 and 2 more"
    advice = "if these are no people, say who speaks with --speaker"
    assert f"speaker: the beginning of the file names ({people}); {advice}" in notes


def test_columns_are_guessed_told_and_overridden(tmp_path):
    lay(tmp_path, "sounds/a.ogg", "sounds/b.ogg")
    table = tmp_path / "t.csv"
    table.write_text("clip;Category;mood;agent\na.wav;x;m;ann\nb.wav;y;n;bob\n")
    found = own.read(table)
    assert [(row.emotion, row.speaker) for row in found.utterances] == [("x", "own/ann"), ("y", "own/bob")]
    assert "not used: columns 'mood'" in found.notes
    assert "label: column 'Category'" in found.notes
    assert {row.emotion for row in own.read(table, label="mood").utterances} == {"m", "n"}
    with pytest.raises(CorpusError, match="clip, Category, mood, agent"):
        own.read(table, label="nothing")


def test_missing_files_are_named_at_once(tmp_path):
    lay(tmp_path, "a.wav")
    (tmp_path / "t.csv").write_text("file,label\na.wav,x\nb.wav,y\nc.wav,y\n")
    with pytest.raises(CorpusError, match=r"2 files that are not there: b\.wav, c\.wav"):
        own.read(tmp_path / "t.csv")


def test_two_spellings_that_would_become_one_stay_two(tmp_path):
    lay(tmp_path, "joy/1.wav", "happiness/1.wav")
    lay(tmp_path, "anger/1.wav", "anger/2.wav")
    found = own.read(tmp_path)
    assert found.labels == ("angry", "happiness", "joy")
    assert "labels: angry 2, happiness 1, joy 1" in found.notes
    assert "labels 'happiness' and 'joy' are usually one, 'happy', and are kept as 2" in found.notes
    assert own.read(lay(tmp_path / "b", "anger/1.wav", "fine/1.wav")).labels == ("angry", "fine")


@pytest.mark.parametrize(
    ("pattern", "message"), [("(", "no regular expression"), ("x", "one group"), ("(q)q", "finds nothing")]
)
def test_a_pattern_that_cannot_be_used(tmp_path, pattern, message):
    with pytest.raises(CorpusError, match=message):
        own.read(lay(tmp_path, "a/1.wav", "b/1.wav"), label=pattern)


SPLIT = [f"{part}/{k}.wav" for part in ("Train", "test") for k in range(2)]


def test_parts_of_a_split_are_neither_labels_nor_speakers(tmp_path):
    lay(tmp_path / "bare", *SPLIT)
    with pytest.raises(CorpusError, match=r"its folders are parts of a split \(Train, test\)"):
        own.read(tmp_path / "bare")
    names = [f"{part}/{label}/{k}.wav" for part in ("train", "val") for label in ("rude", "polite") for k in range(3)]
    rows = own.read(lay(tmp_path / "labelled", *names)).utterances
    assert {(row.emotion, row.speaker) for row in rows} == {("rude", ""), ("polite", "")}


@pytest.mark.parametrize(
    "names", [("train.csv", "test.csv"), ("Train/metadata.csv", "test/metadata.csv"), ("Train/m.jsonl", "test/m.csv")]
)
def test_of_several_tables_in_a_folder_one_has_to_be_named(tmp_path, names):
    lay(tmp_path, *SPLIT)
    for name in names:
        text = '{"file_name": "0.wav", "label": "x"}\n' if name.endswith("jsonl") else "file_name,label\n0.wav,x\n"
        (tmp_path / name).write_text(text)
    with pytest.raises(CorpusError, match=r"2 tables .*; name one, e\.g\. ") as caught:
        own.read(tmp_path)
    assert all(name in str(caught.value) for name in names)


def test_a_single_table_in_a_sub_folder_is_used(tmp_path):
    lay(tmp_path, *SPLIT)
    text = '{"file_name": "0.wav", "label": "x"}\n{"file_name": "1.wav", "label": "y"}\n'
    (tmp_path / "test/metadata.jsonl").write_text(text)
    (tmp_path / "notes.csv").write_text("what,when\na,b\n")
    (tmp_path / "test.csv").write_text("file\nTrain/0.wav\n")
    rows = own.read(tmp_path).utterances
    assert [(row.path, row.emotion) for row in rows] == [
        (str(tmp_path / "test/0.wav"), "x"),
        (str(tmp_path / "test/1.wav"), "y"),
    ]


def test_a_table_in_a_sub_folder_names_files_from_the_root_as_well(tmp_path):
    lay(tmp_path, "sounds/a.wav", "sounds/b.wav", "tables/empty.txt")
    (tmp_path / "tables/labels.csv").write_text("file,label\nsounds/a.wav,x\nb.wav,y\n")
    rows = own.read(tmp_path).utterances
    assert [row.path for row in rows] == [str(tmp_path / "sounds/a.wav"), str(tmp_path / "sounds/b.wav")]


def test_tables_that_are_not_meant_leave_the_folders_labels(tmp_path):
    lay(tmp_path, "rude/1.wav", "polite/1.wav", "model-report/empty.txt")
    (tmp_path / "model-report/predictions.csv").write_text("file,label\nrude/1.wav,x\n")
    (tmp_path / "rude/notes.csv").write_text("what,when\na,b\n")
    assert own.read(tmp_path).labels == ("polite", "rude")
    (tmp_path / "a.csv").write_text("file,label\nrude/1.wav,x\n")
    (tmp_path / "b.csv").write_text("file,label\nrude/1.wav,x\n")
    assert own.read(tmp_path, label="^([^/]+)/").labels == ("polite", "rude")


def test_spellings_of_a_label_are_one(tmp_path):
    lay(tmp_path, "a.wav")
    table = tmp_path / "t.csv"
    table.write_text('file,label\na.wav,RUDE\na.wav,rude\na.wav,"rude "\na.wav,Joy\na.wav,joy\na.wav,JOY\n')
    found = own.read(table)
    assert [row.emotion for row in found.utterances] == ["rude"] * 3 + ["happy"] * 3
    assert "label 'RUDE' is called 'rude'" in found.notes
    assert {row.emotion for row in own.with_labels(found, ("Rude", "happy"))} == {"Rude", "happy"}
    # A model of others that has both keeps both.
    both = own.with_labels(found, ("RUDE", "rude", "happy"))
    assert [row.emotion for row in both[:3]] == ["RUDE", "rude", "rude"]


def test_blanks_around_the_name_of_a_folder_are_no_label_of_their_own(tmp_path):
    names = [f"{label}/{k}.wav" for label in ("rude", "polite") for k in range(2)]
    assert own.read(lay(tmp_path, *names, "Rude /9.wav")).labels == ("polite", "rude")


def test_all_faulty_rows_are_named_at_once(tmp_path):
    lay(tmp_path, "a.wav")
    rows = ["a.wav,nan,", "a.wav,x,1", "", "a.wav,None,", ",x,", "a.wav,x,early", "gone.wav,x,"]
    (tmp_path / "t.csv").write_text("file,label,start\n" + "\n".join(rows))
    with pytest.raises(CorpusError) as caught:
        own.read(tmp_path / "t.csv")
    assert str(caught.value).endswith(
        "t.csv has 4 rows with faults: lines 2, 5: the label is empty; fill it or drop the row; "
        "line 6: the file is empty; fill it or drop the row; "
        "line 7: start is 'early'; expected a number, zero or more"
    )


@pytest.mark.skipif(os.name == "nt", reason="there a backslash is a slash")
def test_backslashes_of_windows_find_their_files(tmp_path):
    lay(tmp_path, "c/a.wav", "c/deep/b.wav")
    (tmp_path / "t.csv").write_text("file,label\nc\\a.wav,x\nC:\\me\\b.wav,y\n", encoding="utf-16")
    rows = own.read(tmp_path / "t.csv").utterances
    assert [row.path for row in rows] == [str(tmp_path / "c/a.wav"), str(tmp_path / "c/deep/b.wav")]


def test_a_column_of_the_split_is_kept_where_it_says_train_and_test(tmp_path):
    lay(tmp_path, "a.wav", "b.wav")
    table = tmp_path / "t.csv"
    table.write_text("file,label,Split\na.wav,x,train\nb.wav,y,TEST\n")
    found = own.read(table)
    assert [found.parts[own.clip_of(row)] for row in found.utterances] == ["train", "test"]
    assert "split: column 'Split'" in found.notes
    for other in ("1", "", "train"):
        table.write_text(f"file,label,Split\na.wav,x,train\nb.wav,y,{other}\n")
        found = own.read(table)
        assert found.parts == {}
        assert any(note.startswith("split: column 'Split' is not followed") for note in found.notes)


def test_a_row_that_ends_before_it_starts_is_refused(tmp_path):
    lay(tmp_path, "a.wav")
    (tmp_path / "t.csv").write_text("file,label,start,end\na.wav,x,2,1\n")
    with pytest.raises(CorpusError, match="line 2: the utterance ends at 1 s, not after its start at 2 s"):
        own.read(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("names", "labels", "speakers"),
    [
        (["ann/calm_1", "ann/sad_1", "bob/calm_1", "bob/sad_1"], ["calm", "sad"], ["ann", "bob"]),
        (
            ["ann/angry/1", "ann/calm_voice/1", "bob/angry/1", "bob/calm_voice/1"],
            ["angry", "calm_voice"],
            ["ann", "bob"],
        ),
        (["angry/1", "sad/1", "backup/angry/2", "backup/sad/2"], ["angry", "sad"], [""]),
        (["angry/1", "happy/new/1", "new/sad/1"], ["angry", "happy", "sad"], [""]),
        (["rude/i_am_sad_1", "polite/i_am_here_2"], ["polite", "rude"], [""]),
        (["rude/ann/sad_1", "rude/bob/sad_1", "ok/ann/calm_1", "ok/bob/calm_1"], ["ok", "rude"], ["ann", "bob"]),
        (["rude/old/1", "rude/2", "polite/3"], ["polite", "rude"], [""]),
    ],
)
def test_known_emotions_are_the_labels_wherever_they_stand(tmp_path, names, labels, speakers):
    takes = [f"{name}{take}.wav" for name in names for take in range(2)]
    found = own.read(lay(tmp_path, *takes))
    assert found.labels == tuple(labels)
    assert sorted({row.speaker.removeprefix("own/") for row in found.utterances}) == speakers


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            [f"ann{who}/{label}/1" for who in range(2) for label in ("ok", "upset")],
            "folders ann0, ann1, or ok, upset; say",
        ),
        (
            [f"Actor_0{n}/03-01-0{k}-01-01-01-0{n}" for n in (1, 2) for k in (4, 5)],
            r"intonate manifest table\.csv .*ravdess=",
        ),
        (["angry/1", "sad/1", "intro"], r"1 of 3 files in .* lie in no folder of a label: intro\.wav; move them"),
        (["rude/1", "polite/1", "intro"], r"lie in no folder of a label: intro\.wav"),
    ],
)
def test_what_may_not_be_the_labels_is_not_guessed(tmp_path, names, message):
    with pytest.raises(CorpusError, match=message):
        own.read(lay(tmp_path, *(f"{name}.wav" for name in names)))


def test_answers_of_a_model_are_not_the_truth_until_a_column_tells_it(tmp_path):
    lay(tmp_path, "a.wav", "b.wav")
    table = tmp_path / "own.csv"
    table.write_text("file,label,guess,abstained\na.wav,sad,sad,false\nb.wav,happy,happy,false\n")
    for read in (own.read, manifest.read):
        with pytest.raises(
            CorpusError, match=r"own\.csv holds answers of a model .*; put the truth in a column 'emotion'"
        ):
            read(table)
    assert own.read(table, label="label").labels == ("happy", "sad")
    table.write_text("file,label,guess,abstained,emotion\na.wav,sad,sad,false,fear\nb.wav,happy,happy,false,angry\n")
    assert [row.emotion for row in manifest.read(table)] == ["fear", "angry"]
    assert own.read(table).labels == ("angry", "fear")
