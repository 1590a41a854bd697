"""The one LightningModule of every torch classifier: masked loss, mixup, schedule, validation UAR."""

from __future__ import annotations

from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from intonate.evaluation.metrics import uar_over_corpora
from intonate.models.contract import Network
from intonate.training.recipe import Training

# What stands in for minus infinity in a masked logit: far under any other, and still finite in half precision.
MASKED = -1e4
MIXUP_BETA = 0.3
# The parts of a checkpoint that hold weights: those in use, and with a running mean the others.
STATES = {"state_dict", "current_model_state"}
OPTIMIZERS: dict[str, Any] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "adamax": torch.optim.Adamax}


def soft_targets(targets: Tensor, allowed: Tensor, smoothing: float) -> Tensor:
    """Targets (batch,), or shares of classes (batch, classes), smoothed over the classes that the row's corpus has."""
    hot = targets if targets.ndim == 2 else F.one_hot(targets, allowed.shape[1]).float()
    return hot * (1 - smoothing) + smoothing * allowed / allowed.sum(dim=1, keepdim=True)


def masked_cross_entropy(logits: Tensor, soft: Tensor, allowed: Tensor) -> Tensor:
    """Cross-entropy over the classes that each row's corpus has; the logits of the others get no gradient."""
    logs = F.log_softmax(logits.float().masked_fill(~allowed, MASKED), dim=1)
    return -(soft * logs).sum(dim=1).mean()


class Classifier(L.LightningModule):
    """Fits any network that keeps the contract (`intonate.models.contract`).

    Args:
        network: what learns.
        options: the recipe's training part.
        steps: number of optimiser steps in all, for the schedule.
        corpora: for each training row its corpus: the validation UAR is the mean over corpora.
    """

    def __init__(self, network: Network, options: Training, steps: int, corpora: np.ndarray, seed: int = 0) -> None:
        super().__init__()
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
            return masked_cross_entropy(self.logits(batch), soft, allowed)
        branch_losses = torch.stack([masked_cross_entropy(part, soft, allowed) for part in branch_logits])
        sum_loss = masked_cross_entropy(torch.stack(branch_logits).sum(dim=0), soft, allowed)
        return sum_loss + self.options.branch_loss * branch_losses.sum()

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
        soft = soft_targets(batch.get("shares", batch["target"]), allowed, self.options.label_smoothing)
        if torch.rand(()) < self.options.mixup:
            batch, soft, allowed = mixed(batch, soft, allowed)
        loss = self._loss(batch, soft, allowed) + self.network.penalty()
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True, batch_size=len(soft))
        return loss

    def validation_step(self, batch: dict[str, Tensor], index: int) -> None:
        logits = self.logits(batch).float().masked_fill(~batch["allowed"], MASKED)
        self._validation_outputs.append((logits.argmax(dim=1), batch["target"], batch["row"], logits))

    def on_validation_epoch_end(self) -> None:
        predicted, target, row, logits = (
            torch.cat(parts).cpu() for parts in zip(*self._validation_outputs, strict=True)
        )
        self._validation_outputs.clear()
        uar = uar_over_corpora(target.numpy(), predicted.numpy(), self.corpora[row.numpy()], logits.shape[1])
        self.log("validation/uar", uar, prog_bar=True)
        self.log("validation/loss", F.cross_entropy(logits, target))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What is frozen is as it was when the network was built, and may be a hundred times what learns."""
        checkpoint["validation/uar"] = float(self.trainer.callback_metrics["validation/uar"])
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
        factor = partial(warm_cosine, steps=self.steps, warm_up=self.options.warm_up)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def warm_cosine(step: int, steps: int, warm_up: float) -> float:
    """Factor on the learning rate: a linear warm-up, then half a cosine to nothing."""
    warm = max(1, round(warm_up * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + float(np.cos(np.pi * min(1.0, (step - warm) / max(1, steps - warm)))))


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
