"""A tab of the browser on the page, and a service behind it: what fixtures and tests of the page are made of."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wire import Wire

ROOT = Path(__file__).parents[2]


class Site:
    """The page, and what stands behind it."""

    def __init__(self, browser: Any, port: int, fake: Any = None) -> None:
        self.browser, self.fake, self.wire = browser, fake, Wire(port)
        self.origin = f"http://localhost:{self.wire.port}"
        self.contexts: list[Any] = []
        self.problems: list[str] = []
        self.requests: list[str] = []

    def open(self, ready: bool = True, **options: Any) -> Any:
        """A new tab; `options` are those of a Playwright context."""
        context = self.browser.new_context(**{"viewport": {"width": 1200, "height": 860}} | options)
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", lambda said: self.problems.append(said.text) if said.type in ("error", "warning") else None)
        page.goto(self.origin)
        if ready:
            page.wait_for_selector("#connection[data-state=ready]")
        return page

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        self.wire.close()


@contextlib.contextmanager
def checked(site: Site) -> Iterator[Site]:
    """What every test asks of the page, whatever else it asks: no error, and not one request elsewhere."""
    try:
        yield site
        own = (site.origin, site.origin.replace("http", "ws"), "blob:", "data:")
        strangers = [url for url in site.requests if not url.startswith(own)]
        assert strangers == []
        assert site.problems == []
    finally:
        site.close()


@contextlib.contextmanager
def served(*models: Path) -> Iterator[int]:
    """`intonate serve` with these models; its port."""
    pytest.importorskip("fastapi", reason="needs the extra service")
    from fake_service import free_port

    port = free_port()
    command = [sys.executable, "-m", "intonate", "serve", "--port", str(port)]
    command += [word for model in models for word in ("--model", str(model))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        # Two minutes is what a machine with much else to do has needed.
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        said = process.stdout.readline()
        watchdog.cancel()
        assert "listening at" in said, said + process.stdout.read()
        yield port
        process.terminate()
