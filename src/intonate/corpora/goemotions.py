"""GoEmotions: what English comments say, without a sound.

58,009 Reddit comments were labelled by three or five readers each with 27 emotions or neutral; the 54,263 on which at
least two agreed are published in three parts, train 43,410, dev 5,426 and test 5,427 (the split `published`). Lines are
`text, label ids, comment id` with tabs between. The paper's own grouping turns the 27 into Ekman's six: joy in 21,733
comments, anger 7,022, surprise 6,668, sadness 4,032, disgust 1,013, fear 929, and neutral 17,772.

To know: a comment may have several labels, and 9 % still have several of the seven. `emotion` is then the first that is
not neutral, in the order of the file, and `soft_labels` gives each its share. The names of people and religions are
masked as [NAME] and [RELIGION]. Who wrote a comment is not told: one author may be on both sides of the split, and 37
test comments have the very words of a training one. There is strong language; the paper notes that Reddit leans
towards young men, and that the readers were native speakers of English from India. The path of a comment is its file
and its id, `test.tsv#edcu99z`.

Demszky D, Movshovitz-Attias D, Ko J, Cowen A, Nemade G, Ravi S (2020). GoEmotions: A Dataset of Fine-Grained Emotions.
ACL. https://aclanthology.org/2020.acl-main.372
"""

from __future__ import annotations

from pathlib import Path

from intonate.corpora.reader import Corpus, Problem, Reading
from intonate.errors import CorpusError
from intonate.schema import Utterance

PARTS = ("dev", "test", "train")
GRAMMAR = "train.tsv, dev.tsv and test.tsv, each line: text, label ids with commas, comment id, with tabs between"

# Ekman's six and neutral, under our names -> GoEmotions' labels, as the paper groups them (its ekman_mapping.json).
EKMAN: dict[str, tuple[str, ...]] = {
    "angry": ("anger", "annoyance", "disapproval"),
    "disgust": ("disgust",),
    "fear": ("fear", "nervousness"),
    "happy": (
        *("admiration", "amusement", "approval", "caring", "desire", "excitement", "gratitude", "joy", "love"),
        *("optimism", "pride", "relief"),
    ),
    "neutral": ("neutral",),
    "sad": ("disappointment", "embarrassment", "grief", "remorse", "sadness"),
    "surprise": ("confusion", "curiosity", "realization", "surprise"),
}
EMOTION_OF = {label: emotion for emotion, labels in EKMAN.items() for label in labels}
# A label's id is its place: the 27 in alphabetical order, then neutral.
LABELS: tuple[str, ...] = (*sorted(EMOTION_OF.keys() - {"neutral"}), "neutral")


def find(root: Path) -> Reading:
    """The comments of the parts that lie in `root`.

    Raises:
        CorpusError: there is none of the three files, or no line of them can be read.
    """
    paths = [path for part in PARTS if (path := root / f"{part}.tsv").is_file()]
    if not paths:
        raise CorpusError(f"{root} holds no part of GoEmotions; expected {GRAMMAR}")
    utterances: list[Utterance] = []
    problems: list[Problem] = []
    for path in paths:
        # A comment may hold characters that splitlines takes for the end of a line.
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
            if line.strip():
                try:
                    utterances.append(parse(line.rstrip("\r"), path))
                except CorpusError as error:
                    problems.append(Problem(f"{path}, line {number}", str(error)))
    if not utterances:
        raise CorpusError(f"none of the {len(problems)} lines can be read as GoEmotions; the first: {problems[0]}")
    return Reading("goemotions", tuple(sorted(utterances, key=lambda row: row.path)), tuple(problems))


def parse(line: str, path: Path) -> Utterance:
    """One comment.

    Raises:
        CorpusError: the line does not follow the grammar; the message says how.
    """
    fields = line.split("\t")
    if len(fields) != 3:
        raise CorpusError(f"{len(fields)} fields between tabs, expected text, label ids and comment id")
    text, ids, comment = fields
    numbers = [int(number) if number.isdecimal() else len(LABELS) for number in ids.split(",")]
    if max(numbers) >= len(LABELS):
        raise CorpusError(f"label ids {ids!r} are not numbers from 0 to {len(LABELS) - 1} with commas between")
    labels = [LABELS[number] for number in numbers]
    emotions = list(dict.fromkeys(EMOTION_OF[label] for label in labels))
    return Utterance(
        path=f"{path}#{comment}",
        emotion=next((emotion for emotion in emotions if emotion != "neutral"), "neutral"),
        raw_label=",".join(labels),
        speaker="",
        corpus="goemotions",
        language="en",
        sentence=comment,
        text=text,
        soft_labels={emotion: 1 / len(emotions) for emotion in emotions} if len(emotions) > 1 else {},
    )


CORPUS = Corpus(
    name="goemotions",
    title="GoEmotions (text only)",
    url="https://github.com/google-research/google-research/tree/master/goemotions",
    licence="Apache-2.0",
    citation="Demszky et al. (2020), ACL; arXiv 2005.00547",
    language="en",
    # A comment may count for several emotions, and nobody is known to speak: there is no number of clips to check.
    emotions={},
    speakers=0,
    grammar=GRAMMAR,
    example_names=("dev.tsv#c1", "test.tsv#c2", "train.tsv#c3"),
    parse=lambda path, table: (),
    size_gb=0.004,
    example_table={
        "dev.tsv": "What a day!\t13\tc1\n",
        "test.tsv": "[NAME] was late again.\t3,27\tc2\n",
        "train.tsv": "It is on the table.\t27\tc3\n",
    },
    missing_columns=frozenset({"speaker", "gender"}),
    find=find,
)
