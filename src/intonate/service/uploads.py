"""Receive a multipart upload in memory: nothing of it ever touches the disk, and none of it without an end."""

from __future__ import annotations

import time
from asyncio import timeout
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from intonate.errors import did_you_mean
from intonate.service.settings import MIB, Limits

FIELDS = ("audio", "text", "top_k", "timeline", "transcribe", "model", "denoise", "labels", "raw", "track")
# Room for the other fields and the boundaries.
OTHER_BYTES = 64 * 1024


class RefusedError(Exception):
    """A request that cannot be answered: HTTP status and one sentence."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


@dataclass(frozen=True, slots=True)
class Upload:
    """A received form: the audio file's bytes and name, and the other fields."""

    audio: bytes
    file: str
    fields: dict[str, str]


class _InMemory(MultiPartParser):
    spool_max_size = 0  # never rolled over to a file (`tempfile.SpooledTemporaryFile`); `_limited` bounds it


async def receive(request: Request, limits: Limits) -> Upload:
    """The form of a request.

    Raises:
        RefusedError: it is no such form, too large, or stalls.
        ClientDisconnect: the client went away.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise RefusedError(415, "send the recording as the field 'audio' of a form (multipart/form-data)")
    declared_bytes = request.headers.get("content-length", "0")
    if declared_bytes.isdecimal() and int(declared_bytes) > limits.upload_bytes + OTHER_BYTES:
        raise _too_large(limits)
    parser = _InMemory(request.headers, _limited_body(request, limits), max_files=1, max_fields=len(FIELDS))
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise RefusedError(400, f"the form cannot be read: {error.message.rstrip('.')}") from error
    except (KeyError, ValueError, LookupError) as error:
        raise RefusedError(400, "the form cannot be read: its boundary or character set is missing or wrong") from error
    try:
        fields: dict[str, Any] = dict(form.multi_items())
        if unknown := [name for name in fields if name not in FIELDS]:
            raise RefusedError(400, f"field {unknown[0]!r} is not known; {did_you_mean(unknown[0], FIELDS)}")
        file = fields.pop("audio", None)
        if not isinstance(file, UploadFile) or any(isinstance(value, UploadFile) for value in fields.values()):
            raise RefusedError(400, "send the recording as a file in the field 'audio', and nothing else as a file")
        return Upload(await file.read(), file.filename or "", fields)
    finally:
        await form.close()


async def _limited_body(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    """The body, as long as it is not too large and keeps coming."""
    stream, received, start_s = request.stream(), 0, time.monotonic()
    while True:
        left_s = limits.stall_s + received / limits.slowest_bytes_per_s - (time.monotonic() - start_s)
        try:
            async with timeout(min(limits.stall_s, left_s)):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise RefusedError(
                408, f"the upload stalled for {limits.stall_s:g} s, or came too slowly; try again"
            ) from None
        if chunk is None:
            return
        received += len(chunk)
        if received > limits.upload_bytes + OTHER_BYTES:
            raise _too_large(limits)
        yield chunk


def _too_large(limits: Limits) -> RefusedError:
    return RefusedError(413, f"the upload is larger than the limit of {limits.upload_bytes / MIB:g} MiB")
