"""Pieces of words become words with times, with spaces only where a script has them."""

from intonate.transcripts.pieces import words_of
from intonate.transcripts.recognisers import Transcript, Word, joined

PIECES = ("<unk>", "▁the", "▁kid", "s", "▁", "<|en|>", "你", "好", "，", "▁안", "녕")


def test_repetitions_are_said_once_and_a_blank_parts_them():
    numbers = [0, 1, 1, 0, 2, 3, 3, 0, 3, 0]
    assert words_of(numbers, PIECES, 0.06) == [Word("the", 0.06, 0.18), Word("kidss", 0.24, 9 * 0.06)]


def test_tags_and_empty_pieces_are_no_words():
    assert [word.text for word in words_of([5, 4, 3, 5, 3], PIECES, 1.0)] == ["ss"]
    assert words_of([], PIECES, 1.0) == words_of([0, 0, 5], PIECES, 1.0) == []
    assert [word.text for word in words_of([3, 4, 3], PIECES, 1.0)] == ["s", "s"]


def test_han_and_kana_are_written_without_spaces_and_hangul_with():
    words = words_of([6, 7, 8, 2, 3, 6, 9, 10, 1], PIECES, 1.0)
    assert [word.text for word in words] == ["你", "好", "，", "kids", "你", "안녕", "the"]
    assert Transcript(tuple(words), "zh").text == "你好， kids 你 안녕 the"
    assert Transcript(tuple(words), "zh").text_between(0, 2) == "你好"
    assert joined(["", "a", "", "b"]) == "a b"
