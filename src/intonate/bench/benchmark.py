"""`intonate benchmark SUITE`: many recipes one after the other, and one table of what came out.

runs/<suite>/<system>-<corpus>-random/     a run folder of `intonate train` for every cell of the table
benchmarks/results/suites/<suite>.json     the rows, and the predictions that they were computed from beside them
benchmarks/RESULTS.md, results.html        every suite that has results, to look at

What was trained before is not trained again: a suite that was stopped goes on, and one that is done is written anew. A
cell that failed, or that there was no time for, says so; if it was measured before, by the very same recipe, it keeps
the figures that are kept among the results.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from intonate import corpora
from intonate.augment import waveform
from intonate.bench import ensemble_runs, speed
from intonate.bench import suite as suites
from intonate.bench.comparison_rows import CLEAN, HEARD, THE_OTHERS, Figure, Row
from intonate.bench.kept import kept_rows, write
from intonate.bench.suite import Corpus, Suite, System
from intonate.corpora import copies, splits
from intonate.errors import CorpusError, IntonateError, ModelError, RecipeError, did_you_mean
from intonate.evaluation import table
from intonate.evaluation.protocol import scores
from intonate.evaluation.table import RANDOM_SPLIT, SPEAKER_DISJOINT, PredictionTable
from intonate.features.cache import Change
from intonate.recognizer import builtin
from intonate.recognizer.model_file import ModelFile, read_model, read_spec
from intonate.schema import Utterance
from intonate.training import data, evaluate, fit, jobs
from intonate.training.recipe import Recipe, load

console = Console(stderr=True)
RESULTS = Path("benchmarks")


@dataclass(frozen=True)
class Cell:
    """One system on one corpus under one protocol: a run folder."""

    key: str
    system: System
    corpus_key: str
    corpus: Corpus
    protocol: str
    split: str
    seeds: Sequence[int]

    @property
    def name(self) -> str:
        return f"{self.key}-{self.corpus_key}-{'random' if self.protocol == RANDOM_SPLIT else 'disjoint'}"

    @property
    def folds(self) -> list[int]:
        return self.system.folds.get(self.corpus_key, self.corpus.folds)

    def overrides(self, data_root: Path) -> list[str]:
        """What makes the system's recipe a recipe of this cell."""
        values = {
            "name": self.name,
            "data.corpora": {name: str(data_root / name) for name in self.corpus.names(self.corpus_key)},
            "data.labels": self.corpus.labels,
            "data.split": self.split,
            "data.folds": self.folds if self.protocol == SPEAKER_DISJOINT else [],
            "training.seeds": list(self.seeds),
        }
        return [*self.system.set, *(f"{key}={json.dumps(value)}" for key, value in values.items())]


def benchmark(
    name: str | Path,
    only: Sequence[str] = (),
    hours: float = float("inf"),
    data_root: Path | None = None,
    runs: Path = Path("runs"),
    out: Path = RESULTS,
) -> tuple[Path, list[str]]:
    """Run a suite and write what is known of it.

    Args:
        name: a YAML file, or the name of a suite that comes with the package.
        only: keys of systems; empty for all. What was trained of the others before is in the table all the same.
        hours: no fit is begun after this long.
        data_root: the folder that the corpora lie in; None for the suite's own.
        runs: where run folders go, in a folder of the suite's name.
        out: where the results go.

    Returns:
        The Markdown file, and the cells that failed; the tables say why.

    Raises:
        RecipeError: the suite is not known or not valid, or `only` names no system of it.
        CorpusError: there is no such folder of corpora.
    """
    suite, path = suites.load(name)
    for key in only:
        if key not in suite.systems:
            raise RecipeError(f"suite {path.stem} has no system {key!r}; {did_you_mean(key, suite.systems)}")
    data_root = data_root or Path(suite.data)
    if not data_root.is_dir():
        raise CorpusError(f"there is no folder {data_root}; name the one that the corpora lie in by --data")
    suite_run = _SuiteRun(suite, path, runs / path.stem, data_root)
    failures = suite_run.train(only, hours)
    rows, tables = suite_run.rows(failures, kept_rows(out / "results" / "suites" / f"{path.stem}.json"))
    return write(path.stem, suite, rows, tables, out), suite_run.failed


