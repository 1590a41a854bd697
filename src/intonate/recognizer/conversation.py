"""Conversations: who speaks when, and what each of them sounds like, turn by turn.

A *track* is a sound with its turns: each channel of a call is one, with one person on it (`--channels each`); a
recording of several people is one, with the turns of all of them (`--speakers`, told apart by `voices.py`). Each turn
is answered as a recording by itself would be, but normalised by all that its own speaker says in the conversation.

The whole recording is held in memory, 230 MB an hour at 16 kHz, and as much again while its features are computed.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intonate.audio import decode, leaks
from intonate.audio.activity import speech_frames
from intonate.audio.decode import Sound, Source
from intonate.audio.energy import HOP_S, runs
from intonate.audio.voice import level_dbfs, unvoiced_label, voice_frames
from intonate.errors import AudioError
from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer import inputs, recording, voices
from intonate.recognizer.clip_model import ClipModel
from intonate.recognizer.inputs import Clip
from intonate.recognizer.outputs import dimensions_of
from intonate.recognizer.request import Request
from intonate.recognizer.timeline import label_or_unsure, labels_of, threshold_for
from intonate.schema import ModelSpec, Prediction, Segment, Speaker
from intonate.transcripts.recognisers import with_words

Waveform = NDArray[np.float32]

# The number of speakers that is still to be found out.
AUTO = 0
NAMED_CHANNELS = {"left": 1, "right": 2}
# A turn goes on through pauses shorter than this: the pauses between the words of a sentence.
PAUSE_S = 0.7
# Soft first and last consonants lie this far outside of what is surely speech.
MARGIN_S = 0.2
# Sound that goes on beside speech belongs to it this far.
EDGE_S = 1.0
TOLD_APART = "people in one channel are told apart with --speakers 2 (speakers=2 in Python)"


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch in which one person speaks, seconds."""

    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True, slots=True)
class _Track:
    sound: Sound
    waveform: Waveform
    turns: Sequence[Turn]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of a turn that the model sees at once."""

    turn: int
    speaker: str
    clip: Clip
    samples: int  # after cleaning
    is_counted: bool


class _TurnAnswer(NamedTuple):
    """The answer (outputs,) to a turn, how much of its sound was left after cleaning, and its pieces' familiarities."""

    turn: Turn
    probabilities: NDArray[np.float64]
    sound_s: float
    familiarities: Sequence[float | None]

    @property
    def length_s(self) -> float:
        return self.turn.end_s - self.turn.start_s


def chosen_channel(channels: str | int) -> str:
    """A choice of channels as a request has it: `mix`, `each`, or the number of one.

    Raises:
        AudioError: it is none.
    """
    choice = str(channels).lower()
    choice = str(NAMED_CHANNELS.get(choice, choice))
    if choice in ("mix", "each") or (choice.isdecimal() and int(choice) >= 1):
        return choice
    raise AudioError(f"channels {channels!r} is not known; expected mix, left, right, each, or a number from 1 on")


def chosen_speakers(speakers: str | int | None) -> int | None:
    """A choice of speakers as a request has it: None, `AUTO`, or how many.

    Raises:
        AudioError: it is none.
    """
    if speakers is None:
        return None
    if str(speakers).lower() == "auto":
        return AUTO
    if str(speakers).isdecimal() and 1 <= int(speakers) <= voices.MOST_SPEAKERS:
        return int(speakers)
    raise AudioError(f"speakers {speakers!r} is not possible; expected auto, or 1 to {voices.MOST_SPEAKERS}")


def with_channel(source: Source, channel: int | None) -> Sound:
    """The source, of which only one channel is read."""
    sound = source if isinstance(source, Sound) else Sound(source)
    return dataclasses.replace(sound, channel=channel)


def of_chosen_channel(source: Source, channels: str) -> Source:
    """The source, of which only the channel is read that a request names; all of it where it names none (`mix`)."""
    return source if channels == "mix" else with_channel(source, int(channels))


