"""intonate hears how something is said: speech in, the emotion that the voice sounds like out.

The names below are loaded when first used (PEP 562), so that `import intonate` costs next to nothing.
"""

import os as _os
from importlib import import_module as _import_module
from typing import TYPE_CHECKING

# onnxruntime >= 1.29 starts telemetry on import; this works only when set before. A voice product stays silent.
_os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

_HOMES = {
    "load_model": "intonate.recognizer.recognizer",
    "Recognizer": "intonate.recognizer.recognizer",
    "Prediction": "intonate.schema",
    "Segment": "intonate.schema",
    "ModelSpec": "intonate.schema",
    "SpeakerStatistics": "intonate.features.normalise",
    "Utterance": "intonate.schema",
    "Sound": "intonate.audio.readers",
    "Failure": "intonate.recognizer.request",
    "IntonateError": "intonate.errors",
}
__all__ = [
    "Failure",
    "IntonateError",
    "ModelSpec",
    "Prediction",
    "Recognizer",
    "Segment",
    "Sound",
    "SpeakerStatistics",
    "Utterance",
    "load_model",
]

if TYPE_CHECKING:
    from intonate.audio.readers import Sound
    from intonate.errors import IntonateError
    from intonate.features.normalise import SpeakerStatistics
    from intonate.recognizer.recognizer import Recognizer, load_model
    from intonate.recognizer.request import Failure
    from intonate.schema import ModelSpec, Prediction, Segment, Utterance


# Type checkers read the imports above. They would take every misspelt name for one that this knows.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name in _HOMES:
            return getattr(_import_module(_HOMES[name]), name)
        raise AttributeError(f"module 'intonate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
