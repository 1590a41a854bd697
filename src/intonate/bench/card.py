"""`intonate evaluate MODEL MANIFEST --card`: whom a model hears how well, and what is left of it in worse conditions.

Every condition is the same clips, changed by the transforms of `intonate.augment`, and every figure of it stands beside
that of the clean clips, with an interval of the difference over speakers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from intonate.augment import background, waveform
from intonate.bench import card_page
from intonate.evaluation import paired
from intonate.evaluation.bootstrap import intervals, measure
from intonate.evaluation.protocol import counts_of, figure, number, view
from intonate.evaluation.report import check_folder, writing_to
from intonate.evaluation.table import CLIP_ALONE, PredictionTable
from intonate.recognizer import late_fusion
from intonate.training import data, evaluate

Steps = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Condition:
    """One way in which clips are changed.

    Attributes:
        kind: `noise`, `line`, `codec`, `microphone`, `room`, `level` or `length`.
        name: in words.
        steps: as `augment.waveform` takes them, nothing left to be drawn but seeds.
    """

    kind: str
    name: str
    steps: Steps


def _condition(group: str, name: str, transform: str, **parameters: float | str) -> Condition:
    return Condition(group, name, ({"transform": transform, **parameters},))


CONDITIONS: tuple[Condition, ...] = (
    _condition("noise", "white noise, 20 dB softer", "gaussian", snr_db=20),
    _condition("noise", "white noise, 10 dB softer", "gaussian", snr_db=10),
    _condition("noise", "pink noise, 10 dB softer", "coloured", snr_db=10, slope=0.5),
    _condition("noise", "hum of the mains, -35 dBFS", "hum", mains_hz=50, dbfs=-35, harmonics=0.3),
    _condition("noise", "rumble, -30 dBFS", "rumble", dbfs=-30),
    _condition("line", "telephone band", "telephone"),
    _condition("codec", "Opus, about 12 kbit/s", "codec", kind=0, compression=0.97),
    _condition("codec", "MP3, strongly compressed", "codec", kind=1, compression=0.98),
    _condition("room", "room, 0.6 s, as loud as the voice", "room", rt60_s=0.6, direct_db=0),
    _condition("microphone", "treble down 9 dB", "equalise", db=0, tilt_db=-9, seed=0),
    _condition("microphone", "offset of 5 % of full scale", "offset", level=0.05),
    _condition("microphone", "overdriven: clipped at 30 %", "overdrive", share=0.3),
    _condition("level", "very quiet: peak at -40 dBFS", "level", peak_dbfs=-40),
    _condition("level", "12 dB louder", "gain", db=12),
    _condition("length", "2 s from the middle", "excerpt", seconds=2, at=0.5),
    _condition("length", "1 s from the middle", "excerpt", seconds=1, at=0.5),
    _condition("length", "0.5 s from the middle", "excerpt", seconds=0.5, at=0.5),
)
OWN_NOISE_DB = 10.0


def command(
    model: str | os.PathLike[str] | None,
    manifest: str | os.PathLike[str],
    report: str | os.PathLike[str],
    noise: str | os.PathLike[str] | None = None,
) -> str:
    """Write `card.html`, `card.md` and `card.json` into the report's folder, and give the text.

    Raises:
        ModelError, CorpusError, AudioError, LabelError: as in `evaluate`; or the card cannot be written.
        RecipeError: there is no sound in the folder of noises.
    """
    check_folder(Path(report))
    facts, folder = card(model, manifest, noise), Path(report)
    files = {
        "card.json": json.dumps(facts, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
        "card.md": card_page.to_markdown(facts),
        "card.html": card_page.render(facts),
    }
    with writing_to(folder):
        for name, content in files.items():
            (folder / name).write_text(content, encoding="utf-8")
    return f"{card_page.to_text(facts)}\n\n{folder / 'card.html'}"


def card(
    model: str | os.PathLike[str] | None,
    manifest: str | os.PathLike[str],
    noise: str | os.PathLike[str] | None = None,
    repeats: int = 1000,
) -> dict[str, Any]:
    """All facts of a card, ready for JSON.

    Args:
        model: a built-in name, a model file or a run folder.
        manifest: labelled clips, of speakers that the model was not trained on.
        noise: a folder of sounds, or one, that are laid under the clips as well.
        repeats: bootstrap resamples.

    Returns:
        `{"model", "manifest", "clips", "speakers", "labels", "chance", "unit", "notes", "clean": figures, "groups":
        {group: {name: figures}}, "fairness": {group: gap}, "conditions": [{"kind", "name", **figures, "difference",
        "kept"}]}`. Figures are `uar` {value, low, high} among the classes that the corpus has, `ece` and `answered`,
        shares from 0 to 1. `kept` is the part of what the model had over guessing.
    """
    model_file = late_fusion.open_model(model)
    utterances, notes = evaluate.labelled_rows(model_file.spec, manifest, whole=True)
    root, console = Path(manifest).parent, Console(stderr=True)

    def answers(name: str, steps: Steps) -> PredictionTable:
        change = waveform.change(steps) if steps else None
        bar = data.bar(console, name)
        table = evaluate.answers(
            model_file, utterances, "as given in the manifest", bar, root=root, change=change, is_clip_alone=True
        )
        return table.restricted()

    clean = answers("clean", ())
    summary = view(clean, repeats)
    chance = float(np.mean([1 / len(names) for names in clean.label_sets().values()]))
    clean_figures = _figures(clean, repeats)
    conditions = []
    for condition in (*CONDITIONS, *_own_noises(noise)):
        changed_figures = answers(condition.name, condition.steps)
        figures = _figures(changed_figures, repeats)
        over_chance = clean_figures["uar"]["value"] - chance
        conditions.append(
            {
                "kind": condition.kind,
                "name": condition.name,
                **figures,
                "difference": paired.difference(changed_figures, clean, repeats),
                "kept": max(0.0, figures["uar"]["value"] - chance) / over_chance if over_chance > 0 else None,
            }
        )
    return {
        "model": model_file.spec.name,
        "manifest": Path(manifest).name,
        "clips": len(clean),
        "speakers": counts_of(clean)["speakers"],
        "labels": sorted({name for names in clean.label_sets().values() for name in names}),
        "chance": chance,
        "unit": summary["unit"],
        "statistics": CLIP_ALONE,
        "notes": notes,
        "clean": clean_figures,
        "groups": summary["groups"],
        "fairness": paired.fairness(clean, repeats),
        "conditions": conditions,
    }


def _figures(table: PredictionTable, repeats: int) -> dict[str, Any]:
    (interval,) = intervals(table, ["uar"], repeats).values()
    return {
        "uar": figure(measure(table, "uar"), interval.low, interval.high),
        "ece": number(measure(table, "ece")),
        "answered": float(np.mean(~table.abstained)),
    }


def _own_noises(noise: str | os.PathLike[str] | None) -> Iterator[Condition]:
    """Each sound of a folder under the clips."""
    if noise is None:
        return
    for path in map(Path, background.sounds(str(noise))):
        name = f"{path.stem.replace('_', ' ')} (recording), {OWN_NOISE_DB:.0f} dB"
        yield _condition("noise", name, "noise", path=str(path), snr_db=OWN_NOISE_DB)
