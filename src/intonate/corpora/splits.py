"""Who is trained on and who is tested on: speaker-disjoint folds, and the papers' random splits under their name.

    for split in splits.folds("ravdess-6", utterances):
        train, validation, test = split.train, split.validation, split.test    # indices into utterances

The rule everywhere: fold k is tested, the next fold's speakers are validation (model selection sees only them), all
others are trained on. Split before augmenting: a split knows recordings, and copies made afterwards stay on their
recording's side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

import numpy as np

from intonate.corpora import random_splits
from intonate.corpora.overlap import (
    RANDOM,
    SENTENCES_APART,
    Indices,
    Split,
    check,
    clips_of_speakers,
    first_few,
    refuse_copies,
)
from intonate.corpora.random_splits import Rule
from intonate.corpora.speaker_folds import FOLDS, POOLED, Folds
from intonate.errors import SplitError, did_you_mean
from intonate.schema import Utterance

__all__ = ["RANDOM", "Indices", "Split", "check", "fold_count", "folds", "protocols", "speaker_groups"]

# The split that leaves out one corpus in turn.
CORPORA = "corpora"
# The same, where half of the left-out corpus's speakers may be heard without labels and the other half is tested.
HALVES = "corpora-halves"
# Ending of a table's name: other corpora are trained on as well.
OTHERS = "+others"
_SPEAKERS = re.compile(r"speakers-([1-9]\d*)")


def folds(name: str, utterances: Sequence[Utterance], seed: int = 0) -> list[Split]:
    """The splits of a named protocol; one for each fold.

    Args:
        name: a table of `speaker_folds.FOLDS` (`ravdess-6`, `emodb-loso`…), `pooled`, `speakers-K`,
            `speaker-disjoint` (70 : 10 : 20 of the speakers), `sentence-disjoint` (of the sentences),
            `speaker-sentence-disjoint` (both at once), `corpora` (one corpus after the other is left out),
            `corpora-halves` (the same; half of its speakers are tested, the others are heard without labels), a table's
            name and `+others` (clips of other corpora train in every fold), `random-80-20` or `random-70-10-20`; or
            `published`, for text in files called train, dev and test.
        utterances: for a table, of its one corpus, but with `+others`.
        seed: of the splits that are drawn (`intonate.corpora.random_splits`); the others are fixed.

    Raises:
        SplitError: the name is not known, a recording is listed twice, a speaker is missing or is in no fold, or there
            are too few speakers or sentences.
    """
    if not utterances:
        raise SplitError("there is nothing to split: the list of utterances is empty")
    refuse_copies(utterances)
    if name in FOLDS:
        splits = _splits_of_table(name, FOLDS[name], utterances)
    elif name == CORPORA:
        splits = _corpus_splits(utterances)
    elif name == HALVES:
        splits = [half for split in _corpus_splits(utterances) for half in _half_splits(split, utterances)]
    elif (table := name.removesuffix(OTHERS)) != name and table in FOLDS:
        splits = _splits_with_other_corpora(table, FOLDS[table], utterances)
    elif name in _SINGLE_SPLIT_RULES:
        splits = [_SINGLE_SPLIT_RULES[name](utterances, np.random.default_rng(seed))]
    elif match := _SPEAKERS.fullmatch(name):
        splits = _rotating_splits(name, name, speaker_groups(utterances, int(match[1])), utterances)
    else:
        raise _unknown_split(name)
    for split in splits:
        check(split, utterances, sentences="sentence-disjoint" in name)
    return splits


def fold_count(name: str) -> int | None:
    """How many folds a protocol has where all its speakers are there; None where it has one or two for each corpus.

    Raises:
        SplitError: the name is not known.
    """
    if (table := name.removesuffix(OTHERS)) in FOLDS:
        return len(FOLDS[table].folds)
    if match := _SPEAKERS.fullmatch(name):
        return int(match[1])
    if name in _SINGLE_SPLIT_RULES:
        return 1
    if name in (CORPORA, HALVES):
        return None
    raise _unknown_split(name)


def _unknown_split(name: str) -> SplitError:
    return SplitError(f"split {name!r} is not known; {did_you_mean(name, protocols())}")


def protocols() -> list[str]:
    """Every name that `folds` takes."""
    return sorted([*FOLDS, *(f"{name}{OTHERS}" for name in FOLDS), *_SINGLE_SPLIT_RULES, CORPORA, HALVES, "speakers-K"])


def speaker_groups(utterances: Sequence[Utterance], count: int) -> list[tuple[str, ...]]:
    """Deal the speakers into `count` groups: even in gender, then in clips; the same answer every time.

    Speakers are taken gender by gender, those with most clips first, and each goes to the group with the fewest of
    that gender, then the fewest clips.

    Raises:
        SplitError: there are fewer speakers than groups, or a row has no speaker.
    """
    if count < 2:
        raise SplitError(f"speakers-{count} would test on everybody; expected 2 groups or more")
    clips = clips_of_speakers(utterances, f"speakers-{count}")
    if len(clips) < count:
        raise SplitError(
            f"there are {len(clips)} speakers for {count} groups; use speakers-{max(len(clips), 2)} or less"
        )
    genders = {utterance.speaker: utterance.gender for utterance in utterances}
    groups: list[list[str]] = [[] for _ in range(count)]
    for speaker in sorted(clips, key=lambda name: (genders[name], -len(clips[name]), name)):
        smallest_group = min(
            groups,
            key=lambda group: (
                sum(genders[member] == genders[speaker] for member in group),
                len(group),
                sum(len(clips[member]) for member in group),
            ),
        )
        smallest_group.append(speaker)
    return [tuple(sorted(group)) for group in groups]


def _splits_of_table(name: str, table: Folds, utterances: Sequence[Utterance]) -> list[Split]:
    """The splits of a literal table, over the speakers that are there."""
    clips = clips_of_speakers(utterances, name)
    groups = [tuple(f"{table.corpus}/{speaker}" for speaker in fold) for fold in table.folds]
    if unknown_speakers := sorted(clips.keys() - {speaker for group in groups for speaker in group}):
        raise SplitError(
            f"{name} has no fold for {first_few(unknown_speakers)}; it divides the speakers of {table.corpus} only: "
            "use pooled for several corpora together, speakers-K for any speakers"
        )
    present = [group for group in groups if any(speaker in clips for speaker in group)]
    source = table.source if len(present) == len(groups) else f"{table.source}; only {len(present)} have speakers here"
    return _rotating_splits(name, f"{name} ({source})", present, utterances)


def _rotating_splits(
    name: str, protocol: str, groups: Sequence[Sequence[str]], utterances: Sequence[Utterance]
) -> list[Split]:
    """Test each group in turn; the next one validates, the rest trains."""
    count = len(groups)
    if count < 2:
        raise SplitError(f"{name} needs speakers of at least two folds, and there are speakers of {count}")
    fold_of = {speaker: fold for fold, group in enumerate(groups) for speaker in group}
    fold = np.array([fold_of[utterance.speaker] for utterance in utterances])
    splits = []
    for test in range(count):
        if count > 2:
            validation_rows = np.flatnonzero(fold == (test + 1) % count)
            train_rows = np.flatnonzero((fold != test) & (fold != (test + 1) % count))
            validation = "the next fold's speakers"
        else:
            train_rows, validation_rows = _divide_by_sentence(np.flatnonzero(fold != test), utterances)
            validation = "a fifth of the training speakers' own sentences or clips, for there is no third fold"
        splits.append(
            Split(
                name=f"{name}/{test + 1}",
                train=train_rows,
                validation=validation_rows,
                test=np.flatnonzero(fold == test),
                protocol=f"speaker-disjoint: {protocol}, fold {test + 1} of {count}; validation = {validation}",
                validation_shares_speakers=count == 2,
            )
        )
    return splits


def _divide_by_sentence(rows: Indices, utterances: Sequence[Utterance]) -> tuple[Indices, Indices]:
    """Every fifth sentence to validate, the others to train; every fifth clip where there are not five sentences."""
    sentences = [utterances[row].sentence for row in rows]
    if len(set(sentences)) < 5:
        sentences = [f"{utterances[row].emotion} {utterances[row].path} {utterances[row].start_s}" for row in rows]
    validation_sentences = set(sorted(set(sentences))[::5])
    mask = np.array([sentence in validation_sentences for sentence in sentences])
    return rows[~mask], rows[mask]


def _pooled_split(utterances: Sequence[Utterance], rng: np.random.Generator) -> Split:
    """The held-out speakers of the built-in models: fixed for each corpus (`speaker_folds.POOLED`)."""
    # A speaker's name tells whose speaker it is: RAVDESS's song has the actors of its speech.
    corpora = sorted({speaker.partition("/")[0] for speaker in clips_of_speakers(utterances, "pooled")})
    for corpus in corpora:
        if corpus not in POOLED:
            raise SplitError(
                f"pooled holds out no speakers of {corpus!r} (it knows {', '.join(sorted(POOLED))}); keep that corpus "
                "out as an unseen one, or use speaker-disjoint"
            )
    test = {f"{corpus}/{speaker}" for corpus in corpora for speaker in POOLED[corpus].test}
    validation = {f"{corpus}/{speaker}" for corpus in corpora for speaker in POOLED[corpus].validation}
    return random_splits.by_speaker(
        "pooled",
        f"speaker-disjoint: fixed test and validation speakers of {', '.join(corpora)}; the rest trains",
        test,
        validation,
        utterances,
    )


def _published_split(utterances: Sequence[Utterance], rng: np.random.Generator) -> Split:
    """The parts that a corpus of texts was published in: its files train, dev and test (`goemotions`)."""
    parts = np.array([PurePath(utterance.path.partition("#")[0]).stem for utterance in utterances])
    train, validation, test = (np.flatnonzero(parts == part) for part in ("train", "dev", "test"))
    if unknown_parts := sorted(set(parts) - {"train", "dev", "test"}):
        raise SplitError(f"published goes by files called train, dev and test, and there is {first_few(unknown_parts)}")
    protocol = "the corpus's own train, dev and test; who wrote what is not told"
    return Split(SENTENCES_APART, train, validation, test, f"{SENTENCES_APART}: {protocol}")


def _corpus_splits(utterances: Sequence[Utterance]) -> list[Split]:
    """One corpus is tested, all of it; the others train, but for the validation speakers that `pooled` has of them.

    Of a corpus that it does not know, a fifth of the speakers validates.
    """
    names = sorted({utterance.corpus for utterance in utterances})
    if len(names) < 2:
        raise SplitError(f"{CORPORA} leaves out one corpus after the other, and there is only {names[0]}")
    corpus = np.array([utterance.corpus for utterance in utterances])
    validation = set().union(*(_validation_speakers(name, utterances) for name in names))
    validates = np.array([utterance.speaker in validation for utterance in utterances])
    return [
        Split(
            name=f"{CORPORA}/{name}",
            train=np.flatnonzero((corpus != name) & ~validates),
            validation=np.flatnonzero((corpus != name) & validates),
            test=np.flatnonzero(corpus == name),
            protocol=f"corpus-disjoint: all of {name} is tested; the validation speakers of the others as in pooled",
        )
        for name in names
    ]


def _validation_speakers(corpus: str, utterances: Sequence[Utterance]) -> set[str]:
    if corpus in POOLED:
        return {f"{corpus}/{speaker}" for speaker in POOLED[corpus].validation}
    rows = [utterance for utterance in utterances if utterance.corpus == corpus]
    speakers = len(clips_of_speakers(rows, CORPORA))
    return set(speaker_groups(rows, min(speakers, 5))[0]) if speakers > 1 else set()


def _half_splits(split: Split, utterances: Sequence[Utterance]) -> list[Split]:
    """A split of `_corpus_splits` twice: half of the left-out corpus's speakers are tested, the others unlabelled."""
    groups = speaker_groups([utterances[row] for row in split.test], 2)
    is_first_half = np.array([utterances[row].speaker in groups[0] for row in split.test])
    return [
        replace(
            split,
            name=f"{HALVES}/{split.name.rpartition('/')[2]}/{number}",
            test=split.test[is_tested],
            unlabelled=split.test[~is_tested],
            protocol=f"{split.protocol.replace('all of', 'half the speakers of')}; the others are heard without labels",
        )
        for number, is_tested in enumerate((is_first_half, ~is_first_half), 1)
    ]


