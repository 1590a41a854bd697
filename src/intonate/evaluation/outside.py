"""Predictions that another program made: a CSV with a file and a label, or a score per label, as a prediction table.

    file,prediction            path,ang,hap,neu,sad
    a/1.wav,happy              1.wav,0.1,0.7,0.1,0.1

Which column is which is guessed from its name, shown, and can be told (`mapping`). Rows are matched to those of a
manifest by the longest common end of the path, whatever the suffix; what cannot be matched for certain is left out and
counted, and an empty label is no answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from intonate.audio import stretches
from intonate.corpora import manifest
from intonate.corpora.manifest import SHOWN_COLUMNS
from intonate.corpora.overlap import first_few
from intonate.corpora.table_notes import parse_age
from intonate.emotions import OWN, canonical_or_same, merge_with_labels, merged_labels, target_of
from intonate.errors import CorpusError, LabelError, did_you_mean
from intonate.evaluation import outside_columns
from intonate.evaluation.matching import SHOWN, match, path_parts
from intonate.evaluation.outside_columns import ALIASES, TRUTHS, label_of
from intonate.evaluation.outside_scores import numbers, probabilities
from intonate.evaluation.table import PredictionTable, tabulate
from intonate.schema import Utterance

PROTOCOL = "answers from a file"


class LabelTable(PredictionTable):
    """Answers that are labels alone. Shares that are made of them later, e.g. equal ones of a corpus' classes where the
    answer is none of these, are no scores."""

    @property
    def has_scores(self) -> bool:
        return False


@dataclass(frozen=True)
class Reading:
    """What a CSV held.

    Attributes:
        table: the rows that were matched, in the manifest's order.
        columns: {column of the CSV: what it was taken for}.
        notes: sentences: what was taken for what, what was not used, and why.
    """

    table: PredictionTable
    columns: Mapping[str, str]
    notes: tuple[str, ...]


def read(
    path: Path | str,
    utterances: Sequence[Utterance],
    root: Path | str | None = None,
    mapping: Mapping[str, str] | None = None,
    merge_name: str | None = None,
) -> Reading:
    """Read the predictions of another program for the rows of a manifest.

    Args:
        path: the CSV (comma, semicolon or tab).
        utterances: the manifest's rows, which have the truth.
        root: the manifest's folder, which file names are written from.
        mapping: {name in the CSV: ours}, which overrides the guesses: a column to `file`, `label`, `start` or the
            label that it scores; a spelling of a label to ours.
        merge_name: the merge of emotions that the answers are meant in; default, the one whose labels the score columns
            have, else each label for itself.

    Raises:
        CorpusError: the CSV is missing or has no such columns, a score is no number, or nothing could be matched.
        LabelError: a label is not known.
    """
    source = Path(path)
    mapping = dict(mapping or {})
    header, body = _cells(source)
    _refuse_several_labels(header, utterances, source)
    truths = {label for row in utterances for label in (row.emotion, row.raw_label)}
    known_labels = truths if merge_name is None else {*truths, *merged_labels(merge_name)}
    columns = outside_columns.find(header, body, mapping, source, known_labels)
    place = {role: header.index(name) for name, role in columns.items()}
    score_labels = [role for role in columns.values() if role not in ALIASES]
    _refuse_unused_names(mapping, header, [row[place["label"]] for row in body] if "label" in place else [], source)
    labels_of_rows = [label_of(row[place["label"]], mapping) for row in body] if "label" in place else []

    given_labels = [label for label in labels_of_rows if label]
    if not score_labels and not given_labels:
        raise CorpusError(f"none of the {len(body)} rows of {source} has a label; expected one in each row")

    labels, merge_name = _labels(score_labels, given_labels, utterances, merge_name)
    row_of, notes = match(
        [row[place["file"]] for row in body],
        _starts(body, place, source),
        [utterance.path for utterance in utterances],
        [utterance.start_s for utterance in utterances],
        root,
    )
    if not score_labels:
        # After the matching: the answer of another file must not take the place of the one that is not given.
        row_of = {row: number for row, number in row_of.items() if labels_of_rows[number]}
    targets = [target_of(utterance, merge_name) for utterance in utterances]
    used_rows = [row for row in sorted(row_of) if targets[row] is not None]
    if not used_rows:
        raise CorpusError(
            f"none of the {len(body)} rows of {source} could be used for the {len(utterances)} of the manifest, e.g. "
            f"{body[0][place['file']] if body else 'none'!r} beside {utterances[0].path!r}; files are matched by the "
            "end of their path" + "".join(f"; {note}" for note in notes)
        )
    if score_labels:
        scores, score_note = probabilities(
            numbers(body, [row_of[row] for row in used_rows], [place[name] for name in score_labels], header, source),
            [score_labels.index(name) if name in score_labels else -1 for name in labels],
        )
    else:
        scores = np.zeros((len(used_rows), len(labels)))
        scores[np.arange(len(used_rows)), [labels.index(labels_of_rows[row_of[row]]) for row in used_rows]] = 1.0
        score_note = "There are labels and no scores, so no AUC, calibration or log-likelihood."
    table = tabulate(
        [utterances[row] for row in used_rows],
        [str(targets[row]) for row in used_rows],
        labels,
        scores,
        statistics="",
        protocol=PROTOCOL,
        root=root,
    )
    either = outside_columns.either(columns, mapping)
    answers = [labels_of_rows[row_of[row]] for row in used_rows] if labels_of_rows else []
    if not score_labels:
        table = LabelTable(**vars(table))
        if either:
            _refuse_the_truth(table, [body[row_of[row]] for row in used_rows], either, header, source)
    elif either and _are_the_truth(answers, [utterances[row] for row in used_rows], table):
        columns.pop(either)
        notes = [
            f"Column {either!r} is the truth in every row, so the answers are those of the scores; if it has the "
            f"answers: --map {either}=label.",
            *notes,
        ]
    elif answers:
        table, difference = _with_labels(table, answers)
        notes = [difference, *notes]
    left_out_counts = Counter(utterances[row].emotion for row in row_of if targets[row] is None)
    unpredicted_labels = sorted(set(table.emotion.tolist()) - set(labels_of_rows)) if not score_labels else []
    all_notes = (
        *outside_columns.notes_on(columns, header),
        score_note,
        *notes,
        _unanswered(utterances, row_of, root),
        *_label_notes(left_out_counts, unpredicted_labels),
    )
    return Reading(table, columns, tuple(note for note in all_notes if note))


def _with_labels(table: PredictionTable, given_labels: Sequence[str]) -> tuple[PredictionTable, str]:
    """A table of scores whose answers are the labels that are given beside them, and what is to be known of that."""
    answers = [
        given if given in table.labels else str(best)
        for given, best in zip(given_labels, table.label.tolist(), strict=True)
    ]
    differing = int((table.label != np.array(answers, np.str_)).sum())
    note = (
        f"The label is not that of the best score in {differing:,} rows: what is counted is of the labels, AUC and "
        "calibration are of the scores."
    )
    return replace(table, label=np.array(answers, np.str_)), note * (differing > 0)


def _are_the_truth(answers: Sequence[str], utterances: Sequence[Utterance], table: PredictionTable) -> bool:
    """Whether each label that is given is that of the manifest, as it stands there or as it is counted."""
    return any(answers) and all(
        given in ("", truth, utterance.emotion)
        for given, truth, utterance in zip(answers, table.emotion.tolist(), utterances, strict=True)
    )


def _refuse_the_truth(
    table: PredictionTable, body: Sequence[Sequence[str]], chosen: str, header: Sequence[str], source: Path
) -> None:
    """Refuse answers that are all right, where another column holds labels that are not: this one may be the truth."""
    if (table.truth != table.predicted).any():
        return
    for place, name in enumerate(header):
        labels = [canonical_or_same(row[place]) for row in body]
        differs = any(label not in ("", answer) for label, answer in zip(labels, table.label.tolist(), strict=True))
        if name != chosen and set(labels) <= {*table.labels, ""} and differs:
            raise CorpusError(
                f"{source}: column {chosen!r} is the truth in every row, and {name!r} holds labels, too; say which has "
                f"the answers: --map {name}=label, or --map {chosen}=label"
            )


def _label_notes(left_out_counts: Counter[str], unpredicted_labels: Sequence[str]) -> Iterator[str]:
    """Labels of the truth that the predictions cannot give, and that they never gave."""
    if left_out_counts:
        counts = ", ".join(f"{count} {name}" for name, count in left_out_counts.most_common())
        yield f"Left out, for there is no such score: {counts}."
    if unpredicted_labels:
        names = ", ".join(unpredicted_labels)
        yield f"{names}: in the manifest, but never answered; --labels MERGE counts labels together."


def read_with_truth(path: Path | str, mapping: Mapping[str, str] | None = None) -> Reading:
    """As `read`, where the truth is in the same CSV, in a column such as `truth` or `y_true` (or `emotion`, beside a
    column of predictions); speaker, gender, language, age and corpus are taken from columns of that name.

    Raises:
        CorpusError, LabelError: as in `read`, or there is no truth.
    """
    source = Path(path)
    header, body = _cells(source)
    column_by_name = {name.lower(): place for place, name in reversed(list(enumerate(header)))}
    columns = outside_columns.find(header, body, mapping or {}, source)
    truth_columns = [
        name
        for name in (*TRUTHS, "emotion", "label")
        if name in column_by_name and header[column_by_name[name]] not in columns
    ]
    if not truth_columns:
        raise CorpusError(
            f"{source} has no column of the truth ({', '.join(TRUTHS)}): it has "
            f"{first_few(header, SHOWN_COLUMNS)}; give a MANIFEST that has it"
        )
    place = {role: header.index(name) for name, role in columns.items()}

    def cell(row: list[str], name: str) -> str:
        return row[column_by_name[name]] if name in column_by_name else ""

    utterances = [
        Utterance(
            path=row[place["file"]],
            emotion=label_of(cell(row, truth_columns[0]), mapping or {}),
            raw_label=cell(row, truth_columns[0]),
            speaker=cell(row, "speaker"),
            corpus=cell(row, "corpus"),
            start_s=start_s or 0.0,
            gender=cell(row, "gender").lower(),
            age=parse_age(cell(row, "age")),
            language=cell(row, "language"),
        )
        for row, start_s in zip(body, _starts(body, place, source), strict=True)
    ]
    return read(source, utterances, mapping=mapping)


def _cells(source: Path) -> tuple[list[str], list[list[str]]]:
    rows = [row for _, row in manifest.read_rows(source) if any(row)]
    if len(rows) < 2:
        raise CorpusError(f"predictions {source} have no rows; expected a header with file and label or scores")
    header = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise CorpusError(f"row {number} of {source} has {len(row)} fields, expected {len(header)}")
    return header, [[cell.strip() for cell in row] for row in rows[1:]]


def _refuse_unused_names(
    mapping: Mapping[str, str], header: Sequence[str], labels: Sequence[str], source: Path
) -> None:
    known_names = {*header, *labels}
    for name in mapping:
        if name not in known_names:
            raise CorpusError(f"{source} has no column and no label {name!r}; {did_you_mean(name, known_names)}")


def _labels(
    score_labels: Sequence[str], answers: Sequence[str], utterances: Sequence[Utterance], merge_name: str | None
) -> tuple[tuple[str, ...], str]:
    """The classes of the table, and the merge that the truth is counted in."""
    if merge_name is not None:
        labels = merged_labels(merge_name)
        if unknown_labels := sorted(set(score_labels or answers) - set(labels)):
            raise LabelError(
                f"{unknown_labels[0]!r} is no label of the merge {merge_name!r}; "
                f"{did_you_mean(unknown_labels[0], labels)}; say what it is: --map {unknown_labels[0]}=LABEL"
            )
        return labels, merge_name
    if score_labels:
        found = merge_with_labels(score_labels)
        return tuple(sorted(score_labels)), found
    truths = {utterance.emotion for utterance in utterances}
    if not set(answers) & truths:
        raise LabelError(
            f"the predictions say {', '.join(sorted(set(answers))[:8])}, the manifest {', '.join(sorted(truths))}: "
            "none is the same; say which is which: --map THEIRS=OURS"
        )
    labels = tuple(sorted({*answers, *truths}))
    return labels, OWN + "|".join(labels)


def _starts(body: Sequence[Sequence[str]], place: Mapping[str, int], source: Path) -> list[float | None]:
    """Where each row starts, seconds; None where it does not say."""
    if "start" not in place:
        return [None] * len(body)
    starts = []
    for number, row in enumerate(body, start=2):
        try:
            starts.append(stretches.seconds(row[place["start"]], "start"))
        except ValueError as error:
            raise CorpusError(f"row {number} of {source}: {error}") from None
    return starts


def _refuse_several_labels(header: Sequence[str], utterances: Sequence[Utterance], source: Path) -> None:
    """Scores of several labels at once are no shares of one choice, and need not sum to one."""
    if "labels" in (name.lower() for name in header):
        raise CorpusError(
            f"{source} has a column labels, of a model that gives several at once, and here each clip has one; judge "
            "such a model by intonate evaluate MODEL MANIFEST"
        )
    if several := sum(row.labels is not None and not row.emotion for row in utterances):
        raise CorpusError(
            f"{several:,} rows of the manifest have several labels or none, and here each clip has one; give a "
            "manifest with one emotion in each row"
        )


def _unanswered(utterances: Sequence[Utterance], row_of: Mapping[int, int], root: Path | str | None) -> str:
    files = ["/".join(path_parts(item.path, root)) for row, item in enumerate(utterances) if row not in row_of]
    if not files:
        return ""
    more = f" and {len(files) - SHOWN:,} more" if len(files) > SHOWN else ""
    return f"{len(files):,} of the manifest without a prediction: {', '.join(files[:SHOWN])}{more}."
