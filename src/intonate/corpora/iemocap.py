"""IEMOCAP: the Interactive Emotional Dyadic Motion Capture database.

Ten actors (5 women, 5 men) in Los Angeles play in pairs, one pair in each of five sessions, three scripts and eight
improvised scenes: about twelve hours at 16 kHz, cut into 10,039 turns. Three or more people named the emotion of each
turn and rated valence, activation and dominance from 1 to 5; the label is the majority's: unknown (no majority) 2,507,
frustrated 1,849, neutral 1,708, angry 1,103, sad 1,084, excited 1,041, happy 595, surprise 107, fear 40, other 3,
disgust 2.

All turns and labels are read. Which of them count is a merge of `intonate.emotions`: `4` counts excitement as happy
(the field's 5,531: 1,636 happy), `4-no-excited` leaves it out (4,490).

Labels, ratings and times lie in `Session*/dialog/EmoEvaluation/*.txt`, the words in `dialog/transcriptions`; a turn's
own file is `sentences/wav/<dialogue>/<turn>.wav`. A turn without one is read as a stretch of
`dialog/wav/<dialogue>.wav`, with start and end; there the two channels are the two actors' microphones.

To know: `Ses01F_impro01_M000`: the first letter says who wears the motion-capture markers, the last who speaks.
Speakers are named by session and that last letter (`iemocap/Ses01M`), so a session is a pair of speakers, and
`iemocap-5` leaves a session out. Turns overlap in time here and there. Improvised speech has no sentence id; that of a
script is its words, for all sessions play the same three. `soft_labels` are the shares of all the categories that the
raters chose (a rater may choose several), `ratings` the means of valence, arousal (activation) and dominance.

Busso C, Bulut M, Lee C-C, Kazemzadeh A, Mower E, Kim S, Chang JN, Lee S, Narayanan SS (2008). IEMOCAP: interactive
emotional dyadic motion capture database. Language Resources and Evaluation 42: 335-359.
https://doi.org/10.1007/s10579-008-9076-6
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from intonate.audio.decode import AUDIO_SUFFIXES
from intonate.corpora.reader import Corpus, Table, files
from intonate.emotions import canonical
from intonate.errors import CorpusError, LabelError
from intonate.schema import Utterance

GRAMMAR = "Ses<session><who wears markers>_<scene>_<who speaks><number>, as in Ses01F_impro01_M000"
_NAME_PATTERN = re.compile(r"(Ses0[1-5])[FM]_(impro|script)\w+_([FM])\w\w\d")
_DIALOGUE_PATTERN = re.compile(r"Ses0[1-5][FM]_(impro|script)\w+")
# [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]
_NUMBER_PATTERN = r"(\d+(?:\.\d+)?)"
_TURN_PATTERN = re.compile(r"\[N - N\]\s+(Ses\w+)\s+(\w+)\s+\[N, N, N\]".replace("N", _NUMBER_PATTERN))
# C-E2:	Neutral; Sadness;	()
_VOTES_PATTERN = re.compile(r"C-E\d+:([^(]*)")
# Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
_TRANSCRIPT_PATTERN = re.compile(r"(Ses\w+) \[[^\]]*\]:(.*)")
COLUMNS = ("start", "end", "emotion", "valence", "arousal", "dominance")
GENDERS = {"F": "female", "M": "male"}


def table(root: Path) -> Table:
    """Every turn of the label files: times, label, ratings, votes, words, and whether it has a file of its own.

    Raises:
        CorpusError: there is no label file below the root.
    """
    rows: dict[str, dict[str, str]] = {}
    texts: dict[str, str] = {}
    own_files = set()
    for path in files(root):
        if path.parent.name == "EmoEvaluation" and path.suffix == ".txt":
            rows |= _label_rows(_text_lines(root / path))
        elif path.parent.name == "transcriptions" and path.suffix == ".txt":
            texts |= {
                match[1]: match[2].strip()
                for line in _text_lines(root / path)
                if (match := _TRANSCRIPT_PATTERN.match(line))
            }
        elif path.suffix.lower() in AUDIO_SUFFIXES:
            own_files.add(path.stem)
    if not rows:
        raise CorpusError(
            f"{root} has no labels; IEMOCAP's are in Session1/dialog/EmoEvaluation/*.txt, so give the folder that "
            "holds the sessions"
        )
    for turn, row in rows.items():
        row["text"] = texts.get(turn, "")
        row["own_file"] = "yes" if turn in own_files else ""
    return rows


def _text_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _label_rows(lines: Sequence[str]) -> dict[str, dict[str, str]]:
    """{turn: its row} of one label file: a line for the turn, then one for each rater."""
    rows: dict[str, dict[str, str]] = {}
    row: dict[str, str] = {}
    for line in lines:
        if match := _TURN_PATTERN.match(line):
            start, end, turn, *label_fields = match.groups()
            row = rows[turn] = {**dict(zip(COLUMNS, (start, end, *label_fields), strict=True)), "votes": ""}
        elif row and (match := _VOTES_PATTERN.match(line)):
            row["votes"] += f"{match[1].strip()};"
    return rows


def parse(path: PurePath, table: Table) -> Utterance | Sequence[Utterance]:
    if _NAME_PATTERN.fullmatch(path.stem):
        if path.stem not in table:
            raise CorpusError(f"no file of EmoEvaluation names it (names are {GRAMMAR})")
        return _utterance(path, path.stem, table[path.stem])
    if not _DIALOGUE_PATTERN.fullmatch(path.stem):
        raise CorpusError(f"name does not follow {GRAMMAR}")
    scene = path.stem
    turns = {turn: row for turn, row in table.items() if turn.rpartition("_")[0] == scene}
    if not turns:
        raise CorpusError("no file of EmoEvaluation names a turn of this dialogue")
    clips = [_utterance(path, turn, row, from_dialogue=True) for turn, row in turns.items() if not row["own_file"]]
    return sorted(clips, key=lambda utterance: (utterance.start_s, utterance.end_s or 0.0, utterance.speaker))


def _utterance(path: PurePath, turn: str, row: Mapping[str, str], from_dialogue: bool = False) -> Utterance:
    match = _NAME_PATTERN.fullmatch(turn)
    if match is None:
        raise CorpusError(f"turn {turn!r} does not follow {GRAMMAR}")
    session, kind, letter = match.groups()
    return Utterance(
        path=str(path),
        emotion=canonical(row["emotion"]),
        raw_label=row["emotion"],
        speaker=f"iemocap/{session}{letter}",
        corpus="iemocap",
        start_s=float(row["start"]) if from_dialogue else 0.0,
        end_s=float(row["end"]) if from_dialogue else None,
        gender=GENDERS[letter],
        language="en",
        sentence=" ".join(re.findall(r"[a-z']+", row["text"].lower())) if kind == "script" else "",
        text=row["text"],
        soft_labels=_vote_shares(row["votes"]),
        ratings={name: float(row[name]) for name in ("valence", "arousal", "dominance")},
    )


def _vote_shares(votes: str) -> dict[str, float]:
    """`Neutral; Anger;` as {canonical: share}; raters may write words of their own, which are `other`."""
    counts: Counter[str] = Counter()
    for vote in votes.split(";"):
        if vote.strip():
            try:
                counts[canonical(vote)] += 1
            except LabelError:
                counts["other"] += 1
    return {emotion: count / counts.total() for emotion, count in counts.items()}


_EXAMPLE_LABEL_FILE = "Session1/dialog/EmoEvaluation/Ses01F_script01_1.txt"
_EXAMPLE_TRANSCRIPT_FILE = "Session1/dialog/transcriptions/Ses01F_script01_1.txt"
CORPUS = Corpus(
    name="iemocap",
    title="IEMOCAP",
    url="https://sail.usc.edu/iemocap/",
    licence="research only, by a form",
    citation="Busso et al. (2008), Language Resources and Evaluation 42: 335-359",
    language="en",
    emotions={
        "unknown": 2507,
        "frustrated": 1849,
        "neutral": 1708,
        "angry": 1103,
        "sad": 1084,
        "excited": 1041,
        "happy": 595,
        "surprise": 107,
        "fear": 40,
        "other": 3,
        "disgust": 2,
    },
    speakers=10,
    grammar=GRAMMAR,
    example_names=(
        "Session1/sentences/wav/Ses01F_script01_1/Ses01F_script01_1_F000.wav",
        "Session1/sentences/wav/Ses01F_script01_1/Ses01F_script01_1_M000.wav",
    ),
    parse=parse,
    size_gb=12.0,
    table=table,
    example_table={
        _EXAMPLE_LABEL_FILE: "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        "[1.0000 - 2.5000]\tSes01F_script01_1_F000\tfru\t[2.5000, 3.5000, 3.0000]\n"
        "C-E2:\tFrustration;\t()\nC-E4:\tAnger; Frustration;\t()\nA-E3:\tval 2; act 4; dom  3;\t()\n\n"
        "[2.0000 - 4.0000]\tSes01F_script01_1_M000\tneu\t[3.0000, 2.0000, 3.0000]\nC-E2:\tNeutral;\t()\n",
        _EXAMPLE_TRANSCRIPT_FILE: "Ses01F_script01_1_F000 [001.0000-002.5000]: What do we do?\n"
        "Ses01F_script01_1_M000 [002.0000-004.0000]: We wait.\n",
    },
    side_suffixes=frozenset({".avi", ".wdseg", ".phseg", ".syseg", ".lab", ".anvil", ".dic", ".png", ".atr", ".cat"}),
    missing_columns=frozenset({"sentence"}),
)
