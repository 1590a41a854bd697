"""What Prometheus may know: counts and times, never anything about who or what."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


class Metrics:
    """The figures of one service; of all of its processes where prometheus_client was told to keep them in files."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.predictions = Counter(
            "intonate_predictions", "Uploads answered, by HTTP status.", ["status"], registry=registry
        )
        self.prediction_seconds = Histogram(
            "intonate_prediction_seconds", "From the whole upload to its answer.", buckets=SECONDS, registry=registry
        )
        self.uploads = _sum("intonate_uploads", "Uploads being received, waiting or answered.", registry)
        self.connections = _sum("intonate_connections", "Open WebSockets.", registry)
        self.sessions = _sum("intonate_sessions", "Sessions, those that wait to be resumed included.", registry)
        self.events = Counter("intonate_events", "Stream events sent, by type.", ["type"], registry=registry)
        self.window_seconds = Histogram(
            "intonate_window_seconds",
            "From the chunk that completes a window to its event.",
            buckets=SECONDS,
            registry=registry,
        )
        self.lag = Gauge(
            "intonate_stream_lag_seconds",
            "How long windows wait to be computed.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.load = _sum("intonate_stream_load", "Processors that streams keep busy.", registry)
        self.behind = Counter("intonate_behind", "Streams that fell behind their sound.", registry=registry)
        self.audio_seconds = Counter("intonate_stream_audio_seconds", "Sound received in streams.", registry=registry)
        self.closed = Counter("intonate_closed", "WebSockets closed, by close code.", ["code"], registry=registry)

    def text(self) -> bytes:
        """Everything, in the format that Prometheus reads."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        return generate_latest(together)


def _sum(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    """What all processes that live have together."""
    return Gauge(name, text, registry=registry, multiprocess_mode="livesum")
