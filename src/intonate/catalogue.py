"""Look things up by name: the entry of a table, or the code that a catalogue names.

    CATALOGUE = {"mfcc": "intonate.features.spectral:mfcc"}
    load("mfcc", CATALOGUE, "front end", ModelError)

A name that is not there is one sentence with the nearest name and all others, whatever it is a name of.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from operator import index
from typing import Any, TypeVar

from intonate.errors import IntonateError, did_you_mean

T = TypeVar("T")


def check_name(name: object, names: Collection[str], kind: str, error: type[IntonateError]) -> None:
    """Refuse a name that is not one of `names`.

    >>> check_name("hapy", ["happy", "sad"], "emotion", IntonateError)
    Traceback (most recent call last):
    intonate.errors.IntonateError: emotion 'hapy' is not known; did you mean 'happy'? (known: happy, sad)

    Args:
        name: as a person or a file gave it, of whatever type.
        names: the known ones.
        kind: what it is a name of, for the sentence.
        error: what is raised.
    """
    if not isinstance(name, str) or name not in names:
        raise error(f"{kind} {name!r} is not known; {did_you_mean(str(name), names)}")


def check_count(value: Any, name: str, error: type[IntonateError]) -> int:
    """A whole number from 1 on, of whatever type.

    >>> check_count("2", "threads", IntonateError)
    Traceback (most recent call last):
    intonate.errors.IntonateError: threads is '2', expected a whole number from 1 on

    Raises:
        IntonateError: `error`, where it is none.
    """
    try:
        count = index(value)
    except TypeError:
        count = 0
    if count < 1:
        raise error(f"{name} is {value!r}, expected a whole number from 1 on")
    return count


def entry(name: object, table: Mapping[str, T], kind: str, error: type[IntonateError]) -> T:
    """What a table has under a name.

    Raises:
        IntonateError: `error`, where it has nothing; see `check_name`.
    """
    check_name(name, table, kind, error)
    return table[str(name)]


def load(name: object, catalogue: Mapping[str, str], kind: str, error: type[IntonateError]) -> Any:
    """What a catalogue {name: "module:attribute"} names; its module is imported only now.

    Raises:
        IntonateError: `error`, where the catalogue has no such name; see `check_name`.
    """
    module, attribute = entry(name, catalogue, kind, error).split(":")
    return getattr(import_module(module), attribute)
