"""The small files of a SenseVoice: `config.yaml`, statistics in `am.mvn`, and the pieces of words in `*.bpe.model`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.converters.checkpoint import Checkpoint, setting
from intonate.errors import ModelError
from intonate.published.files import incomplete
from intonate.published.protobuf import fields

CONFIG, STATISTICS, PIECES = "config.yaml", "am.mvn", "*bpe.model"
# What the published checkpoint has: with anything else the sound would be prepared, or the network answer, otherwise.
FIXED_ENCODER = {"input_layer": "pe", "normalize_before": True, "selfattention_layer_type": "sanm"}
FIXED_SOUND = {"fs": 16_000, "window": "hamming", "frame_length": 25, "frame_shift": 10}
# In the protocol buffer of sentencepiece: a piece of the model, and the text of a piece.
PIECE_FIELD, TEXT_FIELD = 1, 1


@dataclass(frozen=True, slots=True)
class Sizes:
    """What config.yaml says of the network and its sound.

    Attributes:
        bands: of the mel filter bank.
        stack: frames side by side.
        step: frames from one stack to the next.
        width: numbers of a frame in the encoder.
        heads: of the attention.
        inner: numbers between the two layers of a block's feed-forward part.
        blocks: up to the first norm.
        further_blocks: behind it.
        kernel: frames that the memory of a block spans.
        shift: by how many of them it looks further back.
        symbols: outputs for a frame.
    """

    bands: int
    stack: int
    step: int
    width: int
    heads: int
    inner: int
    blocks: int
    further_blocks: int
    kernel: int
    shift: int
    symbols: int


def sizes_of(checkpoint: Checkpoint, symbols: int) -> Sizes:
    """Read config.yaml.

    Raises:
        ModelError: a setting is missing, or is one that the published checkpoint has not.
    """
    source, config = f"{checkpoint.name}: {CONFIG}", checkpoint.yaml(CONFIG) or {}
    encoder, sound = setting(config, "encoder_conf", dict, source), setting(config, "frontend_conf", dict, source)
    for settings, fixed_settings in ((encoder, FIXED_ENCODER), (sound, FIXED_SOUND)):
        for key, value in fixed_settings.items():
            if settings.get(key, value) != value:
                raise ModelError(f"{source} has {key}: {settings[key]}, and only {value} can be converted")
    encoder_keys = {
        "width": "output_size", "heads": "attention_heads", "inner": "linear_units", "blocks": "num_blocks",
        "further_blocks": "tp_blocks", "kernel": "kernel_size",
    }  # fmt: skip
    sound_keys = {"bands": "n_mels", "stack": "lfr_m", "step": "lfr_n"}
    return Sizes(
        symbols=symbols,
        shift=int(encoder.get("sanm_shfit", 0)),
        **{name: setting(encoder, key, int, source) for name, key in encoder_keys.items()},
        **{name: setting(sound, key, int, source) for name, key in sound_keys.items()},
    )


def statistics_of(checkpoint: Checkpoint, columns: int) -> NDArray[np.float32]:
    """(2, columns): what is added to the stacked frames, and what they are multiplied by then, as Kaldi's nnet has it.

    Raises:
        ModelError: the file is none of these, or for stacks of another width.
    """
    source, words = f"{checkpoint.name}: {STATISTICS}", checkpoint.text(STATISTICS).split()
    try:
        vectors = [_numbers_behind(words, name) for name in ("<AddShift>", "<Rescale>")]
    except ValueError as error:
        raise ModelError(
            f"{source} holds no <AddShift> and <Rescale> of numbers; fetch the checkpoint again"
        ) from error
    if [len(numbers) for numbers in vectors] != [columns, columns]:
        raise ModelError(
            f"{source} is for {len(vectors[0])} numbers a frame, and {CONFIG} says {columns}; the files do not belong "
            "together"
        )
    return np.array(vectors, np.float32)


def _numbers_behind(words: Sequence[str], name: str) -> list[float]:
    start = words.index("[", words.index(name)) + 1
    return [float(word) for word in words[start : words.index("]", start)]]


def pieces_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The pieces of words in their order, `▁` where a word begins.

    Raises:
        ModelError: the file is missing, or is no model of sentencepiece.
    """
    path = next(iter(sorted(checkpoint.folder.glob(PIECES))), None)
    if path is None:
        raise incomplete(checkpoint.name, PIECES)
    try:
        pieces = tuple(_pieces(path))
    except (ValueError, LookupError, TypeError) as error:
        raise ModelError(f"{path} is no model of sentencepiece; fetch it again") from error
    if not pieces:
        raise ModelError(f"{path} holds no pieces of words; fetch it again")
    return pieces


def _pieces(path: Path) -> list[str]:
    messages = [value for number, value in fields(memoryview(path.read_bytes())) if number == PIECE_FIELD]
    return [bytes(_text_of(message)).decode("utf-8") for message in messages]


def _text_of(message: memoryview) -> Any:
    entries: Mapping[int, Any] = dict(fields(message))
    return entries[TEXT_FIELD]
