"""From utterances to batches: the front ends' output of every clip, who spoke, and matched speaker statistics.

Statistics are *matched*: most clips of a batch are normalised with only a few random other clips of their speaker
(0 to `others_at_most`), the rest with all of them. A model so trained has met every state that serving can be in,
from a clip alone to someone who has talked for an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch.utils.data import Dataset, Sampler

from intonate.augment import spectrogram
from intonate.emotions import merge, merged_labels, target_of
from intonate.errors import CorpusError, RecipeError, SplitError
from intonate.features.cache import Analysis, analyse, default_folder
from intonate.features.normalise import Moments, normalise
from intonate.recognizer.model_file import TOKENS
from intonate.schema import ModelInput, ModelSpec, Normalisation, Utterance
from intonate.training.recipe import Input, Recipe

SAMPLE_RATE_HZ = 16_000
Array = NDArray[Any]
Clip = dict[str, Array]


@dataclass(frozen=True)
class Examples:
    """Every clip of a training: raw front-end output, target, speaker.

    Attributes:
        utterances: the rows, merged labels not yet applied.
        labels: the merged labels, in order of the outputs.
        targets: (clips,) index into `labels`.
        clips: {input: array} per clip.
        allowed: (clips, labels) bool; the labels that the clip's corpus has at all.
        too_short: how many clips were left out for their length.
    """

    utterances: Sequence[Utterance]
    labels: tuple[str, ...]
    targets: NDArray[np.int64]
    clips: Sequence[Clip]
    allowed: NDArray[np.bool_]
    mates: Mapping[str, NDArray[np.int64]] = field(repr=False)
    moments: Sequence[Mapping[str, Moments]] = field(repr=False)
    too_short: int = 0

    def moments_of(self, rows: Iterable[int], name: str) -> Moments:
        """What these clips hold together of the input `name`."""
        first, *others = [self.moments[row][name] for row in rows]
        return sum(others, first)


@dataclass(frozen=True)
class Asked:
    """What is made of every clip: of its sound, and for each input of `words`, of its text."""

    sound: Analysis
    words: Mapping[str, Callable[[str], Array]] = field(default_factory=dict)


def labelled(utterances: Iterable[Utterance], merge_name: str) -> list[Utterance]:
    """The utterances that the merge has a place for."""
    kept = [utterance for utterance in utterances if target_of(utterance, merge_name) is not None]
    if not kept:
        raise CorpusError(f"no utterance has a label of the merge {merge_name!r} ({', '.join(merge(merge_name))})")
    return kept


def prepare(
    utterances: Sequence[Utterance],
    merge_name: str,
    asked: Asked,
    speaking: Iterable[str],
    bar: Callable[[Sequence[Any]], Iterable[Any]] = iter,
    shortest_s: float = 0.0,
    folder: Path | None = None,
) -> Examples:
    """Analyse every utterance.

    Args:
        utterances: rows that the merge has a place for (`labelled`).
        merge_name: a merge of `intonate.emotions`.
        asked: what to make of them (`by_recipe`, `by_spec`).
        speaking: the inputs that are normalised by speaker.
        bar: wraps what has to be computed in a progress bar.
        shortest_s: clips shorter than this after cleaning are left out and counted, seconds.
        folder: where features are kept (`cache_folder`); None for nowhere.

    Raises:
        AudioError: a file cannot be used.
        CorpusError: no clip is long enough.
    """
    analysed = analyse(utterances, asked.sound, folder, bar)
    listed = len(utterances)
    if shortest_s and asked.sound.front_ends:
        shortest = round(shortest_s * asked.sound.sample_rate_hz)
        long_enough = [place for place, clip in enumerate(analysed) if clip.samples >= shortest]
        if not long_enough:
            raise CorpusError(f"none of the {listed} clips is {shortest_s:g} s long after cleaning; lower shortest_s")
        utterances = [utterances[place] for place in long_enough]
        analysed = [analysed[place] for place in long_enough]
    clips = [
        clip.features | {name: encode(row.text) for name, encode in asked.words.items()}
        for clip, row in zip(analysed, utterances, strict=True)
    ]
    labels = merged_labels(merge_name)
    targets = np.array([labels.index(target_of(utterance, merge_name)) for utterance in utterances])
    corpora = np.array([utterance.corpus for utterance in utterances])
    speakers = np.array([utterance.speaker for utterance in utterances])
    allowed = np.zeros((len(clips), len(labels)), bool)
    for corpus in np.unique(corpora):
        allowed[np.ix_(corpora == corpus, np.unique(targets[corpora == corpus]))] = True
    return Examples(
        utterances=utterances,
        labels=labels,
        targets=targets,
        clips=clips,
        allowed=allowed,
        mates={speaker: np.flatnonzero(speakers == speaker) for speaker in np.unique(speakers)},
        moments=[{name: Moments.of(clip[name]) for name in speaking} for clip in clips],
        too_short=listed - len(clips),
    )


def by_recipe(recipe: Recipe, tokenize: Callable[[str], Array] | None = None) -> Asked:
    """The analysis that a recipe asks for; `tokenize` turns text into (tokens,) int64, where an input is `tokens`."""
    inputs = {name: (item.front_end, item.params) for name, item in recipe.inputs.items()}
    return _asked(SAMPLE_RATE_HZ, recipe.data.clean, inputs, tokenize)


def by_spec(spec: ModelSpec, tokenize: Callable[[str], Array] | None = None) -> Asked:
    """The analysis that a finished model asks for."""
    inputs = {item.name: (item.front_end, item.params) for item in spec.inputs}
    return _asked(spec.sample_rate_hz, spec.clean, inputs, tokenize)


def _asked(
    sample_rate_hz: int,
    steps: Sequence[Mapping[str, Any]],
    inputs: Mapping[str, tuple[str, Mapping[str, Any]]],
    tokenize: Callable[[str], Array] | None,
) -> Asked:
    read = [name for name, (front_end, _) in inputs.items() if front_end == TOKENS]
    if read and tokenize is None:
        raise RecipeError("an input is 'tokens', but this model brings no tokenizer; choose a model that reads text")
    words = {name: tokenize for name in read if tokenize is not None}
    sound = {name: front_end for name, front_end in inputs.items() if name not in words}
    return Asked(Analysis(sample_rate_hz, steps, sound), words)


def cache_folder(wanted: str | None) -> Path | None:
    """Where features are kept, by `data.cache` of a recipe: the user's cache folder, another, or nowhere."""
    if wanted is None:
        return default_folder()
    return Path(wanted).expanduser() if wanted else None


