"""`intonate train`: recipe in, run folder out. Folds and seeds one after the other; what is done is not done again.

runs/<name>/
  recipe.yaml            the resolved recipe
  fold1-seed0/           one fit
    model.onnx           the model, checked against what it was made from
    predictions.csv      every test clip, once per statistics of the speaker
    run.json             times, versions, hardware, revision, validation score; its presence says: finished
  report/                all folds and seeds together
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from rich.console import Console

import intonate
from intonate.augment import waveform
from intonate.corpora.splits import Split
from intonate.errors import RecipeError
from intonate.evaluation import calibration, table
from intonate.export import onnx as export
from intonate.recognizer.model_file import ModelFile, read_model
from intonate.schema import ModelSpec, Utterance
from intonate.training import (
    data,
    encoders,
    evaluated_rows,
    fitting,
    network,
    provenance,
    recipe_names,
    scoring,
    sources,
    strangers,
    teaching,
)
from intonate.training.fit_tables import write_tables
from intonate.training.fitting import normalised_clip
from intonate.training.jobs import fit_name, jobs_of, train_texts, without_copies
from intonate.training.recipe import Recipe, load

console = Console(stderr=True)
# In a run folder: what its rows were (`provenance.rows_hash`).
ROWS_HASH = "rows.hash"


def train(path: str | Path, overrides: list[str] | None = None, runs: str | Path = "runs") -> Path:
    """Train every fold and seed of a recipe that has not been trained yet, then write the report of all.

    A run that was stopped goes on where it stopped; a run folder of another recipe or of other data is refused, and so
    is one that another process trains in.

    Returns:
        The run folder.

    Raises:
        RecipeError, CorpusError, SplitError, AudioError: before anything is trained.
    """
    recipe = load(path, overrides)
    recipe_names.check(recipe)
    provenance.revision()  # as the code is now: it may be edited while a long training runs
    folder = Path(runs) / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0), _left_tidy(folder), _interruptible():
            _train(recipe, folder)
    except Timeout:
        raise RecipeError(
            f"another process trains in {folder}; wait for it, or give this run another name (--set name=…)"
        ) from None
    return folder


@contextlib.contextmanager
def _left_tidy(folder: Path) -> Iterator[None]:
    """A training that is refused or stopped leaves no folder that holds nothing."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # where a file that is open cannot be deleted
            for path in (*folder.glob("fold*-seed*/checkpoints"), *folder.glob("fold*-seed*")):
                if not any(path.iterdir()):
                    path.rmdir()
            if [path.name for path in folder.iterdir()] == [".lock"]:
                (folder / ".lock").unlink()
                folder.rmdir()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C stops a training, and says how it goes on. Lightning turns it into an exit with status 1."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        interrupt = error if isinstance(error, KeyboardInterrupt) else error.__context__
        if not isinstance(interrupt, KeyboardInterrupt):
            raise
        console.print("stopped; the same command goes on from here", highlight=False)
        if interrupt is not error:
            signal.signal(signal.SIGINT, handler)  # it is ignored since
        raise interrupt from None


def _train(recipe: Recipe, folder: Path) -> None:
    recipe, utterances = sources.usable(recipe, sources.read(recipe))
    jobs = jobs_of(recipe, utterances)
    _claim(folder, recipe, provenance.rows_hash(utterances, recipe))
    queue = [job for job in jobs if not (folder / fit_name(job) / "run.json").exists()]
    if recipe.search:
        from intonate.training import search

        for _, split, _ in queue:
            search.check(recipe, utterances, split)
    if queue:
        network.check_model(recipe)
        for name in encoders.recipes_of(recipe):
            teaching.teach(name)
        data.refuse_without_words(utterances, recipe)
        tokenizer = network.tokenizer_of(recipe, train_texts(utterances, queue))
        encode = None if tokenizer is None else (lambda text: np.asarray(tokenizer.encode(text).ids, np.int64))
        analysis, bar = data.by_recipe(recipe, encode), data.bar(console, "listening")
        examples = data.prepare(
            utterances,
            recipe.data.labels,
            analysis,
            bar,
            recipe.data.shortest_s,
            recipe.data.cache,
            scales=recipe.data.ratings,
            several=recipe.task == "multi_label",
        )
        data.refuse_without_speakers(examples, recipe)
        if examples.too_short:
            console.print(f"[yellow]left out[/] {_short_clips_text(examples.too_short, recipe)}", highlight=False)
            jobs = jobs_of(recipe, examples.utterances)
            queue = [job for job in jobs if not (folder / fit_name(job) / "run.json").exists()]
        queue = without_copies(recipe, examples.utterances, queue)
        _check_data(recipe, examples, sorted(path.parent for path in folder.glob("fold*-seed*/run.json")))
        if recipe.data.expand and queue:
            train_rows = np.concatenate([split.train for _, split, _ in queue])
            changes = waveform.changes(recipe.data.expand)
            examples = data.expand(examples, train_rows, changes, analysis, bar, recipe.data.cache)
        definition = "" if tokenizer is None else tokenizer.to_str()
        for number, (fold, split, seed) in enumerate(queue, 1):
            console.print(f"[bold]{recipe.name}[/] {split.name}, seed {seed} ({number} of {len(queue)})")
            _fit(recipe, examples, split, fold, seed, folder / fit_name((fold, split, seed)), definition)
    fit_folders = [folder / fit_name(job) for job in jobs]
    scoring.report(folder, recipe, fit_folders)


