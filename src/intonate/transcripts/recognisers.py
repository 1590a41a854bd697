"""Speech to text: words with their times, by a recogniser of speech that runs on this machine.

    transcribe = transcriber("whisper:small")
    transcribe("clip.wav").text

A recording of any length is cut at its quietest moments into pieces of at most 30 s, in constant memory, and pieces
without speech are left out, and words at a time at which nobody speaks: recognisers write down words even where there
are none.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from intonate import catalogue
from intonate.audio.decode import Source, Waveform, blocks, load
from intonate.audio.energy import HOP_S, frame_power
from intonate.audio.voice import voice_frames
from intonate.cancellation import check
from intonate.errors import IntonateError, MissingExtraError, ModelError, did_you_mean, first_line, require
from intonate.published.files import not_here
from intonate.schema import Segment

EXTRA = "transcribe"
BEST = "best"
POCKETSPHINX, WHISPER = "pocketsphinx", "whisper"
# Both recognisers were trained on this rate, Hz.
RATE_HZ = 16_000
# Whisper hears 30 s at a time (Radford et al. 2022); a piece is cut in its last third, in the middle of the quietest
# 0.3 s, which is longer than the closure of any consonant.
PIECE_S, CUT_AFTER_S, PAUSE_S = 30.0, 20.0, 0.3
# A word further than this from any speech is none, seconds: recognisers give times roughly, and words fade.
NEAR_S = 0.5
# What `whisper` alone looks for, in this order: good and small enough for a CPU first.
SIZES = ("small", "small.en", "base", "base.en", "tiny", "tiny.en", "medium", "medium.en", "turbo", "large-v3")
# Weights are stored in 16 bits: twice the millions of parameters of the paper's table 1 (of turbo: of its model card).
MEGABYTES = {"tiny": 78, "base": 148, "small": 488, "medium": 1538, "turbo": 1618, "large": 3100}
FILES = ("model.bin", "config.json", "tokenizer.json")
# Recognisers that answer more than words, and so live higher up: what makes one of a model's name.
MODELS = {"sensevoice": "intonate.recognizer.own_words:load_transcriber"}
# Unicode's blocks of Han, Kana, their punctuation and their wide forms.
SPACELESS = (
    (0x2E80, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF00, 0xFF9F),
    (0x20000, 0x3FFFF),
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its times, seconds from the start of the recording."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of a recording.

    Attributes:
        words: in order.
        language: ISO 639-1 code; empty where there is no speech.
        warnings: sentences about what was not heard (`audio.decode.load`).
    """

    words: tuple[Word, ...] = ()
    language: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return joined(word.text for word in self.words)

    def text_between(self, start_s: float, end_s: float) -> str:
        """The words whose middle lies in start_s <= t < end_s, so that stretches in a row share no word."""
        return joined(word.text for word in self.words if start_s <= (word.start_s + word.end_s) / 2 < end_s)


def joined(words: Iterable[str]) -> str:
    """The words as a text: with spaces, but for those between Han and Kana."""
    text = ""
    for word in filter(None, words):
        text += word if not text or (is_spaceless(text[-1]) and is_spaceless(word[0])) else f" {word}"
    return text


def is_spaceless(letter: str) -> bool:
    """Whether a letter is of a script that is written without spaces: Han, Kana, and their punctuation."""
    return any(first <= ord(letter) <= last for first, last in SPACELESS)


# (waveform (samples,) of at most `PIECE_S` at `RATE_HZ`, language or "" to find out) -> the words in it, the language.
Recognise: TypeAlias = Callable[[Waveform, str], tuple[list[Word], str]]


@dataclass(frozen=True)
class Transcriber:
    """A recogniser of speech, ready; threads take turns. Made by `transcriber`.

    Attributes:
        name: as it was given, `whisper:small`.
        version: of the package that runs it.
        caution: a sentence about its limits, or empty.
    """

    name: str
    version: str
    recognise: Recognise = field(repr=False)
    caution: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __call__(self, source: Source, start_s: float = 0.0, end_s: float | None = None) -> Transcript:
        """Transcribe a recording, or a stretch of it; the times are those of the recording.

        Args:
            source: as in `Recognizer.predict`.
            start_s: where to start, seconds.
            end_s: where to stop, seconds; None for the end.

        Raises:
            AudioError: the sound is missing, unreadable, empty or not finite.
        """
        warnings: list[str] = []
        later_warnings: list[str] | None = warnings
        if start_s or end_s is not None:
            source = (load(source, RATE_HZ, start_s, end_s, warnings=warnings), RATE_HZ)
            later_warnings = None  # all is told
        words: list[Word] = []
        language = ""
        for offset_s, piece in pieces(blocks(source, RATE_HZ, PIECE_S, later_warnings)):
            voiced = voice_frames(piece, RATE_HZ)
            if not voiced.any():
                continue
            with self._lock:
                piece_words, language = self.recognise(piece, language)
            offset_s += start_s
            words += [
                Word(word.text, word.start_s + offset_s, word.end_s + offset_s)
                for word in piece_words
                if _is_voiced(word, voiced)
            ]
        return Transcript(tuple(words), language if words else "", tuple(warnings))


