"""What `intonate finetune` gains over the same network from scratch: nEMO, two speakers trained on, two held out.

    python benchmarks/finetune.py CORPORA > benchmarks/results/finetune.json        # needs the extra `train`

Of the held-out speakers (EB0, SM0) `standard` never heard a clip; the two that are trained on (WR0, TP0) were among
its own training speakers, as all of the others are, which the result says. From scratch is the same network: Whisper's
first two layers at their size and the head of `standard` on means and deviations of their rows, all of it at random and
trained on the same clips until it knows them; it is taken where it is best on the test clips, which flatters it. UAR in
percent, each clip alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from intonate import corpora
from intonate.audio.clean import clean
from intonate.audio.decode import load
from intonate.corpora import manifest
from intonate.evaluation import table
from intonate.evaluation.bootstrap import measure
from intonate.features.whisper import whisper_log_mel
from intonate.models.head import Head
from intonate.models.whisper_rows import WhisperRows
from intonate.recognizer.builtin import path_of
from intonate.recognizer.model_file import read_spec
from intonate.schema import Utterance
from intonate.training.finetune import finetune

TRAINED, HELD_OUT = ("WR0", "TP0"), ("EB0", "SM0")
# At most forty rounds over the clips, and for few clips more of them, but none once nearly all of them are known.
ROUNDS, FEWEST_STEPS, ASKED_EVERY, BATCH, RATE_HZ, KNOWN = 40, 156, 24, 16, 16_000, 0.99
RENAMED = {"neutral": "ok", "angry": "frustrated customer"}


class Scratch(nn.Module):
    """Whisper tiny's first two layers, and the head of `standard` on the means and deviations of their rows."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        config = WhisperConfig(d_model=384, encoder_layers=2, encoder_attention_heads=6, encoder_ffn_dim=1536)
        self.rows = WhisperRows(WhisperEncoder(config), (1, 2))
        # In the model file the vector is normalised by statistics of the training part.
        self.norm = nn.BatchNorm1d(1536, affine=False)
        self.head = Head(classes, {"voice": 1536})

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        rows = self.rows(mel)
        logits: torch.Tensor = self.head(self.norm(torch.cat([rows.mean(dim=1), rows.std(dim=1)], dim=1)))
        return logits


def draw(rows: list[Utterance], count: int, rng: np.random.Generator) -> list[Utterance]:
    """So many clips, each label as often as it can be."""
    by_label = {label: [row for row in rows if row.emotion == label] for label in {row.emotion for row in rows}}
    labels = sorted(by_label)
    return [
        by_label[label][place]
        for number, label in enumerate(labels)
        for place in rng.permutation(len(by_label[label]))[: (count + number) // len(labels)]
    ]


def three_seconds(mel: np.ndarray) -> np.ndarray:
    """The first three seconds, followed by the clip's silence where it is shorter, so that clips share a batch."""
    return np.pad(mel[:300], ((0, max(0, 300 - len(mel))), (0, 0)), constant_values=float(mel.min()))


def train_from_scratch(train: list[Utterance], test: list[Utterance], labels: list[str]) -> tuple[float, float]:
    """The best UAR on the test part, and the accuracy on the training part in the end: whether it learnt."""
    cleaning = read_spec(path_of("standard")).clean

    def mels(rows: list[Utterance]) -> list[torch.Tensor]:
        sounds = [clean(load(row.path, RATE_HZ), RATE_HZ, cleaning) for row in rows]
        return [torch.from_numpy(three_seconds(whisper_log_mel(sound, RATE_HZ))) for sound in sounds]

    torch.manual_seed(0)
    network = Scratch(len(labels))
    optimizer = torch.optim.AdamW(network.parameters(), 3e-4, weight_decay=0.05)
    sounds, asked = torch.stack(mels(train)), torch.stack(mels(test))
    truth = torch.tensor([labels.index(row.emotion) for row in train])
    wanted = np.array([labels.index(row.emotion) for row in test])
    best = learnt = 0.0
    steps = max(FEWEST_STEPS, ROUNDS * len(train) // BATCH)
    order = torch.cat([torch.randperm(len(train)) for _ in range(-(-steps * BATCH // len(train)))])
    for start in range(0, steps, ASKED_EVERY):
        network.train()
        for part in order[start * BATCH : (start + ASKED_EVERY) * BATCH].split(BATCH):
            loss = nn.functional.cross_entropy(network(sounds[part]), truth[part], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
        network.eval()
        with torch.no_grad():
            guess, known = (
                torch.cat([network(part).argmax(dim=1) for part in clips.split(64)]).numpy()
                for clips in (asked, sounds)
            )
        best = max(best, float(np.mean([(guess[wanted == k] == k).mean() for k in range(len(labels))])))
        learnt = float((known == truth.numpy()).mean())
        if learnt >= KNOWN:
            break
    return best, learnt


def fine_tune(train: list[Utterance], test: list[Utterance], folder: Path) -> tuple[dict[str, float], float]:
    path = folder / "clips.csv"
    path.write_text(
        "file,label,speaker\n"
        + "".join(
            f"{manifest.relative(r.path, folder)},{r.emotion},{r.speaker.partition('/')[2]}\n" for r in train + test
        )
    )
    started_s = time.perf_counter()
    finetune(path, folder / "tuned.onnx", hold_out=HELD_OUT)
    seconds = time.perf_counter() - started_s
    answers = table.read(folder / "tuned-report" / "predictions.csv")
    statistics = dict.fromkeys(answers.statistics.tolist())
    return {name: 100 * measure(answers.where(statistics=name), "uar") for name in statistics}, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    root = parser.parse_args().corpora
    rows = list(corpora.read("nemo", root.resolve() / "nemo").utterances)
    torch.set_num_threads(2)
    results: list[dict[str, Any]] = []
    for task in ("six emotions", "ok, frustrated customer"):
        for count in (60, 400):
            rng = np.random.default_rng(count)
            used = rows
            if task != "six emotions":
                used = [with_new_labels(row) for row in rows if row.emotion in RENAMED]
            train = draw([r for r in used if r.speaker.endswith(TRAINED)], count // 2, rng)
            test = draw([r for r in used if r.speaker.endswith(HELD_OUT)], count // 2, rng)
            labels = sorted({row.emotion for row in used})
            with tempfile.TemporaryDirectory() as place:
                tuned, seconds = fine_tune(train, test, Path(place))
            scratch, learnt = (100 * value for value in train_from_scratch(train, test, labels))
            alone = tuned[table.CLIP_ALONE]
            print(f"{task}, {count} clips: {tuned}, from scratch {scratch:.1f} ({learnt:.1f})", file=sys.stderr)
            results.append(
                {
                    "labels": labels,
                    "clips": count,
                    "trained": len(train),
                    "tested": len(test),
                    "fine_tuned_uar": {name: round(value, 1) for name, value in tuned.items()},
                    "from_scratch_uar": round(scratch, 1),
                    "from_scratch_train_accuracy": round(learnt, 1),
                    "gain_alone": round(alone - scratch, 1),
                    "finetune_s": round(seconds, 1),
                }
            )
    heard = f"{', '.join(TRAINED)} were among the training speakers of standard; {', '.join(HELD_OUT)} were not"
    print(json.dumps({"corpus": "nEMO", "base": "standard", "speakers": heard, "results": results}, indent=2))


def with_new_labels(row: Utterance) -> Utterance:
    return replace(row, emotion=RENAMED[row.emotion], raw_label=RENAMED[row.emotion])


if __name__ == "__main__":
    main()
