"""Several channels as one: nothing that is said on any of them is lost."""

import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from intonate.audio.decode import Sound, load

sys.path.insert(0, str(Path(__file__).parent))
from recordings import convert, folder

RATE_HZ = 16_000
CLIP = Path(__file__).parents[3] / "shared/corpora/ravdess/Actor_09/03-01-05-02-01-01-09.flac"


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    if not CLIP.is_file():
        pytest.skip("no RAVDESS in ../shared/corpora, whose speech this test needs")
    return load(CLIP)


def mixed(*channels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    warnings: list[str] = []
    return load((np.stack(channels, axis=1), RATE_HZ), warnings=warnings), warnings


def noise(samples: int, level: float = 0.2) -> np.ndarray:
    return np.random.default_rng(0).normal(0, level, samples).astype(np.float32)


def test_equal_channels_are_one_without_a_word(speech: np.ndarray) -> None:
    mono, warnings = mixed(speech, speech)
    np.testing.assert_array_equal(mono, speech)
    assert warnings == []


@pytest.mark.parametrize("level", [-1.0, -0.5])
def test_opposite_phases_do_not_sum_to_silence(speech: np.ndarray, level: float) -> None:
    mono, warnings = mixed(speech, speech * np.float32(level))
    assert np.abs(mono).max() > 0.7 * np.abs(speech).max()
    assert warnings == ["<array>: channel 2 is in opposite phase to channel 1, and turned before the mix"]


def test_a_phase_that_is_turned_for_a_while(speech: np.ndarray) -> None:
    other = np.tile(speech, 4)
    other[2 * len(speech) :] *= -1
    mono, warnings = mixed(np.tile(speech, 4), other)
    for start in range(0, len(mono), len(speech)):
        assert np.abs(mono[start : start + len(speech)]).max() > 0.9 * np.abs(speech).max()
    assert warnings == ["<array>: channel 2 is in opposite phase to channel 1, and turned before the mix"]


def test_a_voice_far_softer_than_the_other_is_no_empty_channel(speech: np.ndarray) -> None:
    silence, soft = np.zeros_like(speech), speech[::-1] * np.float32(0.005)
    mono, warnings = mixed(np.concatenate([speech, silence]), np.concatenate([silence, soft]))
    assert np.abs(mono[len(speech) :]).max() > 0.001
    assert warnings == ["<array>: its channels hold different sounds, and were mixed into one"]
    # What leaks is not.
    mono, warnings = mixed(speech, speech * np.float32(0.002))
    np.testing.assert_allclose(mono, speech, atol=1e-6)
    assert warnings == ["<array>: channel 2 is silent, and left out of the mix"]


@pytest.mark.parametrize("hz", [0, 50, 7_500])
def test_what_channels_share_beside_the_voice_does_not_hide_its_phase(speech: np.ndarray, hz: int) -> None:
    """An offset, the hum of the mains, a whistle: as loud as the voice, or louder."""
    level = 2 * float(np.sqrt(np.mean(speech**2)))
    shared = (level * np.cos(2 * np.pi * hz * np.arange(len(speech)) / RATE_HZ)).astype(np.float32)
    mono, warnings = mixed(speech + shared, shared - speech)
    is_loud = np.abs(speech) > level
    assert np.linalg.norm((mono - speech)[is_loud]) < 0.1 * np.linalg.norm(speech)
    assert warnings == ["<array>: channel 2 is in opposite phase to channel 1, and turned before the mix"]


@pytest.mark.parametrize("levels", [(1.0, 0.5), (1.0, 2.0), (1.0, -2.0), (0.001, 1.0)])
@pytest.mark.parametrize("delay_s", [-0.02, 0.0002, 0.001, 0.015])
def test_one_voice_a_little_later_in_one_channel_is_no_other_voice(
    speech: np.ndarray, delay_s: float, levels: tuple[float, float]
) -> None:
    channels = [speech * np.float32(levels[0]), np.roll(speech, round(delay_s * RATE_HZ)) * np.float32(levels[1])]
    mono, warnings = mixed(*channels)
    # Both in a sum would be a comb: the louder one is heard.
    np.testing.assert_allclose(mono, channels[int(np.argmax(np.abs(levels)))], rtol=1e-5)
    assert warnings == []


def test_an_empty_channel_does_not_halve_the_other(speech: np.ndarray) -> None:
    for other in (np.zeros_like(speech), noise(len(speech), 1e-6)):
        mono, warnings = mixed(other, speech)
        np.testing.assert_allclose(mono, speech, atol=1e-5)
        assert warnings == ["<array>: channel 1 is silent, and left out of the mix"]


def test_a_channel_that_only_hums_or_hisses_is_left_out(speech: np.ndarray) -> None:
    hum = (0.3 * np.sin(2 * np.pi * 50 * np.arange(len(speech)) / RATE_HZ)).astype(np.float32)
    for other in (hum, noise(len(speech))):
        mono, warnings = mixed(speech, other)
        np.testing.assert_allclose(mono, speech, atol=1e-6)
        assert warnings == ["<array>: channel 2 is only noise, and left out of the mix"]


def test_a_channel_that_is_noise_for_some_of_the_time_is_told(speech: np.ndarray) -> None:
    long = np.resize(speech, 60 * RATE_HZ)
    other = np.concatenate([noise(30 * RATE_HZ), np.roll(long, RATE_HZ)[: 30 * RATE_HZ]])
    _, warnings = mixed(long, other)
    # Pieces are as long as they are read.
    assert any(
        re.search("channel 2 is only noise in [12]\\d of 60 s, and left out of the mix there", w) for w in warnings
    )


def test_two_voices_are_both_kept_and_told(speech: np.ndarray) -> None:
    other = np.roll(speech, RATE_HZ // 2)
    mono, warnings = mixed(speech, other)
    np.testing.assert_allclose(mono, (speech + other) / 2, atol=1e-6)
    assert warnings == ["<array>: its channels hold different sounds, and were mixed into one"]


def test_noise_on_all_channels_is_averaged() -> None:
    left, right = noise(RATE_HZ * 3), noise(RATE_HZ * 3)[::-1]
    mono, warnings = mixed(left, right)
    np.testing.assert_allclose(mono, (left + right) / 2, atol=1e-6)
    assert warnings == []


# ------------------------------------------------------------------------------------------------ joined files

TURNED = "<bytes>: channel 2 is in opposite phase to channel 1, and turned before the mix"


def written(*channels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack(channels, axis=1), RATE_HZ, format="WAV")
    return buffer.getvalue()


def as_kind(data: bytes, name: str, *arguments: str) -> bytes:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    source = folder() / f"{name}.wav"
    source.write_bytes(data)
    return convert(source, name, *arguments)


def test_a_soft_voice_before_a_microphone_of_its_own_is_kept(speech: np.ndarray) -> None:
    """Each voice reaches the other's microphone a little later; the louder one's copy is not all that is there."""
    late, pause = round(0.003 * RATE_HZ), np.zeros_like(speech)
    first, second = np.concatenate([speech, pause]), 0.25 * np.concatenate([pause, speech])
    heard, warnings = mixed(first + 0.1 * np.roll(second, late), 0.1 * np.roll(first, late) + second)
    power = np.square(heard[len(speech) + late :]).mean() / np.square(second).mean() / 2
    assert power > 0.2  # half of each channel is a quarter
    assert any("different sounds" in warning for warning in warnings)


@pytest.mark.parametrize("suffix", ["wav", "aac", "ts"])
def test_channels_that_join_later_are_mixed_as_they_are(speech: np.ndarray, suffix: str) -> None:
    mono, stereo = written(speech), written(speech, -speech)
    if suffix != "wav":
        mono, stereo = as_kind(mono, f"mono.{suffix}"), as_kind(stereo, f"opposite.{suffix}")
    for parts in ((mono, stereo), (stereo, mono)):
        warnings: list[str] = []
        sound = load(b"".join(parts), RATE_HZ, warnings=warnings)
        assert len(sound) / len(speech) == pytest.approx(2, abs=0.06)
        for half in (sound[: len(speech)], sound[-len(speech) :]):
            assert np.linalg.norm(half) > 0.9 * np.linalg.norm(speech)
        assert warnings == [TURNED]


def test_each_channel_of_a_call_behind_a_prompt_is_there(speech: np.ndarray) -> None:
    left, right = speech, np.roll(speech, RATE_HZ // 2)
    data = written(speech) + written(left, right)
    for channel, voice in ((1, left), (2, right)):
        sound = load(Sound(data, channel=channel), RATE_HZ)
        np.testing.assert_allclose(sound, np.concatenate([speech, voice]), atol=1e-4)
    assert load_with_warnings(data) == ["<bytes>: its channels hold different sounds, and were mixed into one"]


def load_with_warnings(source: bytes | Sound) -> list[str]:
    warnings: list[str] = []
    load(source, RATE_HZ, warnings=warnings)
    return warnings


def test_channels_of_one_stream_that_come_too_late_to_be_chosen_are_told(speech: np.ndarray) -> None:
    parts = [as_kind(written(*[speech] * channels), f"{channels}.aac") for channels in (1, 2)]
    warnings = load_with_warnings(Sound(b"".join(parts), channel=1))
    assert len(warnings) == 1
    assert "changes from 1 to 2 channels: what the others hold was not heard" in warnings[0]


def test_a_track_in_opposite_phase_is_one_in_which_somebody_speaks(speech: np.ndarray) -> None:
    other = folder() / "one-channel.wav"
    other.write_bytes(written(speech))
    data = as_kind(written(speech, -speech), "opposite.mkv", "-i", str(other), "-map", "0", "-map", "1", "-c:a", "flac")
    warnings = load_with_warnings(data)
    assert "track 1 was heard" in warnings[0]
    assert warnings[1:] == [TURNED]
