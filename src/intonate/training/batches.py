"""From examples to batches: random order, changes at random, and matched statistics of the speaker.

Statistics are *matched*: most clips of a batch are normalised with only a few random other clips of their speaker
(0 to `others_at_most`), the rest with all of them. A model so trained has met every state that serving can be in,
from a clip alone to someone who has talked for an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from intonate.augment import spectrogram
from intonate.features.normalise import Moments, normalise
from intonate.schema import ModelInput, Normalisation
from intonate.training.data import Array, Examples, shares
from intonate.training.fit_options import Training
from intonate.training.recipe import Recipe

# Batches that are sorted together by length: few enough to meet other company in each epoch.
SORTED_BATCHES = 32
# Clips of a voice from which on it is worth while to keep their sum.
WORTH_KEEPING = 16
# A speaker, and which copy: another pitch or tempo is another voice.
Voice = tuple[str, int]


class Clips(Dataset[dict[str, Any]]):
    """Normalised clips, changed at random in training.

    Args:
        examples: all of them.
        rows: the part to serve.
        inputs: with their measured normalisation.
        recipe: for the augmentation and the matching of statistics.
        training: False serves clips unchanged, each with its own sound only (`clip alone`).
        seed: with the epoch, the source of all that is drawn here, so that a resumed training draws the same.
    """

    def __init__(
        self,
        examples: Examples,
        rows: NDArray[np.int64],
        inputs: Sequence[ModelInput],
        recipe: Recipe,
        training: bool,
        seed: int = 0,
    ) -> None:
        self.examples, self.rows, self.inputs, self.training = examples, rows, inputs, training
        self.options, self.seed, self.epoch = recipe.training, seed, 0
        self.changes = {
            name: spectrogram.SpectrogramAugment(**_whole_numbers_as_int(item.augment))
            for name, item in recipe.inputs.items()
            if item.augment
        }
        self.noise = {name: item.noise for name, item in recipe.inputs.items()}
        self.voice_rows = self._rows_of_voices()
        self._whole: dict[tuple[Voice, str], Moments] = {}
        self.repeats = _occurrences(rows)
        self.voices = self._voices() if training and self.options.other_voices else []
        soft = training and self.options.soft_labels
        # Of several labels at once, the validation has to know all of them, too.
        self.shares = shares(examples, recipe.data.labels) if soft or examples.multi_label else None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> dict[str, Any]:
        row = int(self.rows[position])
        # A row that was repeated (`intonate.corpora.balance`) is changed in another way each time.
        repeat = self.repeats[position : position + 1]
        rng = np.random.default_rng((self.seed, self.epoch, row, *repeat[repeat > 0])) if self.training else None
        speaker_rows = [row] if rng is None else [row, *self._draw_mates(row, rng)]
        voice_shift = self._draw_target_voice(rng) if rng is not None and self.voices else None
        clip: dict[str, Any] = {}
        for item in self.inputs:
            array = self.examples.clips[row][item.name]
            if item.normalisation is not None and item.normalisation.kind == "speaker":
                moments = self._moments(speaker_rows, item.name)
                if voice_shift is not None:
                    array = array + self._voice_shift(row, item.name, item.normalisation, moments.count, *voice_shift)
                array = normalise(array, item.normalisation, moments)
            else:
                array = normalise(array, item.normalisation)
            if rng is not None:
                array = self._augmented(item.name, array, rng)
            clip[item.name] = array
        clip |= {"target": self.examples.targets[row], "allowed": self.examples.allowed[row], "row": row}
        if self.examples.dimensions:
            clip["ratings"] = self.examples.ratings[row]
        return clip | ({"shares": self.shares[row]} if self.shares is not None else {})

    def _moments(self, rows: Sequence[int], name: str) -> Moments:
        """What a clip and its mates hold together. Whole voices come in every batch: they are summed once."""
        voice = self._voice(rows[0])
        if len(rows) < max(len(self.voice_rows[voice]), WORTH_KEEPING):
            return self.examples.moments_of(rows, name)
        if (voice, name) not in self._whole:
            self._whole[voice, name] = self.examples.moments_of(self.voice_rows[voice], name)
        return self._whole[voice, name]

    def _voice(self, row: int) -> Voice:
        return self.examples.utterances[row].speaker, int(self.examples.number[row])

    def _rows_of_voices(self) -> dict[Voice, NDArray[np.int64]]:
        """Of every voice, the rows that are served."""
        number, voice_rows = self.examples.number, {}
        for speaker, mates in self.examples.mates.items():
            rows = mates[np.isin(mates, self.rows)]
            for copy in range(self.examples.copies.shape[1] + 1):
                voice_rows[speaker, copy] = rows[number[rows] == copy]
        return voice_rows

    def _draw_mates(self, row: int, rng: np.random.Generator) -> NDArray[np.int64]:
        voice_rows = self.voice_rows[self._voice(row)]
        mates = np.asarray(voice_rows[voice_rows != row])
        if self.options.alone and rng.random() < self.options.alone:
            return mates[:0]
        if rng.random() < self.options.whole_speaker:
            return mates
        count = min(len(mates), int(rng.integers(0, self.options.others_at_most + 1)))
        return np.asarray(rng.choice(mates, count, replace=False))

    def _voices(self) -> list[Voice]:
        """All voices; in `self.means`, the mean of each in every input that is normalised by speaker."""
        names = [item.name for item in self.inputs if item.normalisation and item.normalisation.kind == "speaker"]
        self.means: dict[Voice, dict[str, NDArray[np.float64]]] = {}
        for voice, mates in self.voice_rows.items():
            if len(mates) and names:
                moments = {name: self.examples.moments_of(mates, name) for name in names}
                self.means[voice] = {name: moment.total / moment.count for name, moment in moments.items()}
        return list(self.means)

    def _draw_target_voice(self, rng: np.random.Generator) -> tuple[Voice, float] | None:
        if rng.random() >= self.options.other_voices:
            return None
        return self.voices[int(rng.integers(len(self.voices)))], float(rng.uniform(0, 1))

    def _voice_shift(
        self, row: int, name: str, normalisation: Normalisation, count: float, target_voice: Voice, share: float
    ) -> NDArray[np.float32]:
        """What a clip would shift by if its speaker were `share` of the way to another one, (columns,).

        A model that is fitted on eight voices learns them by heart. Between any two lie others; what the running
        estimate will take away again (it knows the speaker by `count / (prior + count)`) is not added at all.
        """
        full_shift = self.means[target_voice][name] - self.means[self._voice(row)][name]
        prior = np.asarray(normalisation.prior)
        return np.asarray(share * full_shift * prior / np.maximum(prior + count, 1e-9), np.float32)

    def _augmented(self, name: str, array: Array, rng: np.random.Generator) -> Array:
        if name in self.changes:
            frames, bands = array.shape
            array = spectrogram.apply(array, spectrogram.draw(self.changes[name], frames, bands, rng))
        if self.noise[name]:
            array = array + rng.normal(scale=self.noise[name], size=array.shape).astype(np.float32)
        return array


def _preference(
    corpora: NDArray[np.str_], is_copy: NDArray[np.bool_], weight: NDArray[np.float64], options: Training
) -> NDArray[np.float64]:
    """Factors on the weights of rows: those of their corpora, and what makes copies the share that is wanted."""
    factor = np.array([options.shares.get(corpus, 1.0) for corpus in corpora])
    if options.copies and is_copy.any():
        preferred_weights = factor * weight
        factor = factor * np.where(
            is_copy,
            options.copies / preferred_weights[is_copy].sum(),
            (1 - options.copies) / preferred_weights[~is_copy].sum(),
        )
    return factor


def _occurrences(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row, how often it came before."""
    _, counts = np.unique(rows, return_counts=True)
    order = np.argsort(rows, kind="stable")
    earlier_counts = np.empty(len(rows), np.int64)
    earlier_counts[order] = np.concatenate([np.arange(count) for count in counts]) if len(rows) else 0
    return earlier_counts


