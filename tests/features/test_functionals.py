"""Each group of columns beside a sound whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate import features
from intonate.features.functionals import GAIN_COLUMNS, VOICE_COLUMNS, functionals_of, voice_functionals
from intonate.features.prosody import pitch
from intonate.features.spectral import dct_matrix, log_mel

RATE_HZ = 16_000


def heard(sound: np.ndarray) -> dict[str, float]:
    return dict(zip(VOICE_COLUMNS, voice_functionals(sound.astype(np.float32), RATE_HZ).tolist(), strict=True))


def described(logs: np.ndarray, f0_hz: float = 120.0, strength: float = 0.9) -> dict[str, float]:
    tracks = (np.full(len(logs), value, np.float32) for value in (f0_hz, strength))
    return dict(zip(VOICE_COLUMNS, functionals_of(logs.astype(np.float32), *tracks).tolist(), strict=True))


def noise(seconds: float = 3.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.05, int(seconds * RATE_HZ))


def sung(f0_hz: np.ndarray) -> np.ndarray:
    """A voice that follows a pitch contour given for each sample."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE_HZ
    return 0.1 * sum(np.sin(n * phase) / n for n in range(1, 9)) + noise(len(f0_hz) / RATE_HZ) / 100


def test_every_column_has_a_name_of_its_own():
    assert len(set(VOICE_COLUMNS)) == len(VOICE_COLUMNS) == len(heard(noise()))
    assert set(GAIN_COLUMNS) < set(VOICE_COLUMNS)
    assert features.get("voice_functionals") is voice_functionals


@pytest.mark.parametrize("order", [1, 3, 24])
def test_cepstra_name_the_shape_of_the_spectrum(order):
    basis = dct_matrix(80, 25)[:, order]
    found = described(np.full((100, 80), -3.0) + 2 * basis)
    for k in range(25):
        wanted = 2.0 if k == order else 0.0
        for stat in ("mean", "p10", "p90", "voiced_mean"):
            assert found[f"c{k}_{stat}"] == pytest.approx(wanted, abs=1e-4)
        assert found[f"c{k}_sd"] == pytest.approx(0, abs=1e-4)
        assert found[f"c{k}_delta_sd"] == pytest.approx(0, abs=1e-4)


def test_cepstra_name_its_changes():
    swing = np.where(np.arange(100) % 2, 1.0, -1.0)[:, None] * dct_matrix(80, 25)[:, 2]
    found = described(swing)
    assert found["c2_sd"] == pytest.approx(1, rel=1e-3)
    assert found["c2_delta_sd"] == pytest.approx(2, rel=1e-3)
    assert (found["c2_p10"], found["c2_p90"]) == pytest.approx((-1, 1), rel=1e-3)
    assert found["c3_sd"] == pytest.approx(0, abs=1e-4)


def test_cepstra_of_voiced_frames_leave_the_others_out():
    basis = dct_matrix(80, 25)[:, 1]
    logs = np.where(np.arange(100) < 50, 1.0, -1.0)[:, None] * basis
    strength = np.where(np.arange(100) < 50, 0.9, 0.1)
    found = functionals_of(logs.astype(np.float32), np.full(100, 120, np.float32), strength.astype(np.float32))
    assert found[VOICE_COLUMNS.index("c1_voiced_mean")] == pytest.approx(1, rel=1e-3)
    assert found[VOICE_COLUMNS.index("c1_mean")] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("rate_hz", "band"), [(1.5, "1hz"), (4, "2.5hz"), (7, "5hz"), (15, "10hz")])
def test_a_tremble_shows_in_the_modulation_of_its_rate(rate_hz, band):
    time = np.arange(3 * RATE_HZ) / RATE_HZ
    found = heard(noise() * (1 + 0.8 * np.sin(2 * np.pi * rate_hz * time)))
    for group in range(8):
        columns = {name: found[f"mod{group}_{name}"] for name in ("1hz", "2.5hz", "5hz", "10hz")}
        assert max(columns, key=columns.get) == band


def test_vibrato_shows_where_the_harmonics_move():
    time = np.arange(3 * RATE_HZ) / RATE_HZ
    steady, vibrato = sung(np.full(len(time), 200.0)), sung(200 + 12 * np.sin(2 * np.pi * 6 * time))
    moved = {name: heard(vibrato)[name] - heard(steady)[name] for name in VOICE_COLUMNS if name.startswith("mod1_")}
    assert max(moved, key=moved.get) == "mod1_5hz"


def test_a_gliding_voice_has_its_slope():
    seconds = 3
    found = heard(sung(150 * 2 ** (np.arange(seconds * RATE_HZ) / RATE_HZ / seconds)))
    assert found["f0_slope"] == pytest.approx(12 / seconds, rel=0.02)
    assert found["f0_delta_mean"] == pytest.approx(12 / seconds / 100, rel=0.1)
    assert found["f0_mean"] == pytest.approx(12 * np.log2(1.5) + 6, abs=0.1)
    assert found["f0_p50"] == pytest.approx(12 * np.log2(1.5) + 6, abs=0.1)
    assert found["f0_range"] == pytest.approx(0.8 * 12, abs=0.2)
    assert found["f0_p90"] - found["f0_p10"] == pytest.approx(found["f0_range"], abs=1e-4)
    assert found["f0_end"] == pytest.approx(12 * (7 / 8 - 1 / 2), abs=0.2)
    assert found["f0_sd"] == pytest.approx(12 / np.sqrt(12), abs=0.1)


