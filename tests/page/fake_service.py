"""The service's protocol without a model: answers are scripted, so that the page's tests know what must be on it.

It follows `service` where the page can see it: static files with their security headers, `/v1/models`,
`/v1/predictions` and `/v1/stream` with resuming. `Fake` has switches for what goes wrong in real life.
"""

from __future__ import annotations

import asyncio
import base64
import io
import itertools
import json
import mimetypes
import socket
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

STATIC = Path(__file__).parents[2] / "src" / "intonate" / "service" / "static"
LABELS = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
HOP_S, WINDOW_S = 0.5, 2.0
QUIET_RMS = 0.003
UNSURE_BELOW = 0.3
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def scores(index: int, model: str) -> list[dict[str, Any]]:
    """The answer to hop number `index`: every 8 hops another emotion, now and then unsure."""
    turn = index // 8 + (2 if model != "compact" else 0)
    best = LABELS[(turn * 3) % len(LABELS)]
    sure = 0.22 if turn % 5 == 4 else 0.62 + 0.2 * np.sin(index / 2)
    weights = {label: 1 + np.cos(position + index / 6) ** 2 for position, label in enumerate(LABELS) if label != best}
    total = sum(weights.values())
    spread = {label: float((1 - sure) * weight / total) for label, weight in weights.items()} | {best: float(sure)}
    return [{"label": label, "score": score} for label, score in sorted(spread.items(), key=lambda item: -item[1])]


def shape_of(answer: list[dict[str, Any]]) -> dict[str, Any]:
    """`label`, `guess` and `abstained` as in the real service."""
    guess = str(answer[0]["label"]) if answer else "silence"
    abstained = bool(answer) and answer[0]["score"] < UNSURE_BELOW
    return {"label": "unsure" if abstained else guess, "guess": guess, "abstained": abstained}


def explanation(label: str, start: float, length: float) -> dict[str, Any]:
    """Ten stretches by five bands; the map's strongest tile is the first one."""
    edges, hertz = [start + length * n / 10 for n in range(11)], [0.0, 500.0, 1300.0, 2600.0, 4600.0, 8000.0]
    curves = {"shares": [0.0, 0.5, 1.0], "explained": [0.7, 0.2, 0.1], "random": [0.7, 0.6, 0.1]}
    curves |= {"area": 0.3, "random_area": 0.1}
    scores = [{"label": label, "score": 0.7}, {"label": "neutral", "score": 0.3}]
    place = {"start": edges[0], "end": edges[2], "low_hz": 0.0, "high_hz": 500.0, "score_without": 0.4}
    return {
        "file": "stretch.wav", "model": "compact", "explained": label,
        **shape_of(scores), "scores": scores,
        "start": start, "end": start + length,
        "stretches": [{"start": a, "end": b, "score_without": 0.6} for a, b in itertools.pairwise(edges)],
        "bands": [{"low_hz": a, "high_hz": b, "score_without": 0.8} for a, b in itertools.pairwise(hertz)],
        "changes": [{"change": "12 dB louder", "score": 0.69, "label": label, "label_score": 0.69}],
        "region": place,
        "map": [[2.0 if n == band == 0 else 0.5 * (-1) ** band for band in range(5)] for n in range(10)],
        "faithfulness": {"deletion": curves, "insertion": curves, "sentence": "How true this is of the model: quite."},
        "questions": 170,
        "sentences": [f"Turning down the beginning takes {label} from 70 to 40\u00a0%.", "Nothing else moves it."],
        "caution": "This does not tell what anybody feels.",
        "notes": [],
        "spectrum": {"rows": 4, "columns": 8, "levels": base64.b64encode(bytes(range(0, 256, 8))).decode()},
    }  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Session:
    """What is kept of a stream while its connection is away."""

    def __init__(self, rate: int, models: list[str]) -> None:
        self.rate, self.models, self.received, self.hops = rate, models, 0, 0
        self.rest = np.zeros(0, np.int16)
        self.spoke: dict[str, float] = {}
        self.events: list[dict[str, Any]] = []

    def push(self, chunk: np.ndarray) -> list[dict[str, Any]]:
        self.received += len(chunk)
        self.rest = np.concatenate([self.rest, chunk])
        hop = round(self.rate * HOP_S)
        events = []
        while len(self.rest) >= hop:
            piece, self.rest = self.rest[:hop], self.rest[hop:]
            for model in self.models:
                events += self.answer(piece, model)
            self.hops += 1
        for event in events:
            self.events.append(event)
            event["seq"] = len(self.events)
        return events

    def answer(self, piece: np.ndarray, model: str) -> list[dict[str, Any]]:
        rms = float(np.sqrt(np.mean(np.square(piece / 32768.0)))) if len(piece) else 0.0
        answer = scores(self.hops, model)
        speech = rms > QUIET_RMS
        start, end = self.hops * HOP_S, (self.hops + 1) * HOP_S
        event = {
            "type": "segment", "model": model, "start": start, "end": end, "state": "speech" if speech else "silence",
            **shape_of(answer if speech else []), "scores": answer if speech else [],
            "raw": answer if speech else [], "level": 20 * np.log10(max(rms, 1e-6)), "received": self.received,
        }  # fmt: skip
        if speech:
            self.spoke.setdefault(model, start)
            return [event]
        began = self.spoke.pop(model, None)
        said = {"type": "final", "model": model, "start": began, "end": start, **shape_of(answer), "scores": answer}
        return [event, said | {"transcript": "Kids are talking by the door."}] if began is not None else [event]


