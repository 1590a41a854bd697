"""Splits: disjoint, covering, the same every time, and refused where they would flatter."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate import corpora
from intonate.corpora import splits
from intonate.corpora.speaker_folds import FOLDS, POOLED
from intonate.errors import SplitError
from intonate.schema import Utterance

SHARED = Path(__file__).parents[3] / "shared" / "corpora"


def clips(speakers, each=6, corpus="mine", genders=("female", "male")):
    """`each` clips of every speaker: two emotions, sentences numbered."""
    return [
        Utterance(
            path=f"{corpus}/{speaker}/{number}.wav",
            emotion="happy" if number % 2 else "sad",
            raw_label="x",
            speaker=f"{corpus}/{speaker}",
            corpus=corpus,
            gender=genders[place % len(genders)],
            sentence=str(number),
        )
        for place, speaker in enumerate(speakers)
        for number in range(each)
    ]


def people(name):
    return [speaker for fold in FOLDS[name].folds for speaker in fold]


def speakers(rows, utterances):
    return {utterances[row].speaker for row in rows}


def assert_sound(split, utterances):
    """Every clip once, speakers apart."""
    everything = np.concatenate([split.train, split.validation, split.test])
    assert sorted(everything) == list(range(len(utterances)))
    assert all(rows.dtype == np.int64 and list(rows) == sorted(rows) for rows in (split.train, split.test))
    tested = speakers(split.test, utterances)
    assert not tested & (speakers(split.train, utterances) | speakers(split.validation, utterances))
    if not split.validation_shares_speakers:
        assert not speakers(split.train, utterances) & speakers(split.validation, utterances)


@pytest.mark.parametrize("name", sorted(FOLDS))
def test_every_table_tests_everybody_once(name):
    assert len(people(name)) == len(set(people(name)))
    utterances = clips(people(name), corpus=FOLDS[name].corpus)
    made = splits.folds(name, utterances)
    assert [split.name for split in made] == [f"{name}/{fold + 1}" for fold in range(len(FOLDS[name].folds))]
    for split in made:
        assert_sound(split, utterances)
        assert "speaker-disjoint" in split.protocol
    assert sorted(np.concatenate([split.test for split in made])) == list(range(len(utterances)))


@pytest.mark.parametrize("name", [name for name in sorted(FOLDS) if len(FOLDS[name].folds) > 2])
def test_validation_is_the_next_folds_speakers(name):
    utterances = clips(people(name), corpus=FOLDS[name].corpus)
    made = splits.folds(name, utterances)
    for split, following in zip(made, [*made[1:], made[0]], strict=True):
        assert np.array_equal(split.validation, following.test)


def test_the_published_folds_are_the_published_folds():
    actors = [{int(actor) for actor in fold} for fold in FOLDS["ravdess-6"].folds]
    assert actors == [
        {1, 11, 20, 21},
        {4, 10, 12, 14},
        {8, 9, 19, 23},
        {3, 5, 7, 24},
        {2, 15, 16, 18},
        {6, 13, 17, 22},
    ]
    assert [len(fold) for fold in FOLDS["ravdess-5"].folds] == [5, 5, 5, 5, 4]
    assert [len(fold) for fold in FOLDS["cremad-5"].folds] == [18, 18, 18, 18, 19]
    sizes = {"ravdess": 24, "emodb": 10, "banglaser": 34, "nemo": 9, "tess": 2, "cremad": 91, "subesco": 20}
    for name, table in FOLDS.items():
        assert len(people(name)) == sizes.get(table.corpus, len(people(name)))


def test_banglaser_folds_are_even_in_gender():
    for fold in FOLDS["banglaser-5"].folds:
        men = sum(int(actor) % 2 for actor in fold)
        assert 3 <= men <= 4
        assert 3 <= len(fold) - men <= 4
        assert len(set(fold) & {"11", "12", "13", "16", "18", "20", "29"}) <= 2


@pytest.mark.parametrize("name", ["ravdess-6", "ravdess-6+others", "speakers-4", "random-80-20", "pooled"])
def test_a_name_tells_how_many_folds_it_has(name):
    everybody = clips(people("ravdess-6"), corpus="ravdess")
    assert splits.fold_count(name) == len(splits.folds(name, everybody))


def test_the_corpora_tell_how_many_are_left_out():
    assert splits.fold_count("corpora") is None
    with pytest.raises(SplitError, match="did you mean 'speakers-K'"):
        splits.fold_count("speakers-0")


def test_only_the_speakers_that_are_there():
    utterances = clips(["EB0", "IC0", "MK0", "SM0", "TP0", "WR0"], corpus="nemo")
    pairs = splits.folds("nemo-3", utterances)
    assert [sorted(speakers(split.test, utterances)) for split in pairs] == [
        ["nemo/EB0", "nemo/SM0"],
        ["nemo/IC0", "nemo/TP0"],
        ["nemo/MK0", "nemo/WR0"],
    ]
    assert all(len(speakers(split.test, utterances)) == 1 for split in splits.folds("nemo-6", utterances))
    few = clips(["01", "04", "08"], corpus="ravdess")
    made = splits.folds("ravdess-6", few)
    assert len(made) == 3
    assert "only 3 have speakers here" in made[0].protocol


def test_two_speakers_validate_on_their_own_sentences():
    utterances = clips(["OAF", "YAF"], each=20, corpus="tess")
    for split in splits.folds("tess-2", utterances):
        assert split.validation_shares_speakers
        assert "no third fold" in split.protocol
        said = {utterances[row].sentence for row in split.train} & {
            utterances[row].sentence for row in split.validation
        }
        assert not said
        assert len(split.validation) == 4


def test_pooled_holds_out_fixed_speakers_of_every_corpus():
    utterances = clips(people("ravdess-6"), corpus="ravdess") + clips(people("nemo-3"), corpus="nemo")
    (split,) = splits.folds("pooled", utterances, seed=1)
    (again,) = splits.folds("pooled", utterances, seed=2)
    assert_sound(split, utterances)
    assert np.array_equal(split.test, again.test)
    assert speakers(split.test, utterances) == {
        *(f"ravdess/{actor}" for actor in ("01", "11", "20", "21")),
        "nemo/EB0",
        "nemo/SM0",
    }
    assert all(not set(held.test) & set(held.validation) for held in POOLED.values())
    with pytest.raises(SplitError, match="no speakers of 'tess'"):
        splits.folds("pooled", clips(["OAF", "YAF"], corpus="tess"))


@st.composite
def tables(draw):
    count = draw(st.integers(3, 12))
    each = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    genders = draw(st.lists(st.sampled_from(["female", "male", ""]), min_size=count, max_size=count))
    rows = [
        replace(clip, gender=gender)
        for place, (number, gender) in enumerate(zip(each, genders, strict=True))
        for clip in clips([f"s{place}"], each=number)
    ]
    return [rows[place] for place in draw(st.permutations(range(len(rows))))]


@settings(deadline=None)
@given(tables(), st.integers(2, 6))
def test_any_speakers_in_any_number_of_groups(utterances, count):
    known = {utterance.speaker for utterance in utterances}
    if len(known) < count:
        with pytest.raises(SplitError, match=f"{len(known)} speakers for {count} groups"):
            splits.folds(f"speakers-{count}", utterances)
        return
    groups = splits.speaker_groups(utterances, count)
    assert sorted(speaker for group in groups for speaker in group) == sorted(known)
    for gender in ("female", "male", ""):
        one = {utterance.speaker for utterance in utterances if utterance.gender == gender}
        shares = [len(one & set(group)) for group in groups]
        assert max(shares) - min(shares) <= 1
    shuffled = utterances[::-1]
    assert splits.speaker_groups(shuffled, count) == groups
    if count > 2:
        for split in splits.folds(f"speakers-{count}", utterances):
            assert_sound(split, utterances)


@settings(deadline=None)
@given(tables(), st.integers(0, 3))
def test_speaker_disjoint(utterances, seed):
    (split,) = splits.folds("speaker-disjoint", utterances, seed)
    (again,) = splits.folds("speaker-disjoint", utterances, seed)
    assert_sound(split, utterances)
    assert np.array_equal(split.test, again.test)
    assert np.array_equal(split.validation, again.validation)


@pytest.mark.parametrize(
    ("name", "shares"), [("random-80-20", (0.64, 0.16, 0.2)), ("random-70-10-20", (0.7, 0.1, 0.2))]
)
def test_random_splits_say_so_in_their_name(name, shares):
    utterances = clips([f"s{number}" for number in range(10)], each=50)
    (split,) = splits.folds(name, utterances, seed=3)
    (again,) = splits.folds(name, utterances, seed=3)
    (other,) = splits.folds(name, utterances, seed=4)
    assert split.name == "random (speakers overlap)"
    assert split.speakers_overlap
    parts = (split.train, split.validation, split.test)
    assert sorted(np.concatenate(parts)) == list(range(500))
    for rows, share in zip(parts, shares, strict=True):
        assert len(rows) == round(500 * share)
        assert sum(utterances[row].emotion == "happy" for row in rows) == len(rows) / 2
    assert np.array_equal(split.test, again.test)
    assert not np.array_equal(split.test, other.test)


@st.composite
def scripts(draw):
    """Speakers who each say some of a corpus's sentences, with some of the emotions."""
    count, said = draw(st.integers(3, 8)), draw(st.integers(1, 10))
    rows = [
        replace(clip, emotion=draw(st.sampled_from(["happy", "sad", "angry"])))
        for clip in clips([f"s{place}" for place in range(count)], each=said)
    ]
    return [rows[place] for place in draw(st.permutations(range(len(rows))))], said


