"""Containers and codecs that libsndfile does not read (webm, m4a, mp4…), through PyAV, the optional `media` extra.

Only a file that starts as one of the containers of `kinds.py` is given to FFmpeg, and only as that container, and only
the codecs below are run: FFmpeg has hundreds, and the rare ones are where damaged files break out.

A packet that cannot be decoded is passed over, and its time is kept as silence, as are gaps in the time stamps and a
track that starts late: what is heard at second 7 of a video is at second 7 of the samples. Second 0 is where the first
of its tracks begins, whatever the clock shows there.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from intonate.audio.downmix import Downmix
from intonate.audio.kinds import Kind
from intonate.audio.reader import CHUNK_SAMPLES, Block, Reader, check_rate, shortfall
from intonate.audio.voice import has_voice
from intonate.audio.walks import is_closed_asf
from intonate.errors import AudioError, MissingExtraError, require

CODECS = frozenset(
    {"opus", "libopus", "vorbis", "aac", "aac_latm", "mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "speex"}
    | {"libspeex", "flac", "alac", "ac3", "eac3", "dca", "amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb"}
    | {"wmav1", "wmav2", "wmapro", "wmalossless", "wmavoice", "g722", "g726", "g726le", "g723_1", "g729", "gsm"}
    | {"gsm_ms", "ilbc", "qcelp", "evrc", "cook", "sipr", "real_144", "real_288", "dss_sp", "wavpack"}
    | {"adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_swf", "adpcm_yamaha", "nellymoser", "truespeech"}
    | {"s302m", "pcm_alaw", "pcm_mulaw", "pcm_s8", "pcm_u8", "pcm_dvd", "pcm_bluray"}
    | {f"pcm_{kind}{order}" for kind in ("s16", "s24", "s32", "f32", "f64") for order in ("le", "be")}
)
# Codecs with a checksum in each frame: one that does not fit is a fault. AC-3 marks such a frame; the others refuse it,
# but need no frame before it, so that another decoder gives what is left of it.
MARKING_CODECS = frozenset({"ac3", "eac3"})
REFUSING_CODECS = frozenset({"flac", "wavpack"})
# Kinds in which the time stamps only leave a gap where something is lost.
WITHOUT_GAPS = frozenset({"ogg", "asf"})
# FFmpeg's own decoder of AMR knows no comfort noise, which is most of what a telephone sends in pauses.
PREFERRED_DECODERS = {"amrnb": "libopencore_amrnb", "amrwb": "libopencore_amrwb"}
# A file of more channels is damaged: those of Ambisonics of the seventh order.
MOST_CHANNELS = 64
# With a plane for each of eight channels or more, PyAV 18 reads beyond them, and the process crashes.
MOST_PLANES = 7
# Time stamps tremble by less (WebM's are whole milliseconds; one lost packet of Opus is 20 ms), seconds.
LEAST_GAP_S = 0.08
# A clock that jumps by more ran on while nothing was recorded, or is damaged, seconds.
MOST_GAP_S = 3600.0
# Kinds that are cut and joined anywhere, each piece with a clock of its own: from such a jump on it is another one.
JOINED_KINDS, MOST_JOINED_GAP_S = frozenset({"mpegts", "mpeg"}), 10.0
# Their clock is of 33 bits at 90 kHz: half of that ahead, or more, is a step back.
LEAST_STEP_BACK_S = 2**32 / 90_000
# Packets that break one after another with no sound between them.
MOST_FAULTS = 1000
# What a codec may leave off at the ends without any harm: a frame of HE-AAC is 0.13 s.
SLACK_S = 0.15
# Kinds without a length of their own: FFmpeg guesses it from the bit rate, and the time of a frame from the first rate.
# AVI counts blocks, of which any may be empty.
NO_LENGTH = frozenset({"aac", "loas", "amr", "mp3", "mpeg", "mpegts", "ac3", "dss", "g722", "avi"})
# Where the header of a container tells whether it was closed.
HEAD_BYTES = 2**16
# Kinds whose time stamps count from zero, unless one is a piece of something longer; a start by more is told, seconds.
FROM_ZERO, MOST_START_S = frozenset({"mp4", "mov", "matroska", "flv"}), 1.0
# What may be missing of a file that cannot be opened.
INDEXES = {
    **dict.fromkeys(("mp4", "mov"), "; its index (moov), which recorders write last, may be missing"),
    "caf": "; its table of packets (pakt), which may stand at its end, is missing",
}
# A track is listened to for this long for somebody who speaks, in pieces of 10 s.
PROBE_S, PROBE_PIECE_S = 600.0, 10.0


def open_media(
    view: BinaryIO,
    name: str,
    kind: Kind,
    stack: contextlib.ExitStack,
    promise: float = 1.0,
    track: int | None = None,
    least: int = 0,
) -> Reader:
    """A reader of one audio track of a container.

    Args:
        view: the file.
        name: what messages call it.
        kind: what it is.
        stack: closes it.
        promise: NaN where the container itself is cut off (`streams.Part`).
        track: which of its audio tracks, from 1 on; None for the first one in which somebody speaks.
        least: samples per channel that its header promises at the very least.

    Raises:
        AudioError: PyAV is not installed, the file is damaged, or it holds no sound, no such track, or a rare codec.
    """
    av = _require_av(name, kind)
    warnings: list[str] = []
    has_length = kind.name not in NO_LENGTH and (kind.name != "asf" or is_closed_asf(view.read(HEAD_BYTES)))
    view.seek(0)
    container = _open_container(av, view, name, kind, promise)
    stack.callback(container.close)
    count = len(container.streams.audio)
    if not count:
        raise AudioError(f"{name} has no channels of sound: there is no audio track in it")
    if track is not None and not 1 <= track <= count:
        raise AudioError(f"{name} has {count} audio track{'s' * (count > 1)}, expected a track from 1 to {count}")
    if track is None and count > 1:
        chosen = _speaking_track(av, view, name, kind, count)
        warnings.append(
            f"{name} has {count} audio tracks: track {chosen} was heard; --track N (track=N in Python) names another"
        )
        view.seek(0)
        container = _open_container(av, view, name, kind, promise)
        stack.callback(container.close)
    else:
        chosen = track or 1
    return _track_reader(av, _Track(container, chosen - 1, name, kind, has_length), promise, least, warnings)


def _require_av(name: str, kind: Kind) -> Any:
    try:
        return require("av", "media")
    except MissingExtraError as error:
        raise AudioError(
            f"{name} is {kind.name}, which needs PyAV to be read; mend it with: pip install 'intonate[media]'"
        ) from error


def _open_container(av: Any, view: BinaryIO, name: str, kind: Kind, promise: float) -> Any:
    try:
        return av.open(view, mode="r", format=kind.demuxer, metadata_errors="ignore")
    except (OSError, ValueError, av.FFmpegError) as error:
        reason = " because it is cut off" if promise != 1.0 else ""
        index = INDEXES.get(kind.name, "")
        raise AudioError(f"{name} is damaged: it starts as {kind.name} but cannot be opened{reason}{index}") from error


@dataclass(frozen=True, slots=True)
class _Track:
    """An audio track of an open container, by its number from 0 on; `has_length` if that knows how long it is."""

    container: Any
    number: int
    name: str
    kind: Kind
    has_length: bool = True

    @property
    def stream(self) -> Any:
        return self.container.streams.audio[self.number]

    @property
    def frame_s(self) -> float:
        """The length of the codec's frames, seconds; 0 where they have none."""
        context = self.stream.codec_context
        return (context.frame_size or 0) / context.sample_rate if context and context.sample_rate else 0.0


