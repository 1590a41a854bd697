"""How a recipe's model is fitted: the options of `training`, and what they are without this project's own habits.

    training: {plain: true, optimizer: adam, learning_rate: 1e-3, batch_size: 64, epochs: 100}

What another paper prints of its training is seldom all that a training needs. The defaults of `Training` are what this
project found to help; a recipe that is a paper's says `plain`, so that none of them is added in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

# A rate that stays, clips as they come, the cross-entropy alone, and the weights of the last step.
PLAIN: Mapping[str, Any] = {
    "weight_decay": 0.0,
    "warm_up": 0.0,
    "schedule": "constant",
    "clip_gradient": 0.0,
    "average": 0.0,
    "label_smoothing": 0.0,
    "mixup": 0.0,
    "branch_loss": 0.0,
    "balance": False,
    "whole_speaker": 0.0,
    "others_at_most": 0,
    "keep": "last",
}


class RecipePart(BaseModel):
    """Any part of a recipe: no key that is not known, and no change."""

    # `labels: 8` means the merge called "8".
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Training(RecipePart):
    """How a torch model is fitted; a scikit-learn model reads `seeds` and `balance` only."""

    plain: bool = Field(default=False, description="what the recipe does not name is as in PLAIN, and not as below")
    epochs: int = Field(default=40, ge=1)
    steps: int = Field(
        default=0, ge=0, description="about as many optimiser steps in all, in whole epochs; 0: as `epochs` says"
    )
    batch_size: int = Field(default=32, ge=1)
    accumulate: int = Field(default=1, ge=1, description="batches whose gradients make one step")
    learning_rate: float = Field(default=2e-3, gt=0)
    encoder_learning_rate: float = Field(
        default=0, ge=0, description="of the encoder that others trained, where the model has one; 0: as all else"
    )
    weight_decay: float = Field(default=0.05, ge=0, description="not on vectors (biases and norms)")
    warm_up: float = Field(default=0.05, ge=0, lt=1, description="share of the steps, before the schedule")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="of the rate: down to nothing along half a cosine or a line, or as it is"
    )
    optimizer: Literal["adamw", "adam", "adamax"] = "adamw"
    halve_after: int = Field(
        default=0,
        ge=0,
        description="epochs without a lower validation loss until the rate is halved, instead of a schedule; 0: never",
    )
    clip_gradient: float = 5.0
    average: float = Field(default=0.99, ge=0, lt=1, description="decay of the running mean of the weights; 0 for none")
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    soft_labels: bool = Field(default=False, description="learn the shares of a row's soft_labels, where it has them")
    mixup: float = Field(default=0.6, ge=0, le=1, description="share of the batches, Beta(0.3, 0.3)")
    branch_loss: float = Field(default=0.5, ge=0, description="weight of the own loss of each branch that a model has")
    balance: bool = Field(
        default=True, description="draw every (corpus, class) equally often; in scikit-learn, weigh the classes so"
    )
    shares: dict[str, float] = Field(
        default={},
        description="how often the clips of a corpus are drawn, where not as often as others: {emogator: 0.4}",
    )
    copies: float = Field(
        default=0.0, ge=0, lt=1, description="share of copies (data.expand) in what is drawn; 0: as many as there are"
    )
    leave_out: list[str] = Field(
        default=[], description="corpora that are left out in turn, so that confidence is calibrated on strangers"
    )
    alike: bool = Field(default=False, description="clips of like length in a batch: less padding, quicker")
    whole_speaker: float = Field(default=0.3, ge=0, le=1, description="share of the clips that see their whole speaker")
    alone: float = Field(
        default=0.0, ge=0, le=1, description="share of the clips that see no other of their speaker, before the others"
    )
    others_at_most: int = Field(default=8, ge=0, description="clips of the speaker that the others see, at most")
    other_voices: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the clips whose voice is moved towards another speaker's",
    )
    keep: Literal["best", "last"] = Field(
        default="best", description="the weights of the best validation UAR, or the last"
    )
    patience: int = Field(
        default=0, ge=0, description="epochs without a better validation UAR before stopping; 0: none"
    )
    # In YAML 32 is a number.
    precision: Annotated[Literal["32", "bf16"], BeforeValidator(str)] = "32"
    members: int = Field(
        default=1, ge=1, description="how many are fitted, each from another seed, to answer together (deep ensembles)"
    )
    begin_with: str = Field(default="", description="a run whose weights it begins with; see intonate.training.begin")
    keep_weights: bool = Field(default=False, description="leave weights.safetensors for another recipe to begin with")
    seeds: list[int] = Field(default=[0], min_length=1, description="each one is a training of its own")

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("one seed stands there twice, and would be trained twice; name each once")
        return seeds

    @model_validator(mode="before")
    @classmethod
    def _without_habits(cls, given: Any) -> Any:
        return {**PLAIN, **given} if isinstance(given, dict) and given.get("plain") else given
