"""How long a training step waits for its batch, with cached features.

    python benchmarks/loader.py [RECIPE] [KEY=VALUE...] > benchmarks/results/loader.json

Needs the corpora of the recipe (recipes/compact-ravdess.yaml: the built-in architecture on RAVDESS; its first fold is
taken). The network runs on the processor, in one thread, in the recipe's precision. Medians over STEPS steps:

make_ms   a batch made by itself, with nothing else going on
step_ms   forward, backward, gradient clipped, optimiser, on batches that are there
wait_ms   in the loop of a training, which makes the next batch in a thread meanwhile: until the batch is there
loop_ms   a whole turn of that loop

Their processor times are told as well: they mean something on a busy machine, too.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np
import torch

from intonate.schema import ModelInput
from intonate.training import batches, data, input_statistics, jobs, network, sources
from intonate.training.module import Classifier
from intonate.training.recipe import load

# The first ones are slower: pages are read from disk, memory is asked for.
WARM_UP, STEPS = 5, 40


def first_fold(recipe: Any) -> tuple[batches.Clips, Callable[[Any], None]]:
    """The clips of the first fold, and what is done with a batch of them."""
    utterances = data.with_labels(sources.read(recipe), recipe.data.labels)
    _, split, seed = jobs.jobs_of(recipe, utterances)[0]
    examples = data.prepare(utterances, recipe.data.labels, data.by_recipe(recipe), cache=recipe.data.cache)
    statistics = input_statistics.measure(examples, split.train, recipe)
    inputs = [
        ModelInput(name, item.front_end, item.params, normalisation=statistics[name])
        for name, item in recipe.inputs.items()
    ]
    module = Classifier(network.build(recipe, examples).train(), recipe.training, 1000, np.array([]), seed)
    module.log = lambda *args, **kwargs: None  # there is no trainer that would keep it
    optimizer = torch.optim.AdamW(module.parameters(), lr=recipe.training.learning_rate)

    def step(batch: Any) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.training.precision == "bf16"):
            loss = module.training_step(batch, 0)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), recipe.training.clip_gradient)
        optimizer.step()

    return batches.Clips(examples, split.train, inputs, recipe, training=True, seed=seed), step


def time_batches(things: Iterable[Any], work: Callable[[Any], None], clock: Callable[[], float]) -> tuple[float, float]:
    """Median ms until the next thing is there, and of the work on it."""
    waited, worked = [], []
    source = iter(things)
    for _ in range(WARM_UP + STEPS):
        begun = clock()
        thing = next(source)
        waited.append(clock() - begun)
        begun = clock()
        work(thing)
        worked.append(clock() - begun)
    return tuple(1000 * statistics.median(times[WARM_UP:]) for times in (waited, worked))  # type: ignore[return-value]


def epochs(loader: Iterable[Any], draw: batches.EpochSampler) -> Iterable[Any]:
    for epoch in range(1000):
        draw.set_epoch(epoch)
        yield from loader


def main() -> None:
    torch.set_num_threads(1)
    path = sys.argv[1] if len(sys.argv) > 1 else "recipes/compact-ravdess.yaml"
    recipe = load(path, sys.argv[2:])
    clips, step = first_fold(recipe)
    draw = batches.EpochSampler(clips, recipe.training.balance, recipe.training.batch_size)
    given: dict[str, Any] = {"sampler": draw, "collate_fn": batches.collate, "drop_last": True}
    given["batch_size"] = recipe.training.batch_size
    at_once = torch.utils.data.DataLoader(clips, **given)
    there = list(islice(epochs(at_once, draw), WARM_UP + STEPS))
    make_ms, _ = time_batches(epochs(at_once, draw), lambda batch: None, time.perf_counter)
    make_processor_ms, _ = time_batches(epochs(at_once, draw), lambda batch: None, time.thread_time)
    _, step_ms = time_batches(there, step, time.perf_counter)
    _, step_processor_ms = time_batches(there, step, time.thread_time)
    wait_ms, work_ms = time_batches(epochs(batches.Loader(clips, **given), draw), step, time.perf_counter)
    result = {
        "recipe": path,
        "clips": len(clips),
        "batch_size": recipe.training.batch_size,
        "make_ms": round(make_ms, 1),
        "step_ms": round(step_ms, 1),
        "make_processor_ms": round(make_processor_ms, 1),
        "step_processor_ms": round(step_processor_ms, 1),
        "make_share": round(make_processor_ms / step_processor_ms, 3),
        "wait_ms": round(wait_ms, 2),
        "loop_ms": round(wait_ms + work_ms, 1),
        "wait_share": round(wait_ms / (wait_ms + work_ms), 4),
        "processors": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
