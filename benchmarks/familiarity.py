"""How familiar a model finds recordings of corpora that it was trained on, and of one that it never met.

    python benchmarks/familiarity.py [--corpora ../shared/corpora] [--model NAME] [--clips 350]

Clips of each corpus are drawn once. Of each group (speakers that were trained on, speakers that were kept out, a corpus
never met): the median, and the share that is told to be unlike what the model learnt from. Writes
`benchmarks/results/familiarity.json`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from intonate import load_model
from intonate.audio import decode
from intonate.corpora import read
from intonate.recognizer import inputs

ROOT = Path(__file__).parents[1]
CORPORA = ("ravdess", "emodb", "banglaser", "nemo", "emogator", "tess")
UNLIKE = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=ROOT / "../shared/corpora")
    parser.add_argument("--model", default=None)
    parser.add_argument("--clips", type=int, default=350)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/familiarity.json")
    asked = parser.parse_args()
    spec = load_model(asked.model).spec
    found: dict[str, list[float]] = {}
    for name in CORPORA:
        utterances = read(name, asked.corpora / name).utterances
        for row in np.random.default_rng(0).permutation(len(utterances))[: asked.clips]:
            utterance = utterances[row]
            kept_out = "kept out" if utterance.speaker in spec.unseen_speakers else "trained on"
            group = f"{name}, {kept_out if name in spec.corpora else 'never met'}"
            clip, _ = inputs.clean_and_extract(
                spec, decode.load(asked.corpora / name / utterance.path, spec.sample_rate_hz)
            )
            found.setdefault(group, []).append(inputs.familiarity(spec, clip))
    figures = {
        group: {
            "clips": len(values),
            "median": round(float(np.median(values)), 2),
            "unlike": round(float(np.mean(np.array(values) <= UNLIKE)), 3),
        }
        for group, values in found.items()
    }
    text = json.dumps({"model": spec.name, "groups": figures}, indent=2)
    asked.output.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
