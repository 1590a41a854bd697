"""SUBESCO: the SUST Bangla Emotional Speech Corpus.

Twenty professional actors (10 women, 10 men, 21 to 35 years old) in Bangladesh say ten Bangla sentences with seven
emotions, five times each: 20 x 10 x 7 x 5 = 7,000 clips of about four seconds at 48 kHz, recorded in a studio; anger,
disgust, fear, happiness, neutral, sadness and surprise 1,000 each. Fifty listeners recognised 71 % of them.

To know: five takes of one sentence by one actor are nearly copies, so that random splits flatter more than elsewhere;
split by speakers. The label is what was acted, whatever the listeners heard. The gender's letter and the two-digit
number name a speaker together (F_01 and M_01 are two people). The sentences' texts are in the article, not in the
files: `sentence` is their number.

Sultana S, Rahman MS, Selim MR, Iqbal MZ (2021). SUST Bangla Emotional Speech Corpus (SUBESCO): An audio-only emotional
speech corpus for Bangla. PLoS ONE 16(4): e0250173. https://doi.org/10.1371/journal.pone.0250173
"""

from __future__ import annotations

from pathlib import PurePath

from intonate.corpora.reader import Corpus, Table, fields, look_up
from intonate.emotions import canonical
from intonate.errors import CorpusError
from intonate.schema import Utterance

GRAMMAR = "gender_number_name_S_sentence_EMOTION_take, as in F_02_MONIKA_S_1_NEUTRAL_5"
EMOTIONS = {name: name for name in ("ANGRY", "DISGUST", "FEAR", "HAPPY", "NEUTRAL", "SAD", "SURPRISE")}
GENDERS = {"F": "female", "M": "male"}
NUMBERS = {f"{number:02d}": f"{number:02d}" for number in range(1, 11)}
SENTENCES = {str(number): str(number) for number in range(1, 11)}


def parse(path: PurePath, table: Table) -> Utterance:
    gender, number, _name, unit, sentence, emotion, take = fields(path, "_", 7, GRAMMAR)
    if unit != "S" or take not in ("1", "2", "3", "4", "5"):
        raise CorpusError(f"name does not follow {GRAMMAR}")
    raw_label = look_up(emotion.upper(), EMOTIONS, "emotion")
    return Utterance(
        path=str(path),
        emotion=canonical(raw_label),
        raw_label=raw_label,
        speaker=f"subesco/{gender}{look_up(number, NUMBERS, 'speaker')}",
        corpus="subesco",
        gender=look_up(gender, GENDERS, "gender"),
        language="bn",
        sentence=look_up(sentence, SENTENCES, "sentence"),
    )


CORPUS = Corpus(
    name="subesco",
    title="SUBESCO",
    url="https://zenodo.org/records/4526477",
    licence="CC-BY-4.0",
    citation="Sultana et al. (2021), PLoS ONE 16(4): e0250173",
    language="bn",
    emotions=dict.fromkeys(("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"), 1000),
    speakers=20,
    grammar=GRAMMAR,
    example_names=("F_02_MONIKA_S_1_NEUTRAL_5.wav", "SUBESCO/M_10_NAME_S_10_SURPRISE_1.flac"),
    parse=parse,
    size_gb=2.0,
    missing_columns=frozenset({"text"}),
)
