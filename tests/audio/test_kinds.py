"""What a file is, by its first bytes; and what it is instead of a sound."""

import base64
import codecs
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from intonate.audio import kinds
from intonate.audio.decode import load
from intonate.audio.listing import listing
from intonate.errors import AudioError

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:c6f9\nsize 72862\n"
WAVE = b"RIFF\x40\x01\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\x01\0\0" + bytes(256)


def written(path: Path) -> bytes:
    soundfile.write(path, 0.1 * np.sin(np.arange(16_000) / 10), 16_000, format="FLAC")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.wav", LFS, "is a Git LFS pointer, not the sound itself; fetch the sounds with: git lfs pull"),
        ("a.wav", b"/annex/objects/SHA256E-s72862--c6f9.wav\n", "is a git-annex pointer"),
        ("a.mp3", b"<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
        ("a.mp3", b'{"error": "not found"}', "is JSON"),
        ("a.m3u", b"#EXTM3U\nhttp://example.org/a.mp3\n", "is a playlist"),
        ("a.wav", b"PK\x03\x04" + bytes(60), "is an archive; unpack it first"),
        ("a.wav", b"\x1f\x8b\x08" + bytes(60), "is an archive; unpack it first"),
        ("a.mid", b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk", "is MIDI"),
        ("a.silk", b"\x02#!SILK_V3" + bytes(60), "is SILK"),
        ("a.mp4", b"\0\0\0\x68moof" + bytes(200), "is a later piece of an MP4 recording"),
        ("blob", b"\x1f\x43\xb6\x75\x01\xff" + bytes(200), "is a later piece of a WebM recording"),
        ("a.wav", bytes(20_000), "begins with zeros where its header should be: a recording, a copy or a download"),
        (
            "a.wav",
            codecs.BOM_UTF8 + WAVE,
            "was written as text: a mark of UTF-8 (BOM) stands before wav; write it anew",
        ),
        ("a.wav", WAVE.hex().encode(), "is text: wav in hexadecimal; decode it first, e.g. with: xxd -r -p"),
        ("a.wav", WAVE.hex("\n", 30).encode(), "is text: wav in hexadecimal; decode it first, e.g. with: xxd -r -p"),
        ("call.ulaw", bytes(range(128, 256)) * 20, r"--raw ulaw:8000"),
        ("call.sln16", bytes(range(128, 256)) * 20, r"--raw s16le:16000"),
        ("call.vox", bytes(range(128, 256)) * 20, r"--raw vox:8000"),
    ],
)
def test_what_is_no_sound_is_named_with_a_way_out(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        load(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_samples_that_no_decoder_knows_are_named_with_a_way_out() -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
    halves = WAVE.replace(b"\x10\0\0\0\x01\0", b"\x10\0\0\0\x03\0")  # floats, of 16 bits
    with pytest.raises(AudioError, match=r"^<bytes> is coded as nothing that FFmpeg knows, .*; write it anew as PCM"):
        load(halves)


@pytest.mark.parametrize("size", [0, 400])
def test_a_file_of_sox_in_the_working_folder_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    (tmp_path / "._").write_bytes(bytes(size))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AudioError, match="is not audio in a format that is known"):
        load(b"Dear diary, this is no sound." * 50)


def test_a_later_piece_of_a_browser_recording_is_known_wherever_it_was_cut() -> None:
    block = b"\xa3\x40\x84\x81\x00\x10\x80" + os.urandom(128)
    for offset in (0, 1, 50, 100):
        assert kinds.explanation((block * 12)[offset:]) == kinds.LATER_WEBM


@pytest.mark.parametrize("kind", ["WAV", "OGG", "FLAC", "AIFF"])
def test_what_was_sent_as_text_is_told(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    soundfile.write(path, 0.1 * np.sin(np.arange(16_000) / 10), 16_000, format=kind)
    sound = path.read_bytes()
    assert not kinds.is_mangled(sound[: kinds.HEAD_BYTES])
    sent = [sound.decode(errors="replace").encode()]  # as text of UTF-8, and as curl -d sends it
    # Of each line what is before its first zero; what is left of FLAC still begins as FLAC, and OGG has random bytes.
    sent += [b"".join(line.partition(b"\0")[0] for line in sound.splitlines())] if kind in ("WAV", "AIFF") else []
    for source in sent:
        with pytest.raises(AudioError, match=r"was sent as text on its way.* --data-binary"):
            load(source)


def test_text_in_base64_is_named_and_not_printed_whole(tmp_path: Path) -> None:
    text = base64.b64encode(written(tmp_path / "a.flac")).decode()
    for source in (text, f"data:audio/flac;base64,{text}", text.encode()):
        with pytest.raises(AudioError, match="base64") as caught:
            load(source)
        assert len(str(caught.value)) < 400
    with pytest.raises(AudioError, match="is an address, expected a file on this machine"):
        load("https://example.org/a.wav")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"array": np.zeros(9), "sampling_rate": 16_000}, r"expected \(sample\['array'\], sample\['sampling_rate'\]\)"),
        (np.zeros(9), "its sample rate is missing"),
        ([0.0, 0.1], "its sample rate is missing"),
    ],
)
def test_other_packages_ways_to_hand_over_a_sound_are_explained(source: object, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        load(source)  # type: ignore[arg-type]


@pytest.mark.parametrize(("bits", "scale"), [(16, 2**15), (32, 2**31)])
def test_integers_that_were_made_floats_are_scaled_and_told(bits: int, scale: int) -> None:
    tone = (0.5 * np.sin(np.arange(16_000) / 10)).astype(np.float32)
    warnings: list[str] = []
    np.testing.assert_allclose(load((tone * scale, 16_000), warnings=warnings), tone, atol=1e-6)
    assert len(warnings) == 1
    assert f"read as integers of {bits} bits" in warnings[0]
    assert load((tone * 7.9, 16_000), warnings=warnings).max() > 3
    assert len(warnings) == 1


def test_a_folder_is_listed_by_content_and_the_rest_is_counted(tmp_path: Path) -> None:
    data = written(tmp_path / "a.flac")
    for name in ("b.3ga", "voice_message", "c.weba"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "notes.txt").write_text("\ufeffnotes", encoding="utf-16")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(2000))
    (tmp_path / "README").write_text("read me")
    found = listing(tmp_path)
    assert [path.name for path in found.files] == ["a.flac", "b.3ga", "c.weba", "voice_message"]
    assert found.left_out == {".txt": 1, ".jpg": 1, "": 1}
    assert found.left_out_sentence() == "3 files were left out, not known as sound: 1 without suffix, 1 .jpg, 1 .txt"


def test_links_of_a_folder_are_followed_once_and_dead_ones_are_told(tmp_path: Path) -> None:
    written(tmp_path / "elsewhere.flac")
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (tmp_path / "elsewhere.flac").rename(other / "a.flac")
    (folder / "linked").symlink_to(other)
    (folder / "loop").symlink_to(folder)
    (folder / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    (folder / "here.wav").symlink_to("../.git/annex/objects/x/y.wav")
    (folder / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    found = listing(folder)
    assert [path.name for path in found.files] == ["gone.wav", "here.wav", "a.flac"]
    assert found.left_out == {".txt": 1}
    with pytest.raises(AudioError, match=r"a link to a file that is not there$"):
        load(found.files[0])
    with pytest.raises(AudioError, match="git annex get"):
        load(found.files[1])
