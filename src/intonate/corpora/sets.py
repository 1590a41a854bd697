"""The training sets of the published systems, by name: which corpora, which labels, how many clips.

    utterances, problems = sets.read("p3", {"cremad": "/data/CREMA-D", "savee": "/data/SAVEE", …}, rng)

What is missing on disk is told at once, with where to get it, before anything is read. A set says what was trained on
and nothing of how it was divided: choose a speaker-disjoint split, or the paper's random one under its name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from intonate import corpora
from intonate.catalogue import entry
from intonate.corpora.reader import Problem
from intonate.emotions import merge, target_of
from intonate.errors import CorpusError
from intonate.schema import Utterance


@dataclass(frozen=True)
class PaperSet:
    """A consolidated set.

    Attributes:
        system: the published system that it trained.
        labels: the merge of `intonate.emotions` that says which clips belong to it.
        corpora: {catalogue name: clips drawn at random, 0 for all that have a label}.
    """

    system: str
    labels: str
    corpora: Mapping[str, int]


def _all_clips_of(*names: str) -> dict[str, int]:
    return dict.fromkeys(names, 0)


_ENGLISH_CORPORA = ("tess", "ravdess", "savee", "cremad")
_BANGLA_CORPORA = ("subesco", "banglaser")
_P4_SYSTEM = "P4, bilingual transfer learning"
SETS: dict[str, PaperSet] = {
    "p0": PaperSet("P0, ResNet-34 + RoBERTa", "p0-7", {"ravdess": 1000, "cremad": 5000}),
    # The paper names three corpora and five classes; excitement is not counted as happiness, as in P3.
    "p1": PaperSet("P1, CNN-LSTM with CAEmoCyGAN", "p1-5", _all_clips_of("cremad", "iemocap", "tess")),
    # What its printed tables are of: emotion and gender, speech and song.
    "p1-16": PaperSet(
        "P1, CNN-LSTM with CAEmoCyGAN, by gender", "ravdess-16", _all_clips_of("ravdess", "ravdess_song")
    ),
    "p3": PaperSet("P3, HuBERT + BERT", "p3-7", _all_clips_of("cremad", "tess", "ravdess", "savee", "iemocap")),
    "p4-en": PaperSet(f"{_P4_SYSTEM}, English", "7", _all_clips_of(*_ENGLISH_CORPORA)),
    "p4-bn": PaperSet(f"{_P4_SYSTEM}, Bangla", "7", _all_clips_of(*_BANGLA_CORPORA)),
    "p4-all": PaperSet(f"{_P4_SYSTEM}, both languages", "7", _all_clips_of(*_ENGLISH_CORPORA, *_BANGLA_CORPORA)),
}


def get(name: str) -> PaperSet:
    """The set of that name.

    Raises:
        CorpusError: there is none; the message names the nearest.
    """
    return entry(name, SETS, "set", CorpusError)


def official(name: str) -> dict[str, int]:
    """{corpus: rows} of a set where every published clip is on disk.

    >>> official("p3")
    {'cremad': 6355, 'tess': 2400, 'ravdess': 1344, 'savee': 360, 'iemocap': 2931}
    """
    paper_set = get(name)
    labels = merge(paper_set.labels)
    return {
        corpus: sample_size
        or sum(count for emotion, count in corpora.get(corpus).emotions.items() if emotion in labels)
        for corpus, sample_size in paper_set.corpora.items()
    }


def check(name: str, roots: Mapping[str, str | os.PathLike[str]]) -> None:
    """Refuse to start while a corpus of the set has no folder.

    Args:
        name: the set.
        roots: {catalogue name: folder}.

    Raises:
        CorpusError: the set is not known; a corpus is not part of it; or corpora are missing, each with its title,
            where it is to be had, its licence and its size.
    """
    sample_sizes = get(name).corpora
    if unknown_corpora := sorted(roots.keys() - sample_sizes.keys()):
        raise CorpusError(
            f"set {name!r} has no place for {', '.join(unknown_corpora)}; it is made of {', '.join(sample_sizes)}"
        )
    missing_corpora = [corpus for corpus in sample_sizes if not os.path.isdir(roots.get(corpus, ""))]
    if missing_corpora:
        lines = "".join(f"\n  {corpus} — {_source_line(corpus, roots)}" for corpus in missing_corpora)
        raise CorpusError(
            f"set {name!r} needs {len(missing_corpora)} more of its {len(sample_sizes)} corpora on disk; get them and "
            f"give the folder of each:{lines}"
        )


def _source_line(corpus: str, roots: Mapping[str, str | os.PathLike[str]]) -> str:
    note = f" [{roots[corpus]} is not a folder]" if corpus in roots else ""
    return corpora.get(corpus).home + note


def select(
    name: str, utterances_by_corpus: Mapping[str, Sequence[Utterance]], rng: np.random.Generator
) -> list[Utterance]:
    """The rows of a set, corpus by corpus in the set's order, each in the order given.

    Clips whose emotion the set's labels leave out are dropped; where the paper drew some at random, so does this.

    Args:
        name: the set.
        utterances_by_corpus: {catalogue name: its utterances}.
        rng: draws the clips of `p0`; the other sets are fixed.

    Raises:
        CorpusError: a corpus is not there, or has fewer clips than are to be drawn.
    """
    paper_set = get(name)
    selection: list[Utterance] = []
    for corpus, sample_size in paper_set.corpora.items():
        if corpus not in utterances_by_corpus:
            raise CorpusError(f"set {name!r} needs {corpus}; get {corpora.get(corpus).home}")
        rows = [row for row in utterances_by_corpus[corpus] if target_of(row, paper_set.labels) is not None]
        if sample_size > len(rows):
            raise CorpusError(f"set {name!r} draws {sample_size:,} clips of {corpus}, and only {len(rows):,} are here")
        if sample_size:
            rows = [rows[place] for place in np.sort(rng.choice(len(rows), sample_size, replace=False))]
        selection += rows
    return selection


def read(
    name: str, roots: Mapping[str, str | os.PathLike[str]], rng: np.random.Generator
) -> tuple[list[Utterance], list[Problem]]:
    """Check what is there, read it, and select.

    Returns:
        the rows of the set, and the files of its corpora that could not be understood.

    Raises:
        CorpusError: as `check`, `corpora.read` and `select`.
    """
    check(name, roots)
    readings = {corpus: corpora.read(corpus, roots[corpus]) for corpus in get(name).corpora}
    rows = select(name, {corpus: reading.utterances for corpus, reading in readings.items()}, rng)
    return rows, [problem for reading in readings.values() for problem in reading.problems]
