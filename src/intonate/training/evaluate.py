"""`intonate evaluate MODEL MANIFEST`: a finished model on any labelled audio, with the same report as a training."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from intonate.corpora import manifest, own, transcripts
from intonate.emotions import EMOTIONS, MERGES, OWN, merge_with_labels, merged_labels, target_of
from intonate.errors import CorpusError, IntonateError, LabelError, ModelError, plural
from intonate.evaluation import explained_clips, ratings_page, table
from intonate.evaluation import ratings as rating_tables
from intonate.evaluation.html import NO_SHARES, limits, shown, speakers_of
from intonate.evaluation.multi_label_page import HEADINGS
from intonate.evaluation.report import check_folder, write_report, writing_to
from intonate.evaluation.table import PredictionTable
from intonate.explanation.explain import Explanation, explain
from intonate.features.cache import Change
from intonate.recognizer import inputs, late_fusion
from intonate.recognizer.model_file import ModelFile
from intonate.recognizer.recognizer import Recognizer
from intonate.schema import ModelSpec, Utterance
from intonate.training import data
from intonate.training.evaluate_several import report_of_several
from intonate.training.evaluated_rows import notes_on, outputs_by_statistics


def evaluate(
    model: str | os.PathLike[str] | None,
    manifest_path: str | os.PathLike[str],
    report: str | os.PathLike[str],
    whole: bool = False,
    scale: tuple[float, float] | None = None,
    explained: int = 0,
) -> Path:
    """Answer every row of a manifest and write the report.

    A model with dimensions is judged by the rows that have ratings, a model with labels by those with an emotion; one
    with both by either, in one report. A model that may give several labels at once is judged by the rows with labels.

    Rows whose emotion the model has no label for are left out and counted; where speakers may have been trained on,
    the report says so, for their figures flatter.

    Args:
        model: a built-in name, a model file or a run folder; None for the built-in `standard`.
        manifest_path: a CSV written by `intonate manifest`, or any table with file and emotion.
        report: the folder to write to.
        whole: answer recordings of any length whole. Else those longer than the model answers whole are answered in
            windows, as `predict` answers them.
        scale: the lowest and highest value on the scale of the manifest's ratings; None for the scale that the model
            was trained on, or 0 to 1.
        explained: so many right and so many wrong answers of each class are explained in the report
            (`evaluation/explained_clips.py`), and kept in `explanations.json`.

    Returns:
        The HTML page.

    Raises:
        ModelError, CorpusError, AudioError, LabelError
    """
    model_file = late_fusion.open_model(model)
    spec = model_file.spec
    if explained and not spec.labels:
        raise ModelError(
            f"model {spec.name!r} gives {', '.join(spec.dimensions)} and no labels, by which clips are chosen; explain "
            f"one recording at a time: intonate explain FILE --label {spec.dimensions[0]}"
        )
    if explained and late_fusion.is_text_model(spec):
        raise ModelError(f"model {spec.name!r} reads words and hears nothing: no sound to explain; leave --explain out")
    if explained and spec.multi_label:
        raise ModelError(
            f"model {spec.name!r} gives several labels at once, and clips are chosen by one; explain one recording at "
            "a time: intonate explain FILE --label LABEL"
        )
    if scale and not spec.dimensions:
        raise ModelError(f"model {spec.name!r} gives no dimensions, whose --scale it could be; leave it out")
    check_folder(Path(report))
    console = Console(stderr=True)
    bar, root = data.bar(console, "listening"), Path(manifest_path).parent
    title, protocol = f"{spec.name} on {Path(manifest_path).name}", "as given in the manifest"
    if spec.multi_label:
        return report_of_several(model_file, manifest_path, Path(report), title, protocol, bar, whole)
    rated = rated_rows(spec, manifest_path)
    numbers = numbers_of(model_file, rated, protocol, bar, root, whole, scale) if rated else None
    if not spec.labels:
        if numbers is None:
            raise CorpusError(
                f"{manifest_path} has no ratings of {', '.join(spec.dimensions)}, which is what {spec.name!r} gives; "
                "expected a column of each, or a column ratings"
            )
        return ratings_page.write_report(Path(report), numbers, title, notes=notes_on(spec, rated, (), whole))
    utterances, notes = labelled_rows(spec, manifest_path, whole)
    for note in notes:
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    predictions = answers(model_file, utterances, protocol, bar, root=root, whole=whole)
    pictures, ratings = {}, None
    if numbers is not None:
        ratings = rating_tables.scores(numbers)
        pictures["Dimensions"] = ratings_page.panels(ratings, numbers)
        with writing_to(Path(report)):
            rating_tables.write(numbers, Path(report) / "dimensions.csv")
    if explained:
        clips = _explained_clips(model_file, utterances, predictions, explained)
        pictures[explained_clips.HEADING] = explained_clips.panels(clips)
        with writing_to(Path(report)):
            explained_clips.write(clips, Path(report) / "explanations.json")
    return write_report(Path(report), predictions, title=title, notes=notes, pictures=pictures or None, ratings=ratings)


def headlines(page: Path) -> Iterator[str]:
    """`clip alone: UAR 54.6 % (53.4–56.0), 2,800 clips, 2 speakers` of each condition of a report.

    Of several labels at once it is macro-F1, micro-F1 and mAP, of dimensions the CCC of each.
    """
    metrics = json.loads((page.parent / "metrics.json").read_text(encoding="utf-8"))
    for condition in metrics["conditions"]:
        if "open" in condition:
            figures = [_headline("UAR", condition["open"]["overall"]["uar"])]
        elif "dimensions" in metrics:
            figures = [_headline(f"{name} CCC", found["ccc"], "ccc") for name, found in condition["overall"].items()]
        else:
            figures = [_headline(HEADINGS[name], figure) for name, figure in condition["overall"].items()]
        clips = f"{plural(condition['utterances'], 'clip')}, {speakers_of(condition['speakers'])}"
        yield f"{condition['statistics']}: {', '.join(figures)}, {clips}"


def _headline(name: str, figure: Mapping[str, float | None], metric: str = "") -> str:
    """A figure by its name, with its interval where it has one."""
    value = shown(metric, figure["value"]) + " %" * (metric not in NO_SHARES)
    return f"{name} {value} ({interval})" if (interval := limits(figure, metric)) else f"{name} {value}"


def _explained_clips(
    model: ModelFile | late_fusion.LateFusion,
    utterances: Sequence[Utterance],
    predictions: PredictionTable,
    count: int,
) -> explained_clips.ExplainedClips:
    recognizer, bar = Recognizer(model), data.bar(Console(stderr=True), "explaining")
    # The rows of each kind of statistics are the utterances, in their order.
    alone = predictions.where(statistics=table.CLIP_ALONE)

    def explain_row(row: int) -> Explanation:
        utterance, label = utterances[row], str(alone.label[row])
        try:
            return explain(
                recognizer,
                utterance.path,
                label=label if label in model.spec.labels else None,
                start_s=utterance.start_s,
                end_s=utterance.end_s,
                text=(utterance.text or None) if inputs.takes_text(model.spec) else None,
            )
        except IntonateError as error:
            # The report names files as its table does.
            raise type(error)(str(error).replace(str(utterance.path), str(alone.file[row]))) from error

    return explained_clips.explain_clips(alone, count, explain_row, bar)


def rated_rows(spec: ModelSpec, manifest_path: str | os.PathLike[str]) -> list[Utterance]:
    """The rows of a manifest with a rating of a dimension that a model has; none where it has none.

    Raises:
        CorpusError: the manifest cannot be read.
    """
    if not spec.dimensions:
        return []
    rows, _ = manifest.read_all(manifest_path) if spec.labels else (manifest.read(manifest_path), None)
    return [row for row in rows if not row.ratings.keys().isdisjoint(spec.dimensions)]


def numbers_of(
    model: ModelFile | late_fusion.LateFusion,
    utterances: Sequence[Utterance],
    protocol: str,
    bar: Callable[[Sequence[Any]], Iterable[Any]] = iter,
    root: Path | None = None,
    whole: bool = True,
    scale: tuple[float, float] | None = None,
) -> rating_tables.RatingTable:
    """What a model with dimensions says of utterances that were rated; arguments as of `answers` and `evaluate`."""
    spec = model.spec
    scales = {name: scale or spec.scales.get(name, (0.0, 1.0)) for name in spec.dimensions}
    examples, first = data.prepare(utterances, "", data.by_spec(spec), bar, scales=scales), len(spec.labels)
    return rating_tables.concatenate(
        rating_tables.tabulate(
            utterances,
            spec.dimensions,
            examples.ratings,
            output[:, first : first + len(spec.dimensions)],
            statistics=statistics,
            protocol=protocol,
            root=root,
        )
        for statistics, output in outputs_by_statistics(model, examples, whole=whole).items()
    )


def labelled_rows(
    spec: ModelSpec, manifest_path: str | os.PathLike[str], whole: bool = False
) -> tuple[list[Utterance], list[str]]:
    """The rows of a manifest that a model has labels for, and sentences for the report on them.

    Raises:
        CorpusError: the manifest cannot be read, or no row can be used.
        LabelError: none of the model's labels is an emotion that is known.
    """
    merge_name = merge_of(spec)
    rows, notes = read_rows(spec, manifest_path)
    rows, repeated = _once(rows)
    omitted = [row for row in rows if target_of(row, merge_name) is None]
    utterances = data.with_labels(rows, merge_name)
    if repeated:
        notes.append(f"{repeated:,} rows of the table repeat another, and count once.")
    return utterances, notes + notes_on(spec, utterances, omitted, whole)


def has_own_labels(spec: ModelSpec) -> bool:
    """Whether a model has labels of somebody's own, which are no emotions that a manifest could name."""
    return spec.merge.startswith(OWN) and not set(spec.labels) <= set(EMOTIONS)


