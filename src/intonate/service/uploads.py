"""Receive recordings in memory: nothing of them ever touches the disk, and none of it without an end.

They come as the fields `audio` (or `file`) of a form, or one of them as the bare body with the fields in the query.
"""

from __future__ import annotations

import asyncio
import re
import time
from asyncio import timeout
from collections.abc import AsyncGenerator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from intonate.errors import did_you_mean
from intonate.service.replies import NO_RECORDING, RefusedError
from intonate.service.settings import MIB, Limits

T = TypeVar("T")

FILE_FIELDS = ("audio", "file")
FIELDS = (
    *("text", "top_k", "timeline", "transcribe", "model", "denoise", "labels", "raw", "track"),
    *("channels", "speakers", "format"),
)
# Recordings in one request.
MOST_FILES = 100
# How some clients write a file's name (RFC 5987, which RFC 7578 forbids in forms), and what browsers escape in others
# (HTML standard).
EXTENDED_NAME = re.compile(rb"(?i);\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^']*'([^;\s]*)")
ESCAPED_BY_BROWSERS = re.compile(r"%(?:22|0D|0A)")
# What a recording comes as, beside audio/… and video/…, where it is the body; the second is S3's word for the first.
BARE_KINDS = ("application/octet-stream", "binary/octet-stream", "application/ogg", "application/mp4")
# How a form begins (RFC 2046, 5.1.1).
FORM_HEAD = re.compile(rb"--[^\r\n]{1,70}\r?\nContent-", re.IGNORECASE)
LEAVE_IT = "leave that header to your client"
# Room for the other fields and the boundaries.
OTHER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A received request: the bytes and name of each recording, and the fields."""

    recordings: tuple[tuple[bytes, str], ...]
    fields: dict[str, str]


class _InMemory(MultiPartParser):
    spool_max_size = 0  # never rolled over to a file (`tempfile.SpooledTemporaryFile`); `_limited` bounds it

    def on_headers_finished(self) -> None:
        part = self._current_part
        header = part.content_disposition or b""
        extended = EXTENDED_NAME.search(header)
        if extended:  # the parser leaves it out, and with it that this is a file
            part.content_disposition = header + b'; filename="extended"'
        super().on_headers_finished()
        if part.file is None:
            return
        if extended:
            character_set, escaped = (found.decode("latin-1") for found in extended.groups())
            part.file.filename = unquote(escaped, character_set)
        else:
            part.file.filename = ESCAPED_BY_BROWSERS.sub(lambda found: unquote(found[0]), part.file.filename or "")


async def receive(request: Request, limits: Limits, names: Sequence[str] = FIELDS) -> Upload:
    """The recordings and fields of a request, whose query may hold fields too.

    Args:
        request: not yet read.
        limits: of size and time.
        names: of the fields that there may be.

    Raises:
        RefusedError: it is neither a form nor a recording, too large, or stalls; or a field is not known.
        ClientDisconnect: the client went away.
    """
    kind = _kind(request)
    is_bare = kind.startswith(("audio/", "video/")) or kind in BARE_KINDS
    if kind != "multipart/form-data" and not is_bare:
        raise RefusedError(415, NO_RECORDING)
    bare: list[tuple[str, str]] = []
    recordings, fields = (
        (await _form(request, limits, names)) if not is_bare else (((await body(request, limits), ""),), bare)
    )
    return Upload(recordings, _unambiguous([*request.query_params.multi_items(), *fields], names))


async def body(request: Request, limits: Limits) -> bytes:
    """The bare body of a request. Raises as `receive`."""
    _check_declared(request, limits)
    content = b"".join([chunk async for chunk in _limited_body(request, limits)])
    if FORM_HEAD.match(content):
        raise RefusedError(400, f"the body is a form, and its Content-Type says {_kind(request)!r}; {LEAVE_IT}")
    return content


def _kind(request: Request) -> str:
    """The media type of a request, in lower case, without its parameters; empty where it has none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _form(
    request: Request, limits: Limits, names: Sequence[str]
) -> tuple[tuple[tuple[bytes, str], ...], list[tuple[str, str]]]:
    _check_declared(request, limits)
    if "boundary=" not in request.headers["content-type"].lower():
        raise RefusedError(400, f"the Content-Type of the form names no boundary; {LEAVE_IT}")
    parser = _InMemory(request.headers, _limited_body(request, limits), max_files=MOST_FILES, max_fields=len(names) + 2)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise RefusedError(400, f"the form cannot be read: {error.message.rstrip('.')}") from error
    except (KeyError, ValueError, LookupError) as error:
        raise RefusedError(400, "the form cannot be read: its boundary or character set is missing or wrong") from error
    try:
        recordings, fields = [], []
        for name, value in form.multi_items():
            if isinstance(value, UploadFile) and name in FILE_FIELDS:
                recordings.append((await value.read(), value.filename or ""))
            elif isinstance(value, UploadFile) or name in FILE_FIELDS:
                recordings.clear()
                break
            else:
                fields.append((name, value))
        _unambiguous(fields, names)
        if not recordings:
            raise RefusedError(400, "send the recording as a file in the field 'audio', and nothing else as a file")
        return tuple(recordings), fields
    finally:
        await form.close()


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled where the client of a received request goes away before.

    Raises:
        ClientDisconnect: it went away.
    """
    work_task, leave_task = asyncio.ensure_future(work), asyncio.ensure_future(_client_leaves(request))
    try:
        await asyncio.wait((work_task, leave_task), return_when=asyncio.FIRST_COMPLETED)
        if not work_task.done():
            raise ClientDisconnect
        return work_task.result()
    finally:
        work_task.cancel()
        leave_task.cancel()


async def _client_leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _unambiguous(fields: list[tuple[str, str]], names: Sequence[str]) -> dict[str, str]:
    """The fields by name.

    Raises:
        RefusedError: one is not known, or is there twice.
    """
    value_by_name: dict[str, str] = {}
    for name, value in fields:
        if name not in names:
            known_names = did_you_mean(name[:50], (*FILE_FIELDS, *names))
            raise RefusedError(400, f"field {name[:50]!r} is not known; {known_names}")
        if name in value_by_name:
            raise RefusedError(400, f"field {name!r} is there twice; leave out one of them")
        value_by_name[name] = value
    return value_by_name


def _check_declared(request: Request, limits: Limits) -> None:
    """Refuse what can be known from the headers not to be taken."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        sentence = f"Content-Encoding {encoding[:20]!r} is not taken; send the recording as it is, without that header"
        raise RefusedError(415, sentence)
    declared_bytes = request.headers.get("content-length", "0")
    if declared_bytes.isdecimal() and int(declared_bytes) > limits.upload_bytes + OTHER_BYTES:
        raise _too_large(limits)


async def _limited_body(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    """The body, as long as it is not too large and keeps coming."""
    stream, received_bytes, start_s = request.stream(), 0, time.monotonic()
    while True:
        left_s = limits.stall_s + received_bytes / limits.slowest_bytes_per_s - (time.monotonic() - start_s)
        try:
            async with timeout(min(limits.stall_s, left_s)):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise RefusedError(
                408, f"the upload stalled for {limits.stall_s:g} s, or came too slowly; try again"
            ) from None
        if chunk is None:
            return
        received_bytes += len(chunk)
        if received_bytes > limits.upload_bytes + OTHER_BYTES:
            raise _too_large(limits)
        yield chunk


def _too_large(limits: Limits) -> RefusedError:
    return RefusedError(413, f"the upload is larger than the limit of {limits.upload_bytes / MIB:g} MiB")