def validation_rows(recipe: Recipe, fold: int, seed: int) -> tuple[list[Utterance], str]:
    """The utterances that a fit of a recipe is validated on, and the name of its split.

    Raises:
        CorpusError: a corpus is not where the recipe says.
        RecipeError: there is no such fit.
    """
    recipe, utterances = sources.usable(recipe, sources.read(recipe))
    for job_fold, split, job_seed in jobs_of(recipe, utterances):
        if (job_fold, job_seed) == (fold, seed):
            return [utterances[row] for row in split.validation], split.name
    raise RecipeError(f"recipe {recipe.name} has no fit of fold {fold} and seed {seed}")


def _prior(recipe: Recipe, examples: data.Examples, split: Split, fitted_model: fitting.Fitted) -> tuple[float, ...]:
    """The share of each label in what a network is fitted to; empty where balancing makes them even."""
    is_even = len(fitted_model.present) or recipe.training.balance or recipe.data.balance is not None
    if is_even or not examples.labels or examples.multi_label:
        return ()
    soft = recipe.training.soft_labels
    label_shares = data.shares(examples, recipe.data.labels) if soft else np.eye(len(examples.labels))[examples.targets]
    return tuple(round(float(share), 6) for share in label_shares[split.train].mean(axis=0))


def _claim(folder: Path, recipe: Recipe, rows_hash: str) -> None:
    """Refuse the folder of another recipe that something was trained by, or of other rows; and keep these in it."""
    recipe_file, rows_file = folder / "recipe.yaml", folder / ROWS_HASH
    is_trained = any(folder.glob("fold*-seed*/*"))
    if recipe_file.exists() and is_trained and (earlier_recipe := load(recipe_file)).hash() != recipe.hash():
        # More folds or seeds of the same recipe belong together; anything else does not.
        earlier_with_these_folds = earlier_recipe.model_copy(
            update={
                "data": earlier_recipe.data.model_copy(update={"folds": recipe.data.folds}),
                "training": earlier_recipe.training.model_copy(update={"seeds": recipe.training.seeds}),
            }
        )
        if earlier_with_these_folds.hash() != recipe.hash():
            raise RecipeError(f"{folder} holds a run of another recipe; give this one another name (--set name=…)")
    if not is_trained:
        rows_file.write_text(f"{rows_hash}\n", encoding="utf-8")
    elif rows_file.exists() and rows_file.read_text(encoding="utf-8").strip() != rows_hash:
        raise _other_data_error(folder)
    # Where the data lie is the machine's business, and a run folder may be published.
    recipe_file.write_text(yaml.safe_dump(recipe.portable(), sort_keys=False, allow_unicode=True), encoding="utf-8")


def _check_data(recipe: Recipe, examples: data.Examples, fit_folders: Sequence[Path]) -> None:
    """Refuse to go on beside fits to other data: one report is made of all."""
    manifest_hash = provenance.manifest_hash(examples.recordings, recipe)
    for path in fit_folders:
        if json.loads((path / "run.json").read_text(encoding="utf-8"))["manifest_hash"] != manifest_hash:
            raise _other_data_error(path)


def _other_data_error(folder: Path) -> RecipeError:
    return RecipeError(
        f"{folder} was trained on other data: files, labels or words have changed since; give this run another name "
        "(--set name=…)"
    )


