"""Recorded backgrounds: a folder of sounds (or one), its files by name, each decoded once in a process."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intonate.audio.decode import load
from intonate.errors import RecipeError

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif")
# Sounds kept in memory: of a minute each, 4 MB at 16 kHz.
CACHED_SOUNDS = 32


def sounds(path: str) -> list[str]:
    """The file itself, or the sounds that lie in the folder, by name.

    Raises:
        RecipeError: there is nothing of that name, or no sound in the folder.
    """
    folder = Path(path).expanduser()
    if folder.is_file():
        return [str(folder)]
    if not folder.is_dir():
        raise RecipeError(f"noise folder {path} does not exist; set path to a folder of sounds, or to one sound")
    files = sorted(str(file) for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise RecipeError(f"noise folder {path} holds no sound ({', '.join(SUFFIXES)})")
    return files


@lru_cache(CACHED_SOUNDS)
def load_sound(file: str, sample_rate_hz: int) -> NDArray[np.float32]:
    """(samples,) float32.

    Raises:
        AudioError: the file cannot be used.
    """
    return load(file, sample_rate_hz)


def digest(path: str) -> str:
    """Tells these sounds from others, wherever they lie and whatever they are called."""
    content_hash = hashlib.blake2b(digest_size=16)
    for file in sounds(path):
        content_hash.update(hashlib.blake2b(Path(file).read_bytes()).digest())
    return content_hash.hexdigest()
