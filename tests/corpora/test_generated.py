"""Corpora that are not at hand: trees with all their file names, counted, and joined to the tables that are."""

import csv
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from intonate import corpora
from intonate.corpora import describe, manifest, splits
from intonate.corpora.speaker_folds import FOLDS
from intonate.emotions import target_of
from intonate.errors import CorpusError

CREMAD_META = Path(__file__).parents[3] / "shared" / "corpora" / "cremad-meta"
# Clips of the speakers, {clips: how many speakers have so many}; speakers (female, male).
SPEAKERS = {
    "cremad": ({82: 86, 76: 3, 81: 2}, None),
    "savee": ({120: 4}, (0, 4)),
    "subesco": ({350: 20}, (10, 10)),
    "ravdess_song": ({44: 23}, (11, 12)),
    "iemocap": (None, (5, 5)),
}


@pytest.mark.parametrize("name", ["cremad", "savee", "subesco", "ravdess_song", "iemocap", "ravdess", "tess"])
def test_official_counts(name, reading):
    found, corpus = reading(name), corpora.get(name)
    assert found.problems == ()
    assert found.missing_clips == 0
    assert Counter(utterance.emotion for utterance in found.utterances) == corpus.emotions
    clips = Counter(utterance.speaker for utterance in found.utterances)
    assert len(clips) == corpus.speakers
    each, people = SPEAKERS.get(name, (None, None))
    if each:
        assert Counter(clips.values()) == each
    if people:
        genders = Counter({utterance.speaker: utterance.gender for utterance in found.utterances}.values())
        assert (genders["female"], genders["male"]) == people
    assert len({(utterance.path, utterance.start_s) for utterance in found.utterances}) == corpus.clips


@pytest.mark.parametrize(("corpus", "clips"), [("cremad", 7442), ("savee", 480), ("subesco", 7000), ("iemocap", 10039)])
def test_official_sizes(corpus, clips):
    assert corpora.get(corpus).clips == clips


@pytest.mark.parametrize("name", [name for name in sorted(FOLDS) if FOLDS[name].corpus in SPEAKERS])
def test_the_folds_know_every_speaker(name, reading):
    utterances = reading(FOLDS[name].corpus).utterances
    emotions = {utterance.emotion for utterance in utterances if utterance.emotion not in ("other", "disgust")}
    made = splits.folds(name, utterances)
    assert len(made) == len(FOLDS[name].folds)
    for split in made:
        assert emotions <= {utterances[row].emotion for row in split.train}


def test_speech_and_song_have_the_same_speakers(reading):
    both = [*reading("ravdess").utterances, *reading("ravdess_song").utterances]
    assert len({utterance.speaker for utterance in both}) == 24
    for protocol in ("ravdess-6", "pooled", "speaker-disjoint"):
        for split in splits.folds(protocol, both):
            assert {both[row].corpus for row in split.test} == {"ravdess", "ravdess_song"}
            assert not {both[row].speaker for row in split.test} & {both[row].speaker for row in split.train}


@pytest.mark.parametrize(("name", "other"), [("ravdess", "ravdess_song"), ("ravdess_song", "ravdess")])
def test_speech_and_song_in_one_folder_are_told_apart(name, other, tmp_path):
    for example in (*corpora.get("ravdess").example_names, *corpora.get("ravdess_song").example_names):
        (tmp_path / example).parent.mkdir(exist_ok=True)
        (tmp_path / example).write_bytes(b"")
    reading = corpora.read(name, tmp_path)
    assert len(reading.utterances) == len(corpora.get(name).example_names)
    assert len(reading.problems) == len(corpora.get(other).example_names)
    assert all(f"of the corpus {other};" in problem.reason for problem in reading.problems)


def with_tables(root, folder):
    """The generated tree under `folder`, CREMA-D's own tables beside it."""
    if not CREMAD_META.is_dir():
        pytest.skip(f"{CREMAD_META} is not there: the published tables lie beside the repository")
    shutil.copytree(CREMAD_META, folder, copy_function=os.symlink)
    (folder / "AudioWAV").symlink_to(root / "AudioWAV")
    return folder


@pytest.fixture(scope="session")
def joined(tree, tmp_path_factory):
    return with_tables(tree("cremad"), tmp_path_factory.mktemp("cremad") / "release")


def by_stem(utterances):
    return {Path(utterance.path).stem: utterance for utterance in utterances}