def _fit(
    recipe: Recipe, examples: data.Examples, split: Split, fold: int, seed: int, folder: Path, tokenizer: str
) -> None:
    """One fit: train, calibrate on the validation speakers, export, answer the test speakers with the file."""
    folder.mkdir(parents=True, exist_ok=True)
    fit_recipe, search_facts = _search_parameters(recipe, examples, split, seed, folder)
    start_s, start_core_s = time.perf_counter(), time.process_time()
    fitted_model = fitting.fit(fit_recipe, examples, split, seed, folder)
    facts = fitted_model.facts
    spec = _spec(recipe, examples, split, fitted_model, tokenizer)
    probe = [
        normalised_clip(examples.clips[row], fitted_model.inputs)
        for row in _clips_of_three_lengths(examples, split.test)
    ]
    target = folder / "model.onnx"
    facts["onnx_difference"] = fitted_model.write(spec, probe, target)
    facts |= {"train_s": time.perf_counter() - start_s, "train_core_s": time.process_time() - start_core_s}
    if not facts.get("converged", True):
        console.print("  [yellow]not converged[/] within the iterations of the recipe", highlight=False)

    if fit_recipe.training.leave_out:
        facts["left_out_for_calibration"] = fit_recipe.training.leave_out
        spec = strangers.calibrate(spec, fit_recipe, examples, split, seed, folder)
    elif spec.labels:
        spec = _calibrated(spec, read_model(target), examples, split)
    export.sign(target, spec)
    model, start_s = read_model(target), time.perf_counter()
    answers = {
        statistics: scoring.answers(model, examples, split.test, statistics, seed)
        for statistics in scoring.statistics_of(spec)
    }
    facts["test_s"] = (time.perf_counter() - start_s) / len(answers)
    score_text = write_tables(recipe, examples, split, fold, seed, spec, answers, folder, facts)
    facts["test_clips"] = len(split.test)
    if examples.too_short:
        facts["too_short_clips"] = examples.too_short
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    record = provenance.record(recipe, examples.recordings) | {
        "split": split.name,
        "seed": seed,
        **facts,
        **search_facts,
    }
    (folder / "run.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(f"  test {score_text}  [dim]({facts['train_s']:.0f} s)[/]", highlight=False)


def _search_parameters(
    recipe: Recipe, examples: data.Examples, split: Split, seed: int, folder: Path
) -> tuple[Recipe, dict[str, Any]]:
    """The recipe with what its search has chosen, and facts about it; as it is, where it has none."""
    if recipe.search is None:
        return recipe, {}
    from intonate.training import search

    return search.best(recipe, examples, split, seed, folder, console)


def _short_clips_text(count: int, recipe: Recipe) -> str:
    clips = f"{count:,} clip" + "s" * (count > 1)
    return f"{clips} shorter than {recipe.data.shortest_s:g} s after cleaning"


def _spec(
    recipe: Recipe, examples: data.Examples, split: Split, fitted_model: fitting.Fitted, tokenizer: str
) -> ModelSpec:
    rows = [examples.utterances[row] for row in split.train]
    train_speakers = {utterance.speaker for utterance in rows}
    return ModelSpec(
        name=recipe.name,
        labels=examples.labels,
        inputs=fitted_model.inputs,
        batching=fitted_model.batching,
        merge=recipe.data.labels,
        sample_rate_hz=data.SAMPLE_RATE_HZ,
        clean=tuple(recipe.data.clean),
        pool=recipe.pooling(),
        output="log_probabilities" if len(fitted_model.present) else "logits",
        tokenizer=tokenizer,
        text_required=recipe.reads(),
        prior=_prior(recipe, examples, split, fitted_model),
        encoders=encoders.origins(recipe),
        languages=tuple(sorted({row.language for row in rows if row.language})),
        corpora=tuple(sorted({row.corpus for row in rows})),
        unseen_speakers=tuple(sorted({row.speaker for row in examples.utterances} - train_speakers)),
        heard_speakers=evaluated_rows.heard_speakers(rows),
        heard_clips=evaluated_rows.heard_clips(rows),
        licence=recipe.card.licence,
        dimensions=examples.dimensions,
        scales=dict(recipe.data.ratings),
        multi_label=examples.multi_label,
        recipe_hash=recipe.hash(),
        intonate_version=intonate.__version__,
    )


def _calibrated(spec: ModelSpec, model: ModelFile, examples: data.Examples, split: Split) -> ModelSpec:
    """Temperature and abstain threshold from the validation speakers, each clip alone."""
    outputs = scoring.answers(model, examples, split.validation, table.CLIP_ALONE)
    probabilities = outputs[:, : len(spec.labels)]
    logits = np.log(np.maximum(probabilities, 1e-12))
    if spec.multi_label:
        logits = logits - np.log(np.maximum(1 - probabilities, 1e-12))
        scale, threshold = calibration.binary_temperature_and_threshold(logits, examples.present[split.validation])
        return replace(spec, temperature=scale, abstain_below=threshold)
    truth = examples.targets[split.validation]
    # Unsure on the least certain tenth: those are wrong far more often than right on speakers never heard.
    temperature, threshold = calibration.temperature_and_threshold(logits, truth, coverage=0.9)
    return replace(spec, temperature=temperature, abstain_below=threshold)


def _clips_of_three_lengths(examples: data.Examples, rows: NDArray[np.int64]) -> list[int]:
    """The shortest, the middle and the longest test clip, by the first input."""
    name = next(iter(examples.clips[0]))
    order = sorted(rows.tolist(), key=lambda row: len(examples.clips[row][name]))
    return [order[0], order[len(order) // 2], order[-1]]
