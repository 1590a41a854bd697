"""What a file is, by its first bytes: never by its name.

FFmpeg is never left to guess: its guesses include playlists, which open other files and web addresses. A file goes to a
decoder only where it starts as one of the kinds below, and only as that kind.
"""

from __future__ import annotations

import base64
import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from intonate.audio import mpeg
from intonate.errors import IntonateError

# Enough for every magic below, and for three frames of MPEG audio.
HEAD_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Kind:
    """A container.

    Attributes:
        name: what messages call it.
        demuxer: FFmpeg's name of it.
        in_sndfile: whether libsndfile reads it, and is asked first.
    """

    name: str
    demuxer: str
    in_sndfile: bool = False


# (offset in bytes, magic, kind); `.` stands for any byte.
_MAGIC_PATTERNS: tuple[tuple[int, bytes, Kind], ...] = (
    (0, rb"RIFF....WAVE", Kind("wav", "wav", True)),
    (0, rb"RF64....WAVE|BW64....WAVE|RIFX....WAVE", Kind("wav", "wav", True)),
    (0, rb"riff\x2e\x91\xcf\x11", Kind("w64", "w64", True)),
    (0, rb"FORM....AIF[FC]", Kind("aiff", "aiff", True)),
    (0, rb"caff\0[\x01-\x03]", Kind("caf", "caf", True)),
    (0, rb"\.snd", Kind("au", "au", True)),
    (0, rb"fLaC", Kind("flac", "flac", True)),
    (0, rb"OggS\0", Kind("ogg", "ogg", True)),
    (0, rb"\x1a\x45\xdf\xa3", Kind("matroska", "matroska")),  # webm, mkv
    (4, rb"ftyp", Kind("mp4", "mp4")),  # mp4, m4a, mov, 3gp
    (4, rb"moov|mdat|wide|pnot|free|skip", Kind("mov", "mov")),  # QuickTime before there was `ftyp`
    (0, rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind("asf", "asf")),  # wma
    (0, rb"#!AMR", Kind("amr", "amr")),
    (0, rb"RIFF....AVI ", Kind("avi", "avi")),
    (0, rb"RIFF....QLCM", Kind("qcp", "qcp")),
    (0, rb"FLV\x01", Kind("flv", "flv")),
    (0, rb"\.RMF|\.ra\xfd", Kind("rm", "rm")),
    (0, rb"\0\0\x01\xba", Kind("mpeg", "mpeg")),  # MPEG programme stream, vob
    (0, rb"G.{187}G.{187}G", Kind("mpegts", "mpegts")),
    (4, rb"G.{191}G.{191}G", Kind("mpegts", "mpegts")),  # m2ts
    (0, rb"\x0b\x77", Kind("ac3", "ac3")),
    (0, rb"\x7f\xfe\x80\x01|\xfe\x7f\x01\x80|\x1f\xff\xe8\0|\xff\x1f\0\xe8", Kind("dts", "dts")),
    (0, rb"\x72\xf8\x1f\x4e", Kind("spdif", "spdif")),  # AC-3 or DTS as it goes through a digital cable
    (0, rb"wvpk", Kind("wavpack", "wv")),
    (0, rb"[\x01-\xff]?ds[s2]", Kind("dss", "dss")),  # dictation machines
    (0, rb"Creative Voice File", Kind("voc", "voc")),  # libsndfile takes the heads of its blocks for samples
    (0, rb"\.SoX|XoS\.", Kind("sox", "sox")),
    (0, rb"NIST_1A", Kind("nist", "nistsphere", True)),
)
MAGICS = tuple((position, re.compile(pattern, re.DOTALL), kind) for position, pattern, kind in _MAGIC_PATTERNS)
MP3 = Kind("mp3", "mp3", True)
ADTS = Kind("aac", "aac")
LOAS = Kind("loas", "loas")

