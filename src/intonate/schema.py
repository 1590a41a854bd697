"""The data that travels between the rooms: what was said, what a model is, what it answered.

Frozen dataclasses with units in the field names, and their JSON. `ModelSpec` is the contract that joins the
workshop to the product: it is written into the ONNX file by `intonate.export` and read by the recognizer.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from intonate.errors import ModelError

# The label where a model abstains.
UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One labelled piece of speech: a row of a manifest.

    Attributes:
        path: the audio file; for text without a sound, its file and id, `test.tsv#edcu99z`.
        emotion: canonical label (`intonate.emotions`).
        raw_label: the label as the corpus writes it.
        speaker: unique across corpora, e.g. `ravdess/03`; empty where it is not known.
        corpus: the catalogue name, e.g. `ravdess`.
        start_s: where the utterance starts in the file, seconds.
        end_s: where it ends, seconds; None for the end of the file.
        gender: `female`, `male` or empty.
        age: years, or None.
        language: ISO 639-1 code, e.g. `en`.
        sentence: the id of what was said, unique in the corpus; empty for free speech.
        intensity: the corpus's own word (`normal`, `strong`, `low`…), or empty.
        text: what was said, or empty.
        soft_labels: {canonical emotion: share of the raters}, or empty.
        ratings: {`valence`, `arousal`, `dominance`…: mean rating on the corpus's own scale}, or empty.
    """

    path: str
    emotion: str
    raw_label: str
    speaker: str
    corpus: str
    start_s: float = 0.0
    end_s: float | None = None
    gender: str = ""
    age: float | None = None
    language: str = ""
    sentence: str = ""
    intensity: str = ""
    text: str = ""
    soft_labels: Mapping[str, float] = field(default_factory=dict)
    ratings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Normalisation:
    """How one input of a model is centred and scaled, column by column.

    With `kind="speaker"` the mean and standard deviation are a running estimate of the speaker, shrunk towards
    the training set's: `mean = (prior * m0 + sum of what was heard) / (prior + count)`, the clip itself included,
    so that a clip alone leans on the training set and a long stream on the speaker (`features/normalise.py`).

    Attributes:
        kind: `corpus` (fixed training statistics), `clip` (the clip's own), or `speaker` (the running estimate).
        mean: training mean per column, length D.
        sd: training standard deviation per column, length D.
        prior: how much the training mean counts, in rows of the input (frames, or clips for a vector), per column.
        prior_sd: how much the training standard deviation counts, in rows.
        clip: normalised values are limited to ± this; 0 for no limit.
    """

    kind: str
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    prior: tuple[float, ...] = ()
    prior_sd: float = 0.0
    clip: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One input of the graph.

    Attributes:
        name: the graph's input name. Its shape is (batch, rows, columns), (batch, columns) for a vector,
            (batch, samples) for a waveform, (batch, tokens) for text.
        front_end: a name of the feature catalogue, or `tokens` (from the spec's tokenizer).
        params: keyword arguments of the front end.
        lengths: name of the int64 (batch,) graph input with the unpadded lengths; empty where none is needed.
        normalisation: applied to the front end's output; None for none.
    """

    name: str
    front_end: str
    params: Mapping[str, Any] = field(default_factory=dict)
    lengths: str = ""
    normalisation: Normalisation | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """How a recording longer than one window becomes one answer: probabilities averaged over speech windows.

    Attributes:
        longest_s: a recording up to this long is answered whole, seconds.
        window_s: length of the overlapping windows of a longer one, seconds.
        hop_s: distance between their starts, seconds.
    """

    longest_s: float = 6.0
    window_s: float = 3.0
    hop_s: float = 1.5


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Everything that is needed to use a trained model, and to judge it. Lives as JSON inside the ONNX file.

    Attributes:
        name: what the user calls the model.
        labels: the outputs' names, in order.
        inputs: the graph's inputs.
        merge: the name in `intonate.emotions.MERGES` that made the labels of the corpora these; empty if unknown.
        sample_rate_hz: rate of the waveform that the front ends expect.
        clean: the ordered cleaning steps of training, `[{"step": "trim", …}, …]` (`audio/clean.py`).
        output: `logits` or `log_probabilities`.
        pool: how windows become one answer.
        batching: `any`; `equal_length` where padding would change the answer; `one` for a graph of one clip.
        tokenizer: the tokenizer's JSON (Hugging Face `tokenizers` format) where text is an input; else empty.
        text_required: whether the model cannot answer without text.
        temperature: logits are divided by this; fitted on validation speakers.
        abstain_below: a best probability under this is answered `unsure`; chosen on validation speakers.
        unsure_below_s: with less sound than this after cleaning, seconds, the answer is `unsure`.
        distances: how far clips of corpora that were left out lie from the training (`features.normalise.distance`,
            first input): quantiles, nearest first, evenly spaced; empty where not measured.
        prior: the share of each label in training, in their order, where it was not evened out; empty for even.
        encoders: what the front end `encoded` runs, {digest: the checkpoint and its layers}; the file carries them.
        languages: ISO codes trained on.
        corpora: catalogue names trained on.
        unseen_speakers: the speakers kept out of training.
        licence: SPDX identifier (or sentence) for the weights.
        recipe_hash: SHA-256 of the resolved recipe, first 12 hex digits.
        intonate_version: version that wrote the file.
        scores: held-out figures, {name: figure}.
        dimensions: numbers beside the labels, or instead: `arousal`, `valence`…, from 0 to 1; they follow the labels.
        scales: {dimension: the lowest and highest rating, which are 0 and 1}; empty where not known.
        multi_label: several labels may be true at once: scores from 0 to 1, which need not sum to one.
        events: sounds beside the words (`laughter`, `applause`…), each from 0 to 1; they follow the dimensions.
        spoken_languages: ISO codes of the languages that it tells apart, each from 0 to 1; they follow the events.
        pieces: what the numbers in the graph's second output (batch, steps) stand for: pieces of words, `▁` where one
            begins; the first is none. Empty for a model that writes nothing down.
        piece_s: seconds from one step to the next.
    """

    name: str
    labels: tuple[str, ...]
    inputs: tuple[ModelInput, ...]
    merge: str = ""
    sample_rate_hz: int = 16_000
    clean: tuple[Mapping[str, Any], ...] = ()
    output: str = "logits"
    pool: Pool = Pool()
    batching: str = "any"
    tokenizer: str = ""
    text_required: bool = False
    temperature: float = 1.0
    abstain_below: float = 0.0
    unsure_below_s: float = 0.0
    distances: tuple[float, ...] = ()
    prior: tuple[float, ...] = ()
    encoders: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    corpora: tuple[str, ...] = ()
    unseen_speakers: tuple[str, ...] = ()
    licence: str = ""
    recipe_hash: str = ""
    intonate_version: str = ""
    scores: Mapping[str, Any] = field(default_factory=dict)
    dimensions: tuple[str, ...] = ()
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    multi_label: bool = False
    events: tuple[str, ...] = ()
    spoken_languages: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    piece_s: float = 0.0

    @property
    def outputs(self) -> tuple[str, ...]:
        """The columns of the graph's first output."""
        return (*self.labels, *self.dimensions, *self.events, *self.spoken_languages)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Read a spec back.

        Raises:
            ModelError: the text is not a spec, or was written by a newer intonate.
        """
        try:
            raw = json.loads(text)
            inputs = tuple(
                ModelInput(**{**entry, "normalisation": _parse_normalisation(entry.get("normalisation"))})
                for entry in raw.pop("inputs")
            )
            pool = Pool(**raw.pop("pool", {}))
            tuples: dict[str, Any] = {key: tuple(value) for key, value in raw.items() if isinstance(value, list)}
            tuples["scales"] = {name: tuple(scale) for name, scale in raw.get("scales", {}).items()}
            return cls(**{**raw, **tuples, "inputs": inputs, "pool": pool})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"the model's spec cannot be read ({error}); it was not written by this or an older intonate"
            ) from error


def _parse_normalisation(raw: Mapping[str, Any] | None) -> Normalisation | None:
    if raw is None:
        return None
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    return Normalisation(**fields)


class Answer:
    """What every answer has: whether the model abstained, its best label, and what is shown."""

    __slots__ = ()
    label: str
    scores: Mapping[str, float]

    @property
    def abstained(self) -> bool:
        """Whether no label was likely enough: then `unsure` is shown."""
        return self.label == UNSURE

    @property
    def guess(self) -> str:
        """The label; the best one all the same where the model abstained."""
        return next(iter(self.scores), self.label) if self.abstained else self.label

    @property
    def shown_label(self) -> str:
        """What is drawn, and `label` in JSON, CSV, tables and events: `unsure` where the model abstained."""
        return UNSURE if self.abstained else self.label

    def label_dict(self) -> dict[str, Any]:
        """`label`, `guess` and `abstained`, as they stand in JSON."""
        return {"label": self.shown_label, "guess": self.guess, "abstained": self.abstained}


@dataclass(frozen=True, slots=True)
class Segment(Answer):
    """A stretch of the timeline.

    Attributes:
        start_s: seconds from the start of the recording.
        end_s: seconds.
        label: the best label, `unsure` where the model abstains, `silence` or `noise` where `speech` is false.
        scores: {label: probability}, best first; empty where there is no speech.
        text: the words in it, where a transcript was asked for.
        speaker: who speaks, where speakers or channels were told apart.
        dimensions: {`arousal`, `valence`…: 0 to 1}, of a model with them; empty in silence.
        events: {`laughter`, `applause`…: 0.5 to 1}, of a model with them, where nobody speaks too.
    """

    start_s: float
    end_s: float
    label: str
    scores: Mapping[str, float]
    speech: bool = True
    text: str = ""
    speaker: str = ""
    dimensions: Mapping[str, float] = field(default_factory=dict)
    events: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Speaker(Answer):
    """What one person in a conversation sounds like, all turns together.

    Attributes:
        name: `Speaker 1`, `Left`, `Channel 3`, `Voice 2`… as in the segments.
        label: the best label, `unsure` where the model abstains.
        scores: {label: probability}, best first: the mean of the turns by their length.
        speech_s: seconds of speech.
        clips: from how many recordings the voice was learnt.
    """

    name: str
    label: str
    scores: Mapping[str, float]
    speech_s: float
    clips: int = 1


@dataclass(frozen=True, slots=True)
class Prediction(Answer):
    """What a recording sounds like.

    Attributes:
        label: the best, also if `abstained`; `silence` or `noise` without speech; `speech` of a model without labels.
        scores: {label: calibrated probability}, best first.
        segments: the timeline; one segment for a short recording.
        transcript: what was said, where text was given or asked for.
        abstained: whether no label was likely enough.
        familiarity: the share of unknown recordings that lie farther from the training; None if it does not tell.
        model: its name.
        file: where the sound came from; empty for an array or bytes.
        warnings: a sentence each about what was not heard: a damaged piece, a missing end, a channel left out.
        speakers: who speaks, where speakers or channels were told apart: the segments are their turns, which may
            overlap. Of clips that were grouped by voice, whose this one is.
        dimensions, events: as in the segments, of all of the recording.
        language: ISO code of what is spoken, of a model that tells it; empty where nobody speaks.
    """

    label: str
    scores: Mapping[str, float]
    segments: tuple[Segment, ...] = ()
    transcript: str = ""
    abstained: bool = False
    familiarity: float | None = None
    model: str = ""
    file: str = ""
    warnings: tuple[str, ...] = ()
    speakers: tuple[Speaker, ...] = ()
    dimensions: Mapping[str, float] = field(default_factory=dict)
    events: Mapping[str, float] = field(default_factory=dict)
    language: str = ""

    @property
    def duration_s(self) -> float:
        """Where the last segment ends, seconds."""
        return max((segment.end_s for segment in self.segments), default=0.0)

    @property
    def transcribed(self) -> bool:
        """Whether words were heard, and not given: then the segments hold them."""
        return any(segment.text for segment in self.segments)

    def to_dict(self, top_k: int | None = None) -> dict[str, Any]:
        """The public JSON shape; `scores` is a sorted list of {label, score}, as in Hugging Face pipelines.

        `label` is `unsure` where the model abstained; `guess` is its best label all the same. A segment has a `text`
        where words were asked for and heard, and a `speaker` where speakers or channels were told apart.

        Args:
            top_k: how many scores of the recording and of each segment; None for all.
        """
        return {
            "file": self.file,
            **self.label_dict(),
            "scores": listed(self.scores, top_k),
            "segments": [
                {
                    "start": round(segment.start_s, 3),
                    "end": round(segment.end_s, 3),
                    **segment.label_dict(),
                    "score": round(next(iter(segment.scores.values()), 0.0), 6),
                    "scores": listed(segment.scores, top_k),
                }
                | ({"text": segment.text} if segment.text else {})
                | ({"speaker": segment.speaker} if segment.speaker else {})
                | _numbers(segment)
                for segment in self.segments
            ],
            "transcript": self.transcript,
            "model": self.model,
            "warnings": list(self.warnings),
            **_numbers(self),
            **({"language": self.language} if self.language else {}),
            **({"speakers": [_speaker_dict(speaker, top_k) for speaker in self.speakers]} if self.speakers else {}),
            **({} if self.familiarity is None else {"familiarity": round(self.familiarity, 3)}),
        }


def _speaker_dict(speaker: Speaker, top_k: int | None) -> dict[str, Any]:
    return {
        "speaker": speaker.name,
        **speaker.label_dict(),
        "scores": listed(speaker.scores, top_k),
        "speech": round(speaker.speech_s, 2),
        "clips": speaker.clips,
    }


def _numbers(answer: Segment | Prediction) -> dict[str, dict[str, float]]:
    """`dimensions` and `events`, as they stand in JSON: only where there are any."""
    kinds = {"dimensions": answer.dimensions, "events": answer.events}
    return {kind: {name: round(value, 6) for name, value in values.items()} for kind, values in kinds.items() if values}


def listed(scores: Mapping[str, float], top_k: int | None = None) -> list[dict[str, Any]]:
    """Scores, best first, as they stand in JSON."""
    return [{"label": label, "score": round(score, 6)} for label, score in list(scores.items())[:top_k]]
