"""What one step of training the ImageNet networks takes, as their recipes say: seconds and memory, random weights.

    python benchmarks/imagenet.py > benchmarks/results/imagenet.json        # needs the extra `train`, 24 GB of memory

Each recipe has a process of its own, which makes one batch of images of noise, takes an optimisation step to warm up
and one that counts, and says how much memory it has ever held; then it looks at one image. `step_processor_s` is the
processor's time, on all threads: on a machine that does other things as well, `step_s` is longer.
`--only NAME` measures one recipe and prints it alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

RECIPES = ("vgg16-p4", "resnet50v2-p4", "mobilenetv2-p3", "resnet50-p0", "vgg19-p0", "inceptionv3-p0")
ROOT = Path(__file__).resolve().parents[1]
# Of `mfcc_image`, unless the recipe says otherwise, and of `jet_image`, pixels.
SIDE, JET = 224, (257, 251)
CLASSES = 8


def measure(name: str) -> dict[str, Any]:
    """One recipe, in this process."""
    import torch

    from intonate.models.imagenet import ImageNetNetwork
    from intonate.training import recipe
    from intonate.training.module import OPTIMIZERS, masked_cross_entropy

    whole = recipe.load(ROOT / "recipes" / f"{name}.yaml", ["model.params.weights="])
    options = whole.training
    item = whole.inputs["images"]
    side = item.params.get("side", SIDE)
    size = JET if item.front_end == "jet_image" else (side, side)
    torch.manual_seed(0)
    network = ImageNetNetwork(CLASSES, {"images": (*size, 3)}, **whole.model.params)
    learning = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = OPTIMIZERS[options.optimizer](learning, lr=options.learning_rate)
    lengths = torch.ones(options.batch_size, dtype=torch.int64)
    allowed = torch.ones(options.batch_size, CLASSES, dtype=torch.bool)
    soft = torch.eye(CLASSES)[torch.arange(options.batch_size) % CLASSES]
    network.train()
    seconds, busy = [], []
    for _ in range(2):
        # Other images each time: a frozen network would remember them.
        shown = torch.randint(0, 256, (options.batch_size, 1, *size, 3), dtype=torch.uint8)
        started, began = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        masked_cross_entropy(network(shown, lengths), soft, allowed).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - started)
        busy.append(time.process_time() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    network.eval()
    with torch.no_grad():
        network.network(shown[0])
        started = time.perf_counter()
        network.network(shown[1])
        one_s = time.perf_counter() - started
    return {
        "network": whole.model.params["network"],
        "trainable_blocks": whole.model.params["trainable"],
        "image": list(size),
        "batch_size": options.batch_size,
        "parameters_of_the_network": sum(weight.numel() for weight in network.network.parameters()),
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "learning": sum(weight.numel() for weight in learning),
        "first_step_s": round(seconds[0], 2),
        "step_s": round(seconds[1], 2),
        "step_processor_s": round(busy[1], 2),
        "peak_gib": round(peak / 2**30, 2),
        "one_image_ms": round(1000 * one_s, 1),
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=RECIPES)
    asked = parser.parse_args()
    if asked.only:
        print(json.dumps(measure(asked.only)))
        return
    found = {}
    for name in RECIPES:
        done = subprocess.run([sys.executable, __file__, "--only", name], stdout=subprocess.PIPE, text=True, check=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
        print(name, found[name], file=sys.stderr)
    result = {
        "recipes": found,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "versions": {package: version(package) for package in ("keras", "numpy", "torch")},
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
