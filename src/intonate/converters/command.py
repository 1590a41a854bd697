"""`intonate export`: whatever a model is, the file to give away."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from intonate.errors import ModelError, did_you_mean
from intonate.export.card import give
from intonate.recognizer import builtin, conversions

INT8 = "int8"


def export(
    model: str,
    output: str | Path,
    unseen: Iterable[str | Path] = (),
    fold: int = 1,
    seed: int = 0,
    quantize: str | None = None,
) -> str:
    """Write the model file of a run or of a checkpoint, with its card; and, where asked, one of 8-bit weights.

    Args:
        model: a run folder; a checkpoint of others; with `quantize`, a built-in name or a model file as well.
        output: the folder to write to.
        unseen: reports of `intonate evaluate` on corpora that a run's model never saw, for the card.
        fold: which fit of a run.
        seed: which fit of a run.
        quantize: None, or `int8`.

    Returns:
        What was written, in words: the last line is the file.

    Raises:
        ModelError: there is no such model, or it cannot be quantised.
    """
    if quantize not in (None, INT8):
        raise ModelError(f"weights cannot be quantised to {quantize!r}; {did_you_mean(str(quantize), (INT8,))}")
    if conversions.is_checkpoint(model):
        from intonate.converters import convert

        file = convert(model, output)
    elif Path(model).is_dir():
        file = give(model, output, unseen, fold, seed)
    elif quantize:
        file = builtin.path_of(model)
    else:
        raise ModelError(
            f"{model} is no folder; give the folder of a run, a checkpoint of others (hf:ORG/NAME or its "
            "folder), or a model file with --quantize int8"
        )
    if not quantize:
        return str(file)
    from intonate.export.quantize import quantized

    made = quantized(file, output)
    before, after = made.bytes_before / 1e6, made.bytes_after / 1e6
    return (
        f"{before:.1f} MB became {after:.1f} MB; the largest difference of a probability on three clips is "
        f"{made.difference:.3f}\n{made.path}"
    )
