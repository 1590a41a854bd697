"""Live labels on a dialogue whose truth is known: are they right, do they hold, do utterances end in time?

    python benchmarks/live.py [--corpora ../shared/corpora] [--noise ../shared/noise] [--model NAME] [--turns 48]
        [--dialogues 6]

Turns of held-out actors of RAVDESS (two clips of one emotion each, the pause between them shorter than an utterance's
end, at one loudness as on a call), two actors taking turns with pauses of 0.8 to 1.8 s, dishes at 15 dB
under the speech all along. Each dialogue by itself, and the mean of them (of one alone, two points mean nothing). Of
`noise` in a turn, what lies between its first utterance and its last is counted apart from turns that were not heard
at all or not from their first word on. Writes `benchmarks/results/live.json`.
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
from intonate.audio.clean import loudness, trim

RATE = 16_000
ROOT = Path(__file__).parents[1]
EMOTIONS = {"01": "neutral", "03": "happy", "04": "sad", "05": "angry", "06": "fear", "07": "disgust", "08": "surprise"}
# Held out by the built-in models; two by two they talk to each other.
PAIRS = (("01", "20"), ("11", "21"))
INSIDE_S, BETWEEN_S, SNR_DB, LEVEL_DBFS = 0.3, (0.8, 1.8), 15.0, -26.0


def dialogue(corpora: Path, noise: Path, turns: int, seed: int = 0):
    """The sound (samples,), and its turns (start s, end s, emotion, actor)."""
    rng = np.random.default_rng(seed)
    parts, found, at = [np.zeros(RATE, np.float32)], [], RATE
    for number in range(turns):
        actor = PAIRS[number * len(PAIRS) // turns][number % 2]
        code = sorted(EMOTIONS)[rng.integers(len(EMOTIONS))]
        paths = sorted((corpora / f"ravdess/Actor_{actor}").glob(f"03-01-{code}-*.flac"))
        one, other = (
            trim(decode.load(paths[i]), RATE, margin_s=0.02) for i in rng.choice(len(paths), 2, replace=False)
        )
        turn = np.concatenate([one, np.zeros(round(INSIDE_S * RATE), np.float32), other])
        turn = loudness(turn, RATE, LEVEL_DBFS)
        pause = np.zeros(round(rng.uniform(*BETWEEN_S) * RATE), np.float32)
        found.append((at / RATE, (at + len(turn)) / RATE, EMOTIONS[code], actor))
        parts += [turn, pause]
        at += len(turn) + len(pause)
    clean = np.concatenate([*parts, np.zeros(2 * RATE, np.float32)])
    dishes = np.resize(decode.load(noise / "doing_the_dishes.flac"), len(clean))
    speech = np.repeat(speech_frames(clean, RATE), 160)[: len(clean)]
    gain = np.sqrt(np.mean(clean[speech] ** 2) / np.mean(dishes**2)) * 10 ** (-SNR_DB / 20)
    return (clean + gain * dishes).astype(np.float32), found, speech


def listen(model, sound, **options):
    """The events of a stream that is pushed 100 ms at a time, each with the time at which it came."""
    stream, events = model.stream(RATE, **options), []
    for start in range(0, len(sound), RATE // 10):
        now_s = min(start + RATE // 10, len(sound)) / RATE
        events += [(now_s, event) for event in stream.push(sound[start : start + RATE // 10])]
    return events + [(len(sound) / RATE, event) for event in stream.finish()]


def measure(model, sound, turns, speech, **options):
    """The figures of one stream."""
    events = listen(model, sound, **options)
    segments = [event for _, event in events if event.type == "segment"]
    finals = [(now_s, event) for now_s, event in events if event.type == "final"]
    truth = np.full(len(sound), "", dtype="U10")
    for start_s, end_s, emotion, _ in turns:
        truth[round(start_s * RATE) : round(end_s * RATE)] = emotion
    shown = np.full(len(sound), "", dtype="U10")
    for event in segments:
        shown[round(event.start_s * RATE) : round(event.end_s * RATE)] = event.label
    spoken = speech & (truth != "")
    changes = [event for before, event in itertools.pairwise(segments) if before.label != event.label]
    starts = [event.start_s for event in changes]
    noises = [event for event in segments if event.label == "noise"]
    finals_right, predict_right, late_s, nothing, noise_in_turns, noise_between = [], [], [], 0, 0, 0
    for start_s, end_s, emotion, _ in turns:
        over = [(now, e) for now, e in finals if min(e.end_s, end_s) - max(e.start_s, start_s) > 0.3]
        alone = model.predict((sound[round(start_s * RATE) : round(end_s * RATE)], RATE))
        predict_right.append(alone.label == emotion)
        nothing += not over
        noise_in_turns += sum(start_s < e.start_s and e.end_s < end_s for e in noises)
        words_s = [s for _, e in over for s in (e.start_s, e.end_s)]
        noise_between += sum(min(words_s) < e.start_s and e.end_s < max(words_s) for e in noises if words_s)
        longest = max(over, key=lambda one: one[1].end_s - one[1].start_s, default=None)
        best = next(iter(longest[1].scores)) if longest else ""
        finals_right.append(best == emotion)
        late_s += [now - e.end_s for now, e in over]
    return {
        "minutes": round(len(sound) / RATE / 60, 2),
        "speech_time_right": round(float(np.mean(shown[spoken] == truth[spoken])), 3),
        "changes_per_minute": round(len(changes) / (len(sound) / RATE / 60), 1),
        "shortest_shown_s": round(float(np.min(np.diff(starts))) if len(starts) > 1 else np.inf, 2),
        "noise_between_words": noise_between,
        "noise_in_turns": noise_in_turns,
        "turns": len(turns),
        "finals": len(finals),
        "turns_without_final": nothing,
        "finals_right": round(float(np.mean(finals_right)), 3),
        "predict_right": round(float(np.mean(predict_right)), 3),
        "final_after_end_median_s": round(float(np.median(late_s)), 2),
        "final_after_end_most_s": round(float(np.max(late_s)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=ROOT / "../shared/corpora")
    parser.add_argument("--noise", type=Path, default=ROOT / "../shared/noise")
    parser.add_argument("--model", default=None)
    parser.add_argument("--turns", type=int, default=48)
    parser.add_argument("--dialogues", type=int, default=6)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/live.json")
    given = parser.parse_args()
    if not (given.corpora / "ravdess").is_dir():
        sys.exit(f"RAVDESS is not in {given.corpora}")
    model = load_model(given.model)
    dialogues = [
        measure(model, *dialogue(given.corpora, given.noise, given.turns, seed)) for seed in range(given.dialogues)
    ]
    mean = {name: round(float(np.mean([one[name] for one in dialogues])), 3) for name in dialogues[0]}
    figures = {"model": model.spec.name, "mean": mean, "dialogues": dialogues}
    text = json.dumps(figures, indent=2)
    given.output.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
