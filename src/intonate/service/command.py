"""`intonate serve`: uvicorn with its settings, and no log of requests."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intonate.errors import IntonateError, require
from intonate.processes import processor_count
from intonate.recognizer.recognizer import Recognizer, load_model
from intonate.service.settings import (
    Limits,
    Settings,
    allowed_host,
    allowed_origin,
    check_token,
    in_address,
    is_loopback,
)
from intonate.terminal.command import open_transcriber

if TYPE_CHECKING:
    import socket

    from intonate.service.place import Place

# What is left after the grace is cut off within this long, seconds.
CUT_OFF_S = 1
# A client that does not answer pings for so long is gone; one whose sound has to wait answers late, seconds.
PING_TIMEOUT_S = 60
# Connections that are accepted at once: all of them are open until the door has seen them.
BACKLOG = 256
# A thread that computes holds Python's lock for this long before the one that talks to the clients gets it, which
# needs it again after every read and write: at the usual 5 ms, fifty clients would queue there.
SWITCH_S = 0.0005


def serve(
    models: Sequence[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str = "",
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    allowed_hosts: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
    transcribe: str | None = None,
    workers: int = 1,
    **limits: Any,
) -> None:
    """Serve until interrupted.

    Args:
        models: built-in names, model files or run folders; none for the built-in model.
        host: address to listen at.
        port: 0 for any that is free.
        token: that clients must send.
        tls_cert: the certificate chain, PEM, for HTTPS.
        tls_key: its key.
        allowed_hosts: see `Settings`.
        allowed_origins: see `Settings`.
        transcribe: the recogniser of speech; None for no transcripts.
        workers: processes that share the port; the limits hold for each.
        limits: fields of `Limits`.

    Raises:
        IntonateError: no token beyond loopback, a name or page that no client can send, a file is missing, the port is
            taken, a model cannot be read.
        MissingExtraError: the extra `service` is not installed.
    """
    check_token(host, token)
    if (tls_cert is None) != (tls_key is None):
        raise IntonateError("HTTPS needs both --tls-cert and --tls-key")
    if tls_cert is not None and tls_key is not None:
        _check_certificate(tls_cert, tls_key)
    for module in ("fastapi", "uvicorn", "websockets", "python_multipart", "prometheus_client"):
        require(module, "service")
    hosts, origins = tuple(map(allowed_host, allowed_hosts)), tuple(map(allowed_origin, allowed_origins))
    bounds = Limits(**({"threads": max(1, processor_count() // workers)} | limits))
    settings = partial(_settings, models, host, token, hosts, origins, bounds, transcribe)
    _stop_on_hangup()
    if workers == 1:
        _serve_alone(settings(), port, tls_cert, tls_key)
    else:
        _serve_together(settings, host, port, tls_cert, tls_key, workers, bounds.grace_s)


def _check_certificate(certificate: Path, key: Path) -> None:
    """Refuse files that HTTPS cannot use.

    Raises:
        IntonateError: which, and why.
    """
    import ssl

    expected = "expected PEM: text with -----BEGIN …-----"
    for path, content in ((certificate, "CERTIFICATE"), (key, "PRIVATE KEY")):
        try:
            text = path.read_bytes()
        except OSError as error:
            reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
            raise IntonateError(f"{path} {reason}") from None
        if f"{content}-----".encode() not in text:
            raise IntonateError(f"{path} holds no {content.lower()}; {expected}")
    try:
        # An empty passphrase is never right, and keeps OpenSSL from asking at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, "")
    except ssl.SSLError as error:
        if "MISMATCH" in (error.reason or ""):
            raise IntonateError(f"{key} is not the key of the certificate in {certificate}") from None
        if b"ENCRYPTED" in text:
            remedy = "expected one without (openssl pkey -in KEY -out NEW takes it off)"
            raise IntonateError(f"{key} has a passphrase, which nobody can type for a service; {remedy}") from None
        raise IntonateError(f"{certificate} and {key} cannot be read, one of them is damaged; {expected}") from None


def _stop_on_hangup() -> None:
    """A terminal that is closed stops the service as SIGTERM does; `nohup` has the signal ignored, and it stays so."""
    hangup = getattr(signal, "SIGHUP", None)
    is_main = threading.current_thread() is threading.main_thread()  # another may not say what a signal does
    if hangup is None or not is_main or signal.getsignal(hangup) is not signal.SIG_DFL:
        return

    def stop(*_: object) -> None:
        signal.signal(hangup, signal.SIG_IGN)  # a shell that is closed, too, sends it a second time
        signal.raise_signal(signal.SIGTERM)

    signal.signal(hangup, stop)


def _settings(
    models: Sequence[str],
    host: str,
    token: str,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    limits: Limits,
    transcribe: str | None,
) -> Settings:
    transcriber = None if transcribe is None else open_transcriber(transcribe)
    return Settings(_load_models(models), host, token, hosts, origins, limits, transcriber)


def _serve_alone(settings: Settings, port: int, tls_cert: Path | None, tls_key: Path | None) -> None:
    sockets = _listen(settings.host, port)
    server = _server(settings, tls_cert, tls_key)
    sys.setswitchinterval(SWITCH_S)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets)


def _serve_together(
    settings: Callable[[], Settings],
    host: str,
    port: int,
    tls_cert: Path | None,
    tls_key: Path | None,
    count: int,
    grace_s: float,
) -> None:
    import socket

    from intonate.service import workers

    if not hasattr(socket, "AF_UNIX"):
        raise IntonateError("--workers needs sockets in the file system, which Windows has not; leave it out")
    sockets = _listen(host, port)
    shared_port = sockets[0].getsockname()[1]
    workers.supervise(
        partial(_serve_in_place, settings, tls_cert, tls_key),
        count,
        sockets,
        grace_s,
        lambda: _announce(host, shared_port, tls_cert is not None),
    )


def _serve_in_place(
    settings: Callable[[], Settings],
    tls_cert: Path | None,
    tls_key: Path | None,
    place: Place,
    sockets: Sequence[socket.socket],
    on_start: Callable[[], None],
) -> None:
    """In one of several processes: serve whoever comes to the shared sockets, or is sent on by the other processes."""
    import socket

    server = _server(settings(), tls_cert, tls_key, place, on_start)
    place.socket.unlink(missing_ok=True)  # of the one before, that died
    ours = socket.socket(socket.AF_UNIX)
    ours.bind(str(place.socket))
    sys.setswitchinterval(SWITCH_S)
    server.run([*sockets, ours])


def _listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen.

    Raises:
        IntonateError: they cannot, and why.
    """
    import errno
    import socket

    from intonate.service.workers import listen

    try:
        return listen(host.strip("[]"), port, BACKLOG)
    except socket.gaierror:
        reason = "there is no host of that name"
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: "something else uses the port; choose another with --port",
            errno.EADDRNOTAVAIL: "this machine has no such address; 0.0.0.0 stands for all that it has",
            errno.EACCES: "ports below 1024 are not for every user; choose another with --port",
        }
        reason = reasons.get(error.errno or 0, error.strerror or "")
    raise IntonateError(f"could not listen at {host}:{port}: {reason}")


