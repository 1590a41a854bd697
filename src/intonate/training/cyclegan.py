"""`cyclegan`: CAEmoCyGAN (Su & Lee 2022; P1), two translators between corpora that undo each other and keep emotions.

One translator takes clips of several labelled corpora into the target, another takes clips of the target into each of
them. Critics tell recorded from translated; there and back again gives the same clip (cycle); a classifier of emotions,
fitted beside them, still calls a translated clip by its label. Nothing of the target but its sound is used.

The paper's layers and weights are not public; these are the nearest documented ones (`intonate.models.cycle_gan`).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from intonate.models.cycle_gan import Critic, Translator, hidden_layers
from intonate.training.module import masked_cross_entropy, soft_targets
from intonate.training.translators import Float, Speech

# Weights of the losses, and what a critic is told of a recorded clip (one-sided label smoothing), by Bao et al. 2019.
CYCLE, EMOTION, RECORDED = 5.0, 2.0, 0.9
# Steps from one checkpoint, and one point of the curves of the losses, to the next.
EPOCH_STEPS = 50
BATCH = 1024


def cyclegan(
    speech: Speech,
    seed: int,
    folder: Path,
    steps: int = 1000,
    batch_size: int = 64,
    layers: Sequence[int] = (1000, 500, 1000),
    critic_layers: Sequence[int] = (1000, 1000),
    dropout: float = 0.2,
    learning_rate: float = 2e-4,
    attention: bool = True,
) -> tuple[Float, dict[str, Any]]:
    """The clips of the labelled corpora as they would sound in the target.

    Args:
        speech: both sides.
        seed: of the weights and of what is drawn.
        folder: for the checkpoint; a training that was stopped goes on from it.
        steps: of the critics, and as many of the translators; rounded up to whole epochs of EPOCH_STEPS.
        batch_size: clips of either side in a step; every corpus and emotion is drawn equally often.
        layers: units of the hidden layers of the translators.
        critic_layers: of the critics.
        dropout: after each hidden layer.
        learning_rate: of Adam.
        attention: over the corpora; without it, each corpus has a translator's last layer to itself.

    Returns:
        translated (clips, columns), and the losses of each epoch by name.
    """
    torch.manual_seed(seed)
    pair = _Pair(speech, seed, batch_size, layers, critic_layers, dropout, learning_rate, attention)
    epochs = -(-steps // EPOCH_STEPS)
    last_checkpoint = folder / "last.ckpt"
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on loaders: there is nothing to load here
        trainer = L.Trainer(
            max_epochs=epochs,
            accelerator="auto",
            devices=1,
            logger=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            callbacks=[ModelCheckpoint(folder, filename="last", enable_version_counter=False)],
        )
        clock: Any = DataLoader(range(EPOCH_STEPS), batch_size=None)  # type: ignore[arg-type]
        trainer.fit(pair, clock, ckpt_path=last_checkpoint if last_checkpoint.exists() else None, weights_only=True)
    return pair.translated(), {"losses": pair.losses, "attention": pair.attention_shares()}


class _Pair(L.LightningModule):
    """Both translators, the critics and the classifier, and the clips that they are fitted to."""

    source: Tensor
    target_clips: Tensor
    corpus: Tensor
    emotion: Tensor
    allowed: Tensor

    def __init__(
        self,
        speech: Speech,
        seed: int,
        batch_size: int,
        layers: Sequence[int],
        critic_layers: Sequence[int],
        dropout: float,
        learning_rate: float,
        attention: bool,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.speech, self.seed, self.batch_size, self.learning_rate = speech, seed, batch_size, learning_rate
        columns, corpora, labels = speech.features.shape[1], len(speech.names), speech.allowed.shape[1]
        clips = {"source": speech.features, "target_clips": speech.target}
        labels_of_clips = {"corpus": speech.corpus, "emotion": speech.emotion, "allowed": speech.allowed}
        for name, values in (clips | labels_of_clips).items():
            # Where the weights are, and in no checkpoint.
            self.register_buffer(name, torch.from_numpy(values), persistent=False)
        self.to_target = Translator(columns, corpora, layers, dropout, attention)
        self.to_source = Translator(columns, corpora, layers, dropout, attention=False)
        self.target_critic = Critic(columns, 1, critic_layers, dropout)
        self.source_critic = Critic(columns, corpora, critic_layers, dropout)
        self.classifier = nn.Sequential(hidden_layers([columns, *critic_layers], dropout))
        self.classifier.append(nn.Linear(critic_layers[-1], labels))
        # Every corpus equally often, and within it every emotion.
        _, group, counts = np.unique(speech.corpus * labels + speech.emotion, return_inverse=True, return_counts=True)
        emotions = np.array([len(np.unique(speech.emotion[speech.corpus == corpus])) for corpus in range(corpora)])
        self.chance = 1 / (counts[group] * emotions[speech.corpus] * corpora)
        self.losses: dict[str, list[float]] = {}
        self._epoch: list[dict[str, Tensor]] = []

    def _draw(self, step: int) -> tuple[Tensor, ...]:
        """Rows of the source, rows of the target, and into which corpus each of these goes: by seed and step alone."""
        rng = np.random.default_rng((self.seed, step))
        source = rng.choice(len(self.source), self.batch_size, p=self.chance)
        target_corpus_draw = rng.integers(len(self.target_clips), size=self.batch_size)
        corpus = rng.integers(len(self.speech.names), size=self.batch_size)
        return tuple(torch.from_numpy(rows).to(self.device) for rows in (source, target_corpus_draw, corpus))

    def training_step(self, batch: Any, index: int) -> None:
        optimizers: Any = self.optimizers()
        step = self.current_epoch * EPOCH_STEPS + index
        # What dropout draws follows from seed and step: a resumed training goes on as if never stopped.
        torch.manual_seed(self.seed * 1_000_003 + step)
        rows, target_rows, target_corpora = self._draw(step)
        clips, corpora, target_clips = self.source[rows], self.corpus[rows], self.target_clips[target_rows]

        self._critics_learn(False)
        translation, _ = self.to_target(clips, corpora)
        return_clips, _ = self.to_source(target_clips, target_corpora)
        losses = self._translator_losses(rows, translation, return_clips, target_clips, target_corpora)
        optimizers[0].zero_grad()
        self.manual_backward(losses["adversarial"] + CYCLE * losses["cycle"] + EMOTION * losses["emotion"])
        optimizers[0].step()

        self._critics_learn(True)
        losses["critics"] = _verdict(
            self.target_critic, target_clips, translation.detach(), torch.zeros_like(corpora), torch.zeros_like(corpora)
        ) + _verdict(self.source_critic, clips, return_clips.detach(), corpora, target_corpora)
        optimizers[1].zero_grad()
        self.manual_backward(losses["critics"])
        optimizers[1].step()
        self._epoch.append({name: loss.detach() for name, loss in losses.items()})

    def _critics_learn(self, learn: bool) -> None:
        """While the translators learn, nothing is computed for the critics' own weights."""
        self.target_critic.requires_grad_(learn)
        self.source_critic.requires_grad_(learn)

    def _translator_losses(
        self, rows: Tensor, translation: Tensor, return_clips: Tensor, target_clips: Tensor, target_corpora: Tensor
    ) -> dict[str, Tensor]:
        clips, corpora = self.source[rows], self.corpus[rows]
        source_cycle, _ = self.to_source(translation, corpora)
        target_cycle, _ = self.to_target(return_clips, target_corpora)
        allowed = self.allowed[rows].repeat(2, 1)
        soft = soft_targets(self.emotion[rows].repeat(2), allowed, 0.0)
        verdicts = (
            self.target_critic(translation, torch.zeros_like(corpora)),
            self.source_critic(return_clips, target_corpora),
        )
        return {
            "adversarial": _cross_entropy(verdicts[0], 1.0) + _cross_entropy(verdicts[1], 1.0),
            "cycle": F.mse_loss(source_cycle, clips) + F.mse_loss(target_cycle, target_clips),
            # Of the recordings and of their translations, half each.
            "emotion": masked_cross_entropy(self.classifier(torch.cat([clips, translation])), soft, allowed),
        }

    def on_train_epoch_end(self) -> None:
        for name in self._epoch[0]:
            mean = float(torch.stack([step[name] for step in self._epoch]).mean())
            self.losses.setdefault(name, []).append(round(mean, 5))
        self._epoch.clear()

    def configure_optimizers(self) -> Any:
        translators = [*self.to_target.parameters(), *self.to_source.parameters(), *self.classifier.parameters()]
        critics = [*self.target_critic.parameters(), *self.source_critic.parameters()]
        # As in Radford et al. 2016, and since then in most adversarial trainings: a short memory of the gradients.
        return [
            torch.optim.Adam(part, lr=self.learning_rate, betas=(0.5, 0.999), fused=True)
            for part in (translators, critics)
        ]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["losses"] = self.losses

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.losses = checkpoint["losses"]

    @torch.no_grad()
    def _answers(self) -> tuple[Tensor, Tensor]:
        """All clips of the source, translated, and what the attention gave each corpus."""
        self.eval().cpu()
        parts = [
            self.to_target(self.source[start : start + BATCH], self.corpus[start : start + BATCH])
            for start in range(0, len(self.source), BATCH)
        ]
        translated, weights = zip(*parts, strict=True)
        return torch.cat(translated), torch.cat(weights)

    def translated(self) -> Float:
        """(clips, columns)."""
        return np.asarray(self._answers()[0].numpy(), np.float32)

    def attention_shares(self) -> dict[str, dict[str, float]]:
        """{corpus: {corpus whose proposal counts: how much, on average over the clips of the first}}."""
        weights = self._answers()[1].numpy()
        return {
            name: {
                other_name: round(float(share), 4)
                for other_name, share in zip(
                    self.speech.names, weights[self.speech.corpus == place].mean(axis=0), strict=True
                )
            }
            for place, name in enumerate(self.speech.names)
        }


def _verdict(
    critic: Critic,
    recorded_clips: Tensor,
    translated_clips: Tensor,
    recorded_corpora: Tensor,
    translated_corpora: Tensor,
) -> Tensor:
    """The loss of a critic on recorded clips of some corpora, and on clips translated to some."""
    logits = critic(torch.cat([recorded_clips, translated_clips]), torch.cat([recorded_corpora, translated_corpora]))
    return _cross_entropy(logits[: len(recorded_corpora)], RECORDED) + _cross_entropy(
        logits[len(recorded_corpora) :], 0.0
    )


def _cross_entropy(logits: Tensor, truth: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, truth))
