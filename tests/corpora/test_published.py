"""The five corpora on disk, counted: official numbers, labels, speakers, genders, languages."""

from collections import Counter
from pathlib import Path

import pytest

from intonate import corpora
from intonate.corpora.describe import describe

SHARED = Path(__file__).parents[3] / "shared" / "corpora"
pytestmark = pytest.mark.corpora

RAVDESS = {"neutral": 96} | dict.fromkeys(("calm", "happy", "sad", "angry", "fear", "disgust", "surprise"), 192)
EMODB = {"angry": 127, "boredom": 81, "neutral": 79, "happy": 71, "fear": 69, "sad": 62, "disgust": 46}
# One neutral clip of actor 19 is not in this copy (official: 243).
BANGLASER = {"happy": 306, "sad": 306, "angry": 306, "surprise": 306, "neutral": 242}
TESS = dict.fromkeys(("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"), 400)
NEMO = {"angry": 540, "sad": 540, "neutral": 539, "happy": 539, "fear": 539, "surprise": 448}
# name, emotions, clips per speaker (least, most), speakers (female, male), language, columns that are always filled
EXPECTED = [
    ("ravdess", RAVDESS, (60, 60), (12, 12), "en", ("sentence", "text", "intensity")),
    ("emodb", EMODB, (35, 71), (5, 5), "de", ("sentence", "text", "age")),
    ("banglaser", BANGLASER, (36, 45), (17, 17), "bn", ("sentence", "text", "intensity")),
    ("tess", TESS, (1400, 1400), (2, 0), "en", ("sentence", "text", "age")),
    ("nemo", NEMO, (450, 540), (3, 3), "pl", ("sentence", "text", "age")),
]


def read(name):
    if not (SHARED / name).is_dir():
        pytest.skip(f"{SHARED / name} is not there: the published corpora lie beside the repository")
    return corpora.read(name, SHARED / name)


@pytest.mark.parametrize(("name", "emotions", "clips", "people", "language", "filled"), EXPECTED)
def test_counts(name, emotions, clips, people, language, filled):
    reading = read(name)
    assert reading.problems == ()
    assert reading.missing_clips == 0
    utterances = reading.utterances
    assert Counter(utterance.emotion for utterance in utterances) == emotions
    spoken = Counter(utterance.speaker for utterance in utterances)
    assert (min(spoken.values()), max(spoken.values())) == clips
    genders = Counter({utterance.speaker: utterance.gender for utterance in utterances}.values())
    assert (genders["female"], genders["male"]) == people
    assert {utterance.language for utterance in utterances} == {language}
    for column in (*filled, "raw_label", "speaker"):
        assert all(getattr(utterance, column) for utterance in utterances), column
    assert [utterance.path for utterance in utterances] == sorted(utterance.path for utterance in utterances)
    # What is said on the card is what is there, where the copy is whole.
    official = corpora.get(name)
    if len(utterances) == official.clips:
        assert official.emotions == emotions
        assert official.speakers == len(spoken)


def one(name, stem):
    (found,) = [utterance for utterance in read(name).utterances if Path(utterance.path).stem == stem]
    return found


def test_ravdess_fields():
    clip = one("ravdess", "03-01-06-02-01-02-12")
    assert (clip.emotion, clip.raw_label, clip.intensity) == ("fear", "fearful", "strong")
    assert (clip.speaker, clip.gender) == ("ravdess/12", "female")
    assert clip.text == "Kids are talking by the door."


def test_emodb_fields():
    clip = one("emodb", "09b03Ed")
    assert (clip.emotion, clip.speaker, clip.gender, clip.age) == ("disgust", "emodb/09", "female", 21)
    assert clip.sentence == "b03"
    assert clip.text.endswith("Agnes besucht.")


def test_banglaser_has_its_own_codes_and_odd_names():
    clip = one("banglaser", "01-01-04-02-03-01-15")
    assert (clip.emotion, clip.speaker, clip.gender) == ("surprise", "banglaser/15", "male")


def test_tess_lost_letter():
    clip = one("tess", "OA_bite_neutral")
    assert (clip.speaker, clip.age, clip.text) == ("tess/OAF", 64, "Say the word bite")
    assert one("tess", "YAF_bite_ps").emotion == "surprise"


def test_nemo_table():
    clip = one("nemo", "WR0_surprised_64")
    assert (clip.emotion, clip.speaker, clip.gender, clip.age) == ("surprise", "nemo/WR0", "male", 23)
    assert clip.sentence == "ucho wykrywa dźwięki o różnej częstotliwości"
    assert len({utterance.sentence for utterance in read("nemo").utterances}) == 90


def test_nemo_is_found_from_its_samples_folder_too():
    read("nemo")
    assert len(corpora.read("nemo", SHARED / "nemo" / "samples").utterances) == 3145


@pytest.mark.parametrize("name", ["emodb", "banglaser"])
def test_description_of_the_real_thing(name):
    clips = len(read(name).utterances)
    description = describe(name, SHARED / name)
    assert description.clips == clips
    assert description.sample_rates_hz == {16_000: clips}
    assert 0.3 < description.duration_s / 3600 < 2
    assert description.problems == ()
    assert f"{clips:,} clips" in description.to_text()
