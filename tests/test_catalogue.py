"""Looking things up by name."""

import json

import numpy as np
import pytest

from intonate.catalogue import check_count, check_name, entry, load
from intonate.errors import CorpusError, ModelError

CATALOGUE = {"dumps": "json:dumps", "missing": "json:no_such_function"}


def test_what_a_catalogue_names_is_loaded():
    assert load("dumps", CATALOGUE, "writer", ModelError) is json.dumps


def test_an_entry_of_a_table():
    assert entry("a", {"a": 1, "b": 2}, "letter", CorpusError) == 1


@pytest.mark.parametrize("look_up", [check_name, entry, load])
def test_an_unknown_name_is_one_sentence(look_up):
    with pytest.raises(ModelError) as raised:
        look_up("dump", CATALOGUE, "writer", ModelError)
    assert str(raised.value) == "writer 'dump' is not known; did you mean 'dumps'? (known: dumps, missing)"


@pytest.mark.parametrize("name", [None, 3, ["dumps"], {"dumps": 1}, float("nan")])
def test_a_name_of_another_type_is_not_known(name):
    """As YAML may give it; a list has no hash."""
    with pytest.raises(CorpusError, match=r"is not known; .*known: dumps"):
        entry(name, CATALOGUE, "writer", CorpusError)


def test_a_count_is_a_whole_number_of_any_type():
    assert check_count(np.int16(3), "threads", ModelError) == 3


@pytest.mark.parametrize("value", [None, "2", 1.5, 0, -1])
def test_what_is_no_count(value):
    with pytest.raises(ModelError) as raised:
        check_count(value, "threads", ModelError)
    assert str(raised.value) == f"threads is {value!r}, expected a whole number from 1 on"


def test_a_catalogue_that_is_wrong_is_our_own_fault():
    with pytest.raises(AttributeError):
        load("missing", CATALOGUE, "writer", ModelError)
