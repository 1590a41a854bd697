"""What an answer hangs on: which stretch of time, which band of frequency, which change of the voice.

Every figure is an answer of the model to a sound that was really changed. Only the map of the tiles is an estimate
(`importance.py`), and how true it is of the model is measured (`faithfulness.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from intonate.audio import decode
from intonate.audio.decode import Source
from intonate.augment import waveform as transforms
from intonate.errors import AudioError, MissingExtraError, ModelError, did_you_mean
from intonate.explanation import faithfulness
from intonate.explanation.answering import Answers, Array, Waveform, outputs
from intonate.explanation.faithfulness import Curves
from intonate.explanation.importance import Region, importance, rows_and_columns, strongest_regions
from intonate.explanation.tiles import Tiles
from intonate.recognizer.late_fusion import is_text_model
from intonate.recognizer.recognizer import Recognizer
from intonate.recognizer.recording import file_of, recording_cuts
from intonate.schema import ModelSpec, Prediction

# What is changed of the voice, in opposite pairs, so far that it is plainly heard and still a voice.
CHANGES: dict[str, list[dict[str, Any]]] = {
    "pitch 3 semitones up": [{"transform": "pitch", "semitones": 3.0}],
    "pitch 3 semitones down": [{"transform": "pitch", "semitones": -3.0}],
    "a quarter faster": [{"transform": "stretch", "factor": 0.8}],
    "a quarter slower": [{"transform": "stretch", "factor": 1.25}],
    "12 dB louder": [{"transform": "gain", "db": 12.0}],
    "12 dB softer": [{"transform": "gain", "db": -12.0}],
    "brighter (treble up 9 dB)": [{"transform": "equalise", "db": 0.0, "tilt_db": 9.0, "seed": 0}],
    "darker (treble down 9 dB)": [{"transform": "equalise", "db": 0.0, "tilt_db": -9.0, "seed": 0}],
}
# A long recording is decoded whole to find its surest window; give a stretch of one that is longer.
LONGEST_S = 1200.0


@dataclass(frozen=True)
class ChangeAnswer:
    """One change, and the answer to the changed sound.

    Attributes:
        name: what was changed: a key of `CHANGES`; empty for a region that was turned down.
        label: the likeliest label then; empty for a model without labels.
        probability: of the answer that is explained.
        label_probability: of the likeliest label then.
    """

    name: str
    label: str
    probability: float
    label_probability: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a model gives an answer to a sound.

    Attributes:
        file: the recording; empty for an array.
        model: its name.
        label: the answer that is explained: a label, or a dimension.
        answer: the whole answer to the unchanged sound, as `predict` gives it: it may be `unsure`.
        scores: of the same, by name, likeliest first, dimensions too.
        start_s: where in the recording the explained sound begins, seconds.
        tiles: the sound in tiles.
        map: what each tile adds to the log odds of the answer, (stretches, bands).
        without_stretch: probability of the answer without each stretch, (stretches,).
        without_band: the same for each band, (bands,).
        region: without which the answer is the least likely, of all stretches and bands, and the rectangles of tiles
            that the map points at.
        without_region: the answer with that region turned down.
        changed: the changes of the voice.
        deletion: how faithful the map is.
        insertion: the same, the other way round.
        questions: how many sounds the model answered for this.
        notes: sentences about what was explained, and what could not be.
    """

    file: str
    model: str
    label: str
    answer: Prediction
    scores: dict[str, float]
    start_s: float
    tiles: Tiles
    map: Array
    without_stretch: Array
    without_band: Array
    region: Region
    without_region: ChangeAnswer
    changed: tuple[ChangeAnswer, ...]
    deletion: Curves
    insertion: Curves
    questions: int
    notes: tuple[str, ...] = ()

    @property
    def probability(self) -> float:
        """Of the answer that is explained."""
        return self.scores[self.label]

    @property
    def end_s(self) -> float:
        """Where in the recording the explained sound ends, seconds."""
        return self.start_s + len(self.tiles.waveform) / self.tiles.rate_hz


