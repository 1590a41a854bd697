"""The corpora that can be read: a literal catalogue, one file each, loaded when asked for.

    from intonate import corpora
    reading = corpora.read("ravdess", "/data/ravdess")     # reading.utterances, reading.problems

Adding one is one file and one line here: see docs/add-a-corpus.md.
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from intonate.catalogue import load
from intonate.errors import CorpusError

if TYPE_CHECKING:
    from intonate.corpora.reader import Corpus, Reading

# Name -> "module:attribute". The attribute is a `Corpus` (reader.py).
CATALOGUE: dict[str, str] = {
    "banglaser": "intonate.corpora.banglaser:CORPUS",
    "cremad": "intonate.corpora.cremad:CORPUS",
    "emodb": "intonate.corpora.emodb:CORPUS",
    "emogator": "intonate.corpora.emogator:CORPUS",
    "folder": "intonate.corpora.folder:CORPUS",
    "goemotions": "intonate.corpora.goemotions:CORPUS",
    "iemocap": "intonate.corpora.iemocap:CORPUS",
    "nemo": "intonate.corpora.nemo:CORPUS",
    "ravdess": "intonate.corpora.ravdess:CORPUS",
    "ravdess_song": "intonate.corpora.ravdess_song:CORPUS",
    "savee": "intonate.corpora.savee:CORPUS",
    "subesco": "intonate.corpora.subesco:CORPUS",
    "table": "intonate.corpora.table:CORPUS",
    "tess": "intonate.corpora.tess:CORPUS",
}


def get(name: str) -> Corpus:
    """The corpus of that name.

    Raises:
        CorpusError: there is none; the message names the nearest.
    """
    corpus: Corpus = load(name, CATALOGUE, "corpus", CorpusError)
    return corpus


def read(name: str, root: str | PathLike[str]) -> Reading:
    """Read the corpus `name` that lies in the folder `root`.

    Returns:
        a Reading: its utterances, sorted by path, and the files that could not be understood, each with a reason.

    Raises:
        CorpusError: the name is not known, or `root` does not hold that corpus.
    """
    corpus = get(name)
    from intonate.corpora import reader

    return reader.read(corpus, root)