def sentences(rows, utterances):
    return {(utterances[row].corpus, utterances[row].sentence) for row in rows}


@given(scripts(), st.integers(0, 3))
def test_sentence_disjoint(script, seed):
    utterances, said = script
    if said < 3:
        with pytest.raises(SplitError, match=f"needs 3 sentences or more of a corpus, and mine has {said}"):
            splits.folds("sentence-disjoint", utterances, seed)
        return
    (split,) = splits.folds("sentence-disjoint", utterances, seed)
    (again,) = splits.folds("sentence-disjoint", utterances, seed)
    assert np.array_equal(split.test, again.test)
    parts = (split.train, split.validation, split.test)
    assert sorted(np.concatenate(parts)) == list(range(len(utterances))), "nothing is left out"
    train, validation, test = (sentences(rows, utterances) for rows in parts)
    assert not train & validation
    assert not test & (train | validation)
    assert split.name == "sentence-disjoint (speakers overlap)"
    assert split.speakers_overlap


@given(scripts(), st.integers(0, 3))
def test_speaker_and_sentence_disjoint_at_once(script, seed):
    utterances, said = script
    if said < 4:
        with pytest.raises(SplitError, match=f"needs 4 sentences or more of a corpus, and mine has {said}"):
            splits.folds("speaker-sentence-disjoint", utterances, seed)
        return
    (split,) = splits.folds("speaker-sentence-disjoint", utterances, seed)
    parts = (split.train, split.validation, split.test)
    used = np.concatenate(parts)
    assert len(set(used)) == len(used)
    assert f"{len(utterances) - len(used)} clips in no part" in split.protocol
    assert not split.speakers_overlap
    people_of = [speakers(rows, utterances) for rows in parts]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not people_of[one] & people_of[other]
    tested = sentences(split.test, utterances)
    assert not tested & (sentences(split.train, utterances) | sentences(split.validation, utterances))
    # A clip is in no part only where it would be on both sides.
    for row in set(range(len(utterances))) - set(used.tolist()):
        utterance = utterances[row]
        assert (utterance.speaker in people_of[2]) != (("mine", utterance.sentence) in tested)


