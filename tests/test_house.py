"""The house stands as drawn: imports point only down, modules stay small, and nothing phones home."""

import ast
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import tiny

SOURCE = Path(__file__).parents[1] / "src" / "intonate"
MODULES = sorted(SOURCE.rglob("*.py"))

# The rooms, from the ground up, as data flows through them: each may import from itself and from those before it.
ROOMS = (
    *(
        "errors",
        "catalogue",
        "model_spec",
        "schema",
        "emotions",
        "processes",
        "cancellation",
        "cache_folder",
        "onnx_session",
    ),
    *("audio", "features", "published", "transcripts", "recognizer", "augment", "explanation"),
    *("corpora", "models", "evaluation", "export", "converters", "training", "bench"),
    *("terminal", "service", "archive", "agents", "web"),
)
WORKSHOP = frozenset(("corpora", "models", "evaluation", "export", "converters", "training", "bench", "web"))
# The package itself and the command line open every door, lazily.
DOORS = frozenset(("__init__", "__main__", "cli", "cli_workshop"))
# What a room may import from outside the standard library: the product (all but the workshop) gets by with little.
NUMBERS = frozenset(("numpy",))
PUBLISHED = frozenset(("torch", "transformers"))
OUTSIDE = {
    **dict.fromkeys(
        ("errors", "catalogue", "model_spec", "schema", "emotions", "processes", "cancellation", "cache_folder"),
        NUMBERS,
    ),
    "onnx_session": frozenset(("onnxruntime",)),
    "features": NUMBERS | {"onnxruntime"},  # a front end may be a learnt one
    "audio": NUMBERS | {"soundfile", "soxr", "av"},
    "published": NUMBERS | PUBLISHED,  # weights for the workshop; the product reads names and conversions there
    "transcripts": NUMBERS,
    "recognizer": NUMBERS | {"onnxruntime", "rich", "tokenizers"},
    "augment": NUMBERS | {"soundfile"},
    "explanation": NUMBERS | {"rich"},
    "terminal": NUMBERS | {"rich", "typer"},
    "archive": NUMBERS | {"fsspec", "filelock", "pyarrow", "ray", "rich"},
    "service": NUMBERS | {"fastapi", "starlette", "uvicorn", "h11", "prometheus_client", "websockets"},
    "agents": NUMBERS | {"pipecat", "livekit"},
}


@functools.cache
def nodes(module):
    """Every node of a module's tree; three tests look at all of them."""
    return tuple(ast.walk(ast.parse(module.read_text())))


def imports(module):
    """(top-level package, room of the house or None) of every import, those inside functions too."""
    for node in nodes(module):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            top, _, rest = name.partition(".")
            yield top, rest.partition(".")[0] if top == "intonate" else None


