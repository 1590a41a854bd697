"""CREMA-D: the Crowd-sourced Emotional Multimodal Actors Dataset.

Ninety-one actors (43 women, 48 men, 20 to 74 years old, of several ethnic backgrounds) in the United States say twelve
English sentences with six emotions: 7,442 clips at 16 kHz; anger, disgust, fear, happiness and sadness 1,271 each,
neutral 1,087. "It's eleven o'clock" is said at three levels (low, medium, high), the eleven others at an unspecified
one. The label is what the actor was asked for; about ten people rated every clip, by voice alone, by face alone and by
both.

To know: the voice alone persuades few. Forty per cent of the ratings by voice name the intended emotion, and more than
half of the clips are heard as neutral. Those votes are read as soft labels from `tabulatedVotes.csv`, and age and
gender from `VideoDemographics.csv`; both are looked for in the root, beside it, and in `processedResults` there.
Without them everything else works. `1076_MTI_SAD_XX` is silent: it is read, so that the official counts hold, and told
when the corpus is described; cleaning that drops what is too short after trimming removes it. Five actors lack a few
clips. The release holds everything twice, as WAV and as MP3: the MP3 copies are reported, not read.

Cao H, Cooper DG, Keutmann MK, Gur RC, Nenkova A, Verma R (2014). CREMA-D: Crowd-sourced Emotional Multimodal Actors
Dataset. IEEE Transactions on Affective Computing 5(4): 377-390. https://doi.org/10.1109/TAFFC.2014.2336244
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from intonate.corpora.reader import Corpus, Table, look_up, table_rows
from intonate.emotions import canonical
from intonate.errors import CorpusError
from intonate.schema import Utterance

GRAMMAR = "actor_sentence_emotion_level, as in 1001_IEO_HAP_LO"
_NAME_PATTERN = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{2})")
ACTORS = range(1001, 1092)
EMOTIONS = {code: code for code in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")}
INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}
SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
# Columns of tabulatedVotes.csv -> emotions.
VOTES = {"A": "angry", "D": "disgust", "F": "fear", "H": "happy", "N": "neutral", "S": "sad"}
# The first digit of a row's number in tabulatedVotes.csv: 1 voice only, 2 face only, 3 both.
VOICE_ONLY = "1"


def table(root: Path) -> Table:
    """Votes by clip and demographics by actor (`cremad/1001`), as far as the two tables are there.

    Raises:
        CorpusError: a table lacks one of its columns.
    """
    rows: dict[str, dict[str, str]] = {}
    for row in _table_rows(root, "VideoDemographics.csv", ("ActorID", "Age", "Sex")):
        rows[f"cremad/{row['ActorID']}"] = {"age": row["Age"], "gender": row["Sex"].lower()}
    for row in _table_rows(root, "tabulatedVotes.csv", ("", "fileName", *VOTES)):
        if row[""].startswith(VOICE_ONLY):
            rows[row["fileName"]] = {vote: row[vote] for vote in VOTES}
    return rows


def _table_rows(root: Path, name: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    folders = (root, root / "processedResults", root.parent, root.parent / "processedResults")
    return table_rows([folder / name for folder in folders], columns, "CREMA-D") or []


def parse(path: PurePath, table: Table) -> Utterance:
    if "AudioMP3" in path.parts[:-1]:
        raise CorpusError("an MP3 copy of AudioWAV; to use it instead, give the folder AudioMP3 itself")
    match = _NAME_PATTERN.fullmatch(path.stem)
    if match is None:
        raise CorpusError(f"name does not follow {GRAMMAR}")
    actor, sentence, emotion, level = match.groups()
    if int(actor) not in ACTORS:
        raise CorpusError(f"actor {actor!r} is not one of 1001 to 1091")
    raw_label = look_up(emotion, EMOTIONS, "emotion")
    actor_row = table.get(f"cremad/{actor}", {})
    counts = {VOTES[vote]: int(count) for vote, count in table.get(path.stem, {}).items()}
    return Utterance(
        path=str(path),
        emotion=canonical(raw_label),
        raw_label=raw_label,
        speaker=f"cremad/{actor}",
        corpus="cremad",
        gender=actor_row.get("gender", ""),
        age=float(actor_row["age"]) if actor_row else None,
        language="en",
        sentence=sentence,
        intensity=look_up(level, INTENSITIES, "level"),
        text=look_up(sentence, SENTENCES, "sentence"),
        soft_labels={label: count / sum(counts.values()) for label, count in counts.items() if count},
    )


CORPUS = Corpus(
    name="cremad",
    title="CREMA-D",
    url="https://github.com/CheyneyComputerScience/CREMA-D",
    licence="ODbL-1.0",
    citation="Cao et al. (2014), IEEE Transactions on Affective Computing 5(4): 377-390",
    language="en",
    emotions={**dict.fromkeys(("angry", "disgust", "fear", "happy", "sad"), 1271), "neutral": 1087},
    speakers=91,
    grammar=GRAMMAR,
    example_names=("1001_IEO_HAP_LO.wav", "AudioWAV/1002_DFA_NEU_XX.wav", "AudioWAV/1091_WSI_SAD_XX.flac"),
    parse=parse,
    size_gb=0.6,
    table=table,
    example_table={
        "VideoDemographics.csv": "ActorID,Age,Sex\n1001,51,Male\n1002,21,Female\n1091,29,Female\n",
        "tabulatedVotes.csv": ",A,D,F,H,N,S,fileName\n100002,0,0,0,3,6,0,1001_IEO_HAP_LO\n"
        "200002,0,0,0,9,1,0,1001_IEO_HAP_LO\n",
    },
    side_suffixes=frozenset({".flv", ".r", ".rdata"}),
    faults={"1076_MTI_SAD_XX": "is silent"},
)
