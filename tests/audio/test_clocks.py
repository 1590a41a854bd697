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


OFFSETS_S = (5, 3_600, 36_000, 1_700_000_000)


@pytest.mark.parametrize("offset_s", OFFSETS_S)
@pytest.mark.parametrize(("name", "codec"), [("plain.mp4", "aac"), ("offset.mkv", "libopus"), ("offset.flv", "aac")])
def test_a_clock_that_starts_late_starts_at_second_zero(name: str, codec: str, offset_s: int) -> None:
    """The whole of it is heard, and no hours of silence before it."""
    data = recording(f"{offset_s}-{name}", "-c:a", codec, "-ar", "48000", "-output_ts_offset", str(offset_s))
    samples, warnings = heard(data)
    assert len(warnings) == 1
    # The clock of FLV has 32 bits of milliseconds.
    assert re.search(r": its clock starts at \d+\.\d\d s, which is taken for second 0$", warnings[0])
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.1)
    assert moment_hz(samples, 1.5) == pytest.approx(1_168, abs=130)
    if name.endswith("mkv"):
        assert any("cut off" in warning for warning in heard(data[: len(data) * 3 // 5])[1])


def test_a_later_piece_of_a_fragmented_mp4_is_whole() -> None:
    """As live streams have it: the header, and fragments from the middle on."""
    fragments = ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "1000000")
    boxes = mp4_boxes(recording("fragments.mp4", "-c:a", "aac", *fragments))
    starts = [place for place, box in enumerate(boxes) if box[4:8] == b"moof"]
    whole_s = len(heard(b"".join(boxes))[0]) / RATE_HZ
    samples, warnings = heard(b"".join(boxes[: starts[0]] + boxes[starts[1] :]))
    assert len(warnings) == 1
    assert re.search(r": its clock starts at 1\.\d\d s, which is taken for second 0$", warnings[0])
    assert len(samples) / RATE_HZ == pytest.approx(whole_s - 1, abs=0.1)


def mp4_boxes(data: bytes) -> list[bytes]:
    boxes, position = [], 0
    while position < len(data):
        boxes.append(data[position : position + int.from_bytes(data[position : position + 4], "big")])
        position += len(boxes[-1])
    return boxes


@pytest.mark.parametrize("name", ["hours.mkv", "hours.mp4"])
def test_sound_hours_after_the_picture_is_told(name: str) -> None:
    recording("300.wav")  # makes the source
    picture = ("-f", "lavfi", "-t", "1", "-i", "testsrc=s=64x64:r=1", "-map", "0", "-map", "1", "-c:v", "mpeg4")
    samples, warnings = heard(
        convert(folder() / "source-300.wav", name, *picture, "-c:a", "aac", before=("-itsoffset", "36000"))
    )
    assert len(warnings) == 1
    assert re.search(r": its clock jumps ahead by 3\d{4} s at 0\.00 s; nothing is left in place", warnings[0])
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.1)
