#!/usr/bin/env bash
# FFmpeg 8 (libavformat 62, in PyAV 18.1.0): it writes AAC into WAV, with the frames' lengths nowhere in the file, and reads it
# back in packets of its own length, which hold several frames or pieces of one. Of each packet it decodes the first frame,
# then the next packet's beginning is taken for a frame's: an error, or sound that was never there. The container tells the
# right duration and the encoder complains of nothing. Seen: ten seconds written, under one read back, whether the faulty
# packets end the reading or are left out. intonate finds the frames by itself and hears the whole.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.2
"$folder/env/bin/python" - <<'PYTHON'
import io

import av
import numpy as np

RATE, SECONDS, FRAME = 16_000, 10, 1024
sine = (0.3 * 32767 * np.sin(2 * np.pi * 440 * np.arange(RATE * SECONDS) / RATE)).astype("<i2")


def written(container_format: str) -> io.BytesIO:
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        resampler = av.AudioResampler("fltp", "mono", RATE)
        for start in range(0, len(sine), FRAME):
            frame = av.AudioFrame.from_ndarray(sine[None, start : start + FRAME], format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            for planar in resampler.resample(frame):
                container.mux(stream.encode(planar))
        container.mux(stream.encode(None))
    file.seek(0)
    return file


def seconds_read(file: io.BytesIO) -> tuple[float, float, int]:
    """Seconds promised, seconds decoded (faulty packets left out), and how many were faulty."""
    samples, faulty = 0, 0
    with av.open(file) as container:
        stream = container.streams.audio[0]
        promised = float(stream.duration * stream.time_base)
        for packet in container.demux(stream):
            try:
                samples += sum(frame.samples for frame in packet.decode())
            except av.FFmpegError:
                faulty += 1
    return promised, samples / RATE, faulty


print("PyAV", av.__version__, "libavformat", ".".join(map(str, av.library_versions["libavformat"])))
mp4, wav = seconds_read(written("mov")), seconds_read(written("wav"))
print("in MOV: %.2f s promised, %.2f s read, %d faulty packets" % mp4)
print("in WAV: %.2f s promised, %.2f s read, %d faulty packets" % wav)
if mp4[1] < SECONDS or mp4[2] or wav[0] < SECONDS or wav[1] > 0.2 * SECONDS:
    raise SystemExit("changed: expected the whole out of MOV, and a small part out of WAV")
print("as described")
PYTHON
