"""The settings of a service: its models, its limits, and who may use it."""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from intonate.errors import IntonateError
from intonate.processes import processor_count
from intonate.recognizer.recognizer import Recognizer
from intonate.transcripts.recognisers import Transcriber

MIB = 2**20
# Longer uploads queue by themselves. What counts is the sound that was decoded: a header may say anything, seconds.
SHORT_S = 60.0
# For `Limits.memory_bytes`: the program with the built-in models; 16 kHz of floats; a stream at 48 kHz keeps half a
# minute of floats and sends two bytes a sample.
BASE_BYTES = 256 * MIB
DECODED_BYTES_PER_S = 64_000
STREAM_BYTES, STREAM_BYTES_PER_S = 8 * MIB, 96_000
# A token travels as a WebSocket subprotocol (RFC 6455, 4.1), so it must be one HTTP token (RFC 9110, 5.6.2).
TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,256}")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
# What a Host header (RFC 9110, 7.2) and an Origin header (RFC 6454, 6.2) may be, in lower case and without a port.
NAME = r"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])"
ORIGIN = re.compile(rf"null|[a-z][a-z0-9+.-]*://(?:{NAME}(?::\d+)?|\.)")  # the last is Electron's: app://.
USUAL_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one client, and of all of them together.

    Attributes:
        upload_bytes: of one request. An hour of MP3 at 128 kbit/s is 58 MB.
        audio_s: of one upload, decoded, seconds.
        uploads: being received, waiting or being answered at once; one more gets 503 and Retry-After.
        stall_s: an upload may pause this long, seconds.
        slowest_bytes_per_s: and must come at least this fast on the whole.
        connections: WebSockets at once.
        sockets: connections of any kind at once, whether they have said something or not.
        address_sockets: of one address; a proxy in front is one address.
        header_s: how long the headers of a request may take, seconds.
        models: in one WebSocket.
        message_bytes: of one WebSocket message. 10 MB is 109 s of 16-bit sound at 48 kHz.
        session_s: sound in one session, seconds.
        idle_s: a WebSocket that sends nothing is closed after so long, seconds.
        send_s: a WebSocket that does not read is closed after so long, seconds.
        pending_s: sound of a stream that waits to be processed; more is read when there is room, seconds.
        grace_s: after a signal to stop, what is under way has this long to be answered, seconds.
        resume_s: how long a session waits for a lost connection to come back, seconds.
        threads: that compute, once for uploads and once for streams.
    """

    upload_bytes: int = 64 * MIB
    audio_s: float = 3600.0
    uploads: int = 32
    stall_s: float = 10.0
    slowest_bytes_per_s: float = 4096.0
    connections: int = 100
    sockets: int = 512
    address_sockets: int = 256
    header_s: float = 10.0
    models: int = 4
    message_bytes: int = 16 * MIB
    session_s: float = 4 * 3600.0
    idle_s: float = 60.0
    send_s: float = 10.0
    pending_s: float = 30.0
    grace_s: float = 5.0
    resume_s: float = 60.0
    threads: int = field(default_factory=processor_count)

    @property
    def long_threads(self) -> int:
        """Threads for long uploads."""
        return max(1, self.threads // 2)

    @property
    def memory_bytes(self) -> int:
        """The most memory that a service with these limits takes: what a container must have.

        Uploads are held twice while a form is read, and what is decoded twice while its blocks are joined.
        """
        decoded_s = self.long_threads * self.audio_s + self.threads * min(SHORT_S, self.audio_s)
        streams = self.connections * (STREAM_BYTES + self.pending_s * STREAM_BYTES_PER_S)
        return round(BASE_BYTES + 2 * self.uploads * self.upload_bytes + 2 * decoded_s * DECODED_BYTES_PER_S + streams)


@dataclass(frozen=True, slots=True)
class Settings:
    """A service.

    Attributes:
        models: {name: model}, the default first.
        host: the address it listens at.
        token: that a client must send; empty for none, which only loopback may do.
        allowed_hosts: further names that it may be called by (behind a proxy); empty beyond loopback for any.
        allowed_origins: further web pages that may use it, e.g. `https://example.org`.
        limits: see `Limits`.
        transcriber: the recogniser of speech; None for no transcripts.

    Raises:
        IntonateError: there is no model, or the token is missing or cannot travel.
    """

    models: Mapping[str, Recognizer]
    host: str = "127.0.0.1"
    token: str = ""
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    transcriber: Transcriber | None = None

    def __post_init__(self) -> None:
        check_token(self.host, self.token)
        if not self.models:
            raise IntonateError("there is no model to serve; name one with --model")

    @property
    def default(self) -> str:
        return next(iter(self.models))

    def is_allowed_host(self, host: str) -> bool:
        """Whether a Host header names this service.

        On loopback only loopback's own names do, and the one that it listens at: else any web page could point a name
        of its own at 127.0.0.1 and speak to the service as if it were its own server (DNS rebinding). Beyond it the
        token guards.
        """
        name = without_port(host)
        if name in self.allowed_hosts or (is_loopback(self.host) and name in (*LOOPBACK_NAMES, in_address(self.host))):
            return True
        return bool(name) and not is_loopback(self.host) and not self.allowed_hosts

    def is_allowed_origin(self, origin: str, host: str) -> bool:
        """Whether a web page may use the service: its own page, or one that was allowed."""
        if origin in self.allowed_origins:
            return True
        scheme, _, site = origin.partition("://")
        port = USUAL_PORTS.get(scheme)
        return port is not None and site.lower().removesuffix(port) == host.lower().removesuffix(port)

    def is_valid_token(self, token: str) -> bool:
        """In a time that does not depend on how much of it is right."""
        return not self.token or hmac.compare_digest(token.encode(), self.token.encode())


def check_token(host: str, token: str) -> None:
    """Refuse a service that anybody could use.

    Raises:
        IntonateError: there is no token beyond loopback, or it cannot travel.
    """
    if token and not TOKEN.fullmatch(token):
        raise IntonateError("the token must be 16 to 256 of the characters A-Z a-z 0-9 . _ ~ - so that it can travel")
    if not token and not is_loopback(host):
        raise IntonateError(
            f"whoever can reach {host} could use this service: give it a --token (or INTONATE_TOKEN), "
            "or let it listen at 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        pass
    try:
        return ipaddress.ip_address(socket.inet_aton(host)).is_loopback  # 127.1
    except OSError:
        return False


def in_address(host: str) -> str:
    """A host as it stands in an address: IPv6 in brackets.

    >>> in_address("::1")
    '[::1]'
    """
    return f"[{host.strip('[]')}]".lower() if ":" in host else host.lower()


def without_port(host: str) -> str:
    """`[::1]` of `[::1]:8000`, in lower case."""
    return re.sub(r":\d*$", "", host.strip().lower())


def allowed_host(text: str) -> str:
    """A name to go by as it is compared: in lower case and without a port.

    Raises:
        IntonateError: no Host header can be that.
    """
    name = in_address(text) if text.count(":") > 1 and "[" not in text else without_port(text)
    if not re.fullmatch(NAME, name):
        raise IntonateError(
            f"--allow-host {text!r} is no name that a client can call; expected one, e.g. voice.example"
        )
    return name


def allowed_origin(text: str) -> str:
    """The origin of a web page as browsers send it: in lower case, without a path, and without the usual port.

    Raises:
        IntonateError: no Origin header can be that.
    """
    origin = text.strip().lower().removesuffix("/")
    if not ORIGIN.fullmatch(origin):
        expected = "expected its scheme and name without a path, e.g. https://app.example"
        raise IntonateError(f"--allow-origin {text!r} is no web page's origin; {expected}")
    return origin.removesuffix(USUAL_PORTS.get(origin.partition("://")[0], "/"))
