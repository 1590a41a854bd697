"""The accuracy of finished runs, as one JSON object: `python benchmarks/accuracy.py runs/compact-ravdess …`

For every run and every statistics of the speaker: the UAR of each seed (mean over the folds' own figures, and over all
folds' clips together), their mean and standard deviation over seeds, a 95 % interval bootstrapped over speakers, and
the UAR of the seeds taken together as an ensemble (their log-probabilities averaged). Beside these, which are over all
the model's labels: UAR and calibration error of each corpus within its own classes, and the share that was answered.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import yaml

from intonate.evaluation import bootstrap, metrics, table


def of_run(run: Path) -> dict[str, object]:
    """The figures of one run folder of `intonate train`."""
    fits = sorted(path.parent for path in run.glob("*/run.json"))
    records = [json.loads((fit / "run.json").read_text()) for fit in fits]
    answers = table.concatenate([table.read(fit / "predictions.csv") for fit in fits])
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    return {
        "recipe": recipe["name"],
        "split": recipe["data"]["split"],
        "fits": len(fits),
        "configurations_tried": recipe["card"]["configurations_tried"],
        "train_minutes": round(sum(record["train_s"] for record in records) / 60, 1),
        "parameters": records[0].get("parameters"),
        "recipe_hash": records[0]["recipe_hash"],
        "revisions": sorted({record["revision"] for record in records}),
        "hardware": records[0]["hardware"],
        "uar_percent": of_answers(answers),
    }


def of_answers(answers: table.PredictionTable) -> dict[str, dict[str, object]]:
    """The figures of each statistics of the speaker."""
    figures = {}
    within = answers.restricted()
    for statistics in dict.fromkeys(answers.statistics.tolist()):
        part = answers.where(statistics=statistics)
        seeds, means = {}, []
        for seed in sorted(set(part.seed.tolist())):
            one = part.where(seed=seed)
            folds = [bootstrap.measure(one.where(fold=fold), "uar") for fold in sorted(set(one.fold.tolist()))]
            whole = bootstrap.measure(one, "uar")
            means.append(float(np.mean(folds)))
            seeds[seed] = {"mean_of_folds": percent(means[-1]), "all_clips": percent(whole)}
        low, high, unit = bootstrap.intervals(part, ["uar"])["uar"]
        figures[statistics] = {
            "uar_mean_of_folds": percent(np.mean(means)),
            "sd_over_seeds": percent(np.std(means, ddof=1)) if len(means) > 1 else None,
            "uar_all_clips": percent(bootstrap.measure(part, "uar")),
            "interval_95": [percent(low), percent(high)],
            "interval_over": unit,
            "seeds": seeds,
            "uar_of_seeds_averaged": percent(averaged(part)) if len(seeds) > 1 else None,
            "own_classes": {
                corpus: of_corpus(within.where(statistics=statistics, corpus=corpus))
                for corpus in sorted(set(part.corpus.tolist()))
            },
        }
    return figures


def of_corpus(part: table.PredictionTable) -> dict[str, float]:
    """The figures of one corpus within its own classes, means over seeds."""
    seeds = [part.where(seed=seed) for seed in sorted(set(part.seed.tolist()))]
    return {
        "uar_percent": percent(np.mean([bootstrap.measure(one, "uar") for one in seeds])),
        "ece": round(float(np.mean([bootstrap.measure(one, "ece") for one in seeds])), 3),
        "coverage": round(1 - float(np.mean(part.abstained)), 3),
    }


def averaged(part: table.PredictionTable) -> float:
    """UAR, mean over folds, of an ensemble: the mean of the seeds' log-probabilities, clip by clip."""
    figures = []
    for fold in sorted(set(part.fold.tolist())):
        seeds = [part.where(fold=fold, seed=seed) for seed in sorted(set(part.seed.tolist()))]
        first = seeds[0]
        if any(one.file.tolist() != first.file.tolist() for one in seeds):
            raise SystemExit(f"fold {fold}: the seeds were not tested on the same clips in the same order")
        guess = np.mean([np.log(one.probabilities + 1e-12) for one in seeds], axis=0).argmax(axis=1)
        counts = metrics.confusion_matrix(first.truth, guess, len(first.labels))
        figures.append(float(metrics.uar(counts)))
    return float(np.mean(figures))


def percent(share: float) -> float:
    return round(100 * float(share), 1)


if __name__ == "__main__":
    print(json.dumps([of_run(Path(run)) for run in sys.argv[1:]], indent=2))
