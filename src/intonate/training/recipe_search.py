"""The part of a recipe that says what is searched."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, model_validator

from intonate.training.fit_options import RecipePart


class Values(RecipePart):
    """What a search draws a value from: a list, or the numbers from low to high (whole ones, if both are whole)."""

    values: list[Any] = Field(default=[], description="written as a list: [1, 3, 5]")
    low: int | float | None = None
    high: int | float | None = None
    log: bool = Field(default=False, description="evenly on a logarithmic scale")

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        return {"values": [parse_number(value) for value in given]} if isinstance(given, list) else given

    @model_validator(mode="after")
    def _check_possible(self) -> Values:
        if self.low is None or self.high is None:
            if not self.values or self.low is not None or self.high is not None:
                raise ValueError("expected a list of values, or low and high")
        elif self.values or self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("expected low under high, above 0 with log, and no list beside them")
        return self


class Search(RecipePart):
    """What is chosen for each fold by itself, without its test part; see intonate.training.search."""

    sampler: Literal["grid", "random", "tpe"] = "tpe"
    trials: int = Field(default=0, ge=0, description="configurations tried; 0: all of a grid, 30 of the others")
    groups: int = Field(
        default=0, ge=0, description="scored on as many speaker-grouped folds of the training part; 0: validation part"
    )
    space: dict[str, Values] = Field(min_length=1, description="model.params.* or training.* -> what to draw from")

    @model_validator(mode="after")
    def _check_possible(self) -> Search:
        if self.groups == 1:
            raise ValueError("groups: expected 2 or more, or 0 for the validation part")
        if self.sampler == "grid" and (ranges := [key for key, values in self.space.items() if not values.values]):
            raise ValueError(f"a grid needs lists, and {ranges[0]} is a range; list its values, or use random or tpe")
        return self


def parse_number(parsed: Any) -> Any:
    """YAML 1.1 reads 1e-4 as a string; a number is what was meant."""
    if isinstance(parsed, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", parsed):
        return float(parsed)
    return parsed
