"""`intonate export`: whatever a model is, the file to give away."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from intonate.errors import ModelError, did_you_mean
from intonate.export.card import give
from intonate.export.quantize import FORMS, LabelledClips, quantized
from intonate.export.small_weights import check_bits, write_small_weights
from intonate.recognizer import builtin, conversions


def export(
    model: str,
    output: str | Path,
    unseen: Iterable[str | Path] = (),
    fold: int = 1,
    seed: int = 0,
    quantize: str | None = None,
    waveform_input: bool = False,
    opset: int | None = None,
    whole_clips: bool = False,
    weights: int | None = None,
    labelled: Callable[[Path], LabelledClips | None] = lambda file: None,
) -> str:
    """Write the model file of a run or of a checkpoint, with its card; where asked, also in other forms.

    Args:
        model: a run folder; a checkpoint of others; with `quantize` or any of the options below it, a built-in name
            or a model file as well.
        output: the folder to write to.
        unseen: reports of `intonate evaluate` on corpora that a run's model never saw, for the card.
        fold: which fit of a run.
        seed: which fit of a run.
        quantize: None, or one of `FORMS`.
        waveform_input: whether to write one that takes samples as well (`export/waveform.py`).
        opset: the version of ONNX's operators; the other forms are made of the file that has it. None for that which
            the model has.
        whole_clips: whether to write it without masks of padding (`export/whole_clips.py`); so are the other forms.
        weights: how many bits each takes in the file, 16 or 8 (`export/small_weights.py`).
        labelled: clips to check what is quantised, for the model file; None where there are none.

    Returns:
        What was written, in words: the last line is the file.

    Raises:
        ModelError: there is no such model, or it cannot be quantised or take samples.
    """
    if quantize not in (None, *FORMS):
        raise ModelError(f"weights cannot be quantised to {quantize!r}; {did_you_mean(str(quantize), FORMS)}")
    if weights is not None:
        check_bits(weights)

    def in_form(file: Path) -> Path:
        if whole_clips:
            from intonate.export.whole_clips import write_for_whole_clips

            file = write_for_whole_clips(file, Path(output) / file.name)
        if weights is not None:
            file = write_small_weights(file, Path(output) / file.name, weights)
        if opset is not None:
            from intonate.export.opset import with_opset

            file = with_opset(file, output, opset)
        return file

    if conversions.is_checkpoint(model):
        from intonate.converters import convert

        file = in_form(convert(model, output))
    elif Path(model).is_dir():
        file = give(model, output, unseen, fold, seed, in_form)
    elif quantize or waveform_input or whole_clips or weights is not None or opset is not None:
        file = in_form(builtin.path_of(model))
    else:
        raise ModelError(
            f"{model} is no folder; give the folder of a run, a checkpoint of others (hf:ORG/NAME or its "
            "folder), or a model file with --quantize int8, --waveform-input, --whole-clips, --weights or --opset"
        )
    lines = []
    if waveform_input:
        from intonate.export.waveform import waveform_model

        lines.append(str(waveform_model(file, output)))
    if not quantize:
        return "\n".join(lines or [str(file)])
    smaller = quantized(file, output, quantize, labelled(file))
    return "\n".join([*lines, str(smaller), str(smaller.path)])
