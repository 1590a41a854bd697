"""Windows become segments by the rule that `timeline.py` states."""

import itertools

import numpy as np
import pytest
import tiny

from intonate.recognizer.timeline import Window, segments_of
from intonate.schema import Pool

LABELS = ("happy", "sad")


def scores_of(probabilities):
    return dict(sorted(zip(LABELS, probabilities.tolist(), strict=True), key=lambda item: -item[1]))


def spec(hop_s, abstain_below=0.0, **changes):
    return tiny.spec(labels=LABELS, pool=Pool(hop_s=hop_s), abstain_below=abstain_below, **changes)


def window(start_s, happy, *, length_s=2.0, speech=True):
    frames = np.full(round(length_s * 100), speech)
    return Window(start_s, start_s + length_s, frames, np.array([happy, 1 - happy]) if speech else None)


def shape(segments):
    return [(segment.start_s, segment.end_s, segment.label) for segment in segments]


def test_a_stretch_has_the_mean_of_the_windows_that_cover_it():
    found = segments_of([window(0, 0.9), window(1, 0.3), window(2, 0.1)], spec(1.0, 0.0), scores_of)
    # 0-1: .9; 1-2: (.9 + .3) / 2; 2-3: (.3 + .1) / 2; 3-4: .1
    assert shape(found) == [(0.0, 2.0, "happy"), (2.0, 4.0, "sad")]
    assert found[0].scores["happy"] == pytest.approx((0.9 + 0.6) / 2)
    assert found[1].scores["sad"] == pytest.approx((0.8 + 0.9) / 2)
    assert list(found[1].scores) == ["sad", "happy"]


def test_silence_is_no_emotion():
    found = segments_of([window(0, 0.9), window(2, 0.5, speech=False), window(4, 0.8)], spec(2.0, 0.0), scores_of)
    assert shape(found) == [(0.0, 2.0, "happy"), (2.0, 4.0, "silence"), (4.0, 6.0, "happy")]
    assert found[1].scores == {}
    assert not found[1].speech


def test_speech_in_half_a_window_leaves_the_other_half_silent():
    half = np.arange(200) < 100
    found = segments_of([Window(0.0, 2.0, half, np.array([0.9, 0.1]))], spec(1.0, 0.0), scores_of)
    assert shape(found) == [(0.0, 1.0, "happy"), (1.0, 2.0, "silence")]


def test_unsure_below_the_threshold():
    found = segments_of([window(0, 0.55), window(2, 0.9)], spec(2.0, 0.6), scores_of)
    assert shape(found) == [(0.0, 2.0, "unsure"), (2.0, 4.0, "happy")]


@pytest.mark.parametrize("last_s", [2.2, 2.49, 3.0])
def test_segments_meet_and_reach_the_end(last_s):
    found = segments_of([window(0, 0.9), window(1, 0.2), window(last_s, 0.7)], spec(1.0, 0.0), scores_of)
    assert found[0].start_s == 0
    assert found[-1].end_s == last_s + 2
    assert all(left.end_s == right.start_s for left, right in itertools.pairwise(found))
    assert all(segment.end_s - segment.start_s >= 0.5 for segment in found)
