"""nEMO: emotional speech in Polish.

Nine actors (4 women, 5 men, 23 to 28 years old) say 90 Polish sentences, chosen to cover the sounds of the language,
with six emotions: 4,481 clips at 24 kHz. Neutral 809, sad 769, angry and happy 749, fear 736, surprise 669.

To know: the labels, texts, speakers, genders and ages are in `data.tsv`; the file name repeats speaker and emotion
(`SM0_happiness_66`). The table's file names end in .wav, whatever the audio is, and its speaker column is padded with
spaces. Not every copy holds every speaker: rows without a file are counted, not reported one by one. Speaker MK0
recorded no surprise. Everybody says the same 90 sentences: the text as normalised in the table is the sentence id, and
lets a split be checked for sentences in common.

Christop I (2024). nEMO: Dataset of Emotional Speech in Polish. LREC-COLING. https://arxiv.org/abs/2404.06292
"""

from __future__ import annotations

from pathlib import Path, PurePath

from intonate.corpora.reader import Corpus, Table, table_rows
from intonate.emotions import canonical
from intonate.errors import CorpusError
from intonate.schema import Utterance

GRAMMAR = "speaker_emotion_number, as in SM0_happiness_66, with a row in data.tsv"
COLUMNS = ("file_id", "emotion", "raw_text", "normalized_text", "speaker_id", "gender", "age")


def table(root: Path) -> Table:
    """The rows of data.tsv by file stem; it lies in the root, or beside the samples folder that is the root."""
    rows = table_rows([root / "data.tsv", root.parent / "data.tsv"], COLUMNS, "nEMO", separator="\t")
    if rows is None:
        raise CorpusError(f"{root} has no data.tsv; nEMO's labels are in it, so give the folder that holds it")
    return {PurePath(row["file_id"]).stem: {key: (row[key] or "").strip() for key in COLUMNS} for row in rows}


def parse(path: PurePath, table: Table) -> Utterance:
    if path.stem not in table:
        raise CorpusError(f"no row of data.tsv names it (names are {GRAMMAR})")
    row = table[path.stem]
    return Utterance(
        path=str(path),
        emotion=canonical(row["emotion"]),
        raw_label=row["emotion"],
        speaker=f"nemo/{row['speaker_id']}",
        corpus="nemo",
        gender=row["gender"],
        age=float(row["age"]) if row["age"] else None,
        language="pl",
        sentence=row["normalized_text"],
        text=row["raw_text"],
    )


CORPUS = Corpus(
    name="nemo",
    title="nEMO",
    url="https://github.com/amu-cai/nEMO",
    licence="CC-BY-NC-SA-4.0",
    citation="Christop (2024), LREC-COLING; arXiv 2404.06292",
    language="pl",
    emotions={"neutral": 809, "sad": 769, "angry": 749, "happy": 749, "fear": 736, "surprise": 669},
    speakers=9,
    grammar=GRAMMAR,
    example_names=("samples/SM0_happiness_66.wav", "samples/EB0_surprised_1.wav"),
    parse=parse,
    size_gb=0.5,
    table=table,
    example_table={
        "data.tsv": "\t".join(COLUMNS)
        + "\nSM0_happiness_66.wav\thappiness\tDobry wieczór!\tdobry wieczór\t        SM0\tmale\t24"
        + "\nEB0_surprised_1.wav\tsurprised\tNaprawdę?\tnaprawdę\t        EB0\tfemale\t27"
        + "\nEB0_anger_2.wav\tanger\tNie.\tnie\t        EB0\tfemale\t27\n",
    },
)