class _SuiteRun:
    """A suite, where it is run, and the corpora that it has read."""

    def __init__(self, suite: Suite, path: Path, runs: Path, data_root: Path) -> None:
        self.suite, self.path, self.runs, self.data_root = suite, path, runs, data_root
        self.utterances = cache(self._utterances)
        self.facts = cache(speed.facts)
        self.failed: list[str] = []

    def cells(self, only: Sequence[str] = ()) -> Iterator[Cell]:
        """Every cell, system by system; `only` these systems."""
        for key, system in self.suite.systems.items():
            for corpus_key, corpus in self.suite.corpora.items():
                if (only and key not in only) or (system.only and corpus_key not in system.only):
                    continue
                protocols = (
                    (RANDOM_SPLIT, corpus.random, corpus.random_seeds),
                    (SPEAKER_DISJOINT, corpus.disjoint, corpus.disjoint_seeds),
                )
                for protocol, split, seeds in protocols:
                    if split:
                        yield Cell(key, system, corpus_key, corpus, protocol, split, system.seeds or seeds)

    def train(self, only: Sequence[str], hours: float) -> dict[str, str]:
        """Train what is not trained yet; {name of a cell: why it has no figures}."""
        failures, deadline_s = {}, time.monotonic() + 3600 * hours
        cells = [cell for cell in self.cells(only) if not (cell.system.model or cell.system.missing)]
        for number, cell in enumerate(cells, 1):
            has_report = self._report_file(cell).exists()
            console.print(f"[bold]{self.path.stem}[/] {cell.name} ({number} of {len(cells)})", highlight=False)
            if time.monotonic() > deadline_s and not has_report:
                continue  # its row says that it is not trained yet
            try:
                if cell.system.members:
                    self._combine(cell)
                else:
                    recipe = self.path.parent / cell.system.recipe
                    fit.train(recipe, cell.overrides(self.data_root), self.runs)
            except IntonateError as error:
                failures[cell.name] = str(error)
                self.failed.append(cell.name)
                console.print(f"  [red]failed[/] {error}", highlight=False)
        return failures

    def _combine(self, cell: Cell) -> None:
        """The ensemble of the other systems' runs on the same cell."""
        members = [self.runs / replace(cell, key=key).name for key in cell.system.members]
        utterances = data.with_labels(self.utterances(cell.corpus_key), cell.corpus.labels)

        def answer(model: ModelFile, rows: Sequence[Utterance], fold: str, seed: int) -> PredictionTable:
            predictions = self._answers(model, rows, protocol=cell.protocol)
            return replace(predictions, fold=np.full(len(predictions), fold), seed=np.full(len(predictions), seed))

        ensemble_runs.run(self.runs / cell.name, members, cell.split, utterances, answer)

    def rows(self, failures: dict[str, str], kept: Sequence[Row] = ()) -> tuple[list[Row], dict[str, PredictionTable]]:
        """The rows of the suite's table, and the predictions of each run that they were computed from."""
        row_makers: dict[str, Callable[[Cell], Iterator[tuple[Row, PredictionTable | None]]]] = {
            "compare": self._comparison_rows,
            "cross": self._cross_corpus_rows,
            "disturb": self._noise_rows,
            "leave_out": self._left_out_rows,
        }
        rows: list[Row] = []
        tables: dict[str, list[PredictionTable]] = {}
        for cell in self.cells():
            try:
                if reason := cell.system.missing or failures.get(cell.name, ""):
                    raise RecipeError(reason)
                if not cell.system.model and not self._report_file(cell).exists():
                    raise RecipeError("; ".join(filter(None, ("not trained yet", cell.system.note))))
                for row, predictions in row_makers[self.suite.kind](cell):
                    rows.append(row)
                    if predictions is not None:
                        tables.setdefault(cell.name + "-heard" * (row.protocol == HEARD), []).append(predictions)
            except IntonateError as error:
                recipe_hash = self._recipe_hash(cell)
                earlier = [self._named_anew(row, cell) for row in kept if row.recipe == recipe_hash]
                rows += earlier or [replace(row, note=str(error)) for row in self._empty_rows(cell)]
        return rows, {name: table.concatenate(parts) for name, parts in tables.items()}

    def _comparison_rows(self, cell: Cell) -> Iterator[tuple[Row, PredictionTable | None]]:
        """One row for each statistics of the speaker."""
        folder = self.runs / cell.name
        report = json.loads(self._report_file(cell).read_text(encoding="utf-8"))
        predictions = table.read(folder / "report" / "predictions.csv")
        for condition in report["conditions"]:
            row = self._with_figures(self._empty_row(cell), condition)
            yield replace(row, **self.facts(folder)), predictions.where(statistics=condition["statistics"])
        if cell.system.heard and cell.protocol == RANDOM_SPLIT:
            predictions = self._predict_training_clips(cell)
            (condition,) = scores(predictions)["conditions"]
            row = replace(self._with_figures(self._empty_row(cell), condition), protocol=HEARD)
            yield replace(row, **self.facts(folder)), predictions

    def _predict_training_clips(self, cell: Cell) -> PredictionTable:
        """What each fit of a cell says of its own training part, each clip alone."""
        utterances = data.with_labels(self.utterances(cell.corpus_key), cell.corpus.labels)
        group, _ = copies.same_recordings(utterances)
        tables = []
        for fold, split, seed in jobs.jobs_of(self._recipe(cell), utterances):
            rows = [utterances[row] for row in copies.kept_apart(split, group).train]
            model = read_model(self.runs / cell.name / jobs.fit_name((fold, split, seed)) / "model.onnx")
            part = self._answers(model, rows, protocol=HEARD, is_clip_alone=True)
            tables.append(replace(part, fold=np.full(len(part), str(fold)), seed=np.full(len(part), seed)))
        return table.concatenate(tables)

    def _cross_corpus_rows(self, cell: Cell) -> Iterator[tuple[Row, PredictionTable | None]]:
        """Trained on this corpus; tested on its own test speakers, and on everybody of the others."""
        model = self._cell_model(cell)
        for key in self.suite.corpora:
            if key == cell.corpus_key:
                predictions = table.read(self.runs / cell.name / "report" / "predictions.csv")
            else:
                predictions = self._answers(model, self._labelled_utterances(key, model))
            row = replace(self._empty_row(cell), corpus=self._title(key), trained_on=self._title(cell.corpus_key))
            for condition in scores(predictions)["conditions"]:
                yield self._with_figures(row, condition), predictions.where(statistics=condition["statistics"])

    def _left_out_rows(self, cell: Cell) -> Iterator[tuple[Row, PredictionTable | None]]:
        """Trained on all corpora of the cell but one, and tested on that one: a row for each."""
        folder = self.runs / cell.name
        predictions, facts = table.read(folder / "report" / "predictions.csv"), self.facts(folder)
        for name, row in zip(cell.corpus.together, self._empty_rows(cell), strict=True):
            predictions_of_corpus = predictions.where(corpus=name)
            for condition in scores(predictions_of_corpus)["conditions"] if len(predictions_of_corpus) else ():
                row_with_figures = self._with_figures(replace(row, **facts), condition)
                yield row_with_figures, predictions_of_corpus.where(statistics=condition["statistics"])

    def _noise_rows(self, cell: Cell) -> Iterator[tuple[Row, PredictionTable | None]]:
        """Tested on the clips that were held out, as they are and with something laid over them."""
        model, disturbances = self._cell_model(cell), self.suite.disturb
        if disturbances is None:
            raise RecipeError(f"suite {self.path.stem} is of kind disturb and has no key `disturb`")
        utterances = self._labelled_utterances(cell.corpus_key, model)
        fold = (cell.folds or [1])[0]
        test = splits.folds(cell.split, utterances, cell.seeds[0])[fold - 1].test
        rows = [utterances[row] for row in test]
        conditions: list[tuple[str, float | None, Change | None]] = [(CLEAN, None, None)]
        noises = self.data_root / disturbances.noises
        if not noises.is_dir():
            raise CorpusError(f"there is no folder {noises} of noises; {self.path} names it (disturb.noises)")
        for sound in sorted(noises.iterdir()):
            for ratio_db in disturbances.snr_db:
                steps = [{"transform": "noise", "path": str(sound), "snr_db": ratio_db}]
                conditions.append((sound.stem.replace("_", " "), ratio_db, waveform.change(steps)))
        if disturbances.telephone:
            conditions.append(("telephone band", None, waveform.change([{"transform": "telephone"}])))
        for noise, snr_db, change in conditions:
            predictions = self._answers(model, rows, change)
            row = replace(self._empty_row(cell), noise=noise, snr_db=snr_db)
            for condition in scores(predictions)["conditions"]:
                # A run's predictions are of one condition: those with noise are not kept.
                clean_predictions = None if change else predictions.where(statistics=condition["statistics"])
                yield self._with_figures(row, condition), clean_predictions

    def _empty_rows(self, cell: Cell) -> list[Row]:
        """The rows of a cell without their figures: one, or one for each corpus that is left out."""
        row = self._empty_row(cell)
        if self.suite.kind != "leave_out" or cell.system.missing:
            return [row]
        parts = [name.split("/") for name in self._split_names(cell)]
        return [
            replace(row, corpus=title, trained_on=THE_OTHERS, of_folds=sum(name in part for part in parts))
            for name, title in cell.corpus.together.items()
        ]

    def _empty_row(self, cell: Cell) -> Row:
        """A row without figures."""
        published_figures = cell.system.published
        published = published_figures.get(cell.corpus_key, published_figures.get("", ""))
        unpublished = "no figure was published" + " for this corpus" * bool(published_figures)
        return Row(
            system=cell.system.title,
            corpus=self._title(cell.corpus_key),
            protocol=cell.protocol,
            published=published,
            unpublished="" if published else unpublished,
            of_folds=len(self._split_names(cell)),
            command=f"intonate benchmark {self.path.stem} --only {shlex.quote(cell.key)}",
            note=cell.system.note,
            recipe=self._recipe_hash(cell),
        )

    def _split_names(self, cell: Cell) -> list[str]:
        """The folds of the cell's split; none where nothing can be read to divide."""
        if cell.system.missing:
            return []
        try:
            return [split.name for split in splits.folds(cell.split, self.utterances(cell.corpus_key))]
        except IntonateError:
            return []

    def _recipe(self, cell: Cell) -> Recipe:
        return load(self.path.parent / cell.system.recipe, cell.overrides(self.data_root))

    def _named_anew(self, row: Row, cell: Cell) -> Row:
        """A row that was measured before, called as the suite calls it now."""
        empty = self._empty_row(cell)
        words = ("system", "published", "unpublished", "command", "note")
        return replace(row, **{name: getattr(empty, name) for name in words})

    def _recipe_hash(self, cell: Cell) -> str:
        """What tells whether a figure is of what the suite says now: empty for a cell that has no recipe, or no valid
        one; of an ensemble those of its members, of a built-in model that of its training.
        """
        system = cell.system
        if system.members:
            members = [dataclasses.replace(cell, key=key, system=self.suite.systems[key]) for key in system.members]
            return "+".join([cell.name, *map(self._recipe_hash, members)])
        try:
            if system.model:
                return f"{cell.name}+{read_spec(builtin.path_of(system.model)).recipe_hash}"
            return self._recipe(cell).hash() if system.recipe else ""
        except (RecipeError, ModelError):
            return ""

    def _with_figures(self, row: Row, condition: dict[str, Any]) -> Row:
        # Over the classes that the corpus has, where the model has others too.
        overall = (condition["restricted"] or condition["open"])["overall"]
        return replace(
            row,
            statistics=condition["statistics"],
            uar=Figure(**overall["uar"]),
            wa=Figure(**overall["accuracy"]),
            folds=len(condition["folds"]),
            seeds=len(condition["seeds"]),
        )

    def _answers(
        self,
        model: ModelFile,
        utterances: Sequence[Utterance],
        change: Change | None = None,
        protocol: str = SPEAKER_DISJOINT,
        is_clip_alone: bool = False,
    ) -> PredictionTable:
        bar = data.bar(console, "listening")
        return evaluate.answers(
            model, utterances, protocol, bar, root=self.data_root, change=change, is_clip_alone=is_clip_alone
        )

    def _cell_model(self, cell: Cell) -> ModelFile:
        if cell.system.model:
            return read_model(builtin.path_of(cell.system.model))
        return read_model(next(iter(sorted((self.runs / cell.name).glob("fold*-seed*/model.onnx")))))

    def _labelled_utterances(self, corpus_key: str, model: ModelFile) -> list[Utterance]:
        return data.with_labels(self.utterances(corpus_key), evaluate.merge_of(model.spec))

    def _utterances(self, corpus_key: str) -> list[Utterance]:
        names = self.suite.corpora[corpus_key].names(corpus_key)
        return [row for name in names for row in corpora.read(name, self.data_root / name).utterances]

    def _title(self, corpus_key: str) -> str:
        return self.suite.corpora[corpus_key].title or corpus_key

    def _report_file(self, cell: Cell) -> Path:
        return self.runs / cell.name / "report" / "metrics.json"
