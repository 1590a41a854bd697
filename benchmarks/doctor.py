"""What the doctor finds: planted copies in EMO-DB, false alarms on it as it is, and its time on five corpora.

    python benchmarks/doctor.py CORPORA > benchmarks/results/doctor.json      # the folder with emodb, ravdess…

Every clip of EMO-DB gets one copy of each kind, under another name: an exact one as another lossless format; softer or
louder (a factor of 0.2 to 0.6, or 1.5); MP3 or Opus at the encoder's usual rate, or µ-law; moved by up to 50 ms; and
all of these at once. A copy is found where the doctor pairs it with its original.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from intonate import corpora
from intonate.audio.decode import load
from intonate.bench.confounds import confounds  # noqa: F401 - its libraries are loaded before the clock starts
from intonate.bench.doctor import examine
from intonate.schema import Utterance

RATE_HZ = 16_000
SHIFT_S = 0.05


def plant(waveform: np.ndarray, kind: str, path: Path, rng: np.random.Generator) -> Path:
    """Write a copy of one kind; which file it is."""
    sound = waveform
    if kind in ("shift", "everything"):
        samples = int(rng.uniform(-SHIFT_S, SHIFT_S) * RATE_HZ)
        sound = sound[samples:] if samples > 0 else np.concatenate([np.zeros(-samples, np.float32), sound])
    if kind in ("gain", "everything"):
        sound = np.clip(sound * rng.choice([rng.uniform(0.2, 0.6), 1.5]), -1, 1)
    formats = {"exact": ("wav", None), "mp3": ("mp3", None), "opus": ("opus", "OPUS"), "telephone": ("wav", "ULAW")}
    suffix, subtype = formats.get(kind, ("mp3", None) if kind == "everything" else ("wav", None))
    target = path.with_suffix(f".{suffix}")
    if kind == "telephone":
        sound = load((sound, RATE_HZ), 8_000)
    form = {"mp3": "MP3", "opus": "OGG", "wav": "WAV"}[suffix]
    soundfile.write(target, sound, 8_000 if kind == "telephone" else RATE_HZ, format=form, subtype=subtype)
    return target


def main(root: Path) -> None:
    emodb = corpora.read("emodb", root / "emodb").utterances
    clean = examine(emodb)
    wrong = [item for item in clean.findings if item.kind in ("exact copy", "near copy", "overlap")]
    result: dict[str, object] = {
        "emodb": {"clips": len(emodb), "faults": clean.faults, "false_copies": len(wrong)},
        "planted": {},
    }
    rng = np.random.default_rng(0)
    for kind in ("exact", "gain", "shift", "mp3", "opus", "telephone", "everything"):
        with tempfile.TemporaryDirectory() as folder:
            copy_of = {}
            for row, utterance in enumerate(emodb):
                target = plant(load(utterance.path, RATE_HZ), kind, Path(folder) / f"{row:05d}", rng)
                copy_of[str(target)] = utterance.path
            rows = [*emodb, *(Utterance(path, "neutral", "", "", "planted") for path in copy_of)]
            pairs = {
                frozenset(item.files)
                for item in examine(rows).findings
                if item.kind in (("exact copy",) if kind == "exact" else ("exact copy", "near copy"))
            }
        right = {frozenset(pair) for pair in copy_of.items()}
        result["planted"][kind] = {  # type: ignore[index]
            "copies": len(right),
            "found": len(right & pairs),
            "other_pairs": len(pairs - right),
        }
    names = [name for name in ("ravdess", "emodb", "banglaser", "tess", "nemo") if (root / name).is_dir()]
    everything = [row for name in names for row in corpora.read(name, root / name).utterances]
    began, cpu = time.perf_counter(), time.process_time()
    examination = examine(everything)
    result["corpora"] = {
        "names": names,
        "clips": len(everything),
        "wall_s": round(time.perf_counter() - began, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "cores": os.cpu_count(),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "findings": {
            kind: sum(item.kind == kind for item in examination.findings)
            for kind in sorted({item.kind for item in examination.findings})
        },
        "copies": [
            [Path(file).relative_to(root).as_posix() for file in item.files] + [item.sentence]
            for item in examination.findings
            if item.kind in ("exact copy", "near copy", "overlap")
        ],
    }
    json.dump(result, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
