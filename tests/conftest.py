"""What the tests of several rooms share: `toy.py`, a corpus that nobody spoke."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def _no_cache_of_the_user(tmp_path_factory):
    """Features that the tests compute are kept in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def toy_corpus(tmp_path_factory):
    """The folder of the toy corpus: 4 emotions × 4 speakers × 3 takes."""
    import toy

    return toy.corpus(tmp_path_factory.mktemp("toy") / "corpus")
