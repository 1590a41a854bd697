"""How well the built-in text model reads, how quickly, and what it adds to a voice where everybody says the same.

    python benchmarks/text.py ../shared/text/goemotions ../shared/corpora/ravdess > benchmarks/results/text.json

GoEmotions is scored as its paper does at Ekman's level: a comment may have several of seven labels, a label is given
where its probability reaches a threshold, and the F1 of the seven are averaged. The thresholds, one for each label, are
chosen on the dev part (the paper has one for all); the test part is answered once, with them. Beside it, on the same
rows and with thresholds chosen the same way, words and pairs of words in a logistic regression. Needs `train`.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from intonate import corpora, load_model
from intonate.corpora.speaker_folds import POOLED
from intonate.evaluation.bootstrap import intervals, measure
from intonate.recognizer import builtin, inputs, late_fusion
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import Recognizer
from intonate.schema import Utterance
from intonate.training.data import with_labels
from intonate.training.evaluate import answers

REPEATS = 1000
TIMED, WARM_UP = 1000, 50
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
Floats, Bools = NDArray[np.float64], NDArray[np.bool_]


def parts_of(root: Path) -> dict[str, list[Utterance]]:
    """{dev, test, train: comments}."""
    parts: dict[str, list[Utterance]] = {}
    for row in corpora.read("goemotions", root).utterances:
        parts.setdefault(Path(row.path.partition("#")[0]).stem, []).append(row)
    return parts


def truth_of(rows: Sequence[Utterance], labels: Sequence[str]) -> Bools:
    """(comments, labels) whether a comment has a label; it may have several."""
    return np.array([[name == row.emotion or name in row.soft_labels for name in labels] for row in rows])


def f1_of(truth: Bools, given: Bools) -> Floats:
    right, wanted, found = (each.sum(axis=0).astype(float) for each in (truth & given, truth, given))
    return 2 * right / np.maximum(wanted + found, 1)


def thresholds_of(truth: Bools, scores: Floats) -> Floats:
    """For each label the score from which on giving it has the best F1."""
    chosen = []
    for have, score in zip(truth.T, scores.T, strict=True):
        order = np.argsort(-score)
        right = np.cumsum(have[order])
        chosen.append(score[order][np.argmax(2 * right / (np.arange(1, len(order) + 1) + have.sum()))])
    return np.array(chosen)


def scores_at_thresholds(truth: dict[str, Bools], scores: dict[str, Floats], labels: Sequence[str]) -> dict[str, Any]:
    """Macro-F1 with thresholds from dev, on dev (where they flatter) and on test, with an interval over comments."""
    thresholds = thresholds_of(truth["dev"], scores["dev"])
    given = {part: scores[part] >= thresholds for part in ("dev", "test")}
    rng = np.random.default_rng(0)
    draws = rng.integers(len(truth["test"]), size=(REPEATS, len(truth["test"])))
    resampled = [f1_of(truth["test"][rows], given["test"][rows]).mean() for rows in draws]
    right = (truth["test"] & given["test"]).sum(axis=0)
    each = f1_of(truth["test"], given["test"])
    return {
        "dev_macro_f1": round(float(f1_of(truth["dev"], given["dev"]).mean()), 4),
        "test_macro_f1": round(float(each.mean()), 4),
        "test_macro_f1_95": [round(float(value), 4) for value in np.percentile(resampled, [2.5, 97.5])],
        "test": {
            label: {
                "f1": round(float(each[place]), 4),
                "precision": round(float(right[place] / max(1, given["test"][:, place].sum())), 4),
                "recall": round(float(right[place] / truth["test"][:, place].sum()), 4),
                "comments": int(truth["test"][:, place].sum()),
                "threshold": round(float(thresholds[place]), 4),
            }
            for place, label in enumerate(labels)
        },
    }


def probabilities_of_text(recognizer: Recognizer, rows: Sequence[Utterance]) -> Floats:
    words = [inputs.of_words(recognizer.spec, row.text) for row in rows]
    return recognizer.probabilities([inputs.extract(recognizer.spec, np.zeros(0, np.float32), one) for one in words])


def regression(train: Sequence[Utterance], truth: Bools, asked: Sequence[Sequence[Utterance]]) -> list[Floats]:
    """Words and pairs of words, TF-IDF, one logistic regression for each label."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\[\w+\]|\w[\w']*|[^\w\s]")
    seen = words.fit_transform([row.text for row in train])
    fitted = [LogisticRegression(C=4, solver="liblinear").fit(seen, have) for have in truth.T]
    asked_words = [words.transform([row.text for row in rows]) for rows in asked]
    return [np.stack([one.predict_proba(rows)[:, 1] for one in fitted], axis=1) for rows in asked_words]


