"""`intonate evaluate MODEL SHARDS`: a model on the shards of oruk-bench, a public leaderboard of seven emotions.

Shards are Parquet with `audio_flac` (16 kHz), `label` (0 to 6), `language` and `source_id`, read in the order of their
names; all that counts of a clip are its first 16 s. Beside our report lie `preds.json` and `labels.json`, a label for
each clip in that order, for

    oruk-bench score --preds report/preds.json --labels report/labels.json

As there, a model's labels are taken for the seven, `calm` for neutral, and a clip of an emotion that the model has no
label for counts as wrong.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from intonate.audio.clean import clean
from intonate.audio.decode import load
from intonate.errors import AudioError, CorpusError, LabelError, first_line, require
from intonate.evaluation import table
from intonate.evaluation.report import check_folder, write_report
from intonate.recognizer import inputs, late_fusion
from intonate.recognizer.recognizer import Recognizer
from intonate.recognizer.timeline import threshold_for
from intonate.schema import ModelSpec, Utterance

# The benchmark's classes in the order of their numbers, and ours.
CLASSES = {
    "anger": "angry",
    "happiness": "happy",
    "sadness": "sad",
    "fear": "fear",
    "disgust": "disgust",
    "surprise": "surprise",
    "neutral": "neutral",
}
NAMES, LABELS = tuple(CLASSES), tuple(CLASSES.values())
# Labels of models that count as another one, as the benchmark has it.
ALSO = {"calm": "neutral"}
COLUMNS = ("audio_flac", "label", "language", "source_id")
RATE_HZ, LONGEST_S = 16_000, 16.0
# Clips that are read and answered at once.
AT_A_TIME = 64


def are_shards(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a shard, or a folder of them, and no manifest."""
    return bool(_shards(Path(path)))


def evaluate(
    model: str | os.PathLike[str] | None,
    shards: str | os.PathLike[str],
    report: str | os.PathLike[str],
    whole: bool = False,
) -> Path:
    """Answer every clip, and write our report and the files for `oruk-bench score`.

    Args:
        model, report, whole: as in `intonate.training.evaluate.evaluate`.
        shards: the folder of the shards, or one of them.

    Returns:
        The HTML page.

    Raises:
        ModelError, CorpusError
        LabelError: none of the model's labels is one of the seven.
    """
    check_folder(Path(report))
    recognizer = Recognizer(late_fusion.open_model(model))
    groups, folder = label_groups(recognizer.spec), Path(report)
    rows: list[Utterance] = []
    shares: list[NDArray[np.float64]] = []
    thresholds: list[float] = []
    paths = _shards(Path(shards))
    for path in track(paths, "listening", console=Console(stderr=True), disable=not Console(stderr=True).is_terminal):
        clips = _clips(path)
        while part := list(islice(clips, AT_A_TIME)):
            rows += [row for row, _ in part]
            for answer, threshold in _answers(recognizer, [waveform for _, waveform in part], whole):
                shares.append(np.array([answer[group].max(initial=0.0) for group in groups]))
                thresholds.append(threshold)
    if not rows:
        raise CorpusError(f"{shards} holds no clips; expected Parquet with the columns {', '.join(COLUMNS)}")
    probabilities = np.array(shares)
    totals = probabilities.sum(axis=1, keepdims=True)
    probabilities = np.where(totals > 0, probabilities / np.where(totals > 0, totals, 1), 1 / len(LABELS))
    predictions = table.tabulate(
        rows,
        [row.emotion for row in rows],
        LABELS,
        probabilities,
        protocol="oruk-bench",
        abstain_below=thresholds,
    )
    title = f"{recognizer.spec.name} on {Path(shards).name}"
    page = write_report(folder, predictions, title, notes=_notes(recognizer.spec, groups, whole))
    _write(folder / "preds.json", [NAMES[place] for place in probabilities.argmax(axis=1)])
    _write(folder / "labels.json", [NAMES[LABELS.index(row.emotion)] for row in rows])
    return page


