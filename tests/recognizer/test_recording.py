"""Windows over blocks are the windows over the whole; what is read twice."""

import contextlib
import io
import os
import threading

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from intonate.audio import decode
from intonate.audio.segments import windows as cut
from intonate.recognizer import recording
from intonate.schema import Pool

RATE_HZ = 1000


@given(samples=st.integers(1, 400), block=st.integers(1, 120), hop=st.integers(1, 50))
def test_the_same_cuts_without_knowing_the_length(samples, block, hop):
    waveform = np.arange(samples, dtype=np.float32)
    pool = Pool(window_s=50 / RATE_HZ, hop_s=hop / RATE_HZ)
    blocks = (waveform[start : start + block] for start in range(0, samples, block))
    found = list(recording.windows(blocks, RATE_HZ, pool))
    wanted = cut(samples, RATE_HZ, pool.window_s, pool.hop_s)
    assert [(round(start_s * RATE_HZ), round(start_s * RATE_HZ) + len(window)) for start_s, window in found] == wanted
    for (start, end), (_, window) in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(window, waveform[start:end])


@pytest.mark.parametrize(("duration_s", "short"), [(0.5, True), (6.0, True), (6.1, False), (20.0, False)])
def test_short_is_whole(duration_s, short):
    waveform = np.random.default_rng(0).normal(size=round(duration_s * 16_000)).astype(np.float32)
    whole, blocks = recording.open_recording((waveform, 16_000), 16_000, Pool(longest_s=6.0))
    assert (whole is not None) == short
    np.testing.assert_array_equal(np.concatenate(list(blocks)), waveform)


@pytest.mark.parametrize("is_path", [True, False])
def test_a_pipe_can_be_read_twice_under_its_own_name(is_path, tmp_path):
    sound = io.BytesIO()
    soundfile.write(sound, np.random.default_rng(0).uniform(-0.5, 0.5, 1000), 16_000, format="WAV")
    path = tmp_path / "a pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[sound.getvalue()], daemon=True)
    writer.start()
    with contextlib.nullcontext(path) if is_path else path.open("rb") as pipe:
        source = recording.repeatable(pipe)
    assert isinstance(source, recording.Sound)
    assert recording.repeatable(source) is source
    assert recording.file_of(source) == str(path)
    for _ in range(2):
        np.testing.assert_array_equal(decode.load(source, 16_000), decode.load(sound.getvalue(), 16_000))


@pytest.mark.parametrize("source", ["no such file", ".", __file__, b"", io.BytesIO(), recording.Sound(__file__)])
def test_what_can_be_read_twice_or_not_at_all_stays_as_it_is(source):
    assert recording.repeatable(source) is source
