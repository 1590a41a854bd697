"""From utterances to examples: the front ends' output of every clip and of its copies, who spoke, and the target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from intonate.corpora.manifest import ALIASES
from intonate.emotions import merge, merge_scores, merged_labels, target_of
from intonate.errors import CorpusError, RecipeError, SplitError
from intonate.features import encoded
from intonate.features import text as text_features
from intonate.features.cache import Analysis, Change, ClipFeatures, analyse, default_folder
from intonate.features.normalise import Moments
from intonate.features.text import TOKENS, is_text
from intonate.recognizer.inputs import encode_text
from intonate.recognizer.timeline import threshold_for
from intonate.schema import ModelSpec, Utterance
from intonate.training import encoders, multi_label, ratings
from intonate.training.recipe import Recipe

SAMPLE_RATE_HZ = 16_000
Array = NDArray[Any]
Clip = dict[str, Array]
# Moments of many clips, one above the other: counts (clips,), sums (clips, columns), sums of squares (clips, columns).
Stacked = tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class Examples:
    """Every clip of a training: raw front-end output, target, speaker.

    Attributes:
        utterances: the rows, merged labels not yet applied.
        labels: the merged labels, in order of the outputs; none where only dimensions are learnt.
        targets: (clips,) index into `labels`, of several the rarest; 0 where there are none.
        clips: {input: array} per clip.
        allowed: (clips, labels) bool; the labels that the clip's corpus has at all.
        mates: speaker -> the clips of that speaker, copies too.
        moments: of each input that is normalised by speaker: per clip, its rows' count (clips,), their sum and the sum
            of their squares (clips, columns).
        too_short: how many clips were left out for their length.
        seconds: (clips,) the length after cleaning.
        number: (clips,) which copy a clip is, from 1; 0 for a recording. Copies come after all recordings.
        copies: (recordings, copies) the clips that are copies of each recording; -1 where it has none.
        ratings: (clips, dimensions) from 0 to 1; NaN where nobody rated.
        present: (clips, labels) which labels each clip has.
        dimensions: the names of the rated ones.
        multi_label: whether a clip may have several labels, or none.
    """

    utterances: Sequence[Utterance]
    labels: tuple[str, ...]
    targets: NDArray[np.int64]
    clips: Sequence[Clip]
    allowed: NDArray[np.bool_]
    mates: Mapping[str, NDArray[np.int64]] = field(repr=False)
    moments: Mapping[str, Stacked] = field(repr=False)
    too_short: int
    seconds: NDArray[np.float64]
    number: NDArray[np.int64]
    copies: NDArray[np.int64]
    ratings: NDArray[np.float32]
    present: NDArray[np.bool_]
    dimensions: tuple[str, ...] = ()
    multi_label: bool = False

    @property
    def outputs(self) -> tuple[str, ...]:
        """What a model of these is to answer: labels, then dimensions."""
        return (*self.labels, *self.dimensions)

    @property
    def recordings(self) -> Sequence[Utterance]:
        """The utterances without the copies."""
        return self.utterances[: len(self.copies)]

    def with_copies(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """These recordings, and after them their copies."""
        return with_copies(rows, self.copies)

    def thresholds(self, spec: ModelSpec) -> NDArray[np.float64]:
        """(clips,) the best probability under which the model of this spec answers a clip `unsure`."""
        return np.array([threshold_for(spec, seconds) for seconds in self.seconds])

    def moments_of(self, rows: Iterable[int], name: str) -> Moments:
        """What these clips hold together of the input `name`."""
        indices = np.fromiter(rows, np.int64)
        count, total, squares = (values[indices].sum(axis=0) for values in self.moments[name])
        return Moments(float(count), total, squares)


def with_copies(rows: NDArray[np.int64], copies: NDArray[np.int64]) -> NDArray[np.int64]:
    """Recordings, and after them all first copies, all second ones…; see `Examples`."""
    copy_rows = copies[rows].T.reshape(-1)
    return np.concatenate([rows, copy_rows[copy_rows >= 0]])


@dataclass(frozen=True)
class ClipAnalysis:
    """What is made of every clip: of its sound, and for each input of `words`, of its text.

    For `speaker_inputs`, those that are normalised by speaker, its moments too.
    """

    sound: Analysis
    words: Mapping[str, Callable[[str], Array]] = field(default_factory=dict)
    speaker_inputs: tuple[str, ...] = ()


def shares(examples: Examples, merge_name: str) -> NDArray[np.float32]:
    """(clips, labels) what each row's soft_labels give each label of the merge; all to its one label without them."""
    label_shares = examples.present.astype(np.float32)
    for row, utterance in enumerate(examples.utterances):
        if utterance.soft_labels:
            emotions, values = zip(*utterance.soft_labels.items(), strict=True)
            merged_scores = merge_scores(emotions, values, merge_name)
            label_shares[row] = [merged_scores.get(label, 0.0) for label in examples.labels]
    return label_shares


