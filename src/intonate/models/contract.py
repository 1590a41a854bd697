"""The contract between a model and the workshop: all that may be asked of one, and what holds where it does not say.

A network is a class that derives from `Network`. It must have `__init__(classes, columns, **params)`, where `columns`
says how wide each input is, and `forward`, which takes each input by its name in the recipe (and `<name>_lengths`,
where the module wants it) and returns logits (batch, classes). Everything else has a default here; a network overrides
what is otherwise with it. A classical model is a function `name(seed, **params)` that returns a `Pipeline`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol, TypeGuard

from torch import Tensor, nn


class Network(nn.Module):
    """A network that a recipe can name.

    Attributes:
        BATCHING: `equal_length` where padding would change its answer; the export checks that it does not.
        EXPORTER: of torch to ONNX. `dynamo` is right for attention; `legacy` is much quicker, and right for
            convolutions and recurrent layers.
        OUTPUTS: of the graph; the first is the answer. Where there are more, `forward` returns a tuple.
    """

    BATCHING: Literal["any", "equal_length"] = "any"
    EXPORTER: Literal["legacy", "dynamo"] = "legacy"
    OUTPUTS: Sequence[str] = ("logits",)

    @staticmethod
    def check(*_: Any, **params: Any) -> None:
        """Refuse impossible `model.params` and files that are not there, before any sound is read.

        Raises:
            RecipeError, ModelError
        """

    @staticmethod
    def tokenizer(*texts: Any, **params: Any) -> Any:
        """`tokenizer(texts, **params)`: the `tokenizers.Tokenizer` of a network with an input `tokens`, which it brings
        along or learns from the training texts; None for one that does not read.
        """
        return None

    @classmethod
    def arguments(cls) -> tuple[str, ...]:
        """The names that `forward` takes."""
        return tuple(inspect.signature(cls.forward).parameters)[1:]

    def input_names(self) -> Sequence[str]:
        """The names of the inputs and lengths of the graph, in their order."""
        return self.arguments()

    def parts(self, *_: Any, **inputs: Any) -> Sequence[Tensor]:
        """The logits of each branch, which sum to the answer: each then has a loss of its own as well (deep
        supervision, Lee et al. 2015), weighted by `training.branch_loss`. None for a network without branches.
        """
        return ()

    def penalty(self) -> Tensor | float:
        """What is added to the loss as it is: L1 or L2 of some weights."""
        return 0.0

    def encoder_parameters(self) -> Iterable[nn.Parameter]:
        """The weights of an encoder that others trained, which learn at `training.encoder_learning_rate`."""
        return ()

    @staticmethod
    def together(networks: Sequence[Any]) -> Any:
        """One network whose logits are the sum of those of several that were fitted alike (`training.members`)."""
        raise NotImplementedError

    def finish(self) -> None:
        """Called after the last epoch, before the network is kept and exported."""


class Pipeline(Protocol):
    """A scikit-learn pipeline on one vector per clip; its last step is the classifier."""

    steps: list[tuple[str, Any]]

    def fit(self, features: Any, targets: Any, **weights: Any) -> Any: ...

    def predict_proba(self, features: Any) -> Any: ...


def is_network(build: Any) -> TypeGuard[type[Network]]:
    """Whether what `models.get` gives is the class of a network, and not the function of a pipeline."""
    return isinstance(build, type) and issubclass(build, Network)


def has_encoder(build: type[Network]) -> bool:
    """Whether a network has an encoder that others trained."""
    return build.encoder_parameters is not Network.encoder_parameters


def can_answer_together(build: type[Network]) -> bool:
    """Whether several that were fitted alike can be made one network."""
    return build.together is not Network.together
