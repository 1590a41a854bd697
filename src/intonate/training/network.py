"""Fits a torch model with Lightning: checkpoints, early stopping and selection on the validation speakers, resuming."""

from __future__ import annotations

import inspect
import logging
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, LambdaCallback, ModelCheckpoint
from lightning.pytorch.callbacks.callback import Callback

from intonate import models
from intonate.corpora.splits import Split
from intonate.errors import RecipeError
from intonate.models import views
from intonate.schema import ModelInput
from intonate.training import begin
from intonate.training.batches import Clips, Draw, Loader, collate
from intonate.training.data import Examples
from intonate.training.module import Classifier
from intonate.training.recipe import Recipe

SCORE = "validation/uar"


def wants_lengths(recipe: Recipe, name: str) -> bool:
    """Whether the recipe's model takes the lengths of this input."""
    build = models.get(recipe.model.name)
    forward = getattr(build, "forward", None)
    return forward is not None and f"{name}_lengths" in inspect.signature(forward).parameters


def check_model(recipe: Recipe) -> None:
    """Refuse files that the recipe's model starts from and that are not there, before anything is listened to.

    Raises:
        RecipeError: the model has no such views, or no encoder that could learn at a rate of its own.
        ModelError: a file is missing.
    """
    build = models.get(recipe.model.name)
    if hasattr(build, "check"):
        build.check(**recipe.model.params)
    if recipe.model.views:
        views.check(build, recipe.model.views.of)
    if recipe.training.encoder_learning_rate and not hasattr(build, "encoder_parameters"):
        raise RecipeError(
            f"training.encoder_learning_rate is for a model with an encoder that others trained, and "
            f"{recipe.model.name} has none; set it to 0"
        )


def tokenizer_of(recipe: Recipe, texts: Sequence[str] = ()) -> Any:
    """The tokenizer that the recipe's model brings along, or learns from the training texts; or None."""
    build = models.get(recipe.model.name)
    if not hasattr(build, "tokenizer"):
        return None
    learns = "texts" in inspect.signature(build.tokenizer).parameters
    return build.tokenizer(**({"texts": texts} if learns else {}), **recipe.model.params)


def build(recipe: Recipe, examples: Examples) -> Any:
    """The network of a recipe as it begins: untrained, or with the weights of another run (`training.begin_with`)."""
    columns: dict[str, Any] = {name: clip.shape[-1] for name, clip in examples.clips[0].items() if clip.ndim == 2}
    columns |= {name: len(clip) for name, clip in examples.clips[0].items() if clip.ndim == 1}
    columns |= {name: clip.shape[1:] for name, clip in examples.clips[0].items() if clip.ndim == 4}
    fresh = partial(models.get(recipe.model.name), columns=columns, **recipe.model.params)
    network = fresh(classes=len(examples.labels))
    if recipe.training.begin_with:
        folder = begin.check(recipe.training.begin_with)
        begin.take(network, examples.labels, lambda classes: fresh(classes=classes), folder)
    return network


def _kept_score(scores: Sequence[float], keep: str) -> float:
    return max(scores) if keep == "best" else scores[-1]


def fit(
    recipe: Recipe,
    examples: Examples,
    split: Split,
    inputs: tuple[ModelInput, ...],
    seed: int,
    folder: Path,
    watch: Callable[[int, float], None] | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Train until the last epoch, or until patience ends; go on from `checkpoints/last.ckpt` if there is one.

    `watch` is told of each epoch and its validation UAR. Who watches wants the figure and has a bar of his own: then no
    checkpoint is written (of a large network it takes longer than the epoch), and the network is the last epoch's.

    Returns:
        The network with the kept weights, and facts about the training (epochs, best validation UAR, parameters).
    """
    options = recipe.training
    torch.manual_seed(seed)
    network = build(recipe, examples)
    if options.begin_with:
        held_out = [*split.validation, *split.test]
        begin.refuse_heard(begin.check(options.begin_with), [examples.utterances[row] for row in held_out])
    clips = Clips(examples, split.train, inputs, recipe, training=True, seed=seed)
    draw = Draw(clips, options.balance and recipe.data.balance is None, options.batch_size, options.alike)
    # Batch normalisation cannot take a last batch of one.
    drop_last = len(draw) > options.batch_size
    loader = Loader(clips, options.batch_size, sampler=draw, collate_fn=collate, drop_last=drop_last)
    quiet = Clips(examples, split.validation, inputs, recipe, training=False)
    checked = Loader(quiet, options.batch_size, collate_fn=collate)
    corpora = np.array([utterance.corpus for utterance in examples.utterances])
    steps = math.ceil(len(loader) / options.accumulate) * options.epochs
    module = Classifier(network, options, steps, corpora, seed)
    place = folder / "checkpoints"
    keeper = ModelCheckpoint(place, filename="best", monitor=SCORE, mode="max", enable_version_counter=False)
    # Lightning's own `save_last` writes only where the best is written, too. This one comes after the keeper, so that
    # it knows the best.
    latest = ModelCheckpoint(place, filename="last", enable_version_counter=False)
    callbacks: list[Callback] = [keeper, latest] if watch is None else []
    watched: list[float] = []
    if options.average:
        callbacks.append(EMAWeightAveraging(decay=options.average))
    if options.patience:
        callbacks.append(EarlyStopping(SCORE, mode="max", patience=options.patience))
    if watch is not None:

        def told(now: L.Trainer, _: Any) -> None:
            watched.append(float(now.callback_metrics[SCORE]))
            watch(now.current_epoch, watched[-1])

        callbacks.append(LambdaCallback(on_validation_end=told))
    last = place / "last.ckpt"
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Lightning advises on worker counts and logging intervals; batches here are made quicker than they are used.
        warnings.simplefilter("ignore")
        trainer = L.Trainer(
            max_epochs=options.epochs,
            accelerator="auto",
            devices=1,
            precision="bf16-mixed" if options.precision == "bf16" else "32-true",
            gradient_clip_val=options.clip_gradient,
            accumulate_grad_batches=options.accumulate,
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=watch is None,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            enable_progress_bar=watch is None and sys.stdout.isatty(),
        )
        trainer.fit(module, loader, checked, ckpt_path=last if last.exists() else None, weights_only=True)
    if watch is None:
        # From the file even for the last epoch: a training that was stopped after it has nothing else.
        kept = torch.load(place / f"{options.keep}.ckpt", map_location="cpu", weights_only=True)
        module.on_load_checkpoint(kept)
        module.load_state_dict(kept["state_dict"])
    facts = {
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "epochs": trainer.current_epoch,
        "validation_uar": _kept_score(watched, options.keep) if watch else kept.get(SCORE),
    }
    fitted: Any = module.network.float().cpu()
    if hasattr(fitted, "finish"):
        fitted.finish()
    if options.keep_weights:
        begin.keep(fitted, folder)
    return fitted, facts
