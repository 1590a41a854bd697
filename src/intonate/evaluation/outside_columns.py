"""Which column of another program's answers is which: the file, the answer, when it starts, and scores by label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from intonate.corpora.manifest import SHOWN_COLUMNS
from intonate.corpora.overlap import first_few
from intonate.corpora.table_notes import parse_age
from intonate.emotions import canonical, canonical_or_same
from intonate.errors import CorpusError, LabelError

# Names of what is surely an answer, which `label` and `emotion` are not; and what other such names begin with.
ANSWERS = ("prediction", "predicted", "pred", "predicted_label", "prediction_label", "y_pred", "guess")
_ANSWER_STARTS = ("pred", "output", "hypothes", "hyp_", "guess")
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
    "label": (*ANSWERS, "label", "emotion"),
    "start": ("start", "start_s"),
}
_PREFIXES = ("p:", "p_", "prob_", "prob:", "probability_", "score_", "score:", "p(")


def answer_columns(header: Sequence[str], body: Sequence[Sequence[str]] = ()) -> list[str]:
    """The columns whose names say that they hold answers, the likeliest first.

    A name that only begins like one (`predicted_emotion`) counts where not all cells of `body` are numbers.

    >>> answer_columns(["file", "emotion", "predicted_emotion", "pred"])
    ['pred', 'predicted_emotion']
    """
    places = {name.lower(): place for place, name in reversed(list(enumerate(header)))}
    others = [
        name
        for name, place in places.items()
        if name.startswith(_ANSWER_STARTS) and not (body and all(_is_number(row[place]) for row in body))
    ]
    return [header[places[name]] for name in dict.fromkeys((*ANSWERS, *others)) if name in places]


def _is_number(text: str) -> bool:
    return text == "" or parse_age(text) is not None


def find(
    header: Sequence[str], body: Sequence[Sequence[str]], mapping: Mapping[str, str], source: Path
) -> dict[str, str]:
    """{column: `file`, `label`, `start`, or the label that it scores}."""
    columns = {name: _role(mapping[name]) for name in header if name in mapping}
    answers = [name for name in answer_columns(header, body) if name not in columns]
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
