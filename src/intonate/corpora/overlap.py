"""What a split is, and the refusal of every one that would flatter a model."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import numpy.typing as npt

from intonate.errors import SplitError
from intonate.schema import Utterance

Indices = npt.NDArray[np.int64]

# The names of the splits that put clips of one speaker on both sides; printed beside their figures.
RANDOM = "random (speakers overlap)"
SENTENCES_APART = "sentence-disjoint (speakers overlap)"


@dataclass(frozen=True, eq=False)
class Split:
    """One division of a list of utterances.

    Attributes:
        name: `ravdess-6/1`, or exactly `random (speakers overlap)` or `sentence-disjoint (speakers overlap)`.
        train: int64 indices into the list of utterances, ascending.
        validation: the same; the only part that model selection may see.
        test: the same.
        protocol: how it was made, in words for a report.
        validation_shares_speakers: validation was cut from the training speakers, where there are only two folds.
        unlabelled: the same as `train`; clips whose sound may be trained on, and whose labels may not be read.
    """

    name: str
    train: Indices
    validation: Indices
    test: Indices
    protocol: str
    validation_shares_speakers: bool = False
    unlabelled: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def speakers_overlap(self) -> bool:
        return self.name in (RANDOM, SENTENCES_APART)


def check(split: Split, utterances: Sequence[Utterance], sentences: bool = False) -> None:
    """Refuse a split that would flatter a model.

    Only a split whose name says `(speakers overlap)` may share speakers.

    Args:
        sentences: refuse too a sentence of the test part that is trained or selected on.

    Raises:
        SplitError: a part is empty; a row, or a copy of its recording, is in two parts (augment after splitting); a
            speaker (or sentence) is on both sides; or a row has no speaker.
    """
    parts = {"test": split.test, "validation": split.validation, "train": split.train}
    for part, rows in parts.items():
        if not len(rows):
            raise SplitError(f"split {split.name!r} has no {part} utterances; give more speakers or fewer folds")
    # It may be empty; where it is not, it is kept apart from the others as they are from each other.
    parts |= {"unlabelled": split.unlabelled}
    all_rows = np.concatenate(list(parts.values()))
    if all_rows.min() < 0 or all_rows.max() >= len(utterances):
        raise SplitError(
            f"split {split.name!r} points outside the {len(utterances)} utterances: it was made for others"
        )
    if len(np.unique(all_rows)) != len(all_rows):
        raise SplitError(f"split {split.name!r} uses an utterance twice; every utterance belongs to one part")
    recordings = {part: {_recording_name(utterances[row]) for row in rows} for part, rows in parts.items()}
    for part_a, part_b in combinations(parts, 2):
        _refuse_overlap(split.name, part_a, part_b, recordings[part_a] & recordings[part_b], "recording")
    if not split.speakers_overlap:
        speakers_of = {part: _speakers_of(rows, utterances, split.name) for part, rows in parts.items()}
        for part_a, part_b in combinations(parts, 2):
            if {part_a, part_b} != {"train", "validation"} or not split.validation_shares_speakers:
                _refuse_overlap(split.name, part_a, part_b, speakers_of[part_a] & speakers_of[part_b], "speaker")
    if sentences:
        sentences_of = {part: _sentences_of(rows, utterances) for part, rows in parts.items()}
        _refuse_overlap(split.name, "test", "train", sentences_of["test"] & sentences_of["train"], "sentence")
        _refuse_overlap(split.name, "test", "validation", sentences_of["test"] & sentences_of["validation"], "sentence")


def refuse_copies(utterances: Sequence[Utterance]) -> None:
    """Nothing that was repeated or augmented is split.

    Raises:
        SplitError: a recording is listed twice.
    """
    labels_of: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for utterance in utterances:
        labels_of[_recording_name(utterance)].append(utterance.all_labels)
    duplicates = sorted(recording for recording, labels in labels_of.items() if len(labels) > 1)
    if not duplicates:
        return
    words = f"{first_few(duplicates)} {'is' if len(duplicates) == 1 else 'are'} listed more than once"
    if any(len(set(labels_of[recording])) > 1 for recording in duplicates):
        raise SplitError(f"{words}, with different labels; keep one row for each recording, with the label that counts")
    raise SplitError(
        f"{words}: split the recordings first, then balance or augment the training part (data.balance in a recipe)"
    )


def clips_of_speakers(utterances: Sequence[Utterance], name: str) -> dict[str, list[int]]:
    """{speaker: indices of the speaker's utterances}, for the split called `name`.

    Raises:
        SplitError: an utterance has no speaker.
    """
    clips: dict[str, list[int]] = defaultdict(list)
    for row, utterance in enumerate(utterances):
        if not utterance.speaker:
            raise SplitError(
                f"{name} needs to know who speaks, and {utterance.path} has no speaker; give a speaker column, or use "
                f"random-80-20 ({RANDOM})"
            )
        clips[utterance.speaker].append(row)
    return dict(clips)


def alike(names: Iterable[str]) -> list[list[str]]:
    """Names that differ in case, leading zeros or a final `.0` only: likely one person, written in several ways.

    >>> alike(["s02", "S2", "s20", "2.0", "2"])
    [['S2', 's02'], ['2', '2.0']]
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for name in names:
        groups[re.sub(r"(?<!\d)0+(?=\d)", "", name.casefold().removesuffix(".0"))].add(name)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def _speakers_of(rows: Indices, utterances: Sequence[Utterance], name: str) -> set[str]:
    return set(clips_of_speakers([utterances[row] for row in rows], name))


def _recording_name(utterance: Utterance) -> str:
    if utterance.end_s is None:
        return f"{utterance.path} from {utterance.start_s:g} s" if utterance.start_s else utterance.path
    return f"{utterance.path} from {utterance.start_s:g} to {utterance.end_s:g} s"


def _sentences_of(rows: Indices, utterances: Sequence[Utterance]) -> set[str]:
    """Sentence ids, unique across corpora; free speech has none and overlaps with nothing."""
    return {sentence_of(utterances[row]) for row in rows} - {""}


def sentence_of(utterance: Utterance) -> str:
    """The sentence, unique across corpora; empty for free speech."""
    return f"{utterance.corpus}: {utterance.sentence}" if utterance.sentence else ""


def _refuse_overlap(name: str, part: str, other_part: str, shared: set[str], kind: str) -> None:
    if shared:
        raise SplitError(
            f"split {name!r} has {len(shared)} {kind}{'s' * (len(shared) > 1)} in both {part} and {other_part}: "
            f"{first_few(sorted(shared))}; move each to one side, or make the split with intonate.corpora.splits"
        )


def first_few(names: Sequence[str], limit: int = 5) -> str:
    """The first few names, and how many more there are."""
    ending = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + ending
