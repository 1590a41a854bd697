"""Views of a clip, averaged inside the graph."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
import toy

from intonate import load_model
from intonate.augment import spectrogram
from intonate.errors import RecipeError
from intonate.models.compact import Compact
from intonate.models.contract import Network
from intonate.models.views import Views
from intonate.training.fit import train

STRETCH, WARP = (0.85, 1.0, 1.15), (0.9, 1.0, 1.1)


class Seen(Network):
    """Keeps what it is given; its answer is the mean of a clip's own frames."""

    def forward(self, mel, mel_lengths, voice):
        self.given = [clip[:length].numpy() for clip, length in zip(mel, mel_lengths, strict=True)]
        own = torch.arange(mel.shape[1])[None] < mel_lengths[:, None]
        return (mel * own[..., None]).sum(1) / mel_lengths[:, None] + voice


def drawn(frames, stretch, warp):
    length = math.floor((frames - 1) * stretch) + 1
    return spectrogram.Augmentation(0, length, stretch, warp, 0.0, None, (), ())


def test_a_view_is_what_training_draws():
    rng = np.random.default_rng(0)
    lengths = [1, 17, 40]
    clips = [rng.normal(size=(length, 12)).astype(np.float32) for length in lengths]
    mel = torch.from_numpy(
        np.stack([np.pad(clip, ((0, 40 - len(clip)), (0, 0)), constant_values=99) for clip in clips])
    )
    inside = Seen()
    Views(inside, "mel", STRETCH, WARP)(mel, torch.tensor(lengths), torch.zeros(3, 12))
    expected = [spectrogram.apply(clip, drawn(len(clip), a, b)) for a in STRETCH for b in WARP for clip in clips]
    assert len(inside.given) == len(expected) == 27
    for found, wanted in zip(inside.given, expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_the_answer_is_the_mean_of_the_probabilities():
    torch.manual_seed(0)
    network = Compact(3, {"mel": 20, "voice": 5}).eval()
    mel, lengths, voice = torch.randn(2, 60, 20), torch.tensor([60, 45]), torch.randn(2, 5)
    one = Views(network, "mel", [1.0], [1.0])
    with torch.no_grad():
        plain = network(mel, lengths, voice)
        torch.testing.assert_close(one(mel=mel, mel_lengths=lengths, voice=voice), torch.log_softmax(plain, 1))
        parts = [Views(network, "mel", [factor], [1.0])(mel, lengths, voice).exp() for factor in STRETCH]
        torch.testing.assert_close(Views(network, "mel", STRETCH, [1.0])(mel, lengths, voice).exp(), sum(parts) / 3)
        # Padding counts for nothing, whatever stands in it.
        alone = Views(network, "mel", STRETCH, WARP)(mel[1:, :45], lengths[1:], voice[1:])
        mel[1, 45:] = 7
        torch.testing.assert_close(Views(network, "mel", STRETCH, WARP)(mel, lengths, voice)[1:], alone)


@pytest.mark.parametrize(("model", "of"), [("compact", "voice"), ("compact", "words"), ("random_forest", "mel")])
def test_what_has_no_views_is_refused_before_anything_is_heard(model, of, toy_corpus, tmp_path):
    recipe = toy.recipe(tmp_path / "toy.yaml", toy_corpus, model={"name": model, "views": {"of": of}})
    with pytest.raises(RecipeError, match=r"model\.views"):
        train(recipe, runs=tmp_path)


def test_a_network_that_wants_equal_lengths_has_no_views():
    class Even(Seen):
        BATCHING = "equal_length"

    with pytest.raises(RecipeError, match="equal length"):
        Views(Even(), "mel", STRETCH, WARP)


def test_from_recipe_to_file(toy_corpus, tmp_path):
    """The file holds the views: it answers otherwise than the same weights without them, and all the rest stays."""
    files = []
    for name, views in (("plain", None), ("views", {"of": "mel", "stretch": [0.8, 1, 1.25], "warp": [0.9, 1]})):
        model = {"name": "compact", "params": toy.SMALL, "views": views}
        run = train(toy.recipe(tmp_path / f"{name}.yaml", toy_corpus, name=name, model=model), runs=tmp_path)
        files.append(run / "fold1-seed0")
    records = [json.loads((folder / "run.json").read_text()) for folder in files]
    assert records[0]["validation_uar"] == records[1]["validation_uar"]
    assert records[1]["onnx_difference"] < 1e-3
    plain, views = (load_model(folder / "model.onnx") for folder in files)
    rng = np.random.default_rng(0)
    for seconds in (0.5, 2.0):
        heard = (toy.voice("happy", 1, rng, seconds), toy.SAMPLE_RATE_HZ)
        probabilities = [model.predict(heard).scores for model in (plain, views)]
        difference = max(abs(probabilities[0][label] - probabilities[1][label]) for label in probabilities[0])
        assert 1e-6 < difference < 0.5
