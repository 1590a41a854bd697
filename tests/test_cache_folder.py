from pathlib import Path

from intonate.cache_folder import cache_folder


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("encoders") == tmp_path / "intonate" / "encoders"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder("encoders") == Path.home() / ".cache" / "intonate" / "encoders"
