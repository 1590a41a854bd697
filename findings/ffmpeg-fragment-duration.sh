#!/usr/bin/env bash
# FFmpeg 8 (libavformat 62, in PyAV 18.1.0): of a fragmented MP4 that begins with a later fragment (a piece of a stream that
# goes on elsewhere: the header and the fragments from some second on), the stream's `duration` is where it ends on the clock
# of the whole, and no length: whoever adds it to `start_time`, or compares it with what was decoded, misses seconds that were
# never there. With the first fragment in place the two are the same. Seen: a piece of 3.1 s that starts at 3.1 s has a
# duration of 6.2 s. intonate takes the start off where the header counts no frames.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.2
"$folder/env/bin/python" - <<'PYTHON'
import io
import struct

import av
import numpy as np

RATE, FRAME, FRAMES, FIRST = 16_000, 1024, 96, 3
OPTIONS = {"movflags": "empty_moov+default_base_moof", "frag_duration": "1000000"}


def fragmented() -> bytes:
    """Six seconds of a tone as MP4 in fragments of a second."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options=OPTIONS) as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        for start in range(0, FRAME * FRAMES, FRAME):
            tone = 0.3 * np.sin(np.arange(start, start + FRAME, dtype=np.float32) / 5)
            frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def parts(data: bytes) -> tuple[bytes, list[bytes]]:
    """The header, and the fragments (moof and mdat)."""
    header, fragments, place = b"", [], 0
    while place < len(data):
        size, kind = struct.unpack(">I4s", data[place : place + 8])
        box = data[place : place + size]
        if kind in (b"ftyp", b"moov"):
            header += box
        elif kind == b"moof":
            fragments.append(box)
        elif kind == b"mdat":
            fragments[-1] += box
        place += size
    return header, fragments


def seconds(data: bytes) -> tuple[float, float, float]:
    """When the stream starts, its duration, and how much sound is decoded."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        decoded = sum(frame.samples for frame in container.decode(stream)) / RATE
        return float(stream.start_time * stream.time_base), float(stream.duration * stream.time_base), decoded


print("PyAV", av.__version__, "libavformat", ".".join(map(str, av.library_versions["libavformat"])))
header, fragments = parts(fragmented())
whole, later = seconds(header + b"".join(fragments)), seconds(header + b"".join(fragments[FIRST:]))
for name, figures in (("whole", whole), ("later fragments", later)):
    print("%s: starts at %.2f s, duration %.2f s, %.2f s decoded" % (name, *figures))
start, duration, decoded = later
if abs(whole[1] - whole[2]) > 0.1 or start < 2 or abs(duration - (start + decoded)) > 0.1:
    raise SystemExit("changed: expected a duration that is the length of the whole, and of the later fragments their end")
print("as described")
PYTHON
