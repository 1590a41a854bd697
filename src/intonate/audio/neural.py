"""The neural voice activity detector: Silero's network, asked so that it neither misses a scream nor believes a jingle.

The network was made for speech at usual levels and pitches. So what it hears is brought to one level first, less its
offset, and where it finds nothing it hears it again: slowed down as a tape would be, which lowers the voice by a third.
In one hearing it misses some shouts and screams. Its probability also rises at a jingle, a cat or a plate, for a
moment: a stretch counts only where so many chunks in a row are as likely as the hearing asks for. It is asked only
where the sound moves at all; digital silence and steady hum cost next to nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intonate.audio.activity import LEAST_SPEECH_S, hum_frames, levels, moving_frames
from intonate.audio.clean import dc, loudness_gain
from intonate.audio.energy import HOP_S
from intonate.audio.resample import resample
from intonate.audio.silero import CHUNK, RATE_HZ, Silero


class Ear(NamedTuple):
    """One hearing: how much longer the sound is, and how likely speech must be, on average, in so many chunks of it."""

    stretch: float
    chunks: int
    sure: float


# A syllable of 0.2 s that is quite sure; or, slowed down, half a second that is likelier than not: a miaow and a plate
# may be as sure as a syllable, but are over sooner than a sentence, and a scream goes on though it is never sure.
EARS = (Ear(1.0, 6, 0.7), Ear(1.5, 24, 0.6))
# Of a whole recording, which is heard at one level. The six noises, in pieces of 1, 2 and 4 s, reach 0.91, 0.56 and
# 0.57 there (a plate, a cat, a plate). A stream's first must ask for less, or words over dishes are none.
RECORDING_EARS = (Ear(1.0, 6, 0.9), Ear(1.25, 12, 0.65), Ear(1.5, 24, 0.6))
# Resampled with so much sound before it, a step begins without a click.
MARGIN_S = 0.02
# Silero's own thresholds: speech from here on, until it falls below the second.
ON, OFF = 0.5, 0.35
# The level of speech at which the network finds most of it and least else.
TARGET_DBFS, LOUDEST = -20.0, 8.0
# That of a recording, in which no step is louder than it should be.
RECORDING_DBFS = -14.0
# A network that begins in the middle of a word may miss it: it begins a quarter of a second before what moves. Where
# nothing comes before or after, silence does (music sounds more like a voice then, so not before anything longer).
LEAD_IN_CHUNKS = 8

Waveform = NDArray[np.float32]


class Neural:
    """A detector of one stream (`voice.Detector`). It remembers what it heard, so it must hear the stream in order."""

    name, least_s = "neural", LEAST_SPEECH_S

    def __init__(
        self,
        sample_rate_hz: int = RATE_HZ,
        has_lead_in: bool = False,
        ears: Sequence[Ear] = EARS,
    ) -> None:
        """`has_lead_in` for a recording that is no longer than a word."""
        self._rate_hz = sample_rate_hz
        self._hearings = [Hearing(ear, has_lead_in) for ear in ears]
        self._sample_count = 0  # at RATE_HZ
        self._was_moving = False

    def __call__(self, window: Waveform, new_samples: int, gain: float | None = None) -> NDArray[np.bool_]:
        """As `voice.Detector`; `gain` brings the window to the level that suits, None for that of the window itself."""
        hop = round(HOP_S * self._rate_hz)
        frames = -(-len(window) // hop)
        sound, is_hum = levels(window, self._rate_hz), None
        moves = bool(moving_frames(sound)[-max(1, new_samples // hop) :].any())
        if self._rate_hz != RATE_HZ:
            new_samples = round(new_samples * RATE_HZ / self._rate_hz)
            window = resample(window, self._rate_hz, RATE_HZ)
        self._sample_count += new_samples
        start, hop = self._sample_count - len(window), round(HOP_S * RATE_HZ)
        # One step more is heard after the last that moves: words fade.
        is_heard = moves or self._was_moving
        self._was_moving = moves
        if is_heard:
            window = _at_standard_level(window, gain, new_samples + LEAD_IN_CHUNKS * CHUNK + round(MARGIN_S * RATE_HZ))
        answer = np.zeros(frames, np.bool_)
        for hearing in self._hearings:
            # What one hearing takes for speech needs no other.
            if is_heard and not answer[-max(1, new_samples // hop) :].any():
                hearing.hear(window, new_samples, self._sample_count)
            else:
                hearing.skip()
            for run_start, end in hearing.speech_after(start):
                told = slice(max(0, run_start - start) // hop, max(0, end - start + hop - 1) // hop)
                # A network that begins ahead of a word may take the hum there for a voice.
                if run_start >= start:
                    is_hum = hum_frames(sound) if is_hum is None else is_hum
                    if is_hum[told].all():
                        continue
                answer[told] = True
        return answer


class Hearing:
    """Where a stream is speech to the network in one hearing."""

    def __init__(self, ear: Ear, has_lead_in: bool) -> None:
        self._stretch, self._chunks, self._sure = ear
        self._network = Silero()
        self._runs: list[list[int]] = []  # [start, end) of speech, in samples of the stretched sound
        self._needs_lead_in = has_lead_in
        self.skip()

    def skip(self) -> None:
        """Leave out what is new. The network keeps its state: begun anew, it takes clinking dishes for a voice."""
        self._is_new = True
        self._pending_samples = np.zeros(0, np.float32)  # heard, but less than a chunk
        self._recent_probabilities: deque[float] = deque(maxlen=self._chunks)
        self._recent_starts: deque[int | None] = deque(maxlen=self._chunks)  # of the speech that each belongs to
        self._speech_start: int | None = None  # where the speech under way began
        self._is_confirmed = False

    def speech_after(self, start: int) -> list[tuple[int, int]]:
        """[start, end) of speech, in samples of the stream, but for what ends before `start`, which is forgotten."""
        self._runs = [run for run in self._runs if run[1] > start * self._stretch]
        return [(round(run_start / self._stretch), round(end / self._stretch)) for run_start, end in self._runs]

    def hear(self, window: Waveform, new_samples: int, sample_count: int) -> None:
        """Ask the network about each whole chunk, and note where it is sure of speech.

        Args:
            window: (samples,) float32, the stream up to now.
            new_samples: how many of them are new.
            sample_count: how many the stream had until now, with these.
        """
        if self._is_new:
            new_samples = min(len(window), new_samples + LEAD_IN_CHUNKS * CHUNK)
            self._is_new = False
        end = round(sample_count * self._stretch)
        new_samples_stretched = end - round((sample_count - new_samples) * self._stretch)
        if self._stretch != 1:
            window = window[-(new_samples + round(MARGIN_S * RATE_HZ)) :]
            window = resample(window, RATE_HZ, round(RATE_HZ * self._stretch))
        samples = np.concatenate([self._pending_samples, window[len(window) - new_samples_stretched :]])
        chunk_start = end - len(samples)
        chunk_count = len(samples) // CHUNK
        for probability in self._probabilities(samples[: chunk_count * CHUNK]):
            self._recent_probabilities.append(probability)
            if probability < (OFF if self._speech_start is not None else ON):
                self._speech_start, self._is_confirmed = None, False
            else:
                self._speech_start = chunk_start if self._speech_start is None else self._speech_start
            self._recent_starts.append(self._speech_start)
            if self._speech_start is not None:
                if (
                    not self._is_confirmed
                    and len(self._recent_probabilities) == self._chunks
                    and sum(self._recent_probabilities) >= self._sure * self._chunks
                ):
                    self._is_confirmed = True
                    start = min(start for start in self._recent_starts if start is not None)
                    self._runs.append([start, chunk_start + CHUNK])
                if self._is_confirmed:
                    self._runs[-1][1] = chunk_start + CHUNK
            chunk_start += CHUNK
        self._pending_samples = samples[chunk_count * CHUNK :]
        if self._is_confirmed:  # what is left over is heard with the next part; until then it goes on as it was
            self._runs[-1][1] = end

    def _probabilities(self, samples: Waveform) -> list[float]:
        if self._needs_lead_in:
            self._network(np.zeros(LEAD_IN_CHUNKS * CHUNK, np.float32))
            self._needs_lead_in = False
        probabilities: list[float] = self._network(samples).tolist() if len(samples) else []
        return probabilities


def _at_standard_level(window: Waveform, gain: float | None, samples: int) -> Waveform:
    """The end of a window at `RATE_HZ`, with its speech at the level that suits the network; it may pass full scale."""
    centred = dc(window, RATE_HZ)
    if gain is None:
        gain = loudness_gain(centred, RATE_HZ, TARGET_DBFS, LOUDEST)
    return np.asarray(np.clip(centred[-samples:] * np.float32(1.0 if gain is None else gain), -LOUDEST, LOUDEST))
