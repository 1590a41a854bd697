r"""How many words recognisers of speech get wrong, and what their transcripts do to `compact+text`.

    python benchmarks/transcripts.py ../shared/corpora/ravdess ../shared/text/goemotions \
        --by pocketsphinx whisper:tiny.en > benchmarks/results/transcripts.json

The word error rate is the least number of words inserted, left out and replaced, over the words that were said, all
clips together. RAVDESS: its held-out actors, whom no model of intonate was trained on. GoEmotions: comments of the test
part, said by espeak-ng: a clear synthetic voice without emotion, whose words are not two sentences over and over.
Needs `train`, `transcribe` and espeak-ng.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.progress import track

from intonate import corpora, load_model
from intonate.corpora.speaker_folds import POOLED
from intonate.evaluation.bootstrap import intervals, measure
from intonate.recognizer import late_fusion
from intonate.schema import Utterance
from intonate.training.data import with_labels
from intonate.training.evaluate import answers
from intonate.transcripts.recognisers import Transcriber, transcriber

REPEATS = 1000
# Comments for espeak-ng: short enough for one breath, and letters only, so that it says what is written.
LEAST_WORDS, MOST_WORDS = 5, 20
PLAIN = re.compile(r"[A-Za-z' ,.!?]+")


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower().replace("’", "'"))


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Edit distance between two lists of words."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, start=1):
        left, row[0] = row[0], number
        for place, other in enumerate(heard, start=1):
            left, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, left + (word != other))
    return row[-1]


def rate(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The word error rate of (said, heard)."""
    split = [(words_of(said), words_of(heard)) for said, heard in pairs]
    wrong, spoken = sum(errors(*pair) for pair in split), sum(len(said) for said, _ in split)
    return {
        "clips": len(pairs),
        "words": spoken,
        "word_error_rate": round(wrong / spoken, 4),
        "clips without an error": sum(said == heard for said, heard in split),
        "clips without a word": sum(not heard for _, heard in split),
    }


def acted_speech(root: Path, hear: Transcriber) -> dict[str, Any]:
    held = {f"ravdess/{actor}" for actor in POOLED["ravdess"].test}
    rows = with_labels([row for row in corpora.read("ravdess", root).utterances if row.speaker in held], "7")
    heard = [dataclasses.replace(row, text=hear(row.path).text) for row in _track(rows, "RAVDESS")]
    pairs = list(zip([row.text for row in rows], [row.text for row in heard], strict=True))
    by_emotion = {
        emotion: rate([pair for row, pair in zip(rows, pairs, strict=True) if row.emotion == emotion])
        for emotion in sorted({row.emotion for row in rows})
    }
    return {
        "actors": len(held),
        "all": rate(pairs),
        "by emotion": {emotion: found["word_error_rate"] for emotion, found in by_emotion.items()},
        "UAR": {
            "compact": _uar("compact", rows),
            "compact+text, words of the corpus": _uar("compact+text", rows),
            "compact+text, words heard": _uar("compact+text", heard),
            "text alone, words heard": _uar("text", heard),
        },
    }


def synthetic(root: Path, hear: Transcriber, count: int, folder: Path) -> dict[str, Any]:
    rows = [row for row in corpora.read("goemotions", root).utterances if "test.tsv" in row.path]
    plain = [
        row
        for row in rows
        if PLAIN.fullmatch(row.text) and LEAST_WORDS <= len(words_of(row.text)) <= MOST_WORDS and not row.soft_labels
    ][:count]
    read, pairs, right, same = load_model("text"), [], [0, 0], 0
    for row in _track(plain, "GoEmotions"):
        subprocess.run(["espeak-ng", "-v", "en-us", "-w", str(folder / "said.wav"), row.text], check=True)
        heard = hear(folder / "said.wav").text
        pairs.append((row.text, heard))
        labels = [read.predict_text(text).label if text else "" for text in (row.text, heard)]
        right = [total + (label == row.emotion) for total, label in zip(right, labels, strict=True)]
        same += labels[0] == labels[1]
    return {
        **rate(pairs),
        "accuracy of `text`, words written": round(right[0] / len(plain), 4),
        "accuracy of `text`, words heard": round(right[1] / len(plain), 4),
        "same label": round(same / len(plain), 4),
    }


def _uar(model: str, rows: Sequence[Utterance]) -> dict[str, float]:
    table = answers(late_fusion.open_model(model), rows, "held out").where(statistics="clip alone")
    limits = intervals(table, ["uar"], REPEATS)["uar"]
    return {"uar": round(measure(table, "uar"), 4), "low": round(limits.low, 4), "high": round(limits.high, 4)}


def _track(rows: Sequence[Utterance], words: str) -> Any:
    from rich.console import Console

    return track(rows, words, console=Console(file=sys.stderr), disable=not sys.stderr.isatty())


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ravdess", type=Path, help="the folder of RAVDESS")
    parser.add_argument("goemotions", type=Path, help="the folder with test.tsv")
    parser.add_argument("--by", nargs="+", default=["pocketsphinx"], help="recognisers of speech")
    parser.add_argument("--comments", type=int, default=60, help="how many comments espeak-ng says")
    given = parser.parse_args()
    result: dict[str, Any] = {"recognisers": []}
    for hear in [transcriber(name) for name in given.by]:
        with tempfile.TemporaryDirectory() as folder:
            figures = {
                "goemotions, said by espeak-ng": synthetic(given.goemotions, hear, given.comments, Path(folder)),
                "ravdess, held-out actors": acted_speech(given.ravdess, hear),
            }
        result["recognisers"].append({"name": hear.name, "version": hear.version, **figures})
    result["espeak-ng"] = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True).stdout.split()[3]
    result |= {"python": platform.python_version(), "machine": platform.machine()}
    result["versions"] = {package: version(package) for package in ("numpy", "onnxruntime", "tokenizers")}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