@pytest.mark.corpora
def test_cremad_with_its_own_tables(joined):
    # The link is followed by giving it as the root: the tables lie beside it.
    reading = corpora.read("cremad", joined / "AudioWAV")
    with (CREMAD_META / "SentenceFilenames.csv").open() as file:
        assert by_stem(reading.utterances).keys() == {row["Filename"] for row in csv.DictReader(file)}
    people = {utterance.speaker: utterance for utterance in reading.utterances}.values()
    assert Counter(person.gender for person in people) == {"male": 48, "female": 43}
    assert (min(person.age for person in people), max(person.age for person in people)) == (20, 74)
    assert all(utterance.soft_labels for utterance in reading.utterances)
    assert all(abs(sum(utterance.soft_labels.values()) - 1) < 1e-9 for utterance in reading.utterances)
    assert reading.missing_clips == 0


@pytest.mark.corpora
def test_cremad_votes_are_those_by_voice_alone(joined):
    clips = by_stem(corpora.read("cremad", joined / "AudioWAV").utterances)
    happy = clips["1001_IEO_HAP_LO"]
    assert happy.soft_labels == {"happy": 3 / 9, "neutral": 6 / 9}
    assert (happy.gender, happy.age, happy.intensity, happy.text) == ("male", 51, "low", "It's eleven o'clock.")
    assert clips["1076_MTI_SAD_XX"].soft_labels == {"disgust": 1 / 9, "neutral": 5 / 9, "sad": 3 / 9}
    # Voice alone: 40 % of the ratings name the emotion that was asked for.
    shares = [utterance.soft_labels.get(utterance.emotion, 0) for utterance in clips.values()]
    assert 0.39 < sum(shares) / len(shares) < 0.41


def test_cremad_without_its_tables(reading):
    utterances = reading("cremad").utterances
    assert {(utterance.gender, utterance.age) for utterance in utterances} == {("", None)}
    assert not any(utterance.soft_labels for utterance in utterances)
    assert Counter(utterance.intensity for utterance in utterances) == {
        "low": 455,
        "medium": 455,
        "high": 455,
        "unspecified": 6077,
    }
    assert (
        len({utterance.text for utterance in utterances}) == len({utterance.sentence for utterance in utterances}) == 12
    )


def test_cremad_with_one_table_only(tmp_path):
    (tmp_path / "1001_IEO_HAP_LO.wav").write_bytes(b"")
    (tmp_path / "VideoDemographics.csv").write_text("ActorID,Age,Sex\n1001,51,Male\n1002,21,Female\n")
    reading = corpora.read("cremad", tmp_path)
    assert (reading.utterances[0].age, reading.utterances[0].gender) == (51, "male")
    assert reading.missing_clips == 0
    (tmp_path / "VideoDemographics.csv").write_text("ActorID,Sex\n1001,Male\n")
    with pytest.raises(CorpusError, match="no column 'Age'"):
        corpora.read("cremad", tmp_path)


