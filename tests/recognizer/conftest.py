import pytest


@pytest.fixture(scope="session")
def recognizer(tiny_model):
    from intonate import load_model

    return load_model(tiny_model)
