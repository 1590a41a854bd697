"""How big the core install is, and how soon it answers: measured on a new virtual environment with nothing else in it.

    python benchmarks/start_up.py > benchmarks/results/start_up.json
    python benchmarks/start_up.py -c constraints.txt            # with the versions that are tested: options are pip's

Makes the environment in a temporary folder (pip needs its packages: network or a cache), then starts new processes,
interleaved, with a warm disk cache. Run it on an idle machine.
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
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 10
# These come with the virtual environment, not with intonate.
NOT_OURS = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence.pth", "wheel", "__pycache__")


def seconds(command: list[str]) -> float:
    """Wall-clock time of a process from its start to its end."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return time.perf_counter() - start


def size_mb(site_packages: Path) -> float:
    """Megabytes (10^6 bytes) of everything that the install brought, compiled modules included."""
    ours = [path for path in site_packages.iterdir() if not path.name.partition("-")[0].startswith(NOT_OURS)]
    files = [file for path in ours for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / ("Scripts" if os.name == "nt" else "bin")
        python = str(programs / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", *sys.argv[1:], str(ROOT)], check=True, stdout=sys.stderr)
        site_packages = subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        )
        commands = {
            "bare": [python, "-c", "pass"],
            "import": [python, "-c", "import intonate"],
            "predict": [str(programs / "intonate"), "predict", "examples/neutral.flac"],
        }
        for command in commands.values():
            seconds(command)  # warms the disk cache
        times = {name: [] for name in commands}
        for _ in range(REPEATS):
            for name, command in commands.items():
                times[name].append(seconds(command))
        median = {name: statistics.median(values) for name, values in times.items()}
        result = {
            "core_install_mb": round(size_mb(Path(site_packages.strip())), 1),
            "import_beyond_bare_python_s": round(median["import"] - median["bare"], 4),
            "predict_new_process_s": round(median["predict"], 4),
            "bare_python_s": round(median["bare"], 4),
            "times_s": {name: [round(value, 4) for value in values] for name, values in times.items()},
            "python": platform.python_version(),
            "machine": platform.machine(),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
