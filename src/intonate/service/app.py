"""The application: the addresses of the service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

import intonate
from intonate.recognizer import inputs
from intonate.service import description, explanations, live, predictions, reference
from intonate.service.guard import STREAM, Guard
from intonate.service.metrics import CONTENT_TYPE_LATEST
from intonate.service.place import Place
from intonate.service.replies import FAULT, RETRY_AFTER, RefusedError, error_shape, refusal
from intonate.service.settings import Settings
from intonate.service.state import ServiceState

STATIC = Path(__file__).parent / "static"
NOTHING = "there is nothing at this address; see /docs"


def create_app(settings: Settings, place: Place | None = None) -> FastAPI:
    """The service as an ASGI application.

    Args:
        settings: the models, the limits, the token.
        place: of this process among several that share a port; None where it serves alone.
    """
    state = ServiceState(settings, place)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await state.start()
        yield
        state.close()

    app = FastAPI(
        title="intonate",
        version=intonate.__version__,
        summary="Hears how something is said: the emotion that a voice sounds like.",
        description=reference.LIVE,
        docs_url=None,  # FastAPI's page loads itself from a CDN
        redoc_url=None,
        redirect_slashes=False,  # to an address that behind a proxy is another
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,  # what a generated client calls the operation
        exception_handlers={HTTPException: _framework_error, Exception: _internal_error},
    )
    app.add_middleware(Guard, settings=settings)
    app.state.service = state

    _add_api_routes(app, state)
    _add_monitoring(app, state)
    _add_pages(app)
    description.complete(app.openapi(), settings.default, bool(settings.token))
    return app


def _add_api_routes(app: FastAPI, state: ServiceState) -> None:
    """`/v1`: predictions, models and live streams."""

    @app.post(
        "/v1/predictions",
        summary="What a recording sounds like",
        responses=description.predictions_answers(),
        openapi_extra={"requestBody": description.BODY, "parameters": description.parameters(description.FORM)},
    )
    async def predict(request: Request) -> Response:
        """Any length up to the limit; longer than a few seconds it is answered with a timeline."""
        return await predictions.predict(request, state)

    @app.post(
        "/v1/explanations",
        summary="What moves the answer to a recording",
        responses=description.explanations_answers(),
        openapi_extra={
            "requestBody": description.EXPLANATION_BODY,
            "parameters": description.parameters(description.EXPLANATION_FORM),
        },
    )
    async def explain(request: Request) -> Response:
        """One recording of up to 30 s, or a stretch of it: moments, bands and changes of the voice. Takes seconds."""
        return await explanations.respond(request, state)

    @app.post(
        "/models/{name}",
        summary="The same in the shape of Hugging Face's inference API",
        responses=description.scores_answers(),
        openapi_extra={
            "requestBody": description.SCORES_BODY,
            "parameters": description.parameters(description.TOP_K),
        },
    )
    async def classify(request: Request, name: str) -> Response:
        """For audio_classification of huggingface_hub.InferenceClient(ADDRESS/models/NAME); empty in silence."""
        return await predictions.classify(request, name, state)

    @app.get("/v1/models", summary="What is served, and the limits", responses=description.models_answers())
    async def models() -> dict[str, Any]:
        """Labels, languages, licence and window of each model."""
        return _models_response(state.settings)

    @app.websocket(STREAM)
    async def stream(ws: WebSocket) -> None:
        await live.serve(ws, state)

    @app.get(STREAM, include_in_schema=False)
    async def no_stream() -> Response:
        sentence = (
            "this is the address of a WebSocket; a proxy in between must pass on the headers Upgrade and Connection"
        )
        return JSONResponse(error_shape(426, sentence), 426, {"Upgrade": "websocket"})

    @app.websocket("/{path:path}")
    async def nowhere(ws: WebSocket) -> None:
        await ws.send_denial_response(refusal(RefusedError(404, NOTHING)))


def _add_monitoring(app: FastAPI, state: ServiceState) -> None:
    """Health, readiness and metrics, for whatever runs the service."""

    @app.get(
        "/healthz",
        summary="Whether the process lives",
        response_class=PlainTextResponse,
        responses=description.text_answers("ok"),
    )
    async def healthz() -> str:
        return "ok"

    @app.get(
        "/readyz",
        summary="Whether it can take more",
        response_class=PlainTextResponse,
        responses=description.text_answers("ok", refusal_words="full stopping"),
    )
    async def readyz() -> Response:
        limits = state.settings.limits
        is_full = len(state.requests) >= limits.uploads or len(state.streams) >= limits.connections
        if state.is_stopping or is_full or not state.load.has_room(len(state.streams)):
            return PlainTextResponse("stopping" if state.is_stopping else "full", 503, RETRY_AFTER)
        return PlainTextResponse("ok")

    @app.get(
        "/metrics",
        summary="For Prometheus",
        response_class=PlainTextResponse,
        responses=description.text_answers(statuses=(401, 403)),
    )
    async def metrics() -> Response:
        return Response(state.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _add_pages(app: FastAPI) -> None:
    """The live page and the reference of the interface."""

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return HTMLResponse(reference.page(app.openapi(), str(request.base_url)))

    @app.get("/docs/", include_in_schema=False)
    async def docs_with_slash() -> Response:
        return RedirectResponse("../docs")  # the links of the page count from there

    @app.get("/docs.css", include_in_schema=False)
    async def docs_css() -> Response:
        return FileResponse(Path(__file__).parent / "reference.css", media_type="text/css")

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False))


def _models_response(settings: Settings) -> dict[str, Any]:
    limits = settings.limits
    return {
        "models": [
            {
                "name": name,
                "labels": list(model.spec.labels),
                "multi_label": model.spec.multi_label,
                "abstain_below": model.spec.abstain_below,
                "dimensions": list(model.spec.dimensions),
                "languages": list(model.spec.languages),
                "corpora": list(model.spec.corpora),
                "licence": model.spec.licence,
                "scores": dict(model.spec.scores),
                "text": inputs.takes_text(model.spec),
                "text_required": model.spec.text_required,
                "window": 2.0,
                "hop": 0.5,
            }
            for name, model in settings.models.items()
        ],
        "default": settings.default,
        "limits": {"upload_bytes": limits.upload_bytes, "audio_s": limits.audio_s, "session_s": limits.session_s},
        "transcriber": settings.transcriber.name.partition(":")[0] if settings.transcriber else None,
        "token_required": bool(settings.token),
        "version": intonate.__version__,
    }


async def _framework_error(request: Request, error: Exception) -> Response:
    """Errors of the framework in our shape, with its headers."""
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    sentences = {404: NOTHING}
    if status == 405:  # whose `Allow` is missing for files, and leaves out that whatever answers GET answers HEAD
        methods = set(dict(headers or {}).get("Allow", "GET").split(", "))
        allowed = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
        headers, taken = {"Allow": allowed}, f"this address takes {allowed}, not {request.method[:20]}"
        sentences[405] = f"{taken}; recordings go to /v1/predictions or /models/NAME by POST; see /docs"
    sentence = sentences.get(status, "the request cannot be understood; see /docs")
    return JSONResponse(error_shape(status, sentence), status, headers)


async def _internal_error(_: Request, error: Exception) -> Response:
    return refusal(RefusedError(500, FAULT))
