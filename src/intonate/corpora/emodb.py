"""EMO-DB: the Berlin Database of Emotional Speech.

Ten actors (5 women, 5 men, 21 to 35 years old) say ten everyday German sentences with seven emotions in the anechoic
chamber of the Technical University of Berlin, 1997 and 1999. Of about 800 recordings, 535 were kept: those that 20
listeners recognised in more than 80 % of the cases and found natural in more than 60 %. 16 kHz. Angry 127,
boredom 81, neutral 79, happy 71, fear 69, sad 62, disgust 46; surprise is not acted, boredom is.

To know: the emotion letter stands for the German word (Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral), so that
E is disgust and not excitement, and N is neutral. Because the unconvincing recordings were thrown away, scores are
higher than on corpora that kept theirs. `erkennung.txt` (the listening test) and the label files are not clips.

Burkhardt F, Paeschke A, Rolfes M, Sendlmeier W, Weiss B (2005). A database of German emotional speech. Interspeech,
1517-1520. https://doi.org/10.21437/Interspeech.2005-446
Free for research and commercial use by its authors' word; others list it as CC BY 4.0 or CC0.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from intonate.corpora.reader import Corpus, Table, look_up
from intonate.emotions import canonical
from intonate.errors import CorpusError
from intonate.schema import Utterance

GRAMMAR = "speaker, sentence, emotion letter, take, as in 03a01Fa"
_NAME_PATTERN = re.compile(r"(\d\d)([ab]\d\d)([A-Z])([a-z])")
EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "anxiety",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
# Speaker -> gender and age in years, as published.
SPEAKERS = {
    "03": ("male", 31),
    "08": ("female", 34),
    "09": ("female", 21),
    "10": ("male", 32),
    "11": ("male", 26),
    "12": ("male", 30),
    "13": ("female", 32),
    "14": ("female", 35),
    "15": ("male", 25),
    "16": ("female", 31),
}
SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute Abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}


def parse(path: PurePath, table: Table) -> Utterance:
    match = _NAME_PATTERN.fullmatch(path.stem)
    if match is None:
        raise CorpusError(f"name does not follow {GRAMMAR}")
    speaker, sentence, letter, _take = match.groups()
    if speaker not in SPEAKERS:
        raise CorpusError(f"speaker {speaker!r} is not one of {', '.join(SPEAKERS)}")
    gender, age = SPEAKERS[speaker]
    raw_label = look_up(letter, EMOTIONS, "emotion letter")
    return Utterance(
        path=str(path),
        emotion=canonical(raw_label),
        raw_label=raw_label,
        speaker=f"emodb/{speaker}",
        corpus="emodb",
        gender=gender,
        age=age,
        language="de",
        sentence=sentence,
        text=look_up(sentence, SENTENCES, "sentence"),
    )


CORPUS = Corpus(
    name="emodb",
    title="EMO-DB (Berlin)",
    url="https://zenodo.org/records/7447302",
    licence="free for research and commercial use",
    citation="Burkhardt et al. (2005), Interspeech, 1517-1520",
    language="de",
    emotions={"angry": 127, "boredom": 81, "neutral": 79, "happy": 71, "fear": 69, "sad": 62, "disgust": 46},
    speakers=10,
    grammar=GRAMMAR,
    example_names=("wav/03a01Fa.wav", "wav/16b10Wb.wav", "08a05Lc.flac"),
    parse=parse,
    size_gb=0.05,
    side_suffixes=frozenset({".lablaut", ".labsilb", ".laut", ".silb", ".egg"}),
)
