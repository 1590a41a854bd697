"""What is label and who speaks, guessed and overridden."""

import pytest

from intonate.corpora import own
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
    assert own.read(tmp_path).labels == ("happiness", "joy")
    assert own.read(lay(tmp_path / "b", "anger/1.wav", "fine/1.wav")).labels == ("angry", "fine")


@pytest.mark.parametrize(
    ("pattern", "message"), [("(", "no regular expression"), ("x", "one group"), ("(q)q", "finds nothing")]
)
def test_a_pattern_that_cannot_be_used(tmp_path, pattern, message):
    with pytest.raises(CorpusError, match=message):
        own.read(lay(tmp_path, "a/1.wav", "b/1.wav"), label=pattern)