def test_each_corpus_keeps_sentences_of_its_own():
    utterances = clips(["a", "b", "c"], each=20) + clips(["d", "e"], each=5, corpus="other")
    (split,) = splits.folds("sentence-disjoint", utterances)
    for rows, mine, other in ((split.train, 14, 3), (split.validation, 2, 1), (split.test, 4, 1)):
        said = sentences(rows, utterances)
        assert sum(corpus == "mine" for corpus, _ in said) == mine
        assert sum(corpus == "other" for corpus, _ in said) == other


def test_sentences_said_with_one_emotion_are_spread():
    """As in SAVEE: most sentences belong to one emotion, and every part has some of each."""
    utterances = [
        replace(clip, emotion=("angry", "happy", "sad")[int(clip.sentence) % 3]) for clip in clips("abcd", each=30)
    ]
    for seed in range(5):
        (split,) = splits.folds("sentence-disjoint", utterances, seed)
        for rows in (split.train, split.validation, split.test):
            assert {utterances[row].emotion for row in rows} == {"angry", "happy", "sad"}


def test_where_sentences_cannot_be_kept_apart_it_says_why():
    ravdess = [replace(clip, sentence=f"0{int(clip.sentence) % 2 + 1}") for clip in clips("abc", corpus="ravdess")]
    for name, fewest in (("sentence-disjoint", 3), ("speaker-sentence-disjoint", 4)):
        with pytest.raises(SplitError, match=f"needs {fewest} sentences or more of a corpus, and ravdess has 2"):
            splits.folds(name, ravdess)
        free = [replace(clip, sentence="") for clip in ravdess]
        with pytest.raises(SplitError, match=r"needs to know what is said, and ravdess/a/0\.wav has no sentence"):
            splits.folds(name, free)
    with pytest.raises(SplitError, match="needs three speakers or more, and there are 2"):
        splits.folds("speaker-sentence-disjoint", clips("ab", each=12))


