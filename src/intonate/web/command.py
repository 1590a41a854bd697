"""`intonate web`: what was written, in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from intonate.web.site import write_site


def command(out: str | Path, models: Sequence[str] = (), runtime: str | Path | None = None) -> str:
    """Write the folder (`site.write_site`), and say what it is and how to look at it."""
    site = write_site(out, models, runtime)
    files = [path for path in site.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    return (
        f"{len(files)} files, {size:.1f} MB: the first visit loads them, and later ones need no network\n"
        f"put the folder on any web server with HTTPS, or try it: python -m http.server --directory {site} 8000\n"
        f"{site}"
    )
