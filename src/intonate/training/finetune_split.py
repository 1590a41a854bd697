"""Which of one's own recordings are trained on and which are tested: copies first taken out, then speakers held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from intonate.corpora import copies, own
from intonate.corpora.overlap import RANDOM, Split, first_few
from intonate.corpora.own_folder import SPLIT_PARTS, TRAINING_PARTS
from intonate.errors import CorpusError, SplitError, did_you_mean
from intonate.schema import Utterance

# Of the speakers, or of the clips of each label.
TEST_SHARE = 0.25
# What folders of a split are called that is tested; where there are none, the validation part is.
TEST_PARTS = ("test", "testing", "eval", "evaluation")


@dataclass(frozen=True)
class DistinctRecordings:
    """Recordings without their copies, and what was left out, a sentence each."""

    utterances: list[Utterance]
    notes: list[str]


def without_copies(utterances: Sequence[Utterance]) -> DistinctRecordings:
    """One of each set of recordings that are the same sound, byte for byte or by their fingerprints.

    So none can be on both sides of a split. Where copies have different labels, no one knows which is right: none is
    kept.

    Raises:
        AudioError: files cannot be read; all are named.
        CorpusError: nothing is kept.
    """
    group, exact_count = copies.same_recordings(utterances)
    kept_rows, dropped_rows = [], []
    contradicting_rows: list[int] = []
    relabelled_rows: list[int] = []
    for name in dict.fromkeys(group.tolist()):
        rows = np.flatnonzero(group == name).tolist()
        if len({utterances[row].emotion for row in rows}) > 1:
            is_one_clip = len({own.clip_of(utterances[row]) for row in rows}) == 1
            (relabelled_rows if is_one_clip else contradicting_rows).extend(rows)
        else:
            kept_rows.append(rows[0])
            dropped_rows += rows[1:]
    notes = []
    if dropped_rows:
        names = first_few([utterances[row].path for row in dropped_rows], 3)
        notes.append(
            f"left out: {len(dropped_rows)} copies of recordings that are kept ({exact_count} exact in all): {names}"
        )
    if contradicting_rows:
        names = first_few([utterances[row].path for row in contradicting_rows], 3)
        notes.append(
            f"left out: {len(contradicting_rows)} recordings that are copies of each other under other labels: {names}"
        )
    if relabelled_rows:
        names = first_few(list(dict.fromkeys(utterances[row].path for row in relabelled_rows)), 3)
        notes.append(
            "left out: recordings that are listed several times with different labels (for stretches of one, expected "
            f"columns start and end in seconds): {names}"
        )
    if notes and not kept_rows:
        raise CorpusError(f"no recording is left to train on; {notes[-1]}; correct their labels, or add others")
    return DistinctRecordings([utterances[row] for row in sorted(kept_rows)], notes)


def split(
    utterances: Sequence[Utterance], hold_out: Sequence[str], parts: Mapping[own.Clip, str] | None = None
) -> Split:
    """The test part: the table's or the folders', if there is one; else whole speakers, or a quarter of the clips.

    There is no validation part: what is chosen is chosen by cross-validation inside the training part.

    Args:
        utterances: without copies.
        hold_out: speakers to test on, without `own/`; where it is empty, a column or folders `train` and `test` part
            the clips, or a quarter of the speakers is drawn, or a quarter of the clips where they are not known.
        parts: what a column of the table says (`own.Recordings`).

    Raises:
        SplitError: a speaker to hold out is not there, or holding them out leaves nothing to train on.
    """
    rng = np.random.default_rng(0)
    speakers = np.array([row.speaker for row in utterances])
    names = sorted(set(speakers.tolist()) - {""})
    if hold_out:
        test_speakers = [f"{own.CORPUS}/{name}" for name in hold_out]
        if unknown_speakers := [name for name in test_speakers if name not in names]:
            short_names = [name.partition("/")[2] for name in names]
            raise SplitError(
                f"--hold-out {unknown_speakers[0].partition('/')[2]}: no such speaker; "
                f"{did_you_mean(hold_out[0], short_names)}"
            )
    elif parts and (is_test := _is_in_test_part([parts[own.clip_of(row)] for row in utterances])) is not None:
        return _split_of_parts(speakers, is_test, "table")
    elif (is_test := _is_in_test_folder(utterances)) is not None:
        return _split_of_parts(speakers, is_test, "folders")
    elif len(names) >= 2 and "" not in speakers:
        test_speakers = _draw_test_speakers(utterances, speakers, names, rng)
    else:
        test_speakers = []
    if test_speakers:
        is_test = np.isin(speakers, test_speakers)
        if is_test.all():
            raise SplitError("--hold-out names every speaker, and none is left to train on; name fewer")
        speakers_text = ", ".join(name.partition("/")[2] for name in sorted(test_speakers))
        return _split_of(
            "speaker-disjoint",
            is_test,
            f"speaker-disjoint: tested on the speakers {speakers_text}, trained on the others",
        )
    is_test = np.zeros(len(utterances), bool)
    labels = np.array([row.emotion for row in utterances])
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        is_test[rows[: max(1, round(TEST_SHARE * len(rows)))]] = True
    reason = "who speaks is not known" if "" in speakers else "holding a speaker out would leave a label untrained"
    if len(names) == 1 and "" not in speakers:
        reason = "there is one speaker only"
    return _split_of(RANDOM, is_test, f"{RANDOM}: a quarter of the clips of each label, for {reason}; the figures are "
                 "for voices that it knows, and new people will come out lower")  # fmt: skip


def _is_in_test_folder(utterances: Sequence[Utterance]) -> NDArray[np.bool_] | None:
    """Which recordings lie in the test part of folders `train`, `test`…; None where the folders part nothing."""
    folders = [PurePath(row.path).parts[:-1] for row in utterances]
    for names in zip(*folders, strict=False):  # level by level, as deep as all of them go
        parts = [name.lower() for name in names]
        if set(parts) <= SPLIT_PARTS and not set(parts).isdisjoint(TRAINING_PARTS):
            return _is_in_test_part(parts)
    return None


def _is_in_test_part(parts: Sequence[str]) -> NDArray[np.bool_] | None:
    is_test = np.isin(parts, TEST_PARTS)
    is_test = is_test if is_test.any() else ~np.isin(parts, TRAINING_PARTS)
    return is_test if is_test.any() and not is_test.all() else None


def _split_of_parts(speakers: NDArray[np.str_], is_test: NDArray[np.bool_], owner: str) -> Split:
    shared = sorted(set(speakers[is_test].tolist()) & set(speakers[~is_test].tolist()))
    whose = f"the {owner}'" + "s" * (not owner.endswith("s"))
    if not shared and "" not in speakers:
        return _split_of("speaker-disjoint", is_test, f"speaker-disjoint: {whose} own test part, of other speakers")
    reason = "who speaks is not known" if "" in speakers else f"{len(shared)} speakers are in both"
    return _split_of(RANDOM, is_test, f"{RANDOM}: {whose} own test part; {reason}, so the figures may be for "
                 "voices that it knows")  # fmt: skip


def _draw_test_speakers(
    utterances: Sequence[Utterance], speakers: NDArray[np.str_], names: list[str], rng: np.random.Generator
) -> list[str]:
    """Speakers whose absence leaves every label to train on; none where there are none such."""
    all_labels = {row.emotion for row in utterances}
    for _ in range(50):
        test_speakers: list[str] = rng.permutation(names)[: max(1, round(TEST_SHARE * len(names)))].tolist()
        training_rows = [row for row, name in zip(utterances, speakers, strict=True) if name not in test_speakers]
        if {row.emotion for row in training_rows} == all_labels:
            return test_speakers
    return []


def _split_of(name: str, is_test: NDArray[np.bool_], protocol: str) -> Split:
    empty = np.empty(0, np.int64)
    return Split(name, np.flatnonzero(~is_test), empty, np.flatnonzero(is_test), protocol)
