"""Copies of a clip that leave the emotion alone: another tempo, voice, microphone, room, background.

    steps = [{"transform": "pitch", "semitones": [-2, 2]}, {"transform": "gaussian", "snr_db": [15, 30]}]
    drawn = draw(steps, np.random.default_rng(0))    # [{"transform": "pitch", "semitones": 0.55}, …]
    copy = apply(waveform, 16_000, drawn)

Steps are data, and so is what was drawn: the same steps with every range narrowed to one number. A parameter that is a
list [low, high] is drawn evenly between the two for each clip; a number is fixed; one that is left out is drawn from,
or is, its default. A step with `chance: 0.3` is drawn for three clips of ten, and left out of the others. Between the
transforms may stand steps of cleaning: `{"step": "trim"}`, as in `data.clean`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intonate.audio import stft
from intonate.audio.clean import check_steps as check_cleaning
from intonate.audio.clean import clean
from intonate.augment import background, channels, transforms
from intonate.catalogue import check_name
from intonate.errors import RecipeError, did_you_mean, require
from intonate.features.cache import Change

Waveform = NDArray[np.float32]
Steps = Sequence[Mapping[str, Any]]


class Parameter(NamedTuple):
    """A number: the default (a pair is drawn from), and the lowest and highest that make sense."""

    default: float | tuple[float, float] | None
    low: float
    high: float
    is_integer: bool = False


class Transform(NamedTuple):
    """A function of `transforms.py`, and what may be set of it."""

    apply: Callable[..., Waveform]
    parameters: Mapping[str, Parameter]


SEED = Parameter((0, 2**32 - 1), 0, 2**32 - 1, is_integer=True)
SHARE = Parameter((0.0, 1.0), 0.0, 1.0)
# Parameters that are a path, and must be given.
PATH = "path"
# How likely a step is; without it, it is certain.
CHANCE = "chance"

TRANSFORMS: dict[str, Transform] = {
    "stretch": Transform(transforms.stretch, {"factor": Parameter((0.85, 1.15), 0.25, 4)}),
    "pitch": Transform(transforms.pitch, {"semitones": Parameter((-2, 2), -24, 24)}),
    "speed": Transform(transforms.speed, {"factor": Parameter((0.9, 1.1), 0.25, 4)}),
    "gain": Transform(transforms.gain, {"db": Parameter((-6, 6), -100, 60)}),
    "noise": Transform(
        transforms.noise, {"snr_db": Parameter((5, 20), -60, 100), "file": SHARE, "start": SHARE}
    ),
    "gaussian": Transform(transforms.gaussian, {"snr_db": Parameter((10, 30), -60, 100), "seed": SEED}),
    "roll": Transform(
        transforms.roll,
        {
            "samples": Parameter((-5000, 5000), -(10**9), 10**9, is_integer=True),
            "seconds": Parameter(None, -3600, 3600),
        },
    ),
    "room": Transform(
        transforms.room,
        {"rt60_s": Parameter((0.2, 0.8), 0.01, 10), "direct_db": Parameter((0, 10), -40, 60), "seed": SEED},
    ),
    "telephone": Transform(
        transforms.telephone, {"low_hz": Parameter(300, 0, 4000), "high_hz": Parameter(3400, 0, 4000)}
    ),
    "spec_augment": Transform(
        transforms.spec_augment,
        {
            "mels": Parameter((0, 27), 0, transforms.CHANNELS),
            "seconds": Parameter((0, 0.7), 0, 3600),
            "mels_at": SHARE,
            "seconds_at": SHARE,
        },
    ),
    "equalise": Transform(
        channels.equalise, {"db": Parameter(5, 0, 40), "tilt_db": Parameter((-6, 6), -40, 40), "seed": SEED}
    ),
    "codec": Transform(
        channels.codec,
        {"kind": Parameter((0, 1), 0, 1, is_integer=True), "compression": Parameter((0.7, 0.98), 0, 0.99)},
    ),
    "hum": Transform(
        channels.hum,
        {"mains_hz": Parameter((50, 60), 16, 400), "dbfs": Parameter((-60, -35), -120, 0), "harmonics": SHARE},
    ),
    "rumble": Transform(channels.rumble, {"dbfs": Parameter((-50, -30), -120, 0), "seed": SEED}),
    "coloured": Transform(
        channels.coloured,
        {"snr_db": Parameter((2, 25), -60, 100), "slope": Parameter((0, 1.2), -2, 4), "seed": SEED},
    ),
    "offset": Transform(channels.offset, {"level": Parameter((-0.02, 0.02), -1, 1)}),
    "overdrive": Transform(channels.overdrive, {"share": Parameter((0.15, 0.6), 0.001, 1)}),
    "level": Transform(channels.level, {"peak_dbfs": Parameter((-44, -4), -100, 0)}),
    "excerpt": Transform(channels.excerpt, {"seconds": Parameter((0.4, 1.6), 0.05, 3600), "at": SHARE}),
    "p4_noise": Transform(
        transforms.p4_noise, {"ratio": Parameter(0.035, 0, 10), "uniform": SHARE, "seed": SEED}
    ),
    "p4_pitch": Transform(transforms.p4_pitch, {"steps": Parameter(0.7, -(10**6), 10**6)}),
}  # fmt: skip


def check(steps: Steps) -> None:
    """Refuse what cannot be drawn or applied, before any sound is read.

    Raises:
        RecipeError: a transform or a parameter is not known, a value is impossible, a noise folder is not there.
    """
    if not isinstance(steps, Sequence) or not all(isinstance(step, Mapping) for step in steps):
        raise RecipeError(f"a copy is a list of transforms, such as [{{transform: pitch}}]; got {steps!r}")
    for entry in steps:
        if not 0 < entry.get(CHANCE, 1) <= 1:
            raise RecipeError(f"{CHANCE} of a step is over 0 and at most 1; got {entry[CHANCE]!r}")
        step = {key: value for key, value in entry.items() if key != CHANCE}
        if "step" in step:
            check_cleaning([step])
            continue
        name: Any = step.get("transform")
        check_name(name, TRANSFORMS, "transform", RecipeError)
        parameters = TRANSFORMS[name].parameters
        wants_path = name == "noise"
        for key, value in step.items():
            if key in parameters:
                _check_value(name, key, value, parameters[key])
            elif key != "transform" and not (wants_path and key == PATH):
                options = [*parameters, PATH] if wants_path else parameters
                raise RecipeError(f"transform {name!r} has no parameter {key!r}; {did_you_mean(str(key), options)}")
        if wants_path:
            if not isinstance(step.get(PATH), str):
                raise RecipeError("transform 'noise' needs a path, a folder of sounds or one sound")
            background.sounds(step[PATH])


def _check_value(name: str, key: str, value: Any, parameter: Parameter) -> None:
    bounds = value if isinstance(value, list | tuple) and len(value) == 2 else [value]
    is_integer = parameter.is_integer
    if any(isinstance(end, bool) or not isinstance(end, int if is_integer else int | float) for end in bounds):
        kind = "a whole number" if is_integer else "a number"
        raise RecipeError(f"transform {name!r}: {key} is {value!r}, expected {kind}, or [low, high] to draw from")
    if not parameter.low <= min(bounds) <= max(bounds) <= parameter.high:
        raise RecipeError(f"transform {name!r}: {key} is {value!r}, expected {parameter.low:g} to {parameter.high:g}")
    if bounds[0] > bounds[-1]:
        raise RecipeError(f"transform {name!r}: {key} is {value!r}, expected [low, high]")


def draw(steps: Steps, rng: np.random.Generator) -> list[dict[str, Any]]:
    """The steps with every parameter spelled out and every range narrowed to one number; nothing depends on the clip.

    Raises:
        RecipeError: as in `check`.
    """
    check(steps)
    return [_draw_step_values(step, rng) for step in steps if CHANCE not in step or rng.random() < step[CHANCE]]


def _draw_step_values(step: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    values = {key: value for key, value in step.items() if key != CHANCE}
    for key, parameter in TRANSFORMS[step["transform"]].parameters.items() if "transform" in step else ():
        value = step.get(key, parameter.default)
        if isinstance(value, list | tuple):
            low, high = value
            value = (
                int(rng.integers(low, high, endpoint=True)) if parameter.is_integer else float(rng.uniform(low, high))
            )
        if value is not None:
            values[key] = value
    return values


def apply(waveform: Waveform, sample_rate_hz: int, steps: Steps) -> Waveform:
    """The changed copy (samples,) float32, of another length where time was changed; never clipped, see `transforms`.

    Args:
        waveform: (samples,) float32; no samples stay none.
        sample_rate_hz: of the waveform.
        steps: what `draw` gave.
    """
    for step in steps if len(waveform) else ():
        if "step" in step:
            waveform = clean(waveform, sample_rate_hz, [step])
        else:
            values = {key: value for key, value in step.items() if key != "transform"}
            waveform = TRANSFORMS[step["transform"]].apply(waveform, sample_rate_hz, **values)
    return waveform


def change(steps: Steps, number: int = 0) -> Change:
    """Steps as a change of clips that the feature cache can do, and find again (`features.cache.analyse`).

    What is drawn for a clip follows from the steps, the number and the bytes of the clip's file alone: it is the same
    today and tomorrow, here and on another machine.

    Args:
        steps: of one copy.
        number: tells copies with the same steps apart.

    Raises:
        RecipeError: as in `check`.
    """
    check(steps)
    # Sounds count by what they hold and not by where they lie.
    portable = [dict(step) | ({PATH: background.digest(step[PATH])} if PATH in step else {}) for step in steps]
    source = json.dumps([portable, number], sort_keys=True)
    return Change(partial(_draw_and_apply, list(steps), source), f"{source} {code_version()}")


def changes(copies: Sequence[Steps]) -> list[Change]:
    """A change for each copy of a recipe's `data.expand`; equal ones are numbered, so that each draws its own."""
    return [change(steps, list(copies[:place]).count(steps)) for place, steps in enumerate(copies)]


def _draw_and_apply(steps: Steps, source: str, waveform: Waveform, sample_rate_hz: int, clip: str) -> Waveform:
    seed = hashlib.blake2b(f"{source} {clip}".encode(), digest_size=16).digest()
    rng = np.random.default_rng(int.from_bytes(seed, "big"))
    return apply(waveform, sample_rate_hz, draw(steps, rng))


@cache
def code_version() -> str:
    """Changes with every line of the transforms, and with the library that stretches."""
    require("python_stretch", "train")
    digest = hashlib.sha256(importlib.metadata.version("python-stretch").encode())
    for path in (
        *map(Path(__file__).with_name, ("transforms.py", "channels.py", "background.py")),
        Path(stft.__file__),
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
