"""`intonate listen`: the microphone in the terminal, as bars that move.

The sound comes from the microphone (extra `mic`) or, to try it or to see it again, from a file at the speed of life.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from intonate.audio import decode
from intonate.errors import AudioError, IntonateError, require
from intonate.recognizer.plain_stream import PlainStream
from intonate.recognizer.recognizer import load_model
from intonate.recognizer.streaming import Event, Stream, level_dbfs
from intonate.transcripts.recognisers import Transcriber
from intonate.transcripts.words import Said, Words

CHUNK_S = 0.1
FILE_HZ = 16_000
BAR, LEVEL_BAR = 40, 20
# What the level meter shows: from a quiet room to full scale, dBFS.
LOWEST_DBFS = -60.0
# Utterances that stay on the screen.
LATEST = 8


@dataclass(slots=True)
class _Screen:
    """What is shown now."""

    title: str
    segment: Event | None = None
    level: float = LOWEST_DBFS
    finals: list[Event] = field(default_factory=list)
    said: dict[float, Said] = field(default_factory=dict)  # by when the utterance began

    def __rich__(self) -> Group:
        now = self.segment
        label = now.label if now else "…"
        head = Text.assemble((f" {label} ", "bold reverse" if now and now.scores else "bold dim"), f"  {self.title}")
        share = min(1.0, max(0.0, 1 - self.level / LOWEST_DBFS))
        meter = Text("level " + "▮" * round(share * LEVEL_BAR) + "▯" * (LEVEL_BAR - round(share * LEVEL_BAR)), "dim")
        bars = Table.grid(padding=(0, 2))
        for name, score in now.scores.items() if now else ():
            bars.add_row(name, "█" * round(score * BAR) + " " * (BAR - round(score * BAR)), f"{score:4.0%}")
        return Group(head, meter, bars, *self.told(LATEST))

    def told(self, latest: int = 0) -> Iterator[Text]:
        """The utterances, or only so many of the latest, and the words under each."""
        for event in self.finals[-latest:]:
            yield _line(event)
            if said := self.said.get(event.start_s):
                yield _line(said)


def listen(
    *,
    model: str | None = None,
    file: str | None = None,
    labels: str | None = None,
    plain: bool = False,
    device: str | None = None,
    transcribe: Transcriber | None = None,
    real_time: bool = True,
    console: Console | None = None,
) -> None:
    """Listen until interrupted, or to the end of the file.

    Args:
        model: a built-in name, a model file or a run folder.
        file: play this instead of the microphone.
        labels: a merge of the emotions.
        plain: see `Recognizer.stream`.
        device: name or number of the microphone; None for the usual one.
        transcribe: writes down each utterance when it has ended; the bars never wait for it.
        real_time: whether a file takes as long as it lasts.
        console: where to draw.

    Raises:
        AudioError: there is no microphone, or the file cannot be read.
        IntonateError: words were asked for of plain pieces, which are no utterances.
        MissingExtraError: the extra `mic` is not installed.
    """
    if plain and transcribe:
        raise IntonateError("plain pieces cut words in two; leave out --plain or --transcribe")
    recognizer = load_model(model)
    if file is None:
        rate_hz, chunks = _microphone(device)
    else:
        rate_hz, chunks = FILE_HZ, _played(file, real_time)
    heard = _heard(recognizer.stream(rate_hz, plain=plain, labels=labels), chunks, rate_hz, transcribe)
    console = console or Console()
    screen = _Screen(f"how the voice sounds, not how anyone feels · {recognizer.spec.name} · Ctrl-C stops")
    # A pipe gets lines; a terminal gets a picture that moves.
    if console.is_terminal:
        try:
            with Live(screen, console=console, refresh_per_second=15, transient=True):
                for chunk, events in heard:
                    _update(screen, chunk, events)
        finally:  # a microphone has no end but Ctrl-C: what was heard stays on the screen
            for line in screen.told():
                console.print(line)
        return
    for _, events in heard:
        for event in events:
            console.print(_line(event), soft_wrap=True)


def _heard(
    stream: Stream | PlainStream, chunks: Iterable[NDArray[np.float32]], rate_hz: int, hear: Transcriber | None
) -> Iterator[tuple[NDArray[np.float32] | None, list[Event | Said]]]:
    """Each chunk with what there is to tell after it: of the voice, and the words of utterances before."""
    writer = ThreadPoolExecutor(1, "words")
    words = None if hear is None else Words(lambda sound: writer.submit(hear, sound), rate_hz)

    def told(events: list[Event], chunk: NDArray[np.float32] | None = None) -> list[Event | Said]:
        return [*events, *(words.follow(events, chunk) if words else ())]

    try:
        for chunk in chunks:
            yield chunk, told(stream.push(chunk), chunk)
        yield None, told(stream.finish())
        writer.shutdown()  # nothing is left to hear: now for the last words
        yield None, told([])
    finally:
        writer.shutdown(wait=False, cancel_futures=True)


def _update(screen: _Screen, chunk: NDArray[np.float32] | None, events: Iterable[Event | Said]) -> None:
    if chunk is not None and len(chunk):
        screen.level = level_dbfs(chunk)
    for event in events:
        if isinstance(event, Said):
            screen.said[event.start_s] = event
        elif event.type == "final":
            screen.finals.append(event)
        else:
            screen.segment = event


def _line(event: Event | Said) -> Text:
    if isinstance(event, Said):
        return Text(f"{event.start_s:7.1f} s – {event.end_s:6.1f} s  “{event.text}”", "italic")
    best = ", ".join(f"{label} {score:.0%}" for label, score in list(event.scores.items())[:2])
    line = f"{event.start_s:7.1f} s – {event.end_s:6.1f} s  {event.label:<9} {best}"
    return Text(line.rstrip(), "bold" if event.type == "final" else "")


def _played(file: str, real_time: bool) -> Iterator[NDArray[np.float32]]:
    began = time.monotonic()
    for number, block in enumerate(decode.blocks(file, FILE_HZ, CHUNK_S), start=1):
        if real_time:
            time.sleep(max(0.0, began + number * CHUNK_S - time.monotonic()))
        yield block


def _microphone(device: str | None) -> tuple[int, Iterator[NDArray[np.float32]]]:
    """Its own rate, and its chunks until interrupted."""
    sounddevice = _sounddevice()
    chosen = int(device) if device is not None and device.isdecimal() else device
    try:
        rate_hz = round(sounddevice.query_devices(chosen, "input")["default_samplerate"])
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(f"there is no microphone that can be used: {error}") from error

    def chunks() -> Iterator[NDArray[np.float32]]:
        # The driver's thread only puts chunks here: what computes never makes it wait.
        heard: queue.SimpleQueue[NDArray[np.float32]] = queue.SimpleQueue()

        def take(data: NDArray[np.float32], *_: Any) -> None:
            heard.put(data[:, 0].copy())

        try:
            with sounddevice.InputStream(rate_hz, round(CHUNK_S * rate_hz), chosen, 1, "float32", callback=take):
                while True:
                    yield heard.get()
        except sounddevice.PortAudioError as error:
            raise AudioError(f"the microphone cannot be used: {error}") from error

    return rate_hz, chunks()


def _sounddevice() -> Any:
    try:
        return require("sounddevice", "mic")
    except OSError as error:  # its wheel for Linux has no PortAudio inside
        raise AudioError(
            "the PortAudio library is missing; install it (Debian: apt install libportaudio2) or use --file"
        ) from error
