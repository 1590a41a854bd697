"""Models of others in the shapes in which they are published: converted, and compared with their own code.

    OMP_NUM_THREADS=1 python benchmarks/full_size_converters.py [CASE...]

writes benchmarks/results/full_size_converters.json after each case; where cases are named, the others stay. The
checkpoints have random weights and the layout of their authors. What each ought to answer is what the tests reckon for
small ones (`tests/small_*.py`): transformers' own classes, and for the others float64 written apart. Real speech of
five lengths, answered whole. `difference` is the largest of a probability or a dimension, `spread` how far the answers
to the five lengths differ among themselves: without that, agreement would mean nothing. Each case has a process of its
own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
RESULTS = ROOT / "benchmarks/results/full_size_converters.json"
LENGTHS_S, RATE_HZ = (0.5, 1.31, 3.0, 7.77, 20.0), 16_000

LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
LAYERED = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
SEW = {"conv_stride": (5, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1), "conv_kernel": (10, 3, 1, 3, 1, 3, 1, 3, 1, 2, 1, 2, 1)}
WHISPER = {
    "num_mel_bins": 80, "max_source_positions": 1500, "decoder_layers": 1, "vocab_size": 100, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "suppress_tokens": None,
    "begin_suppress_tokens": None,
}  # fmt: skip
# Kind of transformers, and what its published checkpoints have otherwise than its defaults.
TRANSFORMERS: dict[str, tuple[str, dict[str, Any]]] = {
    "HuBERT-base": ("Hubert", BASE),
    "HuBERT-large": ("Hubert", LARGE | LAYERED | {"conv_bias": True}),
    "wav2vec 2.0-large-robust": ("Wav2Vec2", LARGE | LAYERED | {"conv_bias": True}),
    "WavLM-base-plus": ("WavLM", BASE),
    "SEW-tiny": ("SEW", {"hidden_size": 512, "num_attention_heads": 8, "intermediate_size": 2048}),
    "SEW-D-tiny": ("SEWD", {"hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1536}),
    "AST": ("AST", {}),
    "Whisper-small": (
        "Whisper",
        WHISPER | {"d_model": 768, "encoder_layers": 12, "encoder_attention_heads": 12, "encoder_ffn_dim": 3072},
    ),
    "Wav2Vec2-BERT": ("Wav2Vec2Bert", {}),
}


def emotion2vec(sizes: dict[str, int]) -> Any:
    import small_emotion2vec as small
    from small_families import Case

    return Case(
        "emotion2vec",
        lambda folder: small.checkpoint(folder, sizes=sizes),
        lambda _, waveform: small.answer(sizes, small.LABELS, waveform),
        "model.pt",
    )


def transformers_case(kind: str, settings: dict[str, Any]) -> Any:
    import small_families
    import small_transformers as small

    small.CONFIGS[kind] = settings
    return small_families.transformers(lambda folder: small.checkpoint(folder, kind, small_families.IEMOCAP))


def own_head(settings: dict[str, Any], labels: tuple[str, ...], second: str) -> Any:
    import small_families
    import small_transformers

    small_transformers.SPEECH = settings
    return small_families.own_head(labels, second)


def speech(settings: dict[str, Any], make: Callable[[Any], Any], whisper: dict[str, Any] | None = None) -> Any:
    import small_families
    import small_speech as small

    small.SPEECH, small.WIDTH = settings, settings["hidden_size"]
    if whisper:
        small.WHISPER, small.WIDTH = small.WHISPER | whisper, whisper["d_model"]
    return make(small_families)


def cases() -> dict[str, Callable[[], Any]]:
    """{published shape: what makes its case}; each changes the sizes of the tests' modules, so one to a process."""
    import small_emotion2vec
    import small_families
    import small_sensevoice

    def sensevoice() -> Any:
        small, sizes = small_sensevoice, small_sensevoice.SMALL
        write = lambda folder: small.checkpoint(folder, sizes)  # noqa: E731
        return small_families.Case("sensevoice", write, lambda _, waveform: small.answer(sizes, waveform), "model.pt")

    large = small_emotion2vec.BASE | {"width": 1024, "heads": 16, "first": 8, "blocks": 16}
    turbo = {"d_model": 1280, "encoder_layers": 32, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120,
             "num_mel_bins": 128, "decoder_attention_heads": 20}  # fmt: skip
    odyssey_labels = __import__("small_speech").ODYSSEY_LABELS
    dimensions, iemocap = small_families.DIMENSIONS, small_families.IEMOCAP
    robust = LARGE | LAYERED | {"conv_bias": True}
    found: dict[str, Callable[[], Any]] = {
        "wav2small": lambda: small_families.CASES["wav2small"],
        "emotion2vec_plus_seed, _base": lambda: emotion2vec(small_emotion2vec.BASE),
        "emotion2vec_plus_large": lambda: emotion2vec(large),
        "SenseVoiceSmall": sensevoice,
        **{name: lambda of=of: transformers_case(*of) for name, of in TRANSFORMERS.items()},
        "audEERING, wav2vec 2.0-large-robust-12": lambda: own_head(
            robust | {"num_hidden_layers": 12}, dimensions, "out_proj"
        ),
        "wav2vec 2.0-large, two layers of its own": lambda: own_head(robust, iemocap, "output"),
        "Odyssey, labels": lambda: speech(LARGE, lambda small: small.odyssey(odyssey_labels)),
        "Odyssey, dimensions": lambda: speech(LARGE, lambda small: small.odyssey(dimensions, layers=2)),
        "SpeechBrain": lambda: speech(BASE, lambda small: small.speechbrain()),
        "Vox-Profile, WavLM-large": lambda: speech(LARGE, lambda small: small.vox_profile("wavlm_large", rank=16)),
        "Vox-Profile, Whisper-large-v3": lambda: speech(
            BASE, lambda small: small.vox_profile("whisper_large"), whisper=turbo
        ),
    }
    return found


