"""The one LightningModule of every network: masked loss, mixup, schedule, and how good it is on validation speakers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from intonate.evaluation.metrics import average_precision, concordance, uar_over_corpora
from intonate.models.contract import Network
from intonate.training.fit_options import Training

# What stands in for minus infinity in a masked logit: far under any other, and still finite in half precision.
MASKED = -1e4
MIXUP_BETA = 0.3
# Beside what a concordance is divided by, which is nothing where all answers and all ratings are the same.
TINY = 1e-8
# The parts of a checkpoint that hold weights: those in use, and with a running mean the others.
STATES = {"state_dict", "current_model_state"}
OPTIMIZERS: dict[str, Any] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "adamax": torch.optim.Adamax}


def soft_targets(targets: Tensor, allowed: Tensor, smoothing: float) -> Tensor:
    """Targets (batch,), or shares of classes (batch, classes), smoothed over the classes that the row's corpus has."""
    if allowed.shape[1] == 0:
        return allowed.float()
    hot = targets if targets.ndim == 2 else F.one_hot(targets, allowed.shape[1]).float()
    return hot * (1 - smoothing) + smoothing * allowed / allowed.sum(dim=1, keepdim=True)


def masked_cross_entropy(logits: Tensor, soft: Tensor, allowed: Tensor) -> Tensor:
    """Cross-entropy over the classes that each row's corpus has; the logits of the others get no gradient."""
    logs = F.log_softmax(logits.float().masked_fill(~allowed, MASKED), dim=1)
    return -(soft * logs).sum(dim=1).mean()


def masked_binary_cross_entropy(logits: Tensor, soft: Tensor, allowed: Tensor) -> Tensor:
    """Binary cross-entropy of every label that each row's corpus has, their mean; the others get no gradient."""
    losses = F.binary_cross_entropy_with_logits(logits.float(), soft, reduction="none")
    return (losses * allowed).sum() / allowed.sum().clamp(min=1)


def concordance_loss(values: Tensor, ratings: Tensor) -> Tensor:
    """1 − CCC of each dimension over the batch, their mean; what nobody rated (NaN) takes no part.

    Args:
        values: (batch, dimensions) answers.
        ratings: (batch, dimensions) from 0 to 1.
    """
    is_rated = ~ratings.isnan()
    count = is_rated.sum(dim=0)
    rated = count >= 2  # of one clip nothing can go along with anything
    if not rated.any():
        return values.sum() * 0
    zero, count = values.new_zeros((), dtype=torch.float32), count.clamp(min=1)
    values, truth = torch.where(is_rated, values.float(), zero), torch.where(is_rated, ratings.float(), zero)
    value_mean, truth_mean = values.sum(dim=0) / count, truth.sum(dim=0) / count
    value_rest = torch.where(is_rated, values - value_mean, zero)
    truth_rest = torch.where(is_rated, truth - truth_mean, zero)
    spread = (value_rest.square().sum(dim=0) + truth_rest.square().sum(dim=0)) / count
    together = (value_rest * truth_rest).sum(dim=0) / count
    losses = 1 - 2 * together / (spread + (value_mean - truth_mean).square() + TINY)
    return losses[rated].mean()


