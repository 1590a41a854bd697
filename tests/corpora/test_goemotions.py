"""Comments without a sound: lines, labels, the paper's groups, the published parts."""

from collections import Counter
from pathlib import Path

import pytest

from intonate import corpora
from intonate.corpora import describe, manifest, splits
from intonate.corpora.goemotions import EKMAN, LABELS, parse
from intonate.emotions import EMOTIONS, SEVEN
from intonate.errors import CorpusError, SplitError

ROOT = Path(__file__).parents[3] / "shared" / "text" / "goemotions"
LINES = {
    "train": ["so glad\t17\ta1", "glad but worried\t17,19\ta2", "[NAME] is late\t3,27\ta3"],
    "dev": ["why?\t6\tb1"],
    "test": ["eww\u2028no\t11\tc1", "fine\t27\tc2"],
}


@pytest.fixture
def root(tmp_path):
    for part, lines in LINES.items():
        (tmp_path / f"{part}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_every_label_is_in_one_group_and_every_group_is_one_of_the_seven():
    assert len(LABELS) == 28
    assert LABELS[-1] == "neutral"
    assert sorted(label for labels in EKMAN.values() for label in labels) == sorted(LABELS)
    assert tuple(sorted(EKMAN)) == SEVEN
    # The paper's sizes: anger 3, disgust 1, fear 2, joy 12, neutral, sadness 5, surprise 4.
    assert [len(EKMAN[name]) for name in SEVEN] == [3, 1, 2, 12, 1, 5, 4]
    assert set(SEVEN) <= set(EMOTIONS)


def test_a_comment_is_read(root):
    line = parse("glad but worried\t17,19\ta2", Path("train.tsv"))
    assert (line.path, line.sentence, line.speaker) == ("train.tsv#a2", "a2", "")
    assert (line.text, line.raw_label, line.language) == ("glad but worried", "joy,nervousness", "en")
    assert line.emotion == "happy"
    assert line.soft_labels == {"happy": 0.5, "fear": 0.5}


def test_neutral_stands_back_and_labels_of_one_group_are_one(root):
    assert parse("late\t27,3\tx", Path("t")).emotion == "angry"
    both = parse("late\t2,3\tx", Path("t"))
    assert (both.emotion, both.soft_labels) == ("angry", {})


def test_the_parts_are_read_whatever_is_inside_a_comment(root):
    reading = corpora.read("goemotions", root)
    assert reading.problems == ()
    assert [Path(row.path).name for row in reading.utterances] == [
        *("dev.tsv#b1", "test.tsv#c1", "test.tsv#c2"),
        *("train.tsv#a1", "train.tsv#a2", "train.tsv#a3"),
    ]


@pytest.mark.parametrize("line", ["no tabs", "text\t28\tx", "text\t\tx", "text\tjoy\tx", "a\tb\t1\tx"])
def test_a_line_that_cannot_be_read_is_told(root, line):
    with (root / "dev.tsv").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    (problem,) = corpora.read("goemotions", root).problems
    assert problem.path.endswith("dev.tsv, line 2")
    assert "expected" in problem.reason or "not numbers" in problem.reason


def test_a_folder_without_any_part_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"train\.tsv, dev\.tsv and test\.tsv"):
        corpora.read("goemotions", tmp_path)


def test_the_published_parts_are_the_split(root):
    rows = corpora.read("goemotions", root).utterances
    (split,) = splits.folds("published", rows)
    parts = [[rows[row].sentence for row in part] for part in (split.train, split.validation, split.test)]
    assert parts == [["a1", "a2", "a3"], ["b1"], ["c1", "c2"]]
    # Who wrote what is not known: nobody may read this as authors kept apart.
    assert "speakers overlap" in split.name


def test_only_files_called_train_dev_and_test_are_parts(root, tmp_path):
    (root / "train.tsv").rename(root / "more.tsv")
    rows = [*corpora.read("goemotions", root).utterances, parse("x\t1\ty", root / "more.tsv")]
    with pytest.raises(SplitError, match="there is more"):
        splits.folds("published", rows)


def test_a_manifest_of_comments_is_read_again_and_a_missing_file_is_told(root):
    rows = list(corpora.read("goemotions", root).utterances)
    manifest.write(root / "all.csv", rows)
    assert manifest.read(root / "all.csv") == rows
    (root / "dev.tsv").unlink()
    with pytest.raises(CorpusError, match="names 1 files that do not exist"):
        manifest.read(root / "all.csv")


def test_it_is_described_without_a_sound(root):
    told = describe.describe("goemotions", root)
    assert told.clips == 6
    assert told.problems == ()
    assert "6 texts without sound" in told.to_text()


@pytest.mark.corpora
@pytest.mark.skipif(not ROOT.is_dir(), reason="GoEmotions is not in ../shared/text")
def test_the_published_corpus():
    reading = corpora.read("goemotions", ROOT)
    assert reading.problems == ()
    (split,) = splits.folds("published", reading.utterances)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [43_410, 5_426, 5_427]
    counts = Counter(name for row in reading.utterances for name in row.soft_labels or (row.emotion,))
    assert counts == {
        **{"happy": 21_733, "neutral": 17_772, "angry": 7_022, "surprise": 6_668, "sad": 4_032},
        **{"disgust": 1_013, "fear": 929},
    }