def with_labels(utterances: Sequence[Utterance], merge_name: str) -> list[Utterance]:
    """The utterances that the merge has a place for."""
    rows = [utterance for utterance in utterances if target_of(utterance, merge_name) is not None]
    if not rows and not any(utterance.emotion for utterance in utterances):
        names = ", ".join(("emotion", *ALIASES["emotion"]))
        raise CorpusError(f"no utterance has an emotion; expected a column of them ({names}), or a recipe of ratings")
    if not rows:
        raise CorpusError(f"no utterance has a label of the merge {merge_name!r} ({', '.join(merge(merge_name))})")
    return rows


def prepare(
    utterances: Sequence[Utterance],
    merge_name: str,
    analysis: ClipAnalysis,
    bar: Callable[[Sequence[Any]], Iterable[Any]] = iter,
    shortest_s: float = 0.0,
    cache: str | None = None,
    change: Change | None = None,
    scales: ratings.Scales | None = None,
    several: bool = False,
) -> Examples:
    """Analyse every utterance.

    Args:
        utterances: rows that the merge has a place for (`with_labels`), or that are rated (`ratings.rows`), or that
            have several labels (`multi_label.rows`).
        merge_name: a merge of `intonate.emotions`; empty for dimensions alone.
        analysis: what to make of them (`by_recipe`, `by_spec`).
        bar: wraps what has to be computed in a progress bar.
        shortest_s: clips shorter than this after cleaning are left out and counted, seconds.
        cache: where features are kept, as `data.cache` of a recipe: the user's cache folder, another, or nowhere ("").
        change: what is done to every sound before it is cleaned (`intonate.augment.waveform.change`).
        scales: {dimension: lowest and highest rating}, of the dimensions that are learnt or judged.
        several: whether a clip may have several labels, or none.

    Raises:
        AudioError: a file cannot be used.
        CorpusError: no clip is long enough, or a rating lies outside its scale.
    """
    ratings.targets(utterances, scales or {})  # before anything is listened to
    clip_features = analyse(utterances, analysis.sound, _cache_folder(cache), bar, changes=[change] * len(utterances))
    listed_count = len(utterances)
    if shortest_s and analysis.sound.front_ends:
        shortest = round(shortest_s * analysis.sound.sample_rate_hz)
        long_enough = [place for place, clip in enumerate(clip_features) if clip.samples >= shortest]
        if not long_enough:
            raise CorpusError(
                f"none of the {listed_count} clips is {shortest_s:g} s long after cleaning; lower shortest_s"
            )
        utterances = [utterances[place] for place in long_enough]
        clip_features = [clip_features[place] for place in long_enough]
    clips = _clips(clip_features, utterances, analysis)
    labels = merged_labels(merge_name) if merge_name else ()
    if several:
        present = multi_label.truth(utterances, merge_name)
        targets = multi_label.rarest(present)
    else:
        targets = np.array([labels.index(target_of(row, merge_name)) if labels else 0 for row in utterances])
        present = np.eye(len(labels), dtype=bool)[targets] if labels else np.zeros((len(utterances), 0), bool)
    corpora = np.array([utterance.corpus for utterance in utterances])
    speakers = np.array([utterance.speaker for utterance in utterances])
    allowed = np.zeros((len(clips), len(labels)), bool)
    for corpus in np.unique(corpora):
        allowed[corpora == corpus] = present[corpora == corpus].any(axis=0)
    return Examples(
        utterances=utterances,
        labels=labels,
        targets=targets,
        clips=clips,
        allowed=allowed,
        mates={speaker: np.flatnonzero(speakers == speaker) for speaker in np.unique(speakers)},
        moments=_moments(clips, analysis.speaker_inputs),
        too_short=listed_count - len(clips),
        seconds=_seconds(clip_features, analysis),
        number=np.zeros(len(clips), np.int64),
        copies=np.zeros((len(clips), 0), np.int64),
        ratings=ratings.targets(utterances, scales or {}),
        present=present,
        dimensions=tuple(scales or ()),
        multi_label=several,
    )


