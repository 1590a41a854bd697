import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

for module in ("fastapi", "uvicorn", "websockets", "python_multipart", "prometheus_client"):
    pytest.importorskip(module)


@pytest.fixture(scope="session")
def recognizer(tiny_model):
    from intonate import load_model

    return load_model(tiny_model)


@pytest.fixture(scope="module")
def service(recognizer):
    """A service with the usual limits, on loopback."""
    from running import Running

    with Running(recognizer) as running:
        yield running