def compare(name: str) -> dict[str, Any]:
    """The figures of one case, in this process."""
    import numpy as np
    import soundfile as sf
    from small_families import renamed

    from intonate.converters import convert
    from intonate.recognizer.recognizer import load_model

    # As in the tests: from where somebody speaks, for the shortest piece has to hold speech too.
    files = sorted((ROOT / "../shared/corpora/ravdess").rglob("*.flac"))[::97] or sorted(ROOT.glob("examples/*.flac"))
    clips = [sf.read(path, dtype="float32")[0] for path in files]
    sound = np.concatenate([clip[np.abs(clip).argmax() - 4_000 :] for clip in clips])
    case = cases()[name]()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "theirs"
        case.write(folder)
        begun = time.process_time()
        file = convert(folder, Path(place) / "made")
        convert_s = time.process_time() - begun
        megabytes = sum(path.stat().st_size for path in file.parent.glob(f"{file.name}*")) / 1e6
        recognizer, wanted, found = load_model(file), list[Mapping[str, float]](), list[Mapping[str, float]]()
        for seconds in LENGTHS_S:
            piece = np.resize(sound, round(seconds * RATE_HZ))
            answer = recognizer.predict((piece, RATE_HZ), whole=True)
            found.append({**answer.scores, **answer.dimensions})
            wanted.append(renamed(case.answer(folder, piece)))
    return {
        "family": case.family,
        "file_mb": round(megabytes, 1),
        "difference": max(
            abs(one[key] - right[key]) for one, right in zip(found, wanted, strict=True) for key in right
        ),
        "spread": max(float(np.ptp([right[key] for right in wanted])) for key in wanted[0]),
        "convert_processor_s": round(convert_s, 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(compare(sys.argv[2])))
        return
    names = sys.argv[1:] or list(cases())
    measured = json.loads(RESULTS.read_text(encoding="utf-8"))["cases"] if sys.argv[1:] and RESULTS.is_file() else {}
    packages = {name: version(name) for name in ("torch", "transformers", "onnxruntime", "numpy")}
    for name in names:
        done = subprocess.run([sys.executable, __file__, "--one", name], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            print(f"{name}: ended with {done.returncode}", file=sys.stderr, flush=True)
            continue
        measured[name] = json.loads(done.stdout.splitlines()[-1])
        print(name, measured[name], file=sys.stderr, flush=True)
        result = {"lengths_s": LENGTHS_S, "weights": "random", "packages": packages, "cases": measured}
        RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
