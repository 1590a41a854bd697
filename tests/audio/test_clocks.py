"""Clocks and lengths that are not the track's own: a rate that changes, time stamps that jump, a longer picture."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from recordings import RATE_HZ, SECONDS, convert, folder, moment_hz, recording
from test_whole_sound import heard

pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
# 9 s beside the 3 s of the sound.
PICTURE = ("-f", "lavfi", "-t", "9", "-i", "testsrc=s=64x64:r=25", "-map", "0", "-map", "1")


@pytest.mark.parametrize("rates_hz", [(22_050, 44_100), (44_100, 22_050), (44_100, 48_000, 44_100)])
@pytest.mark.parametrize("suffix", ["aac", "ts"])
def test_a_rate_that_changes_leaves_no_gaps(suffix: str, rates_hz: tuple[int, ...]) -> None:
    parts = [recording(f"{rate_hz}.{suffix}", "-c:a", "aac", "-ar", str(rate_hz)) for rate_hz in rates_hz]
    samples, warnings = heard(b"".join(parts))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS * len(parts), abs=0.15 * len(parts))
    assert moment_hz(samples, len(samples) / RATE_HZ - 1.5) == pytest.approx(1_168, abs=130)


@pytest.mark.parametrize("name", ["jump.ts", "jump.mpg"])
def test_a_clock_that_jumps_is_another_one(name: str) -> None:
    codec = ("-c:a", "mp2", "-ar", "48000")
    first, second = recording(name, *codec), recording(f"later-{name}", *codec, "-output_ts_offset", "1800")
    samples, warnings = heard(first + second)
    assert len(warnings) == 1
    assert re.search(r": its clock jumps ahead by 1\d{3} s at 3\.\d\d s; nothing is left in place", warnings[0])
    assert len(samples) / RATE_HZ == pytest.approx(2 * SECONDS, abs=0.3)
    # A clock that begins anew shows nothing of the kind.
    assert heard(first + first)[1] == heard(second + first)[1] == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("longer.wmv", (*PICTURE, "-c:v", "wmv2", "-c:a", "wmav2")),
        ("late.avi", (*PICTURE, "-c:v", "mpeg4", "-c:a", "mp2", "-ar", "48000")),
        ("blocks.avi", ("-c:a", "adpcm_ms", "-ar", "48000")),
        ("gsm.avi", ("-c:a", "libgsm_ms", "-ar", "8000")),
    ],
)
def test_a_length_that_is_not_the_sounds_is_not_promised(name: str, arguments: tuple[str, ...]) -> None:
    recording("300.wav")  # makes the source
    before = ("-itsoffset", "3") if name.startswith("late") else ()
    data = convert(folder() / "source-300.wav", name, *arguments, before=before)
    samples, warnings = heard(data)
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.16)
    assert len(heard(data[: len(data) * 3 // 5])[1]) == 1
