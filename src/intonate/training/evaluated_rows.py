"""What evaluations of finished models share: the answers to the rows, and remarks on them."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intonate.audio.decode import duration_s, load
from intonate.corpora import manifest, own
from intonate.evaluation.table import CLIP_ALONE
from intonate.features.cache import keys_of
from intonate.recognizer import inputs, late_fusion
from intonate.recognizer.model_file import ModelFile
from intonate.recognizer.recognizer import Recognizer
from intonate.schema import ModelSpec, Utterance
from intonate.training import scoring
from intonate.training.data import Examples

# The corpora of people's own tables, which are other people in every table.
_TABLES = (own.CORPUS, manifest.OWN)


def outputs_by_statistics(
    model: ModelFile | late_fusion.LateFusion,
    examples: Examples,
    rows: NDArray[np.int64] | None = None,
    whole: bool = True,
    is_clip_alone: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """What a model says of clips, (rows, outputs), for each of the statistics of the speaker that it can use.

    Args:
        model: an opened model file.
        examples: the analysed clips.
        rows: which; None for all.
        whole: answer recordings of any length whole, and not the longest of them in windows as `predict` does.
        is_clip_alone: each clip by itself, and no statistics of its speaker beside.
    """
    rows = np.arange(len(examples.utterances)) if rows is None else rows
    utterances = [examples.utterances[row] for row in rows]
    knows_speakers = all(row.speaker for row in utterances)
    kinds = scoring.statistics_of(model.spec) if knows_speakers and not is_clip_alone else (CLIP_ALONE,)
    outputs = {statistics: scoring.answers(model, examples, rows, statistics) for statistics in kinds}
    if not whole:
        outputs[CLIP_ALONE] = _in_windows(model, utterances, outputs[CLIP_ALONE])
    return outputs


def _in_windows(
    model: ModelFile | late_fusion.LateFusion,
    utterances: Sequence[Utterance],
    outputs: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The outputs (rows, outputs), those to recordings too long to be answered whole as `predict` has them.

    Where nobody speaks in any window, the answer to the whole stays.
    """
    rate, recognizer = model.spec.sample_rate_hz, Recognizer(model)
    for row, utterance in enumerate(() if inputs.takes_text(model.spec) else utterances):
        end_s = duration_s(utterance.path) if utterance.end_s is None else utterance.end_s
        if end_s - utterance.start_s <= model.spec.pool.longest_s:
            continue
        waveform = load(utterance.path, rate, start_s=utterance.start_s, end_s=utterance.end_s)
        answer = recognizer.predict((waveform, rate))
        if found := {**answer.scores, **answer.dimensions}:
            names = model.spec.outputs
            known = [place for place, name in enumerate(names) if name in found]
            outputs[row, known] = [found[names[place]] for place in known]
    return outputs


def omission_notes(omitted: Sequence[Utterance]) -> list[str]:
    """Sentences on the rows that are left out for their labels."""
    notes = []
    if label_counts := Counter(row.all_labels[0] for row in omitted if len(row.all_labels) == 1):
        counts = ", ".join(f"{count} {label}" for label, count in label_counts.most_common())
        notes.append(f"Left out, for the model has no such label: {counts}.")
    if several := sum(len(row.all_labels) > 1 for row in omitted):
        notes.append(f"Left out, for they have several labels and the model gives one: {several:,} clips.")
    if unlabelled := sum(not row.all_labels for row in omitted):
        notes.append(f"Left out, for they have no label: {unlabelled:,} clips.")
    return notes


def notes_on(spec: ModelSpec, utterances: Sequence[Utterance], omitted: Sequence[Utterance], whole: bool) -> list[str]:
    """Sentences on the rows that are scored, and on those that are left out for their labels."""
    notes = omission_notes(omitted)
    notes.append(
        f"Recordings up to {spec.pool.longest_s:g} s are answered whole, longer ones "
        + ("too." if whole else "in windows, as by predict, where each is answered alone.")
        + " Every clip is scored, even where predict would hear no voice." * (not late_fusion.is_text_model(spec))
    )
    if not spec.corpora:
        notes.append(
            "Which corpora and speakers the model was trained on is not known; if these were among them, the figures "
            "flatter it."
        )
    if training_speakers := trained_on(spec, utterances):
        notes.append(
            f"{len(training_speakers)} of the speakers may have been trained on (corpora {', '.join(spec.corpora)}); "
            "their figures flatter the model."
        )
    unnamed = [row for row in utterances if row.speaker not in training_speakers]
    if heard := _heard(unnamed, spec.heard_clips):
        notes.append(f"{heard} of the clips were trained on (the same bytes); their figures flatter the model.")
    return notes


def trained_on(spec: ModelSpec, utterances: Sequence[Utterance]) -> set[str]:
    """The speakers that a model may have been trained on, as far as they are known by name.

    A corpus of the catalogue is the same people everywhere: whoever was not kept out was heard. Tables are not, so
    there only those count that the model's file tells.
    """
    return {
        speaker
        for speaker, corpus in {(row.speaker, row.corpus) for row in utterances if row.speaker}
        if (
            _is_among(speaker, spec.heard_speakers)
            if corpus in _TABLES
            else corpus in spec.corpora and speaker not in spec.unseen_speakers
        )
    }


def heard_speakers(utterances: Iterable[Utterance], before: Collection[str] = ()) -> tuple[str, ...]:
    """`ModelSpec.heard_speakers` of a model that is trained on these, and had heard others before."""
    salt = secrets.token_hex(8)
    names = {row.speaker for row in utterances if row.speaker and row.corpus in _TABLES}
    return tuple(sorted({*before, *(_digest(name, salt) for name in names if not _is_among(name, before))}))


def heard_clips(utterances: Iterable[Utterance], before: Sequence[str] = ()) -> tuple[str, ...]:
    """`ModelSpec.heard_clips` of a model that is trained on these, and had heard others before."""
    salt = secrets.token_hex(8)
    digests = {_salted(key, salt) for key in _keys(row for row in utterances if row.corpus in _TABLES)}
    return (*before, f"{salt}:{','.join(sorted(digests))}") if digests else tuple(before)


def _heard(utterances: Iterable[Utterance], trainings: Sequence[str]) -> int:
    known = [(salt, set(digests.split(","))) for salt, _, digests in (text.partition(":") for text in trainings)]
    keys = _keys(utterances) if known else []  # they are read for it
    return sum(any(_salted(key, salt) in digests for salt, digests in known) for key in keys)


def _keys(utterances: Iterable[Utterance]) -> list[str]:
    return keys_of([row for row in utterances if Path(row.path).is_file()], hashed=True)


def _salted(text: str, salt: str) -> str:
    return hashlib.sha256((salt + text).encode()).hexdigest()[:16]


def _is_among(speaker: str, digests: Collection[str]) -> bool:
    salts = {digest.rpartition(":")[0] for digest in digests}  # empty where an earlier version wrote them
    return any(_digest(speaker, salt) in digests for salt in salts)


def _digest(speaker: str, salt: str) -> str:
    """Of a name as the table has it: in manifests it is put under `table`, in one's own recordings under `own`.

    The salt is of one training, and stands before it: one list of names and their digests does not open all files.
    """
    corpus, _, name = speaker.partition("/")
    digest = _salted(name if corpus in _TABLES else speaker, salt)
    return f"{salt}:{digest}" if salt else digest
