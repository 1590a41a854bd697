"""Clips of several people in one folder: grouped by voice, and each answered with what its voice is like."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny
from scipy.cluster.hierarchy import linkage

import intonate
from intonate.recognizer import clip_voices
from intonate.recognizer.request import Failure

RATE = 16_000
EMODB = Path(__file__).parents[3] / "shared/corpora/emodb/wav"


def blobs(centres, clips, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([centre + rng.standard_normal((clips, len(centre))) for centre in np.asarray(centres, float)])


@pytest.mark.parametrize("seed", range(3))
def test_the_tree_is_that_of_scipy(seed):
    rows = np.random.default_rng(seed).standard_normal((40, 5))
    _, parents, costs = clip_voices._ward(rows)
    expected = linkage(rows, "ward")
    assert np.allclose(list(costs.values()), expected[:, 2])
    assert [sorted(pair) for pair in parents.values()] == [sorted(map(int, pair)) for pair in expected[:, :2]]


def test_groups_that_lie_apart_are_voices():
    groups = clip_voices.group(blobs(8 * np.eye(3, 20), clips=30))
    assert len(set(groups)) == 3
    assert all(len(set(groups[start : start + 30])) == 1 for start in (0, 30, 60))


def test_one_group_is_one_voice():
    assert set(clip_voices.group(blobs(np.zeros((1, 20)), clips=50))) == {0}
    assert set(clip_voices.group(np.zeros((1, 20)))) == {0}


@pytest.mark.parametrize("clips", [8, 12, 20])
def test_a_few_clips_each_are_enough_for_two_voices(clips):
    """As far apart as a man and a woman are; and so many clips of one of them are one voice still."""
    groups = clip_voices.group(blobs([np.zeros(20), 5 * np.eye(20)[0]], clips=clips))
    assert len(set(groups)) == 2
    assert abs(groups[:clips].mean() - groups[clips:].mean()) > 0.8
    for seed in range(5):
        assert len(set(clip_voices.group(blobs(np.zeros((1, 20)), clips=2 * clips, seed=seed)))) == 1


def test_a_large_voice_does_not_hide_small_ones():
    rows = np.concatenate([blobs(8 * np.eye(2, 20), clips=45), blobs(8 * np.eye(20)[[5]], clips=300)])
    groups = clip_voices.group(rows)
    assert len(set(groups)) == 3
    assert len(set(groups[:45])) == len(set(groups[45:90])) == len(set(groups[90:])) == 1


def test_a_voice_of_one_emotion_is_not_learnt():
    assert clip_voices.is_varied([0, 1, 2, 3, 4, 5, 6] * 5, 7)
    assert not clip_voices.is_varied([3] * 20, 7)
    assert not clip_voices.is_varied([3] * 16 + [1, 2, 4, 0], 7)
    assert clip_voices.is_varied([0, 1] * 5, 2)
    assert not clip_voices.is_varied([0] * 9, 1)


def test_people_of_one_mood_each_are_not_one_voice_of_several_moods():
    """Too near to be told apart for certain: where the labels go with the parts, each clip stays alone."""
    rows = blobs(3 * np.eye(4, 20), clips=10)
    assert len(set(clip_voices.group(rows))) == 1
    moods = np.repeat([0, 1, 2, 3], 10)
    assert clip_voices.is_varied(moods.tolist(), 7)
    assert not clip_voices.varies_within(rows, moods.tolist())
    assert clip_voices.varies_within(rows, np.tile([0, 1, 2, 3], 10).tolist())
    assert clip_voices.varies_within(rows[:10], moods[::4].tolist()), "what has no parts is one person"


def test_clips_say_whose_they_are_and_bad_ones_stay_failures(recognizer, tmp_path):
    (tmp_path / "no.wav").write_text("no sound")
    sources = [(tiny.speech(2.0, seed=5), RATE), tmp_path / "no.wav", (tiny.speech(2.0, seed=1), RATE)]
    sources.append((np.zeros(RATE, np.float32), RATE))
    first, bad, second, quiet = recognizer.predict_many(sources, speakers="auto")
    assert isinstance(bad, Failure)
    assert quiet.label == "silence"
    for answer in (first, second):
        shape = answer.to_dict()
        assert shape["speakers"][0]["speaker"].startswith("Voice ")
        assert shape["segments"][0]["speaker"] == shape["speakers"][0]["speaker"]
    # Two clips are too few to learn a voice from: as each by itself.
    assert first.speakers[0].clips == 1
    assert first.scores == pytest.approx(recognizer.predict(sources[0]).scores)
    json.dumps(first.to_dict())


@pytest.mark.skipif(not EMODB.is_dir(), reason="EMO-DB is not at ../shared/corpora/emodb")
def test_a_shuffled_folder_of_two_people():
    """A man and a woman; nearly every clip is given to its own voice."""
    paths = [path for speaker in ("03", "16") for path in sorted(EMODB.glob(f"{speaker}*"))[:40]]
    paths = [paths[place] for place in np.random.default_rng(0).permutation(len(paths))]
    answers = list(intonate.load_model("compact").predict_many(paths, speakers="auto"))
    of = {path.name[:2]: [] for path in paths}
    for path, answer in zip(paths, answers, strict=True):
        of[path.name[:2]].append(answer.speakers[0].name)
    main = {speaker: max(set(names), key=names.count) for speaker, names in of.items()}
    assert len(set(main.values())) == 2
    assert sum(name == main[speaker] for speaker, names in of.items() for name in names) >= 74