def _track_reader(av: Any, track: _Track, promise: float, least: int, warnings: list[str]) -> Reader:
    name = track.name
    faults: list[float] = []
    blocks = _fill_gaps(_decoded_frames(av, track, faults), track, faults, warnings)
    # The header may name another rate than the decoder gives (HE-AAC doubles it): ask the first block.
    first_block = next(blocks, None)
    if first_block is None:
        is_broken = faults or promise != 1.0
        broken = "is damaged: no sound could be decoded from it" if is_broken else "holds no samples"
        raise AudioError(f"{name} {broken}")
    rate = check_rate(first_block[0], name)
    promised_s = max(_promised_end_s(track), least / rate) or None
    if track.kind.name in FROM_ZERO and (start_s := _clock_origin_s(track)) > MOST_START_S:
        warnings.append(f"{name}: its clock starts at {start_s:.2f} s, which is taken for second 0")

    def chunks(first_frame: int) -> Iterator[Block]:
        frame_count, pending_blocks, pending_count = 0, list[Block](), 0
        for _, block in itertools.chain([first_block], blocks):
            if pending_count and pending_blocks[-1].shape[1] != block.shape[1]:
                yield np.concatenate(pending_blocks)
                pending_blocks, pending_count = [], 0
            frame_count += len(block)
            unread_samples = block[max(0, len(block) - max(0, frame_count - first_frame)) :]
            pending_blocks, pending_count = [*pending_blocks, unread_samples], pending_count + unread_samples.size
            if pending_count >= CHUNK_SAMPLES // 8:
                yield np.concatenate(pending_blocks)
                pending_blocks, pending_count = [], 0
        if pending_count:
            yield np.concatenate(pending_blocks)
        heard_s = frame_count / rate
        # Padding behind the last frame is no damage.
        count = sum(promised_s is None or fault_s < promised_s for fault_s in faults)
        # The last frame of a codec may be filled up.
        slack_s = max(SLACK_S, track.frame_s)
        if promised_s is not None and promised_s - heard_s > slack_s:
            warnings.append(shortfall(name, heard_s, promised_s))
        elif count:
            pieces = f"{count} piece{'s' * (count > 1)} could not be decoded"
            warnings.append(f"{name} is damaged: in {heard_s:.2f} s, {pieces}, and silence is where nothing was left")
        elif promise != 1.0:
            warnings.append(shortfall(name, heard_s, heard_s * promise))

    frames = None if promised_s is None else round(promised_s * rate)
    return Reader(name, rate, first_block[1].shape[1], frames, track.kind.name, chunks, warnings)


