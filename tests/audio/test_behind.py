"""Joined files of two kinds: the second one is heard as well, or a warning tells of it."""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from recordings import FORMATS, RATE_HZ, SECONDS, recording
from test_whole_sound import at, heard, made

from intonate.audio import behind
from intonate.audio.streams import Content, open_stream

pytestmark = pytest.mark.filterwarnings("error")
KINDS = ("wav", "flac", "ogg", "mp3", "aiff", "w64", "m4a", "webm", "wma")
ID3V1 = b"TAG" + bytes(125)


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(KINDS, 2)))
def test_what_follows_is_heard_whatever_its_kind(first: str, second: str) -> None:
    samples, warnings = heard(made(first) + made(second, 800.0))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(2 * SECONDS, abs=0.3)
    at(samples, 0.5)
    at(samples[-round(SECONDS * RATE_HZ) :], 2.2, low_hz=800.0)


@pytest.mark.parametrize("suffix", FORMATS)
def test_three_kinds_with_tags_between_them(suffix: str) -> None:
    samples, warnings = heard(made("mp3") + ID3V1 + made(suffix) + made("flac", 800.0))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(3 * SECONDS, abs=0.4)


def test_a_file_without_a_length_ends_where_another_begins() -> None:
    data = bytearray(made("wav"))
    place = data.find(b"data") + 4
    data[place : place + 4] = b"\xff\xff\xff\xff"
    samples, warnings = heard(bytes(data) + made("ogg", 800.0))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(2 * SECONDS, abs=0.1)


def test_what_cannot_be_read_behind_the_end_is_counted() -> None:
    rest = made("flac")[:60]
    samples, warnings = heard(made("wav") + rest)
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS)
    assert len(warnings) == 1
    assert f"{len(rest)} bytes from byte {len(made('wav'))} on are another file and were not heard" in warnings[0]


def test_without_pyav_a_warning_tells_of_what_only_it_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made("wav") + made("webm")
    monkeypatch.setitem(sys.modules, "av", None)
    samples, warnings = heard(data)
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS)
    assert len(warnings) == 1
    assert "pip install 'intonate[media]'" in warnings[0]


def test_frames_behind_flac_are_told() -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    warnings = heard(made("flac") + made("aac"))[1]
    assert len(warnings) == 1
    assert "some of it is missing" in warnings[0]


@pytest.mark.parametrize("tail", [ID3V1, bytes(1000), ID3V1 + bytes(500)])
@pytest.mark.parametrize("suffix", FORMATS)
def test_tags_and_padding_behind_the_end_are_no_damage(suffix: str, tail: bytes) -> None:
    samples, warnings = heard(made(suffix) + tail)
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.15)


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_mulaw"])
def test_many_zeros_behind_a_wav_that_counts_its_sound_twice_are_padding(codec: str) -> None:
    """Zeros of mu-law are full scale."""
    samples, warnings = heard(recording(f"{codec}.wav", "-c:a", codec) + bytes(50_000))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.01)


def test_what_stands_behind_the_sound_that_a_wav_counts_is_told() -> None:
    """More of it, where a recorder did not write its header anew; or anything else."""
    data = made("wav")
    behind_the_end = data[-32_000:]
    samples, warnings = heard(data + behind_the_end)
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS + 1, abs=0.01)
    assert len(warnings) == 1
    assert re.search(r" counts 3\.00 s in its header, and 4\.00 s were heard: what stands behind may", warnings[0])


def test_a_wav_that_was_sent_as_text_is_told() -> None:
    """By FTP, for instance, which writes a line end as two bytes."""
    warnings = heard(made("wav").replace(b"\n", b"\r\n"))[1]
    assert len(warnings) == 1
    assert "is damaged: it was sent as text" in warnings[0]


def test_magics_within_sound_are_no_files() -> None:
    noise = b"\x12\x34RIFF\x10\0\0\0WAVOggS\0\2fLaCID3\3\0\0\0\0\0\1x" * 50
    with contextlib.ExitStack() as stack:
        content = Content(open_stream(noise, "<bytes>", stack))
        assert behind.next_file(content, 0) == -1
        assert behind.kind_at(content, 0) is None
