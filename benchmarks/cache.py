"""How soon a training starts, the first time and with its features already computed.

    python benchmarks/cache.py [RECIPE] > benchmarks/results/cache.json

Needs the corpora of the recipe (recipes/compact.yaml: 6,586 clips with two front ends each). Every run is a new
process, timed from its start to the first epoch: libraries imported, corpora read, features there, normalisation
measured. The first run finds an empty folder for its features. Run it on an idle machine.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 3
# Stops where the network would be fitted, and tells when, and how many clips there are.
TRAIN = """
import json, sys, time
from intonate.training import fit, network

def stop(recipe, examples, *others):
    facts = {"clips": len(examples.clips), "inputs": len(examples.clips[0]), "processor_s": time.process_time()}
    print(json.dumps(facts | {"at": time.time()}))
    raise SystemExit

network.fit = stop
fit.train(sys.argv[1], ["data.cache=" + json.dumps(sys.argv[2])], sys.argv[3])
"""


def start(recipe: str, cache: Path, runs: Path) -> dict[str, float]:
    """What a run says when it is ready to train, with the seconds since its process was started."""
    begun = time.time()
    command = [sys.executable, "-c", TRAIN, recipe, str(cache), str(runs)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment).stdout
    ready = json.loads(said.splitlines()[-1])
    return ready | {"seconds": round(ready.pop("at") - begun, 2)}


def main() -> None:
    recipe = sys.argv[1] if len(sys.argv) > 1 else "recipes/compact.yaml"
    with tempfile.TemporaryDirectory() as folder:
        cache, runs = Path(folder) / "cache", Path(folder) / "runs"
        first = start(recipe, cache, runs)
        later = [start(recipe, cache, runs) for _ in range(REPEATS)]
        bytes_kept = sum(file.stat().st_size for file in cache.rglob("*.pack"))
    result = {
        "recipe": recipe,
        "clips": first["clips"],
        "inputs": first["inputs"],
        "first_run_starts_s": first["seconds"],
        "second_run_starts_s": statistics.median(run["seconds"] for run in later),
        "later_runs_start_s": [run["seconds"] for run in later],
        # What it takes of a processor, however busy the machine is.
        "second_run_processor_s": round(statistics.median(run["processor_s"] for run in later), 2),
        "cache_mb": round(bytes_kept / 1e6, 1),
        "processors": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
