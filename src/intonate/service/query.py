"""The request of a WebSocket: its query and its token, and the close codes for requests that cannot be served."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams
from starlette.websockets import WebSocket

from intonate.errors import did_you_mean
from intonate.service.guard import TOKEN_PROTOCOL, bearer
from intonate.service.samples import ENCODINGS
from intonate.service.settings import Settings

PROTOCOL = "intonate.v1"
PARAMETERS = ("rate", "format", "model", "plain", "window", "hop", "labels", "activity", "session", "seq")
# Close codes (RFC 6455 leaves 4000-4999 to applications).
BAD, TOKEN, UNKNOWN_MODEL, SLOW, TAKEN, TOO_LONG, FULL = 4400, 4401, 4404, 4408, 4409, 4413, 4429
# What `float` reads, without what it takes beside it: spaces, underscores, words, the digits of other scripts.
PLAIN_NUMBER = re.compile(r"[0-9.eE+-]+")
RESTART = 1012  # RFC 6455's registry: "service restart"


class ConnectionEnd(Exception):  # noqa: N818  (an end is not always an error)
    """This connection must end: close code, a word for programs, and one sentence."""

    def __init__(self, close: int, code: str, error: str) -> None:
        super().__init__(error)
        self.close, self.code = close, code


@dataclass(frozen=True, slots=True)
class Query:
    """The options of a connection, as the client sent them."""

    rate_hz: int
    format: str
    models: tuple[str, ...]
    plain: bool
    options: dict[str, Any]
    session: str
    seq: int

    @property
    def settings_key(self) -> str:
        """All that a session must share with the query that resumes it."""
        return json.dumps([self.rate_hz, self.models, self.plain, self.options], sort_keys=True)


def parse(ws: WebSocket, settings: Settings) -> Query:
    """The query of a connection.

    Raises:
        ConnectionEnd: the token is wrong, or something in the query is.
    """
    offered_token = next(
        (
            subprotocol_name
            for subprotocol_name in ws.scope.get("subprotocols", [])
            if subprotocol_name.startswith(TOKEN_PROTOCOL)
        ),
        "",
    )
    if not settings.is_valid_token(offered_token.removeprefix(TOKEN_PROTOCOL) or bearer(ws.headers)):
        remedy = f"offer the subprotocol {TOKEN_PROTOCOL}TOKEN, or send Authorization: Bearer TOKEN"
        raise ConnectionEnd(TOKEN, "token", f"this service wants its token: {remedy}")
    query = ws.query_params
    if unknown_names := [name for name in query if name not in PARAMETERS]:
        raise ConnectionEnd(
            BAD,
            "query",
            f"parameter {unknown_names[0][:50]!r} is not known; {did_you_mean(unknown_names[0][:50], PARAMETERS)}",
        )
    names = tuple(dict.fromkeys(query.getlist("model"))) or (settings.default,)
    if len(names) > settings.limits.models:
        raise ConnectionEnd(
            BAD, "query", f"{len(names)} models were asked for, expected {settings.limits.models} at most"
        )
    for name in names:
        if name not in settings.models:
            known_models = did_you_mean(name[:50], settings.models)
            raise ConnectionEnd(UNKNOWN_MODEL, "model", f"model {name[:50]!r} is not served here; {known_models}")
    sample_format = query.get("format", "s16le")
    if sample_format not in ENCODINGS:
        raise ConnectionEnd(
            BAD, "query", f"format {sample_format[:50]!r} is not known; {did_you_mean(sample_format, ENCODINGS)}"
        )
    if repeated_names := [name for name in PARAMETERS if name != "model" and len(query.getlist(name)) > 1]:
        raise ConnectionEnd(BAD, "query", f"parameter {repeated_names[0]!r} is there twice; leave out one of them")
    seq = _whole_number(query, "seq", 0)
    if seq < 0:
        raise ConnectionEnd(BAD, "query", f"parameter seq={seq} is below 0: it counts the events that came")
    if seq and not query.get("session"):
        raise ConnectionEnd(BAD, "query", "parameter 'seq' plays no part without a session; give both, or neither")
    plain_text = query.get("plain", "0").lower()
    if plain_text not in ("0", "1", "false", "true"):
        raise ConnectionEnd(BAD, "query", f"parameter plain={plain_text[:20]!r} is not a yes or no, expected 0 or 1")
    plain = plain_text in ("1", "true")
    options: dict[str, Any] = {"window_s": _number(query, "window", 2.0), "labels": query.get("labels") or None}
    if plain and (idle_names := [name for name in ("hop", "activity") if name in query]):
        sentence = f"parameter {idle_names[0]!r} plays no part with plain=1; leave out one of them"
        raise ConnectionEnd(BAD, "query", sentence)
    if not plain:
        options |= {"hop_s": _number(query, "hop", 0.5), "activity": query.get("activity") or None}
    return Query(
        rate_hz=_whole_number(query, "rate", ENCODINGS[sample_format].rate_hz),
        format=sample_format,
        models=names,
        plain=plain,
        options=options,
        session=query.get("session", ""),
        seq=seq,
    )


def whole(text: str) -> int | None:
    """The number that a text is, of digits and nothing else, up to nine; None where it is no such number."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None


def fraction(text: str) -> float | None:
    """The number that a text is, below a thousand million; None where it is none (a space, `nan`, other digits)."""
    try:
        number = float(text) if PLAIN_NUMBER.fullmatch(text) else math.inf
    except ValueError:
        return None
    return number if abs(number) < 1e9 else None


def _number(query: QueryParams, name: str, default: float) -> float:
    text = query.get(name)
    number = default if text is None else fraction(text)
    if number is None:
        raise ConnectionEnd(BAD, "query", f"parameter {name}={(text or '')[:20]!r} is not a number that makes sense")
    return number


def _whole_number(query: QueryParams, name: str, default: int) -> int:
    # Some libraries give the rate of a device as 44100.0.
    number = _number(query, name, default)
    if number != int(number):
        raise ConnectionEnd(BAD, "query", f"parameter {name}={number:g} is not a whole number")
    return int(number)


def decoded(text: str) -> dict[str, Any]:
    """A text message of a connection.

    Raises:
        ConnectionEnd: it is no JSON object, or has what an answer could not repeat (NaN, infinity).
    """
    try:
        found = json.loads(text)
        json.dumps(found.get("t"), allow_nan=False)
        return dict(found)
    except (ValueError, AttributeError, RecursionError):
        sentence = 'text messages are JSON objects, e.g. {"type": "finish"}'
        raise ConnectionEnd(BAD, "message", sentence) from None


def subprotocol(ws: WebSocket) -> str | None:
    """A browser hangs up unless one of those that it offered is chosen."""
    offered_names = ws.scope.get("subprotocols", [])
    return (
        PROTOCOL
        if PROTOCOL in offered_names
        else next((name for name in offered_names if name.startswith(TOKEN_PROTOCOL)), None)
    )
