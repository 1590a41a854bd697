"""RAVDESS: the Ryerson Audio-Visual Database of Emotional Speech and Song.

Twenty-four professional actors (12 women, 12 men) in Toronto say two sentences in neutral North American English,
twice each, with eight emotions; all but neutral at two strengths. The lines were induced by the actors' own methods,
recorded at 48 kHz in a studio, and each clip was rated ten times. This reads the speech, audio only: 1,440 clips,
neutral 96 and the seven others 192.

The same grammar names song (vocal channel 02: the corpus `ravdess_song`) and video (modality 01 and 02). They are
other corpora and are reported, not mixed in.

To know: `Actor_07/03-01-03-01-02-01-07` and `Actor_07/03-01-03-01-02-02-07` are one recording in the source (any
speaker-disjoint split keeps both on one side). The archive that circulates elsewhere holds every clip twice, in a
second set of folders: the copies are reported. "Calm" is a second baseline beside neutral and is heard as such.

Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS).
PLoS ONE 13(5): e0196391. https://doi.org/10.1371/journal.pone.0196391
"""

from __future__ import annotations

from pathlib import PurePath

from intonate.corpora.reader import Corpus, Table, fields, look_up
from intonate.emotions import canonical
from intonate.errors import CorpusError
from intonate.schema import Utterance

GRAMMAR = "modality-channel-emotion-intensity-statement-repetition-actor, as in 03-01-06-01-02-01-12"
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
INTENSITIES = {"01": "normal", "02": "strong"}
STATEMENTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
ACTORS = {f"{number:02d}": "male" if number % 2 else "female" for number in range(1, 25)}


# Vocal channel -> what it is, and the corpus it belongs to.
CHANNELS = {"01": ("speech", "ravdess"), "02": ("song", "ravdess_song")}


def parse(path: PurePath, table: Table) -> Utterance:
    return clip(path, "01")


def clip(path: PurePath, expected_channel: str) -> Utterance:
    """The clip of that name, if it is of the wanted vocal channel; speech and song have the same speakers.

    Raises:
        CorpusError: it is of the other channel, a video, or outside the grammar.
    """
    modality, channel, emotion, intensity, statement, repetition, actor = fields(path, "-", 7, GRAMMAR)
    expected_kind, corpus = CHANNELS[expected_channel]
    if modality in ("01", "02"):
        raise CorpusError(
            f"a video clip (modality 01 or 02); this corpus is the audio-only {expected_kind}, 03-{expected_channel}-…"
        )
    if modality != "03" or channel not in CHANNELS or repetition not in ("01", "02"):
        raise CorpusError(f"name does not follow {GRAMMAR}")
    if channel != expected_channel:
        kind, home_corpus = CHANNELS[channel]
        raise CorpusError(
            f"a {kind} clip (channel {channel}), of the corpus {home_corpus}; this one is the {expected_kind}"
        )
    raw_label = look_up(emotion, EMOTIONS, "emotion")
    return Utterance(
        path=str(path),
        emotion=canonical(raw_label),
        raw_label=raw_label,
        speaker=f"ravdess/{actor}",
        corpus=corpus,
        gender=look_up(actor, ACTORS, "actor"),
        language="en",
        sentence=statement,
        intensity=look_up(intensity, INTENSITIES, "intensity"),
        text=look_up(statement, STATEMENTS, "statement"),
    )


CORPUS = Corpus(
    name="ravdess",
    title="RAVDESS (speech)",
    url="https://zenodo.org/records/1188976",
    licence="CC-BY-NC-SA-4.0",
    citation="Livingstone and Russo (2018), PLoS ONE 13(5): e0196391",
    language="en",
    emotions={
        "neutral": 96,
        "calm": 192,
        "happy": 192,
        "sad": 192,
        "angry": 192,
        "fear": 192,
        "disgust": 192,
        "surprise": 192,
    },
    speakers=24,
    grammar=GRAMMAR,
    example_names=(
        "Actor_01/03-01-01-01-01-01-01.wav",
        "Actor_12/03-01-06-01-02-01-12.wav",
        "Actor_24/03-01-08-02-02-02-24.wav",
        "03-01-02-02-01-01-03.flac",
    ),
    parse=parse,
    size_gb=0.5,
)
