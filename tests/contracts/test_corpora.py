"""One suite for every corpus of the catalogue: a new one is held to it without a line being added here."""

import sys
from pathlib import Path

import pytest

from intonate import corpora
from intonate.corpora import manifest
from intonate.emotions import EMOTIONS
from intonate.errors import CorpusError

NAMES = sorted(corpora.CATALOGUE)
PUBLISHED = [name for name in NAMES if corpora.get(name).clips]
WALKED = [name for name in NAMES if corpora.get(name).find is None]


@pytest.fixture(params=NAMES)
def corpus(request):
    return corpora.get(request.param)


def plant(corpus, root: Path) -> Path:
    """The tiny tree of a corpus's own example names; readers look at names and tables, never into the audio."""
    for name in corpus.example_names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    for name, text in corpus.example_table.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_the_story_is_told(corpus):
    module = sys.modules[corpora.CATALOGUE[corpus.name].split(":")[0]]
    assert len(module.__doc__) > 200
    assert corpus.name in corpora.CATALOGUE
    assert corpus.title
    assert corpus.grammar


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_corpus_says_where_it_is_from(name):
    corpus = corpora.get(name)
    story = sys.modules[corpora.CATALOGUE[name].split(":")[0]].__doc__
    assert corpus.url.startswith(("https://", "http://"))
    assert corpus.size_gb > 0
    assert corpus.url in corpus.home
    assert corpus.licence
    assert corpus.citation
    assert len(corpus.language) == (0 if "language" in corpus.missing_columns else 2)
    assert corpus.speakers > 0
    assert set(corpus.emotions) <= set(EMOTIONS)
    assert f"{corpus.clips:,}" in story, "the story tells the official number of clips"


def test_its_example_names_are_read_completely(corpus, tmp_path):
    reading = corpora.read(corpus.name, plant(corpus, tmp_path))
    assert reading.problems == ()
    assert [utterance.path for utterance in reading.utterances] == sorted(
        str(tmp_path / name) for name in corpus.example_names
    )
    for utterance in reading.utterances:
        assert utterance.emotion in EMOTIONS
        assert utterance.raw_label
        assert utterance.corpus == corpus.name
        assert utterance.language == corpus.language
        assert utterance.gender in ("female", "male", "")
        if corpus.clips:
            assert utterance.emotion in corpus.emotions
            assert utterance.speaker.startswith(f"{corpus.speakers_of or corpus.name}/")
            assert utterance.gender or "gender" in corpus.missing_columns
            for column in {"sentence", "text"} - corpus.missing_columns:
                assert getattr(utterance, column), column


def test_reading_twice_is_identical(corpus, tmp_path):
    plant(corpus, tmp_path)
    assert corpora.read(corpus.name, tmp_path) == corpora.read(corpus.name, tmp_path)


def test_it_survives_the_way_through_a_manifest(corpus, tmp_path):
    utterances = list(corpora.read(corpus.name, plant(corpus, tmp_path)).utterances)
    manifest.write(tmp_path / "manifest.out", utterances)
    assert manifest.read(tmp_path / "manifest.out") == utterances


@pytest.mark.parametrize("name", WALKED)
def test_a_foreign_file_is_reported_and_a_companion_is_not(name, tmp_path):
    corpus = corpora.get(name)
    plant(corpus, tmp_path)
    for foreign in ("holiday.mp3", "weights.bin", "README.md", "LICENSE", ".hidden.wav"):
        (tmp_path / foreign).write_bytes(b"")
    reading = corpora.read(name, tmp_path)
    assert [Path(problem.path).name for problem in reading.problems] == ["holiday.mp3", "weights.bin"]
    assert all(problem.reason for problem in reading.problems)
    assert len(reading.utterances) == len(corpus.example_names)


@pytest.mark.parametrize("name", WALKED)
def test_any_audio_extension_is_accepted(name, tmp_path):
    corpus = corpora.get(name)
    for suffix in (".FLAC", ".ogg", ".m4a"):
        root = tmp_path / suffix
        root.mkdir()
        plant(corpus, root)
        for example in corpus.example_names:
            (root / example).rename((root / example).with_suffix(suffix))
        assert len(corpora.read(name, root).utterances) == len(corpus.example_names)


@pytest.mark.parametrize("name", [name for name in WALKED if corpora.get(name).unique_names])
def test_a_flat_copy_is_read_and_a_second_copy_is_reported(name, tmp_path):
    corpus = corpora.get(name)
    plant(corpus, tmp_path)
    (tmp_path / "zz copy").mkdir()
    for example in corpus.example_names:
        (tmp_path / "zz copy" / Path(example).name).write_bytes(b"")
    reading = corpora.read(name, tmp_path)
    assert len(reading.utterances) == len(corpus.example_names) == len(reading.problems)
    assert all("copy" in problem.reason for problem in reading.problems)


def test_a_wrong_root_is_one_clear_sentence(corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="absent"):
        corpora.read(corpus.name, tmp_path / "absent")
    with pytest.raises(CorpusError, match=r"empty"):
        corpora.read(corpus.name, tmp_path / "empty")


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(CorpusError, match="did you mean 'ravdess'"):
        corpora.get("ravdes")
