"""Recipes of encoders that are taught by larger ones (`teaching`), and what was taught.

    name: tiny-taught
    student: {encoder: openai/whisper-tiny.en, layers: [1, 2]}     # or [1], frames_per_row: 4
    teacher: {encoder: openai/whisper-base, layers: [2, 3]}
    data: {corpora: {ravdess: ../shared/corpora/ravdess}, labels: "7", split: pooled}
    training: {steps: 6000}

They lie in `recipes/encoders/`; what is taught lies in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from intonate.cache_folder import cache_folder
from intonate.errors import ModelError, RecipeError
from intonate.export.encoder import whisper_rows
from intonate.training import recipe_files
from intonate.training.fit_options import RecipePart
from intonate.training.recipe import Card, Data, Input, Model, Recipe, parsed

if TYPE_CHECKING:
    from intonate.models.whisper_rows import TaughtRows, WhisperRows

FRONT_END = "whisper_log_mel"
WEIGHTS, FACTS = "student.safetensors", "taught.json"


class Encoder(RecipePart):
    """The first layers of a published encoder."""

    encoder: str = Field(description="a checkpoint: a folder, or a name on the hub")
    layers: list[int] = Field(min_length=1, description="whose rows stand side by side, from 1")


class Student(Encoder):
    """What is taught: as it was published, or with fewer rows, so that it takes less time."""

    frames_per_row: Literal[2, 4] = Field(default=2, description="of the log-mel; a published one has 2")


class Steps(RecipePart):
    """How it is taught: AdamW, half a cosine, numbers of 16 bits in the products."""

    steps: int = Field(default=6000, ge=1, description="in whole hundreds, at least one")
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1.5e-4, gt=0, description="of what was published")
    new_learning_rate: float = Field(default=1e-3, gt=0, description="of the layer that is new")
    seed: int = 0


class Teaching(RecipePart):
    """A recipe in `recipes/encoders/`."""

    name: str = Field(pattern=r"^[\w][\w.+-]*$")
    student: Student
    teacher: Encoder
    data: Data
    training: Steps = Steps()
    card: Card = Card()

    def listening(self) -> Recipe:
        """A recipe that hears the same clips, as the encoders do."""
        inputs = {"mel": Input(front_end=FRONT_END)}
        return Recipe(name=self.name, data=self.data, inputs=inputs, model=Model(name="head"))

    def hash(self) -> str:
        """The first 12 hex digits of the SHA-256 of all but its card and where the data lie."""
        raw = self.model_dump(exclude={"name", "card", "data"}) | {"data": self.listening().hash()}
        # Keys that came later count where they are used: what was taught before stays taught.
        raw["student"] = self.student.model_dump(exclude_defaults=True)
        return hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()[:12]


def is_name(encoder: str) -> bool:
    """Whether an encoder that a recipe names is a recipe itself."""
    return encoder.endswith(recipe_files.SUFFIXES) or encoder in recipe_files.names("encoder")


def load(name: str) -> Teaching:
    """The recipe of an encoder: a YAML file, or a name in `recipes/encoders/`.

    Raises:
        RecipeError: as `intonate.training.recipe.load`.
    """
    return parsed(recipe_files.find(name, "encoder"), Teaching)


def facts(name: str) -> dict[str, Any]:
    """What is kept of a teaching that is done: `r2_unheard_speakers`, the number of clips and steps, seconds."""
    found: dict[str, Any] = json.loads((folder_of(load(name)) / FACTS).read_text(encoding="utf-8"))
    return found


def folder_of(recipe: Teaching) -> Path:
    """Where what is taught by a recipe is kept."""
    return cache_folder("encoders") / f"{recipe.name}-{recipe.hash()}"


def untaught(recipe: Teaching) -> tuple[TaughtRows, int, WhisperRows]:
    """The student before it is taught, how many mel bands it hears, and the teacher.

    Raises:
        ModelError: a checkpoint is not here and cannot be fetched.
        RecipeError: the two cannot hear the same sound.
    """
    import torch

    from intonate.models.whisper_rows import TaughtRows

    of = recipe.student
    student, bands = whisper_rows(of.encoder, of.layers, of.frames_per_row)
    teacher, teacher_bands = whisper_rows(recipe.teacher.encoder, recipe.teacher.layers)
    if bands != teacher_bands:
        raise RecipeError(
            f"encoder {recipe.name}: the student hears {bands} mel bands and the teacher {teacher_bands}; choose two "
            "that hear the same"
        )
    torch.manual_seed(recipe.training.seed)
    return TaughtRows(student, student.width, teacher.width), bands, teacher


def taught(name: str) -> tuple[TaughtRows, int]:
    """The encoder that a recipe has taught, and how many mel bands it hears.

    Raises:
        ModelError: it is not taught yet.
    """
    from safetensors.torch import load_file

    recipe = load(name)
    weights = folder_of(recipe) / WEIGHTS
    if not weights.is_file():
        raise ModelError(f"encoder {name} is not taught yet; `intonate train` of a recipe that names it teaches it")
    rows, bands, _ = untaught(recipe)
    rows.load_state_dict(load_file(weights))
    return rows, bands
