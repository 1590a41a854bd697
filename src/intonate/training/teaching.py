"""A small encoder taught by a larger one: it learns to give the larger one's rows, from sound without labels.

The student keeps its size and gains a layer that turns its rows into the teacher's, every column of which counts the
same. Both hear the same stretches of the training speakers' clips and of their copies, some through another equaliser
or beside another clip. What is taught once is kept in the user's cache folder; a stopped teaching goes on.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader

from intonate.augment import waveform
from intonate.models.whisper_rows import TaughtRows, WhisperRows
from intonate.training import data, sources
from intonate.training.jobs import jobs_of, without_copies
from intonate.training.module import rate_factor
from intonate.training.taught import FACTS, WEIGHTS, Steps, Teaching, folder_of, load, untaught

console = Console(stderr=True)
# Frames of log-mel that both hear at a time: 2.5 s.
CROP = 250
# Steps from one checkpoint to the next; batches that the scales of the columns are measured on.
EPOCH_STEPS, MEASURED = 100, 20
# Another equaliser: how often, how far (in the log-mel's units of 40 dB) and at how many places along the bands.
EQUALISED, SHAPE, PLACES = 0.4, 0.12, 6
# Another clip beside it: how often, and how far below.
MIXED, BELOW = 0.25, (0.1, 0.6)
# Validation clips that it is judged on, and their longest part.
JUDGED, JUDGED_FRAMES = 400, 1000


def teach(name: str) -> None:
    """Teach the encoder of a recipe, unless it was taught before.

    Raises:
        RecipeError: there is no such recipe, or the two cannot hear the same sound.
        CorpusError, SplitError, AudioError: the sound is not there, or cannot be divided or read.
        ModelError: a checkpoint is not here and cannot be fetched.
    """
    recipe = load(name)
    folder = folder_of(recipe)
    if (folder / WEIGHTS).is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not (folder / WEIGHTS).is_file():
            rows, _, teacher = untaught(recipe)
            _teach(recipe, rows, teacher.eval(), folder)


def _teach(recipe: Teaching, rows: TaughtRows, teacher: WhisperRows, folder: Path) -> None:
    start_s, start_core_s = time.perf_counter(), time.process_time()
    heard, judged = _log_mels(recipe)
    module = _Teaching(recipe.training, rows, teacher, heard)
    epochs = -(-recipe.training.steps // EPOCH_STEPS)
    last_checkpoint = folder / "checkpoints" / "last.ckpt"
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings(), Progress(console=console, disable=not console.is_terminal) as progress:
        warnings.simplefilter("ignore")  # Lightning's advice on loaders: there is nothing to load here
        bar = progress.add_task(f"teaching {recipe.name}", total=epochs * EPOCH_STEPS)

        def on_step(trainer: L.Trainer, *_: Any) -> None:
            explained = float(trainer.callback_metrics["explained"])
            progress.update(bar, completed=trainer.global_step, description=f"teaching, R² {explained:.2f}")

        trainer = L.Trainer(
            max_epochs=epochs,
            accelerator="auto",
            devices=1,
            precision="bf16-mixed",
            gradient_clip_val=1.0,
            logger=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            callbacks=[
                ModelCheckpoint(last_checkpoint.parent, filename="last", enable_version_counter=False),
                LambdaCallback(on_train_batch_end=on_step),
            ],
        )
        clock: Any = DataLoader(range(EPOCH_STEPS), batch_size=None)  # type: ignore[arg-type]
        trainer.fit(module, clock, ckpt_path=last_checkpoint if last_checkpoint.exists() else None, weights_only=True)
    facts = {
        "recipe": recipe.name,
        "recipe_hash": recipe.hash(),
        "clips": len(heard),
        "steps": epochs * EPOCH_STEPS,
        "r2_unheard_speakers": module.explained_of(judged),
        "teach_s": round(time.perf_counter() - start_s),
        "teach_core_s": round(time.process_time() - start_core_s),
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    unfinished = folder / f"{WEIGHTS}.unfinished"
    save_file({name: value.contiguous() for name, value in rows.cpu().state_dict().items()}, unfinished)
    unfinished.replace(folder / WEIGHTS)
    shutil.rmtree(last_checkpoint.parent, ignore_errors=True)
    console.print(f"taught {recipe.name}: R² {facts['r2_unheard_speakers']:.3f} on speakers it never heard")


def _log_mels(recipe: Teaching) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """(frames, bands) of each clip and copy of the training speakers, and of some of the validation speakers' clips."""
    listening, utterances = sources.usable(listening := recipe.listening(), sources.read(listening))
    analysis, bar = data.by_recipe(listening), data.bar(console, "listening")
    shortest_s, cache = recipe.data.shortest_s, recipe.data.cache
    examples = data.prepare(utterances, listening.data.labels, analysis, bar, shortest_s, cache)
    ((_, split, _), *_) = without_copies(listening, examples.utterances, jobs_of(listening, examples.utterances)[:1])
    if recipe.data.expand:
        changes = waveform.changes(recipe.data.expand)
        examples = data.expand(examples, split.train, changes, analysis, bar, cache)
    rng = np.random.default_rng(recipe.training.seed)
    judged = rng.permutation(split.validation)[:JUDGED]
    heard = examples.with_copies(split.train)
    return [examples.clips[row]["mel"] for row in heard], [examples.clips[row]["mel"] for row in judged]


