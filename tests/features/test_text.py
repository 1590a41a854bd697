"""The front ends of words: any text at all, and the numbers that some texts must have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate.errors import ModelError
from intonate.features import text
from intonate.features.text.linguistic import LINGUISTIC, SENTIMENTS, SYNTAX, linguistic, sentiment, syntax
from intonate.features.text.semantics import DIMENSIONS, semantics

WIDTHS = {
    "linguistic": len(LINGUISTIC),
    "semantics": DIMENSIONS,
    "sentiment": len(SENTIMENTS),
    "syntax": len(SYNTAX),
}


def column(said: str, name: str) -> float:
    return float(linguistic(said)[LINGUISTIC.index(name)])


@pytest.mark.parametrize("name", sorted(text.CATALOGUE))
@settings(max_examples=30, deadline=None)
@given(said=st.one_of(st.text(max_size=60), st.sampled_from(["Der Lappen liegt da.", "I can't!", "OK… 😂", "a\n\x00"])))
def test_any_text_has_as_many_finite_columns(name, said):
    found = text.get(name)(said)
    assert (found.shape, found.dtype) == ((WIDTHS[name],), np.float32)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, text.get(name)(said))


@pytest.mark.parametrize("said", ["", "   ", "?!"])
def test_no_words_are_zeros(said):
    assert not linguistic(said).any()


def test_good_words_are_told_from_bad_ones():
    good, bad = sentiment("What a wonderful, lovely day.")[0], sentiment("What a terrible, awful day.")[0]
    assert good > 0.5
    assert bad < -0.5
    assert sentiment("Kids are talking by the door.").tolist() == [0.0, 0.0]


@pytest.mark.parametrize("not_", ["can't", "won't", "don't", "shan’t", "do not", "never"])
def test_a_negation_is_one_however_it_is_written(not_):
    assert column(f"I {not_} go there", "negations") > 0
    assert column("I go there", "negations") == 0


def test_syntax_counts_what_there_is():
    said = "Did YOU see my dogs? They ran!"
    assert column(said, "log_words") == pytest.approx(np.log(8))
    assert column(said, "log_sentences") == pytest.approx(np.log(3))
    assert column(said, "words_per_sentence") == 3.5
    assert column(said, "letters_per_word") == pytest.approx(22 / 7)
    assert column(said, "questions") == column(said, "exclamations") == 0.5
    assert column(said, "capitals") == column(said, "second_person") == column(said, "first_person")
    assert column(said, "capitals") == pytest.approx(1 / 7)
    assert column(said, "different_words") == 1


def test_parts_of_speech_are_shares_of_the_words():
    said = "Kids are talking by the door"
    assert column(said, "nouns") == column(said, "verbs") == pytest.approx(2 / 6)
    assert column(said, "prepositions") == column(said, "determiners") == pytest.approx(1 / 6)


def test_what_is_alike_in_meaning_lies_together():
    thanks, gratitude, fear = (
        semantics(said) for said in ("Thank you!", "thanks so much", "I was terrified, so scared")
    )
    assert cosine(thanks, gratitude) > cosine(thanks, fear) + 0.2
    np.testing.assert_array_equal(semantics("thank you"), semantics("THANK YOU…"))


def test_a_text_of_words_that_nobody_wrote_has_no_meaning():
    assert not semantics("zzyzx qwrtp").any()


def test_the_whole_is_its_parts():
    said = "I love it, don't you?"
    np.testing.assert_array_equal(linguistic(said), np.concatenate([sentiment(said), syntax(said), semantics(said)]))


def test_what_reads_words_is_told_from_what_hears():
    assert text.is_text("tokens")
    assert text.is_text("linguistic")
    assert not text.is_text("mfcc")
    with pytest.raises(ModelError, match="did you mean 'syntax'"):
        text.get("sintax")


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
