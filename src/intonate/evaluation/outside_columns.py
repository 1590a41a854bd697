"""Which column of another program's answers is which: the file, the answer, when it starts, and scores by label."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from intonate.corpora.manifest import SHOWN_COLUMNS
from intonate.corpora.overlap import first_few
from intonate.emotions import EMOTIONS, canonical, canonical_or_same
from intonate.errors import CorpusError, LabelError

# Names of what is surely an answer, what other such names begin with, and names of what may be the truth as well.
ANSWERS = ("prediction", "predicted", "pred", "predicted_label", "prediction_label", "y_pred", "guess")
_ANSWER_STARTS = ("pred", "output", "hypothes", "hyp_", "guess")
_EITHER = ("label", "emotion")
# Of a column that only begins like an answer, the share of cells that must be labels.
_LABEL_SHARE = 0.9
# Columns that a table of predictions may have beside them: the truth, and what groups are made of.
TRUTHS = ("truth", "true", "true_label", "y_true", "target", "reference", "gold", "actual")
# Column -> the names that it goes by, in lower case.
ALIASES: dict[str, tuple[str, ...]] = {
    "file": (
        "file",
        "path",
        "filepath",
        "file_path",
        "filename",
        "file_name",
        "audio",
        "wav",
        "clip",
        "utterance",
        "id",
    ),
    # In our own tables there is a `guess` as well, for `label` may be `unsure`.
    "label": (*ANSWERS, *_EITHER),
    "start": ("start", "start_s"),
}
_PREFIXES = ("p:", "p_", "prob_", "prob:", "probability_", "score_", "score:", "p(")


def answer_columns(
    header: Sequence[str], body: Sequence[Sequence[str]], known_labels: Collection[str] = ()
) -> list[str]:
    """The columns whose names say that they hold answers, the likeliest first.

    A name that only begins like one counts where nearly all cells are labels: emotions, `known_labels`, what the truth
    says, or what has scores. So `predicted_emotion` is an answer, and `predicted_by` or a transcript is none.

    >>> answer_columns(["file", "emotion", "predicted_emotion", "predicted_at", "pred"], [["a", "sad", "sad", "9", ""]])
    ['pred', 'predicted_emotion']
    """
    places = {name.lower(): place for place, name in reversed(list(enumerate(header)))}
    truth = next((places[name] for name in (*_EITHER, *TRUTHS) if name in places), None)
    labels = {*EMOTIONS, *known_labels, *score_columns(header).values()}
    labels |= {row[truth] for row in body} if truth is not None else set()

    def holds_labels(place: int) -> bool:
        cells = [row[place] for row in body if row[place]]
        count = sum(not labels.isdisjoint((cell, canonical_or_same(cell))) for cell in cells)
        return count > 0 and count >= _LABEL_SHARE * len(cells)

    others = [name for name, place in places.items() if name.startswith(_ANSWER_STARTS) and holds_labels(place)]
    return [header[places[name]] for name in dict.fromkeys((*ANSWERS, *others)) if name in places]


def either(columns: Mapping[str, str], mapping: Mapping[str, str]) -> str | None:
    """The column that was taken for the answers, where its name might as well say the truth and nobody named it."""
    return next(
        (name for name, role in columns.items() if role == "label" and name not in mapping and name.lower() in _EITHER),
        None,
    )


def find(
    header: Sequence[str],
    body: Sequence[Sequence[str]],
    mapping: Mapping[str, str],
    source: Path,
    known_labels: Collection[str] = (),
) -> dict[str, str]:
    """{column: `file`, `label`, `start`, or the label that it scores}; labels may be known, as in `answer_columns`."""
    columns = {name: _role(mapping[name]) for name in header if name in mapping}
    answers = [name for name in answer_columns(header, body, {*known_labels, *mapping}) if name not in columns]
    if answers and "label" not in columns.values():
        columns[answers[0]] = "label"
    for role, names in ALIASES.items():
        for alias in names:
            column = next((name for name in header if name.lower() == alias and name not in columns), None)
            if column and role not in columns.values():
                columns[column] = role
                break
    for name, label in score_columns(header).items():
        if name not in columns and label not in columns.values():
            columns[name] = label
    if "file" not in columns.values():
        raise CorpusError(
            f"{source} has no column of files: it has {first_few(header, SHOWN_COLUMNS)}; expected one of "
            f"{', '.join(ALIASES['file'])}, or say which: --map COLUMN=file"
        )
    scores = [name for name, role in columns.items() if role not in ALIASES]
    if len(scores) == 1:  # one column cannot hold the scores of several labels
        del columns[scores[0]]
    if len(scores) < 2 and "label" not in columns.values():
        raise CorpusError(
            f"{source} has neither a column of labels ({', '.join(ALIASES['label'])}) nor one of scores per label: "
            f"it has {first_few(header, SHOWN_COLUMNS)}; say which: --map COLUMN=label, or --map COLUMN=happy for each "
            "score"
        )
    return {name: columns[name] for name in header if name in columns}


def _role(name: str) -> str:
    return name if name in ALIASES else label_of(name, {})


def score_columns(header: Sequence[str]) -> dict[str, str]:
    """{column: the label that it scores, by its name}."""
    return {name: label for name in header if (label := _score_label(name))}


def _score_label(column: str) -> str:
    bare = column.lower().rstrip(")")
    for prefix in _PREFIXES:
        bare = bare.removeprefix(prefix)
    try:
        return canonical(bare)
    except LabelError:
        # What our own tables write, whatever the label.
        return column.removeprefix("p:") if column.startswith("p:") else ""


def label_of(text: str, mapping: Mapping[str, str]) -> str:
    """The canonical name, if it has one; what a row says is not refused for being nobody's emotion but its own."""
    return canonical_or_same(mapping.get(text, text))


def notes_on(columns: Mapping[str, str], header: Sequence[str]) -> Iterator[str]:
    """What the columns were taken for."""
    yield "Columns: " + ", ".join(f"{name} as {role}" for name, role in columns.items()) + "."
    if unused_columns := [name for name in header if name not in columns]:
        yield f"Columns not used: {first_few(unused_columns, SHOWN_COLUMNS)}."
