"""Features computed once: the same as computed anew, found again by what they are made of, never trusted blindly."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from intonate import features
from intonate.audio.clean import clean
from intonate.audio.decode import load
from intonate.errors import AudioError, RecipeError
from intonate.features import cache, packs
from intonate.features.cache import Analysis, analyse
from intonate.features.packs import Entry
from intonate.schema import Utterance

RATE_HZ = 16_000
TRIM = [{"step": "trim", "below_db": 30.0}]
FRONT_ENDS = {
    "mel": ("log_mel", {"bands": 40}),
    "pooled": ("pooled", {"of": "mfcc", "params": {"coefficients": 5}}),
}
ANALYSIS = Analysis(RATE_HZ, TRIM, FRONT_ENDS)


def picture(waveform, sample_rate_hz):
    """A front end that makes an image."""
    return np.full((3, 4, 3), min(255, len(waveform) // 100), np.uint8)


@pytest.fixture
def clips(tmp_path):
    """Five short sounds of different length."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(5):
        path = tmp_path / f"{number}.wav"
        sound = np.concatenate([np.zeros(1600), rng.normal(scale=0.1, size=3200 + 800 * number), np.zeros(1600)])
        soundfile.write(path, sound, RATE_HZ)
        rows.append(Utterance(str(path), "happy", "x", "a", "mine"))
    return rows


@pytest.fixture
def listened(monkeypatch):
    """Which files are decoded, in order."""
    seen = []

    def watched(path, *args, **kwargs):
        seen.append(Path(path).name)
        return load(path, *args, **kwargs)

    monkeypatch.setattr(cache, "load", watched)
    return seen


def assert_same(one, other):
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        assert first.samples == second.samples
        assert first.features.keys() == second.features.keys()
        for name, array in first.features.items():
            assert array.dtype == second.features[name].dtype
            np.testing.assert_array_equal(array, second.features[name])


def test_it_gives_what_the_front_ends_give(clips, tmp_path):
    for folder in (None, tmp_path / "cache", tmp_path / "cache"):
        for row, heard in zip(clips, analyse(clips, ANALYSIS, folder), strict=True):
            waveform = clean(load(row.path, RATE_HZ), RATE_HZ, TRIM)
            assert heard.samples == len(waveform)
            for name, (front_end, params) in FRONT_ENDS.items():
                right = features.get(front_end)(waveform, RATE_HZ, **params)
                np.testing.assert_array_equal(heard.features[name], right)


def test_the_second_time_nothing_is_listened_to(clips, tmp_path, listened):
    first = analyse(clips, ANALYSIS, tmp_path / "cache")
    assert listened == [f"{number}.wav" for number in range(5)]
    bars = []
    second = analyse(clips, ANALYSIS, tmp_path / "cache", bar=lambda tasks: bars.append(tasks) or tasks)
    assert len(listened) == 5
    assert bars == [], "no bar where there is nothing to wait for"
    assert_same(first, second)
    # From disk, and nobody can write to what others read.
    assert isinstance(second[0].features["mel"].base, np.ndarray | memoryview | bytes)
    assert not second[0].features["mel"].flags.writeable


def test_what_changes_the_answer_is_computed_anew(clips, tmp_path, listened, monkeypatch):
    one = clips[:1]
    analyse(one, ANALYSIS, tmp_path / "cache")
    changes = [
        replace(ANALYSIS, clean=[]),
        replace(ANALYSIS, clean=[{"step": "trim", "below_db": 31.0}]),
        replace(ANALYSIS, sample_rate_hz=22_050),
        replace(ANALYSIS, front_ends=FRONT_ENDS | {"mel": ("log_mel", {"bands": 41})}),
        replace(ANALYSIS, front_ends=FRONT_ENDS | {"mel": ("mfcc", {"bands": 40})}),
    ]
    for count, changed in enumerate(changes, 2):
        analyse(one, changed, tmp_path / "cache")
        assert len(listened) == count
        assert_same(analyse(one, changed, tmp_path / "cache"), analyse(one, changed))
        listened.pop()
    analyse([replace(one[0], start_s=0.1, end_s=0.25)], ANALYSIS, tmp_path / "cache")
    assert len(listened) == 7
    # Another file under the old name; and the old file under another name, which is known.
    os.replace(clips[1].path, one[0].path)
    analyse(one, ANALYSIS, tmp_path / "cache")
    assert len(listened) == 8
    renamed = tmp_path / "renamed.wav"
    os.replace(one[0].path, renamed)
    analyse([replace(one[0], path=str(renamed), emotion="sad")], ANALYSIS, tmp_path / "cache")
    assert len(listened) == 8
    # Another code.
    monkeypatch.setattr(cache, "code_version", lambda: "of tomorrow")
    analyse([replace(one[0], path=str(renamed))], ANALYSIS, tmp_path / "cache")
    assert len(listened) == 9


