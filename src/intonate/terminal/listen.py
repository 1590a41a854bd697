"""`intonate listen`: the microphone in the terminal, as bars that move.

The sound comes from the microphone (extra `mic`) or, to try it or to see it again, from a file at the speed of life.
"""

from __future__ import annotations

import queue
import sys
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
from intonate.audio.voice import level_dbfs
from intonate.errors import AudioError, IntonateError, require
from intonate.recognizer.plain_stream import PlainStream
from intonate.recognizer.recognizer import load_model
from intonate.recognizer.streaming import Event, Stream
from intonate.terminal.command import STANDARD_INPUT, standard_input
from intonate.transcripts.recognisers import Transcriber
from intonate.transcripts.stream_transcriber import StreamTranscriber, TranscriptEvent

CHUNK_S = 0.1
FILE_HZ = 16_000
BAR, LEVEL_BAR = 40, 20
# What the level meter shows: from a quiet room to full scale, dBFS.
LOWEST_DBFS = -60.0
# Utterances that stay on the screen.
SHOWN_UTTERANCES = 8


@dataclass(slots=True)
class _Screen:
    """What the terminal shows: the level, the newest segment, the latest utterances."""

    title: str
    segment: Event | None = None
    level: float = LOWEST_DBFS
    utterances: list[Event] = field(default_factory=list)
    transcripts: dict[float, TranscriptEvent] = field(default_factory=dict)  # by the start of the utterance

    def __rich__(self) -> Group:
        segment = self.segment
        label = segment.label if segment else "…"
        headline = Text.assemble(
            (f" {label} ", "bold reverse" if segment and segment.scores else "bold dim"), f"  {self.title}"
        )
        width = round(min(1.0, max(0.0, 1 - self.level / LOWEST_DBFS)) * LEVEL_BAR)
        meter = Text("level " + "▮" * width + "▯" * (LEVEL_BAR - width), "dim")
        bars = Table.grid(padding=(0, 2))
        for name, score in {**segment.scores, **segment.dimensions}.items() if segment else ():
            bars.add_row(name, "█" * round(score * BAR) + " " * (BAR - round(score * BAR)), f"{score:4.0%}")
        return Group(headline, meter, bars, *self.utterance_lines(SHOWN_UTTERANCES))

    def utterance_lines(self, count: int = 0) -> Iterator[Text]:
        """The utterances, or the latest `count` of them, each with its transcript."""
        for event in self.utterances[-count:]:
            yield _event_line(event)
            if transcript := self.transcripts.get(event.start_s):
                yield _event_line(transcript)


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
    """Listen until interrupted, or to the end of the file; what was not heard of that is then told on standard error.

    Args:
        model: a built-in name, a model file or a run folder.
        file: play this instead of the microphone; `-` for standard input.
        labels: a merge of the emotions.
        plain: see `Recognizer.stream`.
        device: name or number of the microphone; None for the usual one.
        transcribe: transcribes each utterance when it has ended; the bars never wait for it.
        real_time: whether a file takes as long as it lasts.
        console: where to draw.

    Raises:
        AudioError: there is no microphone, or the file cannot be read.
        IntonateError: a transcript of plain pieces, which are no utterances.
        MissingExtraError: the extra `mic` is not installed.
    """
    if plain and transcribe:
        raise IntonateError("plain pieces cut words in two; leave out --plain or --transcribe")
    recognizer, warnings = load_model(model), list[str]()
    if file is None:
        rate_hz, chunks = _microphone(device)
    else:
        rate_hz, chunks = FILE_HZ, _file_chunks(file, real_time, warnings)
    events = _events(recognizer.stream(rate_hz, plain=plain, labels=labels), chunks, rate_hz, transcribe)
    console = console or Console()
    screen = _Screen(f"how the voice sounds, not how anyone feels · {recognizer.spec.name} · Ctrl-C stops")
    # A pipe gets lines; a terminal gets a picture that moves.
    if console.is_terminal:
        try:
            with Live(screen, console=console, refresh_per_second=15, transient=True):
                for chunk, new_events in events:
                    _update_screen(screen, chunk, new_events)
        finally:  # a microphone has no end but Ctrl-C: the utterances stay on the screen
            for line in screen.utterance_lines():
                console.print(line)
    else:
        for _, new_events in events:
            for event in new_events:
                console.print(_event_line(event), soft_wrap=True)
    for sentence in warnings:
        print(f"intonate: {sentence}", file=sys.stderr)


