"""What a benchmark found of one system: a row of the comparison."""

from __future__ import annotations

from dataclasses import dataclass

from intonate.evaluation.table import CLIP_ALONE, SPEAKER_DISJOINT

# What `Row.noise` says of the clips as they are.
CLEAN = "none"
# What `Row.protocol` says where the very clips that were trained on were tested.
HEARD = "the clips that it was trained on"
# What `Row.trained_on` says where every other corpus was trained on.
THE_OTHERS = "the other corpora"


@dataclass(frozen=True, slots=True)
class Figure:
    """A share (0…1) with its 95 % interval: a figure of `metrics.json` is `Figure(**figure)`.

    Attributes:
        value: the figure; None where it could not be computed.
        low: lower end of the interval, or None.
        high: upper end, or None.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One system on one corpus under one protocol.

    Attributes:
        system: what readers call it, e.g. `1-D CNN (P3)`.
        corpus: what it was tested on.
        protocol: `random (speakers overlap)` or `speaker-disjoint` (`evaluation.table`), or HEARD.
        statistics: whose clips the features were normalised by, e.g. `clip alone`.
        published: the published figure with its metric, e.g. `WA 63.1, UA 56.7`; or empty.
        unpublished: why there is none.
        uar: unweighted average recall (UA); None where there is none, and `note` says why.
        wa: accuracy; as `uar`.
        folds: how many were done.
        of_folds: how many the protocol has.
        seeds: how many were done of each fold.
        parameters: of a network; None for what has none to count.
        megabytes: of the model file.
        train_minutes: all folds and seeds together, by the clock.
        core_hours: the same, hours of a processor core; None where they were not measured.
        ms_per_clip: from the waveform in memory to probabilities.
        configurations_tried: how many were compared (on validation speakers) to find this one.
        command: what one types to get this row.
        recipe: hash of the recipe that was trained, its name, folds and seeds among it; empty where there is none.
        note: why a figure is missing, or what else must be known of it.
        trained_on: in a cross-corpus row the corpus of the training, which is `corpus` itself on the diagonal;
            `THE_OTHERS` where one was left out.
        noise: in a robustness row what was done to the test clips: a noise, `telephone band`, or `none`.
        snr_db: signal-to-noise ratio, dB; None where nothing was added.
    """

    system: str
    corpus: str
    protocol: str = SPEAKER_DISJOINT
    statistics: str = CLIP_ALONE
    published: str = ""
    unpublished: str = ""
    uar: Figure | None = None
    wa: Figure | None = None
    folds: int = 0
    of_folds: int = 0
    seeds: int = 0
    parameters: int | None = None
    megabytes: float | None = None
    train_minutes: float | None = None
    core_hours: float | None = None
    ms_per_clip: float | None = None
    configurations_tried: int | None = None
    command: str = ""
    note: str = ""
    trained_on: str = ""
    noise: str = ""
    snr_db: float | None = None
    recipe: str = ""
