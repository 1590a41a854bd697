"""Whose clip is whose: recordings grouped by voice, so that each voice is learnt from its own clips.

Each clip is described like a stretch of a conversation (`voices.py`), and clips are joined by Ward's method (1963). The
tree is cut where it joins groups that lie apart like people do; the rule was chosen on validation speakers
(`benchmarks/clip_voices.py`).

A voice that shows one emotion only must not be taken for one that is always like that, and so be made neutral. What the
clips sound like alone tells: where they mostly get one label, each stays alone. So does each where the labels go with
parts of the group that may be people: several of one emotion each.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intonate.audio.clean import clean
from intonate.audio.decode import Source
from intonate.audio.voice import voice_frames
from intonate.errors import IntonateError
from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer import conversation, inputs, recording, voices
from intonate.recognizer.clip_model import ClipModel
from intonate.recognizer.request import Request, Voice
from intonate.schema import ModelSpec, Prediction, Speaker

Float = NDArray[np.float64]

# The tree is made of so many clips, spread over all of them; the others join the nearest group.
MOST_CLIPS = 800
# A join that costs this much is one of two voices. It costs more the more clips it joins; that counts up to so many
# (half their harmonic mean), so that a voice of a thousand clips is one still.
TWO_VOICES, MOST_COUNTED = 21.0, 30.0
# Of fewer clips less is enough, for one voice costs less then, too: in square so much, and so much more for each clip.
TWO_VOICES_OF_NONE, MORE_FOR_EACH = 40.0, 7.0
# Fewer clips are no voice of their own: too few to tell a voice from a mood.
LEAST_CLIPS = 8
# A voice may be several people where it falls into parts of so many clips at so much of that (squared) cost; they have
# one mood each where the labels of a part vary less than this share of what those of the voice do.
PART_CLIPS, PART_COST, KEPT_IN_PARTS = 4, 0.5, 0.5
# Where so many clips of one person get one label, they are said to sound alike.
MOST_OF_ONE_MOOD = 2 / 3


class _Clip(NamedTuple):
    position: int
    description: Float
    statistics: SpeakerStatistics
    label: int  # alone


def learn_voices(model: ClipModel, sources: Iterable[Source], request: Request) -> dict[int, Voice]:
    """The voice of each short recording with speech, by its position among the sources.

    Recordings that cannot be read have none, and are reported when they are answered.
    """
    clips: list[_Clip] = []
    for position, source in enumerate(sources):
        with contextlib.suppress(IntonateError):
            clips += filter(None, [_describe(model, position, source, request)])
    if not clips:
        return {}
    descriptions = np.array([clip.description for clip in clips])
    groups = group(descriptions)
    voice_by_position: dict[int, Voice] = {}
    for number, name in enumerate(dict.fromkeys(groups.tolist()), start=1):
        members = [clip for clip, group_name in zip(clips, groups, strict=True) if group_name == name]
        labels, statistics = [clip.label for clip in members], None
        if is_varied(labels, len(model.spec.labels)) and varies_within(descriptions[groups == name], labels):
            statistics = SpeakerStatistics.of(clip.statistics for clip in members)
        voice_by_position |= {
            clip.position: Voice(f"Voice {number}", len(members) if statistics else 1, statistics) for clip in members
        }
    return voice_by_position


def with_voice(answer: Prediction, voice: Voice) -> Prediction:
    """The answer to a clip with whose it is."""
    if not answer.scores:
        return answer
    segments = tuple(dataclasses.replace(segment, speaker=voice.name) for segment in answer.segments)
    speech_s = sum(segment.end_s - segment.start_s for segment in segments if segment.speech)
    speaker = Speaker(
        voice.name, answer.shown_label, answer.scores, speech_s, voice.clips, answer.labels, answer.dimensions
    )
    return dataclasses.replace(answer, segments=segments, speakers=(speaker,))


def group(descriptions: Float, cost: float = 1.0, least_clips: int = LEAST_CLIPS) -> NDArray[np.intp]:
    """The group of each clip, from their descriptions (clips, dimensions), in no order.

    Of `least_clips` or more each, and at `cost` times the squared cost of a join of two voices.
    """
    sample = descriptions[:: -(-len(descriptions) // MOST_CLIPS)]
    centres = np.array([sample[members].mean(axis=0) for members in _cut_tree(sample, cost, least_clips)])
    return np.asarray(np.argmin(((descriptions[:, None] - centres) ** 2).sum(axis=-1), axis=1))


def is_varied(labels: Sequence[int], label_count: int) -> bool:
    """Whether a voice shows several emotions: the perplexity of its labels, of which 1 is one label only.

    Of seven labels it must be 3.4, which was chosen on validation speakers (`benchmarks/clip_voices.py`).
    """
    if label_count < 2:
        return False
    return _perplexity(np.array(labels)) >= 1 + 0.4 * (label_count - 1)


def varies_within(descriptions: Float, labels: Sequence[int]) -> bool:
    """Whether the labels of a voice vary inside its parts, too, as those of one person do: not from part to part."""
    given = np.array(labels)
    parts, part_of = np.unique(group(descriptions, PART_COST, PART_CLIPS), return_inverse=True)
    logs = np.array([np.log(_perplexity(given[part_of == part])) for part in range(len(parts))])
    return bool(np.exp(logs[part_of].mean()) >= KEPT_IN_PARTS * _perplexity(given))


def _perplexity(labels: NDArray[np.intp]) -> float:
    """How many labels there are, where those that are rare count less."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(np.exp(-(shares * np.log(shares)).sum()))


