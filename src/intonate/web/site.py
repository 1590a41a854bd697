"""Write the folder: the page, the models with their front ends in the graph, the runtime.

OUT/index.html, *.js, *.css      the page
OUT/models.json                  what the models are; it marks the folder as one that may be written again
OUT/models/NAME.onnx             samples in, probabilities out (`export/waveform.py`)
OUT/runtime/                     ONNX Runtime Web
OUT/sw.js                        keeps all of it in the browser, for use without a network
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from intonate import __version__
from intonate.errors import ModelError, PageError
from intonate.export.waveform import MOMENTS, waveform_graph
from intonate.recognizer import builtin
from intonate.recognizer.model_file import ModelFile, read_model
from intonate.web import page
from intonate.web.runtime import copy_runtime

# Small, and the first visit stays under 20 MB with it.
DEFAULT = "compact"
MARK = "models.json"
# The cleaning steps that static/clean.js has.
STEPS = frozenset(("dc", "high_pass", "loudness", "pre_emphasis", "trim"))


def write_site(out: str | Path, models: Sequence[str] = (), runtime: str | Path | None = None) -> Path:
    """Write the folder, aside at first: an older one is there until the new one is complete.

    Args:
        out: the folder; new, empty, or written by this function.
        models: built-in names or model files, the first one chosen at first; none for `compact`.
        runtime: a folder that holds ONNX Runtime Web; None to let npm fetch it.

    Returns:
        The folder.

    Raises:
        PageError: the folder holds something else, or there is no runtime.
        ModelError: a model cannot answer in a browser.
    """
    out = Path(out)
    _refuse_foreign(out)
    files = [read_model(builtin.path_of(model)) for model in models or (DEFAULT,)]
    for file in files:
        _refuse_unheard(file)
    if len({file.spec.name for file in files}) < len(files):
        raise ModelError(f"two of the models are called {files[0].spec.name!r}; give each one once")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".intonate-web-") as folder:
        folder_made = Path(folder) / "site"
        _fill(folder_made, files, None if runtime is None else Path(runtime))
        if out.exists():
            out.replace(Path(folder) / "old")
        folder_made.replace(out)
    return out


def _refuse_foreign(out: Path) -> None:
    if out.is_file():
        raise PageError(f"{out} is a file; give a folder for the page")
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise PageError(f"{out} holds something else and is left alone; give a new folder for the page")


def _refuse_unheard(file: ModelFile) -> None:
    spec = file.spec
    if unknown_steps := [entry["step"] for entry in spec.clean if entry["step"] not in STEPS]:
        raise ModelError(
            f"model {spec.name!r} cleans its sound by {unknown_steps[0]!r}, which the page cannot; "
            f"it can {', '.join(sorted(STEPS))}"
        )


def _fill(folder: Path, files: Sequence[ModelFile], runtime: Path | None) -> None:
    (folder / "models").mkdir(parents=True)
    copy_runtime(folder / "runtime", runtime)
    entries = []
    for file in files:
        graph = waveform_graph(file, optional_speaker=False)
        _save_optimised(graph, folder / "models" / f"{file.spec.name}.onnx")
        entries.append(_entry(file, graph))
    for name, source in page.scripts().items():
        shutil.copyfile(source, folder / name)
    size = sum(path.stat().st_size for path in [*folder.glob("models/*"), *folder.glob("runtime/*.wasm")])
    listing = {"intonate": __version__, "bytes": size, "models": entries}
    (folder / MARK).write_text(json.dumps(listing, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sentences = [f"Model {file.spec.name}: {file.spec.licence or 'licence not given'}." for file in files]
    (folder / "index.html").write_text(page.html(sentences), encoding="utf-8")
    (folder / "sw.js").write_text(page.service_worker(folder), encoding="utf-8")


def _save_optimised(graph: Any, path: Path) -> None:
    """Write a graph as onnxruntime would run it: a phone that did this at every visit took twice as long to be ready.

    "Extended" keeps to operators that every build of onnxruntime has; what comes after suits this processor only.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 4
    onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _entry(file: ModelFile, graph: Any) -> dict[str, Any]:
    """What the page must know of a model."""
    spec = file.spec
    moments = {
        entry.name: entry.type.tensor_type.shape.dim[1].dim_value
        for entry in graph.graph.input
        if entry.name.endswith(MOMENTS)
    }
    return {
        "name": spec.name,
        "file": f"models/{spec.name}.onnx",
        "labels": list(spec.labels),
        "multi_label": spec.multi_label,
        "dimensions": list(spec.dimensions),
        "licence": spec.licence,
        "sample_rate_hz": spec.sample_rate_hz,
        "clean": [dict(entry) for entry in spec.clean],
        "pool": {"longest_s": spec.pool.longest_s, "window_s": spec.pool.window_s, "hop_s": spec.pool.hop_s},
        "abstain_below": spec.abstain_below,
        "unsure_below_s": spec.unsure_below_s,
        "moments": moments,
    }
