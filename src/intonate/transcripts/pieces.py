"""Words from pieces of words: what a network that was trained by CTC (Graves et al. 2006) chose, step by step."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

from intonate.transcripts.recognisers import Word, is_spaceless

# In front of a piece that begins a word (Kudo & Richardson 2018).
BEGIN = "▁"
# What is said of the recording and not in it: `<|en|>`, `<s>`, `<unk>`.
_TAG = re.compile(r"<[^<>]*>")


def words_of(numbers: Iterable[int], pieces: Sequence[str], step_s: float) -> list[Word]:
    """The words with their times.

    Args:
        numbers: (steps,), the best piece of each step. Zero is none; one that is repeated is said once.
        pieces: what the numbers stand for.
        step_s: seconds from one step to the next.
    """
    words: list[Word] = []
    step, is_begun = 0, True
    for number, run in itertools.groupby(map(int, numbers)):
        start, step = step, step + len(list(run))
        if number == 0 or _TAG.fullmatch(pieces[number]):
            continue
        piece = pieces[number]
        is_begun = is_begun or piece.startswith(BEGIN)
        text = piece.replace(BEGIN, "")
        if not text:
            continue
        # Han and Kana are written without spaces, so that each is a word of its own.
        if is_begun or is_spaceless(text[0]) or is_spaceless(words[-1].text[-1]):
            words.append(Word(text, start * step_s, step * step_s))
        else:
            words[-1] = Word(words[-1].text + text, words[-1].start_s, step * step_s)
        is_begun = False
    return words