def expand(
    examples: Examples,
    rows: NDArray[np.int64],
    changes: Sequence[Change],
    analysis: ClipAnalysis,
    bar: Callable[[Sequence[Any]], Iterable[Any]] = iter,
    cache: str | None = None,
) -> Examples:
    """The examples, and after them changed copies of some recordings.

    A copy has the labels and the speaker of its recording. For the statistics of the speaker it has other mates: the
    same copies of the speaker's other clips, for another pitch or tempo is another voice.

    Args:
        examples: as `prepare` gave them, without copies.
        rows: recordings that are in the training part of some split; no others may ever have copies.
        changes: one for each copy (`intonate.augment.waveform.changes`).
        analysis: as given to `prepare`, like the others.

    Raises:
        AudioError: a file cannot be used.
    """
    rows = np.unique(rows)
    originals = np.tile(rows, len(changes))
    utterances = [examples.utterances[row] for row in originals]
    number = np.repeat(np.arange(len(changes)) + 1, len(rows))
    clip_changes = [change for change in changes for _ in rows]
    clip_features = analyse(utterances, analysis.sound, _cache_folder(cache), bar, changes=clip_changes)
    clips = _clips(clip_features, utterances, analysis)
    count = len(examples.clips)
    copies = np.full((count, len(changes)), -1)
    copies[originals, number - 1] = count + np.arange(len(originals))
    return replace(
        examples,
        utterances=[*examples.utterances, *utterances],
        targets=np.concatenate([examples.targets, examples.targets[originals]]),
        clips=[*examples.clips, *clips],
        allowed=np.concatenate([examples.allowed, examples.allowed[originals]]),
        mates={speaker: with_copies(mates, copies) for speaker, mates in examples.mates.items()},
        moments=_moments([*examples.clips, *clips], examples.moments),
        seconds=np.concatenate([examples.seconds, _seconds(clip_features, analysis)]),
        number=np.concatenate([examples.number, number]),
        ratings=np.concatenate([examples.ratings, examples.ratings[originals]]),
        present=np.concatenate([examples.present, examples.present[originals]]),
        copies=copies,
    )


def _clips(
    clip_features: Sequence[ClipFeatures], utterances: Sequence[Utterance], analysis: ClipAnalysis
) -> list[Clip]:
    return [
        clip.features | {name: encode(row.text) for name, encode in analysis.words.items()}
        for clip, row in zip(clip_features, utterances, strict=True)
    ]


def _seconds(clip_features: Sequence[ClipFeatures], analysis: ClipAnalysis) -> NDArray[np.float64]:
    return np.array([clip.samples for clip in clip_features]) / analysis.sound.sample_rate_hz


def _moments(clips: Sequence[Clip], speaker_inputs: Iterable[str]) -> dict[str, Stacked]:
    clip_moments = {name: [Moments.of(clip[name]) for clip in clips] for name in speaker_inputs}
    return {
        name: tuple(np.array(values) for values in zip(*((m.count, m.total, m.squares) for m in moments), strict=True))
        for name, moments in clip_moments.items()
    }


