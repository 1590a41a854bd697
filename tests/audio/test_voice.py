"""A voice is heard at any level and rate; what is no voice is not taken for one."""

from pathlib import Path

import numpy as np
import pytest
import tiny

from intonate.audio.decode import load
from intonate.audio.resample import resample
from intonate.audio.voice import detector, has_voice, level_dbfs, recording_detector, unvoiced_label, voice_frames

RATE = 16_000
SHARED = Path(__file__).parents[3] / "shared"
TIME_S = np.arange(6 * RATE) / RATE


def tone(hz):
    return np.sin(2 * np.pi * hz * TIME_S)


def note(hz):
    time_s = TIME_S[: RATE * 2 // 5]
    return sum(np.sin(2 * np.pi * hz * k * time_s) / k for k in range(1, 8)) * np.exp(-3 * time_s)


def taps():
    clicks = np.zeros(6 * RATE)
    clicks[np.random.default_rng(0).integers(0, 6 * RATE, 40)] = 1
    return clicks


def dial():
    keys = [(697, 1209), (770, 1336), (852, 1477), (941, 1336)] * 8
    return np.concatenate(
        [np.where(TIME_S[:3000] < 0.12, tone(low)[:3000] + tone(high)[:3000], 0) for low, high in keys]
    )


SOUNDS = {
    "ring tone": (tone(440) + tone(480)) * (TIME_S % 3 < 1),
    "piano": np.concatenate([note(hz) for hz in (262, 330, 392, 523, 392, 330) * 2]),
    "keys": dial(),
    "siren": np.sin(2 * np.pi * np.cumsum(600 + 300 * np.sin(2 * np.pi * 0.25 * TIME_S)) / RATE),
    "taps": taps(),
    "noise": np.random.default_rng(1).standard_normal(6 * RATE),
    "hum": tone(50) + 0.4 * tone(100),
    "silence": np.zeros(RATE),
}


@pytest.mark.parametrize("dbfs", [-3, -30, -60])
@pytest.mark.parametrize("name", SOUNDS)
def test_no_voice(name, dbfs):
    sound = SOUNDS[name] / max(1e-9, np.abs(SOUNDS[name]).max()) * 10 ** (dbfs / 20)
    assert not has_voice(sound.astype(np.float32), RATE)


@pytest.mark.parametrize("dbfs", [-3, -30, -60])
@pytest.mark.parametrize("rate", [8_000, RATE, 48_000])
def test_a_voice_at_any_level_and_rate(rate, dbfs):
    pause = np.zeros(RATE, np.float32)
    spoken = np.concatenate([pause, tiny.speech(2.0), pause]) * 10 ** (dbfs / 20) / 0.3
    waveform = resample(spoken.astype(np.float32), RATE, rate)
    assert has_voice(waveform, rate)
    frames = voice_frames(waveform, rate)
    assert len(frames) == -(-len(waveform) // round(rate / 100))
    found = np.flatnonzero(frames)
    assert found[0] == pytest.approx(100, abs=40)
    assert found[-1] == pytest.approx(300, abs=25)


@pytest.mark.parametrize("name", [*SOUNDS, "speech", "a tape too fast"])
def test_the_short_way_agrees_with_the_long_one(name):
    """`has_voice` asks hearing by hearing, `voice_frames` all of them at each step."""
    sound = SOUNDS.get(name)
    if sound is None:
        sound = np.concatenate([np.zeros(RATE), tiny.speech(3.0)])
        sound = resample(sound.astype(np.float32), 24_000, RATE) if name == "a tape too fast" else sound
    sound = (0.3 * sound / max(1e-9, np.abs(sound).max())).astype(np.float32)
    assert has_voice(sound, RATE) == voice_frames(sound, RATE).any()


@pytest.mark.corpora
@pytest.mark.parametrize("gain", [1, 0.1, 0.01])
@pytest.mark.parametrize("length_s", [2, 4])
def test_a_miaow_is_no_voice(gain, length_s):
    path = SHARED / "noise" / "dude_miaowing.flac"
    if not path.is_file():
        pytest.skip("the noises are not in ../shared/noise")
    noise = load(path) * np.float32(gain)
    for start in range(0, len(noise) - length_s * RATE, length_s * RATE):
        assert not has_voice(noise[start : start + length_s * RATE], RATE), start / RATE


def test_soft_and_loud_speakers_of_a_long_recording_are_both_heard():
    """Each is heard at the level of what is said near it, not at that of the loudest hour."""
    pause = np.zeros(40 * RATE, np.float32)
    loud, soft = tiny.speech(2.0), tiny.speech(2.0, seed=1) * np.float32(0.002)
    frames = voice_frames(np.concatenate([loud, pause, soft]), RATE)
    assert frames[:200].mean() > 0.5
    assert frames[4200:].mean() > 0.5


@pytest.mark.corpora
@pytest.mark.parametrize("softer_db", [-20, -40])
def test_a_soft_voice_behind_a_loud_beep_is_heard(softer_db):
    paths = sorted((SHARED / "corpora").glob("ravdess/Actor_*/*.flac"))
    if not paths:
        pytest.skip("RAVDESS is not in ../shared/corpora")
    beep, pause = 0.9 * tone(1000)[:RATE].astype(np.float32), np.zeros(RATE, np.float32)
    for path in paths[:: len(paths) // 6]:
        spoken = load(path)
        soft = spoken / np.abs(spoken).max() * np.float32(10 ** (softer_db / 20))
        frames = voice_frames(np.concatenate([beep, pause, soft]), RATE)
        assert not frames[:150].any(), path.name
        assert frames[200:].mean() > 0.1, path.name


def test_windows_of_a_recording_in_memory_have_what_was_found_in_it():
    waveform = np.concatenate([np.zeros(4_000, np.float32), tiny.speech(2.3), np.zeros(7_123, np.float32)])
    detect, told, end = recording_detector(waveform, 16_000), np.zeros(-(-len(waveform) // 160), np.bool_), 0
    for start in range(0, len(waveform) - 16_000, 8_000):
        last = len(waveform) if start + 24_000 > len(waveform) else start + 16_000
        told[start // 160 : -(-last // 160)] = detect(waveform[start:last], last - end)
        end = last
    assert end == len(waveform)
    assert told.any()
    assert (told == voice_frames(waveform, 16_000)).all()


@pytest.mark.corpora
@pytest.mark.parametrize(("snr_db", "least_share"), [(0, 0.75), (-6, 0.6)])
def test_a_voice_in_noise_that_nearly_covers_it(snr_db, least_share):
    """It moves by less than the noise does by itself."""
    paths = sorted((SHARED / "corpora/emodb/wav").glob("*"))[::60]
    if not paths:
        pytest.skip("emodb is not in ../shared/corpora")
    generator, shares = np.random.default_rng(0), []
    for path in paths:
        voice = load(path)
        noise = generator.normal(0, 1, len(voice)).astype(np.float32)
        noise *= np.sqrt(np.square(voice).mean() / 10 ** (snr_db / 10))
        shares.append(voice_frames(0.3 * (voice + noise), RATE).mean())
    assert np.mean(shares) > least_share


def test_a_word_alone():
    assert all(has_voice(tiny.speech(0.3, seed=seed), RATE) for seed in range(4))


def test_an_offset_is_no_sound():
    assert level_dbfs(np.full(RATE, 0.5, np.float32)) == -120
    assert unvoiced_label(-49.0) == "noise"
    assert unvoiced_label(-51.0) == "silence"
    assert has_voice(tiny.speech(1.0) + np.float32(0.1), RATE)


@pytest.mark.corpora
@pytest.mark.parametrize("dbfs", [-3, -60])
@pytest.mark.parametrize("pattern", ["ravdess/Actor_*/*.flac", "emodb/wav/*", "tess/**/*.ogg"])
def test_real_speech_is_heard(pattern, dbfs):
    paths = sorted((SHARED / "corpora").glob(pattern))
    if not paths:
        pytest.skip(f"{pattern.split('/')[0]} is not in ../shared/corpora")
    for path in paths[:: len(paths) // 12]:
        waveform = load(path)
        level = np.float32(10 ** (dbfs / 20) / np.abs(waveform).max())
        assert has_voice(waveform * level, RATE), path.name


@pytest.mark.corpora
@pytest.mark.parametrize("name", ["doing_the_dishes", "exercise_bike", "pink_noise", "running_tap", "white_noise"])
def test_real_noise_is_no_voice(name):
    path = SHARED / "noise" / f"{name}.flac"
    if not path.is_file():
        pytest.skip("the noises are not in ../shared/noise")
    noise = load(path, end_s=60.0)
    # So soft, it has pauses in which nothing is asked.
    for gain in (1, 0.01):
        assert not has_voice(noise * np.float32(gain), RATE)


@pytest.mark.parametrize(("hz", "partials"), [(60, 5), (60, 19), (100, 5), (120, 5), (150, 1)])
def test_a_hum_that_begins_at_once_after_silence_opens_no_utterance(hz, partials):
    hum = sum(tone(hz * number)[: 3 * RATE] / number for number in range(1, partials + 1))
    stream = np.concatenate([np.zeros(2 * RATE), 0.1 * hum]).astype(np.float32)
    hears = detector(None, RATE)
    for end in range(RATE // 2, len(stream) + 1, RATE // 2):
        new_frames = hears(stream[max(0, end - 2 * RATE) : end], RATE // 2)[-50:]
        assert new_frames.sum() * 0.01 < hears.least_s
