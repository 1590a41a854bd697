"""Are explanations true of the models? Deletion and insertion curves beside random orders, on actors never heard.

    python benchmarks/explain.py > benchmarks/results/explain.json
    python benchmarks/explain.py --part validation --clips 24 --settings      # how the settings were chosen

Clips of RAVDESS's held-out actors (the built-in models' test speakers), each answered by itself. What is explained is
the likeliest label, right or wrong. The area of a deletion curve is the drop of its probability, averaged over half of
the way from all tiles to none (`intonate.explanation.faithfulness`); `times_random` is the mean area over the
clips in the order of the explanation over that in three random orders of the same tiles, with a 95 % interval over
actors. `whole_way` is the same over all of the way.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_THREAD_LIMIT", "1")
import numpy as np

import intonate
from intonate import corpora
from intonate.audio.decode import load
from intonate.corpora.speaker_folds import POOLED
from intonate.emotions import target_of
from intonate.explanation import faithfulness, importance, tiles
from intonate.explanation.answering import Answers
from intonate.schema import Utterance

MODELS, MERGE, RESAMPLES = ("standard", "compact"), "7", 2000


def held_out(root: Path, part: str, clips: int) -> list[Utterance]:
    """Clips of the held-out actors, in an order drawn once."""
    folds = POOLED["ravdess"]
    actors = {f"ravdess/{name}" for name in (folds.test if part == "test" else folds.validation)}
    found = [item for item in corpora.read("ravdess", root / "ravdess").utterances if item.speaker in actors]
    found = [item for item in found if target_of(item, MERGE)]
    return [found[place] for place in np.random.default_rng(0).permutation(len(found))[:clips]]


def areas(name: str, utterances: Sequence[Utterance], **settings: float) -> dict[str, np.ndarray]:
    """{deletion, insertion: (clips, 4), probability: (clips, 1)} of the explained labels.

    The four: areas in the order of the explanation and at random over half of the way, and over all of it.
    """
    recognizer = intonate.load_model(name)
    rate_hz, rows = recognizer.spec.sample_rate_hz, {"deletion": [], "insertion": [], "probability": []}
    for number, utterance in enumerate(utterances):
        answers, rng = Answers(recognizer), np.random.default_rng(number)
        sound = tiles.Tiles(load(utterance.path, rate_hz), rate_hz)
        (whole,) = answers([sound.waveform])
        column = int(whole.argmax())
        order = importance.importance(sound, answers, column, rng, **settings)
        for kind in ("deletion", "insertion"):
            curves = getattr(faithfulness, kind)(sound, answers, column, order, rng)
            rows[kind].append((curves.area(), curves.random_area(), curves.area(1.0), curves.random_area(1.0)))
        rows["probability"].append((whole[column],))
        if number % 20 == 19:
            print(f"{name}: {number + 1} of {len(utterances)}", file=sys.stderr, flush=True)
    return {key: np.array(values) for key, values in rows.items()}


def figures(measured: dict[str, np.ndarray], actors: Sequence[str]) -> dict[str, object]:
    """The mean areas, in points of probability, and how many times better than random they are."""
    names, index = np.unique(actors, return_inverse=True)
    draws = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    result: dict[str, object] = {
        "clips": len(actors),
        "actors": len(names),
        "mean_probability_percent": percent(measured["probability"].mean()),
    }
    for kind in ("deletion", "insertion"):
        sums = np.stack([np.bincount(index, weights=column) for column in measured[kind].T], axis=1)
        explained, random, whole_explained, whole_random = sums.sum(axis=0) / len(actors)
        resampled = draws @ sums
        result[kind] = {
            "area_percent": percent(explained),
            "random_area_percent": percent(random),
            **times(explained, random, resampled),
            "whole_way": {
                "area_percent": percent(whole_explained),
                "random_area_percent": percent(whole_random),
                **times(whole_explained, whole_random),
            },
            "clips_better_than_random_percent": percent((measured[kind][:, 0] > measured[kind][:, 1]).mean()),
        }
    return result


def times(explained: float, random: float, resampled: np.ndarray | None = None) -> dict[str, object]:
    """The ratio, with its interval over resampled sums; nothing where random orders do not move the answer that way."""
    if random <= 0:
        return {}
    ratio: dict[str, object] = {"times_random": round(float(explained / random), 2)}
    if resampled is not None and (resampled[:, 1] > 0).all():
        low, high = np.percentile(resampled[:, 0] / resampled[:, 1], [2.5, 97.5])
        ratio["interval_95"] = [round(float(low), 2), round(float(high), 2)]
    return ratio


def percent(share: float) -> float:
    return round(100 * float(share), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=Path(__file__).parents[2] / "shared/corpora")
    parser.add_argument("--part", choices=["validation", "test"], default="test")
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--settings", action="store_true", help="Several settings of the method beside each other.")
    given = parser.parse_args()
    if given.settings and given.part == "test":
        sys.exit("settings are chosen on --part validation, never on the test speakers")
    utterances = held_out(given.corpora, given.part, given.clips)
    grid = (
        list(itertools.product((60, 100, 200), (0.15, 0.3, 0.5)))
        if given.settings
        else [(importance.SOUNDS, importance.TAKEN_OUT)]
    )
    result: list[dict[str, object]] = []
    for (sounds, taken_out), name in itertools.product(grid, given.models):
        measured = areas(name, utterances, sounds=sounds, taken_out=taken_out)
        setting = {"model": name, "part": given.part, "sounds": sounds, "taken_out": taken_out}
        result.append(setting | figures(measured, [item.speaker for item in utterances]))
        print(json.dumps(result[-1]), file=sys.stderr, flush=True)
        # Of every clip: the areas in the order of the explanation and at random, deletion then insertion.
        rows = np.concatenate([measured[kind][:, :2] for kind in ("deletion", "insertion")], axis=1).round(4).tolist()
        result[-1]["areas"] = {Path(item.path).stem: row for item, row in zip(utterances, rows, strict=True)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
