"""TESS: the Toronto Emotional Speech Set.

Two actresses from the Toronto area, 26 (YAF, younger) and 64 (OAF, older), both with university education and musical
training, say "Say the word …" with 200 target words (those of the NU-6 hearing test) in seven emotions: 2 x 200 x 7 =
2,800 clips, 400 per emotion, about 24.4 kHz.

To know: two voices and one carrier phrase make this corpus easy: on random splits nearly every model exceeds 99 %,
which says little. Train on one speaker and test on the other. `ps` is pleasant surprise. `OA_bite_neutral` is OAF's
with a letter lost. The licence forbids derivatives, so models that intonate ships never train on it.

Pichora-Fuller MK, Dupuis K (2020). Toronto emotional speech set (TESS). Borealis, V1.
https://doi.org/10.5683/SP2/E8H2MF
"""

from __future__ import annotations

from pathlib import PurePath

from intonate.corpora.reader import Corpus, Table, fields, look_up
from intonate.emotions import canonical
from intonate.schema import Utterance

GRAMMAR = "speaker_word_emotion, as in OAF_back_angry"
EMOTIONS = {name: name for name in ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")}
SPEAKERS = {"OAF": "OAF", "YAF": "YAF", "OA": "OAF"}
AGES = {"OAF": 64, "YAF": 26}


def parse(path: PurePath, table: Table) -> Utterance:
    speaker, word, emotion = fields(path, "_", 3, GRAMMAR)
    raw_label = look_up(emotion.lower(), EMOTIONS, "emotion")
    speaker = look_up(speaker, SPEAKERS, "speaker")
    return Utterance(
        path=str(path),
        emotion=canonical(raw_label),
        raw_label=raw_label,
        speaker=f"tess/{speaker}",
        corpus="tess",
        gender="female",
        age=AGES[speaker],
        language="en",
        sentence=word.lower(),
        text=f"Say the word {word.lower()}",
    )


CORPUS = Corpus(
    name="tess",
    title="TESS",
    url="https://doi.org/10.5683/SP2/E8H2MF",
    licence="CC-BY-NC-ND-4.0",
    citation="Pichora-Fuller and Dupuis (2020), doi 10.5683/SP2/E8H2MF",
    language="en",
    emotions=dict.fromkeys(("angry", "disgust", "fear", "happy", "neutral", "surprise", "sad"), 400),
    speakers=2,
    grammar=GRAMMAR,
    example_names=("OAF_back_angry.wav", "OAF_angry/OA_bite_neutral.wav", "YAF_pleasant_surprised/YAF_youth_ps.wav"),
    parse=parse,
    size_gb=0.3,
)
