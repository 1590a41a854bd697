import sys
from pathlib import Path

import pytest

# `tiny` makes the models of this room's tests.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    import tiny

    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    tiny.write(path, tiny.spec())
    return path


@pytest.fixture(scope="session")
def text_model(tmp_path_factory):
    pytest.importorskip("tokenizers")
    import tiny

    path = tmp_path_factory.mktemp("models") / "tiny-text.onnx"
    tiny.write(path, tiny.token_spec(), tokens=True)
    return path


@pytest.fixture(scope="session")
def recognizer(tiny_model):
    from intonate import load_model

    return load_model(tiny_model)
