"""What the service says when it cannot answer: one sentence for people, and one word for programs."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

# The word of each HTTP status, as `code` beside `error`; the WebSocket's are in `query.ConnectionEnd`.
CODES = {
    400: "bad_request",
    401: "token",
    403: "not_allowed",
    404: "not_found",
    405: "method",
    408: "stalled",
    413: "too_large",
    415: "media_type",
    426: "websocket",
    500: "internal",
    503: "busy",
}
RETRY_AFTER_S = 2
RETRY_AFTER = {"Retry-After": str(RETRY_AFTER_S)}
NO_TOKEN = "this service wants its token: send it as Authorization: Bearer TOKEN"
OTHER_HOST = "this service does not go by that name (Host header); allow it with --allow-host"
NO_RECORDING = (
    "send the recording as the field 'audio' of a form (multipart/form-data), "
    "or as the body with its Content-Type (audio/wav, application/octet-stream)"
)
FAULT = "something went wrong in the service; the operator's log says more"
STOPPING = "the service stops before it could answer; send it again, it may have been started anew"


class RefusedError(Exception):
    """A request that cannot be answered: HTTP status, one sentence, and a word for programs if not the usual one."""

    def __init__(self, status: int, error: str, code: str = "") -> None:
        super().__init__(error)
        self.status, self.code = status, code


def error_shape(status: int, error: str, code: str = "") -> dict[str, str]:
    """The JSON of an error."""
    return {"error": error, "code": code or CODES.get(status, "http")}


def refusal(refused: RefusedError) -> Response:
    """The response to a request that cannot be answered."""
    headers = dict(RETRY_AFTER) if refused.status == 503 else {}
    if refused.status in (408, 413, 503):
        headers["Connection"] = "close"  # the rest of the upload is not read
    return JSONResponse(error_shape(refused.status, str(refused), refused.code), refused.status, headers)