class _Teaching(L.LightningModule):
    """The student beside the teacher, which is no part of it: a checkpoint holds what learns."""

    target_mean: Tensor
    target_deviation: Tensor

    def __init__(self, options: Steps, rows: TaughtRows, teacher: WhisperRows, heard: Sequence[NDArray[Any]]) -> None:
        super().__init__()
        self.options, self.rows, self.heard = options, rows, heard
        self._teacher = (teacher,)
        self.register_buffer("target_mean", torch.zeros(teacher.width))
        self.register_buffer("target_deviation", torch.ones(teacher.width))
        self._measure()

    def _measure(self) -> None:
        """The mean and the deviation of every column, of the student's rows and of the teacher's."""
        batches = [self._draw(-1 - number) for number in range(MEASURED)]
        with torch.no_grad():
            mine = torch.cat([self.rows.rows(batch).flatten(0, 1) for batch in batches])
            wanted = torch.cat([self._told(batch).flatten(0, 1) for batch in batches])
        self.rows.set_scale(mine.mean(0), mine.std(0) + 1e-4)
        self.target_mean.copy_(wanted.mean(0))
        self.target_deviation.copy_(wanted.std(0) + 1e-4)

    def _draw(self, step: int) -> Tensor:
        """(batch, CROP, bands), by seed and step alone: a resumed teaching goes on as if never stopped."""
        rng = np.random.default_rng((self.options.seed, step + MEASURED))
        return torch.from_numpy(np.stack([_stretch(self.heard, rng) for _ in range(self.options.batch_size)]))

    def _told(self, mel: Tensor) -> Tensor:
        """The teacher's rows, as many as the student gives."""
        return in_means(self._teacher[0].to(mel.device)(mel).float(), self.rows.rows.every)

    def _targets(self, mel: Tensor) -> Tensor:
        with torch.no_grad():
            rows = self._told(mel)
        return (rows - self.target_mean) / self.target_deviation

    def training_step(self, batch: Any, index: int) -> Tensor:
        mel = self._draw(self.current_epoch * EPOCH_STEPS + index).to(self.device)
        targets, guesses = self._targets(mel), self.rows(mel).float()
        # Lightning keeps what a bar shows; the columns have deviation 1.
        self.log("explained", 1 - F.mse_loss(guesses.detach(), targets))
        return F.smooth_l1_loss(guesses, targets)

    def configure_optimizers(self) -> Any:
        options = self.options
        groups = [
            {"params": [*self.rows.rows.parameters()], "lr": options.learning_rate},
            {"params": [*self.rows.projection.parameters()], "lr": options.new_learning_rate},
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
        steps = -(-options.steps // EPOCH_STEPS) * EPOCH_STEPS
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, steps, 0.02))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def explained_of(self, mels: Sequence[NDArray[Any]]) -> float:
        """R² over all rows and columns of these clips: one less the mean square of what is wrong, in deviations."""
        errors, deviations = 0.0, 0.0
        self.rows.eval()
        for clip in mels:
            mel = torch.from_numpy(np.array(clip[:JUDGED_FRAMES], np.float32))[None].to(self.device)
            targets = self._targets(mel)
            with torch.no_grad():
                errors += float((self.rows(mel) - targets).square().sum())
            deviations += float(targets.square().sum())
        return round(1 - errors / deviations, 4)


def in_means(rows: Tensor, count: int) -> Tensor:
    """(batch, rows, columns) -> (batch, ceil(rows / count), columns): means of so many; at the end of what is left."""
    return F.avg_pool1d(rows.transpose(1, 2), count, ceil_mode=True).transpose(1, 2)


def _stretch(mels: Sequence[NDArray[Any]], rng: np.random.Generator) -> NDArray[np.float32]:
    """CROP frames of one of them, sometimes through another equaliser, sometimes with another one below it."""
    mel = _crop(mels, rng)
    if rng.random() < EQUALISED:
        bands = mel.shape[1]
        shape = np.interp(np.arange(bands), np.linspace(0, bands - 1, PLACES), rng.normal(0, SHAPE, PLACES))
        mel = mel + shape.astype(np.float32)
    if rng.random() < MIXED:
        mel = np.maximum(mel, _crop(mels, rng) - np.float32(rng.uniform(*BELOW)))
    return mel


def _crop(mels: Sequence[NDArray[Any]], rng: np.random.Generator) -> NDArray[np.float32]:
    mel = np.asarray(mels[int(rng.integers(len(mels)))], np.float32)
    if len(mel) < CROP:
        mel = np.tile(mel, (-(-CROP // len(mel)), 1))
    start = int(rng.integers(len(mel) - CROP + 1))
    return mel[start : start + CROP]
