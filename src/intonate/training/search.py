"""The `search:` of a recipe: which parameters, for each fold by itself, before it is fitted and without its test part.

    search:
      sampler: grid                     # or random, or tpe (Bergstra et al. 2011)
      groups: 5                         # speaker-grouped folds of the training part; 0: the fold's validation part
      space:
        model.params.neighbours: [1, 3, 5, 9]
        training.learning_rate: {low: 1e-5, high: 1e-2, log: true}

Optuna keeps every trial in `search.db` in the folder of the fit: what was interrupted goes on with the trial that it
was in. What a trial draws follows from the seed and from the trials before it, so that it ends as if never stopped. The
trials of a network are given up early when they do worse than half of those before (median pruner).
"""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from intonate.corpora.splits import Split, speaker_groups
from intonate.errors import RecipeError
from intonate.schema import Utterance
from intonate.training import fitting
from intonate.training.data import Examples
from intonate.training.recipe import Recipe
from intonate.training.recipe_search import Search, Values

DATABASE, TABLE, TRIAL = "search.db", "trials.csv", "trial"
# Of a search that does not say how many, and is no grid.
TRIALS = 30
# Trials that are fitted to their end before any is given up.
FULL_TRIALS = 5
STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "given up", TrialState.FAIL: "failed"}


def check(recipe: Recipe, utterances: list[Utterance], split: Split) -> None:
    """Refuse more groups than the training part has speakers.

    Raises:
        RecipeError: there are too few, or a clip has no speaker.
    """
    if recipe.search is None or not recipe.search.groups:
        return
    speakers = {utterances[row].speaker for row in split.train}
    if "" in speakers:
        raise RecipeError(
            f"search.groups needs to know who speaks, and a training clip of {split.name} has no speaker; "
            "fill the speaker column, or set search.groups to 0"
        )
    if len(speakers) < recipe.search.groups:
        raise RecipeError(
            f"search.groups is {recipe.search.groups}, and {split.name} trains on {len(speakers)} speakers; "
            "lower it, or set it to 0 to score on the validation part"
        )


def best(
    recipe: Recipe, examples: Examples, split: Split, seed: int, folder: Path, console: Console
) -> tuple[Recipe, dict[str, Any]]:
    """Search, or go on searching, and write `trials.csv`.

    Args:
        recipe: with a `search`.
        examples: all clips; those of the test part are not read.
        split: the fold.
        seed: of the fit, and of what the search draws.
        folder: of the fit, for `search.db` and `trials.csv`.
        console: for the progress bar and the result.

    Returns:
        The recipe with the best parameters, and facts for run.json: `search`, and `configurations_tried` in all.

    Raises:
        RecipeError: no configuration can be fitted.
    """
    search = recipe.search
    if search is None:
        raise RecipeError(f"recipe {recipe.name} has no search")
    splits = _trial_splits(search, examples, split)
    grid = _grid(search, seed)
    trial_count = min(search.trials or len(grid), len(grid)) if grid else search.trials or TRIALS
    reason = ""
    with _study(folder) as study, _progress_bar(console, trial_count) as show:
        while len(trials := _finished_trials(study)) < trial_count:
            show(trials)
            study.sampler = _sampler(search, seed, len(trials))
            if grid and not study.get_trials(states=(TrialState.WAITING,)):
                study.enqueue_trial(grid[len(trials)])
            trial = study.ask(_distributions(search.space))
            try:
                study.tell(trial, _trial_score(recipe, trial, trials, examples, splits, seed, folder))
            except optuna.TrialPruned:
                study.tell(trial, state=TrialState.PRUNED)
            except RecipeError as error:
                reason = str(error)
                values = _values_text(_decoded(trial.params))
                console.print(f"  [yellow]left out[/] {values}: {reason}", highlight=False, soft_wrap=True)
                study.tell(trial, state=TrialState.FAIL)
    _write_table(folder / TABLE, search, trials)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        raise RecipeError(f"not one of the {len(trials)} configurations of search.space can be fitted: {reason}")
    winner = max(complete, key=lambda trial: trial.value or 0.0)
    parameters = _decoded(winner.params)
    summary = f"{len(trials)} configurations tried, {_best_so_far(trials)}: {_values_text(parameters)}"
    console.print(f"  {summary}", highlight=False, soft_wrap=True)
    configurations = recipe.card.configurations_tried - 1 + len(trials)
    facts = {"search": _search_facts(search, trials, winner), "configurations_tried": configurations}
    return recipe.having(parameters), facts


def _search_facts(search: Search, trials: list[FrozenTrial], winner: FrozenTrial) -> dict[str, Any]:
    """What run.json says of a finished search."""
    return {
        "sampler": search.sampler,
        "scored_on": f"{search.groups} speaker-grouped folds of the training part"
        if search.groups
        else "validation part",
        "trials": len(trials),
        "given_up": sum(trial.state == TrialState.PRUNED for trial in trials),
        "failed": sum(trial.state == TrialState.FAIL for trial in trials),
        "best": _decoded(winner.params),
        "validation_uar": winner.value,
        "search_s": round(sum(_duration_s(trial) for trial in trials), 3),
    }


def score(
    recipe: Recipe,
    examples: Examples,
    split: Split,
    seed: int,
    folder: Path,
    on_epoch: fitting.EpochCallback | None = None,
) -> float:
    """Validation UAR of one configuration, network or pipeline: a fit that leaves nothing behind."""
    trial_folder = folder / TRIAL
    # What a killed trial left may be of other parameters.
    shutil.rmtree(trial_folder, ignore_errors=True)
    try:
        return float(fitting.fit(recipe, examples, split, seed, trial_folder, on_epoch).facts["validation_uar"])
    finally:
        shutil.rmtree(trial_folder, ignore_errors=True)


