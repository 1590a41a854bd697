"""No recording is on two sides of a split, whatever it is called."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import toy

from intonate.audio.decode import load
from intonate.corpora import copies
from intonate.corpora.overlap import Split
from intonate.errors import AudioError, SplitError
from intonate.schema import Utterance

CORPORA = Path(os.environ.get("INTONATE_CORPORA", Path(__file__).parents[2].parent / "shared" / "corpora"))
RATE_HZ = 16_000


def row(path, speaker="s/1"):
    return Utterance(str(path), "happy", "happy", speaker, "made")


def rows_of(*places):
    return np.array(places, np.int64)


def test_exact_and_near_copies_are_one_recording_and_takes_are_not(tmp_path):
    folder = CORPORA / "emodb" / "wav"
    if not folder.is_dir():
        pytest.skip("EMO-DB is not in ../shared/corpora")
    originals = sorted(folder.iterdir())[:12]
    shutil.copy(originals[3], tmp_path / f"again{originals[3].suffix}")
    soundfile.write(tmp_path / "softer.wav", 0.3 * load(originals[5], RATE_HZ)[600:], RATE_HZ)
    utterances = [row(path) for path in (*originals, *sorted(tmp_path.iterdir()))]
    group, exact = copies.same_recordings(utterances)
    assert group.tolist() == [*range(12), 3, 5]
    assert exact == 1


def test_what_is_tested_is_not_trained_or_validated_on():
    #            test  validation  train
    group = np.array([0, 1, 1, 0, 4, 5, 4])
    split = Split("made", rows_of(3, 5, 6), rows_of(2, 4), rows_of(0, 1), "made")
    apart = copies.kept_apart(split, group)
    assert apart.test.tolist() == [0, 1]
    assert apart.validation.tolist() == [4]  # row 2 is a copy of the tested row 1
    assert apart.train.tolist() == [5]  # 3 is one of 0, and 6 of 4, which validates
    utterances = [row(f"{place}.wav") for place in range(7)]
    sentence = copies.left_out([split], [apart], utterances)
    assert sentence.startswith("3 clips")
    assert "2.wav" in sentence
    assert copies.left_out([apart], [apart], utterances) == ""
    with pytest.raises(SplitError, match="all clips to train on"):
        copies.kept_apart(Split("made", rows_of(3), rows_of(4), rows_of(0), "made"), group)


def test_files_that_cannot_be_read_are_named_together(tmp_path):
    soundfile.write(tmp_path / "good.wav", toy.voice("happy", 0, np.random.default_rng(0)), RATE_HZ)
    for name in ("one.wav", "two.wav"):
        (tmp_path / name).write_text(f"no sound, {name}")
    with pytest.raises(AudioError, match=r"3 recordings.*one\.wav.*two\.wav.*missing\.wav"):
        copies.same_recordings([row(tmp_path / name) for name in ("good.wav", "one.wav", "two.wav", "missing.wav")])