def explain(
    recognizer: Recognizer,
    source: Source,
    *,
    label: str | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    text: str | None = None,
    longest_s: float = LONGEST_S,
    seed: int = 0,
) -> Explanation:
    """Explain one answer of any model, by asking it about changed copies of the sound.

    Of a recording that is longer than the model answers whole, the window that is surest of the answer is explained.

    Args:
        recognizer: a loaded model.
        source: the recording, as `Recognizer.predict` takes it.
        label: a label or dimension of the model; None for the likeliest label.
        start_s, end_s: explain this stretch of the recording, seconds.
        text: what was said, for a model that reads it.
        longest_s: a recording (or stretch of it) that is longer is refused, seconds.
        seed: of what is drawn.

    Raises:
        AudioError: the sound cannot be read or is too long, or nobody speaks in it.
        ModelError: there is no such label, or the model cannot answer (a text is missing, for instance).
    """
    spec, names = recognizer.spec, outputs(recognizer.spec)
    if is_text_model(spec):
        raise ModelError(
            f"model {spec.name!r} only reads, and what is explained here is a sound; give one that listens"
        )
    if label is not None and label not in names:
        raise ModelError(f"model {spec.name!r} has no label {label!r}; {did_you_mean(label, names)}")
    notes: list[str] = []
    recording = decode.load(source, spec.sample_rate_hz, start_s, end_s, longest_s, notes)
    answer = recognizer.predict((recording, spec.sample_rate_hz), text=text)
    if not (answer.scores or answer.dimensions):
        raise AudioError(
            f"{file_of(source) or 'the sound'}: nobody speaks in it ({answer.label}), so no answer is to be explained"
        )
    label = label or next(iter(answer.scores or answer.dimensions))
    answers, column = Answers(recognizer, text), names.index(label)
    first, last = _surest_window(
        recording, answers, column, recording_cuts(len(recording), spec.sample_rate_hz, spec.pool)
    )
    sound = recording[first:last]
    if len(sound) < len(recording):
        notes.append(
            f"of {len(recording) / spec.sample_rate_hz:.1f} s the window that is surest of {label} is explained; "
            "for another, choose a start and an end"
        )
        answer = recognizer.predict((sound, spec.sample_rate_hz), text=text, whole=True)
    if answer.unfamiliarity:
        notes.append(f"to the model it is {answer.unfamiliarity}")
    tiles, rng = Tiles(sound, spec.sample_rate_hz), np.random.default_rng(seed)
    (probabilities,) = answers([sound])
    regions = rows_and_columns(tiles.shape)
    region_rows = answers(tiles.without(region.mask(tiles.shape)) for region in regions)
    without = region_rows[:, column]
    tile_map = importance(tiles, answers, column, rng)
    strong_regions = strongest_regions(tile_map)
    strong_rows = answers(tiles.without(region.mask(tiles.shape)) for region in strong_regions)
    regions, region_rows = [*regions, *strong_regions], np.concatenate([region_rows, strong_rows])
    best = int(region_rows[:, column].argmin())
    order = np.argsort(-probabilities, kind="stable")
    return Explanation(
        file=file_of(source),
        model=spec.name,
        label=label,
        answer=answer,
        scores={names[place]: float(probabilities[place]) for place in order},
        start_s=start_s + first / spec.sample_rate_hz,
        tiles=tiles,
        map=tile_map,
        without_stretch=without[: tiles.shape[0]],
        without_band=without[tiles.shape[0] :],
        region=regions[best],
        without_region=_change_answer("", region_rows[best], spec, column),
        changed=_answers_to_changes(sound, spec, answers, column, notes),
        deletion=faithfulness.deletion(tiles, answers, column, tile_map, rng),
        insertion=faithfulness.insertion(tiles, answers, column, tile_map, rng),
        questions=answers.count,
        notes=tuple(notes),
    )


def _surest_window(
    waveform: Waveform, answers: Answers, column: int, cuts: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    """[start, end) in samples of what is answered at once and is surest of an answer."""
    if len(cuts) == 1:
        return cuts[0]
    return cuts[int(answers(waveform[first:last] for first, last in cuts)[:, column].argmax())]


def _answers_to_changes(
    waveform: Waveform, spec: ModelSpec, answers: Answers, column: int, notes: list[str]
) -> tuple[ChangeAnswer, ...]:
    """The answers to every change that can be made here."""
    copies: dict[str, Waveform] = {}
    errors: dict[str, str] = {}
    for name, steps in CHANGES.items():
        try:
            copies[name] = transforms.apply(waveform, spec.sample_rate_hz, steps)
        except MissingExtraError as error:
            errors[name] = str(error)
    if errors:
        notes.append(f"left out: {', '.join(errors)} ({next(iter(errors.values()))})")
    rows = answers(copies.values())
    return tuple(_change_answer(name, row, spec, column) for name, row in zip(copies, rows, strict=True))


def _change_answer(name: str, row: Array, spec: ModelSpec, column: int) -> ChangeAnswer:
    labels = row[: len(spec.labels)]
    best_column = column if not len(labels) or row[column] == labels.max() else int(labels.argmax())
    label = spec.labels[best_column] if best_column < len(labels) else ""
    return ChangeAnswer(name, label, float(row[column]), float(row[best_column]))
