"""A stream that comes back to another process than the one that has its session: messages are handed through.

Who accepts a connection is chance, and a session lives in one process. So the process that the client has reached
opens a WebSocket to the other one, with the same query, token and origin, and passes every message on, both ways.

Both connections are closed on their own, so the other process does not see whether its last answers came all the way:
it keeps the session for a while, as one that is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Origin, Subprotocol

# Headers that the other process must see as well; the rest is of this connection.
FORWARDED = ("authorization", "user-agent")
# How long the other process may take to answer the handshake, and to see that the client is gone, seconds.
OPEN_S, CLOSE_S = 5.0, 1.0


async def relay(ws: WebSocket, socket: Path, message_bytes: int) -> bool:
    """Hand a WebSocket, not accepted yet, through to the process behind `socket`, to its end.

    Returns:
        False where nobody answers there: then nothing was done.
    """
    origin = ws.headers.get("origin")
    unverified = None
    if ws.url.scheme == "wss":  # its certificate is ours
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    connecting = unix_connect(
        str(socket),
        str(ws.url),
        ssl=unverified,
        origin=None if origin is None else Origin(origin),
        subprotocols=[Subprotocol(one) for one in ws.scope.get("subprotocols", [])] or None,
        additional_headers={name: ws.headers[name] for name in FORWARDED if name in ws.headers},
        user_agent_header=None,
        compression=None,
        max_size=message_bytes,
        ping_interval=None,  # both ends answer the pings of the client and of the service
        open_timeout=OPEN_S,
        close_timeout=CLOSE_S,
    )
    try:
        owner = await connecting
    except (OSError, TimeoutError, InvalidHandshake):
        return False
    try:
        await ws.accept(subprotocol=owner.subprotocol)
        sending = asyncio.create_task(_pass_sound(ws, owner))
        try:
            await _pass_events(ws, owner)
        finally:
            sending.cancel()
    finally:
        await owner.close()
    return True


async def _pass_sound(ws: WebSocket, owner: ClientConnection) -> None:
    """What the client sends, until it leaves."""
    with contextlib.suppress(ConnectionClosed, RuntimeError):
        while (message := await ws.receive())["type"] != "websocket.disconnect":
            data = message.get("bytes")
            await owner.send(message.get("text") or "" if data is None else data)
    await owner.close()


async def _pass_events(ws: WebSocket, owner: ClientConnection) -> None:
    """What the other process answers, and how it closes."""
    code, reason = 1000, ""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):
        try:
            async for message in owner:
                await ws.send_text(str(message))
        except ConnectionClosed:
            pass
        if owner.protocol.close_rcvd is not None:
            code, reason = owner.protocol.close_rcvd.code, owner.protocol.close_rcvd.reason
        else:
            code = 1012  # it died, and the session with it: the client comes back to another
        await ws.close(code, reason)