def test_the_version_of_the_code_changes_with_the_code(monkeypatch):
    before = cache.code_version.__wrapped__()
    monkeypatch.setattr(cache.importlib.metadata, "version", lambda library: "0")
    assert cache.code_version.__wrapped__() != before
    assert len(before) == 12


def test_one_input_more_computes_that_one_only(clips, tmp_path):
    less = replace(ANALYSIS, front_ends={"mel": FRONT_ENDS["mel"]})
    analyse(clips, less, tmp_path / "cache")
    asked = []
    analyse(clips, ANALYSIS, tmp_path / "cache", bar=lambda tasks: asked.extend(tasks) or tasks)
    assert {tuple(name for name, _ in task.front_ends.values()) for task in asked} == {("pooled",)}


def test_two_rows_of_one_recording_share_what_is_kept(clips, listened):
    heard = analyse([*clips, *clips], ANALYSIS)
    assert len(listened) == 5
    assert_same(heard[:5], heard[5:])


def test_images_stay_bytes(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "get", lambda name: picture)
    images = Analysis(RATE_HZ, [], {"image": ("picture", {})})
    for _ in range(2):
        heard = analyse(clips, images, tmp_path / "cache")
        assert heard[1].features["image"].dtype == np.uint8
        assert heard[1].features["image"].shape == (3, 4, 3)
        assert (heard[1].features["image"] == 72).all()


def packs_of(folder):
    return sorted(folder.rglob("*.pack"))


