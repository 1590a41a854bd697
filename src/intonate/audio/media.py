"""Containers that libsndfile does not read (webm, m4a, mp4…), through PyAV, the optional `media` extra.

FFmpeg is never left to guess what a file is: its guesses include playlists, which open other files and web
addresses. Only a file that starts as one of the containers below is given to it, and only as that container, and only
the codecs below are run: FFmpeg has hundreds, and the rare ones are where damaged files break out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from intonate.errors import AudioError, MissingExtraError, require

# (offset of the magic in bytes, the magic, FFmpeg's name of the container).
MAGICS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1a\x45\xdf\xa3", "matroska"),  # webm, mkv
    (4, b"ftyp", "mp4"),  # mp4, m4a, mov, 3gp
    (0, b"\xff\xf1", "aac"),  # ADTS, MPEG-4
    (0, b"\xff\xf9", "aac"),  # ADTS, MPEG-2
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),  # wma
    (0, b"#!AMR", "amr"),
)
CODECS = frozenset(
    {"opus", "libopus", "vorbis", "aac", "mp3", "mp3float", "flac", "alac", "ac3", "eac3"}
    | {"amrnb", "amrwb", "wmav1", "wmav2", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_f32le"}
)
# Above 8 channels FFmpeg keeps the planes elsewhere, and PyAV 18 was seen to read beyond them (a damaged AAC header
# that claimed 28): a crash of the process, not an exception.
MOST_CHANNELS = 8
HEAD_BYTES = 12  # enough for every magic above


def container(head: bytes) -> str | None:
    """FFmpeg's name of the container that starts with these bytes; None where it is none of ours."""
    return next((name for at, magic, name in MAGICS if head[at : at + len(magic)] == magic), None)


def open_container(stream: BinaryIO, name: str, kind: str) -> tuple[Any, float | None]:
    """Open a container with PyAV.

    Returns:
        The open `av` container, and the length in seconds that its header claims (None where it claims none).

    Raises:
        AudioError: PyAV is not installed, the file is damaged, or it holds no sound.
    """
    try:
        av = require("av", "media")
    except MissingExtraError as error:
        raise AudioError(
            f"{name} is {kind}, which needs PyAV to be read; mend it with: pip install 'intonate[media]'"
        ) from error
    try:
        opened = av.open(stream, mode="r", format=kind, metadata_errors="ignore")
    except (OSError, ValueError, av.FFmpegError) as error:
        raise AudioError(f"{name} is damaged: it starts as {kind} but cannot be opened") from error
    if not opened.streams.audio:
        opened.close()
        raise AudioError(f"{name} has no channels of sound: there is no audio track in it")
    context = opened.streams.audio[0].codec_context
    codec = context.name if context else "nothing that is known"
    if codec not in CODECS:
        opened.close()
        raise AudioError(f"{name} is coded as {codec}, which is not read; known: {', '.join(sorted(CODECS))}")
    return opened, None if opened.duration is None else opened.duration / av.time_base


def frames(opened: Any, name: str) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The first audio track, frame by frame: (sample rate in Hz, (samples, channels) float32)."""
    import av

    planar = None
    setup = None
    got = False
    try:
        for frame in opened.decode(audio=0):
            now = (frame.sample_rate, frame.layout.nb_channels, frame.format.name)
            if frame.layout.nb_channels > MOST_CHANNELS:
                raise AudioError(f"{name} has {now[1]} channels, expected at most {MOST_CHANNELS} in such a file")
            if planar is None:
                setup, planar = now, av.AudioResampler(format="fltp", layout=frame.layout, rate=frame.sample_rate)
            if now != setup:
                raise AudioError(f"{name} changes its sample rate or its channels in the middle")
            for piece in planar.resample(frame):
                got = True
                yield piece.sample_rate, np.asarray(piece.to_ndarray().T, np.float32)
    except AudioError:
        raise
    except (OSError, ValueError, av.FFmpegError) as error:
        # What was read before the damage stands, as with a truncated file.
        if not got:
            raise AudioError(f"{name} is damaged: no sound could be decoded from it") from error
