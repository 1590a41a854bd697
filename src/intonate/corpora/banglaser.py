"""BanglaSER: a Bangla speech emotion recognition dataset.

Thirty-four non-professional speakers (17 women, 17 men, 19 to 47 years old) in Bangladesh say three short sentences
three times each, recorded with telephones and laptops at home: real microphones and real rooms, 44.1 and 48 kHz.
Happy, sad, angry and surprise from everybody (306 each), neutral from 27 of the 34 (243): 1,467 clips.

The names look like RAVDESS's and are not: emotion 01 is happy, 02 sad, 03 angry, 04 surprise, 05 neutral. The
intensity field follows the emotion (angry and surprise 02 strong, the rest 01 normal), so it says nothing more.
As in RAVDESS, odd actors are men and even ones women (the median pitch bears it out: about 175 Hz against 265 Hz); ages
are published as a range only.

To know: three files of actor 15 start with `01-01-` where all others have `03-01-` (accepted). One neutral clip of
actor 19, `03-01-05-01-01-03-19`, lost its name: where a copy holds it as `19`, it has no label and is reported.
Two pairs of files are one recording each (actors 15 and 17), and 19 clips are clipped in the source.

Das RK, Islam N, Ahmed MR, Islam S, Shatabda S, Islam AKMM (2022). BanglaSER: A speech emotion recognition dataset for
the Bangla language. Data in Brief 42: 108091. https://doi.org/10.1016/j.dib.2022.108091
"""

from __future__ import annotations

from pathlib import PurePath

from intonate.corpora.reader import Corpus, Table, fields, look_up
from intonate.emotions import canonical
from intonate.errors import CorpusError
from intonate.schema import Utterance

GRAMMAR = "modality-channel-emotion-intensity-statement-repetition-actor, as in 03-01-04-02-03-01-15"
EMOTIONS = {"01": "happy", "02": "sad", "03": "angry", "04": "surprise", "05": "neutral"}
INTENSITIES = {"01": "normal", "02": "strong"}
# "It is twelve o'clock", "I knew something like this would happen", "What kind of a gift is this?"
STATEMENTS = {"01": "১২ টা বেজে গেছে", "02": "আমি জানতাম এমন কিছু হবে", "03": "এ কেমন উপহার"}
ACTORS = {f"{number:02d}": "male" if number % 2 else "female" for number in range(1, 35)}


def parse(path: PurePath, table: Table) -> Utterance:
    modality, channel, emotion, intensity, statement, repetition, actor = fields(path, "-", 7, GRAMMAR)
    if modality not in ("01", "03") or channel != "01" or repetition not in ("01", "02", "03"):
        raise CorpusError(f"name does not follow {GRAMMAR}")
    raw_label = look_up(emotion, EMOTIONS, "emotion")
    return Utterance(
        path=str(path),
        emotion=canonical(raw_label),
        raw_label=raw_label,
        speaker=f"banglaser/{actor}",
        corpus="banglaser",
        gender=look_up(actor, ACTORS, "actor"),
        language="bn",
        sentence=statement,
        intensity=look_up(intensity, INTENSITIES, "intensity"),
        text=look_up(statement, STATEMENTS, "statement"),
    )


CORPUS = Corpus(
    name="banglaser",
    title="BanglaSER",
    url="https://data.mendeley.com/datasets/t9h6p943xy/5",
    licence="CC-BY-4.0",
    citation="Das et al. (2022), Data in Brief 42: 108091",
    language="bn",
    emotions={"happy": 306, "sad": 306, "angry": 306, "surprise": 306, "neutral": 243},
    speakers=34,
    grammar=GRAMMAR,
    example_names=(
        "03-01-01-01-01-01-01.wav",
        "Actor 34/03-01-05-01-03-03-34.wav",
        "01-01-04-02-03-01-15.ogg",
    ),
    parse=parse,
    size_gb=0.7,
)