def _load_models(names: Sequence[str]) -> dict[str, Recognizer]:
    models: dict[str, Recognizer] = {}
    for model in names or (None,):
        recognizer = load_model(model)
        if recognizer.spec.name in models:
            raise IntonateError(f"two models are called {recognizer.spec.name!r}; serve one of them")
        models[recognizer.spec.name] = recognizer
    return models


def _server(
    settings: Settings,
    tls_cert: Path | None,
    tls_key: Path | None,
    place: Place | None = None,
    on_start: Callable[[], None] | None = None,
) -> Any:
    """uvicorn's server; `place` and `on_start` (in place of a line that says where it listens) for one of several."""
    import asyncio
    import ssl

    import uvicorn

    from intonate.service.app import create_app
    from intonate.service.door import Door
    from intonate.service.protocol import HttpProtocol, behind

    limits = settings.limits
    # More live connections than the defaults have room for bring their room with them.
    most_connections = max(limits.sockets, limits.connections + limits.uploads)
    door = Door(most_connections, max(limits.address_sockets, limits.connections + limits.uploads))
    context = None
    if tls_cert is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls_cert, tls_key)
    http, websocket = behind(door, limits.header_s, context)
    app = create_app(settings, place)
    config = uvicorn.Config(
        app,
        host=settings.host.strip("[]"),
        port=0,  # where it is given no sockets
        http=http,
        ws=websocket,
        backlog=BACKLOG,
        ws_max_size=settings.limits.message_bytes,
        ws_per_message_deflate=False,  # sound does not compress
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks what a proxy tells, and the relay must know what this process speaks
        ws_ping_timeout=PING_TIMEOUT_S,
        timeout_graceful_shutdown=CUT_OFF_S,
        timeout_keep_alive=15,
        limit_concurrency=None,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            asyncio.get_running_loop().set_exception_handler(_tell_once_of_full_tables())
            await super().startup(sockets)
            if self.started and on_start is not None:
                on_start()
            elif self.started:
                _announce(settings.host, self.servers[0].sockets[0].getsockname()[1], tls_cert is not None)

        async def shutdown(self, sockets: Any = None) -> None:
            for listener in self.servers:
                listener.close()
            for connection in list(self.server_state.connections):
                if isinstance(connection, HttpProtocol):
                    connection.shutdown()  # at once where nothing is under way, else after the answer
            await app.state.service.drain(limits.grace_s, lambda: self.force_exit)
            await super().shutdown(sockets)
            if self.force_exit:  # uvicorn leaves this out then, and complains of it at length
                await self.lifespan.shutdown()

    return Server(config)


def _tell_once_of_full_tables() -> Callable[[Any, dict[str, Any]], None]:
    """A handler of a loop's errors: asyncio tells hundreds of times a second that it may open no more sockets."""
    told: list[str] = []

    def handle(loop: Any, context: dict[str, Any]) -> None:
        if "socket.accept()" not in context["message"]:
            loop.default_exception_handler(context)
        elif not told:
            told.append(context["message"])
            remedy = "raise it (ulimit -n, LimitNOFILE=); until then new connections wait"
            print(f"intonate: this process has as many files open as it may; {remedy}", file=sys.stderr, flush=True)

    return handle


def _announce(host: str, port: int, tls: bool) -> None:
    scheme = "https" if tls else "http"
    print(f"intonate: listening at {scheme}://{in_address(host)}:{port} (Ctrl-C stops it)", flush=True)
    if not is_loopback(host) and not tls:
        warning = "without --tls-cert and --tls-key anyone on the way can listen, and browsers refuse the microphone"
        print(f"intonate: {warning}", file=sys.stderr, flush=True)
