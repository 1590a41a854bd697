#!/usr/bin/env bash
# soundfile 0.14.0 (libsndfile 1.2.2): an MP3 that is read in blocks is another sound than the same file read at once, off by
# up to 0.15 of full scale behind each block, with "part2_3_length … too large" from libmpg123 on standard error and no
# exception. After each read soundfile sets the place of a file that can seek anew; libmpg123 then lacks what earlier frames
# hold of the next one (the bit reservoir). Blocks of whole frames (1,152 samples), or a file that says it cannot seek, are
# right, and so does intonate read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 soundfile==0.14.0
"$folder/env/bin/python" -W ignore - 2> "$folder/said" <<'PYTHON' || { grep -v libmpg123 "$folder/said"; exit 1; }
import io

import numpy as np
import soundfile

rate = 16_000
time = np.arange(12 * rate) / rate
phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * time)) / rate
syllables = 0.2 + 0.8 * (np.sin(2 * np.pi * 2.3 * time) > 0)
voice = 0.1 * syllables * sum(np.sin(k * phase) / k for k in range(1, 25))
sound = (voice + np.random.default_rng(0).normal(0, 0.01, len(time))).astype(np.float32)
file = io.BytesIO()
soundfile.write(file, sound, rate, "MPEG_LAYER_III", format="MP3", compression_level=0.5)
whole, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")
print("soundfile", soundfile.__version__, "on", soundfile.__libsndfile_version__)
off = {}
for size in (1_024, 1_152, 4_096):
    blocks = np.concatenate(list(soundfile.blocks(io.BytesIO(file.getvalue()), size, dtype="float32")))
    difference = np.abs(blocks - whole[: len(blocks)])
    off[size] = float(difference.max())
    print(f"blocks of {size:,}: {(difference > 1e-3).sum():,} of {len(whole):,} samples differ, by {off[size]:.3f} at most")
if off[1_024] < 0.02 or off[4_096] < 0.02 or off[1_152] > 1e-5:
    raise SystemExit("changed: expected other samples in blocks of 1,024 and 4,096, and the same in blocks of 1,152")
PYTHON
grep -q "too large for available bit count" "$folder/said" || { echo "changed: libmpg123 says nothing"; exit 1; }
echo "libmpg123 on standard error: $(grep -c libmpg123 "$folder/said") lines"
echo "as described"
