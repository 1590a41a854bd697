"""What the tests of several rooms share: `toy.py`, a corpus that nobody spoke."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def toy_corpus(tmp_path_factory):
    """The folder of the toy corpus: 4 emotions × 4 speakers × 3 takes."""
    import toy

    return toy.corpus(tmp_path_factory.mktemp("toy") / "corpus")