def predict_conversation(model: ClipModel, source: Source, request: Request) -> Prediction:
    """Answer a recording by its speakers.

    Raises:
        AudioError: as in `Recognizer.predict`.
    """
    spec, warnings = model.spec, list[str]()
    source = recording.repeatable(source)
    make_tracks = _channel_tracks if request.channels == "each" else _voice_tracks
    tracks = make_tracks(source, request, warnings)
    segments: list[Segment] = []
    answers: list[_TurnAnswer] = []
    texts: list[str] = []
    for track in tracks:
        track_request = request.for_recording(track.sound)
        turn_answers, turn_segments = _turn_answers(model, track, track_request), []
        for answer in turn_answers:
            turn, scores, threshold = answer.turn, request.scores(answer.probabilities), _threshold(spec, [answer])
            turn_segments.append(
                Segment(
                    turn.start_s,
                    turn.end_s,
                    label_or_unsure(scores, threshold),
                    scores,
                    speaker=turn.speaker,
                    dimensions=dimensions_of(spec, answer.probabilities),
                    labels=labels_of(scores, spec, threshold),
                )
            )
        answers += turn_answers
        if track_request.transcript is not None:
            turn_segments = list(with_words(turn_segments, track_request.transcript))
            texts.append(track_request.transcript.text)
        segments += turn_segments
    segments.sort(key=lambda segment: (segment.start_s, segment.end_s))
    if not answers:
        level = max((level_dbfs(track.waveform) for track in tracks), default=-np.inf)
        end_s = max((len(track.waveform) for track in tracks), default=0) / spec.sample_rate_hz
        none = labels_of({}, spec)
        segments = [Segment(0.0, end_s, unvoiced_label(level), {}, speech=False, labels=none)]
    summary = (
        _speaker_summary("", answers, request) if answers else Speaker("", segments[0].label, {}, 0.0, labels=none)
    )
    names = dict.fromkeys(segment.speaker for segment in segments if segment.speaker)
    return Prediction(
        label=summary.guess,
        abstained=summary.abstained,
        scores=summary.scores,
        segments=tuple(segments),
        transcript=_joined_text(segments) if len(texts) > 1 else "".join(texts) or request.text or "",
        model=spec.name,
        file=recording.file_of(source),
        warnings=tuple(dict.fromkeys(warnings)),
        labels=summary.labels,
        dimensions=summary.dimensions,
        speakers=tuple(
            _speaker_summary(name, [answer for answer in answers if answer.turn.speaker == name], request)
            for name in names
        ),
        familiarity=inputs.mean_familiarity(value for answer in answers for value in answer.familiarities),
    )


def turns_of(speech: NDArray[np.bool_], speakers: NDArray[np.intp], names: Sequence[str], end_s: float) -> list[Turn]:
    """Turns from frames: whether there is speech, and whose, per 10 ms.

    A pause shorter than `PAUSE_S` within the words of one speaker belongs to the turn.
    """
    stretches: list[list[float]] = []  # start, end, number of the speaker
    for start_frame, end_frame in runs(speech):
        changes = start_frame + 1 + np.flatnonzero(np.diff(speakers[start_frame:end_frame]))
        for start, stop in itertools.pairwise([int(start_frame), *changes.tolist(), int(end_frame)]):
            start_s, stop_s, number = start * HOP_S, stop * HOP_S, float(speakers[start])
            if stretches and stretches[-1][2] == number and start_s - stretches[-1][1] < PAUSE_S:
                stretches[-1][1] = stop_s
            else:
                stretches.append([start_s, stop_s, number])
    turns = []
    for place, (start_s, stop_s, number) in enumerate(stretches):
        # Into the pause around it, but not into what others say.
        before_s = stretches[place - 1][1] if place else 0.0
        after_s = stretches[place + 1][0] if place + 1 < len(stretches) else end_s
        start_s = max(start_s - MARGIN_S, min(start_s, before_s))
        stop_s = min(stop_s + MARGIN_S, max(stop_s, after_s), end_s)
        turns.append(Turn(round(start_s, 3), round(stop_s, 3), names[int(number)]))
    return turns


