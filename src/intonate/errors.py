"""Everything that intonate raises on purpose, drawn once.

    IntonateError
    ├── AudioError          a sound that cannot be used: missing, unreadable, empty, not finite
    ├── CorpusError         a folder or manifest that does not hold what its name says
    ├── LabelError          an emotion or a merge that is not known
    ├── SplitError          a split that would put one speaker (or sentence) on both sides
    ├── RecipeError         a recipe with an unknown key or an impossible value
    ├── ArchiveError        an archive that cannot be begun, or gone on with
    ├── PageError           a page for browsers that cannot be written: no npm, a folder that is not its own
    ├── ModelError          a model file that is not ours, is damaged, or lacks what it was asked for
    └── MissingExtraError   an optional dependency that is not installed (also an ImportError)

A message is one sentence: what, where, what was expected, how to mend it. The command line prints it
as it is and exits with status 1; nothing here is ever shown with a traceback.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType

# How much of another library's message an error sentence repeats, characters.
MESSAGE_LENGTH = 200


class IntonateError(Exception):
    """Base of every error that intonate raises on purpose."""


class AudioError(IntonateError, ValueError):
    """A sound that cannot be used: missing, unreadable, empty, not finite."""


class CorpusError(IntonateError, ValueError):
    """A folder or manifest that does not hold what its name says."""


class LabelError(IntonateError, ValueError):
    """An emotion label or a merge that is not known."""


class SplitError(IntonateError, ValueError):
    """A split that would put one speaker, or one sentence, on both sides."""


class RecipeError(IntonateError, ValueError):
    """A recipe with an unknown key or an impossible value."""


class ArchiveError(IntonateError, ValueError):
    """An archive that cannot be begun, or gone on with: a source that is missing, a folder that is not its own."""


class PageError(IntonateError, ValueError):
    """A page for browsers that cannot be written: npm is missing, or the folder is not its own."""


class ModelError(IntonateError, ValueError):
    """A model file that is not ours, is damaged, or lacks what it was asked for."""


class MissingExtraError(IntonateError, ImportError):
    """An optional dependency that is not installed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error sentence: the nearest known name, and all of them.

    >>> did_you_mean("hapy", ["happy", "sad"])
    "did you mean 'happy'? (known: happy, sad)"
    """
    options = sorted(known)
    nearest = difflib.get_close_matches(name, options, n=1)
    names_text = ", ".join(options)
    return f"did you mean {nearest[0]!r}? (known: {names_text})" if nearest else f"known: {names_text}"


def plural(count: int, singular: str, plural: str = "") -> str:
    """`1 clip`, `2 clips`, `2 corpora`."""
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"


def first_line(error: BaseException) -> str:
    """The first line of another library's message, or its type where it has none, for the end of an error sentence.

    >>> first_line(ValueError("no such tensor\\nTraceback ..."))
    'no such tensor'
    """
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    # onnxruntime writes a code of its own in front.
    return text.rpartition("[ONNXRuntimeError] : ")[2][:MESSAGE_LENGTH]


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say which pip command brings it.

    Heavy libraries are imported where they are used, through this function.

    Raises:
        MissingExtraError: the module, or another that it needs, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise MissingExtraError(
                f"{module} is installed but cannot be imported: {first_line(error)}; install it anew, or what it lacks"
            ) from error
        raise MissingExtraError(
            f"{module} is needed here but not installed; mend it with: pip install 'intonate[{extra}]'"
        ) from error