class Fake:
    """The service, on a free port of this machine, in a thread.

    Attributes:
        url: where it is.
        token: asked for, where not empty.
        models: their names.
        forget: while true, no session is known.
        slow_s: how long a prediction takes.
        error: (status, sentence) that predictions are answered with, or None.
        behind_s: what streams are told that they are behind, seconds, or None.
        refusal: what a new stream is refused with, or None.
        familiarity: of recordings, or None.
    """

    def __init__(self, models: tuple[str, ...] = ("compact",), token: str = "") -> None:
        self.models, self.token = list(models), token
        self.forget = False
        self.slow_s = 0.0
        self.error: tuple[int, str] | None = None
        self.behind_s: float | None = None
        self.refusal: dict[str, Any] | None = None
        self.familiarity: float | None = None
        self.sessions: dict[str, Session] = {}
        self.connections = 0
        self.uploads: list[dict[str, Any]] = []
        self.explained: list[dict[str, Any]] = []
        self.left = 0
        routes = [
            Route("/v1/models", self.get_models),
            Route("/v1/predictions", self.predict, methods=["POST"]),
            Route("/v1/explanations", self.explain, methods=["POST"]),
            Route("/healthz", lambda _: Response("ok")),
            Route("/", self.file),
            Route("/static/{name}", self.file),
            WebSocketRoute("/v1/stream", self.stream),
        ]
        self.port = free_port()
        self.url = f"http://localhost:{self.port}/"
        options: dict[str, Any] = {"log_level": "error", "ws": "websockets-sansio", "lifespan": "off"}
        self.server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=self.port, **options))
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        asyncio.run(self.server.serve())

    def __enter__(self) -> Fake:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(10)

    def known(self, request: Request | WebSocket) -> bool:
        offered = request.headers.get("sec-websocket-protocol", "") + request.headers.get("authorization", "")
        return not self.token or offered in (f"intonate.token.{self.token}", f"Bearer {self.token}")

    async def file(self, request: Request) -> Response:
        path = STATIC / request.path_params.get("name", "index.html")
        if not path.is_file():
            return JSONResponse({"error": "not found"}, 404, HEADERS)
        kind = mimetypes.guess_type(path.name)[0]
        return Response(path.read_bytes(), headers=HEADERS, media_type=kind)

    async def get_models(self, request: Request) -> Response:
        if not self.known(request):
            return JSONResponse({"error": "the token is missing or wrong"}, 401, HEADERS)
        shape = {"labels": LABELS, "abstain_below": UNSURE_BELOW, "licence": "CC-BY-4.0"}
        models = [{"name": name, **shape} for name in self.models]
        return JSONResponse({"models": models, "default": self.models[0]}, headers=HEADERS)

    async def predict(self, request: Request) -> Response:
        if not self.known(request):
            return JSONResponse({"error": "the token is missing or wrong"}, 401, HEADERS)
        async with request.form() as form:
            upload: Any = form["audio"]
            name, body = upload.filename, await upload.read()
            fields = {key: value for key, value in form.items() if key != "audio"}
        model = str(fields["model"])
        self.uploads.append({"name": name, "bytes": body, **fields})
        await asyncio.sleep(self.slow_s)
        if self.error:
            return JSONResponse({"error": self.error[1]}, self.error[0], HEADERS)
        segments = [{"start": 0.0, "end": 1.0, **shape_of([]), "score": 0.0, "scores": []}]
        for number in range(3):
            one = scores(8 * number, model)
            start = 1.0 + 1.5 * number
            best = {**shape_of(one), "score": one[0]["score"], "scores": one}
            segments.append({"start": start, "end": start + 1.5, **best})
        answer = scores(0, model)
        shape = {"file": name, **shape_of(answer), "scores": answer, "segments": segments}
        known = {} if self.familiarity is None else {"familiarity": self.familiarity}
        return JSONResponse(shape | {"transcript": "", "model": model} | known, headers=HEADERS)

    async def explain(self, request: Request) -> Response:
        """The answer of the real service to one of the examples, its times those of the sound that came."""
        async with request.form() as form:
            upload: Any = form["audio"]
            body = await upload.read()
            fields = {key: value for key, value in form.items() if key != "audio"}
        self.explained.append({"bytes": body, **fields})
        for _ in range(round(self.slow_s / 0.05)):
            await asyncio.sleep(0.05)
            if await request.is_disconnected():
                self.left += 1
        if self.error:
            return JSONResponse({"error": self.error[1]}, self.error[0], HEADERS)
        samples, rate = soundfile.read(io.BytesIO(body))
        start = float(fields.get("offset", 0))
        return JSONResponse(explanation(str(fields.get("label", "angry")), start, len(samples) / rate), headers=HEADERS)

    async def stream(self, sock: WebSocket) -> None:
        query = sock.query_params
        if not self.known(sock):
            return await sock.close(1008)
        await sock.accept(sock.headers.get("sec-websocket-protocol"))
        self.connections += 1
        if self.refusal:
            await sock.send_json(self.refusal)
            return await sock.close(4429)
        name = query.get("session", "")
        resumed = name in self.sessions and not self.forget
        if not resumed:
            name = f"s{len(self.sessions) + 1}"
            self.sessions[name] = Session(int(query["rate"]), query.getlist("model"))
        session = self.sessions[name]
        ready = {"type": "ready", "session": name, "resumed": resumed, "model": session.models[0], "labels": LABELS}
        await sock.send_json(ready | {"window": WINDOW_S, "hop": HOP_S, "received": session.received})
        for event in session.events[int(query.get("seq", 0)) if resumed else 0 :]:
            await sock.send_json(event)
        try:
            while True:
                message = await sock.receive()
                if message["type"] == "websocket.disconnect":
                    return None
                if message.get("bytes") is not None:
                    for event in session.push(np.frombuffer(message["bytes"], "<i2")):
                        await sock.send_json(event)
                    if self.behind_s is not None:
                        await sock.send_json({"type": "behind", "seconds": self.behind_s})
                    continue
                told = json.loads(message["text"])
                if told["type"] == "ping":
                    await sock.send_json({"type": "pong", "t": told["t"]})
                else:
                    await sock.send_json({"type": "done"})
        except (WebSocketDisconnect, RuntimeError):
            return None