def _whole_numbers_as_int(values: Mapping[str, float]) -> dict[str, Any]:
    """Whole numbers as int: YAML's 250 and 250.0 mean the same number of frames."""
    return {key: int(value) if float(value).is_integer() else value for key, value in values.items()}


def collate(clips: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Pad each input with zeros to its longest; `<name>_lengths` beside every input of varying length."""
    batch: dict[str, torch.Tensor] = {}
    for name in clips[0]:
        arrays = [np.asarray(clip[name]) for clip in clips]
        if arrays[0].ndim == 0 or name in ("allowed", "shares", "ratings"):
            batch[name] = torch.from_numpy(np.stack(arrays))
            continue
        lengths = [len(array) for array in arrays]
        padded_array = np.zeros((len(arrays), max(lengths), *arrays[0].shape[1:]), arrays[0].dtype)
        for place, array in zip(padded_array, arrays, strict=True):
            place[: len(array)] = array
        batch[name] = torch.from_numpy(padded_array)
        batch[f"{name}_lengths"] = torch.tensor(lengths)
    return batch


class Loader(DataLoader[dict[str, Any]]):
    """Makes the next batch in a thread, while the network is busy with the last one.

    All that is random in a batch follows from seed, epoch and row, so it matters to nothing when it is made.
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # Now, and in this thread: it draws from torch's generator.
        return _prefetched(super().__iter__())


def _prefetched(batches: Iterator[Any]) -> Iterator[Any]:
    with ThreadPoolExecutor(1, "batches") as thread:
        # Not before the first batch is asked for: only then is the epoch known to the sampler.
        next_batch = thread.submit(next, batches, None)
        while (batch := next_batch.result()) is not None:
            next_batch = thread.submit(next, batches, None)
            yield batch


class EpochSampler(Sampler[int]):
    """Positions in random order; with `balance`, every (corpus, class) comes equally often on average.

    With `alike`, clips of like length come together, so that less padding is computed: each ALIKE batches are sorted by
    the length of the first input, then the batches are put in random order.

    The order is a function of seed and epoch alone, so that a resumed training goes on as if never stopped.
    """

    def __init__(self, clips: Clips, balance: bool, batch_size: int, alike: bool = False) -> None:
        examples, rows = clips.examples, clips.rows
        corpora = np.array([examples.utterances[row].corpus for row in rows])
        groups = np.array(
            [f"{corpus} {target}" for corpus, target in zip(corpora, examples.targets[rows], strict=True)]
        )
        _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
        # A corpus keeps its share of the clips; within it the classes are even.
        _, corpus_index, corpus_counts = np.unique(corpora, return_inverse=True, return_counts=True)
        classes = np.array([len(np.unique(examples.targets[rows][corpora == corpus])) for corpus in np.unique(corpora)])
        weight = corpus_counts[corpus_index] / classes[corpus_index] / counts[group]
        if clips.options.shares or clips.options.copies:
            weight = weight * _preference(corpora, examples.number[rows] > 0, weight, clips.options)
            balance = True
        self.weight = weight / weight.sum() if balance else None
        self.clips, self.epoch = clips, 0
        self.count = len(rows) // batch_size * batch_size or len(rows)
        self.batch_size = batch_size
        first_inputs = [next(iter(examples.clips[row].values())) for row in rows] if alike else []
        self.lengths = np.array([len(array) for array in first_inputs])

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = self.clips.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self.clips.seed, self.epoch))
        total = self.count if self.weight is None else len(self.weight)
        order = rng.choice(total, self.count, replace=self.weight is not None, p=self.weight)
        if len(self.lengths) and self.count % self.batch_size == 0:
            pools = np.array_split(
                order, range(SORTED_BATCHES * self.batch_size, self.count, SORTED_BATCHES * self.batch_size)
            )
            order = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
            order = rng.permutation(order.reshape(-1, self.batch_size)).reshape(-1)
        return iter(order.tolist())