def read_rows(spec: ModelSpec, manifest_path: str | os.PathLike[str]) -> tuple[list[Utterance], list[str]]:
    """All rows of a manifest as a model knows their labels, with their words where it reads; and notes on the table.

    Raises:
        CorpusError, LabelError: the manifest cannot be read.
    """
    if has_own_labels(spec):
        recordings = own.read(manifest_path)
        rows, notes = own.with_labels(recordings, spec.labels), [f"{note}." for note in recordings.notes]
    else:
        rows, notes = manifest.read_with_notes(manifest_path)
    return transcripts.fill(rows, manifest_path) if inputs.takes_text(spec) else rows, notes


def _once(rows: Sequence[Utterance]) -> tuple[list[Utterance], int]:
    """Each clip once, and how many rows repeat one.

    Raises:
        CorpusError: a clip has several labels.
    """
    first_rows: dict[tuple[str, float, float | None], Utterance] = {}
    for row in rows:
        first = first_rows.setdefault((row.path, row.start_s, row.end_s), row)
        if first.emotion != row.emotion:
            raise CorpusError(
                f"{row.path} is listed as {first.emotion} and as {row.emotion}; expected one label for each, or for "
                "each stretch of it, with columns start and end in seconds"
            )
    return list(first_rows.values()), len(rows) - len(first_rows)


