"""One suite for every model of the catalogue: a new one is held to it without a line being added here.

Each is trained for an epoch on a corpus that nobody spoke, from a recipe to a file, and the file is then asked.
"""

import inspect
import json

import numpy as np
import pytest
import small_encoders
import toy

from intonate import models
from intonate.errors import AudioError, RecipeError
from intonate.export.onnx import TOLERANCE
from intonate.recognizer import inputs as serving
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import Recognizer, load_model
from intonate.schema import Prediction
from intonate.training.fit import train

NAMES = sorted(models.CATALOGUE)
SAID = "kids are talking by the door"
VOICE = {"voice": {"front_end": "voice_functionals"}}


# The newer exporter takes half a minute.
SLOW = [pytest.param(name, marks=pytest.mark.slow) if name == "hubert_bert" else name for name in NAMES]


@pytest.fixture(scope="module", params=SLOW)
def trained(request, toy_corpus, tmp_path_factory, offline):
    """The recognizer of a model of the catalogue, trained for an epoch."""
    root, name = tmp_path_factory.mktemp(request.param), request.param
    # What a recipe must say for a model that wants more than the vector of `voice_functionals`.
    if name == "compact":
        inputs, params = toy.MEL | toy.VOICE, toy.SMALL
    elif name == "hubert_bert":
        inputs, params = small_encoders.INPUTS, small_encoders.checkpoints(root)
    else:
        inputs, params = VOICE, {}
    model = {"name": name, "params": params}
    training = {"epochs": 1, "batch_size": 12, "mixup": 0, "average": 0}
    recipe = toy.recipe(root / "toy.yaml", toy_corpus, inputs=inputs, model=model, training=training)
    return load_model(train(recipe, runs=root) / "fold1-seed0")


@pytest.fixture(scope="module")
def offline():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield patch


def text_for(recognizer: Recognizer) -> str | None:
    return SAID if recognizer.spec.text_required else None


def clips_of(recognizer: Recognizer, lengths_s: tuple[float, ...]) -> list[serving.Clip]:
    """Ready for the graph, each alone."""
    spec, rng = recognizer.spec, np.random.default_rng(1)
    tokens = serving.token_ids(spec, text_for(recognizer))
    clips = []
    for length_s in lengths_s:
        clip = serving.extract(spec, toy.voice("happy", 1, rng, length_s), tokens)
        speaker = serving.SpeakerStatistics()
        serving.hear(spec, clip, speaker)
        clips.append(serving.normalised(spec, clip, speaker))
    return clips


def test_probabilities_sum_to_one(trained):
    answer = trained.predict((toy.voice("sad", 0, np.random.default_rng(0)), 16_000), text=text_for(trained))
    assert isinstance(answer, Prediction)
    assert set(answer.scores) == set(trained.spec.labels) == set(toy.MANNER)
    assert sum(answer.scores.values()) == pytest.approx(1, abs=1e-6)
    assert all(0 <= score <= 1 for score in answer.scores.values())


def test_a_batch_answers_what_each_clip_alone_does(trained):
    """Through the recognizer's own batches, which pad only what may be padded."""
    clips = clips_of(trained, (0.7, 1.3, 2.2, 1.3))
    alone = np.concatenate([trained.probabilities([clip]) for clip in clips])
    np.testing.assert_allclose(trained.probabilities(clips), alone, atol=1e-5)
    together = [positions for positions, _ in serving.batches(trained.spec, clips, 4)]
    assert together == ([[0, 1, 2, 3]] if trained.spec.batching == "any" else [[0], [1, 3], [2]])


def test_one_second_and_six_are_answered(trained):
    for clip in clips_of(trained, (0.3, 1.0, 6.0)):
        assert np.isfinite(trained.probabilities([clip])).all()


def test_the_saved_file_says_the_same_after_a_second_reading(trained):
    again = Recognizer(read_model(trained._model.path))
    assert again.spec == trained.spec
    clips = clips_of(trained, (0.9,))
    np.testing.assert_array_equal(again.probabilities(clips), trained.probabilities(clips))


def test_the_file_was_checked_against_what_it_was_made_from(trained):
    record = json.loads((trained._model.path.parent / "run.json").read_text())
    assert 0 <= record["onnx_difference"] <= TOLERANCE


def test_what_is_not_a_number_is_refused(trained):
    waveform = toy.voice("angry", 0, np.random.default_rng(0))
    waveform[500] = np.nan
    with pytest.raises(AudioError, match="finite"):
        trained.predict((waveform, 16_000), text=text_for(trained))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_told_what_its_parameters_are(name):
    build = models.get(name)
    assert build.__doc__
    for parameter in inspect.signature(build).parameters:
        assert parameter in ("classes", "columns") or f"{parameter}:" in build.__doc__, parameter


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(RecipeError, match="did you mean 'random_forest'"):
        models.get("random_forrest")