def _events(
    stream: Stream | PlainStream, chunks: Iterable[NDArray[np.float32]], rate_hz: int, transcriber: Transcriber | None
) -> Iterator[tuple[NDArray[np.float32] | None, list[Event | TranscriptEvent]]]:
    """Each chunk with its events, and the transcripts of earlier utterances that have become ready."""
    pool = ThreadPoolExecutor(1, "transcripts")
    stream_transcriber = None
    if transcriber is not None:
        stream_transcriber = StreamTranscriber(lambda samples: pool.submit(transcriber, samples), rate_hz)

    def with_transcripts(
        events: list[Event], chunk: NDArray[np.float32] | None = None
    ) -> list[Event | TranscriptEvent]:
        return [*events, *(stream_transcriber.update(events, chunk) if stream_transcriber else ())]

    try:
        for chunk in chunks:
            yield chunk, with_transcripts(stream.push(chunk), chunk)
        yield None, with_transcripts(stream.finish())
        pool.shutdown()  # the sound is at its end; the last transcripts are not
        yield None, with_transcripts([])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _update_screen(
    screen: _Screen, chunk: NDArray[np.float32] | None, events: Iterable[Event | TranscriptEvent]
) -> None:
    if chunk is not None and len(chunk):
        screen.level = level_dbfs(chunk)
    for event in events:
        if isinstance(event, TranscriptEvent):
            screen.transcripts[event.start_s] = event
        elif event.type == "final":
            screen.utterances.append(event)
        else:
            screen.segment = event


def _event_line(event: Event | TranscriptEvent) -> Text:
    if isinstance(event, TranscriptEvent):
        return Text(f"{event.start_s:7.1f} s – {event.end_s:6.1f} s  “{event.text}”", "italic")
    best_scores = ", ".join(
        [f"{label} {score:.0%}" for label, score in list(event.scores.items())[:2]]
        + [f"{name} {value:.2f}" for name, value in event.dimensions.items()]
    )
    line = f"{event.start_s:7.1f} s – {event.end_s:6.1f} s  {event.label:<9} {best_scores}"
    return Text(line.rstrip(), "bold" if event.type == "final" else "")


def _file_chunks(file: str, real_time: bool, warnings: list[str]) -> Iterator[NDArray[np.float32]]:
    start_s = time.monotonic()
    source = standard_input() if file == STANDARD_INPUT else file
    for number, block in enumerate(decode.blocks(source, FILE_HZ, CHUNK_S, warnings), start=1):
        if real_time:
            time.sleep(max(0.0, start_s + number * CHUNK_S - time.monotonic()))
        yield block


def _microphone(device: str | None) -> tuple[int, Iterator[NDArray[np.float32]]]:
    """Its own rate in Hz, and its chunks until interrupted."""
    sounddevice = _sounddevice()
    device_id = int(device) if device is not None and device.isdecimal() else device
    try:
        rate_hz = round(sounddevice.query_devices(device_id, "input")["default_samplerate"])
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(f"there is no microphone that can be used: {error}") from error

    def chunks() -> Iterator[NDArray[np.float32]]:
        # The driver's thread only puts chunks here: what computes never makes it wait.
        chunk_queue: queue.SimpleQueue[NDArray[np.float32]] = queue.SimpleQueue()

        def enqueue(data: NDArray[np.float32], *_: Any) -> None:
            chunk_queue.put(data[:, 0].copy())

        try:
            with sounddevice.InputStream(rate_hz, round(CHUNK_S * rate_hz), device_id, 1, "float32", callback=enqueue):
                while True:
                    yield chunk_queue.get()
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