def module_name(module):
    return ".".join(("intonate", *module.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


def imported(module, names):
    """The modules of the house that a module imports by name."""
    found = set()
    for node in nodes(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            # `from intonate.corpora import splits` wants the file; `import get`, the package itself.
            found |= inside if inside <= names.keys() else inside | {node.module}
    return found & names.keys() - {"intonate"}


def room_of(module):
    return module.relative_to(SOURCE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_only_down(module):
    room = room_of(module)
    if room in DOORS:
        return
    below = set(ROOMS[: ROOMS.index(room) + 1])
    if room not in WORKSHOP:
        below -= WORKSHOP
    for top, target in imports(module):
        if top == "intonate":
            assert target in below | {""} or target.startswith("__"), f"{module} ({room}) imports intonate.{target}"
        elif room in OUTSIDE and top not in sys.stdlib_module_names:
            assert top in OUTSIDE[room], f"{module} ({room}) imports {top}"


def test_no_imports_go_round():
    """Between files, too, those inside functions and for type checkers counted."""
    names = {module_name(module): module for module in MODULES}
    graph = {name: imported(module, names) - {name} for name, module in names.items() if room_of(module) not in DOORS}
    while leaves := [name for name, wanted in graph.items() if not wanted & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, f"imports go round among {', '.join(sorted(graph))}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_is_long(module):
    assert len(module.read_text().splitlines()) <= 400


def test_no_pickle_no_eval_and_no_assert():
    for module in MODULES:
        for node in nodes(module):
            assert not isinstance(node, ast.Assert), f"{module}:{node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), f"{module}:{node.lineno}"
        assert not {"pickle", "joblib", "dill", "cloudpickle"} & {top for top, _ in imports(module)}, module


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("house")
    tiny.write(folder / "tiny.onnx", tiny.spec())
    soundfile.write(folder / "clip.wav", tiny.speech(2.0), 16_000)
    return folder


def python(code, folder, **environment):
    """Run code in a new process, in `folder`, with hardly any environment; its standard output as JSON."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    kept["PYTHONPATH"] = str(SOURCE.parent)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


PREDICT = """
import json, sys
sys.argv = ["intonate", "predict", "clip.wav", "--model", "tiny.onnx"]
from intonate.cli import main
try:
    main()
except SystemExit as done:
    assert not done.code
"""


def test_predict_imports_nothing_heavy(clip):
    loaded = python(PREDICT + "print(json.dumps(sorted(sys.modules)))", clip)
    tops = {name.partition(".")[0] for name in loaded}
    heavy = {"torch", "sklearn", "scipy", "librosa", "pandas", "matplotlib", "transformers", "lightning", "onnx", "av"}
    heavy |= {"faster_whisper", "ctranslate2", "pocketsphinx", "huggingface_hub"}
    assert not tops & heavy
    assert "onnxruntime" in tops
    assert not {name.split(".")[1] for name in loaded if name.startswith("intonate.")} & WORKSHOP


def test_import_intonate_loads_nothing(clip):
    loaded = python("import json, sys, intonate; print(json.dumps(sorted(sys.modules)))", clip)
    assert not {"numpy", "onnxruntime", "typer", "rich", "intonate.schema"} & set(loaded)


def test_every_public_name_can_be_loaded():
    import intonate

    assert len(intonate.__all__) <= 10
    assert set(intonate.__all__) == set(intonate._HOMES)
    assert all(getattr(intonate, name) for name in intonate.__all__)


TYPED = """
import tempfile
import numpy as np
import intonate
model = intonate.load_model()
for source in (bytearray(9), memoryview(b""), tempfile.SpooledTemporaryFile(), tempfile.NamedTemporaryFile()):
    model.predict(source)
model.predict((np.zeros(9), np.int32(16_000)))
model.predict(intonate.Sound(tempfile.TemporaryFile(), raw="ulaw:8000"))
model.predict(9)  # type: ignore[arg-type]
intonate.load_modle()  # type: ignore[attr-defined]
"""


@pytest.mark.slow
def test_types_take_what_works_and_no_misspelt_name(tmp_path, monkeypatch):
    """What is wrong is found, or mypy would complain of an exception that it does not need."""
    api = pytest.importorskip("mypy.api")
    (tmp_path / "typed.py").write_text(TYPED)
    monkeypatch.setenv("MYPYPATH", str(SOURCE.parent))
    options = ["--strict", f"--cache-dir={tmp_path}", f"--config-file={SOURCE.parents[1] / 'pyproject.toml'}"]
    found, errors, _ = api.run([*options, str(tmp_path / "typed.py")])
    assert (found, errors) == ("Success: no issues found in 1 source file\n", "")


def test_nothing_phones_home(clip, tmp_path):
    """Telemetry is off before onnxruntime is imported, and the home folder stays empty. CI would hide it."""
    watch = """
import builtins, os, json
seen = []
real = builtins.__import__
def watching(name, *args, **kwargs):
    if name.partition(".")[0] == "onnxruntime" and not seen:
        seen.append(os.environ.get("ORT_DISABLE_TELEMETRY"))
    return real(name, *args, **kwargs)
builtins.__import__ = watching
"""
    home = tmp_path / "home"
    home.mkdir()
    show = "print(json.dumps([seen, 'CI' in os.environ]))"
    seen, in_ci = python(watch + PREDICT + show, clip, HOME=str(home), USERPROFILE=str(home))
    assert (seen, in_ci) == (["1"], False)
    assert list(home.rglob("*")) == []


def test_a_user_can_still_say_otherwise(clip):
    code = "import intonate, os, json; print(json.dumps(os.environ['ORT_DISABLE_TELEMETRY']))"
    assert python(code, clip, ORT_DISABLE_TELEMETRY="0") == "0"
