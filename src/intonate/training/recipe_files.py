"""Recipes and suites travel with the package: named from any folder, and a file or folder of the user's comes first.

Nothing heavy is imported here, so that a name that does not exist is answered at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from intonate.errors import RecipeError, did_you_mean

_PACKAGE = Path(__file__).parents[1]
# In an installed package they lie inside it; in a clone they lie at the root, where people read them.
PACKAGED = _PACKAGE / "recipes" if (_PACKAGE / "recipes").is_dir() else _PACKAGE.parents[1] / "recipes"
# Where a name is looked for, below recipes/.
FOLDERS = {"recipe": Path(), "suite": Path("suites"), "encoder": Path("encoders")}
SUFFIXES = (".yaml", ".yml")


def names(kind: str) -> list[str]:
    """The names that can be given without a path: of `recipes/` here, if there is one, and of the package.

    Args:
        kind: "recipe", "suite" or "encoder".
    """
    return sorted({path.stem for folder in _folders(kind) for path in folder.glob("*.yaml")})


def find(name: str | os.PathLike[str], kind: str, base: str | os.PathLike[str] = ".") -> Path:
    """The file of a recipe or a suite: a path, else NAME.yaml in `base`, in `recipes/` here, or in the package.

    Args:
        name: a path, or a name without a suffix.
        kind: "recipe", "suite" or "encoder".
        base: the folder that a relative path begins in.

    Raises:
        RecipeError: there is none, or a folder was given.
    """
    path = Path(base) / Path(name).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise RecipeError(
            f"{name} is a folder, and a {kind} is one YAML file; give {Path(name) / 'FILE.yaml'}, or a name"
        )
    if Path(name).name == str(name) and path.suffix not in SUFFIXES:
        for folder in (Path(base), *_folders(kind)):
            if (folder / f"{name}.yaml").is_file():
                return folder / f"{name}.yaml"
    raise RecipeError(
        f"{kind} {name} does not exist; give a YAML file, or a name: {did_you_mean(path.stem, names(kind))}"
    )


def _folders(kind: str) -> Iterable[Path]:
    return (Path("recipes") / FOLDERS[kind], PACKAGED / FOLDERS[kind])
