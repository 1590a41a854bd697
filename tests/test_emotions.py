import pytest
from hypothesis import given
from hypothesis import strategies as st

from intonate import emotions
from intonate.emotions import ALIASES, EMOTIONS, MERGES, SEVEN, canonical, merge, merge_scores, merged_labels
from intonate.errors import LabelError

SPELLINGS = [(alias, name) for name, aliases in ALIASES.items() for alias in (name, *aliases)]


@pytest.mark.parametrize(("spelling", "name"), SPELLINGS)
@pytest.mark.parametrize("written", [str.lower, str.upper, str.title, "  {} ".format])
def test_every_spelling_has_its_name(spelling, name, written):
    assert canonical(written(spelling)) == name


def test_no_spelling_has_two():
    assert len({alias for alias, _ in SPELLINGS}) == len(SPELLINGS)
    assert all(alias == alias.strip().lower() for alias, _ in SPELLINGS)


def test_an_unknown_label_is_never_guessed():
    with pytest.raises(LabelError) as caught:
        canonical("Hapy")
    assert "'Hapy' is not known; did you mean 'happy'?" in str(caught.value)
    assert all(name in str(caught.value) for name in EMOTIONS)
    for label in ("", "zzz", "happy sad"):
        with pytest.raises(LabelError):
            canonical(label)


@pytest.mark.parametrize("name", MERGES)
def test_merges_move_canonical_labels(name):
    table = merge(name)
    assert set(table) <= set(EMOTIONS)
    assert not {"other", "unknown"} & set(table)
    assert merged_labels(name) == tuple(sorted(set(table.values())))
    digits = name.rpartition("-")[2]
    if digits.isdigit():
        assert len(merged_labels(name)) == int(digits)


def test_merges_are_what_their_names_say():
    assert merged_labels("7") == tuple(sorted(SEVEN))
    assert merge("7")["calm"] == "neutral"
    assert merge("4")["excited"] == "happy"
    assert "surprise" not in merge("6")
    assert "neutral" not in merge("p4-4")
    assert merged_labels("valence") == ("negative", "neutral", "positive")
    assert "surprise" not in merge("valence")


def test_an_unknown_merge_lists_the_known():
    with pytest.raises(LabelError, match=r"'valance' is not known; did you mean 'valence'\? \(known: 4, 5, 6, 7, 8, "):
        merge("valance")


def test_a_number_from_yaml_is_a_merge_as_well():
    assert merge(7) is merge("7")


def test_scores_are_summed():
    scores = merge_scores(("angry", "disgust", "happy", "sad"), (0.1, 0.2, 0.3, 0.4), "p4-4")
    assert scores == pytest.approx({"anger/disgust": 0.3, "happiness": 0.3, "sadness": 0.4})
    # Neutral has no place: the rest is scaled to one.
    assert merge_scores(("happy", "sad", "neutral"), (0.1, 0.1, 0.8), "p4-4")["sadness"] == pytest.approx(0.5)


@given(
    scores=st.lists(st.floats(0, 1), min_size=len(SEVEN), max_size=len(SEVEN)),
    name=st.sampled_from(sorted(MERGES)),
)
def test_merged_scores_sum_to_one(scores, name):
    merged = merge_scores(SEVEN, scores, name)
    assert set(merged) <= set(merged_labels(name))
    assert sum(merged.values()) == pytest.approx(1)
    assert all(0 <= score <= 1 + 1e-9 for score in merged.values())


def test_without_any_probability_the_answer_is_uniform():
    assert merge_scores(("happy", "sad"), (0, 0), "p4-4") == {"happiness": 0.5, "sadness": 0.5}


def test_labels_without_a_place_are_said():
    with pytest.raises(LabelError, match="'p4-4' has no place for any of this model's labels: calm, neutral"):
        merge_scores(("calm", "neutral"), (0.5, 0.5), "p4-4")


def test_as_many_scores_as_labels():
    with pytest.raises(ValueError, match="zip"):
        merge_scores(("happy", "sad"), (1.0,), "7")


def test_the_example_of_the_docstring():
    assert canonical("Fearful") == "fear"
    assert emotions.EMOTIONS == tuple(sorted(emotions.EMOTIONS))