@pytest.mark.parametrize("damage", ["truncated", "empty", "tail", "index", "entry", "no pack at all"])
def test_a_damaged_cache_is_rebuilt_not_trusted(clips, tmp_path, listened, damage):
    folder = tmp_path / "cache"
    right = analyse(clips, ANALYSIS)
    analyse(clips, ANALYSIS, folder)
    listened.clear()
    for pack in packs_of(folder):
        whole = bytearray(pack.read_bytes())
        if damage == "truncated":
            del whole[len(whole) // 2 :]
        elif damage == "empty":
            whole.clear()
        elif damage == "no pack at all":
            whole = bytearray(b"\x1f\x8b" * 300)
        else:
            whole[{"tail": -3, "index": -60, "entry": 5}[damage]] ^= 16
        pack.write_bytes(whole)
    assert_same(analyse(clips, ANALYSIS, folder), right)
    # One flipped bit costs one clip, a pack without its index all of them.
    assert len(listened) == (1 if damage == "entry" else 5)
    listened.clear()
    assert_same(analyse(clips, ANALYSIS, folder), right)
    assert listened == []


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        arrays.arrays(
            st.sampled_from([np.dtype("f4"), np.dtype("u1"), np.dtype("i8")]),
            arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6),
        ),
        max_size=5,
    ),
    st.data(),
)
def test_a_pack_gives_back_what_it_was_given_or_nothing(tmp_path_factory, given_arrays, data):
    folder = tmp_path_factory.mktemp("packs")
    entries = {str(place): Entry(array, place) for place, array in enumerate(given_arrays)}
    pack = packs.write(folder, entries)
    back = packs.read(pack, entries)
    assert back.keys() == entries.keys()
    for name, entry in back.items():
        assert entry.array.dtype == entries[name].array.dtype
        np.testing.assert_array_equal(entry.array, entries[name].array)
        assert entry.samples == entries[name].samples
    # Any flipped bit: an entry may be lost, never changed.
    whole = bytearray(pack.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    pack.write_bytes(whole)
    for name, entry in (packs.read(pack, entries) or {}).items():
        np.testing.assert_array_equal(entry.array, entries[name].array)


def test_a_file_that_cannot_be_decoded_is_named_and_the_others_are_kept(clips, tmp_path, listened):
    Path(clips[3].path).write_bytes(b"not a sound")
    for _ in range(2):
        with pytest.raises(AudioError, match=r"3\.wav"):
            analyse(clips, ANALYSIS, tmp_path / "cache")
    assert listened == ["0.wav", "1.wav", "2.wav", "3.wav", "4.wav", "3.wav"]
    assert listened.count("0.wav") == 1
    with pytest.raises(AudioError, match=r"missing\.wav cannot be read: no such file"):
        analyse([replace(clips[0], path=str(tmp_path / "missing.wav"))], ANALYSIS, tmp_path / "cache")


def test_a_front_end_that_fails_names_the_file(clips, monkeypatch):
    def broken(waveform, sample_rate_hz):
        raise ValueError("too short for a frame")

    monkeypatch.setattr(features, "get", lambda name: broken)
    with pytest.raises(AudioError, match=r"the front end broken failed on .*0\.wav: too short for a frame"):
        analyse(clips, Analysis(RATE_HZ, [], {"x": ("broken", {})}))


def test_stopped_by_hand_it_goes_on_where_it_stopped(clips, tmp_path, listened):
    def stopped(tasks):
        yield from tasks[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyse(clips, ANALYSIS, tmp_path / "cache", bar=stopped)
    assert listened == ["0.wav", "1.wav", "2.wav"]
    analyse(clips, ANALYSIS, tmp_path / "cache")
    assert listened == [f"{number}.wav" for number in range(5)]


def test_much_is_written_in_between(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "PACK_BYTES", 1)
    first = analyse(clips, ANALYSIS, tmp_path / "cache")
    assert len(packs_of(tmp_path / "cache")) == 10
    assert_same(analyse(clips, ANALYSIS, tmp_path / "cache"), first)


def test_a_folder_that_cannot_be_written_to(clips, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RecipeError, match=r"set data\.cache to another folder"):
        analyse(clips, ANALYSIS, tmp_path / "file" / "cache")


def test_a_full_disk_is_told_and_leaves_nothing_behind(clips, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packs.os, "replace", full)
    with pytest.raises(RecipeError, match=r"\(no space left on device\)"):
        analyse(clips, ANALYSIS, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_what_nobody_asked_for_in_long_goes(clips, tmp_path):
    folder = tmp_path / "cache"
    analyse(clips, ANALYSIS, folder)
    old, other = sorted(folder.iterdir())
    long_ago = time.time() - (cache.KEPT_DAYS + 1) * 86_400
    os.utime(old / "what.json", (long_ago, long_ago))
    (other / "torn.tmp").write_bytes(b"")
    os.utime(other / "torn.tmp", (long_ago, long_ago))
    (folder / "not ours").mkdir()
    analyse(clips, Analysis(RATE_HZ, [], {"x": ("waveform", {})}), folder)
    assert not old.exists()
    assert (folder / "not ours").exists()
    analyse(clips, ANALYSIS, folder)
    assert not (other / "torn.tmp").exists()
    assert json.loads((other / "what.json").read_text())["clean"] == TRIM


def test_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.default_folder() == tmp_path / "intonate" / "features"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert cache.default_folder() == tmp_path / "me" / ".cache" / "intonate" / "features"


def test_processes_give_the_same(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "WORTH_A_PROCESS", 2)
    before = dict(os.environ)
    assert_same(analyse(clips, ANALYSIS, tmp_path / "cache", processes=2), analyse(clips, ANALYSIS))
    assert dict(os.environ) == before
    Path(clips[0].path).write_bytes(b"not a sound")
    with pytest.raises(AudioError, match=r"0\.wav"):
        analyse(clips, ANALYSIS, tmp_path / "other", processes=2)


SCRIPT = """
import sys
from intonate.features import cache
from intonate.schema import Utterance
cache.WORTH_A_PROCESS = 2
rows = [Utterance(path, "happy", "x", "a", "mine") for path in sys.argv[3:]]
analysis = cache.Analysis(16_000, [], {"mel": ("log_mel", {})})
heard = cache.analyse(rows, analysis, cache.Path(sys.argv[1]), processes=int(sys.argv[2]))
print(len(heard), float(heard[-1].features["mel"].sum()))
"""


def start(script, folder, processes, rows):
    source = str(Path(__file__).parents[2] / "src")
    command = [sys.executable, str(script), str(folder), processes, *(row.path for row in rows)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": source}
    )


def test_two_runs_at_once_share_a_folder(clips, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    runs = [start(script, tmp_path / "cache", "1", clips) for _ in range(2)]
    answers = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], answers
    assert answers[0][0] == answers[1][0]
    assert not list((tmp_path / "cache").rglob("*.tmp"))
    analysis = Analysis(RATE_HZ, [], {"mel": ("log_mel", {})})
    assert_same(analyse(clips, analysis, tmp_path / "cache"), analyse(clips, analysis))


def test_a_script_without_a_guard_is_not_run_again(clips, tmp_path):
    """A spawned process would begin with the main script, and start processes of its own."""
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    run = start(script, tmp_path / "cache", "2", clips)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (0, "")
    assert out.startswith("5 ")
    assert out.count("\n") == 1


def test_where_no_process_can_be_started_this_one_computes(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "WORTH_A_PROCESS", 2)
    monkeypatch.setattr(cache, "leave_interrupts_to_the_parent", os.abort)
    assert_same(analyse(clips, ANALYSIS, tmp_path / "cache", processes=2), analyse(clips, ANALYSIS))


def louder(waveform, sample_rate_hz, clip):
    return 2 * waveform


def named(waveform, sample_rate_hz, clip):
    """What a change is told, as a sound."""
    return np.full(400, len(clip) + sample_rate_hz + sum(clip.encode()), np.float32)


AS_IT_IS = Analysis(RATE_HZ, [], {"x": ("waveform", {"scale": False})})


def test_a_change_comes_before_the_cleaning_and_is_kept_by_itself(clips, tmp_path, listened, monkeypatch):
    monkeypatch.setattr(cache, "WORTH_A_PROCESS", 2)
    change = cache.Change(louder, "louder")
    mixed = [None, change, None, change, change]
    analysis = replace(AS_IT_IS, clean=[{"step": "loudness", "target_dbfs": -20.0}])
    assert_same(analyse(clips, analysis, changes=[change] * 5), analyse(clips, analysis))
    right = analyse(clips, AS_IT_IS)
    for processes in (2, 1):  # the second time from disk
        heard = analyse(clips, AS_IT_IS, tmp_path / "cache", processes=processes, changes=mixed)
        for one, plain, done in zip(heard, right, mixed, strict=True):
            np.testing.assert_array_equal(one.features["x"], plain.features["x"] * (2 if done else 1))
    listened.clear()
    analyse(clips, AS_IT_IS, tmp_path / "cache", processes=1, changes=[change] * 5)
    assert listened == ["0.wav", "2.wav"]
    analyse(clips[:1], AS_IT_IS, tmp_path / "cache", changes=[cache.Change(louder, "another")])
    assert len(listened) == 3
    told = [json.loads(note.read_text()).get("change") for note in (tmp_path / "cache").glob("*/what.json")]
    assert set(told) == {None, "another", "louder"}


def test_a_change_knows_a_clip_by_its_bytes_kept_or_not(clips, tmp_path):
    change = [cache.Change(named, "named")]
    renamed = tmp_path / "renamed.wav"
    renamed.write_bytes(Path(clips[0].path).read_bytes())
    first = analyse(clips[:1], AS_IT_IS, changes=change)
    assert_same(first, analyse([replace(clips[0], path=str(renamed))], AS_IT_IS, tmp_path / "cache", changes=change))
    other = analyse([replace(clips[0], start_s=0.05)], AS_IT_IS, changes=change)
    assert first[0].features["x"][0] != other[0].features["x"][0]
