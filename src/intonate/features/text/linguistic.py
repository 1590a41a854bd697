"""Linguistic features of a transcript: sentiment, syntax and semantics (P2, acoustic + linguistic, on the web).

P2 prints that it takes sentiment, "syntactic structures" and "semantic meanings" from transcripts, and no more. Chosen
here: sentiment and parts of speech by TextBlob's lexicons (the extra `linguistic`), counts that any text has, and
latent semantics (`semantics.py`). English only: words of other languages have no sentiment, and are nouns.
"""

from __future__ import annotations

import re
import warnings
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.errors import require
from intonate.features.text.semantics import DIMENSIONS, semantics

SENTIMENTS = ("polarity", "subjectivity")
# Penn Treebank's tags (Marcus et al. 1993) by the part of speech that they begin with.
PARTS_OF_SPEECH: dict[str, tuple[str, ...]] = {
    "nouns": ("NN",),
    "verbs": ("VB",),
    "modals": ("MD",),
    "adjectives": ("JJ",),
    "adverbs": ("RB", "WRB"),
    "pronouns": ("PRP", "WP"),
    "determiners": ("DT", "PDT", "WDT", "EX"),
    "prepositions": ("IN", "TO"),
    "conjunctions": ("CC",),
    "interjections": ("UH",),
    "numbers": ("CD",),
}
PAST_TAGS = ("VBD", "VBN")
WORD_GROUPS: dict[str, frozenset[str]] = {
    "negations": frozenset(["no", "not", "never", "none", "nobody", "nothing", "neither", "nor", "nowhere", "cannot"]),
    "first_person": frozenset(["i", "me", "my", "mine", "myself", "we", "us", "our", "ours", "ourselves"]),
    "second_person": frozenset(["you", "your", "yours", "yourself", "yourselves"]),
}
COUNTS = ("log_words", "log_sentences", "letters_per_word", "words_per_sentence", "different_words")
MARKS = ("questions", "exclamations", "capitals")
SYNTAX = (*PARTS_OF_SPEECH, "past", *WORD_GROUPS, *COUNTS, *MARKS)
LINGUISTIC = (*SENTIMENTS, *SYNTAX, *(f"semantics_{number}" for number in range(1, DIMENSIONS + 1)))

_SENTENCE_ENDS = re.compile(r"[.!?…]+")
_NOT_PATTERN = re.compile(r"(\bca|\bwo|\bsha|)n't\b", re.IGNORECASE)
_NEGATED = {"ca": "can not", "wo": "will not", "sha": "shall not", "": " not"}


def linguistic(text: str) -> NDArray[np.float32]:
    """Sentiment, syntax and semantics side by side: all of P2's linguistic features.

    Args:
        text: what was said.

    Returns:
        (57,) float32, the columns of `LINGUISTIC`; all zero for no words.

    Raises:
        MissingExtraError: TextBlob is not installed.
    """
    return np.concatenate([sentiment(text), syntax(text), semantics(text)])


def sentiment(text: str) -> NDArray[np.float32]:
    """How good or bad the words are, and how personal: means over the words of TextBlob's lexicon of 1,500 adjectives
    and adverbs, with negation and words that strengthen (De Smedt & Daelemans 2012, Pattern for Python).

    Args:
        text: what was said.

    Returns:
        (2,) float32: polarity from -1 to 1, subjectivity from 0 to 1; zeros where the lexicon has none of the words.

    Raises:
        MissingExtraError: TextBlob is not installed.
    """
    return np.asarray(_english().sentiment(_spelt_out(text)), np.float32)


def syntax(text: str) -> NDArray[np.float32]:
    """How the words are put together: shares of the parts of speech by TextBlob's tagger (a lexicon and Brill's rules,
    Brill 1992), and counts of words, sentences and marks.

    Args:
        text: what was said.

    Returns:
        (23,) float32, the columns of `SYNTAX`: each part of speech, verbs in the past, negations, first and second
        person as shares of the words; ln(1 + words) and ln(1 + sentences), letters per word, words per sentence, the
        share of words that are different; question and exclamation marks per sentence, and the share of words of two
        letters or more in capitals. All zero for no words.

    Raises:
        MissingExtraError: TextBlob is not installed.
    """
    spelt_out = _spelt_out(text)
    tagged = [(word, tag) for word, tag in _english().tag(spelt_out) if any(letter.isalnum() for letter in word)]
    if not tagged:
        return np.zeros(len(SYNTAX), np.float32)
    words, tags = [word.lower() for word, _ in tagged], [tag for _, tag in tagged]
    sentences = max(1, len(_SENTENCE_ENDS.findall(text)))
    parts = [sum(tag.startswith(starts) for tag in tags) for starts in PARTS_OF_SPEECH.values()]
    shares = [*parts, sum(tag in PAST_TAGS for tag in tags)]
    shares += [sum(word in group for word in words) for group in WORD_GROUPS.values()]
    counts = [
        np.log1p(len(words)),
        np.log1p(sentences),
        sum(map(len, words)) / len(words),
        len(words) / sentences,
        len(set(words)) / len(words),
    ]
    capitals = sum(len(word) > 1 and word.isupper() for word, _ in tagged) / len(words)
    marks = [text.count("?") / sentences, text.count("!") / sentences, capitals]
    return np.array([*(share / len(words) for share in shares), *counts, *marks], np.float32)


@cache
def _english() -> Any:
    """TextBlob's module of English, its lexicons read: it leaves their files open, with a warning of Python's."""
    require("textblob", "linguistic")
    english = require("textblob.en", "linguistic")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        english.tag("word")
        english.sentiment("word")
    return english


def _spelt_out(text: str) -> str:
    """The text with every n't as a word: TextBlob's tagger takes it apart at the apostrophe."""
    return _NOT_PATTERN.sub(lambda match: _NEGATED[match[1].lower()], text.replace("’", "'"))
