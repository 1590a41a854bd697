"""From a clean waveform to what the graph takes: front ends of sound and of words, normalisation, padding.

A *clip* here is {input name: array}, the front ends' output for one piece of sound.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate import features
from intonate.audio.clean import clean
from intonate.errors import ModelError, first_line, require
from intonate.features import text as text_features
from intonate.features.familiarity import distance
from intonate.features.frame_memory import FrameMemory, place_within, remembering
from intonate.features.normalise import SpeakerStatistics, normalise
from intonate.features.text import TOKENS, is_text
from intonate.schema import ModelInput, ModelSpec

Clip = dict[str, NDArray[Any]]

# Words that a tokenizer was not made for fall into pieces. So many for each word, on average, have 2 % of the test
# comments of GoEmotions, and most sentences in other languages.
MOST_PIECES = 1.7


def takes_text(spec: ModelSpec) -> bool:
    return any(is_text(item.front_end) for item in spec.inputs)


def of_words(spec: ModelSpec, text: str | None) -> Clip:
    """The inputs that are made of `text`; none for a model without.

    Raises:
        ModelError: the model needs a text and there is none, or takes none and there is one.
        MissingExtraError: the library that reads it is not installed.
    """
    if not takes_text(spec):
        if text is not None:
            raise ModelError(
                f"model {spec.name!r} hears the voice only and takes no text; leave out the text, or ask the model "
                f"{spec.name}+text, which reads it as well (a service has it that is started with --model "
                f"{spec.name}+text)"
            )
        return {}
    if text is None and spec.text_required:
        raise ModelError(
            f'model {spec.name!r} needs the words as well: give them with --text "…" on the command line, else as text'
        )
    return {item.name: encode_text(spec, item, text or "") for item in spec.inputs if is_text(item.front_end)}


def encode_text(spec: ModelSpec, item: ModelInput, text: str) -> NDArray[Any]:
    """One input of words: (tokens,) int64, or (columns,) float32 of a front end of words."""
    if item.front_end == TOKENS:
        return np.asarray(_tokenizer(spec.tokenizer).encode(text).ids, np.int64)
    return text_features.get(item.front_end)(text, **item.params)


def unknown_words(spec: ModelSpec, text: str) -> tuple[str, ...]:
    """A sentence where few of the words of a text are known to the model, as in another language; else none."""
    if all(item.front_end != TOKENS for item in spec.inputs):
        return ()
    encoding = _tokenizer(spec.tokenizer).encode(text)
    words = [
        word
        for word, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True)
        if word is not None and any(map(str.isalnum, text[start:end]))
    ]
    if len(words) < MOST_PIECES * len(set(words)) or not words:
        return ()
    languages = f", which reads {', '.join(spec.languages)}" if spec.languages else ""
    return (f"few of these words are known to the model{languages}: take the answer for a guess",)


@lru_cache(maxsize=4)
def _tokenizer(definition: str) -> Any:
    tokenizers = require("tokenizers", "text")
    try:
        return tokenizers.Tokenizer.from_str(definition)
    except Exception as error:  # tokenizers raises plain Exception
        raise ModelError(f"the model's tokenizer cannot be read: {first_line(error)}") from error


def extract(spec: ModelSpec, waveform: NDArray[np.float32], words: Clip | None = None) -> Clip:
    """The front ends' output for one clean waveform (samples,) at the spec's rate, not yet normalised.

    Args:
        spec: of the model.
        waveform: the sound.
        words: the inputs that are made of what was said (`of_words`); None for what an empty text gives.
    """
    clip: Clip = {}
    words = of_words(spec, "") if words is None and takes_text(spec) else words or {}
    # Members of an ensemble may take the same features, each normalised in its own way: they are computed once.
    features_by_key: Clip = {}
    for item in spec.inputs:
        if is_text(item.front_end):
            clip[item.name] = words[item.name]
            continue
        key = f"{item.front_end} {json.dumps(item.params, sort_keys=True)}"
        if key not in features_by_key:
            front_end = features.get(item.front_end)
            features_by_key[key] = np.asarray(front_end(waveform, spec.sample_rate_hz, **item.params))
        clip[item.name] = features_by_key[key]
    return clip


def clean_and_extract(
    spec: ModelSpec,
    waveform: NDArray[np.float32],
    words: Clip | None = None,
    memory: FrameMemory | None = None,
    first: int = 0,
    settled: int | None = None,
) -> tuple[Clip, int]:
    """The same for one that is cleaned here, and how many samples are left of it.

    Args:
        spec: the model's.
        waveform: (samples,) float32 at the spec's rate.
        words: as in `extract`.
        memory: frames of the sound that the waveform is a piece of, those of other pieces; None where it stands alone.
        first: its first sample, from the start of that sound.
        settled: samples of that sound that will not change any more; None for all that is there.
    """
    sound = clean(waveform, spec.sample_rate_hz, spec.clean)
    start = None if memory is None else place_within(sound, waveform)
    if memory is None or start is None:
        return extract(spec, sound, words), len(sound)
    with remembering(memory, sound, first + start, first + len(waveform) if settled is None else settled):
        return extract(spec, sound, words), len(sound)


def familiarity(spec: ModelSpec, clip: Clip) -> float | None:
    """How much a clip that is not yet normalised is like those of the training; see `schema.Prediction`."""
    if not spec.tells_familiarity:
        return None
    place = np.searchsorted(spec.distances, distance(clip[spec.inputs[0].name], spec.regions))
    return 1.0 - min(int(place), len(spec.distances) - 1) / (len(spec.distances) - 1)


def mean_familiarity(familiarities: Iterable[float | None]) -> float | None:
    """The mean of those pieces of a recording that have one; None where none has."""
    known = [familiarity for familiarity in familiarities if familiarity is not None]
    return float(np.mean(known)) if known else None


def update_speaker(spec: ModelSpec, clip: Clip, speaker: SpeakerStatistics) -> None:
    """Add a clip to the statistics of its speaker."""
    for item in spec.inputs:
        if item.normalisation is not None:
            speaker.update(item.name, clip[item.name])


def normalise_clip(spec: ModelSpec, clip: Clip, speaker: SpeakerStatistics) -> Clip:
    """The clip as the graph takes it, normalised with the statistics of `speaker`, this clip included."""
    return {item.name: normalise(clip[item.name], item.normalisation, speaker.get(item.name)) for item in spec.inputs}


def normalise_alone(spec: ModelSpec, clip: Clip) -> Clip:
    """The same for a clip of whose speaker nothing else is known."""
    speaker = SpeakerStatistics()
    update_speaker(spec, clip, speaker)
    return normalise_clip(spec, clip, speaker)


def batches(spec: ModelSpec, clips: Sequence[Clip], size: int) -> Iterator[tuple[list[int], dict[str, NDArray[Any]]]]:
    """Padded batches of at most `size`, with the positions of their clips.

    Clips share a batch only where padding cannot change the answer: any lengths where the spec says so and the
    graph is told the lengths, equal lengths otherwise; none where the graph takes one clip.
    """
    size = 1 if spec.batching == "one" else size
    groups: dict[tuple[int, ...], list[int]] = {}
    for position, clip in enumerate(clips):
        fixed_names = [item.name for item in spec.inputs if spec.batching != "any" or not item.lengths]
        groups.setdefault(tuple(len(clip[name]) for name in fixed_names), []).append(position)
    for group in groups.values():
        for start in range(0, len(group), size):
            positions = group[start : start + size]
            yield positions, padded_batch(spec.inputs, [clips[position] for position in positions])


def padded_batch(inputs: Sequence[ModelInput], clips: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The graph's feeds: each input zero-padded to the longest clip, and the lengths where the graph takes them."""
    feeds: dict[str, NDArray[Any]] = {}
    for item in inputs:
        arrays = [clip[item.name] for clip in clips]
        longest = max(len(array) for array in arrays)
        feeds[item.name] = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), arrays[0].dtype)
        for row, array in zip(feeds[item.name], arrays, strict=True):
            row[: len(array)] = array
        if item.lengths:
            feeds[item.lengths] = np.array([len(array) for array in arrays], np.int64)
    return feeds