def _splits_with_other_corpora(name: str, table: Folds, utterances: Sequence[Utterance]) -> list[Split]:
    """The splits of a literal table, where every clip of another corpus is in the training part."""
    is_own = np.array([utterance.corpus == table.corpus for utterance in utterances])
    own_rows, other_rows = np.flatnonzero(is_own), np.flatnonzero(~is_own)
    return [
        replace(
            split,
            name=split.name.replace(name, f"{name}{OTHERS}"),
            train=np.union1d(own_rows[split.train], other_rows),
            validation=own_rows[split.validation],
            test=own_rows[split.test],
            protocol=f"{split.protocol}; other corpora are trained on",
        )
        for split in _splits_of_table(name, table, [utterances[row] for row in own_rows.tolist()])
    ]


# The protocols that make one split.
_SINGLE_SPLIT_RULES: dict[str, Rule] = {
    "pooled": _pooled_split,
    "speaker-disjoint": random_splits.speaker_disjoint,
    "sentence-disjoint": random_splits.sentence_disjoint,
    "speaker-sentence-disjoint": random_splits.speaker_sentence_disjoint,
    "published": _published_split,
    "random-80-20": random_splits.random_clips(0.16, "80 : 20 stratified by emotion, a fifth of the 80 for validation"),
    "random-70-10-20": random_splits.random_clips(0.1, "70 : 10 : 20 stratified by emotion"),
}