def _channel_tracks(source: Source, request: Request, warnings: list[str]) -> list[_Track]:
    """Each channel with the turns of the one person on it."""
    rate_hz, info = request.spec.sample_rate_hz, decode.info(source)
    sounds = [with_channel(source, channel) for channel in range(1, info.channels + 1)]
    waveforms = [decode.load(sound, rate_hz, warnings=warnings) for sound in sounds]
    names = ["Left", "Right"] if len(sounds) == 2 else [f"Channel {place + 1}" for place in range(len(sounds))]
    file = decode.name_of(sounds[0].source)
    if len(sounds) == 1:
        warnings.append(f"{file} has one channel, so it is answered as one person; {TOLD_APART}")
    tracks: list[_Track] = []
    for place, (sound, waveform, name) in enumerate(zip(sounds, waveforms, names, strict=True)):
        for earlier in range(place):
            if leaks.is_one_sound(waveforms[earlier], waveform, rate_hz):
                warnings.append(
                    f"{file}: channels {earlier + 1} and {place + 1} hold the same sound, so it is answered once; "
                    f"{TOLD_APART}"
                )
                break
        else:
            tracks.append(_channel_track(sound, waveforms, place, name, rate_hz, warnings))
    return tracks


def _channel_track(
    sound: Sound, waveforms: Sequence[Waveform], place: int, name: str, rate_hz: int, warnings: list[str]
) -> _Track:
    """One channel of several, with the turns that are its own."""
    waveform, file = waveforms[place], decode.name_of(sound.source)
    speech = _speech_with_edges(waveform, rate_hz)
    leaked = np.zeros(len(speech), np.bool_)
    for other in range(len(waveforms)):
        if other != place:
            leaked |= leaks.leaked_frames(speech & ~leaked, waveform, waveforms[other], rate_hz)
    if leaked.any():
        warnings.append(
            f"{file}: {leaked.sum() * HOP_S:.1f} s on channel {place + 1} are another channel that leaks into it, or "
            "comes back as an echo, and are no turns of their own"
        )
        sound = Sound((_silenced(waveform, leaked, rate_hz), rate_hz))  # nor are the words in them this person's
    own = speech & ~leaked
    turns = turns_of(own, np.zeros(len(own), np.intp), [name], len(waveform) / rate_hz)
    if not turns:
        warnings.append(f"{file}: nobody speaks on channel {place + 1}")
    return _Track(sound, waveform, turns)


def _silenced(waveform: Waveform, frames: NDArray[np.bool_], rate_hz: int) -> Waveform:
    """The waveform with nothing in some of its frames of `HOP_S`."""
    silenced, hop = waveform.copy(), round(HOP_S * rate_hz)
    for start, end in runs(frames):
        silenced[start * hop : end * hop] = 0.0
    return silenced


def _voice_tracks(source: Source, request: Request, warnings: list[str]) -> list[_Track]:
    """The whole recording with the turns of all voices."""
    rate_hz = request.spec.sample_rate_hz
    channel = None if request.channels == "mix" else int(request.channels)
    sound = with_channel(source, channel)
    waveform = decode.load(sound, rate_hz, warnings=warnings)
    speech = _speech_with_edges(waveform, rate_hz)
    speakers = voices.tell_apart(waveform, rate_hz, speech, request.speakers or None)
    names = [f"Speaker {number + 1}" for number in range(int(speakers.max(initial=0)) + 1)]
    found = len(np.unique(speakers[speech]))
    if request.speakers and found and found != request.speakers:
        file = decode.name_of(sound.source)
        warnings.append(f"{file}: {request.speakers} speakers were asked for, and {found} could be told apart")
    return [_Track(sound, waveform, turns_of(speech, speakers, names, len(waveform) / rate_hz))]


