"""`intonate archive`, behind the options."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from intonate.archive.folder import ANSWERS
from intonate.archive.progress import bar, clock, status
from intonate.archive.run import archive
from intonate.errors import ArchiveError, plural


def run(sources: Sequence[str], out: Path, *, is_status: bool = False, **options: Any) -> str:
    """What to print: what was done, or how far the archive is.

    Raises:
        IntonateError: as `run.archive`.
    """
    if is_status:
        return status(out)
    if not all(sources) or not sources:
        raise ArchiveError("nothing to answer: name files, folders, globs, manifests, .tar or .parquet files, or URLs")
    try:
        with bar() as show:
            done = archive(sources, out, show=show, **options)
    except KeyboardInterrupt:
        print(f"intonate: stopped; run the same command again to go on where it was ({out})", file=sys.stderr)
        raise
    for note in done.notes:
        print(f"intonate: {note}", file=sys.stderr)
    if done.changed:
        print(
            f"intonate: changed since they were answered, with the rows of before: {plural(done.changed, 'file')}; "
            "--again answers them anew",
            file=sys.stderr,
        )
    if not done.answered:
        return f"nothing is new, {plural(done.total_files, 'file')} answered already: {out / ANSWERS}"
    told = "see the column error, and --again"
    errors = f" ({done.errors:,} of them could not be answered: {told})" if done.errors else ""
    hours = f"{done.audio_s / 3600:,.2f} h of sound"
    files = f"{plural(done.answered, 'file')}{errors}"
    return f"{files}, {hours} in {clock(done.wall_s)}: {done.rate()}\nwritten to {out / ANSWERS}"