# What decoders of text write in place of bytes that are none, in UTF-8.
_REPLACED = "\ufffd".encode()
_SENT_AS_TEXT = (
    "was sent as text on its way, which it is not, and lost bytes; send it as bytes (curl: --data-binary, not -d)"
)
# What a large file leaves behind in a repository that was cloned without git-lfs.
_GIT_LFS = rb"version https://git-lfs"
# (offset, magic, what it is and how to go on): files that are no sound, by what people take for one.
_FOREIGN_PATTERNS: tuple[tuple[int, bytes, str], ...] = (
    (
        0,
        _GIT_LFS,
        "is a Git LFS pointer, not the sound itself; fetch the sounds with: git lfs pull",
    ),
    (
        0,
        rb"/annex/objects/|\.\./.*?annex/objects/",
        "is a git-annex pointer, not the sound itself; fetch the sounds with: git annex get or datalad get",
    ),
    (
        0,
        rb"\s*(<!doctype|<html|<\?xml|<head|<body)",
        "is a web page (HTML or XML), not a sound: a download that failed, most likely; download it again",
    ),
    (0, rb"\s*[{\[]\s*[\"\]}\[{]", "is JSON, not a sound: the answer of a service, most likely; look into it"),
    (0, rb"#EXTM3U|\[playlist\]", "is a playlist, which holds no sound itself; give the files that it lists"),
    (0, rb"PK\x03\x04|Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ", "is an archive; unpack it first"),
    (257, rb"ustar", "is an archive (tar); unpack it first"),
    (0, rb"MAC |TTA1|MPCK|MP\+|DSD |FRM8", "is music in a rare codec (APE, TTA, Musepack, DSD), which is not read"),
    (0, rb"MThd", "is MIDI: notes, not sound; play it into a sound file first"),
    (0, rb".?#!SILK", "is SILK (a voice message of WeChat or QQ), which is not read; convert it first"),
    (0, rb"#!iLBC", "is iLBC, which is not read; convert it first"),
    (0, rb"%PDF|\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP", "is a picture or a document, not a sound"),
    (
        0,
        rb"SQLite format 3|\x93NUMPY|\x80[\x02-\x05]|\x89HDF",
        "is data (SQLite, NumPy, pickle or HDF5), not a sound file",
    ),
    (0, rb"\x7fELF|MZ\x90", "is a program, not a sound"),
    (
        4,
        rb"moof|styp|sidx",
        "is a later piece of an MP4 recording, without the header that only its first piece has; "
        "join all pieces in their order, or record each as a file of its own",
    ),
    # Each has some zeros there, and what is said in prose has no such bytes.
    (0, rb"(?-i:RIFF|FORM|OggS)(?=.{0,59}[\x80-\xff])[^\0\r\n]{60}", _SENT_AS_TEXT),
)
FOREIGN_MAGICS = tuple(
    (position, re.compile(pattern, re.DOTALL | re.IGNORECASE), text) for position, pattern, text in _FOREIGN_PATTERNS
)
_USUAL_BASE64 = bytes.maketrans(b"-_", b"+/")
LATER_WEBM = (
    "is a later piece of a WebM recording (MediaRecorder), without the header that only its first piece has; "
    "join all pieces in their order, or stop and start the recorder for each"
)
ZEROS = (
    "begins with zeros where its header should be: a recording, a copy or a download that was not finished, most "
    "likely; fetch or record it again"
)
# What telephones and Asterisk write without a header, by suffix, and what to read it as.
HEADERLESS = {
    **dict.fromkeys((".ulaw", ".ul", ".mulaw", ".mu", ".pcmu"), "ulaw:8000"),
    **dict.fromkeys((".alaw", ".al", ".pcma"), "alaw:8000"),
    **dict.fromkeys((".sln", ".sln8", ".slin"), "s16le:8000"),
    **dict.fromkeys((".sln16", ".slin16"), "s16le:16000"),
    **dict.fromkeys((".gsm",), "gsm:8000"),
    **dict.fromkeys((".vox",), "vox:8000"),
    **dict.fromkeys((".g722",), "g722:16000"),
    **dict.fromkeys((".pcm", ".raw", ".s16", ".sw", ".s16le", ".lpcm"), "s16le:16000"),
    **dict.fromkeys((".f32", ".f32le"), "f32le:16000"),
    **dict.fromkeys((".u8", ".ub"), "u8:8000"),
    **dict.fromkeys((".s8", ".sb"), "s8:8000"),
}


def of(head: bytes) -> Kind | None:
    """The kind of file that starts with these bytes (about `HEAD_BYTES`), ID3 tags skipped before; None: not ours."""
    for position, magic, kind in MAGICS:
        if magic.match(head, position):
            return kind
    if head[:2] == b"\x56\xe0" or (head[:1] == b"\x56" and len(head) > 1 and head[1] & 0xE0 == 0xE0):
        return LOAS
    if mpeg.adts_run(head, 0) >= 2:
        return ADTS
    return MP3 if mpeg.frames_run(head, 0) >= 2 else None


def surely(head: bytes) -> Kind | None:
    """The kind of file that starts with these bytes, where bare samples would not by chance (two bytes might)."""
    for position, magic, kind in MAGICS:
        if (found := magic.match(head, position)) and found.end() - position >= 4:
            return kind
    return MP3 if head[:3] == b"ID3" else None


