"""EmoGator: vocal bursts, no words, by volunteers on their own devices.

Three hundred and fifty-seven people laugh, sigh, scream and groan in thirty categories of emotion, three times each:
32,130 clips, each recorded at home in a browser, so with as many microphones and rooms as people. That is what it is
good for beside acted speech: it teaches what is the microphone's and what is the voice's.

To know: only seven categories have a place among the canonical emotions, and only those are read: Amusement as happy,
Surprise (Negative) as surprise, Anger, Disgust, Fear, Neutral and Sadness as what they say. The others are passed over
without a word, which leaves 7,497 clips. The second and third attempts at an emotion are read as well, where they are
there. Age and gender were not asked for. Bursts are not speech: a figure on them says little about speech.

Buhl F (2023). EmoGator: A New Open Source Vocal Burst Dataset with Baseline Machine Learning Classification
Methodologies. arXiv 2301.00508.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from intonate.corpora.reader import Corpus, Table
from intonate.errors import CorpusError
from intonate.schema import Utterance

GRAMMAR = "speaker-category-attempt, as in 000001-03-1 (category 03 is Anger)"
_NAME_PATTERN = re.compile(r"(\d{6})-(\d\d)-([123])")
CATEGORIES = range(1, 31)
# Category -> its name in the corpus, and the canonical emotion.
EMOTIONS = {
    "02": ("Amusement", "happy"),
    "03": ("Anger", "angry"),
    "10": ("Disgust", "disgust"),
    "15": ("Fear", "fear"),
    "18": ("Neutral", "neutral"),
    "24": ("Sadness", "sad"),
    "27": ("Surprise (Negative)", "surprise"),
}


def parse(path: PurePath, table: Table) -> Sequence[Utterance]:
    match = _NAME_PATTERN.fullmatch(path.stem)
    if match is None or int(match[2]) not in CATEGORIES:
        raise CorpusError(f"name does not follow {GRAMMAR}")
    speaker, category, _ = match.groups()
    if category not in EMOTIONS:
        return ()
    raw_label, emotion = EMOTIONS[category]
    return (
        Utterance(
            path=str(path),
            emotion=emotion,
            raw_label=raw_label,
            speaker=f"emogator/{speaker}",
            corpus="emogator",
        ),
    )


CORPUS = Corpus(
    name="emogator",
    title="EmoGator",
    url="https://github.com/fredbuhl/EmoGator",
    licence="Apache-2.0",
    citation="Buhl (2023), arXiv 2301.00508",
    language="",
    emotions=dict.fromkeys(("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"), 1071),
    speakers=357,
    grammar=GRAMMAR,
    example_names=("000001-03-1.ogg", "data/mp3/000357-15-3.mp3"),
    parse=parse,
    size_gb=0.4,
    missing_columns=frozenset({"text", "sentence", "language", "gender"}),
)
