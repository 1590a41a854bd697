"""The folds of speakers, listed: tables that never change, so that figures of different years can be compared.

A table divides all the speakers of one corpus; where only some are on disk, its folds are those speakers' folds, and a
fold without anybody is passed over. Speaker names are written without the corpus.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Folds:
    """A division of a corpus's speakers; fold k is tested, the next one is validation."""

    corpus: str
    folds: tuple[tuple[str, ...], ...]
    source: str


@dataclass(frozen=True)
class HeldOutSpeakers:
    """The speakers of a corpus that a pooled model never trains on."""

    test: tuple[str, ...]
    validation: tuple[str, ...]


def _numbered_speakers(*numbers: int) -> tuple[str, ...]:
    return tuple(f"{number:02d}" for number in numbers)


def _single_speaker_folds(*speakers: str) -> tuple[tuple[str, ...], ...]:
    return tuple((speaker,) for speaker in speakers)


def _actor_range(lowest: int, highest: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(lowest, highest + 1))


FOLDS: dict[str, Folds] = {
    "ravdess-6": Folds(
        "ravdess",
        (
            _numbered_speakers(1, 11, 20, 21),
            _numbered_speakers(4, 10, 12, 14),
            _numbered_speakers(8, 9, 19, 23),
            _numbered_speakers(3, 5, 7, 24),
            _numbered_speakers(2, 15, 16, 18),
            _numbered_speakers(6, 13, 17, 22),
        ),
        "the folds of EmoBox",
    ),
    "ravdess-5": Folds(
        "ravdess",
        (
            _numbered_speakers(2, 5, 14, 15, 16),
            _numbered_speakers(3, 6, 7, 13, 18),
            _numbered_speakers(10, 11, 12, 19, 20),
            _numbered_speakers(8, 17, 21, 23, 24),
            _numbered_speakers(1, 4, 9, 22),
        ),
        "the folds of Luna-Jiménez et al. 2021",
    ),
    "emodb-loso": Folds(
        "emodb",
        _single_speaker_folds("03", "08", "09", "10", "11", "12", "13", "14", "15", "16"),
        "leave one speaker out",
    ),
    "emodb-5": Folds(
        "emodb",
        (("03", "08"), ("09", "10"), ("11", "13"), ("12", "14"), ("15", "16")),
        "five pairs of a woman and a man",
    ),
    # Men (odd) and women (even) were dealt in turn, first the seven who recorded no neutral clips (11, 12, 13, 16, 18,
    # 20, 29), so that every fold has 3 or 4 of each gender and at most two of those.
    "banglaser-5": Folds(
        "banglaser",
        (
            _numbered_speakers(2, 5, 11, 14, 19, 30, 31),
            _numbered_speakers(7, 10, 13, 20, 21, 28, 33),
            _numbered_speakers(8, 9, 18, 23, 26, 29),
            _numbered_speakers(1, 6, 15, 16, 24, 25, 34),
            _numbered_speakers(3, 4, 12, 17, 22, 27, 32),
        ),
        "five groups, even in gender",
    ),
    # KD0, KS0 and MP0 are not in every copy: without them the folds are three pairs of a woman and a man…
    "nemo-3": Folds(
        "nemo",
        (("EB0", "KS0", "SM0"), ("IC0", "KD0", "TP0"), ("MK0", "MP0", "WR0")),
        "three groups, even in gender",
    ),
    # … and here single speakers, woman and man in turn.
    "nemo-6": Folds(
        "nemo",
        (("EB0", "KS0"), ("KD0", "SM0"), ("IC0", "MP0"), ("TP0",), ("MK0",), ("WR0",)),
        "one or two speakers at a time",
    ),
    "tess-2": Folds("tess", _single_speaker_folds("OAF", "YAF"), "train on one speaker, test on the other"),
    "cremad-5": Folds(
        "cremad",
        (
            _actor_range(1001, 1018),
            _actor_range(1019, 1036),
            _actor_range(1037, 1054),
            _actor_range(1055, 1072),
            _actor_range(1073, 1091),
        ),
        "the folds of EMO-SUPERB",
    ),
    "subesco-5": Folds(
        "subesco",
        (
            ("F03", "M03", "M08", "M09"),
            ("F01", "F04", "F10", "M07"),
            ("F06", "F08", "M05", "M06"),
            ("F05", "F07", "F09", "M04"),
            ("F02", "M01", "M02", "M10"),
        ),
        "five groups of four speakers",
    ),
    "savee-loso": Folds("savee", _single_speaker_folds("DC", "JE", "JK", "KL"), "leave one speaker out"),
    "iemocap-5": Folds(
        "iemocap", tuple((f"Ses0{session}F", f"Ses0{session}M") for session in range(1, 6)), "leave one session out"
    ),
}


def _first_two_folds(name: str) -> HeldOutSpeakers:
    return HeldOutSpeakers(test=FOLDS[name].folds[0], validation=FOLDS[name].folds[1])


# Corpus -> the speakers whom the built-in models never trained on: the first two folds of its table. Of nEMO there are
# often six speakers on disk, and every one that is held out is missed in training: a woman and a man are tested, and
# nobody validates; selection and calibration rest on the other corpora.
POOLED: dict[str, HeldOutSpeakers] = {
    "ravdess": _first_two_folds("ravdess-6"),
    "emodb": _first_two_folds("emodb-5"),
    "banglaser": _first_two_folds("banglaser-5"),
    "nemo": HeldOutSpeakers(test=("EB0", "SM0"), validation=()),
    # Bursts without words: they lend their voices and microphones to the training, and test nothing.
    "emogator": HeldOutSpeakers(test=(), validation=()),
    "cremad": _first_two_folds("cremad-5"),
    "subesco": _first_two_folds("subesco-5"),
    "savee": _first_two_folds("savee-loso"),
    "iemocap": _first_two_folds("iemocap-5"),
}