def check_fetched(path: Path, error: type[IntonateError]) -> None:
    """Refuse a file, of whatever kind it should be, in whose place there is only its Git LFS pointer.

    Raises:
        IntonateError: it is one; of the class `error`.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if re.match(_GIT_LFS, file.read(HEAD_BYTES)):
            raise error(
                f"{path} is a Git LFS pointer, not the file itself; run `git lfs pull` in its repository, or fetch the "
                "file again"
            )


def explanation(head: bytes, suffix: str = "") -> str | None:
    """The end of a sentence for a file that is no sound, and how to go on; None for one that nobody knows.

    Args:
        head: its first bytes.
        suffix: of its name, for a guess at headerless samples.
    """
    if is_mangled(head):
        return _SENT_AS_TEXT
    for position, magic, text in FOREIGN_MAGICS:
        if magic.match(head, position):
            return text
    if is_later_webm(head):
        return LATER_WEBM
    if head[:4] == b"OggS":
        return "is damaged: its first page cannot be read"
    if (kind := in_base64(head)) is not None:
        return f"is text: {kind.name} in base64; decode it first, e.g. with: base64 -d"
    if (kind := _in_hexadecimal(head)) is not None:
        return f"is text: {kind.name} in hexadecimal; decode it first, e.g. with: xxd -r -p"
    if head[:3] == codecs.BOM_UTF8 and (kind := of(head[3:])) is not None:
        return (
            f"was written as text: a mark of UTF-8 (BOM) stands before {kind.name}; write it anew as bytes, or cut the "
            "mark off, e.g. with: tail -c +4"
        )
    if len(head) >= 16 and is_text(head):
        return None
    if suffix.lower() in HEADERLESS:
        return (
            "has no header that says what it holds; if it is headerless sound, say how to read it, "
            f"e.g. --raw {HEADERLESS[suffix.lower()]} (raw={HEADERLESS[suffix.lower()]!r} in Python)"
        )
    return None


def is_mangled(head: bytes) -> bool:
    """Whether these bytes were decoded as text and encoded again: no sound has that many bytes of U+FFFD."""
    return head.count(_REPLACED) >= 50


def is_later_webm(head: bytes) -> bool:
    """Whether three blocks of Matroska follow each other somewhere near the beginning, or a cluster starts there."""
    if head[:4] == b"\x1f\x43\xb6\x75":
        return True
    for place in re.finditer(rb"\xa3", head):
        position, blocks = place.start(), 0
        while position + 6 < len(head) and head[position] == 0xA3:
            first_byte = head[position + 1]
            length = 9 - first_byte.bit_length() if first_byte else 9
            if length > 4 or head[position + 1 + length] & 0xF0 != 0x80:  # the number of the track, one byte
                break
            size = int.from_bytes(head[position + 1 : position + 1 + length], "big") & ((1 << 7 * length) - 1)
            position, blocks = position + 1 + length + size, blocks + 1
        if blocks >= 3:
            return True
    return False


def in_base64(head: bytes) -> Kind | None:
    """The kind of sound whose first bytes are written here in base64, maybe behind `data:…,`; None where it is none."""
    try:
        return of(from_base64(head[:400], is_whole=False))
    except ValueError:
        return None


def _in_hexadecimal(head: bytes) -> Kind | None:
    """The kind of sound whose first bytes are written here in hexadecimal; None where it is none."""
    text = b"".join(head[:400].split())
    try:
        return of(bytes.fromhex(text[: len(text) // 2 * 2].decode("ascii")))
    except ValueError:
        return None


def from_base64(text: bytes, is_whole: bool = True) -> bytes:
    """What is written in base64, as it is met: in lines, with `-_` for `+/`, without its padding, behind `data:…,`.

    Args:
        text: ASCII.
        is_whole: False where it may be cut anywhere.

    Raises:
        ValueError: it is no base64.
    """
    text = text.partition(b",")[2] if text.startswith(b"data:") else text
    text = text.translate(_USUAL_BASE64, b" \t\r\n")
    text = text + b"=" * (-len(text) % 4) if is_whole else text[: len(text) // 4 * 4]
    return base64.b64decode(text, validate=True)


def is_text(head: bytes) -> bool:
    """Whether these bytes are text in UTF-8, as far as the first 256 tell."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head[:256])  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return all(character in "\t\r\n" or character.isprintable() for character in text)
