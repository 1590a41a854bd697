"""The card of fairness and robustness of the built-in models, on actors of RAVDESS that they never heard.

    python benchmarks/card.py [--clips 96] [--noise ../shared/noise]

Writes `benchmarks/results/MODEL-card.json`, `.md` and `.html`: what `intonate evaluate MODEL MANIFEST --card` writes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
from explain import MODELS, held_out

from intonate.bench.card import command
from intonate.corpora import manifest

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=Path(__file__).parents[2] / "shared/corpora")
    parser.add_argument("--noise", type=Path, default=None)
    parser.add_argument("--clips", type=int, default=10_000, help="So many, drawn once; else all 240.")
    parser.add_argument("--models", nargs="+", default=MODELS)
    given = parser.parse_args()
    for name in given.models:
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "ravdess-held-out.csv"
            manifest.write(table, held_out(given.corpora, "test", given.clips))
            print(command(name, table, folder, given.noise))
            for suffix in ("json", "md", "html"):
                text = (Path(folder) / f"card.{suffix}").read_text(encoding="utf-8")
                (RESULTS / f"{name}-card.{suffix}").write_text(text.replace("card.", f"{name}-card."), encoding="utf-8")


if __name__ == "__main__":
    main()
