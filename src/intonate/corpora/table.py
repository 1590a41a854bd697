"""Any table of your own: a CSV with at least a file and an emotion column.

The root is the CSV itself, or a folder with a single one in it. What columns it may have, and under which names, is
told in `manifest.py`; a manifest that intonate wrote is such a table too.
"""

from __future__ import annotations

from pathlib import Path, PurePath

from intonate.corpora import manifest
from intonate.corpora.reader import Corpus, Reading, Table
from intonate.errors import CorpusError
from intonate.schema import Utterance

GRAMMAR = "one row each: file,emotion and what else is known (speaker, gender, start, end…)"


def find(root: Path) -> Reading:
    if root.is_dir():
        tables = sorted([*root.glob("*.csv"), *root.glob("*.tsv")])
        if len(tables) != 1:
            raise CorpusError(f"{root} holds {len(tables)} CSV files; name the one that is the table")
        root = tables[0]
    utterances = sorted(manifest.read(root), key=lambda utterance: (utterance.path, utterance.start_s))
    if not utterances:
        raise CorpusError(f"{root} has no rows; expected {GRAMMAR}")
    return Reading("table", tuple(utterances))


def parse(path: PurePath, table: Table) -> Utterance:
    raise CorpusError(f"a table's rows say what its files are; expected {GRAMMAR}")


CORPUS = Corpus(
    name="table",
    title="a CSV with file and emotion columns",
    url="",
    licence="",
    citation="",
    language="",
    emotions={},
    speakers=0,
    grammar=GRAMMAR,
    example_names=("clips/1.wav", "clips/2.wav"),
    parse=parse,
    example_table={"labels.csv": "path,label,speaker\nclips/1.wav,Happiness,anna\nclips/2.wav,sad,ben\n"},
    find=find,
)
