"""What the workshop may ask of a model: every one of the catalogue can be asked, and the defaults are as written."""

import inspect

import pytest
import torch

from intonate import models
from intonate.models.contract import Network, Pipeline, has_encoder, is_network
from intonate.models.views import Views

NAMES = sorted(models.CATALOGUE)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_a_network_or_builds_a_pipeline(name):
    build = models.get(name)
    if is_network(build):
        assert {"classes", "columns"} <= inspect.signature(build).parameters.keys()
        assert build.arguments() == tuple(inspect.signature(build.forward).parameters)[1:] != ()
        assert build.BATCHING in ("any", "equal_length")
        assert build.EXPORTER in ("legacy", "dynamo")
    else:
        pipeline: Pipeline = build(seed=0)
        assert hasattr(pipeline, "predict_proba")
        assert hasattr(pipeline, "steps")


def test_those_with_an_encoder_of_others_are_known_before_they_are_built():
    networks = {name: models.get(name) for name in NAMES if is_network(models.get(name))}
    assert {name for name, build in networks.items() if has_encoder(build)} == {
        "hubert_bert",
        "resnet_roberta",
        "speech_encoder",
    }


class Sum(Network):
    def forward(self, mel, mel_lengths):
        return mel.sum(dim=1) / mel_lengths[:, None]


def test_what_a_network_does_not_say_has_a_default():
    network = Sum()
    assert (network.BATCHING, network.EXPORTER) == ("any", "legacy")
    assert list(network.input_names()) == list(Sum.arguments()) == ["mel", "mel_lengths"]
    assert list(network.parts(mel=torch.zeros(1, 2, 3))) == []
    assert (network.penalty(), list(network.encoder_parameters())) == (0.0, [])
    assert Sum.check(width=3) is None is Sum.tokenizer(["a text"], width=3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.finish()
    assert before.keys() == network.state_dict().keys()


def test_views_take_the_inputs_of_the_network_inside():
    assert list(Views(Sum(), "mel", [1.0], [1.0]).input_names()) == ["mel", "mel_lengths"]
