"""Late fusion: one model hears how something is said, another reads what is said, and their probabilities are combined.

    intonate predict clip.wav --text "I can't believe it!" --model compact+text

It is chosen by name, voice model first, so that a text never changes what a voice model answers by itself. The
answer is proportional to p_voice ^ (1 - w) * (p_text / prior) ^ w, a logarithmic opinion pool (Genest & Zidek 1986) of
calibrated probabilities. The prior is how often the text model met each label in training: words that tell nothing have
the probabilities of that, and should not move the answer. Without a text the voice alone answers.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.errors import ModelError
from intonate.features.text import is_text
from intonate.recognizer import builtin, inputs
from intonate.recognizer.model_file import BATCHINGS, ModelFile, read_model
from intonate.recognizer.probabilities import softmax
from intonate.schema import ModelSpec

# Both count the same. It is a choice and not a measurement: see docs/text.md.
TEXT_WEIGHT = 0.5
# What probabilities are bounded below by, so that none of the two can rule a label out alone.
SMALLEST_PROBABILITY = 1e-6


@dataclass(frozen=True, slots=True)
class LateFusion:
    """A voice model and a text model, used like a `ModelFile`. Make it with `fuse`.

    Attributes:
        path: of the voice model.
        spec: the voice model's, with the text as a further input.
        voice: the voice model.
        text: the text model; its labels are the voice model's, in any order.
        weight: of the text, from 0 (the voice alone) to 1 (the text alone).
        empty_text_tokens: how many tokens an empty text has.
    """

    path: Path
    spec: ModelSpec
    voice: ModelFile
    text: ModelFile
    weight: float
    empty_text_tokens: int

    def run(self, feeds: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
        """As `ModelFile.run`."""
        probabilities = self.voice.run(_feeds_of(self.voice.spec, feeds))
        item = self.text.spec.inputs[0]
        tokens = feeds[item.lengths] if item.lengths else np.full(len(probabilities), feeds[item.name].shape[1])
        has_text = tokens > self.empty_text_tokens
        if has_text.any():
            text_probabilities = self.text.run(
                {name: values[has_text] for name, values in _feeds_of(self.text.spec, feeds).items()}
            )
            order = [self.text.spec.labels.index(label) for label in self.spec.labels]
            probabilities[has_text] = combine(
                probabilities[has_text], (text_probabilities / _label_prior(self.text.spec))[:, order], self.weight
            )
        return probabilities

    def run_with_pieces(self, feeds: dict[str, NDArray[Any]]) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
        """As `ModelFile.run_with_pieces`; two together write nothing down."""
        return self.run(feeds), None


def combine(voice: NDArray[np.float64], text: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """The logarithmic pool of two sets of odds (rows, labels): probabilities, every row summing to one."""
    logs = (1 - weight) * np.log(np.maximum(voice, SMALLEST_PROBABILITY))
    logs += weight * np.log(np.maximum(text, SMALLEST_PROBABILITY))
    return softmax(logs)


def fuse(voice: ModelFile, text: ModelFile, weight: float = TEXT_WEIGHT) -> LateFusion:
    """One model of two.

    Raises:
        ModelError: the first takes a text already, the second is no text model, their labels differ, or the weight is
            impossible.
    """
    name = f"{voice.spec.name}+{text.spec.name}"
    if inputs.takes_text(voice.spec):
        raise ModelError(f"{name} cannot be: {voice.spec.name!r} reads a text already; give it one with --text")
    if not is_text_model(text.spec):
        raise ModelError(f"{name} cannot be: {text.spec.name!r} is no text model; the voice comes first: compact+text")
    if not text.spec.tokenizer:
        raise ModelError(
            f"{name} cannot be: {text.spec.name!r} takes counts and scores of words, and only a model that takes the "
            "words themselves can stand beside a voice; or train both in one (recipe cnn-linguistic)"
        )
    if several := [part.spec.name for part in (voice, text) if part.spec.multi_label]:
        raise ModelError(f"{name} cannot be: {several[0]!r} gives several labels at once; two models share one choice")
    if set(voice.spec.labels) != set(text.spec.labels):
        raise ModelError(
            f"{name} cannot be: {voice.spec.name!r} answers {', '.join(voice.spec.labels)}, "
            f"{text.spec.name!r} answers {', '.join(text.spec.labels)}; the labels must be the same"
        )
    if not 0 <= weight <= 1:
        raise ModelError(f"the weight of the text is {weight:g}; expected 0 (the voice alone) to 1 (the text alone)")
    voice_inputs = {item.name for item in voice.spec.inputs}
    if voice_inputs & {item.name for item in text.spec.inputs}:
        raise ModelError(f"{name} cannot be: both have an input {(voice_inputs & {text.spec.inputs[0].name}).pop()!r}")
    spec = dataclasses.replace(
        voice.spec,
        name=name,
        inputs=voice.spec.inputs + text.spec.inputs,
        batching=max(voice.spec.batching, text.spec.batching, key=BATCHINGS.index),
        tokenizer=text.spec.tokenizer,
        text_required=False,
        languages=tuple(language for language in voice.spec.languages if language in text.spec.languages),
        corpora=(*voice.spec.corpora, *text.spec.corpora),
        licence=" AND ".join(dict.fromkeys(filter(None, (voice.spec.licence, text.spec.licence)))),
        prior=(),
        scores={},
        pieces=(),
    )
    (empty_text,) = inputs.of_words(spec, None).values()
    return LateFusion(voice.path, spec, voice, text, weight, len(empty_text))


def open_model(
    model: str | os.PathLike[str] | None = None, threads: int = 1, device: str | None = None
) -> ModelFile | LateFusion:
    """The model of a built-in name, a file or a run folder; or `VOICE+TEXT` for two of them, fused.

    Raises:
        ModelError: there is no such model, it is damaged or not ours, or the two do not go together.
    """
    name = "" if model is None else os.fspath(model)
    voice, plus, text = name.rpartition("+")
    if not plus or not voice or Path(name).exists():
        return read_model(builtin.path_of(model), threads, device)
    voice_file, text_file = (read_model(builtin.path_of(part), threads, device) for part in (voice, text))
    return fuse(voice_file, text_file)


def is_text_model(spec: ModelSpec) -> bool:
    """Whether a model takes text and no sound."""
    return all(is_text(item.front_end) for item in spec.inputs)


def _label_prior(spec: ModelSpec) -> NDArray[np.float64]:
    """(labels,) the shares of the labels in training."""
    uniform = (1 / len(spec.labels),) * len(spec.labels)
    return np.maximum(spec.prior or uniform, SMALLEST_PROBABILITY)


def _feeds_of(spec: ModelSpec, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The inputs of one of the two models, of those of both."""
    names = [name for item in spec.inputs for name in (item.name, item.lengths) if name]
    return {name: feeds[name] for name in names}