def one_mood(spec: ModelSpec, answers: Sequence[Float]) -> tuple[str, ...]:
    """A sentence where most clips of one person, each answered alone (labels,), show one emotion; else none."""
    is_learnt = any(item.normalisation and item.normalisation.kind == "speaker" for item in spec.inputs)
    labels = [int(answer.argmax()) for answer in answers if len(answer)]
    if not is_learnt or len(labels) < 2 or max(map(labels.count, set(labels))) < MOST_OF_ONE_MOOD * len(labels):
        return ()
    return (
        "these clips of one person sound alike, and a voice that is learnt from one mood makes that mood neutral; to "
        "have each clip answered alone, leave out that they are of the same speaker",
    )


def _describe(model: ClipModel, position: int, source: Source, request: Request) -> _Clip | None:
    spec, statistics = model.spec, SpeakerStatistics()
    source = conversation.of_chosen_channel(source, request.channels)
    waveform, _ = recording.open_recording(source, spec.sample_rate_hz, spec.pool, request.whole)
    if waveform is None:
        return None
    speech = voice_frames(waveform, spec.sample_rate_hz)
    if not speech.any():
        return None
    clip = inputs.extract(spec, clean(waveform, spec.sample_rate_hz, spec.clean), request.words)
    inputs.update_speaker(spec, clip, statistics)
    probabilities = model.probabilities([inputs.normalise_clip(spec, clip, statistics)])[0]
    label = int(probabilities.argmax()) if len(probabilities) else 0
    return _Clip(position, voices.describe_clip(waveform, spec.sample_rate_hz, speech), statistics, label)


def _cut_tree(descriptions: Float, cost: float, least_clips: int) -> list[NDArray[np.intp]]:
    """The members of each voice: those groups of the tree that no join of two voices lies in."""
    members, parents, costs = _ward(descriptions)
    for node, (left, right) in parents.items():
        half_size = len(members[left]) * len(members[right]) / len(members[node])
        costs[node] *= np.sqrt(min(1.0, MOST_COUNTED / half_size))
    voices_found, open_groups = [], [len(members) - 1]
    while open_groups:
        node = open_groups.pop()
        # A few clips that lie off are left out, and join whatever is nearest.
        children = [child for child in parents.get(node, ()) if len(members[child]) >= least_clips]
        enough = min(TWO_VOICES**2, TWO_VOICES_OF_NONE + MORE_FOR_EACH * len(members[node]))
        if children and costs[node] ** 2 >= cost * enough:
            open_groups += children
        else:
            voices_found.append(members[node])
    return voices_found


def _ward(rows: Float) -> tuple[list[NDArray[np.intp]], dict[int, tuple[int, int]], dict[int, float]]:
    """The tree of Ward's method: the members of each node, the two nodes that each join joined, and its cost.

    Nodes are numbered as in scipy: first the rows, then the joins in their order. The cost is scipy's distance, too.
    """
    count = len(rows)
    members = [np.array([row]) for row in range(count)]
    parents, costs = {}, {}
    nodes, sizes = np.arange(count), np.ones(count)
    squared_distances = ((rows[:, None] - rows) ** 2).sum(axis=-1)
    np.fill_diagonal(squared_distances, np.inf)
    for _ in range(count - 1):
        a, b = divmod(int(np.argmin(squared_distances)), count)
        join_distance, total = squared_distances[a, b], sizes + sizes[a] + sizes[b]
        # Lance and Williams (1967).
        row = (
            (sizes + sizes[a]) * squared_distances[a]
            + (sizes + sizes[b]) * squared_distances[b]
            - sizes * join_distance
        ) / total
        row[[a, b]] = np.inf
        squared_distances[a], squared_distances[:, a] = row, row
        squared_distances[b], squared_distances[:, b] = np.inf, np.inf
        parents[len(members)], costs[len(members)] = (int(nodes[a]), int(nodes[b])), float(np.sqrt(join_distance))
        nodes[a], sizes[a] = len(members), sizes[a] + sizes[b]
        members.append(np.concatenate([members[node] for node in parents[len(members)]]))
    return members, parents, costs
