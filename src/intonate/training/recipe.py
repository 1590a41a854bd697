"""A recipe is data: which corpora, which features, which model, how it is trained. Validated before anything runs.

    data:
      corpora: {ravdess: ../shared/corpora/ravdess}
      labels: "8"
      split: ravdess-6
    inputs:
      mel: {front_end: log_mel}
    model: {name: compact}

The defaults below are the only defaults.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, Field, PositiveFloat, ValidationError, model_validator

from intonate.corpora import balance
from intonate.errors import RecipeError, did_you_mean
from intonate.features.text import is_text
from intonate.schema import Pool
from intonate.training import recipe_files
from intonate.training.fit_options import RecipePart, Training
from intonate.training.recipe_search import Search, parse_number

# Keys that are younger than the first published figures; ("", key) is a whole part.
LATER_KEYS = (
    ("", "search"),
    ("data", "set"),
    ("data", "shortest_s"),
    ("data", "expand"),
    ("data", "balance"),
    ("training", "other_voices"),
    ("training", "alone"),
    ("training", "shares"),
    ("training", "copies"),
    ("training", "leave_out"),
    ("training", "optimizer"),
    ("training", "halve_after"),
    ("training", "soft_labels"),
    ("training", "begin_with"),
    ("training", "keep_weights"),
    ("training", "alike"),
    ("model", "views"),
    ("training", "accumulate"),
    ("training", "encoder_learning_rate"),
    ("training", "plain"),
    ("training", "schedule"),
    ("training", "steps"),
    ("", "translate"),
    ("", "task"),
    ("data", "ratings"),
    ("training", "members"),
)


class Balance(RecipePart):
    """Clips per class in the training part, after the split; see intonate.corpora.balance."""

    to: Literal["largest", "smallest", "harmonic_mean", "count"]
    count: int = Field(default=0, ge=0, description="clips of every class, with `to: count`")

    @model_validator(mode="after")
    def _check_possible(self) -> Balance:
        self.rule()
        return self

    def rule(self) -> balance.Balance:
        return balance.Balance(self.to, self.count)


class Data(RecipePart):
    """What is learnt from, and who is held out."""

    corpora: dict[str, str] = Field(default={}, description="catalogue name -> folder on disk")
    set: str = Field(default="", description="of these corpora, what a published system was trained on: p0, p3, p4-en…")
    manifest: str = Field(default="", description="a CSV written by `intonate manifest`, instead of `corpora`")
    labels: str = Field(
        default="",
        description="a merge of intonate.emotions: 8, 7, emodb-7, 6, 5, 4, valence…, or own:bored|on hold; empty "
        "for all that a manifest has, with `task: multi_label`",
    )
    ratings: dict[str, tuple[float, float]] = Field(
        default={},
        description="with `task: dimensions`: each one and its raters' scale: {arousal: [1, 7]}",
    )
    split: str = Field(description="a protocol of intonate.corpora.splits")
    folds: list[int] = Field(default=[], description="folds to run, from 1; empty for all")
    clean: list[dict[str, Any]] = Field(default=[{"step": "trim", "below_db": 40.0, "margin_s": 0.1}])
    shortest_s: float = Field(default=0, ge=0, description="clips shorter than this after cleaning are left out")
    expand: list[list[dict[str, Any]]] = Field(
        default=[], description="copies of every training clip, a list of transforms each (intonate.augment.waveform)"
    )
    balance: Balance | None = Field(default=None, description="instead of training.balance, where it is given")
    cache: str | None = Field(
        default=None, description="folder for computed features; '' keeps none, null is the user's cache folder"
    )


class Normalise(RecipePart):
    """See intonate.schema.Normalisation; the means and deviations are measured on the training part."""

    kind: Literal["clip", "corpus", "speaker"] = "corpus"
    prior: float = Field(default=1.0, ge=0, description="rows that the training mean counts for")
    prior_sd: float = Field(default=1.0, ge=0, description="rows that the training deviation counts for")
    clip: float = Field(default=0.0, ge=0)


class Input(RecipePart):
    """One input of the model."""

    front_end: str
    params: dict[str, Any] = Field(default={})
    normalise: Normalise | None = None
    augment: dict[str, float] = Field(default={}, description="see intonate.augment.spectrogram")
    noise: float = Field(default=0.0, ge=0, description="sd of the Gaussian noise on a vector in training")


class Views(RecipePart):
    """Test-time augmentation: the answers to several views of a clip are averaged; see intonate.models.views."""

    of: str = Field(description="the input that is changed")
    stretch: list[PositiveFloat] = Field(default=[1.0], min_length=1, description="factors of the duration")
    warp: list[PositiveFloat] = Field(default=[1.0], min_length=1, description="factors of the mel axis")


class Model(RecipePart):
    name: str
    params: dict[str, Any] = Field(default={})
    views: Views | None = None


class Translate(RecipePart):
    """Clips of some corpora made to sound like another, for the training part; see intonate.training.translation."""

    name: str = Field(description="of intonate.training.translation: cyclegan, coral…")
    params: dict[str, Any] = Field(default={})
    to: str = Field(default="", description="a corpus that is trained on; empty: what the split gives without labels")
    keep: bool = Field(default=True, description="train on the translated corpora's recordings, too")
    fill: bool = Field(default=False, description="only as many clips as the classes of `to` lack to its largest")
    components: int = Field(default=0, ge=0, description="principal components that are translated; 0: all columns")

    @model_validator(mode="after")
    def _check_possible(self) -> Translate:
        if self.fill and not self.to:
            raise ValueError("fill needs `to`: the classes of a corpus without labels cannot be counted")
        return self


class Card(RecipePart):
    """What the model file says of itself."""

    licence: str = ""
    description: str = Field(
        default="", description="what else is to be known of how it was made: a paragraph of the card"
    )
    configurations_tried: int = Field(default=1, ge=1, description="how many were compared on validation speakers")


class Recipe(RecipePart):
    task: Literal["labels", "multi_label", "dimensions"] = Field(
        default="labels",
        description="dimensions: numbers from data.ratings; labels too where data.labels is given. multi_label: "
        "several labels of a clip at once, from the column labels of data.manifest",
    )
    name: str = Field(pattern=r"^[\w][\w.+-]*$", description="of the run's folder: letters, digits, and . _ + - within")
    data: Data
    inputs: dict[str, Input]
    model: Model
    training: Training = Training()
    pool: dict[str, float] = Field(default={}, description="see intonate.schema.Pool")
    card: Card = Card()
    search: Search | None = None
    translate: Translate | None = None

    @model_validator(mode="after")
    def _check_counted_in_epochs(self) -> Recipe:
        if self.search and self.training.steps:
            raise ValueError("a search compares epochs: give training.epochs in place of training.steps")
        return self

    def reads(self) -> bool:
        """Whether the model is given what was said."""
        return any(is_text(item.front_end) for item in self.inputs.values())

    def pooling(self) -> Pool:
        return Pool(**self.pool)

    def portable(self) -> dict[str, Any]:
        """The recipe as plain data, fit to be published: an absolute path keeps its last name only."""
        raw = self.model_dump()
        corpora, params = raw["data"]["corpora"], raw["model"]["params"]
        raw["data"] |= {"corpora": _portable_values(corpora), "manifest": _portable_value(raw["data"]["manifest"])}
        raw["data"]["expand"] = [[_portable_values(step) for step in steps] for steps in raw["data"]["expand"]]
        # Where features are kept is the machine's business.
        del raw["data"]["cache"]
        raw["model"]["params"] = _portable_values(params)
        raw["training"]["begin_with"] = _portable_value(raw["training"]["begin_with"])
        return raw

    def hash(self) -> str:
        """The first 12 hex digits of the SHA-256 of the resolved recipe, without where the data lie."""
        raw = self.portable()
        raw["data"]["corpora"] = sorted(raw["data"]["corpora"])
        raw["data"].pop("manifest")
        # Keys that came later count where they are used: recipes from before keep their hash.
        for part, key in LATER_KEYS:
            holder = raw[part] if part else raw
            if holder[key] == _PARTS[part].model_fields[key].default:
                del holder[key]
        return hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()[:12]

    def having(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe with other values, {"model.params.trees": 5}.

        Raises:
            RecipeError: a value is impossible.
        """
        raw = self.model_dump()
        for key, value in values.items():
            *parents, last_key = key.split(".")
            part = raw
            for parent in parents:
                part = part[parent]
            part[last_key] = value
        try:
            return Recipe.model_validate(raw)
        except ValidationError as error:
            raise RecipeError(f"recipe {self.name}, search.space: {sentence(error, Recipe)}") from error


