"""RAVDESS, the song: the actors of RAVDESS sing its two sentences.

Twenty-three of the twenty-four professional actors (11 women, 12 men; actor 18 did not sing) sing the two statements,
twice each, on the same melody, with six emotions; all but neutral at two strengths: 1,012 clips at 48 kHz, neutral 92
and calm, happy, sad, angry and fearful 184 each. Disgust and surprise are not sung.

Names follow RAVDESS's grammar with vocal channel 02, and its reader is used. Speech and song lie side by side in one
release: each corpus reports the clips of the other.

To know: the speakers are those of the speech and keep its names (`ravdess/01`), so that no speaker-disjoint split of
both together can put one actor on two sides. P1 (the CNN-LSTM with CAEmoCyGAN) trains on speech and song together.

Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS).
PLoS ONE 13(5): e0196391. https://doi.org/10.1371/journal.pone.0196391
"""

from __future__ import annotations

from pathlib import PurePath

from intonate.corpora import ravdess
from intonate.corpora.reader import Corpus, Table
from intonate.schema import Utterance

GRAMMAR = "modality-channel-emotion-intensity-statement-repetition-actor, as in 03-02-06-01-02-01-12"


def parse(path: PurePath, table: Table) -> Utterance:
    return ravdess.clip(path, "02")


CORPUS = Corpus(
    name="ravdess_song",
    title="RAVDESS (song)",
    url="https://zenodo.org/records/1188976",
    licence="CC-BY-NC-SA-4.0",
    citation="Livingstone and Russo (2018), PLoS ONE 13(5): e0196391",
    language="en",
    emotions={"neutral": 92, "calm": 184, "happy": 184, "sad": 184, "angry": 184, "fear": 184},
    speakers=23,
    grammar=GRAMMAR,
    example_names=("Actor_01/03-02-01-01-01-01-01.wav", "Actor_12/03-02-06-02-02-01-12.flac"),
    parse=parse,
    size_gb=0.5,
    speakers_of="ravdess",
)
