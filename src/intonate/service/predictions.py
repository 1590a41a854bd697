"""`POST /v1/predictions`: recordings in, answers out; and `POST /models/NAME`, in Hugging Face's shape."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import time
from collections.abc import Coroutine, Mapping
from pathlib import PurePath
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from intonate.audio import decode, kinds
from intonate.audio.clean import clean
from intonate.errors import AudioError, IntonateError, did_you_mean
from intonate.recognizer.recognizer import Failure, Recognizer
from intonate.schema import Prediction, listed
from intonate.service.query import whole
from intonate.service.replies import STOPPING, RefusedError, error_shape, refusal
from intonate.service.settings import SHORT_S
from intonate.service.state import ServiceState
from intonate.service.uploads import body, receive, while_connected
from intonate.terminal import formats
from intonate.transcripts.recognisers import Transcriber

# nginx's word for a client that went away before its answer.
GONE = 499
MEDIA_TYPES = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "csv": "text/csv",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "rttm": "text/plain",
}


async def predict(request: Request, state: ServiceState) -> Response:
    """Receive recordings and answer them, or say in one sentence why not."""
    return await within_upload_limit(_respond(request, state), state)


async def classify(request: Request, name: str, state: ServiceState) -> Response:
    """`[{label, score}, …]` for a bare body or `{"inputs": BASE64, "parameters": {"top_k"}}`.

    Empty where nobody speaks.
    """
    return await within_upload_limit(_respond_with_scores(request, name, state), state)


async def within_upload_limit(work: Coroutine[Any, Any, Response], state: ServiceState) -> Response:
    """The response of `work`, within the number of uploads at once."""
    task = cast("asyncio.Task[Any]", asyncio.current_task())  # a request is a task
    state.metrics.uploads.inc()
    try:
        if state.is_stopping:
            raise RefusedError(503, STOPPING, "stopping")
        if len(state.requests) >= state.settings.limits.uploads:
            raise RefusedError(503, "the service has as many uploads as it takes; try again in a moment")
        state.requests.add(task)
        response = await work
    except RefusedError as refused:
        response = refusal(refused)
    except ClientDisconnect:
        response = Response(status_code=GONE)
    except asyncio.CancelledError:
        if not state.is_stopping:
            raise
        task.uncancel()
        response = refusal(RefusedError(503, STOPPING, "stopping"))
    finally:
        work.close()
        state.requests.discard(task)
        state.metrics.uploads.dec()
    state.metrics.predictions.labels(response.status_code).inc()
    return response


async def _respond(request: Request, state: ServiceState) -> Response:
    upload = await receive(request, state.settings.limits)
    options = _prediction_options(upload.fields, state)
    style = upload.fields.get("format") or "json"
    if style not in formats.FORMATS:
        raise RefusedError(400, f"format {style[:20]!r} is not known; {did_you_mean(style[:20], formats.FORMATS)}")
    is_single = len(upload.recordings) == 1
    if style in formats.SUBTITLES and not is_single:
        raise RefusedError(400, "subtitles of several recordings are several files; send one recording at a time")
    top_k, spec = options.pop("top_k"), options["recognizer"].spec
    is_timeline = options["timeline"]
    options["timeline"] = is_timeline or style in formats.TIMELINES
    answers: list[Prediction | Failure] = []
    for audio, file in upload.recordings:
        # The name as the client gave it, without the folders of its disk.
        name = PurePath(file.replace("\\", "/")).name
        guess = _guess(PurePath(name).suffix, request.headers.get("content-type", ""))
        try:
            answer = await while_connected(request, _answer(audio, options, state, guess))
            answers.append(dataclasses.replace(answer, file=name))
        except RefusedError as refused:
            if is_single:
                raise
            answers.append(Failure(name, **error_shape(refused.status, str(refused), refused.code)))
    has_speakers = options["channels"] == "each" or options["speakers"] is not None
    chosen = {"top_k": top_k, "timeline": is_timeline, "single": is_single, "speakers": has_speakers}
    layout = formats.Layout.of(spec, options["labels"], **chosen)
    return Response("".join(formats.FORMATS[style](answers, layout)), media_type=MEDIA_TYPES[style])


async def _respond_with_scores(request: Request, name: str, state: ServiceState) -> Response:
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith("multipart/"):
        raise RefusedError(415, "a form is not taken here: send the recording as the body, or to /v1/predictions")
    content = await body(request, state.settings.limits)
    fields = dict(request.query_params)
    if kind.startswith("application/json"):
        try:
            message = json.loads(content)
            content, parameters = message["inputs"].encode(), message.get("parameters") or {}
            others = {key: value for key, value in message.items() if key not in ("inputs", "parameters", "options")}
            fields |= {key: str(value) for key, value in (*others.items(), *parameters.items()) if value is not None}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            expectation = 'expected {"inputs": BASE64, "parameters": {"top_k": 3}}'
            raise RefusedError(400, f"the request is no such JSON; {expectation}") from error
        try:
            content = kinds.from_base64(content)
        except ValueError as error:
            raise RefusedError(400, "inputs is no base64; or send the recording as the body, as it is") from error
    function = fields.pop("function_to_apply", None)
    applied = "sigmoid" if model_of({"model": name}, state).spec.multi_label else "softmax"
    if function not in (None, applied):
        sentence = (
            f"function_to_apply={function[:20]!r} is not offered: the scores are those of {applied}; leave it out"
        )
        raise RefusedError(400, sentence)
    if unknown_keys := [key for key in fields if key != "top_k"]:
        raise RefusedError(
            400, f"parameter {unknown_keys[0][:50]!r} is not known; {did_you_mean(unknown_keys[0], ['top_k'])}"
        )
    options = _prediction_options({"model": name, **fields}, state) | {"transcribe": None}
    top_k = options.pop("top_k")
    answer = await while_connected(request, _answer(content, options, state))
    return JSONResponse(listed(answer.scores, top_k))


async def _answer(audio: bytes, options: Mapping[str, Any], state: ServiceState, guess: str = "") -> Prediction:
    """The answer to one recording; `guess`: how it may be read if it has no header.

    Raises:
        RefusedError: it cannot be answered.
    """
    start_s = time.monotonic()
    longest_s = state.settings.limits.audio_s
    try:
        if options["transcribe"] is not None:
            # Requests with a transcript take longest and must not hold up the others.
            prediction = await state.in_transcript_thread(_predict, audio, longest_s, dict(options))
        else:
            try:
                prediction = await state.in_upload_pool(_predict, audio, min(SHORT_S, longest_s), dict(options))
            except decode.TooLongError:
                if longest_s <= SHORT_S:
                    raise
                prediction = await state.in_long_upload_pool(_predict, audio, longest_s, dict(options))
    except IntonateError as error:
        sentence = str(error).replace("<bytes>", "the upload")
        if guess and options["raw"] is None and kinds.of(audio[: kinds.HEAD_BYTES]) is None:
            sentence += f"; if it is sound without a header, say how to read it in the field raw, e.g. raw={guess}"
        raise RefusedError(400, sentence) from error
    state.metrics.prediction_seconds.observe(time.monotonic() - start_s)
    return prediction


def _guess(suffix: str, content_type: str) -> str:
    """How to read a recording if it has no header, by its suffix or its type; empty where they say nothing.

    >>> _guess("", "audio/L16;rate=8000")
    's16be:8000 or s16le:8000'
    """
    name, _, parameters = content_type.lower().removeprefix("audio/").partition(";")
    if name.strip() == "l16":  # big-endian by RFC 2586, and not always in life
        values = dict(re.findall(r"(rate|channels)=(\d+)", parameters))
        shape = ":".join(filter(None, (values.get("rate", "44100"), values.get("channels"))))
        return f"s16be:{shape} or s16le:{shape}"
    media_suffix = {"basic": ".ulaw"}.get(name.strip(), f".{name.strip()}")
    return kinds.HEADERLESS.get(suffix.lower()) or kinds.HEADERLESS.get(media_suffix, "")


def _predict(audio: bytes, longest_s: float, options: dict[str, Any]) -> Prediction:
    """In a thread of its own: decode up to the limit, and answer."""
    recognizer: Recognizer = options.pop("recognizer")
    rate_hz = recognizer.spec.sample_rate_hz
    warnings: list[str] = []
    sound = decode.Sound(audio, options.pop("raw"), options.pop("track"))
    is_denoised = options.pop("denoise")
    is_mixed = options["channels"] == "mix" and options["speakers"] is None
    if is_denoised and not is_mixed:
        raise AudioError("denoise works on all channels in one; leave it out, or channels and speakers")
    if options["channels"] == "each":  # each is held in memory
        longest_s /= decode.info(sound).channels
    waveform = decode.load(sound, rate_hz, longest_s=longest_s, warnings=warnings)
    if is_denoised:
        waveform = clean(waveform, rate_hz, [{"step": "denoise"}])
    answer = recognizer.predict((waveform, rate_hz) if is_mixed else sound, **options)
    # What is told of an array was told of the upload that it was decoded from.
    own_warnings = (warning for warning in answer.warnings if not warning.startswith("<array>"))
    all_warnings = (*(warnings if is_mixed else ()), *own_warnings)
    return dataclasses.replace(
        answer, warnings=tuple(warning.replace("<bytes>", "the upload") for warning in all_warnings)
    )


def _prediction_options(fields: dict[str, str], state: ServiceState) -> dict[str, Any]:
    return {
        "recognizer": model_of(fields, state),
        "top_k": whole_number(fields, "top_k"),
        "text": fields.get("text") or None,
        "transcribe": _transcriber(fields, state),
        "labels": fields.get("labels") or None,
        "timeline": _flag(fields, "timeline"),
        "denoise": _flag(fields, "denoise"),
        "raw": fields.get("raw") or None,
        "track": whole_number(fields, "track"),
        "channels": fields.get("channels") or "mix",
        "speakers": fields.get("speakers") or None,
    }


def model_of(fields: Mapping[str, str], state: ServiceState) -> Recognizer:
    """The model of a request.

    Raises:
        RefusedError: it is not served here.
    """
    models = state.settings.models
    name = fields.get("model") or state.settings.default
    if name not in models:
        raise RefusedError(404, f"model {name[:50]!r} is not served here; {did_you_mean(name[:50], models)}")
    return models[name]


def _transcriber(fields: dict[str, str], state: ServiceState) -> Transcriber | None:
    """The recogniser of speech for a request; None where the text is given, or no transcript is wanted."""
    is_requested = _flag(fields, "transcribe")
    transcriber = state.settings.transcriber
    if is_requested and transcriber is None:
        raise RefusedError(400, "this service makes no transcripts; it has to be started with --transcribe")
    return transcriber if is_requested or not (fields.get("text") or fields.get("transcribe")) else None


def whole_number(fields: Mapping[str, str], name: str) -> int | None:
    """A field that is a number from 1 on; None where it is not given.

    Raises:
        RefusedError: it is something else.
    """
    value = fields.get(name) or None
    number = None if value is None else whole(value)
    if value is not None and (number is None or not 1 <= number < 10_000):
        raise RefusedError(400, f"field {name}={value[:20]!r} is not a whole number from 1 on")
    return number


def _flag(fields: dict[str, str], name: str) -> bool:
    value = fields.get(name, "").lower()
    if value in ("", "0", "false", "no", "off"):
        return False
    if value in ("1", "true", "yes", "on"):
        return True
    raise RefusedError(400, f"field {name}={value[:20]!r} is not a yes or no, expected true or false")