def label_groups(spec: ModelSpec) -> list[list[int]]:
    """For each of the seven, which of a model's labels are taken for it.

    Raises:
        LabelError: none of them.
    """
    names = [ALSO.get(label, label) for label in spec.labels]
    groups = [[place for place, name in enumerate(names) if name == label] for label in LABELS]
    if not any(groups):
        raise LabelError(
            f"model {spec.name!r} answers {', '.join(spec.outputs)}; the benchmark has {', '.join(LABELS)}, and none "
            "is the same"
        )
    return groups


def _shards(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.glob("*.parquet"))
    return [path] if path.suffix == ".parquet" and path.is_file() else []


def _clips(path: Path) -> Iterator[tuple[Utterance, NDArray[np.float32]]]:
    """Each clip of a shard: its row, and the sound that counts."""
    pyarrow, parquet = require("pyarrow", "archive"), require("pyarrow.parquet", "archive")
    try:
        file = parquet.ParquetFile(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise CorpusError(f"{path} is no Parquet file that can be read: {first_line(error)}") from error
    if missing := [name for name in COLUMNS if name not in file.schema_arrow.names]:
        raise CorpusError(
            f"{path} is no shard of oruk-bench: it lacks {', '.join(missing)}; expected {', '.join(COLUMNS)}"
        )
    number = 0
    for batch in file.iter_batches(AT_A_TIME, columns=list(COLUMNS)):
        for cells in batch.to_pylist():
            name, number = f"{path.name}#{number}", number + 1
            yield _row(name, cells), _sound(name, cells["audio_flac"])


def _row(name: str, cells: dict[str, Any]) -> Utterance:
    label = cells["label"]
    if not isinstance(label, int) or not 0 <= label < len(LABELS):
        raise CorpusError(f"{name}: label is {label!r}; expected 0 to {len(LABELS) - 1} ({', '.join(NAMES)})")
    corpus, language = str(cells["source_id"] or ""), str(cells["language"] or "")
    return Utterance(name, LABELS[label], NAMES[label], "", corpus, language=language)


def _sound(name: str, audio: bytes | None) -> NDArray[np.float32]:
    try:
        return load(audio or b"", RATE_HZ)[: round(LONGEST_S * RATE_HZ)]
    except AudioError as error:
        raise CorpusError(f"{name}: {error}") from error


def _answers(
    recognizer: Recognizer, waveforms: Sequence[NDArray[np.float32]], whole: bool
) -> Iterator[tuple[NDArray[np.float64], float]]:
    """The probabilities (labels,) of each clip, as `predict` has them, and its threshold.

    The probabilities are the model's own where nobody speaks.
    """
    spec = recognizer.spec
    answered = recognizer.predict_many([(waveform, RATE_HZ) for waveform in waveforms], whole=whole)
    for waveform, answer in zip(waveforms, answered, strict=True):
        sound = clean(load((waveform, RATE_HZ), spec.sample_rate_hz), spec.sample_rate_hz, spec.clean)
        threshold = threshold_for(spec, len(sound) / spec.sample_rate_hz)
        if scores := getattr(answer, "scores", None):
            yield np.array([scores[label] for label in spec.labels]), threshold
            continue
        yield recognizer.probabilities([inputs.normalise_alone(spec, inputs.extract(spec, sound))])[0], threshold


def _notes(spec: ModelSpec, groups: Sequence[Sequence[int]], whole: bool) -> list[str]:
    notes = [
        f"Of each clip the first {LONGEST_S:g} s count, as in oruk-bench. Those up to {spec.pool.longest_s:g} s are "
        f"answered whole, longer ones {'too' if whole else 'in windows'}.",
        "Who speaks is not known: intervals come from resampling clips, and say nothing about other speakers.",
    ]
    if lacking := [label for label, group in zip(LABELS, groups, strict=True) if not group]:
        notes.append(f"The model has no label for {', '.join(lacking)}: those clips count as wrong.")
    return notes


def _write(path: Path, labels: Iterable[str]) -> None:
    path.write_text(json.dumps(list(labels)) + "\n", encoding="utf-8")