def answers(
    model: ModelFile | late_fusion.LateFusion,
    utterances: Sequence[Utterance],
    protocol: str,
    bar: Callable[[Sequence[Any]], Iterable[Any]] = iter,
    root: Path | None = None,
    change: Change | None = None,
    whole: bool = True,
    is_clip_alone: bool = False,
) -> PredictionTable:
    """What a model says of utterances that it has labels for, once per statistics of the speaker that it can use.

    Args:
        model: an opened model file.
        utterances: rows that the model's merge has a place for (`data.labelled`).
        protocol: how training and test were kept apart, in words.
        bar: wraps what has to be computed in a progress bar.
        root: the folder that file names are written from.
        change: what is laid over every sound first (`intonate.augment.waveform.change`).
        whole: answer recordings of any length whole, and not the longest of them in windows as `predict` does; changed
            ones are always answered whole.
        is_clip_alone: each clip by itself, and no statistics of its speaker beside.

    Raises:
        AudioError, LabelError
    """
    spec = model.spec
    examples = data.prepare(utterances, merge_of(spec), data.by_spec(spec), bar, change=change)
    outputs = outputs_by_statistics(model, examples, None, whole or change is not None, is_clip_alone)
    return table.concatenate(
        table.tabulate(
            utterances,
            [examples.labels[target] for target in examples.targets],
            examples.labels,
            output[:, : len(spec.labels)],
            statistics=statistics,
            protocol=protocol,
            abstain_below=examples.thresholds(spec),
            root=root,
        )
        for statistics, output in outputs.items()
    )


def merge_of(spec: ModelSpec) -> str:
    """The merge whose labels are the model's: the one it was trained with, else the first with the same labels.

    Where there is none, as with models of others, each of the model's labels stands for itself: rows of an emotion
    that the model has no label for are left out, and a label that is no emotion of ours is never right.

    Raises:
        LabelError: none of the model's labels is an emotion that is known, or it gives several at once, or none.
    """
    if not spec.labels:
        raise LabelError(
            f"model {spec.name!r} gives {', '.join(spec.dimensions)} and no labels, and here clips have one; judge it "
            "by intonate evaluate, on a manifest with ratings"
        )
    if spec.multi_label:
        raise LabelError(
            f"model {spec.name!r} gives several labels at once, and here clips have one; judge it by intonate evaluate"
        )
    is_known = spec.merge in MERGES or spec.merge.startswith(OWN)
    if is_known and merged_labels(spec.merge) == tuple(sorted(spec.labels)):
        return spec.merge
    name = merge_with_labels(spec.labels)
    if name in MERGES or set(spec.labels) & set(EMOTIONS) or spec.merge.startswith(OWN):
        return name
    raise LabelError(
        f"model {spec.name!r} answers {', '.join(spec.labels)}, none of which is an emotion that a corpus could be "
        f"labelled with ({', '.join(EMOTIONS)}); add its spelling to intonate.emotions.ALIASES"
    )
