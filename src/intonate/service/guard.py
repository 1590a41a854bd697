"""Access control: every request and every WebSocket passes here first.

Host and Origin are checked for both kinds (a browser sends WebSockets across origins without asking), the token for
everything under `/v1/` and for `/metrics`, and every answer gets the security headers. A WebSocket's token is checked
by its own endpoint, which can tell the page what is wrong; a refused handshake cannot.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intonate.service.replies import NO_TOKEN, OTHER_HOST, RefusedError, refusal
from intonate.service.settings import Settings

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=(), usb=(), payment=()",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Answers about somebody's voice are never cached; the page may be, but is revalidated each time.
NO_STORE, NO_CACHE = "no-store", "no-cache"
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}
PROBES = ("/healthz", "/readyz")
INTERFACE = ("/v1/", "/models/", "/metrics")
# Who comes here without a WebSocket is told so, token or not: a proxy in between may have taken both away.
STREAM = "/v1/stream"
TOKEN_PROTOCOL = "intonate.token."


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith((*INTERFACE, *PROBES)):
            scope = {**scope, "path": scope["path"].rstrip("/")}
        headers = Headers(scope=scope)
        cors = self._cors_headers(headers)
        is_http = scope["type"] == "http"
        # Probes call a service by its address, and all that they learn is that it lives.
        problem = "" if is_http and scope["path"] in PROBES else self._origin_problem(headers)
        needs_token = is_http and scope["path"].startswith(INTERFACE) and scope["path"] != STREAM
        if problem:
            await _refuse(scope, receive, send, RefusedError(403, problem), {})
        elif is_http and scope["method"] == "OPTIONS" and cors and "access-control-request-method" in headers:
            raw = [(name.lower().encode(), value.encode()) for name, value in {**cors, **PREFLIGHT}.items()]
            await send({"type": "http.response.start", "status": 204, "headers": raw})
            await send({"type": "http.response.body", "body": b""})
        elif needs_token and not self._settings.is_valid_token(bearer(headers)):
            await _refuse(scope, receive, send, RefusedError(401, NO_TOKEN), cors)
        elif is_http:
            # The server leaves out the body of an answer to HEAD.
            inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
            await self._app(inner, receive, _with_headers(scope, send, cors))
        else:
            await self._app(scope, receive, send)

    def _cors_headers(self, headers: Headers) -> dict[str, str]:
        """What lets a web page of another origin read the answers (Fetch standard); nothing for its own page."""
        origin = headers.get("origin")
        if origin is None or origin not in self._settings.allowed_origins:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": "Retry-After",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Vary": "Origin",
        }

    def _origin_problem(self, headers: Headers) -> str:
        """Why the Host or Origin of a request is refused; empty if it is not."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if len(headers.getlist("host")) != 1 or not self._settings.is_allowed_host(host):
            return OTHER_HOST
        if origin is not None and not self._settings.is_allowed_origin(origin, host):
            return "web pages from elsewhere may not use this service (Origin header); allow one with --allow-origin"
        return ""


def bearer(headers: Headers) -> str:
    """The token of an Authorization header, or nothing."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _with_headers(scope: Scope, send: Send, cors: Mapping[str, str]) -> Send:
    cache = NO_CACHE if scope["path"] == "/" or scope["path"].startswith("/static/") else NO_STORE

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in {**HEADERS, **cors}.items():
                headers[name] = value
            headers.setdefault("Cache-Control", cache)
        await send(message)

    return send_with_headers


async def _refuse(scope: Scope, receive: Receive, send: Send, refused: RefusedError, cors: Mapping[str, str]) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    response = refusal(refused)
    response.headers.update({**HEADERS, **cors, "Connection": "close"})
    if refused.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    await response(scope, receive, send)