_PARTS: dict[str, type[BaseModel]] = {"": Recipe, "data": Data, "model": Model, "training": Training}


def _portable_values(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _portable_value(value) for key, value in values.items()}


def _portable_value(value: Any) -> Any:
    """The name of an absolute path, or whatever else it is as it is."""
    return Path(value).name if isinstance(value, str) and Path(value).expanduser().is_absolute() else value


def load(name: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Read a YAML recipe, lay `key.sub=value` overrides over it, and validate.

    Args:
        name: the YAML file, or the name of a recipe that comes with the package.
        overrides: e.g. `["training.learning_rate=1e-4", "data.folds=[1]"]`; values are YAML. A `data.manifest` takes
            the place of the recipe's corpora, and corpora that of its manifest.

    Raises:
        RecipeError: no such file, not YAML, an unknown key (with the nearest known one), an impossible value.
    """
    return parsed(recipe_files.find(name, "recipe"), Recipe, overrides)


Kind = TypeVar("Kind", bound=BaseModel)


def parsed(path: Path, kind: type[Kind], overrides: list[str] | None = None) -> Kind:
    """A YAML file as a recipe of that kind; the errors are those of `load`."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise RecipeError(f"recipe {path} must hold keys such as name, data and model; see the folder recipes/")
    for override in overrides or []:
        _override(values, override)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"recipe {path}: {sentence(error, kind)}") from error


