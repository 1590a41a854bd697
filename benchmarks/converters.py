"""Models of FunASR as its own package answers them, and as our files of them do: time, memory, start, and agreement.

    pip install funasr==1.4.16 kaldi-native-fbank     # beside the extra `train`; torchaudio is not needed
    python benchmarks/converters.py > benchmarks/results/converters.json

The checkpoints have the sizes of emotion2vec_plus_base and SenseVoice Small and random weights, in the layout in which
they are published. All get the same waveform in memory, on one thread, warm, in turns. Memory and start are those of a
process of its own: from its first line to its first answer. `difference` is the largest of a probability to funasr's,
over five lengths. `--keep DIR` leaves checkpoints and files there, for the next run.

Products of float32 reach 104 thousand million operations a second on a core of the machine that the kept results are
of, and a clip of 3 s takes 41 thousand million with emotion2vec base, 25 with SenseVoice: nothing that computes in
float32 there can be quicker than 0.39 and 0.24 s.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile as sf

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
RATE_HZ, SECONDS, LENGTHS_S, ROUNDS = 16_000, 3.0, (0.5, 1.31, 3.0, 7.77, 20.0), 9


def sound(seconds: float) -> np.ndarray:
    # From where somebody speaks: the shortest piece has to hold speech too.
    files = sorted((ROOT / "../shared/corpora/ravdess").rglob("*.flac"))[::97] or sorted(ROOT.glob("examples/*.flac"))
    clips = [sf.read(path, dtype="float32")[0] for path in files]
    waveform = np.concatenate([clip[np.abs(clip).argmax() - 4_000 :] for clip in clips])
    return np.resize(waveform, round(seconds * RATE_HZ))


def funasr_of(folder: Path) -> Callable[[np.ndarray], Mapping[str, float]]:
    import torch

    torch.set_num_threads(1)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        from funasr import AutoModel

        quiet = {"disable_update": True, "disable_pbar": True, "disable_log": True}
        model = AutoModel(model=str(folder), device="cpu", ncpu=1, **quiet)

    def answer(waveform: np.ndarray) -> Mapping[str, float]:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            (found,) = model.generate(waveform, granularity="utterance", extract_embedding=False)
        if "scores" in found:
            return dict(zip(found["labels"], found["scores"], strict=True))
        # SenseVoice writes the likeliest tag only; what it was chosen by is taken on the way.
        return small_sensevoice.shares(small_sensevoice.SMALL, kept[-1], small_sensevoice.EMOTIONS)

    kept: list[np.ndarray] = []
    if hasattr(model.model, "ctc"):
        import small_sensevoice

        # The second place of the first clip, as float64.
        model.model.ctc.ctc_lo.register_forward_hook(lambda _, __, made: kept.append(made[0, 1].double().numpy()))
    return answer


def ours_of(file: Path) -> Callable[[np.ndarray], Mapping[str, float]]:
    from intonate import load_model

    model = load_model(file)
    return lambda waveform: model.predict((waveform, RATE_HZ)).scores


def start(which: str, path: Path) -> None:
    """In a process of its own: one answer, then how long it took since the first line and what memory it had."""
    waveform = sound(SECONDS)
    begun, begun_own = time.perf_counter(), time.process_time()
    (funasr_of if which == "funasr" else ours_of)(path)(waveform)
    # Not of `getrusage`: there a new process begins with the peak of the one that started it.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    kilobytes = int(status["VmHWM"].split()[0])
    start = {"start_s": time.perf_counter() - begun, "start_processor_s": time.process_time() - begun_own}
    print(json.dumps(start | {"peak_mb": kilobytes / 1024}))


def process(which: str, path: Path, starts: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--start", which, str(path)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(starts)]
    found = [json.loads(run.splitlines()[-1]) for run in runs]
    return {key: float(np.median([one[key] for one in found])) for key in found[0]}


def made(folder: Path, write: Callable[[Path], Path]) -> dict[str, Path]:
    """The checkpoint that `write` makes, and our files of it, in a folder; those that are there already stay."""
    from intonate.converters import convert
    from intonate.export.quantize import quantized

    theirs = folder if folder.exists() else write(folder)
    ours = folder.with_name(f"{folder.name}-made")
    whole, rounded = ours / f"{folder.name}.onnx", ours / f"{folder.name}-int8.onnx"
    whole = whole if whole.exists() else convert(theirs, ours)
    return {
        "funasr": theirs,
        "float32": whole,
        "int8": rounded if rounded.exists() else quantized(whole, ours).path,
    }


def compare(folder: Path, write: Callable[[Path], Path], rounds: int, starts: int) -> dict[str, object]:
    """The figures of one checkpoint, which `write` makes in a folder."""
    from small_families import renamed

    paths = made(folder, write)
    answers = {name: (funasr_of if name == "funasr" else ours_of)(path) for name, path in paths.items()}
    # Of the processor and not of the clock: others may be at work on this machine.
    times_s: dict[str, list[float]] = {name: [] for name in paths}
    waveform = sound(SECONDS)
    for number in range(-1, rounds):
        for name, answer in answers.items():
            begun = time.process_time()
            answer(waveform)
            if number >= 0:
                times_s[name].append(time.process_time() - begun)
    medians_ms = {name: round(1000 * float(np.median(own)), 1) for name, own in times_s.items()}
    print(medians_ms, file=sys.stderr, flush=True)
    scores = {name: [dict(answer(sound(seconds))) for seconds in LENGTHS_S] for name, answer in answers.items()}
    wanted = [renamed(one) for one in scores["funasr"]]
    # How much the answers differ among the lengths: without that, agreement would mean nothing.
    result: dict[str, object] = {"spread": max(np.ptp([one[label] for one in wanted]) for label in wanted[0])}
    for name, path in paths.items():
        own = wanted if name == "funasr" else scores[name]
        apart = [abs(one[label] - right[label]) for one, right in zip(own, wanted, strict=True) for label in right]
        result[name] = {
            "processor_ms": medians_ms[name],
            "quicker": float(np.median(times_s["funasr"]) / np.median(times_s[name])),
            "difference": max(apart),
            **process(name, path, starts),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--starts", type=int, default=3, help="processes for memory and start, of which the median")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave checkpoints and files here; 2 GB")
    parser.add_argument("--only", choices=("emotion2vec_base", "sensevoice_small"), help="one of the two")
    parser.add_argument("--start", nargs=2, metavar=("WHICH", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.start:
        start(options.start[0], Path(options.start[1]))
        return
    import small_emotion2vec
    import small_sensevoice

    sizes = {
        "emotion2vec_base": lambda folder: small_emotion2vec.checkpoint(folder, sizes=small_emotion2vec.BASE),
        "sensevoice_small": lambda folder: small_sensevoice.checkpoint(folder, small_sensevoice.SMALL),
    }
    result: dict[str, object] = {"audio_s": SECONDS, "lengths_s": LENGTHS_S}
    with tempfile.TemporaryDirectory() as place:
        for name, write in sizes.items():
            if options.only in (None, name):
                folder = (options.keep or Path(place)) / name
                result[name] = compare(folder, write, options.rounds, options.starts)
    packages = {name: version(name) for name in ("funasr", "torch", "onnxruntime", "numpy")}
    print(json.dumps(result | {"machine": platform.machine(), "packages": packages}, indent=2))


if __name__ == "__main__":
    main()