def _promised_end_s(track: _Track) -> float:
    """When the track ends as its container says, seconds from its origin; 0 where it does not say."""
    stream, container, origin_s = track.stream, track.container, _clock_origin_s(track)
    if not track.has_length:
        return 0.0
    is_only = len(container.streams) == 1
    # ASF tells a length for all its streams together.
    if stream.duration is not None and stream.duration > 0 and (is_only or track.kind.name != "asf"):
        start_s, length_s = (float((time or 0) * stream.time_base) for time in (stream.start_time, stream.duration))
        # Of fragments, which the header does not count, FFmpeg gives the end on their clock, not the length.
        if track.kind.name in ("mp4", "mov") and not stream.frames:
            length_s -= start_s
        late_s = start_s - origin_s
        return max(0.0, length_s + (late_s if 0 < late_s <= MOST_GAP_S else 0.0))
    # A container's own length is that of its longest track.
    if container.duration is not None and container.duration > 0 and is_only:
        # Matroska's is the end on its clock.
        return max(0.0, float(container.duration) / 1e6 - (origin_s if track.kind.name == "matroska" else 0.0))
    return 0.0


def _clock_origin_s(track: _Track) -> float:
    """The time stamp of second 0."""
    return float(track.container.start_time or 0) / 1e6


def _fill_gaps(
    frames: Iterator[tuple[int, float | None, Block]], track: _Track, faults: list[float], warnings: list[str]
) -> Iterator[tuple[int, Block]]:
    """(rate, block): the frames, with silence where their time stamps leave a gap, noted where it is a fault.

    A clock that jumps ahead by more than that is told, for something may be missing; one that begins anew is joined.
    """
    origin_s, clock_s = _clock_origin_s(track), 0.0
    jumps: list[tuple[float, float]] = []
    for rate, time_s, block in frames:
        # AVI has no time stamps: all but the first are guesses of FFmpeg.
        if time_s is not None and (track.kind.name != "avi" or not clock_s):
            gap_s = time_s - origin_s - clock_s
            most_gap_s = MOST_JOINED_GAP_S if clock_s and track.kind.name in JOINED_KINDS else MOST_GAP_S
            if LEAST_GAP_S < gap_s <= most_gap_s:
                if clock_s and track.kind.name in WITHOUT_GAPS:
                    faults.append(clock_s)
                for start in range(0, round(gap_s * rate), CHUNK_SAMPLES):
                    size = min(CHUNK_SAMPLES, round(gap_s * rate) - start)
                    yield rate, np.zeros((size, block.shape[1]), np.float32)
                clock_s += gap_s
            elif abs(gap_s) > LEAST_GAP_S:  # a clock that was set: it counts from here
                origin_s = time_s - clock_s
                if 0 < gap_s < LEAST_STEP_BACK_S:
                    jumps.append((clock_s, gap_s))
        clock_s += len(block) / rate
        yield rate, block
    if jumps:
        (at_s, gap_s), more = jumps[0], f", and {len(jumps) - 1} times more" if jumps[1:] else ""
        warnings.append(
            f"{track.name}: its clock jumps ahead by {gap_s:.0f} s at {at_s:.2f} s{more}; nothing is left in place of "
            "that time: it is another recording that was joined, or some of this one is missing"
        )


