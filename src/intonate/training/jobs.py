"""The fits of a run: a fold, its split and a seed each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from intonate.corpora import copies, splits
from intonate.corpora.splits import Split
from intonate.errors import RecipeError
from intonate.features.text import is_text
from intonate.schema import Utterance
from intonate.training.recipe import Recipe

console = Console(stderr=True)

Job = tuple[int, Split, int]


def jobs_of(recipe: Recipe, utterances: Sequence[Utterance]) -> list[Job]:
    """The fits that a recipe asks for: (fold from 1, its split, seed), seed by seed.

    Raises:
        SplitError: the utterances cannot be divided so.
        RecipeError: it names a fold that is none.
    """
    jobs = []
    for seed in recipe.training.seeds:
        for fold, split in enumerate(splits.folds(recipe.data.split, utterances, seed), 1):
            if not recipe.data.folds or fold in recipe.data.folds:
                jobs.append((fold, split, seed))
    if not jobs:
        raise RecipeError(f"data.folds {recipe.data.folds} names no fold of {recipe.data.split}; folds count from 1")
    return jobs


def without_copies(recipe: Recipe, utterances: Sequence[Utterance], jobs: Sequence[Job]) -> list[Job]:
    """The same jobs with no recording on two sides, whatever it is called; says what is left out."""
    if all(is_text(item.front_end) for item in recipe.inputs.values()):
        return list(jobs)
    group, _ = copies.same_recordings(utterances)
    splits_apart = [copies.kept_apart(split, group) for _, split, _ in jobs]
    if sentence := copies.left_out([split for _, split, _ in jobs], splits_apart, utterances):
        console.print(f"[yellow]left out[/] {sentence}", highlight=False)
    return [(fold, split, seed) for (fold, _, seed), split in zip(jobs, splits_apart, strict=True)]


def train_texts(utterances: Sequence[Utterance], jobs: Sequence[Job]) -> list[str]:
    """What is said in the training part of every one of these fits: a tokenizer that is learnt may read no more."""
    common_rows = set.intersection(*(set(split.train.tolist()) for _, split, _ in jobs))
    return [utterances[row].text for row in sorted(common_rows)]


def fit_name(job: Job) -> str:
    """The folder of a fit, in the folder of its run."""
    fold, _, seed = job
    return f"fold{fold}-seed{seed}"
