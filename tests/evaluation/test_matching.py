"""Which row of some predictions is about which clip: an answer about another file is nobody's."""

from __future__ import annotations

import pytest

from intonate.evaluation.matching import match

CLIPS = ["data/test/001.flac", "data/test/002.flac"]
TRAIN = ["data/train/001.flac", "data/train/002.flac"]


def found(files, clips, root=None):
    matches, notes = match(files, [None] * len(files), clips, [0.0] * len(clips), root)
    return {clip: files[matches[row]] for row, clip in enumerate(clips) if row in matches}, " ".join(notes)


@pytest.mark.parametrize("root", ["", "/elsewhere/", "C:\\x\\"])
@pytest.mark.parametrize("is_train_first", [True, False])
def test_the_row_that_agrees_in_most_of_the_path_counts(root, is_train_first):
    test_files, train_files = [root + name for name in CLIPS], [root + name for name in TRAIN]
    matches, notes = found(train_files + test_files if is_train_first else test_files + train_files, CLIPS)
    assert matches == dict(zip(CLIPS, test_files, strict=True))
    assert notes.startswith("2 rows of the predictions not among the clips")
    assert "repeated" not in notes


def test_the_folder_of_the_manifest_tells_files_apart(tmp_path):
    root = tmp_path / "data" / "test"
    clips = [str(root / "001.flac")]
    assert found(["data/train/001.flac", "data/test/001.flac"], clips, root)[0] == {clips[0]: "data/test/001.flac"}
    assert found(["data/train/001.flac", "data/test/001.wav"], clips, root)[0] == {clips[0]: "data/test/001.wav"}
    assert found(["other/001.flac", "001.flac"], clips, root)[0] == {clips[0]: "001.flac"}
    assert "repeated" in found(["001.flac", clips[0]], clips, root)[1]


@pytest.mark.parametrize("name", ["001.flac", "001.wav", "/elsewhere/data/test/001.flac", "elsewhere/001.flac"])
def test_a_row_without_a_better_one_is_matched_by_what_it_has(name):
    assert found([name], CLIPS) == ({CLIPS[0]: name}, "")


def test_rows_that_agree_alike_are_repeated():
    matches, notes = found(["a/001.flac", "b/001.flac"], CLIPS)
    assert matches == {CLIPS[0]: "a/001.flac"}
    assert "1 row of the predictions repeated" in notes


def test_a_name_that_several_clips_share_is_not_given_to_the_one_left_over():
    clips = ["data/test/001.flac", "data/dev/001.flac"]
    matches, notes = found(["data/test/001.flac", "data/train/001.flac"], clips)
    assert matches == {clips[0]: clips[0]}
    assert "could be several clips" in notes
    matches, notes = found(["data/train/001.flac", *clips], clips)
    assert matches == dict(zip(clips, clips, strict=True))
    assert "1 row of the predictions not among the clips" in notes


def test_a_row_that_names_no_file_is_not_among_the_clips():
    assert "1 row of the predictions not among the clips" in found([""], CLIPS)[1]