def _decoded_frames(av: Any, track: _Track, faults: list[float]) -> Iterator[tuple[int, float | None, Block]]:
    """The track, frame by frame: (sample rate in Hz, time stamp in seconds, (samples, channels) float32).

    All come in the rate of the first one. What cannot be decoded is noted in `faults`, by the seconds
    that were decoded before it.
    """
    # PyAV raises IndexError at a packet of a stream that the header did not name.
    errors = (OSError, ValueError, IndexError, av.FFmpegError)
    decoder, lenient_decoder = _decoders(av, track)
    previous_format: Any = None
    resampler: Any = None
    target_hz = 0
    lost_s = decoded_s = 0.0
    has_time = True
    for packet in _demuxed_packets(av, track, errors, faults):
        try:
            decoded = decoder.decode(packet)
        except EOFError:
            continue
        except errors:
            faults.append(decoded_s)
            decoded = []
            if lenient_decoder is not None:
                with contextlib.suppress(*errors):
                    decoded = lenient_decoder.decode(packet)
            if not decoded and packet.duration and packet.time_base is not None:
                lost_s += float(packet.duration * packet.time_base)
            if len(faults) > MOST_FAULTS:
                return
        for frame in decoded:
            if frame.is_corrupt:  # by its checksum, and concealed by the decoder
                faults.append(decoded_s)
            channels = frame.layout.nb_channels
            if channels > MOST_CHANNELS:
                raise AudioError(
                    f"{track.name} has {channels} channels, expected at most {MOST_CHANNELS} in such a file"
                )
            if (frame_format := (frame.sample_rate, frame.layout.name, frame.format.name)) != previous_format:
                target_hz = target_hz or frame.sample_rate
                sample_format = "fltp" if channels <= MOST_PLANES else "flt"
                previous_format = frame_format
                resampler = av.AudioResampler(format=sample_format, layout=frame.layout, rate=target_hz)
            has_time = has_time and (frame.sample_rate == target_hz or track.kind.name not in NO_LENGTH)
            is_timed = has_time and frame.pts is not None and frame.time_base is not None
            time_s = float(frame.pts * frame.time_base) if is_timed else None
            frame.pts = None
            if time_s is None and lost_s:
                yield target_hz, None, np.zeros((round(lost_s * target_hz), channels), np.float32)
            lost_s = 0.0
            decoded_s += frame.samples / frame.sample_rate
            try:
                pieces = resampler.resample(frame)
            except errors:  # a damaged frame of many channels
                faults.append(decoded_s)
                previous_format, pieces = None, []
            for piece in pieces:
                samples = piece.to_ndarray()
                block = samples.T if piece.format.is_planar else samples.reshape(-1, piece.layout.nb_channels)
                yield piece.sample_rate, time_s, np.asarray(block, np.float32)
                time_s = None


