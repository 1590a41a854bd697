"""`POST /v1/explanations`: what moves the answer to a recording, found by answering changed copies of it."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from intonate.audio import decode
from intonate.errors import IntonateError
from intonate.explanation import words
from intonate.explanation.explain import explain
from intonate.recognizer.recognizer import Recognizer
from intonate.service.predictions import model_of, whole_number, within_upload_limit
from intonate.service.query import fraction
from intonate.service.replies import RefusedError
from intonate.service.state import ServiceState
from intonate.service.uploads import receive, while_connected

FIELDS = ("model", "label", "start", "end", "offset", "text", "raw", "track")
# Some 180 copies of one window are answered, and before that each window of the recording once, seconds.
LONGEST_S = 30.0
# Of the picture under the map.
COLUMNS, ROWS = 160, 56


async def respond(request: Request, state: ServiceState) -> Response:
    """Receive one recording and explain its answer, or say in one sentence why not."""
    return await within_upload_limit(_respond(request, state), state)


async def _respond(request: Request, state: ServiceState) -> Response:
    upload = await receive(request, state.settings.limits, FIELDS)
    if len(upload.recordings) > 1:
        raise RefusedError(400, "one recording is explained at a time; send them one after the other")
    ((audio, name),) = upload.recordings
    fields = upload.fields
    recognizer, track = model_of(fields, state), whole_number(fields, "track")
    start_s, end_s = _seconds(fields, "start") or 0.0, _seconds(fields, "end")
    if end_s is not None and end_s <= start_s:
        raise RefusedError(400, f"the end, {end_s:g} s, does not lie after the start, {start_s:g} s")
    sound = decode.Sound(audio, fields.get("raw") or None, track)
    options = {
        "label": fields.get("label") or None,
        "start_s": start_s,
        "end_s": end_s,
        "text": fields.get("text") or None,
        "longest_s": min(LONGEST_S, state.settings.limits.audio_s),
    }
    try:
        # It takes seconds: among the long ones it holds up no stream and no short upload.
        offset_s = _seconds(fields, "offset") or 0.0
        work = state.in_long_upload_pool(_explain, recognizer, sound, options, offset_s)
        answer = await while_connected(request, work)
    except decode.TooLongError as error:
        raise RefusedError(
            400, f"{options['longest_s']:g} s of sound are explained at most; give a shorter stretch by start and end"
        ) from error
    except IntonateError as error:
        raise RefusedError(400, str(error).replace("<bytes>", "the upload")) from error
    return JSONResponse(answer | {"file": PurePath(name.replace("\\", "/")).name})


def _explain(recognizer: Recognizer, sound: decode.Sound, options: dict[str, Any], offset_s: float) -> dict[str, Any]:
    """In a thread of its own."""
    explanation = explain(recognizer, sound, **options)
    explanation = dataclasses.replace(explanation, start_s=explanation.start_s + offset_s)
    spectrum = explanation.tiles.picture(COLUMNS, ROWS)
    rows, columns = spectrum.shape
    levels = base64.b64encode(spectrum.tobytes()).decode()
    return words.to_dict(explanation) | {"spectrum": {"rows": rows, "columns": columns, "levels": levels}}


def _seconds(fields: Mapping[str, str], name: str) -> float | None:
    text = fields.get(name, "")
    seconds = fraction(text) if text else None
    if text and (seconds is None or not 0 <= seconds < 1e6):
        raise RefusedError(400, f"field {name}={text[:20]!r} is not a number of seconds, from 0 to a million")
    return seconds