def bar(console: Console, words: str) -> Any:
    """A progress bar on a terminal, nothing elsewhere."""

    def shown(rows: Sequence[Any]) -> Iterable[Any]:
        return track(rows, words, console=console, disable=not console.is_terminal)

    return shown


def spoken(inputs: Mapping[str, Input]) -> list[str]:
    """The inputs that a recipe normalises by speaker."""
    return [name for name, item in inputs.items() if item.normalise and item.normalise.kind == "speaker"]


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
            name: spectrogram.SpectrogramAugment(**_whole(item.augment))
            for name, item in recipe.inputs.items()
            if item.augment
        }
        self.noise = {name: item.noise for name, item in recipe.inputs.items()}
        self.everybody = {who: mates[np.isin(mates, rows)] for who, mates in examples.mates.items()}
        self.copies = _occurrences(rows)
        self.voices = self._voices() if training and self.options.other_voices else []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> dict[str, Any]:
        row = int(self.rows[position])
        # A row that was repeated (`intonate.corpora.balance`) is changed in another way each time.
        copy = self.copies[position : position + 1]
        rng = np.random.default_rng((self.seed, self.epoch, row, *copy[copy > 0])) if self.training else None
        heard = [row] if rng is None else [row, *self._others(row, rng)]
        moved = self._towards(rng) if rng is not None and self.voices else None
        clip: dict[str, Any] = {}
        for item in self.inputs:
            array = self.examples.clips[row][item.name]
            if item.normalisation is not None and item.normalisation.kind == "speaker":
                moments = self.examples.moments_of(heard, item.name)
                if moved is not None:
                    array = array + self._move(row, item.name, item.normalisation, moments.count, *moved)
                array = normalise(array, item.normalisation, moments)
            else:
                array = normalise(array, item.normalisation)
            if rng is not None:
                array = self._change(item.name, array, rng)
            clip[item.name] = array
        return clip | {"target": self.examples.targets[row], "allowed": self.examples.allowed[row], "row": row}

    def _others(self, row: int, rng: np.random.Generator) -> NDArray[np.int64]:
        everybody = self.everybody[self.examples.utterances[row].speaker]
        mates = np.asarray(everybody[everybody != row])
        if rng.random() < self.options.whole_speaker:
            return mates
        count = min(len(mates), int(rng.integers(0, self.options.others_at_most + 1)))
        return np.asarray(rng.choice(mates, count, replace=False))

    def _voices(self) -> list[str]:
        """The training speakers; in `self.means`, the mean of each in every input that is normalised by speaker."""
        names = [item.name for item in self.inputs if item.normalisation and item.normalisation.kind == "speaker"]
        self.means: dict[str, dict[str, NDArray[np.float64]]] = {}
        for who, mates in self.everybody.items():
            if len(mates) and names:
                moments = {name: self.examples.moments_of(mates, name) for name in names}
                self.means[who] = {name: found.total / found.count for name, found in moments.items()}
        return list(self.means)

    def _towards(self, rng: np.random.Generator) -> tuple[str, float] | None:
        if rng.random() >= self.options.other_voices:
            return None
        return self.voices[int(rng.integers(len(self.voices)))], float(rng.uniform(0, 1))

    def _move(
        self, row: int, name: str, normalisation: Normalisation, count: float, towards: str, share: float
    ) -> NDArray[np.float32]:
        """What a clip would shift by if its speaker were `share` of the way to another one, (columns,).

        A model that is fitted on eight voices learns them by heart. Between any two lie others; what the running
        estimate will take away again (it knows the speaker by `count / (prior + count)`) is not added at all.
        """
        whole = self.means[towards][name] - self.means[self.examples.utterances[row].speaker][name]
        prior = np.asarray(normalisation.prior)
        return np.asarray(share * whole * prior / np.maximum(prior + count, 1e-9), np.float32)

    def _change(self, name: str, array: Array, rng: np.random.Generator) -> Array:
        if name in self.changes:
            frames, bands = array.shape
            array = spectrogram.apply(array, spectrogram.draw(self.changes[name], frames, bands, rng))
        if self.noise[name]:
            array = array + rng.normal(scale=self.noise[name], size=array.shape).astype(np.float32)
        return array


