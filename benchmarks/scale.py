"""From the measured speed of archives to a plan for many hours: nodes, shards, network, failures, cost.

    python benchmarks/scale.py --write         # the table of docs/scale.md
    python benchmarks/scale.py [--hours 1e6] [--days 7] [--cores 32] [--core-hour 0.04] [--mtbf 200]

Reads benchmarks/results/archive.json. Speed by core is that of the longest run measured; a plan for more cores takes
for granted that cores are alike and that the store keeps up with what `network` says. A lost worker repeats its shard:
a simulation draws when workers are lost (exponential, each once in `--mtbf` hours) and counts it.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
from zoo import ROOT, with_table

from intonate.archive.shards import LONGEST_S

RESULTS = Path(__file__).parent / "results/archive.json"
# Opus of a call centre, and PCM of 16 kHz: bits per second.
BITRATES = {"Opus, 24 kbit/s": 24_000, "PCM, 16 kHz": 256_000}
# Bytes of the table for a second of sound: RAVDESS's 1,440 clips (3.7 s each, one segment in a row) take 331,000.
TABLE_BYTES = 62


def repeated_share(shard_h: float, mtbf_h: float, shards: int = 20_000, seed: int = 0) -> float:
    """The share of work that is done again because a worker was lost on the way, simulated shard by shard."""
    rng = np.random.default_rng(seed)
    wasted = 0.0
    for _ in range(shards):
        while (lost_after := rng.exponential(mtbf_h)) < shard_h:
            wasted += lost_after
    return wasted / (shards * shard_h)


def plan(measured: dict, name: str, hours: float, days: float, cores: int, core_hour: float, mtbf_h: float) -> dict:
    """What so many hours of sound need."""
    per_core = measured[name]["times_real_time"] / measured["processes"]
    core_hours = hours / per_core
    found = {
        "times_real_time_per_core": round(per_core),
        "core_hours": round(core_hours),
        "cost": round(core_hours * core_hour),
        "cost_per_1000_hours": round(1000 / per_core * core_hour, 2),
        f"nodes of {cores} cores for {days:g} days": math.ceil(core_hours / (24 * days * cores)),
        "memory_per_node_GiB": round(cores * measured[name]["worker_peak_mib"] / 1024, 1),
        "table_GB": round(hours * 3600 * TABLE_BYTES / 1e9),
    }
    sound_h = LONGEST_S / 3600  # of a shard
    for what, rate in BITRATES.items():
        shard_h = sound_h / per_core
        found[what] = {
            "store_TB": round(hours * 3600 * rate / 8 / 1e12, 1),
            "network_per_node_MB_s": round(cores * per_core * rate / 8 / 1e6, 1),
            "shards": math.ceil(hours / sound_h),
            "shard_minutes": round(60 * shard_h, 1),
            "repeated_percent": round(100 * repeated_share(shard_h, mtbf_h), 3),
        }
    return found


RUNS = {"compact": "archive compact, twice the files", "standard": "archive standard"}
MILLION = {"hours": 1e6, "days": 7.0, "cores": 32, "core_hour": 0.04, "mtbf_h": 200.0}


def plan_table() -> str:
    """The plan for a million hours, as a table."""
    measured = json.loads(RESULTS.read_text(encoding="utf-8"))
    plans = {name: plan(measured, run, **MILLION) for name, run in RUNS.items()}
    opus, pcm = BITRATES
    rows = {
        "× real time, one core": lambda one: f"{one['times_real_time_per_core']:,}",
        "core hours": lambda one: f"{one['core_hours']:,}",
        "cost of 1,000 hours at 0.04 a core hour": lambda one: f"{one['cost_per_1000_hours']:.2f}",
        "nodes of 32 cores, for one week": lambda one: f"{one['nodes of 32 cores for 7 days']}",
        "memory of a node, GiB": lambda one: f"{one['memory_per_node_GiB']}",
        "network of a node, Opus of 24 kbit/s, MB/s": lambda one: f"{one[opus]['network_per_node_MB_s']}",
        "network of a node, PCM of 16 kHz, MB/s": lambda one: f"{one[pcm]['network_per_node_MB_s']}",
        "shards of long recordings, four hours each (minutes)": lambda one: (
            f"{one[opus]['shards']:,} ({one[opus]['shard_minutes']})"
        ),
        "done twice, a worker lost each 200 h, %": lambda one: f"{one[opus]['repeated_percent']}",
        "the table, of short clips, GB": lambda one: f"{one['table_GB']}",
    }
    lines = [f"| a million hours | {' | '.join(f'`{name}`' for name in plans)} |", "| --- | ---: | ---: |"]
    lines += [f"| {what} | {' | '.join(text(one) for one in plans.values())} |" for what, text in rows.items()]
    return "\n".join(lines)


TABLES = {"docs/scale.md": ("plan", plan_table)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1e6)
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--cores", type=int, default=32)
    parser.add_argument("--core-hour", type=float, default=0.04, help="price of one, e.g. in dollars")
    parser.add_argument("--mtbf", type=float, default=200, help="hours that a worker lives, in the mean")
    parser.add_argument("--write", action="store_true", help="write the table of docs/scale.md")
    given = parser.parse_args()
    if given.write:
        page = ROOT / "docs/scale.md"
        page.write_text(with_table(page.read_text(encoding="utf-8"), "plan", plan_table()), encoding="utf-8")
        return
    measured = json.loads(RESULTS.read_text(encoding="utf-8"))
    options = (given.hours, given.days, given.cores, given.core_hour, given.mtbf)
    print(json.dumps({model: plan(measured, run, *options) for model, run in RUNS.items()}, indent=2))


if __name__ == "__main__":
    main()