@pytest.mark.corpora
@pytest.mark.parametrize("name", ["nemo", "emodb", "tess", "ravdess"])
def test_sentences_of_the_real_corpora(name):
    if not (SHARED / name).is_dir():
        pytest.skip(f"{SHARED / name} is not there")
    utterances = corpora.read(name, SHARED / name).utterances
    if name == "ravdess":
        with pytest.raises(SplitError, match="ravdess has 2"):
            splits.folds("sentence-disjoint", utterances)
        return
    (split,) = splits.folds("sentence-disjoint", utterances)
    emotions = {utterance.emotion for utterance in utterances}
    assert {utterances[row].emotion for row in split.test} == emotions
    assert 0.15 < len(split.test) / len(utterances) < 0.25
    if name == "tess":  # two speakers
        return
    (split,) = splits.folds("speaker-sentence-disjoint", utterances)
    assert {utterances[row].emotion for row in split.train} == emotions
    assert len(split.test) > 0.02 * len(utterances)


def handmade(train, validation, test, name="mine"):
    return splits.Split(name, np.array(train), np.array(validation), np.array(test), "by hand")


def test_a_speaker_on_both_sides_is_refused():
    utterances = clips(["a", "b", "c"], each=2)
    splits.check(handmade([0, 1], [2, 3], [4, 5]), utterances)
    with pytest.raises(SplitError, match="1 speaker in both test and train: mine/a"):
        splits.check(handmade([0], [2, 3], [1, 4, 5]), utterances)
    with pytest.raises(SplitError, match="both test and validation: mine/b"):
        splits.check(handmade([0, 1], [2], [3, 4, 5]), utterances)
    with pytest.raises(SplitError, match="both validation and train: mine/a"):
        splits.check(handmade([0], [1, 2, 3], [4, 5]), utterances)
    # Only under the name that says so.
    splits.check(handmade([0], [2, 3], [1, 4, 5], name=splits.RANDOM), utterances)


def test_copies_of_one_recording_are_refused_even_in_a_random_split():
    utterances = clips(["a", "b", "c"], each=2) * 2
    with pytest.raises(SplitError, match="recordings in both test and train"):
        splits.check(handmade(range(6), [10, 11], [6, 7], name=splits.RANDOM), utterances)
    cut = [replace(utterance, start_s=float(row)) for row, utterance in enumerate(utterances)]
    splits.check(handmade(range(6), [10, 11], [6, 7], name=splits.RANDOM), cut)


def test_shared_sentences_are_refused_where_asked():
    utterances = clips(["a", "b", "c"], each=2)
    with pytest.raises(SplitError, match=re.escape("2 sentences in both test and train: mine: 0, mine: 1")):
        splits.check(handmade([0, 1], [2, 3], [4, 5]), utterances, sentences=True)
    free = [replace(utterance, sentence="") for utterance in utterances]
    splits.check(handmade([0, 1], [2, 3], [4, 5]), free, sentences=True)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (handmade([0, 0], [2, 3], [4, 5]), "uses an utterance twice"),
        (handmade([0, 1], [1, 2], [4, 5]), "uses an utterance twice"),
        (handmade([0, 1], [], [4, 5]), "no validation utterances"),
        (handmade([0, 1], [2, 3], [4, 6]), "points outside the 6 utterances"),
        (handmade([-1, 1], [2, 3], [4]), "points outside"),
    ],
)
def test_impossible_splits_are_refused(split, message):
    with pytest.raises(SplitError, match=message):
        splits.check(split, clips(["a", "b", "c"], each=2))


def test_clear_refusals():
    utterances = clips(["a", "b", "c"])
    nameless = [replace(utterance, speaker="") for utterance in utterances]
    for name in ("speakers-3", "speaker-disjoint"):
        with pytest.raises(SplitError, match=r"has no speaker; give a speaker column, or use random-80-20"):
            splits.folds(name, nameless)
    assert splits.folds("random-80-20", nameless)
    with pytest.raises(SplitError, match=r"ravdess-6 has no fold for mine/a, mine/b, mine/c; .* pooled"):
        splits.folds("ravdess-6", utterances)
    with pytest.raises(SplitError, match="did you mean 'ravdess-6'"):
        splits.folds("ravdes-6", utterances)
    with pytest.raises(SplitError, match="empty"):
        splits.folds("speakers-3", [])
    with pytest.raises(SplitError, match="2 groups or more"):
        splits.folds("speakers-1", utterances)
    with pytest.raises(SplitError, match="three speakers or more"):
        splits.folds("speaker-disjoint", clips(["a", "b"]))
    with pytest.raises(SplitError, match="at least two folds"):
        splits.folds("ravdess-6", clips(["01"], corpus="ravdess"))


