"""What the service answers, as schemas: the OpenAPI description that clients are generated from.

The schemas are JSON Schema as OpenAPI 3.1 has it; the tests hold every answer of a running service to them. The
example is what `standard` says to `examples/neutral.flac`, under the name of the model that is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intonate.schema import Prediction, Segment, listed
from intonate.service.replies import CODES, FAULT, NO_RECORDING, NO_TOKEN, OTHER_HOST, STOPPING, error_shape
from intonate.terminal import formats

Schema = dict[str, Any]

TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "Where the service was started with a token (`token_required` of GET /v1/models).",
}
TEXT, NUMBER, YES_NO = {"type": "string"}, {"type": "number"}, {"type": "boolean"}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


def _described(schema: Schema, description: str) -> Schema:
    return schema | {"description": description}


LABEL = {
    "label": _described(TEXT, "The best label; unsure where the model abstained, silence or noise without speech."),
    "guess": _described(TEXT, "The same with the best label in place of unsure."),
    "abstained": _described(YES_NO, "Whether the label is unsure."),
    "scores": _list(_reference("Score")),
}
LABELS = {"labels": _described(_list(TEXT), "All that are likely enough, of a model that may give several at once.")}
FAMILIARITY = {"familiarity": _described(SHARE, "How much it is like what the model was trained on.")}
TIMES = {name: _described(NUMBER, "Seconds.") for name in ("start", "end")}
HERTZ = {"low_hz": NUMBER, "high_hz": NUMBER}
WITHOUT = _described(SHARE, "Of the explained answer, with this turned down by 20 dB.")
DIMENSIONS = {"dimensions": {"type": "object", "additionalProperties": SHARE}}
# `stopping` and `busy` are both 503; `http` is any status that has no word of its own.
ERROR = {
    "error": _described(TEXT, "One sentence."),
    "code": TEXT | {"enum": sorted({*CODES.values(), "stopping", "http"})},
}
SCHEMAS: dict[str, Schema] = {
    "Score": _object({"label": TEXT, "score": SHARE}),
    "Segment": _object(
        {
            "start": _described(NUMBER, "Seconds."),
            "end": _described(NUMBER, "Seconds."),
            **LABEL,
            "score": _described(SHARE, "Of the best label; 0 without speech."),
        },
        {"text": TEXT, "speaker": TEXT, **LABELS, **DIMENSIONS},
    ),
    "Speaker": _object(
        {
            "speaker": TEXT,
            **LABEL,
            "speech": _described(NUMBER, "Seconds."),
            "clips": {"type": "integer", "minimum": 1},
        },
        {**LABELS, **DIMENSIONS},
    ),
    "Prediction": _object(
        {
            "file": TEXT,
            **LABEL,
            "segments": _list(_reference("Segment")),
            "transcript": TEXT,
            "model": TEXT,
            "warnings": _list(TEXT),
        },
        {
            "speakers": _list(_reference("Speaker")),
            **FAMILIARITY,
            **LABELS,
            **DIMENSIONS,
        },
    ),
    "Explanation": _object(
        {
            "file": TEXT,
            "model": TEXT,
            "explained": _described(TEXT, "The label or dimension."),
            **LABEL,
            "start": _described(NUMBER, "Of what is explained, seconds."),
            "end": _described(NUMBER, "Of what is explained, seconds."),
            "stretches": _list(_object({**TIMES, "score_without": WITHOUT})),
            "bands": _list(_object({**HERTZ, "score_without": WITHOUT})),
            "changes": _list(_object({"change": TEXT, "score": SHARE, "label": TEXT, "label_score": SHARE})),
            "region": _object({**TIMES, **HERTZ, "score_without": WITHOUT}),
            "map": _described(_list(_list(NUMBER)), "Log odds that each tile adds, [stretch][band]: an estimate."),
            "faithfulness": _object(
                {"deletion": _reference("Curves"), "insertion": _reference("Curves"), "sentence": TEXT}
            ),
            "questions": _described({"type": "integer"}, "How many sounds the model answered."),
            "sentences": _described(_list(TEXT), "What moves the answer, in words."),
            "caution": _described(TEXT, "What this does not tell."),
            "notes": _list(TEXT),
            "spectrum": _object(
                {
                    "rows": {"type": "integer"},
                    "columns": {"type": "integer"},
                    "levels": _described(TEXT, "A byte each, base64: rows in mel, the highest first; 0 is silent."),
                }
            ),
        },
        {**FAMILIARITY, **LABELS},
    ),
    "Curves": _object(
        {
            "shares": _described(_list(SHARE), "Of the tiles that were turned down, or came back."),
            "explained": _described(_list(SHARE), "The score, in the order of the map."),
            "random": _described(_list(SHARE), "The score, in random order."),
            "area": _described(NUMBER, "How far the score moves on average, in the order of the map."),
            "random_area": _described(NUMBER, "The same in random order."),
        }
    ),
    "Failure": _object({"file": TEXT, **ERROR}),
    "Error": _object(ERROR),
    "Model": _object(
        {
            "name": TEXT,
            "labels": _list(TEXT),
            "multi_label": _described(
                YES_NO, "Whether it may give several labels at once: scores need not sum to one."
            ),
            "abstain_below": _described(SHARE, "The score under which the best label is no answer, but unsure."),
            "dimensions": _described(_list(TEXT), "Numbers from 0 to 1, beside the labels or instead of them."),
            "languages": _list(TEXT),
            "corpora": _list(TEXT),
            "licence": TEXT,
            "scores": {"type": "object"},
            "text": _described(YES_NO, "Whether it reads words, too."),
            "text_required": YES_NO,
            "window": _described(NUMBER, "Of a stream, seconds."),
            "hop": _described(NUMBER, "Of a stream, seconds."),
        }
    ),
    "Models": _object(
        {
            "models": _list(_reference("Model")),
            "default": TEXT,
            "limits": _object({"upload_bytes": {"type": "integer"}, "audio_s": NUMBER, "session_s": NUMBER}),
            "transcriber": {"type": ["string", "null"]},
            "token_required": YES_NO,
            "version": TEXT,
        }
    ),
}

BINARY = {"type": "string", "format": "binary"}
FORM: dict[str, Any] = {
    "type": "object",
    "required": ["audio"],
    "properties": {
        "audio": _described(_list(BINARY), "The recording, in any format (or as `file`); repeat it for several."),
        "text": {"type": "string", "description": "What was said, for a model that reads it."},
        "transcribe": {"type": "boolean", "description": "Write down what is said (usual, where the service can)."},
        "top_k": {"type": "integer", "minimum": 1, "description": "How many scores to answer.", "example": 3},
        "timeline": {"type": "boolean", "description": "Segments, for short recordings too.", "example": True},
        "model": {"type": "string", "description": "A name of GET /v1/models.", "example": "standard"},
        "denoise": {"type": "boolean", "description": "Take steady noise away first.", "example": False},
        "raw": {"type": "string", "description": "Sound without a header: ENCODING:RATE.", "example": "ulaw:8000"},
        "track": {"type": "integer", "minimum": 1, "description": "Audio track of a video.", "example": 1},
        "channels": {"type": "string", "description": "mix, left, right, each, or a number.", "example": "each"},
        "speakers": {"type": "string", "description": "How many people to tell apart, or auto.", "example": "auto"},
        "format": {"type": "string", "enum": list(formats.FORMATS), "description": "Of the answer.", "example": "srt"},
        "labels": {"type": "string", "description": "Merge emotions: 4, p4-4, valence…", "example": "4"},
    },
}
EXPLANATION_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["audio"],
    "properties": {
        "audio": _described(BINARY, "The recording, in any format (or as `file`)."),
        **{name: FORM["properties"][name] for name in ("model", "text", "raw", "track")},
        "label": {"type": "string", "description": "The answer to explain; else the likeliest.", "example": "angry"},
        "start": {"type": "number", "minimum": 0, "description": "Only from here on, seconds.", "example": 1.2},
        "end": {"type": "number", "minimum": 0, "description": "Only up to here, seconds.", "example": 3.4},
        "offset": {
            "type": "number",
            "minimum": 0,
            "description": "Where the sound lies in a longer recording, seconds: added to each time of the answer.",
        },
    },
}
BARE_BODY: dict[str, Any] = {
    "required": True,
    "content": {"application/octet-stream": {"schema": BINARY}},
}
BODY, EXPLANATION_BODY = (
    {"required": True, "content": {"multipart/form-data": {"schema": form}} | BARE_BODY["content"]}
    for form in (FORM, EXPLANATION_FORM)
)

# What Hugging Face's clients send: a recording as it is, or in JSON; `top_k` there, or in the query.
TOP_K: Schema = {"type": "object", "properties": {"top_k": FORM["properties"]["top_k"]}}
SCORES_FORM: Schema = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "inputs": {"type": "string", "format": "byte", "description": "The recording, in base64."},
        "parameters": {**TOP_K, "description": "How to answer.", "example": {"top_k": 3}},
    },
}
SCORES_BODY = {"required": True, "content": BARE_BODY["content"] | {"application/json": {"schema": SCORES_FORM}}}

TOP_SCORES = {"neutral": 0.494796, "angry": 0.159429, "sad": 0.137594}
SCORES = listed(TOP_SCORES)
NEUTRAL = Prediction(
    "neutral",
    TOP_SCORES,
    (Segment(0.0, 2.831, "neutral", TOP_SCORES),),
    familiarity=0.1,
    model="standard",
    file="neutral.flac",
)
EXAMPLE = NEUTRAL.to_dict()
RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": TEXT}}
# A sentence that the service says with each status, and when.
REFUSALS = {
    400: ("The recording or a field cannot be used.", "the upload is empty (0 bytes)"),
    401: ("The token is missing or wrong.", NO_TOKEN),
    403: ("A name or a web page that is not allowed (Host, Origin).", OTHER_HOST),
    404: ("There is no such model.", "model 'other' is not served here; known: standard"),
    408: ("The upload stalled.", "the upload stalled for 10 s, or came too slowly; try again"),
    413: ("The upload is too large.", "the upload is larger than the limit of 64 MiB"),
    415: ("Neither a form nor a recording, or packed on its way (Content-Encoding).", NO_RECORDING),
    500: ("A fault of the service.", FAULT),
    503: ("Too many uploads at once, or the service stops; Retry-After says when to come back.", STOPPING),
}
# What `format` asks for, by the type that it is answered as.
TEXTS = {
    "application/jsonl": ("jsonl", "One Prediction or Failure a line."),
    "text/csv": ("csv", "A row for each recording, or for each segment of a timeline."),
    "application/x-subrip": ("srt", "SRT."),
    "text/vtt": ("vtt", "WebVTT."),
    "text/plain": ("rttm", "RTTM."),
}


def parameters(form: Schema) -> list[Schema]:
    """The fields of a form as they are given with a bare body: in the query."""
    return [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": "With a bare body."}
        for name, schema in form["properties"].items()
        if name != "audio"
    ]


def predictions_answers() -> dict[int | str, Schema]:
    """The answers of `POST /v1/predictions`."""
    answers = _list({"anyOf": [_reference("Prediction"), _reference("Failure")]})
    answer = {"anyOf": [_reference("Prediction"), answers]}
    content: Schema = {"application/json": {"schema": answer, "example": EXAMPLE}}
    layout = formats.Layout(tuple(TOP_SCORES))
    for kind, (style, description) in TEXTS.items():
        example = "".join(formats.FORMATS[style]([NEUTRAL], layout))
        content[kind] = {"schema": _described(TEXT, description), "example": example}
    description = "A Prediction; of several recordings an array, with a Failure for each that cannot be read."
    return {200: {"description": description, "content": content}, **refusals()}


def explanations_answers() -> dict[int | str, Schema]:
    """The answers of `POST /v1/explanations`."""
    content = {"application/json": {"schema": _reference("Explanation")}}
    return {200: {"description": "What moves the answer.", "content": content}, **refusals()}


def scores_answers() -> dict[int | str, Schema]:
    """The answers of `POST /models/NAME`."""
    content = {"application/json": {"schema": _list(_reference("Score")), "example": SCORES}}
    return {200: {"description": "Best first; empty without speech.", "content": content}, **refusals()}


def models_answers() -> dict[int | str, Schema]:
    """The answers of `GET /v1/models`."""
    content = {"application/json": {"schema": _reference("Models")}}
    return {200: {"description": "The models and the limits.", "content": content}, **refusals(401, 403, 500)}


def text_answers(*allowed: str, refusal_words: str = "", statuses: tuple[int, ...] = ()) -> dict[int | str, Schema]:
    """The answers of an address that says a word, and with 503 another one."""
    schema: Schema = TEXT | ({"enum": list(allowed)} if allowed else {})
    answers: dict[int | str, Schema] = {200: {"description": "Yes.", "content": {"text/plain": {"schema": schema}}}}
    if refusal_words:
        refusal_content = {"text/plain": {"schema": TEXT | {"enum": refusal_words.split()}}}
        answers[503] = {"description": "Not now.", "content": refusal_content, "headers": RETRY_AFTER}
    return answers | (refusals(*statuses) if statuses else {})


def refusals(*statuses: int) -> dict[int | str, Schema]:
    """The errors of these statuses, or of all, with a sentence that the service says."""
    return {
        status: {
            "description": meaning,
            "content": {
                "application/json": {
                    "schema": _reference("Error"),
                    "example": error_shape(status, sentence, "stopping" if sentence == STOPPING else ""),
                }
            },
            **({"headers": RETRY_AFTER} if status == 503 else {}),
        }
        for status, (meaning, sentence) in REFUSALS.items()
        if not statuses or status in statuses
    }


def _of_model(shape: Any, name: str, is_example: bool = False) -> Any:
    """A piece of the description with the name of a model in its examples."""
    if isinstance(shape, dict):
        return {key: _of_model(value, name, is_example or key == "example") for key, value in shape.items()}
    if isinstance(shape, list):
        return [_of_model(value, name, is_example) for value in shape]
    return shape.replace(EXAMPLE["model"], name) if is_example and isinstance(shape, str) else shape


def complete(openapi: dict[str, Any], model: str, is_token_required: bool) -> dict[str, Any]:
    """The description that FastAPI wrote, with the schemas, the token, and the name of the first model in examples;
    without 422, which is never answered.
    """
    openapi["paths"] = _of_model(openapi["paths"], model)
    openapi["components"] = {"schemas": SCHEMAS, "securitySchemes": {"token": TOKEN}}
    for path, methods in openapi["paths"].items():
        for operation in methods.values():
            operation["responses"].pop("422", None)
            if path.startswith(("/v1/", "/models/", "/metrics")):
                # An empty requirement: it works without the token where the service has none.
                operation["security"] = [{"token": []}] if is_token_required else [{"token": []}, {}]
    return openapi
