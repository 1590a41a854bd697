"""Fits a torch model with Lightning: checkpoints, early stopping and selection on the validation speakers, resuming."""

from __future__ import annotations

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
from torch.nn.modules.batchnorm import _BatchNorm

from intonate import models
from intonate.corpora.splits import Split
from intonate.errors import RecipeError
from intonate.models import views
from intonate.models.contract import Network, can_answer_together, has_encoder, is_network
from intonate.schema import ModelInput
from intonate.training import begin
from intonate.training.batches import Clips, EpochSampler, Loader, collate
from intonate.training.data import Examples
from intonate.training.fit_options import Training
from intonate.training.module import Classifier
from intonate.training.recipe import Recipe

# What the kept epoch is chosen by: of labels; and of all else, where it is the mean of what figures there are.
SCORE, GENERAL_SCORE = "validation/uar", "validation/score"


def wants_lengths(recipe: Recipe, name: str) -> bool:
    """Whether the recipe's model takes the lengths of this input."""
    build = models.get(recipe.model.name)
    return is_network(build) and f"{name}_lengths" in build.arguments()


def check_model(recipe: Recipe) -> None:
    """Refuse files that the recipe's model starts from and that are not there, before anything is listened to.

    Raises:
        RecipeError: the model has no such views, no encoder that could learn at a rate of its own, or cannot be
            several that answer together.
        ModelError: a file is missing.
    """
    build = models.get(recipe.model.name)
    if is_network(build):
        build.check(**recipe.model.params)
    if recipe.model.views:
        views.check(build, recipe.model.views.of)
    if recipe.training.encoder_learning_rate and not (is_network(build) and has_encoder(build)):
        raise RecipeError(
            f"training.encoder_learning_rate is for a model with an encoder that others trained, and "
            f"{recipe.model.name} has none; set it to 0"
        )
    if recipe.training.members > 1 and not (is_network(build) and can_answer_together(build)):
        raise RecipeError(f"training.members: several of {recipe.model.name} cannot be made one network; set it to 1")
    if recipe.training.members > 1 and recipe.training.keep_weights:
        raise RecipeError("training.keep_weights: members have weights of their own; set training.members to 1")


def tokenizer_of(recipe: Recipe, texts: Sequence[str] = ()) -> Any:
    """The tokenizer that the recipe's model brings along, or learns from the training texts; or None."""
    build = models.get(recipe.model.name)
    return build.tokenizer(texts, **recipe.model.params) if is_network(build) else None


def build(recipe: Recipe, examples: Examples) -> Network:
    """The network of a recipe as it begins: untrained, or with the weights of another run (`training.begin_with`).

    Raises:
        RecipeError: it cannot learn from one clip at a time, and is asked to.
    """
    columns: dict[str, Any] = {name: clip.shape[-1] for name, clip in examples.clips[0].items() if clip.ndim == 2}
    columns |= {name: len(clip) for name, clip in examples.clips[0].items() if clip.ndim == 1}
    columns |= {name: clip.shape[1:] for name, clip in examples.clips[0].items() if clip.ndim == 4}
    fresh = partial(models.get(recipe.model.name), columns=columns, **recipe.model.params)
    network: Network = fresh(classes=len(examples.outputs))
    has_batch_norm = any(isinstance(part, _BatchNorm) for part in network.modules())
    if recipe.training.batch_size == 1 and has_batch_norm:
        raise RecipeError(
            f"training.batch_size: {recipe.model.name} normalises by what a batch has in common (batch normalisation), "
            "and one clip has nothing; expected 2 or more"
        )
    if recipe.training.begin_with:
        folder = begin.check(recipe.training.begin_with)
        begin.take_weights(network, examples.outputs, lambda classes: fresh(classes=classes), folder)
    return network


def fit(
    recipe: Recipe,
    examples: Examples,
    split: Split,
    inputs: tuple[ModelInput, ...],
    seed: int,
    folder: Path,
    on_epoch: Callable[[int, float], None] | None = None,
) -> tuple[Network, dict[str, Any]]:
    """Fit one network, or the members that answer together (Lakshminarayanan et al. 2017), one after the other.

    With `on_epoch`, which asks how good a configuration is, one member answers for all. Arguments, result and errors
    are those of `_fit_one`; of several members the figures are means.
    """
    members = recipe.training.members
    if members == 1 or on_epoch is not None:
        return _fit_one(recipe, examples, split, inputs, seed, folder, on_epoch)
    fits = [
        _fit_one(recipe, examples, split, inputs, seed * members + number, folder / "checkpoints" / f"member{number}")
        for number in range(members)
    ]
    network = models.get(recipe.model.name).together([member for member, _ in fits])
    facts = dict(fits[0][1], parameters=sum(weight.numel() for weight in network.parameters()))
    figures = [name for name in facts if name.startswith("validation")]
    return network, facts | {name: float(np.mean([facts[name] for _, facts in fits])) for name in figures}