@pytest.mark.corpora
@pytest.mark.parametrize("name", [name for name, table in FOLDS.items() if table.corpus in corpora.CATALOGUE])
def test_every_fold_of_the_real_corpora_has_every_emotion(name):
    corpus = FOLDS[name].corpus
    if not (SHARED / corpus).is_dir():
        pytest.skip(f"{SHARED / corpus} is not there")
    utterances = corpora.read(corpus, SHARED / corpus).utterances
    emotions = {utterance.emotion for utterance in utterances}
    for split in splits.folds(name, utterances):
        assert_sound(split, utterances)
        assert {utterances[row].emotion for row in split.train} == emotions
        assert split.test.size > 0


def test_a_corpus_is_left_out_whole():
    people = {"emodb": ("03", "09", "16"), "tess": ("OAF",), "ravdess": ("01", "04", "24")}
    rows = [
        Utterance(f"{corpus}{who}{emotion}.wav", emotion, emotion, f"{corpus}/{who}", corpus)
        for corpus, speakers in people.items()
        for who in speakers
        for emotion in ("angry", "sad")
    ]
    found = splits.folds("corpora", rows)
    assert [split.name for split in found] == ["corpora/emodb", "corpora/ravdess", "corpora/tess"]
    for split in found:
        (tested,) = {rows[row].corpus for row in split.test}
        assert len(split.test) == 2 * len(people[tested])
        others = {rows[row].corpus for row in [*split.train, *split.validation]}
        assert others == people.keys() - {tested}
        validating = {rows[row].speaker for row in split.validation}
        assert validating == {"emodb/09", "ravdess/04"} - {f"{tested}/{who}" for who in people[tested]}
    with pytest.raises(SplitError, match="only"):
        splits.folds("corpora", [row for row in rows if row.corpus == "tess"])


def test_half_of_a_corpus_that_is_left_out_is_heard_without_labels():
    """Corpora that nobody knows, too: a fifth of their speakers validates."""
    rows = clips("abcd", corpus="mine") + clips("efgh", corpus="yours")
    found = splits.folds("corpora-halves", rows)
    assert [split.name for split in found] == [
        f"corpora-halves/{corpus}/{half}" for corpus in ("mine", "yours") for half in (1, 2)
    ]
    for split in found:
        parts = [split.train, split.validation, split.test, split.unlabelled]
        assert sorted(np.concatenate(parts)) == list(range(len(rows)))
        people_of = [speakers(part, rows) for part in parts]
        assert len(set.union(*people_of)) == sum(map(len, people_of)) == 8
        assert {rows[row].corpus for row in [*split.test, *split.unlabelled]} == {split.name.split("/")[1]}
        assert len(people_of[2]) == len(people_of[3]) == 2
    one, other = found[:2]
    assert (one.test.tolist(), one.unlabelled.tolist()) == (other.unlabelled.tolist(), other.test.tolist())


def test_what_is_heard_without_labels_is_kept_apart():
    rows = clips("abcd")
    split = splits.folds("speakers-4", rows)[0]
    with pytest.raises(SplitError, match="speaker in both test and unlabelled"):
        splits.check(replace(split, test=split.test[:3], unlabelled=split.test[3:]), rows)
    with pytest.raises(SplitError, match="uses an utterance twice"):
        splits.check(replace(split, unlabelled=split.train[:1]), rows)


def test_other_corpora_train_in_every_fold():
    rows = clips(people("emodb-5"), corpus="emodb") + clips("ab", corpus="mine")
    alone, together = splits.folds("emodb-5", rows[: -2 * 6]), splits.folds("emodb-5+others", rows)
    others = range(len(rows) - 2 * 6, len(rows))
    for one, both in zip(alone, together, strict=True):
        assert both.name == one.name.replace("emodb-5", "emodb-5+others")
        np.testing.assert_array_equal(both.train, [*one.train, *others])
        np.testing.assert_array_equal(both.test, one.test)
        np.testing.assert_array_equal(both.validation, one.validation)
    with pytest.raises(SplitError, match="not known"):
        splits.folds("speakers-2+others", rows)


def test_a_recording_with_two_labels_is_no_copy_to_augment():
    row = Utterance("a.wav", "sad", "sad", "x/1", "x")
    with pytest.raises(SplitError, match=r"^a\.wav is listed more than once, with different labels; keep one row"):
        splits.folds("speakers-4", [row, replace(row, emotion="happy")])
    with pytest.raises(SplitError, match=r"^a\.wav from 1 to 2 s is listed more than once: split the recordings first"):
        splits.folds("speakers-4", [replace(row, start_s=1.0, end_s=2.0)] * 2)