def _is_voiced(word: Word, voiced: NDArray[np.bool_]) -> bool:
    """Whether somebody speaks in a word's time or near it, by frames of `HOP_S`."""
    first_frame, last_frame = (round(time_s / HOP_S) for time_s in (word.start_s - NEAR_S, word.end_s + NEAR_S))
    return bool(voiced[max(0, first_frame) : last_frame + 1].any())


def transcriber(name: str | bool | Transcriber | None = None) -> Transcriber:
    """A recogniser of speech by its name.

    Args:
        name: `whisper:SIZE` or `whisper:FOLDER` (faster-whisper); `whisper` for the best size that is here;
            `pocketsphinx` (English only, weak, its model comes with the package); `sensevoice` (converted before), or
            `sensevoice:MODEL` for a file or a folder of one; None, True or `best` for Whisper if it is installed and a
            model is here, else pocketsphinx. What is a `Transcriber` already is given back.

    Raises:
        ModelError: there is no such recogniser, or its model is not on this machine. Nothing is ever fetched.
        MissingExtraError: it is not installed.
    """
    if isinstance(name, Transcriber):
        return name
    return _load_transcriber(BEST if name is None or name is True else str(name))


def is_recogniser_name(name: str) -> bool:
    """Whether this can only be the name of a recogniser."""
    kinds = (WHISPER, *MODELS)
    return name in (BEST, POCKETSPHINX, *kinds) or name.startswith(tuple(f"{kind}:" for kind in kinds))


def pieces(blocks: Iterable[Waveform]) -> Iterator[tuple[float, Waveform]]:
    """(start in seconds, piece (samples,) at `RATE_HZ` of at most `PIECE_S`), cut where it is quiet."""
    longest_samples, buffer, offset = round(PIECE_S * RATE_HZ), np.zeros(0, np.float32), 0
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        while len(buffer) > longest_samples:
            cut_sample = _quietest_sample(buffer[:longest_samples])
            yield offset / RATE_HZ, buffer[:cut_sample]
            buffer, offset = buffer[cut_sample:], offset + cut_sample
    if len(buffer):
        yield offset / RATE_HZ, buffer


def _quietest_sample(waveform: Waveform) -> int:
    """The sample in the middle of the quietest pause of the last third."""
    first_frame, pause_frames = round(CUT_AFTER_S / HOP_S), round(PAUSE_S / HOP_S)
    power = np.convolve(frame_power(waveform, RATE_HZ)[first_frame:], np.ones(pause_frames), "valid")
    return round((first_frame + int(np.argmin(power)) + pause_frames / 2) * HOP_S * RATE_HZ)


def with_words(segments: Iterable[Segment], transcript: Transcript) -> tuple[Segment, ...]:
    """Segments of a timeline, each with its words; a word in a stretch of silence goes to the nearest speech."""
    timeline = list(segments)
    places = [place for place, segment in enumerate(timeline) if segment.speech]
    words_at: dict[int, list[str]] = {place: [] for place in places}
    for word in transcript.words if places else ():
        middle = (word.start_s + word.end_s) / 2
        nearest = min(places, key=lambda place: max(timeline[place].start_s - middle, middle - timeline[place].end_s))
        words_at[nearest].append(word.text)
    return tuple(
        dataclasses.replace(segment, text=joined(words_at.get(place, ()))) for place, segment in enumerate(timeline)
    )


@lru_cache(maxsize=2)
def _load_transcriber(name: str) -> Transcriber:
    if name == BEST:
        try:
            return _load_transcriber(WHISPER)
        except (MissingExtraError, ModelError):
            return _load_transcriber(POCKETSPHINX)
    kind, _, model = name.partition(":")
    if kind == WHISPER:
        return _load_whisper(model)
    if name == POCKETSPHINX:
        return _load_pocketsphinx()
    if kind in MODELS:
        load_model: Callable[[str], Transcriber] = catalogue.load(kind, MODELS, "recogniser of speech", ModelError)
        return load_model(model)
    suggestion = did_you_mean(name, (BEST, POCKETSPHINX, WHISPER, *MODELS))
    raise ModelError(
        f"no recogniser of speech is called {name!r}; {suggestion}; whisper:small, or whisper:FOLDER for a model of "
        "yours"
    )