def _fit_one(
    recipe: Recipe,
    examples: Examples,
    split: Split,
    inputs: tuple[ModelInput, ...],
    seed: int,
    folder: Path,
    on_epoch: Callable[[int, float], None] | None = None,
) -> tuple[Network, dict[str, Any]]:
    """Train until the last epoch, or until patience ends; go on from `checkpoints/last.ckpt` if there is one.

    `on_epoch` is called with each epoch and its validation UAR. Its caller wants the figure and has a bar of its own:
    then no checkpoint is written (of a large network it takes longer than the epoch), and the network is the last
    epoch's.

    Returns:
        The network with the kept weights, and facts about the training: parameters, epochs, `validation_uar` of labels
        (`validation_map` where there may be several) and `validation_ccc` of dimensions (the mean over them).
    """
    options = recipe.training
    torch.manual_seed(seed)
    network = build(recipe, examples)
    if options.begin_with:
        held_out = [*split.validation, *split.test]
        begin.refuse_trained_on(begin.check(options.begin_with), [examples.utterances[row] for row in held_out])
    train_loader, validation_loader = _loaders(recipe, examples, split, inputs, seed)
    corpora = np.array([utterance.corpus for utterance in examples.utterances])
    epoch_steps = math.ceil(len(train_loader) / options.accumulate)
    epochs = max(1, round(options.steps / epoch_steps)) if options.steps else options.epochs
    module = Classifier(
        network, options, epoch_steps * epochs, corpora, seed, len(examples.dimensions), examples.multi_label
    )
    monitor = GENERAL_SCORE if examples.dimensions or examples.multi_label else SCORE
    checkpoints = folder / "checkpoints"
    scores: list[float] = []
    last_checkpoint = checkpoints / "last.ckpt"
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Lightning advises on worker counts and logging intervals; batches here are made quicker than they are used.
        warnings.simplefilter("ignore")
        callbacks = _callbacks(options, checkpoints, on_epoch, scores, monitor)
        trainer = _trainer(options, epochs, callbacks, with_checkpoints=on_epoch is None)
        trainer.fit(
            module,
            train_loader,
            validation_loader,
            ckpt_path=last_checkpoint if last_checkpoint.exists() else None,
            weights_only=True,
        )
    if on_epoch is None:
        # From the file even for the last epoch: a training that was stopped after it has nothing else.
        checkpoint = torch.load(checkpoints / f"{options.keep}.ckpt", map_location="cpu", weights_only=True)
        module.on_load_checkpoint(checkpoint)
        module.load_state_dict(checkpoint["state_dict"])
        found = {name: checkpoint[name] for name in (SCORE, "validation/map", "validation/ccc") if name in checkpoint}
    else:
        found = {monitor: max(scores) if options.keep == "best" else scores[-1]}
    facts = {
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "epochs": trainer.current_epoch,
        **{name.replace("/", "_"): value for name, value in found.items()},
    }
    network = module.network.float().cpu()
    network.finish()
    if options.keep_weights:
        begin.keep(network, folder)
    return network, facts


def _loaders(
    recipe: Recipe, examples: Examples, split: Split, inputs: tuple[ModelInput, ...], seed: int
) -> tuple[Loader, Loader]:
    """Batches of the training part, and of the validation part."""
    options = recipe.training
    clips = Clips(examples, split.train, inputs, recipe, training=True, seed=seed)
    sampler = EpochSampler(clips, options.balance and recipe.data.balance is None, options.batch_size, options.alike)
    # Batch normalisation cannot take a last batch of one.
    drop_last = len(sampler) > options.batch_size
    train = Loader(clips, options.batch_size, sampler=sampler, collate_fn=collate, drop_last=drop_last)
    validation_clips = Clips(examples, split.validation, inputs, recipe, training=False)
    return train, Loader(validation_clips, options.batch_size, collate_fn=collate)


def _callbacks(
    options: Training,
    checkpoints: Path,
    on_epoch: Callable[[int, float], None] | None,
    scores: list[float],
    monitor: str,
) -> list[Callback]:
    """Checkpoints, or `on_epoch`, which also fills `scores`; running mean of the weights; early stopping."""
    callbacks: list[Callback] = []
    if on_epoch is None:
        best_checkpoint = ModelCheckpoint(
            checkpoints, filename="best", monitor=monitor, mode="max", enable_version_counter=False
        )
        # Lightning's own `save_last` writes only where the best is written, too. This one comes after the best, so
        # that it knows it.
        callbacks += [best_checkpoint, ModelCheckpoint(checkpoints, filename="last", enable_version_counter=False)]
    if options.average:
        callbacks.append(EMAWeightAveraging(decay=options.average))
    if options.patience:
        callbacks.append(EarlyStopping(monitor, mode="max", patience=options.patience))
    if on_epoch is not None:

        def on_validation_end(trainer: L.Trainer, _: Any) -> None:
            scores.append(float(trainer.callback_metrics[monitor]))
            on_epoch(trainer.current_epoch, scores[-1])

        callbacks.append(LambdaCallback(on_validation_end=on_validation_end))
    return callbacks


def _trainer(options: Training, epochs: int, callbacks: list[Callback], with_checkpoints: bool) -> L.Trainer:
    return L.Trainer(
        max_epochs=epochs,
        accelerator="auto",
        devices=1,
        precision="bf16-mixed" if options.precision == "bf16" else "32-true",
        gradient_clip_val=options.clip_gradient,
        accumulate_grad_batches=options.accumulate,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=with_checkpoints,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        enable_progress_bar=with_checkpoints and sys.stdout.isatty(),
    )
