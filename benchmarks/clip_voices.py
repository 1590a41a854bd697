"""What it brings that `predict FOLDER --speakers auto` groups clips by voice, on people that the model never heard.

    python benchmarks/clip_voices.py [--part validation] > benchmarks/results/clip_voices.json

The held-out speakers of the four corpora of the built-in models, each corpus shuffled into one folder, and all of them
into one; speakers of one emotion each, who must not be taken for neutral: seven draws of who shows what; and a few
clips of two people, drawn six times. UAR within the classes of the corpus: each clip alone, with the voices found, and
with the true ones (`same_speaker`). The rule of `recognizer/clip_voices.py` was chosen on `--part validation`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_THREAD_LIMIT", "1")
import numpy as np

import intonate
from intonate import corpora
from intonate.corpora.speaker_folds import POOLED
from intonate.emotions import target_of
from intonate.schema import Prediction, Utterance

MERGE, DRAWS = "7", 7
FEW, FEW_DRAWS = (10, 20, 40), 6
Answers = Sequence[Prediction]


def held_out(root: Path, corpus: str, part: str) -> list[Utterance]:
    """The clips of a corpus's held-out speakers, shuffled."""
    folds = POOLED[corpus]
    speakers = {f"{corpus}/{name}" for name in (folds.test if part == "test" else folds.validation)}
    utterances = [item for item in corpora.read(corpus, root / corpus).utterances if item.speaker in speakers]
    utterances = [item for item in utterances if target_of(item, MERGE)]
    return [utterances[place] for place in np.random.default_rng(0).permutation(len(utterances))]


def percent(utterances: Sequence[Utterance], answers: Answers) -> float:
    """UAR within the classes that occur, of the clips with speech."""
    truth = [target_of(item, MERGE) for item in utterances]
    classes = sorted(set(truth))
    given = [max(classes, key=lambda label: answer.scores.get(label, 0.0)) for answer in answers]
    right = np.array(truth) == np.array(given)
    return round(100 * float(np.mean([right[np.array(truth) == label].mean() for label in classes])), 1)


def figures(recognizer: intonate.Recognizer, utterances: Sequence[Utterance]) -> dict[str, object]:
    """UAR in percent of clips in one folder."""
    paths = [item.path for item in utterances]
    found: list[Prediction] = list(recognizer.predict_many(paths, speakers="auto"))
    true: dict[str, Prediction] = {}
    for speaker in sorted({item.speaker for item in utterances}):
        own = [item.path for item in utterances if item.speaker == speaker]
        true |= dict(zip(own, recognizer.predict_many(own, same_speaker=True), strict=True))
    answers = {
        "clip alone": list(recognizer.predict_many(paths)),
        "voices found": found,
        "true voices": [true[path] for path in paths],
    }
    return {
        "clips": len(paths),
        "speakers": len({item.speaker for item in utterances}),
        "voices": len({answer.speakers[0].name for answer in found if answer.speakers}),
        "uar_percent": {
            corpus: {
                name: percent(
                    [item for item in utterances if item.corpus == corpus],
                    [answer for answer, item in zip(given, utterances, strict=True) if item.corpus == corpus],
                )
                for name, given in answers.items()
            }
            for corpus in sorted({item.corpus for item in utterances})
        },
    }


def one_emotion_each(utterances: Sequence[Utterance], draw: int) -> list[Utterance]:
    """Of each speaker the clips of one emotion."""
    emotions = sorted({target_of(item, MERGE) for item in utterances})
    speakers = sorted({item.speaker for item in utterances})
    shown = {speaker: emotions[(2 * place + draw) % len(emotions)] for place, speaker in enumerate(speakers)}
    return [item for item in utterances if target_of(item, MERGE) == shown[item.speaker]]


def few_clips_of_two(utterances: Sequence[Utterance], count: int, draw: int) -> list[Utterance]:
    """So many clips of each of two speakers."""
    rng = np.random.default_rng((count, draw))
    pair = rng.choice(sorted({item.speaker for item in utterances}), 2, replace=False)
    own = [[item for item in utterances if item.speaker == speaker] for speaker in pair]
    return [one[place] for one in own for place in rng.permutation(len(one))[:count]]


def mean_figures(
    recognizer: intonate.Recognizer, name: str, folders: Sequence[Sequence[Utterance]]
) -> dict[str, float]:
    """Means over folders of one corpus: how many voices were found, and UAR in percent."""
    draws = [figures(recognizer, folder) for folder in folders]
    uars = [draw["uar_percent"][name] for draw in draws]
    voices = {"voices": round(float(np.mean([draw["voices"] for draw in draws])), 1)}
    return voices | {key: round(float(np.mean([uar[key] for uar in uars])), 1) for key in uars[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=Path(__file__).parents[2] / "shared/corpora")
    parser.add_argument("--model", default=None)
    parser.add_argument("--part", choices=["validation", "test"], default="test")
    given = parser.parse_args()
    recognizer = intonate.load_model(given.model)
    names = [
        name for name in ("ravdess", "emodb", "banglaser", "nemo") if POOLED[name].validation or given.part == "test"
    ]
    folders = {name: held_out(given.corpora, name, given.part) for name in names}
    everybody = [item for name in names for item in folders[name]]
    everybody = [everybody[place] for place in np.random.default_rng(1).permutation(len(everybody))]
    result: dict[str, object] = {"model": recognizer.spec.name, "part": given.part, "folder of each": {}}
    result["folder of each"] = {name: figures(recognizer, folder) for name, folder in folders.items()}
    result["one folder"] = figures(recognizer, everybody)
    result["one emotion each, mean of seven draws"] = {
        name: mean_figures(recognizer, name, [one_emotion_each(folder, draw) for draw in range(DRAWS)])
        for name, folder in folders.items()
    }
    result["a few clips of two people each, mean of six draws"] = {
        name: {
            str(count): mean_figures(
                recognizer, name, [few_clips_of_two(folder, count, draw) for draw in range(FEW_DRAWS)]
            )
            for count in FEW
        }
        for name, folder in folders.items()
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
