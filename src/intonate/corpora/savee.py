"""SAVEE: Surrey Audio-Visual Expressed Emotion.

Four men (DC, JE, JK and KL; postgraduates and researchers at the University of Surrey, 27 to 31 years old, native
speakers of British English) say TIMIT sentences with seven emotions in a studio: 120 clips each, 480 in all, at
44.1 kHz. Neutral 120, and anger, disgust, fear, happiness, sadness and surprise 60 each.

Two layouts circulate: the original's folders of speakers (`DC/a01.wav`) and a flat one (`DC_a01.wav`). Both are read;
a clip that is there in both ways is read once and the copy reported.

To know: four voices, all of men: leave one speaker out, and expect scores to vary by speaker. Three sentences are
common to all emotions, two are particular to each, ten are generic; neutral repeats the common and the particular ones.
Which number is which sentence is not told by the files: the sentence id here is the number with its emotion (`a01`), so
that sentences in common between emotions go unnoticed. The release also holds video.

Haq S, Jackson PJB (2010). Multimodal emotion recognition. In: Machine Audition, IGI Global, 398-423.
https://doi.org/10.4018/978-1-61520-919-4.ch017
"""

from __future__ import annotations

import re
from pathlib import PurePath

from intonate.corpora.reader import Corpus, Table, look_up
from intonate.emotions import canonical
from intonate.errors import CorpusError
from intonate.schema import Utterance

GRAMMAR = "speaker_emotion letters and number, as in DC_a01 or DC/a01"
_NAME_PATTERN = re.compile(r"([A-Z]+)_([a-z]+)(\d\d)")
EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
SPEAKERS = {name: name for name in ("DC", "JE", "JK", "KL")}


def clip_name(path: PurePath) -> str:
    """`DC_a01`, in whichever layout it lies."""
    return path.stem if "_" in path.stem else f"{path.parent.name}_{path.stem}"


def parse(path: PurePath, table: Table) -> Utterance:
    match = _NAME_PATTERN.fullmatch(clip_name(path))
    if match is None:
        raise CorpusError(f"name does not follow {GRAMMAR}")
    speaker, letters, number = match.groups()
    raw_label = look_up(letters, EMOTIONS, "emotion")
    if not 1 <= int(number) <= (30 if letters == "n" else 15):
        raise CorpusError(f"number {number!r} is outside 01 to 15 (01 to 30 for neutral)")
    return Utterance(
        path=str(path),
        emotion=canonical(raw_label),
        raw_label=raw_label,
        speaker=f"savee/{look_up(speaker, SPEAKERS, 'speaker')}",
        corpus="savee",
        gender="male",
        language="en",
        sentence=f"{letters}{number}",
    )


CORPUS = Corpus(
    name="savee",
    title="SAVEE",
    url="http://kahlan.eps.surrey.ac.uk/savee/",
    licence="research only, after registration",
    citation="Haq and Jackson (2010), Machine Audition, 398-423",
    language="en",
    emotions={
        "neutral": 120,
        **dict.fromkeys(("angry", "disgust", "fear", "happy", "sad", "surprise"), 60),
    },
    speakers=4,
    grammar=GRAMMAR,
    example_names=("ALL/DC_a01.wav", "ALL/KL_su15.wav", "JE_n30.flac"),
    parse=parse,
    size_gb=0.2,
    clip_name=clip_name,
    missing_columns=frozenset({"text"}),
)
