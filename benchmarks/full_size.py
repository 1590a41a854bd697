"""A training step of the pretrained systems at their full size, as their recipes say it: seconds and peak memory.

    OMP_NUM_THREADS=1 python benchmarks/full_size.py > benchmarks/results/full_size.json      # 24 GB of memory

The checkpoints have the published shapes and random weights, which takes as long and as much memory. A step is as many
batches as the recipe accumulates, of clips of 3.5 s and short sentences, forward and back, and one of the optimiser,
with one thread and in the recipe's precision. Each recipe has a process of its own; its memory includes the
interpreter and the libraries. `processor_s` leaves out what other programs took.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RECIPES = Path(__file__).parents[1] / "recipes"
# What is drawn at random of each: (recipe, parameters beside the checkpoints).
SYSTEMS: dict[str, dict[str, Any]] = {
    "hubert-frozen": {},
    "hubert-partial": {},
    "hubert-p3": {},
    "hubert-p4": {},
    "hubert-bert": {},
    "resnet-roberta": {"roberta": "random"},
}
CLASSES, SECONDS, RATE_HZ, TOKENS = 8, 3.5, 16_000, 12


def checkpoints(folder: Path) -> dict[str, str]:
    """HuBERT-base and BERT-base, written once: the parameters of a recipe that name them."""
    import torch
    import transformers

    torch.manual_seed(0)
    made = {"hubert": transformers.HubertModel, "bert": transformers.BertModel}
    for name, kind in made.items():
        kind(kind.config_class()).save_pretrained(folder / name)
    hubert, bert = str(folder / "hubert"), str(folder / "bert")
    return {"checkpoint": hubert, "speech": hubert, "text": bert}


def step(name: str, given: dict[str, str]) -> dict[str, Any]:
    """One step of a recipe, in this process."""
    import numpy as np
    import torch

    from intonate import features, models
    from intonate.training import module
    from intonate.training.recipe import load

    recipe = load(RECIPES / f"{name}.yaml")
    params = recipe.model.params | SYSTEMS[name]
    if "roberta" not in params:
        params |= {key: folder for key, folder in given.items() if key in params}
    rng = np.random.default_rng(0)
    size = recipe.training.batch_size
    # All different: a frozen encoder listens to a clip that it has heard before no second time.
    clips = rng.normal(0, 0.1, (size, round(SECONDS * RATE_HZ))).astype(np.float32)
    inputs, columns = {}, {}
    for key, item in recipe.inputs.items():
        if item.front_end == "tokens":
            rows = np.tile(np.arange(1, TOKENS + 1), (size, 1))
        else:
            rows = np.stack([features.get(item.front_end)(clip, RATE_HZ, **item.params) for clip in clips])
            columns |= {key: rows.shape[2]} if rows.ndim == 3 else {}
        inputs[key] = torch.from_numpy(rows)
        inputs[f"{key}_lengths"] = torch.full((size,), rows.shape[1])
    network = models.get(recipe.model.name)(CLASSES, columns, **params).train()
    options = recipe.training
    trained = module.Classifier(network, options, 1000, np.array(["none"] * size), 0)
    found = trained.configure_optimizers()
    optimizer = found["optimizer"] if isinstance(found, dict) else found[0][0]
    target = torch.arange(size) % CLASSES
    began, began_own = time.perf_counter(), time.process_time()
    for _ in range(options.accumulate):
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(network(**inputs), target) / options.accumulate
        loss.backward()
    optimizer.step()
    return {
        "model": recipe.model.name,
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "learning": sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
        "batch": size,
        "accumulate": options.accumulate,
        "precision": options.precision,
        "step_s": round(time.perf_counter() - began, 1),
        "processor_s": round(time.process_time() - began_own, 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def main() -> None:
    if len(sys.argv) > 2:
        print(json.dumps(step(sys.argv[1], json.loads(sys.argv[2]))))
        return
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        given = checkpoints(Path(folder))
        for name in sys.argv[1:] or SYSTEMS:
            words = [sys.executable, __file__, name, json.dumps(given)]
            done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            measured[name] = json.loads(done.stdout.splitlines()[-1])
            print(name, measured[name], file=sys.stderr)
    about = {"seconds_of_a_clip": SECONDS, "tokens": TOKENS, "threads": 1, "processor": platform.machine()}
    print(json.dumps(about | {"weights": "random", "recipes": measured}, indent=2))


if __name__ == "__main__":
    main()