def test_a_level_voice_has_none():
    found = heard(sung(np.full(2 * RATE_HZ, 200.0)))
    assert found["f0_mean"] == pytest.approx(12, abs=0.1)
    for name in ("f0_sd", "f0_range", "f0_slope", "f0_end", "f0_abs_delta"):
        assert abs(found[name]) < 0.1
    assert found["voiced_share"] > 0.95
    assert found["voicing_mean"] > 0.9
    assert found["voicing_p90"] >= found["voicing_mean"]


def test_an_octave_error_is_pulled_back():
    f0_hz = np.full(200, 120, np.float32)
    f0_hz[50:55] = 480
    found = functionals_of(np.zeros((200, 80), np.float32), f0_hz, np.full(200, 0.9, np.float32))
    worst = 12 * np.log2(1.2) + 12
    assert found[VOICE_COLUMNS.index("f0_mean")] == pytest.approx((195 * 12 * np.log2(1.2) + 5 * worst) / 200, rel=1e-4)
    # The leap there and back is no melody.
    assert found[VOICE_COLUMNS.index("f0_abs_delta")] == 0


def test_voiced_stretches_are_counted_and_measured():
    strength = np.full(300, 0.1, np.float32)
    for start in (20, 120, 220):
        strength[start : start + 40] = 0.8
    found = functionals_of(np.zeros((300, 80), np.float32), np.full(300, 150, np.float32), strength)
    named = dict(zip(VOICE_COLUMNS, found.tolist(), strict=True))
    assert named["voiced_runs_per_s"] == pytest.approx(1)
    assert named["voiced_run_s"] == pytest.approx(0.4)
    assert named["voiced_share"] == pytest.approx(0.4)
    assert named["voicing_mean"] == pytest.approx(0.8)
    assert named["voicing_sd"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.0, 9.0])
def test_duration_is_the_logarithm_of_the_seconds(seconds):
    assert heard(noise(seconds))["duration_log_s"] == pytest.approx(np.log(seconds + 0.01), abs=1e-4)


def test_half_a_clip_of_silence_is_half_active():
    sound = noise(2)
    sound[RATE_HZ:] = 0
    assert heard(sound)["active_share"] == pytest.approx(0.5, abs=0.02)


def test_syllables_are_counted():
    time = np.arange(3 * RATE_HZ) / RATE_HZ
    found = heard(noise() * np.sin(np.pi * 4 * time) ** 2)  # 4 swells a second
    assert found["energy_peaks_per_s"] == pytest.approx(4, abs=0.35)
    steady = heard(noise())
    assert found["energy_sd"] > 5 * steady["energy_sd"]
    assert found["energy_range"] > 5 * steady["energy_range"]


def test_rhythm_follows_the_energy_from_frame_to_frame():
    logs = np.tile(np.where(np.arange(100) % 2, 0.5, -0.5)[:, None], (1, 80))
    found = described(logs)
    assert found["energy_sd"] == pytest.approx(0.5)
    assert found["energy_range"] == pytest.approx(1)
    assert found["energy_abs_delta"] == pytest.approx(1)
    # Half of the 99 steps rise, by one.
    assert found["flux"] == pytest.approx(50 / 99)


@pytest.mark.parametrize("gain", [0.25, 4.0])
def test_only_the_level_knows_the_gain(gain):
    sound = sung(np.linspace(120, 180, 2 * RATE_HZ)) + 0.2 * noise(2, seed=1)
    plain, turned = heard(sound), heard(gain * sound)
    for name in VOICE_COLUMNS:
        moved = turned[name] - plain[name]
        # In nepers of power: twice the logarithm of the gain.
        wanted = 2 * np.log(gain) if name in GAIN_COLUMNS else 0.0
        assert moved == pytest.approx(wanted, abs=0.01 + 0.002 * abs(plain[name])), name


def test_the_level_is_the_mean_log_power_of_the_bands():
    logs = np.full((100, 80), -4.0)
    logs[50:] = -2.0
    found = described(logs)
    assert found["level_mean"] == pytest.approx(-3)
    assert found["level_max"] == pytest.approx(-2)
    assert found["level_voiced"] == pytest.approx(-3)


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 480, RATE_HZ])
def test_silence_has_no_melody_and_no_nan(samples):
    found = heard(np.zeros(samples))
    assert all(np.isfinite(value) for value in found.values())
    assert all(found[name] == 0 for name in VOICE_COLUMNS if name.startswith("f0_"))
    assert found["voiced_share"] == found["energy_peaks_per_s"] == 0


@settings(max_examples=60, deadline=None)
@given(
    samples=st.integers(0, 6000),
    kind=st.sampled_from(["noise", "clipping", "click", "hum", "late"]),
    seed=st.integers(0, 99),
)
def test_any_finite_sound_has_finite_columns(samples, kind, seed):
    hiss = np.random.default_rng(seed).normal(size=samples)
    sound = {
        "noise": hiss,
        "clipping": np.sign(hiss),
        "click": np.eye(1, samples, seed)[0] if samples else hiss,
        "hum": np.sin(np.arange(samples) / (5 + seed)),
        "late": np.where(np.arange(samples) > samples * 0.9, hiss, 0),
    }[kind]
    found = voice_functionals(sound.astype(np.float32), RATE_HZ)
    assert found.shape == (len(VOICE_COLUMNS),)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_both_ways_lead_to_the_same_columns():
    sound = sung(np.linspace(100, 300, RATE_HZ)).astype(np.float32)
    alone = voice_functionals(sound, RATE_HZ)
    features.get("log_mel")(sound, RATE_HZ, level=False)
    np.testing.assert_array_equal(voice_functionals(sound, RATE_HZ), alone)
    np.testing.assert_array_equal(functionals_of(log_mel(sound, RATE_HZ), *pitch(sound, RATE_HZ)), alone)
