"""Who speaks when: dialogues built from corpora whose speakers the built-in voices never met.

    python benchmarks/conversations.py [--corpora ../shared/corpora] [--dialogues 10] [--turns 10] [--uar CALLS]

Two of RAVDESS's actors 13 to 24 take turns (one to three clips each, any emotion, pauses of 0.2 to 0.8 s); as two
channels of a call, as one channel without overlap, and with a fifth of each turn overlapping the one before. The share
of the seconds of speech with the right speaker (the best matching of names), and the diarisation error. With `--uar`,
so many calls of the actors that the built-in models never heard, each turn of one emotion: UAR per turn within
RAVDESS's classes, of the turns as the conversation answers them, of the same turns alone, and of those normalised by
their true speaker.
Writes `benchmarks/results/conversations.json`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

from intonate import load_model
from intonate.audio import decode
from intonate.audio.activity import speech_frames
from intonate.audio.clean import trim
from intonate.corpora.speaker_folds import POOLED

RATE = 16_000
# How voices are grouped was chosen on calls of the others.
MEASURED_ACTORS = np.arange(13, 25)
EMOTIONS = {"01": "neutral", "03": "happy", "04": "sad", "05": "angry", "06": "fear", "07": "disgust", "08": "surprise"}
ROOT = Path(__file__).parents[1]


def dialogue(corpora: Path, turns: int, overlap: float, rng: np.random.Generator):
    """The two channels (samples, 2), and whether each speaks, per 10 ms (frames, 2)."""
    actors = rng.choice(MEASURED_ACTORS, 2, replace=False)
    pieces, at = [], 0
    for number in range(turns):
        paths = sorted((corpora / f"ravdess/Actor_{actors[number % 2]:02d}").glob("*.flac"))
        clip = np.concatenate(
            [
                trim(decode.load(paths[i]), RATE, margin_s=0.05)
                for i in rng.integers(len(paths), size=rng.integers(1, 4))
            ]
        )
        pieces.append((at, number % 2, clip / np.abs(clip).max() * 0.5))
        pause = -round(overlap * len(clip)) if overlap else round(rng.uniform(0.2, 0.8) * RATE)
        at += len(clip) + pause
    sound = np.zeros((max(at + len(clip) for at, _, clip in pieces), 2), np.float32)
    speaks = np.zeros((-(-len(sound) // 160), 2), bool)
    for at, channel, clip in pieces:
        sound[at : at + len(clip), channel] += clip
        frames = np.flatnonzero(speech_frames(clip, RATE))
        # Without the hang-over of these frames.
        speaks[at // 160 + frames[0] + 5 : at // 160 + frames[-1] - 19, channel] = True
    return sound + rng.normal(size=sound.shape).astype(np.float32) * 3e-4, speaks


def uar(corpora: Path, calls: int, turns: int) -> dict[str, float]:
    """UAR in percent of turns of one emotion, by how they are answered."""
    model, rng, truth = load_model("compact"), np.random.default_rng(2), []
    answers: dict[str, list[dict[str, float]]] = {name: [] for name in ("alone", "same speaker", "each", "mono")}
    for _ in range(calls):
        actors = rng.choice(sorted(POOLED["ravdess"].test), 2, replace=False)
        clips, at, ends = [], RATE // 2, []
        for number in range(turns):
            emotion = list(EMOTIONS)[rng.integers(len(EMOTIONS))]
            paths = sorted((corpora / f"ravdess/Actor_{actors[number % 2]}").glob(f"03-01-{emotion}-*.flac"))
            sounds = [decode.load(paths[i]) for i in rng.choice(len(paths), rng.integers(1, 3), replace=False)]
            clip = np.concatenate([trim(sound, RATE, margin_s=0.05) for sound in sounds])
            clips.append(clip / np.abs(clip).max() * 0.5)
            truth.append(EMOTIONS[emotion])
            ends.append((at, at + len(clip)))
            at += len(clip) + round(rng.uniform(0.2, 0.8) * RATE)
        sound = rng.normal(size=(at, 2)).astype(np.float32) * 3e-4
        for number, (clip, (start, end)) in enumerate(zip(clips, ends, strict=True)):
            sound[start:end, number % 2] += clip
        answers["alone"] += [model.predict((clip, RATE)).scores for clip in clips]
        own = [list(model.predict_many([(clip, RATE) for clip in clips[k::2]], same_speaker=True)) for k in (0, 1)]
        answers["same speaker"] += [own[number % 2][number // 2].scores for number in range(turns)]
        answers["each"] += heard_in(model.predict((sound, RATE), channels="each"), ends)
        answers["mono"] += heard_in(model.predict((sound.sum(axis=1), RATE), speakers=2), ends)
    return {name: uar_percent(truth, given) for name, given in answers.items()}


def heard_in(answer, ends) -> list[dict[str, float]]:
    """The scores of each true turn: of the segments that it covers, by their common seconds."""
    found = []
    for start, end in ends:
        total: dict[str, float] = {}
        for segment in answer.segments:
            common_s = min(segment.end_s, end / RATE) - max(segment.start_s, start / RATE)
            for label, score in segment.scores.items() if common_s > 0 else ():
                total[label] = total.get(label, 0.0) + common_s * score
        found.append(total)
    return found


def uar_percent(truth: list[str], scores: list[dict[str, float]]) -> float:
    """Within the classes of the corpus; a turn that was not heard is wrong."""
    classes = sorted(set(EMOTIONS.values()))
    right = [
        t == max(classes, key=lambda c: given.get(c, 0.0)) if given else False
        for t, given in zip(truth, scores, strict=True)
    ]
    rows = [np.mean([r for r, t in zip(right, truth, strict=True) if t == c]) for c in classes if c in truth]
    return round(100 * float(np.mean(rows)), 1)


def share_right(answer, speaks) -> tuple[float, float]:
    """Of the seconds in which one alone speaks, the share with the right name; and the diarisation error."""
    names = [speaker.name for speaker in answer.speakers]
    told = np.zeros((len(speaks), max(2, len(names))), bool)
    for segment in answer.segments:
        if segment.speaker:
            told[round(segment.start_s * 100) : round(segment.end_s * 100), names.index(segment.speaker)] = True
    best = (0.0, 1.0)
    for columns in itertools.permutations(range(told.shape[1]), 2):
        theirs = told[:, columns]
        alone = speaks.sum(axis=1) == 1
        right = float((theirs & speaks)[alone].any(axis=1).mean())
        wrong = np.maximum(told.sum(axis=1), speaks.sum(axis=1)) - (theirs & speaks).sum(axis=1)
        best = max(best, (right, float(wrong.sum() / speaks.sum())), key=lambda pair: pair[0])
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=ROOT / "../shared/corpora")
    parser.add_argument("--dialogues", type=int, default=10)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--uar", type=int, metavar="CALLS", help="Measure UAR per turn on so many calls as well.")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/conversations.json")
    given = parser.parse_args()
    if not (given.corpora / "ravdess").is_dir():
        sys.exit(f"RAVDESS is not in {given.corpora}")
    # Who speaks does not depend on the model.
    command = f"python benchmarks/conversations.py --dialogues {given.dialogues} --turns {given.turns}"
    model, figures = load_model("compact"), {"command": command + f" --uar {given.uar}" * bool(given.uar)}
    for overlap in (0.0, 0.2):
        rng, rows = np.random.default_rng(1), {"each": [], "two": [], "auto": []}
        counts = []
        for _ in range(given.dialogues):
            sound, speaks = dialogue(given.corpora, given.turns, overlap, rng)
            mono = sound.sum(axis=1)
            rows["each"].append(share_right(model.predict((sound, RATE), channels="each"), speaks))
            rows["two"].append(share_right(model.predict((mono, RATE), speakers=2), speaks))
            auto = model.predict((mono, RATE), speakers="auto")
            rows["auto"].append(share_right(auto, speaks))
            counts.append(len(auto.speakers))
        for name, found in rows.items():
            right, wrong = np.mean(found, axis=0)
            key = f"{name}, overlap {overlap:.0%}"
            figures[key] = {"seconds_right": round(float(right), 3), "diarisation_error": round(float(wrong), 3)}
        figures[f"auto counts, overlap {overlap:.0%}"] = counts
    if given.uar:
        figures["UAR per turn, percent"] = uar(given.corpora, given.uar, given.turns)
    text = json.dumps(figures, indent=2)
    given.output.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
