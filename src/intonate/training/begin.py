"""Begin a training with the weights of another: `training.begin_with: runs/compact-others` in a recipe.

A run whose recipe says `training.keep_weights: true` leaves `weights.safetensors` beside each model. A later one takes
from there every weight that has the same name and shape, and of the output layers the rows of the labels that both
have; the rest begins at random as always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from intonate.errors import RecipeError, SplitError
from intonate.recognizer.model_file import read_model
from intonate.schema import Utterance

WEIGHTS = "weights.safetensors"


def keep(network: Any, folder: Path) -> None:
    """Write the weights of a network beside its model file."""
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / WEIGHTS)


def load(folder: Path) -> Mapping[str, Any]:
    """The weights that a fit has kept, {name: tensor}."""
    from safetensors.torch import load_file

    weights: Mapping[str, Any] = load_file(folder / WEIGHTS)
    return weights


def check(run: str) -> Path:
    """The fit that a recipe begins with: a fold's folder, or a run's first.

    Raises:
        RecipeError: there is none, or it has kept no weights.
    """
    folder = Path(run).expanduser()
    fits = [folder] if (folder / WEIGHTS).exists() else sorted(folder.glob(f"fold*-seed*/{WEIGHTS}"))
    if not fits:
        raise RecipeError(
            f"training.begin_with: {run} has no {WEIGHTS}; train it first, with --set training.keep_weights=true"
        )
    return fits[0] if fits[0].is_dir() else fits[0].parent


def refuse_trained_on(folder: Path, utterances: Iterable[Utterance]) -> None:
    """Refuse weights that were fitted to a speaker who is to validate or to test.

    Raises:
        SplitError: the earlier fit has trained on one of them, or may have.
    """
    spec = read_model(folder / "model.onnx").spec
    for row in utterances:
        if row.corpus in spec.corpora and row.speaker not in spec.unseen_speakers:
            raise SplitError(
                f"training.begin_with: {spec.name!r} has heard {row.speaker or row.corpus} in its training, who is "
                "to be tested here; begin with a run on other corpora or speakers"
            )


def take_weights(network: Any, labels: tuple[str, ...], build: Callable[[int], Any], folder: Path) -> int:
    """Give a network the weights that a finished fit has for it.

    Args:
        network: changed in place.
        labels: what its outputs are, dimensions too.
        build: builds the same network with so many classes: what changes its shape then is an output layer.
        folder: of the fit, as `check` gives it.

    Returns:
        How many of its tensors were taken.

    Raises:
        RecipeError: not one fits.
    """
    folder = check(str(folder))
    weights = load(folder)
    earlier_labels = read_model(folder / "model.onnx").spec.outputs
    wider = build(len(labels) + 1).state_dict()
    label_pairs = [(labels.index(label), earlier_labels.index(label)) for label in labels if label in earlier_labels]
    taken_count, state = 0, network.state_dict()
    for name, value in state.items():
        earlier_weight = weights.get(name)
        if earlier_weight is None or earlier_weight.shape[1:] != value.shape[1:] or earlier_weight.ndim != value.ndim:
            continue
        if value.shape != wider[name].shape:
            for row, other_row in label_pairs:
                value[row] = earlier_weight[other_row]
        elif value.shape == earlier_weight.shape:
            value.copy_(earlier_weight)
        else:
            continue
        taken_count += 1
    if not taken_count:
        raise RecipeError(f"training.begin_with: no weight in {folder} has the name and shape of one of this model's")
    return taken_count