# Where the data come from: of these one takes the place of the other, its neighbour in the recipe.
REPLACED = {"data.manifest": "corpora", "data.corpora": "manifest"}


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set takes key=value, as in training.epochs=3; got {override!r}")
    *parents, last_key = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise RecipeError(f"--set {override}: {parent!r} is a value and has no keys under it")
    try:
        parsed_value = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {override}: the value is not YAML: {' '.join(str(error).split())}") from error
    values[last_key] = parse_number(parsed_value)
    if key in REPLACED and parsed_value:
        values.pop(REPLACED[key], None)


def _part_at(root: type[BaseModel], location: Sequence[Any]) -> type[BaseModel]:
    """The part that a location leads to; names that the user gives (of inputs…) are steps without a field."""
    part = root
    for step in location:
        if field := part.model_fields.get(str(step)):
            kinds = (field.annotation, *get_args(field.annotation))
            part = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), part)
    return part


def sentence(error: ValidationError, root: type[BaseModel]) -> str:
    """What is wrong first in a file that should be a `root`; the nearest known key, where one is not known."""
    first_error = error.errors()[0]
    key_path = ".".join(str(part) for part in first_error["loc"])
    if first_error["type"] == "extra_forbidden":
        *parents, key = first_error["loc"]
        return f"the key {key_path!r} is not known; {did_you_mean(str(key), _part_at(root, parents).model_fields)}"
    if first_error["type"] == "missing":
        return f"the key {key_path!r} is missing"
    return f"{key_path}: {first_error['msg']} (got {first_error['input']!r})"
