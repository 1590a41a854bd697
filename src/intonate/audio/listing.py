"""The sound files of a folder: by their suffix, or, where that is not known, by their first bytes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from intonate.audio import kinds, mpeg
from intonate.errors import AudioError

# What libsndfile reads, and what PyAV (the `media` extra) reads.
_SNDFILE_SUFFIXES = (
    *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64"),
)
_MEDIA_SUFFIXES = (".webm", ".mkv", ".mka", ".m4a", ".m4b", ".mp4", ".mov", ".3gp", ".aac", ".wma", ".amr")
AUDIO_SUFFIXES: frozenset[str] = frozenset(_SNDFILE_SUFFIXES + _MEDIA_SUFFIXES)


@dataclass(frozen=True, slots=True)
class Listing:
    """The sound files under a folder, sorted, and how many others there are by suffix."""

    files: tuple[Path, ...]
    left_out: Mapping[str, int]

    def left_out_sentence(self) -> str:
        """`3 files were left out, which hold no sound that is known: 2 .txt, 1 without suffix`; empty for none."""
        count = sum(self.left_out.values())
        if not count:
            return ""
        counts_by_suffix = ", ".join(f"{n} {suffix or 'without suffix'}" for suffix, n in sorted(self.left_out.items()))
        headerless = sorted(self.left_out.keys() & kinds.HEADERLESS.keys())
        hint = (
            f"; sound without a header: intonate predict --raw {kinds.HEADERLESS[headerless[0]]}" if headerless else ""
        )
        return f"{count} file{'s were' if count > 1 else ' was'} left out, not known as sound: {counts_by_suffix}{hint}"


def check_output(output: str | os.PathLike[str] | None, sources: Iterable[object]) -> None:
    """Refuse to write over what is to be heard; it is opened for writing before the last recording is read.

    Args:
        output: a file to write to; None for standard output.
        sources: paths among them, and whatever else.

    Raises:
        AudioError: the output is one of them.
    """
    if output is None or not os.path.isfile(output):
        return
    for source in sources:
        if isinstance(source, str | os.PathLike) and os.path.isfile(source) and os.path.samefile(output, source):
            raise AudioError(f"{os.fspath(output)} is one of the recordings and would be lost; name another --output")


def listing(path: str | os.PathLike[str], takes_headerless: bool = False) -> Listing:
    """The audio files under a folder, hidden ones left out; or the file itself, whatever it is.

    Args:
        path: the folder, or the file.
        takes_headerless: take files that by their suffix are samples without a header as well.

    Raises:
        AudioError: there is no such file or folder, no audio in the folder, or a folder in it may not be read.
    """
    root = Path(path)
    if not root.is_dir():
        if not root.exists():
            raise AudioError(f"{root} does not exist")
        return Listing((root,), {})
    suffixes = AUDIO_SUFFIXES | kinds.HEADERLESS.keys() if takes_headerless else AUDIO_SUFFIXES
    paths: list[Path] = []
    left_out: Counter[str] = Counter()
    for file in sorted(_files(root)):
        is_dead_link = file.is_symlink() and not file.exists()  # git-annex has one for each sound that is not here
        if file.name.startswith(".") or not (is_dead_link or file.is_file()):
            continue
        if file.suffix.lower() in suffixes or (not is_dead_link and _is_sound(file)):
            paths.append(file)
        else:
            left_out[file.suffix.lower()] += 1
    if not paths:
        left_out_sentence = Listing((), left_out).left_out_sentence()
        raise AudioError(
            f"{root} is a folder without audio (looked for {', '.join(sorted(AUDIO_SUFFIXES))}, and into the others"
            f"{': ' + left_out_sentence if left_out_sentence else ''})"
        )
    return Listing(tuple(paths), dict(left_out))


def find(path: str | os.PathLike[str]) -> list[Path]:
    """The files of `listing`."""
    return list(listing(path).files)


def refuse_unreadable(error: OSError) -> None:
    """For `os.walk`, which passes over a folder that it may not read, and over all that is in it, without a word.

    Raises:
        AudioError: always.
    """
    reason = (error.strerror or str(error)).lower()
    raise AudioError(
        f"the folder {error.filename} cannot be read: {reason}; nothing was begun: mend that, or name the others alone"
    ) from error


def _files(root: Path) -> Iterator[Path]:
    """All that lies under a folder, also behind links to folders, each of which is walked through once.

    Hidden folders are passed by: they hold what programs keep for themselves, and often copies of what is outside.
    """
    visited = {os.path.realpath(root)}
    for folder, names, files in os.walk(root, onerror=refuse_unreadable, followlinks=True):
        names[:] = [name for name in names if not name.startswith(".")]
        targets = {name: os.path.realpath(os.path.join(folder, name)) for name in names}
        names[:] = [name for name in sorted(names) if targets[name] not in visited]
        visited.update(targets.values())
        yield from (Path(folder, name) for name in files)


def _is_sound(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            if tag := mpeg.id3_bytes(stream.read(10)):
                stream.seek(tag)
            else:
                stream.seek(0)
            return kinds.of(stream.read(kinds.HEAD_BYTES)) is not None
    except OSError:
        return False
