"""How far an archive is: of the run that is under way, and of one that is looked at from outside."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intonate.archive import folder
from intonate.archive.shards import Shard
from intonate.errors import plural, require

# Without a terminal, a line goes to the log this often, seconds.
LINE_EVERY_S = 60.0


@dataclass(slots=True)
class Progress:
    """What is done of an archive.

    Attributes:
        files: that have a row, those of earlier runs among them.
        total_files: that are planned.
        size: bytes of the sounds that have a row, as listed.
        total_size: of all that are planned.
        begun: files of shards that are under way.
        changed: files that have changed since an earlier run answered them, by their size or time.
        answered: files that this run gave a row.
        errors: of those, rows without an answer.
        audio_s: of those, seconds of sound.
        since: when this run began to answer, by the monotonic clock.
        run_size: bytes of the sounds that this run gave a row.
        notes: sentences about files that the sources hold and that were left out.
    """

    files: int
    total_files: int
    size: int
    total_size: int
    begun: int = 0
    changed: int = 0
    answered: int = 0
    errors: int = 0
    audio_s: float = 0.0
    run_size: int = 0
    notes: list[str] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    @property
    def wall_s(self) -> float:
        return max(time.monotonic() - self.since, 1e-9)

    @property
    def left_s(self) -> float | None:
        """Time left, by the bytes that are left; None while nothing is known."""
        if not self.run_size:
            return None
        return (self.total_size - self.size) * self.wall_s / self.run_size

    def add(self, shard: Shard, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count a shard that has been written."""
        self.files += len(rows)
        self.answered += len(rows)
        self.begun = max(0, self.begun - len(rows))
        self.size += shard.size
        self.run_size += shard.size
        self.errors += sum(row["error"] is not None for row in rows)
        self.audio_s += sum(row.get("duration") or 0.0 for row in rows)

    def rate(self) -> str:
        """`120 files/s, 443 × real time`."""
        if not self.answered:
            return "starting"
        return f"{self.answered / self.wall_s:,.1f} files/s, {self.audio_s / self.wall_s:,.0f} × real time"

    def sentence(self) -> str:
        """`512 of 1,440 files, 120.0 files/s, 443 × real time, 0:00:08 left`."""
        time_left = "" if self.left_s is None else f", {clock(self.left_s)} left"
        return f"{self.files:,} of {plural(self.total_files, 'file')}, {self.rate()}{time_left}"

    def to_json(self) -> str:
        return json.dumps({"rate": self.rate(), "left_s": self.left_s})


def clock(seconds: float) -> str:
    """`1:02:03`."""
    minutes, seconds_left = divmod(round(seconds), 60)
    return f"{minutes // 60:,}:{minutes % 60:02d}:{seconds_left:02d}"


@contextlib.contextmanager
def bar() -> Iterator[Callable[[Progress], None]]:
    """A bar on standard error with speed and time left; a line a minute where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console, last_line_s = Console(stderr=True), [time.monotonic()]
    if not console.is_terminal:

        def line(progress: Progress) -> None:
            if time.monotonic() - last_line_s[0] >= LINE_EVERY_S:
                last_line_s[0] = time.monotonic()
                console.print(f"intonate: {progress.sentence()}", highlight=False, soft_wrap=True)

        yield line
        return
    with Bar(BarColumn(), TextColumn("{task.description}"), console=console, transient=True) as rich_bar:
        task = rich_bar.add_task("listing", total=None)

        def update(progress: Progress) -> None:
            rich_bar.update(
                task,
                total=progress.total_files,
                completed=progress.files + progress.begun,
                description=progress.sentence(),
            )

        yield update


def status(out: Path) -> str:
    """How far the archive in a folder is, whether it is being written or not.

    Raises:
        ArchiveError: the folder holds no archive.
    """
    filelock = require("filelock", "archive")
    about, shards_done = folder.read_about(out), folder.finished_shards(out)
    lock = filelock.FileLock(out / folder.LOCK)
    try:
        lock.acquire(timeout=0)
        lock.release()
        is_running = False
    except filelock.Timeout:
        is_running = True
    except OSError:  # no right to write here: nor has a run of this user
        is_running = False
    files = total = size = total_size = errors = 0
    audio_s = 0.0
    for shard in folder.planned_shards(out):
        total, total_size = total + len(shard.entries), total_size + shard.size
        if shard.name in shards_done:
            files, size = files + len(shard.entries), size + shard.size
            table = folder.read_table(out, shard, ["error", "duration"])
            errors += len(table) - table["error"].null_count
            audio_s += sum(table["duration"].drop_null().to_pylist())
    state = "complete" if files == total else "running" if is_running else "stopped (the same command goes on)"
    counts = f"{files:,} of {plural(total, 'file')}, {audio_s / 3600:,.2f} h of sound, {plural(errors, 'error')}"
    shards = f"model {about['model']}, {plural(len(shards_done), 'shard')} in {out / folder.ANSWERS}"
    lines = [f"{out}: {state}", f"  {counts}", f"  {shards}"]
    if is_running and (out / folder.PROGRESS).exists():
        progress = json.loads((out / folder.PROGRESS).read_text(encoding="utf-8"))
        time_left = "" if progress["left_s"] is None else f", {clock(progress['left_s'])} left"
        lines.append(f"  {progress['rate']}{time_left}")
    return "\n".join(lines)
