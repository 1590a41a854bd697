"""Cleaning steps: each does its one thing, and none harms what it should leave."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate.audio.clean import LIMITS, STEPS, check_steps, clean, trim_bounds
from intonate.audio.decode import load
from intonate.audio.energy import frame_power
from intonate.errors import RecipeError

RATE = 16_000
CORPORA = Path(__file__).parents[3] / "shared" / "corpora"


def noise(seconds: float, dbfs: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * 10 ** (dbfs / 20)).astype(np.float32)


def padded(*pieces: np.ndarray) -> np.ndarray:
    return np.concatenate(pieces)


def dbfs(waveform: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(waveform.astype(np.float64) ** 2)))


def test_frames_are_25_ms_every_10_ms() -> None:
    waveform = noise(1.0, -20)
    power = frame_power(waveform, RATE)
    assert len(power) == 100
    for frame in (0, 1, 50, 97):
        assert power[frame] == pytest.approx(np.mean(waveform[frame * 160 : frame * 160 + 400] ** 2.0), rel=1e-5)
    assert len(frame_power(waveform[:1], RATE)) == 1
    assert len(frame_power(waveform[:0], RATE)) == 0


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_trim_finds_the_sound(rate: int) -> None:
    sound = np.concatenate([np.zeros(rate), np.ones(rate // 2) * 0.3, np.zeros(rate)]).astype(np.float32)
    start, end = trim_bounds(sound, rate, below_db=40.0, margin_s=0.0)
    assert start / rate == pytest.approx(1.0, abs=0.026)
    assert end / rate == pytest.approx(1.5, abs=0.026)
    assert start <= rate
    assert end >= rate + rate // 2
    with_margin = trim_bounds(sound, rate, below_db=40.0, margin_s=0.1)
    assert with_margin == (start - rate // 10, end + rate // 10)


def test_trim_depends_on_the_threshold_not_on_the_level() -> None:
    quiet_then_loud = padded(noise(1, -70), noise(1, -10), noise(1, -35))
    assert np.subtract(*trim_bounds(quiet_then_loud, RATE, 40.0, 0.0)[::-1]) == pytest.approx(2 * RATE, abs=800)
    assert np.subtract(*trim_bounds(quiet_then_loud, RATE, 15.0, 0.0)[::-1]) == pytest.approx(RATE, abs=800)
    assert trim_bounds(quiet_then_loud * np.float32(0.01), RATE) == trim_bounds(quiet_then_loud, RATE)


def test_remove_silence_shortens_the_pauses_inside() -> None:
    waveform = padded(noise(1, -80), noise(1, -20), noise(2, -80), noise(1, -20), noise(0.2, -80), noise(1, -20))
    cut = clean(waveform, RATE, [{"step": "remove_silence", "margin_s": 0.0, "longest_pause_s": 0.5}])
    assert len(cut) / RATE == pytest.approx(1 + 0.5 + 1 + 0.2 + 1, abs=0.06)
    assert np.isin(cut, waveform).all()  # only cuts, changes nothing


def test_loudness_counts_speech_only_and_keeps_under_the_peak() -> None:
    speech = noise(1, -40)
    for waveform in (speech, padded(np.zeros(5 * RATE, np.float32), speech)):
        louder = clean(waveform, RATE, [{"step": "loudness", "target_dbfs": -26.0}])
        assert dbfs(louder[-RATE:]) == pytest.approx(-26.0, abs=0.3)
    limited = clean(speech, RATE, [{"step": "loudness", "target_dbfs": 0.0, "peak": 0.5}])
    assert np.abs(limited).max() == pytest.approx(0.5, abs=1e-6)
    assert np.corrcoef(limited, speech)[0, 1] == pytest.approx(1.0, abs=1e-6)  # scaled, not clipped


def test_denoise_lowers_the_noise_and_leaves_the_tone() -> None:
    tone = (0.3 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype(np.float32)
    clean_sound = padded(np.zeros(RATE, np.float32), tone, np.zeros(RATE, np.float32))
    noisy = clean_sound + noise(3, -45)
    quieter = clean(noisy, RATE, [{"step": "denoise", "reduction_db": 12.0}])
    assert len(quieter) == len(noisy)
    assert dbfs(quieter[: RATE // 2]) < dbfs(noisy[: RATE // 2]) - 9
    assert dbfs(quieter[RATE + 2000 : 2 * RATE - 2000]) == pytest.approx(dbfs(tone), abs=0.2)
    error = lambda waveform: dbfs(waveform - clean_sound)  # noqa: E731
    assert error(quieter) < error(noisy) - 6


def test_denoise_that_reduces_nothing_is_the_identity() -> None:
    waveform = noise(0.5, -20)
    np.testing.assert_allclose(clean(waveform, RATE, [{"step": "denoise", "reduction_db": 0.0}]), waveform, atol=1e-6)


def test_pre_emphasis_and_dc() -> None:
    waveform = np.array([1.0, 2.0, 4.0], np.float32)
    np.testing.assert_allclose(clean(waveform, RATE, [{"step": "pre_emphasis", "coefficient": 0.5}]), [1, 1.5, 3])
    np.testing.assert_allclose(clean(waveform, RATE, [{"step": "dc"}]).mean(), 0, atol=1e-6)


@given(
    step=st.sampled_from(sorted(STEPS)),
    kind=st.sampled_from(["noise", "zeros", "click", "constant", "half"]),
    samples=st.one_of(st.integers(0, 3), st.integers(0, 4_000)),
    rate=st.sampled_from([1_000, 8_000, 16_000, 44_100]),
)
@settings(max_examples=300, deadline=None)
def test_no_step_harms_anything(step: str, kind: str, samples: int, rate: int) -> None:
    waveform = {
        "noise": noise(1, -20)[:samples],
        "zeros": np.zeros(samples, np.float32),
        "click": np.eye(1, samples, samples // 2, dtype=np.float32)[0],
        "half": noise(1, -20)[:samples] * (np.arange(samples) > samples // 2),
        "constant": np.full(samples, 0.5, np.float32),
    }[kind]
    before = waveform.copy()
    after = clean(waveform, rate, [{"step": step}])
    np.testing.assert_array_equal(waveform, before)  # pure
    assert after.dtype == np.float32
    assert np.isfinite(after).all()
    assert (len(after) > 0) == (samples > 0)
    if kind == "zeros":
        np.testing.assert_array_equal(after, waveform)
    if step not in ("trim", "remove_silence"):
        assert len(after) == samples


def test_steps_run_in_their_order() -> None:
    waveform = padded(noise(0.5, -80), noise(0.5, -20) + np.float32(0.2))
    steps = [{"step": "dc"}, {"step": "trim", "margin_s": 0.0}]
    assert not np.array_equal(clean(waveform, RATE, steps), clean(waveform, RATE, steps[::-1]))
    np.testing.assert_array_equal(clean(waveform, RATE, []), waveform)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"step": "trimm"}, "cleaning step 'trimm' is not known; did you mean 'trim'? (known: "),
        ({"step": "trim", "below": 3}, "cleaning step 'trim' has no parameter 'below'; did you mean 'below_db'?"),
        ({"step": "dc", "margin_s": 1}, "cleaning step 'dc' has no parameter 'margin_s'"),
        ({"step": "trim", "below_db": "40"}, "cleaning step 'trim': below_db is '40', expected a number"),
        ({"step": "trim", "below_db": True}, "cleaning step 'trim': below_db is True, expected a number"),
        ({"step": "trim", "below_db": -3}, "cleaning step 'trim': below_db is -3, expected 1.0 to 200.0"),
        ({"below_db": 40}, "cleaning step {'below_db': 40} has no name, expected e.g. {'step': 'trim'}"),
        ("trim", "cleaning step 'trim' has no name, expected e.g. {'step': 'trim'}"),
        ({"step": ["trim"]}, "cleaning step ['trim'] is not known"),
    ],
)
def test_a_wrong_step_is_refused_before_any_sound(step: object, message: str) -> None:
    for refuse in (check_steps, lambda steps: clean(np.zeros(0, np.float32), RATE, steps)):
        with pytest.raises(RecipeError) as caught:
            refuse([step])  # type: ignore[list-item]
        assert message in str(caught.value)


def test_every_parameter_has_limits() -> None:
    for name in STEPS:
        check_steps([{"step": name}])
    from intonate.audio.clean import _step_parameters

    assert {key for name in STEPS for key in _step_parameters(name)} == set(LIMITS)


@pytest.mark.corpora
def test_trim_of_real_speech_keeps_the_speech() -> None:
    paths = sorted(CORPORA.glob("ravdess/Actor_0[1-4]/*.flac"))[::10]
    if not paths:
        pytest.skip("RAVDESS is not in ../shared/corpora")
    shares = []
    for path in paths:
        waveform = load(path)
        start, end = trim_bounds(waveform, RATE, 40.0, 0.1)
        shares.append((end - start) / len(waveform))
        outside = np.concatenate([waveform[:start], waveform[end:]])
        assert np.sum(outside**2) < 0.01 * np.sum(waveform**2)
    assert 0.3 < np.median(shares) < 0.8  # RAVDESS clips are about half silence


def test_an_offset_does_not_keep_trim_from_its_work() -> None:
    waveform = padded(noise(0.5, -20), noise(0.5, -80))
    start, end = trim_bounds(waveform, RATE)
    assert trim_bounds(waveform + np.float32(0.3), RATE) == pytest.approx((start, end), abs=RATE // 50)
    assert end - start < len(waveform)