class Classifier(L.LightningModule):
    """Fits any network that keeps the contract (`intonate.models.contract`).

    Its outputs are logits of labels, then numbers of dimensions; the losses of the two are added.

    Args:
        network: what learns.
        options: the recipe's training part.
        steps: number of optimiser steps in all, for the schedule.
        corpora: for each training row its corpus: the validation UAR is the mean over corpora.
        dimensions: how many of the outputs, the last ones, are no logits but numbers from 0 to 1.
        multi_label: whether several labels may be true at once: each is a question of its own.
    """

    def __init__(
        self,
        network: Network,
        options: Training,
        steps: int,
        corpora: np.ndarray,
        seed: int = 0,
        dimensions: int = 0,
        multi_label: bool = False,
    ) -> None:
        super().__init__()
        self.dimensions, self.multi_label = dimensions, multi_label
        self.network, self.options, self.steps, self.corpora, self.seed = network, options, steps, corpora, seed
        self._argument_names = set(network.input_names())
        self._validation_outputs: list[tuple[Tensor, ...]] = []
        self._has_begun = False

    def logits(self, batch: dict[str, Tensor]) -> Tensor:
        logits: Tensor = self.network(**self._inputs(batch))
        return logits

    def _inputs(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value for name, value in batch.items() if name in self._argument_names}

    def _loss(self, batch: dict[str, Tensor], soft: Tensor, allowed: Tensor) -> Tensor:
        branch_logits = list(self.network.parts(**self._inputs(batch)))
        if not branch_logits:
            return self._output_loss(self.logits(batch), batch, soft, allowed)
        # Logits add up; a number that several branches add up to is to be told by each of them alone, once enlarged.
        count = len(branch_logits)
        branch_losses = torch.stack([self._output_loss(part, batch, soft, allowed, count) for part in branch_logits])
        sum_loss = self._output_loss(torch.stack(branch_logits).sum(dim=0), batch, soft, allowed)
        return sum_loss + self.options.branch_loss * branch_losses.sum()

    def _output_loss(
        self, output: Tensor, batch: dict[str, Tensor], soft: Tensor, allowed: Tensor, times: int = 1
    ) -> Tensor:
        """The loss of the labels and of the dimensions, whose numbers are taken `times` as large."""
        labels = allowed.shape[1]
        label_loss = masked_binary_cross_entropy if self.multi_label else masked_cross_entropy
        losses = [label_loss(output[:, :labels], soft, allowed)] if labels else []
        if self.dimensions:
            losses.append(concordance_loss(times * output[:, labels:], batch["ratings"]))
        return torch.stack(losses).sum()

    def on_train_epoch_start(self) -> None:
        # Everything random in an epoch follows from seed and epoch: a resumed training goes on as if never stopped.
        torch.manual_seed(self.seed * 100_003 + self.current_epoch)
        if self.current_epoch > 0 and not self._has_begun:
            # The loader draws a seed at the start of its second and later epochs in a process: make up for it in the
            # first epoch after a resumption.
            torch.empty((), dtype=torch.int64).random_()
        self._has_begun = True

    def training_step(self, batch: dict[str, Tensor], index: int) -> Tensor:
        allowed = batch["allowed"]
        if self.multi_label:  # each label by itself is smoothed towards one half
            soft = batch["shares"] * (1 - self.options.label_smoothing) + self.options.label_smoothing / 2
        else:
            soft = soft_targets(batch.get("shares", batch["target"]), allowed, self.options.label_smoothing)
        if torch.rand(()) < self.options.mixup:
            batch, soft, allowed = mixed(batch, soft, allowed)
        loss = self._loss(batch, soft, allowed) + self.network.penalty()
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True, batch_size=len(soft))
        return loss

    def validation_step(self, batch: dict[str, Tensor], index: int) -> None:
        labels, output = batch["allowed"].shape[1], self.logits(batch).float()
        logits = output[:, :labels].masked_fill(~batch["allowed"], MASKED)
        # Of a model without dimensions there are no ratings, (batch, 0).
        numbers, ratings = output[:, labels:], batch.get("ratings", output[:, labels:])
        shares = batch["shares"] if self.multi_label else logits
        self._validation_outputs.append((batch["target"], batch["row"], logits, numbers, ratings, shares))

    def on_validation_epoch_end(self) -> None:
        target, row, logits, numbers, ratings, shares = (
            torch.cat(parts).cpu() for parts in zip(*self._validation_outputs, strict=True)
        )
        self._validation_outputs.clear()
        figures, losses = [], []
        if self.multi_label:
            precisions = average_precision(logits.double().numpy(), shares.numpy() > 0)
            # Where no validation clip has any label there is nothing to choose by.
            figures.append(float(np.nanmean(precisions)) if np.isfinite(precisions).any() else 0.0)
            self.log("validation/map", figures[0], prog_bar=True)
            losses.append(masked_binary_cross_entropy(logits, shares, logits > MASKED))
        elif labels := logits.shape[1]:
            predicted = logits.argmax(dim=1).numpy()
            figures.append(uar_over_corpora(target.numpy(), predicted, self.corpora[row.numpy()], labels))
            self.log("validation/uar", figures[0], prog_bar=True)
            losses.append(F.cross_entropy(logits, target))
        if self.dimensions:
            figures.append(float(np.nanmean(concordance(ratings.double().numpy(), numbers.double().numpy()))))
            self.log("validation/ccc", figures[-1], prog_bar=True)
            losses.append(concordance_loss(numbers, ratings))
        self.log("validation/score", float(np.mean(figures)))
        self.log("validation/loss", torch.stack(losses).sum())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What is frozen is as it was when the network was built, and may be a hundred times what learns."""
        for name in ("validation/uar", "validation/map", "validation/ccc", "validation/score"):
            if name in self.trainer.callback_metrics:
                checkpoint[name] = float(self.trainer.callback_metrics[name])
        frozen = self._frozen()
        for state in STATES & checkpoint.keys():
            checkpoint[state] = {name: value for name, value in checkpoint[state].items() if name not in frozen}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Give back what was left out at saving; whatever else is missing is still an error."""
        for state in STATES & checkpoint.keys():
            checkpoint[state] = self._frozen() | checkpoint[state]

    def _frozen(self) -> dict[str, Tensor]:
        return {name: weight.detach() for name, weight in self.named_parameters() if not weight.requires_grad}

    def configure_optimizers(self) -> Any:
        encoder_names = self.options.encoder_learning_rate
        encoder = {id(weight) for weight in self.network.encoder_parameters()} if encoder_names else set()
        learnt_weights = [weight for weight in self.parameters() if weight.requires_grad]
        groups: list[dict[str, Any]] = []
        for rate, part in (
            (self.options.learning_rate, [weight for weight in learnt_weights if id(weight) not in encoder]),
            (encoder_names, [weight for weight in learnt_weights if id(weight) in encoder]),
        ):
            matrices, vectors = [w for w in part if w.ndim >= 2], [w for w in part if w.ndim < 2]
            if part or not groups:
                groups.append({"params": matrices, "weight_decay": self.options.weight_decay, "lr": rate})
                groups.append({"params": vectors, "weight_decay": 0.0, "lr": rate})
        optimizer = OPTIMIZERS[self.options.optimizer](groups, lr=self.options.learning_rate)
        if self.options.halve_after:
            # It halves in the epoch after so many without a lower loss: one less is as many as asked for.
            patience = self.options.halve_after - 1
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "validation/loss"}}
        options = self.options
        factor = partial(rate_factor, steps=self.steps, warm_up=options.warm_up, schedule=options.schedule)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