def _trial_score(
    recipe: Recipe,
    trial: optuna.Trial,
    trials: list[FrozenTrial],
    examples: Examples,
    splits: list[Split],
    seed: int,
    folder: Path,
) -> float:
    """The mean validation UAR over the parts; taken over from an earlier trial that drew the same."""
    for earlier_trial in trials:
        if (
            earlier_trial.params == trial.params
            and earlier_trial.value is not None
            and earlier_trial.state == TrialState.COMPLETE
        ):
            return earlier_trial.value
    trial_recipe = recipe.having(_decoded(trial.params))
    scores = []
    for number, split in enumerate(splits):

        def on_epoch(epoch: int, uar: float, earlier_epochs: int = number * trial_recipe.training.epochs) -> None:
            trial.report(uar, earlier_epochs + epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        scores.append(score(trial_recipe, examples, split, seed, folder, on_epoch))
    return float(np.mean(scores))


def _trial_splits(search: Search, examples: Examples, split: Split) -> list[Split]:
    """What trials are fitted to and scored on; none has a test part."""
    no_rows = split.test[:0]
    if not search.groups:
        return [replace(split, test=no_rows)]
    utterances = [examples.utterances[row] for row in split.train]
    group = {
        speaker: number for number, names in enumerate(speaker_groups(utterances, search.groups)) for speaker in names
    }
    groups = np.array([group[utterance.speaker] for utterance in utterances])
    return [
        replace(split, train=split.train[groups != number], validation=split.train[groups == number], test=no_rows)
        for number in range(search.groups)
    ]


def _distributions(space: Mapping[str, Values]) -> dict[str, BaseDistribution]:
    return {key: _distribution(values) for key, values in space.items()}


def _distribution(values: Values) -> BaseDistribution:
    """Listed values as JSON: Optuna keeps numbers and text only, and a value may be a list of layers."""
    if values.low is None or values.high is None:
        return CategoricalDistribution([json.dumps(value) for value in values.values])
    if isinstance(values.low, int) and isinstance(values.high, int):
        return IntDistribution(values.low, values.high, log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def _decoded(params: Mapping[str, Any]) -> dict[str, Any]:
    return {key: json.loads(value) if isinstance(value, str) else value for key, value in params.items()}


def _grid(search: Search, seed: int) -> list[dict[str, Any]]:
    """Every configuration of lists, in random order: where `trials` are fewer, they are spread over all."""
    if search.sampler != "grid":
        return []
    values = [[json.dumps(value) for value in choices.values] for choices in search.space.values()]
    points = [dict(zip(search.space, point, strict=True)) for point in itertools.product(*values)]
    return [points[number] for number in np.random.default_rng(seed).permutation(len(points))]


def _sampler(search: Search, seed: int, number: int) -> BaseSampler:
    """A sampler for one trial: begun anew, it would otherwise draw again what it drew before it was interrupted."""
    trial_seed = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    return TPESampler(seed=trial_seed) if search.sampler == "tpe" else RandomSampler(seed=trial_seed)


@contextmanager
def _study(folder: Path) -> Iterator[optuna.Study]:
    folder.mkdir(parents=True, exist_ok=True)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder.resolve() / DATABASE}")
    pruner = optuna.pruners.MedianPruner(n_startup_trials=FULL_TRIALS)
    try:
        yield optuna.create_study(
            storage=storage, study_name="search", direction="maximize", pruner=pruner, load_if_exists=True
        )
    finally:
        storage.remove_session()
        storage.engine.dispose()
        optuna.logging.set_verbosity(verbosity)


def _finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The finished trials; one that was killed is not finished, and is tried again."""
    return study.get_trials(deepcopy=False, states=tuple(STATES))


@contextmanager
def _progress_bar(console: Console, total: int) -> Iterator[Callable[[list[FrozenTrial]], None]]:
    columns = (TextColumn("  searching"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[words]}"))
    remaining = TimeRemainingColumn()
    with Progress(*columns, remaining, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, words="")
        yield lambda trials: bar.update(task, completed=len(trials), words=_best_so_far(trials))


def _best_so_far(trials: list[FrozenTrial]) -> str:
    scores = [trial.value for trial in trials if trial.value is not None and trial.state == TrialState.COMPLETE]
    return f"best validation UAR {100 * max(scores):.1f}" if scores else ""


def _values_text(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key.rpartition('.')[2]} {value:.3g}" if isinstance(value, float) else f"{key.rpartition('.')[2]} {value}"
        for key, value in values.items()
    )


def _duration_s(trial: FrozenTrial) -> float:
    return 0.0 if trial.duration is None else trial.duration.total_seconds()


def _write_table(path: Path, search: Search, trials: list[FrozenTrial]) -> None:
    """A row for each trial: its state, UAR (the last, of one that was given up), epochs, seconds, and what it drew."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["trial", "state", "validation_uar", "epochs", "seconds", *search.space])
        for number, trial in enumerate(trials, 1):
            values = _decoded(trial.params)
            uar = "" if trial.value is None else f"{trial.value:.6f}"
            epochs = len(trial.intermediate_values) or ""
            cells = [json.dumps(values[key]) if isinstance(values[key], list) else values[key] for key in search.space]
            writer.writerow([number, STATES[trial.state], uar, epochs, f"{_duration_s(trial):.2f}", *cells])
