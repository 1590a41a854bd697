"""Changes of a waveform: drawn as data, applied purely, and each does what its name says, by as much as was asked."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate.augment import waveform
from intonate.augment.waveform import TRANSFORMS, apply, change, changes, check, draw
from intonate.errors import RecipeError

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Two backgrounds: a hiss of two seconds, a rumble of a tenth of one."""
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    soundfile.write(folder / "hiss.wav", 0.1 * rng.normal(size=2 * RATE_HZ), RATE_HZ)
    soundfile.write(folder / "rumble.flac", 0.3 * np.sin(np.arange(RATE_HZ // 10) / 40), RATE_HZ)
    (folder / "README.md").write_text("about the sounds")
    return str(folder)


def step(name, path, **values):
    return {"transform": name} | ({"path": path} if name == "noise" else {}) | values


def one(name, clip, seed=0, **values):
    """A clip after one transform."""
    return apply(clip, RATE_HZ, draw([{"transform": name} | values], np.random.default_rng(seed)))


def sine(frequency_hz, seconds=1.0, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)).astype("f4")


def peak_hz(clip):
    """The strongest frequency, to a fifth of a Hz or so."""
    spectrum = np.abs(np.fft.rfft(clip * np.hanning(len(clip)), 8 * len(clip)))
    return spectrum.argmax() * RATE_HZ / (8 * len(clip))


def power(clip):
    return float(np.square(clip, dtype=np.float64).mean())


def speech(seed=0, seconds=1.0):
    """Something between noise and voice, with pauses."""
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    rng = np.random.default_rng(seed)
    buzz = sum(np.sin(2 * np.pi * 140 * k * time_s) / k for k in range(1, 20))
    return (0.2 * buzz * np.sin(np.pi * 3 * time_s) ** 2 + 0.002 * rng.normal(size=len(time_s))).astype(np.float32)


@pytest.mark.parametrize("name", TRANSFORMS)
@settings(max_examples=25, deadline=None)
@given(
    samples=st.one_of(st.integers(1, 40), st.integers(400, 9_000)),
    amplitude=st.sampled_from([0.0, 1e-6, 0.3, 4.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_draw_is_finite_pure_and_repeatable(name, sounds, samples, amplitude, seed):
    clip = (amplitude * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)
    before = clip.copy()
    drawn = draw([step(name, sounds)], np.random.default_rng(seed))
    changed = apply(clip, RATE_HZ, drawn)
    assert changed.dtype == np.float32
    assert changed.ndim == 1
    assert len(changed) >= 1
    assert np.isfinite(changed).all()
    np.testing.assert_array_equal(clip, before, err_msg="the clip itself is left alone")
    np.testing.assert_array_equal(apply(clip, RATE_HZ, drawn), changed)
    assert draw([step(name, sounds)], np.random.default_rng(seed)) == drawn
    if name not in ("stretch", "speed", "excerpt"):
        assert len(changed) == samples


@pytest.mark.parametrize("name", TRANSFORMS)
def test_what_was_drawn_is_steps_with_nothing_left_to_draw(name, sounds):
    drawn = draw([step(name, sounds)], np.random.default_rng(1))
    assert draw(drawn, np.random.default_rng(2)) == drawn
    for key, parameter in TRANSFORMS[name].parameters.items():
        if key in drawn[0]:
            assert parameter.low <= drawn[0][key] <= parameter.high


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_catalogue_knows_the_parameters_of_each_function(name):
    _, _, *takes = inspect.signature(TRANSFORMS[name].apply).parameters
    assert set(takes) - {"path"} == set(TRANSFORMS[name].parameters)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_no_sound_stays_no_sound(name, sounds):
    nothing = np.zeros(0, np.float32)
    assert len(apply(nothing, RATE_HZ, draw([step(name, sounds)], np.random.default_rng(0)))) == 0


@pytest.mark.parametrize("name", sorted(TRANSFORMS.keys() - {"hum", "rumble", "offset"}))
def test_silence_stays_silent(name, sounds):
    assert not one(name, np.zeros(RATE_HZ // 2, np.float32), **step(name, sounds)).any()


def test_ranges_are_drawn_from_and_numbers_are_not():
    steps = [{"transform": "gain", "db": [2, 3]}, {"transform": "speed", "factor": 1.12}]
    drawn = [draw(steps, np.random.default_rng(seed)) for seed in range(50)]
    gains = [first["db"] for first, _ in drawn]
    assert 2 <= min(gains) < 2.2
    assert 2.8 < max(gains) <= 3
    assert {second["factor"] for _, second in drawn} == {1.12}
    shifts = {
        one["samples"]
        for (one,) in (draw([step("roll", "", samples=[-1, 1])], np.random.default_rng(s)) for s in range(40))
    }
    assert shifts == {-1, 0, 1}, "whole numbers, both ends among them"


@settings(max_examples=25, deadline=None)
@given(st.floats(0.5, 2), st.integers(200, 40_000))
def test_stretch_and_speed_change_the_length_by_their_factor(factor, samples):
    clip = np.resize(speech(), samples)
    assert abs(len(one("stretch", clip, factor=factor)) - samples * factor) <= 1
    # The rate is a whole number of Hz: 1/16000 of the length, and the ends of the filter.
    assert abs(len(one("speed", clip, factor=factor)) - samples / factor) <= 2 + samples / factor / 8000


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_stretch_keeps_the_pitch_and_speed_moves_it(factor):
    assert peak_hz(one("stretch", sine(440), factor=factor)) == pytest.approx(440, rel=2e-3)
    assert peak_hz(one("speed", sine(440), factor=factor)) == pytest.approx(440 * factor, rel=1e-3)


@pytest.mark.parametrize("semitones", [-5, -0.7, 0.7, 12])
def test_pitch_moves_a_sine_by_the_ratio_and_keeps_the_length(semitones):
    changed = one("pitch", sine(440), semitones=semitones)
    assert len(changed) == RATE_HZ
    assert peak_hz(changed) == pytest.approx(440 * 2 ** (semitones / 12), rel=3e-3)


def test_stretch_has_no_delay():
    """A burst in the middle stays in the middle."""
    clip = np.zeros(RATE_HZ, np.float32)
    clip[7_200:8_800] = sine(700, 0.1)
    for factor in (0.8, 1.0, 1.25):
        changed = np.square(one("stretch", clip, factor=factor))
        centre = (changed * np.arange(len(changed))).sum() / changed.sum()
        assert centre == pytest.approx(8_000 * factor, abs=160)


@settings(max_examples=20, deadline=None)
@given(st.floats(-40, 40))
def test_gain_is_exact_and_nothing_is_clipped(db):
    clip = speech()
    np.testing.assert_array_equal(one("gain", clip, db=db), clip * np.float32(10 ** (db / 20)))


@pytest.mark.parametrize("name", ["noise", "gaussian"])
@settings(max_examples=20, deadline=None)
@given(snr_db=st.floats(-10, 40), seed=st.integers(0, 1000))
def test_the_ratio_to_the_noise_is_what_was_asked(name, sounds, snr_db, seed):
    clip = speech()
    added = one(name, clip, seed, **step(name, sounds, snr_db=snr_db)).astype(np.float64) - clip
    assert 10 * np.log10(power(clip) / power(added)) == pytest.approx(snr_db, abs=0.1)


def test_noise_is_of_the_folder_from_anywhere_in_a_file_and_repeated_if_short(sounds):
    clip = speech(seconds=0.5)
    heard = {
        drawn["file"] < 0.5 for (drawn,) in (draw([step("noise", sounds)], np.random.default_rng(s)) for s in range(20))
    }
    assert heard == {True, False}
    rumble = one("noise", clip, path=sounds, file=1.0, start=0.25, snr_db=0) - clip
    period = RATE_HZ // 10
    np.testing.assert_allclose(rumble[:period], rumble[period : 2 * period], atol=1e-5)
    alone = one("noise", clip, path=f"{sounds}/rumble.flac", file=0.0, start=0.25, snr_db=0) - clip
    np.testing.assert_array_equal(rumble, alone)


@settings(max_examples=20, deadline=None)
@given(st.integers(-50_000, 50_000), st.integers(1, 3_000))
def test_roll_is_a_permutation(samples, length):
    clip = np.arange(length, dtype=np.float32)
    rolled = one("roll", clip, samples=samples)
    assert rolled[samples % length] == 0
    np.testing.assert_array_equal(np.sort(rolled), clip)


def test_roll_takes_seconds_as_well():
    clip = speech()
    np.testing.assert_array_equal(one("roll", clip, seconds=0.25), np.roll(clip, 4_000))


def test_a_room_decays_as_long_as_was_asked_and_keeps_the_power():
    click = np.zeros(2 * RATE_HZ, np.float32)
    click[100] = 1
    heard = one("room", click, rt60_s=0.5, direct_db=0)
    assert power(heard) == pytest.approx(power(click), rel=1e-3)
    assert not heard[:100].any() or np.abs(heard[:100]).max() < 1e-6
    assert heard.argmax() == 100, "the sound itself is not delayed"
    # Schroeder's backward integral falls from -5 to -25 dB in a third of the reverberation time.
    left = np.cumsum(np.square(heard[101:].astype(np.float64))[::-1])[::-1]
    decay_db = 10 * np.log10(left / left[0])
    third_s = (np.argmax(decay_db < -25) - np.argmax(decay_db < -5)) / RATE_HZ
    assert 3 * third_s == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(("frequency_hz", "passes"), [(100, False), (400, True), (3000, True), (6000, False)])
def test_a_telephone_carries_its_band_only(frequency_hz, passes):
    clip = sine(frequency_hz)
    left_db = 10 * np.log10(power(one("telephone", clip)[2000:-2000]) / power(clip))
    assert abs(left_db) < 0.2 if passes else left_db < -40


def test_spec_augment_makes_the_holes_that_were_drawn_and_leaves_the_rest():
    rng = np.random.default_rng(0)
    clip = rng.normal(size=RATE_HZ).astype(np.float32)
    untouched = one("spec_augment", clip, mels=0, seconds=0)
    np.testing.assert_allclose(untouched, clip, atol=1e-5)
    silent = one("spec_augment", clip, mels=0, seconds=0.15, seconds_at=0.5)
    middle = slice(int(0.45 * RATE_HZ), int(0.55 * RATE_HZ))
    assert power(silent[middle]) < 1e-3 * power(clip[middle])
    np.testing.assert_allclose(silent[: int(0.38 * RATE_HZ)], clip[: int(0.38 * RATE_HZ)], atol=1e-5)
    # The lowest quarter of the mel scale at 16 kHz is what lies under 624 Hz.
    banded = np.abs(np.fft.rfft(one("spec_augment", clip, mels=20, seconds=0, mels_at=0)))
    whole = np.abs(np.fft.rfft(clip))
    assert np.square(banded[50:560]).sum() < 0.02 * np.square(whole[50:560]).sum()
    assert np.square(banded[700:]).sum() == pytest.approx(np.square(whole[700:]).sum(), rel=0.01)


def test_spec_augment_masks_a_fifth_at_most():
    clip = np.ones(RATE_HZ, np.float32) * np.random.default_rng(0).choice([-1, 1], RATE_HZ).astype(np.float32)
    changed = one("spec_augment", clip, mels=0, seconds=0.7, seconds_at=0.5)
    blocks = np.abs(changed[: RATE_HZ // 160 * 160]).reshape(-1, 160).max(axis=1)
    assert 0.15 < (blocks < 0.1).mean() <= 0.2


def test_p4_noise_is_as_printed():
    clip = speech()
    (drawn,) = draw([{"transform": "p4_noise"}], np.random.default_rng(3))
    normal = np.random.default_rng(drawn["seed"]).standard_normal(len(clip), np.float32)
    amplitude = np.float32(0.035 * drawn["uniform"] * clip.max())
    np.testing.assert_array_equal(apply(clip, RATE_HZ, [drawn]), clip + amplitude * normal)


def test_p4_pitch_as_printed_changes_nothing():
    clip = speech()
    np.testing.assert_allclose(one("p4_pitch", clip), clip, atol=1e-6)
    assert np.abs(one("p4_pitch", clip, steps=40) - clip).max() > 0.1, "with more than one step it would"


def test_cleaning_may_stand_between():
    quiet = np.zeros(RATE_HZ, np.float32)
    steps = [{"step": "trim", "margin_s": 0.0}, {"transform": "gain", "db": 0}]
    assert (
        len(apply(np.concatenate([quiet, speech(), quiet]), RATE_HZ, draw(steps, np.random.default_rng(0))))
        < 1.1 * RATE_HZ
    )


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([{"transform": "streach"}], "did you mean 'stretch'"),
        ([{"transfrm": "stretch"}], "transform None is not known"),
        (["stretch"], "a list of transforms"),
        ({"transform": "stretch"}, "a list of transforms"),
        ([{"transform": "stretch", "facter": 1}], "did you mean 'factor'"),
        ([{"transform": "stretch", "factor": 0}], "factor is 0, expected 0.25 to 4"),
        ([{"transform": "stretch", "factor": [1, 9]}], "expected 0.25 to 4"),
        ([{"transform": "stretch", "factor": [1.2, 0.8]}], r"expected \[low, high\]"),
        ([{"transform": "stretch", "factor": [1, 2, 3]}], "expected a number"),
        ([{"transform": "stretch", "factor": "fast"}], "expected a number"),
        ([{"transform": "gain", "db": True}], "expected a number"),
        ([{"transform": "gain", "db": float("nan")}], "expected -100 to 60"),
        ([{"transform": "roll", "samples": 0.5}], "expected a whole number"),
        ([{"transform": "noise"}], "needs a path"),
        ([{"transform": "noise", "path": "nowhere"}], "nowhere does not exist"),
        ([{"step": "trimm"}], "did you mean 'trim'"),
    ],
)
def test_what_is_wrong_is_named_with_the_way_out(steps, words):
    with pytest.raises(RecipeError, match=words) as caught:
        check(steps)
    assert "\n" not in str(caught.value)


def test_a_folder_without_sounds(tmp_path):
    (tmp_path / "notes.txt").write_text("no sound")
    with pytest.raises(RecipeError, match="holds no sound"):
        check([{"transform": "noise", "path": str(tmp_path)}])


def test_a_change_is_drawn_from_the_clip_the_steps_and_the_number(sounds):
    clip, steps = speech(), [{"transform": "pitch"}, step("noise", sounds)]
    first, again, second = change(steps), change(steps), change(steps, 1)
    np.testing.assert_array_equal(first.apply(clip, RATE_HZ, "a"), again.apply(clip, RATE_HZ, "a"))
    for other in (second.apply(clip, RATE_HZ, "a"), first.apply(clip, RATE_HZ, "b")):
        assert not np.array_equal(first.apply(clip, RATE_HZ, "a"), other)
    assert first.key == again.key != second.key


def test_equal_copies_draw_each_their_own_and_the_order_does_not_matter():
    pitch, gain = [{"transform": "pitch"}], [{"transform": "gain"}]
    keys = [change.key for change in changes([pitch, gain, pitch])]
    assert len(set(keys)) == 3
    assert {change.key for change in changes([gain, pitch, pitch])} == set(keys)


def test_noise_counts_by_what_it_holds_and_not_by_where_it_lies(tmp_path, sounds):
    rng = np.random.default_rng(0)
    places = [tmp_path / name for name in ("here", "there")]
    for place in places:
        place.mkdir()
        soundfile.write(place / "hiss.wav", 0.1 * rng.permuted(np.linspace(-1, 1, 5000)), RATE_HZ)
    here, there = (change([step("noise", str(place))]) for place in places)
    assert here.key != there.key
    (places[1] / "hiss.wav").write_bytes((places[0] / "hiss.wav").read_bytes())
    moved = change([step("noise", str(places[1]))])
    assert moved.key == here.key
    assert str(tmp_path) not in moved.key


def test_another_code_is_another_key(monkeypatch):
    before = change([{"transform": "pitch"}])
    monkeypatch.setattr(waveform, "code_version", lambda: "of tomorrow")
    after = change([{"transform": "pitch"}])
    assert before.key != after.key
    np.testing.assert_array_equal(before.apply(speech(), RATE_HZ, "a"), after.apply(speech(), RATE_HZ, "a"))


PAGE = Path(__file__).parents[2] / "docs" / "augmentation.md"


def copies_chapter():
    """The page up to the translations, which are no transforms of a waveform."""
    chapter, heading, _ = PAGE.read_text(encoding="utf-8").partition("\n## Clips of other corpora")
    assert heading
    return chapter


def test_the_page_tells_every_transform_with_its_parameters_and_defaults():
    documented = dict(re.findall(r"^\| `(\w+)`[^|]*\|[^|]*\|([^|]*)\|$", copies_chapter(), re.M))
    assert list(documented) == list(TRANSFORMS)
    for name, transform in TRANSFORMS.items():
        for key, parameter in transform.parameters.items():
            default = parameter.default
            if key != "seed" and default is not None:
                shown = f"[{default[0]:g}, {default[1]:g}]" if isinstance(default, tuple) else f"{default:g}"
                assert f"`{key}: {shown}`" in documented[name], (name, key)
            assert f"`{key}" in documented[name], (name, key)


def test_what_the_page_shows_is_a_recipe_and_python():
    text = PAGE.read_text(encoding="utf-8")
    shown = [yaml.safe_load(block)["data"] for block in re.findall(r"```yaml\n(.*?)```", copies_chapter(), re.S)]
    for data in shown:
        for steps in data["expand"]:
            check(steps)
    ours = yaml.safe_load((PAGE.parents[1] / "recipes" / "expanded-p4.yaml").read_text(encoding="utf-8"))["data"]
    assert shown[-1].items() <= ours.items()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    done = {}
    exec(compile(code, str(PAGE), "exec"), done)
    assert len(done["copy"]) == 16_000


def test_everything_shown_on_the_page_can_be_heard():
    heard = set(re.findall(r"augmentation/(\w+)\.ogg", PAGE.read_text(encoding="utf-8")))
    assert heard == {*TRANSFORMS, "original"} - {"p4_pitch"}
    for name in heard:
        sound, rate_hz = soundfile.read(PAGE.parent / "augmentation" / f"{name}.ogg")
        assert rate_hz == RATE_HZ
        assert 1 < len(sound) / rate_hz < 3