# Factor on the learning rate, of the share of the steps behind the warm-up that are done.
SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "cosine": lambda share: 0.5 * (1 + float(np.cos(np.pi * share))),
    "linear": lambda share: 1 - share,
    "constant": lambda share: 1.0,
}


def rate_factor(step: int, steps: int, warm_up: float, schedule: str = "cosine") -> float:
    """Factor on the learning rate: a linear warm-up, then the schedule."""
    warm = max(1, round(warm_up * steps))
    if step < warm:
        return (step + 1) / warm
    return SCHEDULES[schedule](min(1.0, (step - warm) / max(1, steps - warm)))


def mixed(batch: dict[str, Tensor], soft: Tensor, allowed: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Mixup (Zhang et al. 2018): every clip beside a share of another, and its target likewise.

    Floats and images mix; a clip is as long as the longer of the two, and may be of any class that either may be.
    """
    share = float(np.random.default_rng(int(torch.randint(2**31, ()))).beta(MIXUP_BETA, MIXUP_BETA))
    partner = torch.randperm(len(soft), device=soft.device)
    mixed_batch = dict(batch)
    for name, value in batch.items():
        if name.endswith("_lengths"):
            mixed_batch[name] = torch.maximum(value, value[partner])
        elif value.is_floating_point() or value.dtype == torch.uint8:
            mixed_batch[name] = share * value + (1 - share) * value[partner]
    return mixed_batch, share * soft + (1 - share) * soft[partner], allowed | allowed[partner]