def test_cremad_mp3_copies_are_not_read_twice(tmp_path):
    for name in ("AudioMP3/1001_IEO_HAP_LO.mp3", "AudioWAV/1001_IEO_HAP_LO.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    reading = corpora.read("cremad", tmp_path)
    assert [Path(utterance.path).suffix for utterance in reading.utterances] == [".wav"]
    assert "MP3 copy" in reading.problems[0].reason
    assert len(corpora.read("cremad", tmp_path / "AudioMP3").utterances) == 1


def test_the_silent_clip_is_counted_and_told(tmp_path, sound):
    for name in ("1076_MTI_SAD_XX", "1076_MTI_ANG_XX"):
        os.link(sound, tmp_path / f"{name}.wav")
    text = describe.describe("cremad", tmp_path).to_text()
    assert "2 clips" in text
    assert "1076_MTI_SAD_XX.wav is silent" in text
    (tmp_path / "1076_MTI_SAD_XX.wav").unlink()
    assert "is silent" not in describe.describe("cremad", tmp_path).to_text()


def test_both_layouts_of_savee_are_the_same_corpus(tree, reading, tmp_path):
    nested = reading("savee").utterances
    for utterance in nested:
        path = Path(utterance.path)
        os.link(path, tmp_path / f"{path.parent.name}_{path.name}")
    flat = corpora.read("savee", tmp_path).utterances
    assert len(flat) == 480
    assert [replace(utterance, path="") for utterance in flat] == [replace(utterance, path="") for utterance in nested]
    # Both in one folder: every clip once.
    shutil.copytree(tree("savee") / "AudioData" / "DC", tmp_path / "DC", copy_function=os.link)
    again = corpora.read("savee", tmp_path)
    assert len(again.utterances) == 480
    assert len(again.problems) == 120
    assert all("copy" in problem.reason for problem in again.problems)


def test_iemocap_turns_are_read_from_their_own_files(reading):
    utterances = reading("iemocap").utterances
    assert all("sentences" in Path(utterance.path).parts and utterance.end_s is None for utterance in utterances)
    sessions = Counter(utterance.speaker.removeprefix("iemocap/")[:5] for utterance in utterances)
    assert list(sessions.values()) == [1819, 1811, 2136, 2103, 2170]
    assert Counter(target_of(utterance, "4") for utterance in utterances) == {
        None: 10_039 - 5531,
        "angry": 1103,
        "happy": 595 + 1041,
        "neutral": 1708,
        "sad": 1084,
    }
    assert sum(target_of(utterance, "4-no-excited") is not None for utterance in utterances) == 4490


def test_iemocap_turns_are_cut_from_their_dialogue(dialogues, reading):
    found = corpora.read("iemocap", dialogues)
    assert found.problems == ()
    assert found.missing_clips == 0
    utterances = found.utterances
    assert Counter(utterance.emotion for utterance in utterances) == corpora.get("iemocap").emotions
    assert all(0 <= utterance.start_s < utterance.end_s for utterance in utterances)
    starts = [(utterance.path, utterance.start_s) for utterance in utterances]
    assert starts == sorted(starts)

    def said(rows):
        return sorted((row.text, row.speaker, row.emotion) for row in rows)

    assert said(reading("iemocap").utterances) == said(utterances)


def test_iemocap_fields(reading):
    clips = by_stem(reading("iemocap").utterances)
    turn = clips["Ses01F_impro01a_M001"]
    # The first letter wears the markers, the last one speaks.
    assert (turn.speaker, turn.gender, turn.emotion) == ("iemocap/Ses01M", "male", "angry")
    assert (turn.text, turn.sentence) == ("Excuse me, 1.", "")
    assert turn.ratings == {"valence": 2.5, "arousal": 3.0, "dominance": 3.5}
    assert turn.soft_labels == {"angry": 1 / 3, "neutral": 1 / 3, "sad": 1 / 3}
    assert clips["Ses01F_script01_1a_F000"].sentence == "excuse me"
    assert {clip.raw_label for clip in clips.values()} >= {"exc", "fru", "oth", "xxx"}


def test_iemocap_speaks_of_what_is_missing(tmp_path):
    corpus = corpora.get("iemocap")
    (tmp_path / "Ses01F_script01_1_F000.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match="has no labels; IEMOCAP's are in Session1/dialog/EmoEvaluation"):
        corpora.read("iemocap", tmp_path)
    for name, text in corpus.example_table.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "Ses02F_impro01.wav").write_bytes(b"")
    (tmp_path / "Ses01F_script01_1_F009.wav").write_bytes(b"")
    reading = corpora.read("iemocap", tmp_path)
    assert len(reading.utterances) == 1
    assert reading.missing_clips == 1
    reasons = [problem.reason for problem in reading.problems]
    assert "no file of EmoEvaluation names it" in reasons[0]
    assert "names a turn of this dialogue" in reasons[1]
    # The other turn is found in the dialogue, once that is there.
    (tmp_path / "Ses01F_script01_1.wav").write_bytes(b"")
    both = corpora.read("iemocap", tmp_path)
    assert [(Path(turn.path).stem, turn.start_s, turn.end_s) for turn in both.utterances] == [
        ("Ses01F_script01_1", 2.0, 4.0),
        ("Ses01F_script01_1_F000", 0.0, None),
    ]
    assert both.missing_clips == 0


@pytest.mark.parametrize("name", ["cremad", "iemocap", "subesco"])
def test_it_survives_a_manifest(name, reading, tmp_path):
    utterances = list(reading(name).utterances)[::17]
    manifest.write(tmp_path / "m.csv", utterances)
    again = manifest.read(tmp_path / "m.csv")
    assert [replace(row, path="") for row in again] == [replace(row, path="") for row in utterances]


def test_ten_thousand_files_are_described_from_their_headers(tree, monkeypatch):
    from intonate.audio import decode

    monkeypatch.setattr(decode, "load", None)  # no sound is decoded
    description = describe.describe("iemocap", tree("iemocap"))
    assert description.clips == 10_039
    assert description.duration_s == pytest.approx(10_039)


def test_about_tells_where_to_get_it():
    text = describe.about("cremad")
    for fact in ("ODbL-1.0", "0.6 GB", "https://github.com/CheyneyComputerScience/CREMA-D", "7,442 clips, 91 speakers"):
        assert fact in text
    assert "angry      ████████████████████ 1,271" in text
    assert "a folder" in describe.about("folder")
    with pytest.raises(CorpusError, match="did you mean 'cremad'"):
        describe.about("crema-d")
    assert all(row.size_gb > 0 for row in describe.overview() if row.clips)