def milliseconds(answer: Callable[[str], object], texts: Sequence[str]) -> dict[str, float]:
    times = []
    for text in texts:
        start = time.perf_counter()
        answer(text)
        times.append((time.perf_counter() - start) * 1000)
    kept = times[WARM_UP:]
    return {
        "median_ms": round(float(np.median(kept)), 3),
        "p95_ms": round(float(np.percentile(kept, 95)), 3),
        "sentences": len(kept),
    }


def acted_speech(root: Path, name: str) -> dict[str, Any]:
    """UAR on RAVDESS's held-out actors of the voice, the text, and both, by weight of the text; each clip alone."""
    held = {f"ravdess/{actor}" for actor in POOLED["ravdess"].test}
    rows = [row for row in corpora.read("ravdess", root).utterances if row.speaker in held]
    rows = with_labels(rows, "7")
    voice, text = (read_model(builtin.path_of(each)) for each in ("compact", name))
    found: dict[str, Any] = {"clips": len(rows), "actors": len(held), "sentences": len({row.text for row in rows})}
    found["text alone, UAR"] = round(measure(answers(text, rows, "held out"), "uar"), 4)
    found["voice and text, UAR by weight of the text"] = {}
    for weight in WEIGHTS:
        table = answers(late_fusion.fuse(voice, text, weight), rows, "held out").where(statistics="clip alone")
        limits = intervals(table, ["uar"], REPEATS)["uar"]
        found["voice and text, UAR by weight of the text"][str(weight)] = {
            "uar": round(measure(table, "uar"), 4),
            "low": round(limits.low, 4),
            "high": round(limits.high, 4),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("goemotions", type=Path, help="the folder with train.tsv, dev.tsv and test.tsv")
    parser.add_argument("ravdess", type=Path, help="the folder of RAVDESS")
    parser.add_argument("--model", default="text", help="a built-in name or a model file")
    given = parser.parse_args()

    recognizer = load_model(given.model)
    labels = recognizer.spec.labels
    parts = parts_of(given.goemotions)
    truth = {part: truth_of(rows, labels) for part, rows in parts.items()}
    read = {part: probabilities_of_text(recognizer, parts[part]) for part in ("dev", "test")}
    single = truth["test"].sum(axis=1) == 1
    best, only = read["test"][single].argmax(axis=1), truth["test"][single].argmax(axis=1)
    known = {row.text for row in parts["train"]}
    seen = np.array([row.text in known for row in parts["test"]])
    baseline = regression(parts["train"], truth["train"], [parts["dev"], parts["test"]])
    with threadpool_limits(1):
        timed = milliseconds(recognizer.predict_text, [row.text for row in parts["test"][: TIMED + WARM_UP]])
    unseen = {"dev": truth["dev"], "test": truth["test"][~seen]}
    result = {
        "model": recognizer.spec.name,
        "recipe_hash": recognizer.spec.recipe_hash,
        "size_mb": round(builtin.path_of(given.model).stat().st_size / 1e6, 2),
        "threads": 1,
        "predict_text": timed,
        "goemotions": scores_at_thresholds(truth, read, labels),
        "test comments whose very words are in train": int(seen.sum()),
        "test_macro_f1 without them": scores_at_thresholds(
            unseen, {"dev": read["dev"], "test": read["test"][~seen]}, labels
        )["test_macro_f1"],
        "best label, test comments with one": {
            "comments": int(single.sum()),
            "uar": round(float(np.mean([(best[only == place] == place).mean() for place in range(len(labels))])), 4),
            "accuracy": round(float((best == only).mean()), 4),
        },
        "logistic regression of words and pairs": scores_at_thresholds(
            truth, dict(zip(("dev", "test"), baseline, strict=True)), labels
        ),
        "ravdess": acted_speech(given.ravdess, given.model),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {package: version(package) for package in ("numpy", "onnxruntime", "tokenizers", "scikit-learn")},
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
