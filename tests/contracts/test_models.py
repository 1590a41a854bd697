"""One suite for every model of the catalogue: a new one is held to it without a line being added here.

Each is trained for some epochs on a corpus that nobody spoke, from a recipe to a file, and the file is then asked.
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
from intonate.recognizer.late_fusion import is_text_model
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import Recognizer, load_model
from intonate.schema import Prediction
from intonate.training.fit import train

pytestmark = pytest.mark.usefixtures("every_sound_is_speech")

NAMES = sorted(models.CATALOGUE)
SAID = "kids are talking by the door"
CORPUS = {"normalise": {"kind": "corpus"}}
CEPSTRA = {"of": "mfcc", "params": {"coefficients": 13}}

# What the inputs of a network are made of here, by their names; a scikit-learn estimator takes any one vector.
VECTOR = {"front_end": "pooled", "params": CEPSTRA} | CORPUS
INPUTS = (
    toy.MEL
    | toy.VOICE
    | small_encoders.INPUTS
    | {
        "features": VECTOR,
        "descriptors": VECTOR,
        "patches": {"front_end": "audioset_patches"},
        "images": {"front_end": "jet_image"},
        "frames": {"front_end": "mfcc", "params": CEPSTRA["params"]} | CORPUS,
        "windows": {"front_end": "windows", "params": CEPSTRA | {"length": 16, "hop": 8}} | CORPUS,
    }
)
# So small that a second is enough; what is not here is built as it is.
SMALL = {
    "compact": toy.SMALL,
    "cnn1d": {"groups": [[16, 16], [16, 16, 16, 16], [8, 8]], "dense": [32, 16], "dropout": 0.1},
    "cnn": {"channels": [16, 16, 32]},
    "cnn_lstm": {"length": 16, "channels": [16, 16, 16], "width": 24},
    "recurrent": {"width": 16},
    "resnet34": {"channels": [8, 16, 16, 32], "blocks": [1, 1, 1, 1]},
    "head": {"units": 32, "layers": 1, "dropout": 0.1, "columns_dropout": 0},
    "resnet_roberta": {"channels": [8, 16, 16, 32], "blocks": [1, 1, 1, 1]},
    "transformer": {"width": 32, "layers": 2, "hidden": 64},
    "vggish_mlp": {"width": 0.1, "layers": [16]},
    "yamnet_mlp": {"width": 0.1, "layers": [16]},
    "imagenet": {"weights": "", "width": 0.1},
    "lightgbm": {"smallest_leaf": 2},
    "text_cnn": {"vocabulary": 100, "embedding": 16, "width": 16, "dropout": 0.1, "unknown": 0},
}
# The newer exporter takes half a minute.
SLOW = {"hubert_bert", "resnet_roberta", "speech_encoder"}
# A part of these comes with weights that others trained. Here they are random, and nothing is learnt from what it says.
UNTAUGHT = {"hubert_bert", "imagenet", "resnet_roberta", "speech_encoder", "vggish_mlp", "yamnet_mlp"}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in NAMES]
)
def trained(request, toy_corpus, tmp_path_factory, offline):
    """The recognizer of a model of the catalogue, trained for some epochs."""
    root, name = tmp_path_factory.mktemp(request.param), request.param
    build = models.get(name)
    takes = [item for item in inspect.signature(build.forward).parameters if item in INPUTS] if is_network(name) else []
    epochs = 1 if name in UNTAUGHT else 24
    params = SMALL.get(name, {}) | small_encoders.params(name, root)
    # What only reads is given something to read.
    data = {"data": toy.with_words(root / "words.csv", toy_corpus)} if takes == ["tokens"] else {}
    recipe = toy.recipe(
        root / "toy.yaml",
        toy_corpus,
        name=name,
        inputs={item: INPUTS[item] for item in takes or ["features"]},
        model={"name": name, "params": params},
        training={"epochs": epochs, "batch_size": 8, "mixup": 0, "average": 0, "label_smoothing": 0},
        **data,
    )
    return load_model(train(recipe, runs=root) / "fold1-seed0")


def is_network(name: str) -> bool:
    return isinstance(models.get(name), type)


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
    words = serving.of_words(spec, text_for(recognizer))
    clips = []
    for length_s in lengths_s:
        clip = serving.extract(spec, toy.voice("happy", 1, rng, length_s), words)
        speaker = serving.SpeakerStatistics()
        serving.update_speaker(spec, clip, speaker)
        clips.append(serving.normalise_clip(spec, clip, speaker))
    return clips


def test_it_learns_what_it_is_shown(trained, toy_corpus):
    """Twice as often right as by chance, on the corpus that most of its training clips come from."""
    if trained.spec.name in UNTAUGHT:
        pytest.skip("its encoder's weights are random here")
    if is_text_model(trained.spec):
        right = [trained.predict_text(toy.words(emotion)).guess == emotion for emotion in toy.MANNER]
    else:
        clips = sorted(toy_corpus.rglob("*.wav"))
        answers = trained.predict_many(clips, text=text_for(trained))
        right = [answer.guess == clip.parts[-3] for answer, clip in zip(answers, clips, strict=True)]
    assert np.mean(right) > 2 / len(toy.MANNER)


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
