"""Any folder of your own: the names of its sub-folders are the labels.

    my-recordings/happy/monday.wav            emotion happy, speaker not known
    my-recordings/train/sadness/anna/1.wav    emotion sad, speaker folder/anna

The innermost folder whose name is an emotion (in any spelling of `intonate.emotions`) is the label, and a folder right
below it is the speaker. Give the speakers if you can: without them no speaker-disjoint split can be made, and a score
on a random split says little about new people. Whatever lies under no emotion's folder is reported.
"""

from __future__ import annotations

from pathlib import PurePath

from intonate.corpora.reader import Corpus, Table
from intonate.emotions import EMOTIONS, canonical
from intonate.errors import CorpusError, LabelError, did_you_mean
from intonate.schema import Utterance

GRAMMAR = "emotion/name or emotion/speaker/name, as in happy/monday.wav"


def parse(path: PurePath, table: Table) -> Utterance:
    folders = path.parts[:-1]
    if not folders:
        raise CorpusError(f"lies in no sub-folder; expected {GRAMMAR}")
    for place in reversed(range(len(folders))):
        try:
            emotion = canonical(folders[place])
        except LabelError:
            continue
        subfolders = folders[place + 1 :]
        return Utterance(
            path=str(path),
            emotion=emotion,
            raw_label=folders[place],
            speaker=f"folder/{subfolders[0]}" if subfolders else "",
            corpus="folder",
        )
    raise CorpusError(
        f"no folder above it is an emotion: {folders[-1]!r}; {did_you_mean(folders[-1].lower(), EMOTIONS)}; rename the "
        "folder to one of these, or train labels of your own with: intonate finetune FOLDER"
    )


CORPUS = Corpus(
    name="folder",
    title="a folder whose sub-folders are labels",
    url="",
    licence="",
    citation="",
    language="",
    emotions={},
    speakers=0,
    grammar=GRAMMAR,
    example_names=("happy/monday.wav", "happy/tuesday.flac", "train/Sadness/anna/1.wav", "train/anger/ben/1.wav"),
    parse=parse,
    unique_names=False,
)
