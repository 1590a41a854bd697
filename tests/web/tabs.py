"""A folder over HTTP, and the page in a tab of its own."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from pathlib import Path
from typing import Any


class Server:
    """A folder over HTTP; `requests` are the paths that were asked for."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        requests = self.requests

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                # The browser itself looks for a newer service worker, now and then.
                if self.path != "/sw.js":
                    requests.append(self.path)
                super().do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.origin = f"http://localhost:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


class Tab:
    """The page in a tab of its own, loaded and ready, and the server behind it."""

    def __init__(self, browser: Any, server: Server, **options: Any) -> None:
        self.server, self.problems = server, list[str]()
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(90_000)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on(
            "console", lambda line: self.problems.append(line.text) if line.type in ("error", "warning") else None
        )
        self.page.goto(server.origin)
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector("#connection[data-state=ready]")

    def answer(self, path: Path) -> dict[str, Any]:
        """The page's answer to a file, as it saves it."""
        self.page.set_input_files("#file", path)
        self.page.wait_for_selector("#after:not([hidden])")
        assert self.page.inner_text("#session-title") == path.name, self.page.inner_text("#notice")
        with self.page.expect_download() as waiting:
            self.page.click("[data-save=json]")
        return dict(json.loads(waiting.value.path().read_text(encoding="utf-8")))
