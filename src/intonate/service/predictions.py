"""`POST /v1/predictions`: one recording in, one answer out."""

from __future__ import annotations

import dataclasses
import time
from pathlib import PurePath
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from intonate.audio import decode
from intonate.audio.clean import clean
from intonate.errors import IntonateError, did_you_mean
from intonate.recognizer.recognizer import Recognizer
from intonate.schema import Prediction
from intonate.service.state import ServiceState
from intonate.service.uploads import RefusedError, Upload, receive
from intonate.transcripts.recognisers import Transcriber

RETRY_AFTER_S = 2
# nginx's word for a client that went away before its answer.
GONE = 499

FORM: dict[str, Any] = {
    "type": "object",
    "required": ["audio"],
    "properties": {
        "audio": {"type": "string", "format": "binary", "description": "The recording, in any format."},
        "text": {"type": "string", "description": "What was said, for a model that reads it."},
        "transcribe": {"type": "boolean", "description": "Write down what is said (usual, where the service can)."},
        "top_k": {"type": "integer", "minimum": 1, "description": "How many scores to answer.", "example": 3},
        "timeline": {"type": "boolean", "description": "Segments, for short recordings too.", "example": True},
        "model": {"type": "string", "description": "A name of GET /v1/models.", "example": "compact"},
        "denoise": {"type": "boolean", "description": "Take steady noise away first.", "example": False},
        "raw": {"type": "string", "description": "Sound without a header: ENCODING:RATE.", "example": "ulaw:8000"},
        "track": {"type": "integer", "minimum": 1, "description": "Audio track of a video.", "example": 1},
        "labels": {"type": "string", "description": "Merge emotions: 4, p4-4, valence…", "example": "4"},
    },
}
BODY: dict[str, Any] = {"required": True, "content": {"multipart/form-data": {"schema": FORM}}}
SCORES = [{"label": "happy", "score": 0.62}, {"label": "surprise", "score": 0.21}, {"label": "angry", "score": 0.1}]
EXAMPLE: dict[str, Any] = {
    "file": "clip.wav",
    "label": "happy",
    "scores": SCORES,
    "segments": [{"start": 0.0, "end": 2.9, "label": "happy", "score": 0.62, "scores": SCORES}],
    "transcript": "",
    "abstained": False,
    "model": "compact",
    "warnings": [],
}


async def predict(request: Request, state: ServiceState) -> Response:
    """Receive an upload and answer it, or say in one sentence why not."""
    state.metrics.uploads.inc()
    state.uploads += 1
    try:
        if state.uploads > state.settings.limits.uploads:
            raise RefusedError(503, "the service has as many uploads as it takes; try again in a moment")
        response = await _respond(request, state)
    except RefusedError as refused:
        response = _refusal(refused)
    except ClientDisconnect:
        response = Response(status_code=GONE)
    finally:
        state.uploads -= 1
        state.metrics.uploads.dec()
    state.metrics.predictions.labels(response.status_code).inc()
    return response


async def _respond(request: Request, state: ServiceState) -> Response:
    upload = await receive(request, state.settings.limits)
    options = _prediction_options(upload.fields, state)
    start_s = time.monotonic()
    try:
        top_k = options.pop("top_k")
        # Requests with a transcript take longer and must not hold up the others.
        run = state.in_upload_pool if options["transcribe"] is None else state.in_transcript_thread
        prediction = await run(_predict, upload, state.settings.limits.audio_s, options)
    except IntonateError as error:
        raise RefusedError(400, str(error).replace("<bytes>", "the upload")) from error
    state.metrics.prediction_seconds.observe(time.monotonic() - start_s)
    return JSONResponse(prediction.to_dict(top_k))


def _predict(upload: Upload, longest_s: float, options: dict[str, Any]) -> Prediction:
    """In a thread of its own: decode up to the limit, and answer."""
    recognizer: Recognizer = options.pop("recognizer")
    rate_hz = recognizer.spec.sample_rate_hz
    warnings: list[str] = []
    sound = decode.Sound(upload.audio, options.pop("raw"), options.pop("track"))
    waveform = decode.load(sound, rate_hz, longest_s=longest_s, warnings=warnings)
    if options.pop("denoise"):
        waveform = clean(waveform, rate_hz, [{"step": "denoise"}])
    # The name as the client gave it, without the folders of its disk.
    name = PurePath(upload.file.replace("\\", "/")).name
    answer = recognizer.predict((waveform, rate_hz), **options)
    heard = tuple(warning.replace("<bytes>", "the upload") for warning in warnings)
    return dataclasses.replace(answer, file=name, warnings=(*heard, *answer.warnings))


def _prediction_options(fields: dict[str, str], state: ServiceState) -> dict[str, Any]:
    models = state.settings.models
    name = fields.get("model") or state.settings.default
    if name not in models:
        raise RefusedError(404, f"model {name[:50]!r} is not served here; {did_you_mean(name[:50], models)}")
    return {
        "recognizer": models[name],
        "top_k": _whole_number(fields, "top_k"),
        "text": fields.get("text") or None,
        "transcribe": _transcriber(fields, state),
        "labels": fields.get("labels") or None,
        "timeline": _flag(fields, "timeline"),
        "denoise": _flag(fields, "denoise"),
        "raw": fields.get("raw") or None,
        "track": _whole_number(fields, "track"),
    }


def _transcriber(fields: dict[str, str], state: ServiceState) -> Transcriber | None:
    """The recogniser of speech for a request; None where the text is given, or no transcript is wanted."""
    is_requested = _flag(fields, "transcribe")
    transcriber = state.settings.transcriber
    if is_requested and transcriber is None:
        raise RefusedError(400, "this service makes no transcripts; it has to be started with --transcribe")
    return transcriber if is_requested or not (fields.get("text") or fields.get("transcribe")) else None


def _whole_number(fields: dict[str, str], name: str) -> int | None:
    value = fields.get(name) or None
    if value is not None and not (value.isdecimal() and 1 <= len(value) <= 4 and int(value)):
        raise RefusedError(400, f"field {name}={value[:20]!r} is not a whole number from 1 on")
    return int(value) if value else None


def _flag(fields: dict[str, str], name: str) -> bool:
    value = fields.get(name, "").lower()
    if value in ("", "0", "false", "no", "off"):
        return False
    if value in ("1", "true", "yes", "on"):
        return True
    raise RefusedError(400, f"field {name}={value[:20]!r} is not a yes or no, expected true or false")


def _refusal(refused: RefusedError) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_S)} if refused.status == 503 else {}
    if refused.status in (408, 413, 503):
        headers["Connection"] = "close"  # the rest of the upload is not read
    return JSONResponse({"error": str(refused)}, refused.status, headers)
