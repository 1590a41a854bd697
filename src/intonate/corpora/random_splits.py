"""Splits drawn at random from a seed: of speakers, of sentences, of both at once, or, as most papers do, of clips.

Every part gets its share of each kind: of women and men among the speakers, of each emotion among the clips, and among
the sentences of those that are said with the same emotions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np

from intonate.corpora.overlap import (
    RANDOM,
    SENTENCES_APART,
    Indices,
    Split,
    clips_of_speakers,
    first_few,
    sentence_of,
)
from intonate.errors import SplitError
from intonate.schema import Utterance

Rule = Callable[[Sequence[Utterance], np.random.Generator], Split]

# Sentences that are kept for the test where speakers are apart as well: a fifth of a fifth would be too little to test.
BOTH_TEST_SENTENCES = 0.25


def random_clips(validation: float, protocol: str) -> Rule:
    """A split as most papers make it: clips drawn at random, emotion by emotion, a fifth for the test."""

    def draw(utterances: Sequence[Utterance], rng: np.random.Generator) -> Split:
        parts: dict[str, list[Indices]] = {"train": [], "validation": [], "test": []}
        emotions = np.array([utterance.emotion for utterance in utterances])
        for emotion in np.unique(emotions):
            rows = rng.permutation(np.flatnonzero(emotions == emotion))
            test_count = round(0.2 * len(rows))
            validation_count = round(validation * len(rows))
            parts["test"].append(rows[:test_count])
            parts["validation"].append(rows[test_count : test_count + validation_count])
            parts["train"].append(rows[test_count + validation_count :])
        rows_of = {part: np.sort(np.concatenate(rows)) for part, rows in parts.items()}
        return Split(RANDOM, rows_of["train"], rows_of["validation"], rows_of["test"], f"{RANDOM}: {protocol}")

    return draw


def speaker_disjoint(utterances: Sequence[Utterance], rng: np.random.Generator) -> Split:
    """70 : 10 : 20 of the speakers (at least one each), drawn at random, genders spread evenly."""
    test, validation = _draw_speakers("speaker-disjoint", utterances, rng)
    return by_speaker(
        "speaker-disjoint",
        "speaker-disjoint: 70 : 10 : 20 of the speakers, drawn at random",
        test,
        validation,
        utterances,
    )


def sentence_disjoint(utterances: Sequence[Utterance], rng: np.random.Generator) -> Split:
    """70 : 10 : 20 of every corpus's sentences (at least one each), drawn at random; speakers are on all sides."""
    test: set[str] = set()
    validation: set[str] = set()
    for sentences in _emotions_of_sentences("sentence-disjoint", utterances, 3):
        order = _stratified_order(sentences, rng)
        test_count, validation_count = max(1, round(0.2 * len(order))), max(1, round(0.1 * len(order)))
        test |= set(order[:test_count])
        validation |= set(order[test_count : test_count + validation_count])
    row_sentences = [sentence_of(utterance) for utterance in utterances]
    is_test = np.array([sentence in test for sentence in row_sentences])
    is_validation = np.array([sentence in validation for sentence in row_sentences])
    return Split(
        SENTENCES_APART,
        np.flatnonzero(~is_test & ~is_validation),
        np.flatnonzero(is_validation),
        np.flatnonzero(is_test),
        f"{SENTENCES_APART}: 70 : 10 : 20 of the sentences, drawn at random",
    )


def speaker_sentence_disjoint(utterances: Sequence[Utterance], rng: np.random.Generator) -> Split:
    """Test speakers say a quarter of the sentences, all others the rest; clips of neither kind are in no part."""
    name = "speaker-sentence-disjoint"
    test, validation = _draw_speakers(name, utterances, rng)
    test_sentences: set[str] = set()
    for sentences in _emotions_of_sentences(name, utterances, 4):
        order = _stratified_order(sentences, rng)
        test_sentences |= set(order[: max(1, round(BOTH_TEST_SENTENCES * len(order)))])
    is_test = np.array([utterance.speaker in test for utterance in utterances])
    is_validation = np.array([utterance.speaker in validation for utterance in utterances])
    is_test_sentence = np.array([sentence_of(utterance) in test_sentences for utterance in utterances])
    unused_count = int((is_test != is_test_sentence).sum())
    return Split(
        name,
        np.flatnonzero(~is_test & ~is_validation & ~is_test_sentence),
        np.flatnonzero(is_validation & ~is_test_sentence),
        np.flatnonzero(is_test & is_test_sentence),
        "speaker- and sentence-disjoint: 70 : 10 : 20 of the speakers, drawn at random; the test speakers' clips of a "
        f"quarter of the sentences, the others' of the rest; {unused_count} clips in no part",
    )


def by_speaker(
    name: str, protocol: str, test: set[str], validation: set[str], utterances: Sequence[Utterance]
) -> Split:
    """The clips of the `test` and `validation` speakers, and all others for training."""
    is_test = np.array([utterance.speaker in test for utterance in utterances])
    is_validation = np.array([utterance.speaker in validation for utterance in utterances])
    return Split(
        name,
        np.flatnonzero(~is_test & ~is_validation),
        np.flatnonzero(is_validation),
        np.flatnonzero(is_test),
        protocol,
    )


def _draw_speakers(name: str, utterances: Sequence[Utterance], rng: np.random.Generator) -> tuple[set[str], set[str]]:
    """The test speakers, 20 of 100, and the validation speakers, 10 of 100; genders spread evenly."""
    speakers = clips_of_speakers(utterances, name)
    if len(speakers) < 3:
        raise SplitError(f"{name} needs three speakers or more, and there are {len(speakers)}")
    order = _stratified_order({utterance.speaker: utterance.gender for utterance in utterances}, rng)
    test_count, validation_count = max(1, round(0.2 * len(order))), max(1, round(0.1 * len(order)))
    return set(order[:test_count]), set(order[test_count : test_count + validation_count])


def _emotions_of_sentences(
    name: str, utterances: Sequence[Utterance], minimum: int
) -> list[dict[str, tuple[str, ...]]]:
    """For each corpus {sentence: the emotions that it is said with}.

    Raises:
        SplitError: a clip has no sentence, or a corpus has fewer sentences than `minimum`.
    """
    emotions: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for utterance in utterances:
        if not utterance.sentence:
            raise SplitError(
                f"{name} needs to know what is said, and {utterance.path} has no sentence; give a sentence column, or "
                "use speaker-disjoint"
            )
        emotions[utterance.corpus][sentence_of(utterance)].add(utterance.emotion)
    for corpus, sentences in emotions.items():
        if len(sentences) < minimum:
            only = first_few(sorted(sentence.removeprefix(f"{corpus}: ") for sentence in sentences))
            raise SplitError(
                f"{name} needs {minimum} sentences or more of a corpus, and {corpus} has {len(sentences)} ({only}): "
                "no part could have its own; use speaker-disjoint"
            )
    return [
        {sentence: tuple(sorted(labels)) for sentence, labels in sentences.items()}
        for _, sentences in sorted(emotions.items())
    ]


def _stratified_order(stratum_of: Mapping[str, Hashable], rng: np.random.Generator) -> list[str]:
    """The names in a random order in which every stretch has its share of each stratum."""
    place: dict[str, float] = {}
    strata: dict[Hashable, list[str]] = defaultdict(list)
    for name in sorted(stratum_of):
        strata[stratum_of[name]].append(name)
    for _, names in sorted(strata.items()):
        place |= {str(name): (rank + 0.5) / len(names) for rank, name in enumerate(rng.permutation(names))}
    return sorted(place, key=lambda name: (place[name], name))