def by_recipe(recipe: Recipe, tokenize: Callable[[str], Array] | None = None) -> ClipAnalysis:
    """The analysis that a recipe asks for; `tokenize` turns text into (tokens,) int64, where an input is `tokens`."""
    inputs = {
        name: (item.front_end, encoders.with_digests(item.front_end, item.params))
        for name, item in recipe.inputs.items()
    }
    words: dict[str, Callable[[str], Array]] = {}
    for name, (front_end, params) in inputs.items():
        if front_end == TOKENS and tokenize is None:
            raise RecipeError(
                "an input is 'tokens', but this model brings no tokenizer; choose a model that reads text"
            )
        if front_end == TOKENS and tokenize is not None:
            words[name] = tokenize
        elif is_text(front_end):
            words[name] = partial(text_features.get(front_end), **params)
    speaker_inputs = [
        name for name, item in recipe.inputs.items() if item.normalise and item.normalise.kind == "speaker"
    ]
    return _clip_analysis(SAMPLE_RATE_HZ, recipe.data.clean, inputs, words, speaker_inputs)


def by_spec(spec: ModelSpec) -> ClipAnalysis:
    """The analysis that a finished model asks for."""
    for (
        name
    ) in spec.encoders:  # this process has them from the model file; those that analyse beside it find them there
        encoded.keep(encoded.graph_of(name))
    inputs = {item.name: (item.front_end, item.params) for item in spec.inputs}
    words = {item.name: partial(encode_text, spec, item) for item in spec.inputs if is_text(item.front_end)}
    speaker_inputs = [item.name for item in spec.inputs if item.normalisation and item.normalisation.kind == "speaker"]
    return _clip_analysis(spec.sample_rate_hz, spec.clean, inputs, words, speaker_inputs)


def _clip_analysis(
    sample_rate_hz: int,
    steps: Sequence[Mapping[str, Any]],
    inputs: Mapping[str, tuple[str, Mapping[str, Any]]],
    words: Mapping[str, Callable[[str], Array]],
    speaker_inputs: Iterable[str],
) -> ClipAnalysis:
    sound = {name: front_end for name, front_end in inputs.items() if name not in words}
    return ClipAnalysis(Analysis(sample_rate_hz, steps, sound), words, tuple(speaker_inputs))


def _cache_folder(setting: str | None) -> Path | None:
    if setting is None:
        return default_folder()
    return Path(setting).expanduser() if setting else None


def bar(console: Console, words: str) -> Any:
    """A progress bar on a terminal, nothing elsewhere."""

    def shown(rows: Sequence[Any]) -> Iterable[Any]:
        return track(rows, words, console=console, disable=not console.is_terminal)

    return shown


def refuse_without_words(utterances: Sequence[Utterance], recipe: Recipe) -> None:
    """Features of words need words; a tokenizer says by itself whether it does.

    Raises:
        RecipeError: an input is made of what was said, and no utterance has a text.
    """
    names = [name for name, item in recipe.inputs.items() if is_text(item.front_end) and item.front_end != TOKENS]
    if names and not any(row.text for row in utterances):
        raise RecipeError(
            f"inputs.{names[0]} is made of what was said, and no row has a text; fill the text column of the "
            "manifest, or write the words down with intonate transcribe"
        )


def refuse_without_speakers(examples: Examples, recipe: Recipe) -> None:
    """Statistics of the speaker need to know who speaks.

    Raises:
        SplitError: an input is normalised by speaker and an utterance has none.
    """
    if any(item.normalise and item.normalise.kind == "speaker" for item in recipe.inputs.values()):
        nameless_paths = [utterance.path for utterance in examples.utterances if not utterance.speaker]
        if nameless_paths:
            raise SplitError(
                f"{nameless_paths[0]} has no speaker, and an input is normalised by speaker; "
                "fill the speaker column, or set the input's normalise.kind to corpus"
            )