def _speech_with_edges(waveform: Waveform, rate_hz: int) -> NDArray[np.bool_]:
    """Whether somebody speaks, per 10 ms, with the soft beginnings and ends of what is surely speech."""
    is_voiced = voice_frames(waveform, rate_hz)
    is_near, edge = np.zeros(len(is_voiced), np.bool_), round(EDGE_S / HOP_S)
    for start, end in runs(is_voiced):
        is_near[max(0, start - edge) : end + edge] = True
    is_speech = np.zeros(len(is_voiced), np.bool_)
    for start, end in runs((speech_frames(waveform, rate_hz) | is_voiced) & is_near):
        is_speech[start:end] = is_voiced[start:end].any()
    return is_speech


def _turn_answers(model: ClipModel, track: _Track, request: Request) -> list[_TurnAnswer]:
    """The answer to each turn, normalised by all that its speaker says."""
    spec, statistics = model.spec, dict[str, SpeakerStatistics]()
    pieces = [piece for number in range(len(track.turns)) for piece in _pieces(number, track, request)]
    for piece in pieces:
        speaker = statistics.setdefault(piece.speaker, SpeakerStatistics())
        if piece.is_counted:
            inputs.update_speaker(spec, piece.clip, speaker)
    clips = [inputs.normalise_clip(spec, piece.clip, statistics[piece.speaker]) for piece in pieces]
    answers, turn_answers = model.answers(clips, request.batch_size), list[_TurnAnswer]()
    for number, turn in enumerate(track.turns):
        own = [place for place, piece in enumerate(pieces) if piece.turn == number]
        sound_s = sum(pieces[place].samples for place in own) / spec.sample_rate_hz
        familiarities = [inputs.familiarity(spec, pieces[place].clip) for place in own]
        turn_answers.append(_TurnAnswer(turn, answers[own].mean(axis=0), sound_s, familiarities))
    return turn_answers


def _pieces(number: int, track: _Track, request: Request) -> list[_Piece]:
    """A turn whole, or where it is long in windows; each sound is counted once in the speaker's statistics."""
    spec, turn = request.spec, track.turns[number]
    rate_hz, pool = spec.sample_rate_hz, spec.pool
    offset = round(turn.start_s * rate_hz)
    waveform = track.waveform[offset : max(offset + 1, round(turn.end_s * rate_hz))]
    pieces, counted_end = [], 0
    for start, end in recording.recording_cuts(len(waveform), rate_hz, pool):
        words = request.for_window((offset + start) / rate_hz, (offset + end) / rate_hz).words
        clip, samples = inputs.clean_and_extract(spec, waveform[start:end], words)
        pieces.append(_Piece(number, turn.speaker, clip, samples, start >= counted_end))
        counted_end = end if start >= counted_end else counted_end
    return pieces


def _speaker_summary(name: str, answers: Sequence[_TurnAnswer], request: Request) -> Speaker:
    lengths_s = [answer.length_s for answer in answers]
    mean, spec = np.average([answer.probabilities for answer in answers], axis=0, weights=lengths_s), request.spec
    scores, threshold = request.scores(mean), _threshold(spec, answers)
    label = label_or_unsure(scores, threshold)
    labels, dimensions = labels_of(scores, spec, threshold), dimensions_of(spec, mean)
    return Speaker(name, label, scores, sum(lengths_s), labels=labels, dimensions=dimensions)


def _threshold(spec: ModelSpec, answers: Sequence[_TurnAnswer]) -> float:
    return threshold_for(spec, sum(answer.sound_s for answer in answers))


def _joined_text(segments: Sequence[Segment]) -> str:
    return " ".join(segment.text for segment in segments if segment.text)
