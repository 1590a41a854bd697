import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate import errors
from intonate.errors import IntonateError, MissingExtraError, did_you_mean, require

RAISED = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", RAISED)
def test_all_of_them_are_caught_as_one(kind):
    assert issubclass(kind, IntonateError)
    assert kind.__doc__
    # The tree that opens the module is the whole tree.
    assert kind.__name__ in errors.__doc__


def test_callers_may_catch_what_python_calls_it():
    for kind in set(RAISED) - {IntonateError, MissingExtraError}:
        assert issubclass(kind, ValueError)
    assert issubclass(MissingExtraError, ImportError)


def test_the_nearest_name_is_suggested():
    assert did_you_mean("hapy", ["sad", "happy"]) == "did you mean 'happy'? (known: happy, sad)"


def test_a_name_like_no_other_gets_the_list_alone():
    assert did_you_mean("xyz", {"sad": 1, "happy": 2}) == "known: happy, sad"


@settings(deadline=None)
@given(known=st.sets(st.text("abcdef", min_size=1), min_size=1), name=st.text("abcdef"))
def test_the_whole_list_is_always_there(known, name):
    said = did_you_mean(name, known)
    assert ", ".join(sorted(known)) in said
    if name in known:
        assert said.startswith(f"did you mean {name!r}?")


def test_what_is_installed_is_imported():
    assert require("json", "train").dumps({}) == "{}"
    assert require("os.path", "train").join("a", "b")


def test_what_is_missing_comes_with_the_command_that_mends_it():
    with pytest.raises(MissingExtraError) as caught:
        require("no_such_module_at_all", "media")
    assert str(caught.value) == (
        "no_such_module_at_all is needed here but not installed; mend it with: pip install 'intonate[media]'"
    )
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_what_an_installed_module_lacks_is_named(tmp_path, monkeypatch):
    (tmp_path / "lacking_for_the_test.py").write_text("import no_such_module_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError) as caught:
        require("lacking_for_the_test", "train")
    assert str(caught.value) == (
        "lacking_for_the_test is installed but cannot be imported: No module named 'no_such_module_at_all'; "
        "install it anew, or what it lacks"
    )


def test_a_module_that_is_broken_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_for_the_test.py").write_text("from json import nothing_of_the_kind\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError) as caught:
        require("broken_for_the_test", "train")
    assert not isinstance(caught.value, MissingExtraError)
