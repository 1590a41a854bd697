"""What a model is: the data that is written into a model file, and read from it.

`ModelSpec` is the contract that joins the workshop to the product: `intonate.export` writes it into the ONNX file, and
the recognizer reads it. Import it from `intonate.schema`, with the rest of the data that travels between the rooms.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from intonate.errors import ModelError


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

    def __hash__(self) -> int:
        # It is looked up for every clip: all columns would take longer than what they are looked up for.
        return hash((self.kind, len(self.mean), self.mean[:1], self.prior_sd))


@dataclass(frozen=True, slots=True)
class Region:
    """Where one corpus of the training lies in the first input: the mean of a clip, column by column.

    Attributes:
        mean: of its clips, length D.
        sd: their standard deviation, length D.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]

    def __hash__(self) -> int:
        return hash((len(self.mean), self.mean[:1], self.sd[:1]))


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
        regions: where each corpus of the training lies; empty where not measured.
        distances: how far clips of corpora that were left out lie from the other ones (`features.familiarity`):
            quantiles, nearest first, evenly spaced; empty where not measured.
        prior: the share of each label in training, in their order, where it was not evened out; empty for even.
        encoders: what the front end `encoded` runs, {digest: the checkpoint and its layers}; the file carries them.
        languages: ISO codes trained on.
        corpora: catalogue names trained on.
        unseen_speakers: the speakers kept out of training.
        heard_speakers: of people's own tables, who was trained on: `SALT:DIGEST` of each name (a short one can be
            guessed); without a salt in files of earlier versions.
        heard_clips: of people's own tables, which clips: for each training `SALT:DIGEST,DIGEST…` of their bytes.
        licence: SPDX identifier (or sentence) for the weights.
        recipe_hash: SHA-256 of the resolved recipe, first 12 hex digits.
        intonate_version: version that wrote the file.
        scores: held-out figures, {name: figure}.
        dimensions: numbers beside the labels, or instead: `arousal`, `valence`…, from 0 to 1; they follow the labels.
        scales: {dimension: the lowest and highest rating, which are 0 and 1}; empty where not known.
        multi_label: several labels may be true at once: scores from 0 to 1, which need not sum to one. Those that reach
            `abstain_below` count as true.
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
    regions: tuple[Region, ...] = ()
    distances: tuple[float, ...] = ()
    prior: tuple[float, ...] = ()
    encoders: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    corpora: tuple[str, ...] = ()
    unseen_speakers: tuple[str, ...] = ()
    heard_speakers: tuple[str, ...] = ()
    heard_clips: tuple[str, ...] = ()
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

    @property
    def tells_familiarity(self) -> bool:
        """Whether it knows how far recordings lie from those of its training."""
        return bool(self.distances and self.regions)

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
            tuples["regions"] = tuple(
                Region(tuple(region["mean"]), tuple(region["sd"])) for region in raw.get("regions", ())
            )
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