def _occurrences(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row, how often it came before."""
    _, counts = np.unique(rows, return_counts=True)
    order = np.argsort(rows, kind="stable")
    before = np.empty(len(rows), np.int64)
    before[order] = np.concatenate([np.arange(count) for count in counts]) if len(rows) else 0
    return before


def _whole(values: Mapping[str, float]) -> dict[str, Any]:
    """Whole numbers as int: YAML's 250 and 250.0 mean the same number of frames."""
    return {key: int(value) if float(value).is_integer() else value for key, value in values.items()}


def collate(clips: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Pad each input with zeros to its longest; `<name>_lengths` beside every input of varying length."""
    batch: dict[str, torch.Tensor] = {}
    for name in clips[0]:
        arrays = [np.asarray(clip[name]) for clip in clips]
        if arrays[0].ndim == 0 or name == "allowed":
            batch[name] = torch.from_numpy(np.stack(arrays))
            continue
        lengths = [len(array) for array in arrays]
        padded = np.zeros((len(arrays), max(lengths), *arrays[0].shape[1:]), arrays[0].dtype)
        for place, array in zip(padded, arrays, strict=True):
            place[: len(array)] = array
        batch[name] = torch.from_numpy(padded)
        batch[f"{name}_lengths"] = torch.tensor(lengths)
    return batch


class Draw(Sampler[int]):
    """Positions in random order; with `balance`, every (corpus, class) comes equally often on average.

    The order is a function of seed and epoch alone, so that a resumed training goes on as if never stopped.
    """

    def __init__(self, clips: Clips, balance: bool, batch_size: int) -> None:
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
        self.weight = weight / weight.sum() if balance else None
        self.clips, self.epoch = clips, 0
        self.count = len(rows) // batch_size * batch_size or len(rows)

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = self.clips.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self.clips.seed, self.epoch))
        total = self.count if self.weight is None else len(self.weight)
        order = rng.choice(total, self.count, replace=self.weight is not None, p=self.weight)
        return iter(order.tolist())


def refuse_without_speakers(examples: Examples, recipe: Recipe) -> None:
    """Statistics of the speaker need to know who speaks.

    Raises:
        SplitError: an input is normalised by speaker and an utterance has none.
    """
    if any(item.normalise and item.normalise.kind == "speaker" for item in recipe.inputs.values()):
        nobody = [utterance.path for utterance in examples.utterances if not utterance.speaker]
        if nobody:
            raise SplitError(
                f"{nobody[0]} has no speaker, and an input is normalised by speaker; "
                "fill the speaker column, or set the input's normalise.kind to corpus"
            )
