import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate.emotions import (
    ALIASES,
    BY_GENDER,
    EMOTIONS,
    MERGES,
    SEVEN,
    canonical,
    merge,
    merge_scores,
    merged_labels,
    target_of,
)
from intonate.errors import LabelError
from intonate.schema import Utterance

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
    labels = merged_labels(name)
    assert list(labels) == sorted(set(labels))
    if name not in BY_GENDER:
        assert set(labels) == set(table.values())
    for part in name.split("-"):
        # `p4-4` and `7` tell how many labels they lead to.
        if part.isdigit():
            assert len(labels) == int(part)


def row(emotion: str, gender: str = "") -> Utterance:
    return Utterance("a.wav", emotion, emotion, "", "mine", gender=gender)


@pytest.mark.parametrize("name", sorted(set(MERGES) - BY_GENDER))
def test_an_utterance_goes_where_the_merge_says(name):
    for emotion in EMOTIONS:
        assert target_of(row(emotion, "female"), name) == merge(name).get(emotion)


@pytest.mark.parametrize("name", sorted(BY_GENDER))
def test_some_merges_tell_the_gender(name):
    wanted = {f"{gender} {emotion}" for gender in ("female", "male") for emotion in merge(name).values()}
    assert set(merged_labels(name)) == wanted
    assert target_of(row("sad", "male"), name) == "male sad"
    assert target_of(row("sad"), name) is None
    assert target_of(row("boredom", "male"), name) is None


def test_a_model_that_tells_the_gender_can_be_asked_for_the_emotion():
    scores = merge_scores(("female sad", "male sad", "male happy"), (0.25, 0.25, 0.5), "7")
    assert scores == {"sad": 0.5, "happy": 0.5}


def test_merges_are_what_their_names_say():
    assert merged_labels("7") == tuple(sorted(SEVEN))
    assert merge("7")["calm"] == "neutral"
    assert merge("4")["excited"] == "happy"
    assert "surprise" not in merge("6")
    assert "neutral" not in merge("p4-4")
    assert merged_labels("valence") == ("negative", "neutral", "positive")
    assert "surprise" not in merge("valence")


def test_an_unknown_merge_lists_the_known():
    with pytest.raises(LabelError, match=r"'valance' is not known; did you mean 'valence'\?") as caught:
        merge("valance")
    assert all(name in str(caught.value) for name in MERGES)


def test_a_number_from_yaml_is_a_merge_as_well():
    assert merge(7) is merge("7")


def test_scores_are_summed():
    scores = merge_scores(("angry", "disgust", "happy", "sad"), (0.1, 0.2, 0.3, 0.4), "p4-4")
    assert scores == pytest.approx({"anger/disgust": 0.3, "happiness": 0.3, "sadness": 0.4})
    # Neutral has no place: the rest is scaled to one.
    assert merge_scores(("happy", "sad", "neutral"), (0.1, 0.1, 0.8), "p4-4")["sadness"] == pytest.approx(0.5)


@settings(deadline=None)
@given(
    scores=st.lists(st.floats(0, 1), min_size=len(SEVEN), max_size=len(SEVEN)),
    name=st.sampled_from(sorted(set(MERGES) - BY_GENDER)),
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


def test_the_canonical_names_are_sorted():
    assert list(EMOTIONS) == sorted(EMOTIONS)
    assert set(SEVEN) < set(EMOTIONS)
