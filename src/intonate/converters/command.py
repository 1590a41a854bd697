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
    waveform_input: bool = False,
) -> str:
    """Write the model file of a run or of a checkpoint, with its card; where asked, also in other forms.

    Args:
        model: a run folder; a checkpoint of others; with `quantize` or `waveform_input`, a built-in name or a model
            file as well.
        output: the folder to write to.
        unseen: reports of `intonate evaluate` on corpora that a run's model never saw, for the card.
        fold: which fit of a run.
        seed: which fit of a run.
        quantize: None, or `int8`.
        waveform_input: whether to write one that takes samples as well (`export/waveform.py`).

    Returns:
        What was written, in words: the last line is the file.

    Raises:
        ModelError: there is no such model, or it cannot be quantised or take samples.
    """
    if quantize not in (None, INT8):
        raise ModelError(f"weights cannot be quantised to {quantize!r}; {did_you_mean(str(quantize), (INT8,))}")
    if conversions.is_checkpoint(model):
        from intonate.converters import convert

        file = convert(model, output)
    elif Path(model).is_dir():
        file = give(model, output, unseen, fold, seed)
    elif quantize or waveform_input:
        file = builtin.path_of(model)
    else:
        raise ModelError(
            f"{model} is no folder; give the folder of a run, a checkpoint of others (hf:ORG/NAME or its "
            "folder), or a model file with --quantize int8 or --waveform-input"
        )
    lines = []
    if waveform_input:
        from intonate.export.waveform import waveform_model

        lines.append(str(waveform_model(file, output)))
    if not quantize:
        return "\n".join(lines or [str(file)])
    from intonate.export.quantize import quantized

    int8_model = quantized(file, output)
    size_before, size_after = int8_model.bytes_before / 1e6, int8_model.bytes_after / 1e6
    lines.append(
        f"{size_before:.1f} MB became {size_after:.1f} MB; the largest difference of a probability on three clips is "
        f"{int8_model.difference:.3f}\n{int8_model.path}"
    )
    return "\n".join(lines)