def _demuxed_packets(av: Any, track: _Track, errors: tuple[type[Exception], ...], faults: list[float]) -> Iterator[Any]:
    """The packets of the track; where the container breaks, what comes after."""
    context = track.stream.codec_context
    if track.kind.name == "wav" and context and context.name == "aac" and context.extradata:
        # WAV does not say where a frame of AAC ends, but in one packet the decoder finds them.
        yield av.Packet(b"".join(bytes(packet) for packet in track.container.demux(track.stream)))
        return
    for _ in range(MOST_FAULTS):
        try:
            yield from track.container.demux(track.stream)
            return
        except EOFError:
            return
        except errors:
            faults.append(0.0)  # counts wherever it was


def _decoders(av: Any, track: _Track) -> tuple[Any, Any]:
    """The codec's decoder, or a better one for the same codec where there is one; and one that passes over faults.

    Raises:
        AudioError: the codec is not among `CODECS`.
    """
    context = track.stream.codec_context
    if not context:
        known = "is coded as nothing that FFmpeg knows, such as floats of 16 bits"
        raise AudioError(f"{track.name} {known}; write it anew as PCM of 16 bits or floats of 32")
    codec = context.name
    if codec not in CODECS:
        raise AudioError(f"{track.name} is coded as {codec}, which is not read; convert it first, e.g. by ffmpeg")
    if codec in MARKING_CODECS:
        context.options = {"err_detect": "crccheck"}
    if codec in PREFERRED_DECODERS or codec in REFUSING_CODECS:
        with contextlib.suppress(ValueError, av.FFmpegError):
            other_decoder = av.CodecContext.create(PREFERRED_DECODERS.get(codec, codec), "r")
            other_decoder.extradata = context.extradata
            if codec in PREFERRED_DECODERS:
                return other_decoder, None
            context.options = {"err_detect": "crccheck+explode"}
            return context, other_decoder
    return context, None


def _speaking_track(av: Any, view: BinaryIO, name: str, kind: Kind, count: int) -> int:
    """The number, from 1 on, of the first track in which somebody speaks; else of the first one that can be read."""
    readable: list[int] = []
    for number in range(1, count + 1):
        view.seek(0)
        with (
            contextlib.suppress(AudioError),
            contextlib.closing(_open_container(av, view, name, kind, 1.0)) as container,
        ):
            frames = _decoded_frames(av, _Track(container, number - 1, name, kind), [])
            if (first_frame := next(frames, None)) is None:
                continue
            rate, readable = first_frame[0], readable or [number]
            pending_blocks, pending_s, decoded_s = list[Block](), 0.0, 0.0
            for block in Downmix(name, rate).mono(block for _, _, block in itertools.chain([first_frame], frames)):
                pending_blocks, block_s = [*pending_blocks, block], len(block) / rate
                pending_s, decoded_s = pending_s + block_s, decoded_s + block_s
                if pending_s >= PROBE_PIECE_S:
                    if has_voice(np.concatenate(pending_blocks), rate):
                        return number
                    pending_blocks, pending_s = [], 0.0
                if decoded_s >= PROBE_S:
                    break
            if pending_blocks and has_voice(np.concatenate(pending_blocks), rate):
                return number
    return readable[0] if readable else 1
