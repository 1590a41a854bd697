"""The papers' sets: exact counts, one draw per seed, and everything that is missing told at once."""

from collections import Counter

import numpy as np
import pytest

from intonate import corpora
from intonate.corpora import sets
from intonate.emotions import merged_labels, target_of
from intonate.errors import CorpusError


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def select(reading):
    """(set, seed) -> its rows, from the generated trees."""

    def of(name, seed=0):
        found = {corpus: reading(corpus).utterances for corpus in sets.get(name).corpora}
        return sets.select(name, found, rng(seed))

    return of


def test_p3_is_the_papers_table(select):
    rows = select("p3")
    assert len(rows) == 13_390
    assert Counter(row.corpus for row in rows) == {
        "cremad": 6355,
        "tess": 2400,
        "ravdess": 1344,
        "savee": 360,
        "iemocap": 2931,
    }
    assert Counter(row.emotion for row in rows if row.corpus == "iemocap") == {
        "angry": 1103,
        "sad": 1084,
        "happy": 595,
        "surprise": 107,
        "fear": 40,
        "disgust": 2,
    }
    assert Counter(row.emotion for row in rows) == {
        "angry": 1271 + 400 + 192 + 60 + 1103,
        "disgust": 1271 + 400 + 192 + 60 + 2,
        "fear": 1271 + 400 + 192 + 60 + 40,
        "happy": 1271 + 400 + 192 + 60 + 595,
        "sad": 1271 + 400 + 192 + 60 + 1084,
        "surprise": 400 + 192 + 60 + 107,
        "calm": 192,
    }


def test_p1_by_gender_is_speech_and_song(select):
    rows = select("p1-16")
    assert len(rows) == 2452
    targets = Counter(target_of(row, "ravdess-16") for row in rows)
    assert set(targets) == set(merged_labels("ravdess-16"))
    # Twelve women speak, eleven sing; disgust and surprise are not sung.
    assert (targets["female angry"], targets["male angry"], targets["female disgust"]) == (184, 192, 96)
    # The support of the paper's tables is 80 % of them: 1,961.
    assert int(0.8 * len(rows)) == 1961


def test_p1_drops_what_is_not_among_its_five(select):
    rows = select("p1")
    assert Counter(row.corpus for row in rows) == {"cremad": 6355, "iemocap": 2824, "tess": 2000}


@pytest.mark.parametrize(("name", "count"), [("p4-en", 12_162), ("p4-bn", 8467), ("p4-all", 20_629)])
def test_p4(name, count, select):
    rows = select(name)
    assert len(rows) == count
    assert len({target_of(row, "7") for row in rows}) == 7


def test_p0_is_drawn_by_the_seed(select):
    rows = select("p0", 1)
    assert Counter(row.corpus for row in rows) == {"ravdess": 1000, "cremad": 5000}
    assert "calm" not in {row.emotion for row in rows}
    assert len({row.path for row in rows}) == 6000
    assert rows == select("p0", 1)
    assert rows != select("p0", 2)


@pytest.mark.parametrize("name", sorted(sets.SETS))
def test_the_official_count_is_what_a_whole_copy_gives(name, select):
    rows = select(name)
    assert Counter(row.corpus for row in rows) == sets.official(name)
    assert {target_of(row, sets.get(name).labels) for row in rows} == set(merged_labels(sets.get(name).labels))


def test_reading_gives_the_rows_and_what_was_left_out(tree, tmp_path, select):
    (tmp_path / "19.wav").write_bytes(b"")
    for path in tree("banglaser").iterdir():
        (tmp_path / path.name).symlink_to(path)
    rows, problems = sets.read("p4-bn", {"subesco": tree("subesco"), "banglaser": tmp_path}, rng())
    assert len(rows) == len(select("p4-bn"))
    assert [problem.path for problem in problems] == [str(tmp_path / "19.wav")]


def test_all_that_is_missing_is_told_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "read", None)
    with pytest.raises(CorpusError) as caught:
        sets.read("p3", {"tess": tmp_path, "savee": tmp_path / "nowhere"}, rng())
    message = str(caught.value)
    assert "set 'p3' needs 4 more of its 5 corpora" in message
    for name in ("cremad", "ravdess", "savee", "iemocap"):
        corpus = corpora.get(name)
        for fact in (corpus.title, corpus.url, corpus.licence, f"{corpus.size_gb:g} GB"):
            assert fact in message
    assert f"{tmp_path / 'nowhere'} is not a folder" in message
    assert "TESS" not in message


def test_clear_refusals(tmp_path):
    with pytest.raises(CorpusError, match="did you mean 'p4-en'"):
        sets.get("p4-eng")
    with pytest.raises(CorpusError, match="has no place for emodb; it is made of subesco, banglaser"):
        sets.check("p4-bn", {"emodb": tmp_path})
    with pytest.raises(CorpusError, match="needs ravdess; get RAVDESS"):
        sets.select("p0", {}, rng())
    with pytest.raises(CorpusError, match="draws 1,000 clips of ravdess, and only 0 are here"):
        sets.select("p0", {"ravdess": [], "cremad": []}, rng())