def _load_whisper(model: str) -> Transcriber:
    # Only files are read, and the hub's client must not report it either.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    package = require("faster_whisper", EXTRA)
    size = model or next((size for size in SIZES if _cached_whisper_folder(package, size)), SIZES[0])
    folder = Path(size) if Path(size).is_dir() else _cached_whisper_folder(package, size)
    if folder is None:
        raise _missing_model_error(package, size)
    for file in FILES:  # without tokenizer.json it would go and fetch one
        if not (folder / file).is_file():
            raise ModelError(
                f"{folder} has no {file}; expected a Whisper model as CTranslate2 reads it ({', '.join(FILES)}), e.g. "
                "the folder that `hf download Systran/faster-whisper-small --local-dir FOLDER` makes"
            )
    try:
        network = package.WhisperModel(str(folder), device="auto", compute_type="auto", local_files_only=True)
    except Exception as error:  # CTranslate2 and tokenizers raise plain RuntimeError and Exception
        raise ModelError(f"the Whisper model in {folder} cannot be read: {first_line(error)}") from error

    def recognise(waveform: Waveform, language: str) -> tuple[list[Word], str]:
        segments, info = network.transcribe(
            waveform, language=language or None, word_timestamps=True, condition_on_previous_text=False
        )
        words: list[Word] = []
        for segment in segments:
            check()
            words += [
                Word(" ".join(word.word.split()), float(word.start), float(word.end)) for word in segment.words or ()
            ]
        return [word for word in words if word.text], str(info.language)

    return Transcriber(f"{WHISPER}:{size}", _package_version("faster-whisper"), recognise)


def _cached_whisper_folder(package: Any, size: str) -> Path | None:
    """The folder of a published size in the cache of the hub's client, complete."""
    if size not in package.available_models():
        return None
    hub = require("huggingface_hub", EXTRA)
    try:
        folder = Path(package.utils.download_model(size, local_files_only=True))
    except (hub.errors.LocalEntryNotFoundError, OSError, ValueError):
        return None
    return folder if all((folder / file).is_file() for file in FILES) else None


def _missing_model_error(package: Any, size: str) -> IntonateError:
    known_sizes = package.available_models()
    if size not in known_sizes:
        return ModelError(f"whisper:{size} is neither a folder nor a size; {did_you_mean(size, known_sizes)}")
    repository = package.utils._MODELS[size]
    family = next((name for name in MEGABYTES if size.startswith(name)), "")
    folder = repository.rpartition("/")[2]
    return not_here(
        f"whisper:{size}",
        f"hf download {repository} --local-dir {folder}",
        f"bring that folder here ({', '.join(FILES)} of it) and give whisper:{folder}",
        size_mb=MEGABYTES.get(family),
    )


def _load_pocketsphinx() -> Transcriber:
    package = require("pocketsphinx", EXTRA)
    decoder = package.Decoder(samprate=float(RATE_HZ), loglevel="FATAL")
    frame_s = 1 / decoder.config["frate"]

    def recognise(waveform: Waveform, _: str) -> tuple[list[Word], str]:
        pcm = (np.clip(waveform, -1.0, 1.0) * 32767).astype("<i2").tobytes()
        # It would go on with the mean and the noise of the recording before: answers must not depend on the order.
        decoder.reinit_feat()
        decoder.start_utt()
        decoder.process_raw(pcm, False, True)  # the whole piece at once: its mean is taken off beforehand
        decoder.end_utt()
        if decoder.hyp() is None:
            return [], "en"
        # `<sil>`, `[NOISE]` and `++UH++` are no words; `the(2)` is another way to say `the`.
        words = [word for word in decoder.seg() if word.word[0] not in "<[+"]
        return [
            Word(word.word.partition("(")[0], word.start_frame * frame_s, (word.end_frame + 1) * frame_s)
            for word in words
        ], "en"

    caution = "pocketsphinx knows English only and gets many words wrong; where you can fetch it, use whisper:small"
    return Transcriber(POCKETSPHINX, _package_version(POCKETSPHINX), recognise, caution)


def _package_version(package: str) -> str:
    from importlib import metadata

    return f"{package} {metadata.version(package)}"
