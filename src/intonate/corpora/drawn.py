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
    listed,
    sentence_of,
)
from intonate.errors import SplitError
from intonate.schema import Utterance

Rule = Callable[[Sequence[Utterance], np.random.Generator], Split]

# Sentences that are kept for the test where speakers are apart as well: a fifth of a fifth would be too little to test.
BOTH_TEST_SENTENCES = 0.25


def random_clips(validation: float, test: float, protocol: str) -> Rule:
    """A split as most papers make it: clips drawn at random, emotion by emotion, whoever speaks."""

    def draw(utterances: Sequence[Utterance], rng: np.random.Generator) -> Split:
        parts: dict[str, list[Indices]] = {"train": [], "validation": [], "test": []}
        emotions = np.array([utterance.emotion for utterance in utterances])
        for emotion in np.unique(emotions):
            rows = rng.permutation(np.flatnonzero(emotions == emotion))
            tested = round(test * len(rows))
            validated = round(validation * len(rows))
            parts["test"].append(rows[:tested])
            parts["validation"].append(rows[tested : tested + validated])
            parts["train"].append(rows[tested + validated :])
        rows_of = {part: np.sort(np.concatenate(rows)) for part, rows in parts.items()}
        return Split(RANDOM, rows_of["train"], rows_of["validation"], rows_of["test"], f"{RANDOM}: {protocol}")

    return draw


def speaker_disjoint(utterances: Sequence[Utterance], rng: np.random.Generator) -> Split:
    """70 : 10 : 20 of the speakers (at least one each), drawn at random, genders spread evenly."""
    test, validation = _speakers("speaker-disjoint", utterances, rng)
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
    for sentences in _sentences("sentence-disjoint", utterances, 3):
        order = _spread(sentences, rng)
        tested, validated = max(1, round(0.2 * len(order))), max(1, round(0.1 * len(order)))
        test |= set(order[:tested])
        validation |= set(order[tested : tested + validated])
    said = [sentence_of(utterance) for utterance in utterances]
    tested_rows = np.array([sentence in test for sentence in said])
    validated_rows = np.array([sentence in validation for sentence in said])
    return Split(
        SENTENCES_APART,
        np.flatnonzero(~tested_rows & ~validated_rows),
        np.flatnonzero(validated_rows),
        np.flatnonzero(tested_rows),
        f"{SENTENCES_APART}: 70 : 10 : 20 of the sentences, drawn at random",
    )


def speaker_sentence_disjoint(utterances: Sequence[Utterance], rng: np.random.Generator) -> Split:
    """Test speakers say a quarter of the sentences, all others the rest; clips of neither kind are in no part."""
    name = "speaker-sentence-disjoint"
    test, validation = _speakers(name, utterances, rng)
    held: set[str] = set()
    for sentences in _sentences(name, utterances, 4):
        order = _spread(sentences, rng)
        held |= set(order[: max(1, round(BOTH_TEST_SENTENCES * len(order)))])
    tested = np.array([utterance.speaker in test for utterance in utterances])
    validated = np.array([utterance.speaker in validation for utterance in utterances])
    kept = np.array([sentence_of(utterance) in held for utterance in utterances])
    unused = int((tested != kept).sum())
    return Split(
        name,
        np.flatnonzero(~tested & ~validated & ~kept),
        np.flatnonzero(validated & ~kept),
        np.flatnonzero(tested & kept),
        "speaker- and sentence-disjoint: 70 : 10 : 20 of the speakers, drawn at random; the test speakers' clips of a "
        f"quarter of the sentences, the others' of the rest; {unused} clips in no part",
    )


def by_speaker(
    name: str, protocol: str, test: set[str], validation: set[str], utterances: Sequence[Utterance]
) -> Split:
    """The clips of the `test` and `validation` speakers, and all others for training."""
    tested = np.array([utterance.speaker in test for utterance in utterances])
    validated = np.array([utterance.speaker in validation for utterance in utterances])
    return Split(
        name, np.flatnonzero(~tested & ~validated), np.flatnonzero(validated), np.flatnonzero(tested), protocol
    )


def _speakers(name: str, utterances: Sequence[Utterance], rng: np.random.Generator) -> tuple[set[str], set[str]]:
    """The test speakers, 20 of 100, and the validation speakers, 10 of 100; genders spread evenly."""
    speakers = clips_of_speakers(utterances, name)
    if len(speakers) < 3:
        raise SplitError(f"{name} needs three speakers or more, and there are {len(speakers)}")
    order = _spread({utterance.speaker: utterance.gender for utterance in utterances}, rng)
    tested, validated = max(1, round(0.2 * len(order))), max(1, round(0.1 * len(order)))
    return set(order[:tested]), set(order[tested : tested + validated])


def _sentences(name: str, utterances: Sequence[Utterance], fewest: int) -> list[dict[str, tuple[str, ...]]]:
    """For each corpus {sentence: the emotions that it is said with}.

    Raises:
        SplitError: a clip has no sentence, or a corpus has fewer sentences than `fewest`.
    """
    emotions: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for utterance in utterances:
        if not utterance.sentence:
            raise SplitError(
                f"{name} needs to know what is said, and {utterance.path} has no sentence; give a sentence column, or "
                "use speaker-disjoint"
            )
        emotions[utterance.corpus][sentence_of(utterance)].add(utterance.emotion)
    for corpus, said in emotions.items():
        if len(said) < fewest:
            only = listed(sorted(sentence.removeprefix(f"{corpus}: ") for sentence in said))
            raise SplitError(
                f"{name} needs {fewest} sentences or more of a corpus, and {corpus} has {len(said)} ({only}): no part "
                "could have its own; use speaker-disjoint"
            )
    return [
        {sentence: tuple(sorted(heard)) for sentence, heard in said.items()} for _, said in sorted(emotions.items())
    ]


def _spread(stratum_of: Mapping[str, Hashable], rng: np.random.Generator) -> list[str]:
    """The names in a random order in which every stretch has its share of each stratum."""
    place: dict[str, float] = {}
    strata: dict[Hashable, list[str]] = defaultdict(list)
    for name in sorted(stratum_of):
        strata[stratum_of[name]].append(name)
    for _, names in sorted(strata.items()):
        place |= {str(name): (rank + 0.5) / len(names) for rank, name in enumerate(rng.permutation(names))}
    return sorted(place, key=lambda name: (place[name], name))
