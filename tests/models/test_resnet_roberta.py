"""`resnet_roberta`: its three ablations, and that padding and a long clip change nothing that they may not."""

import numpy as np
import pytest
import small_encoders
import torch
import toy

from intonate.errors import ModelError, RecipeError
from intonate.models.resnet_roberta import ResNetRoBERTa
from intonate.recognizer.recognizer import load_model
from intonate.training.fit import train

COLUMNS = {"frames": 20}
SMALL = {"channels": [8, 8, 16, 16], "blocks": [1, 1, 1, 1], "dropout": 0.0}
SHAPE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def roberta(tmp_path_factory):
    return small_encoders.roberta(tmp_path_factory.mktemp("roberta"))


def built(kind, roberta, **params):
    torch.manual_seed(0)
    given = {"pretrained": {"checkpoint": roberta}, "random": {"shape": SHAPE}, "none": {}}[kind]
    return ResNetRoBERTa(4, COLUMNS, roberta=kind, **given, **SMALL, **params).eval()


@pytest.mark.parametrize("kind", ["pretrained", "random", "none"])
def test_padding_changes_nothing(roberta, kind):
    network = built(kind, roberta)
    frames, lengths = torch.randn(2, 200, 20), torch.tensor([200, 130])
    with torch.no_grad():
        together = network(frames, lengths)
        torch.testing.assert_close(together[1:], network(frames[1:, :130], lengths[1:]), rtol=1e-4, atol=1e-5)
    assert together.shape == (2, 4)
    assert (together[0] - together[1]).abs().max() > 1e-4


def test_the_pretrained_one_begins_with_what_was_learnt_and_without_words(roberta):
    from transformers import RobertaModel

    learnt = RobertaModel.from_pretrained(roberta).state_dict()
    network = built("pretrained", roberta)
    mine = network.roberta.state_dict()
    assert set(learnt) - set(mine) == {"embeddings.word_embeddings.weight"}
    for name, value in mine.items():
        if not name.startswith("pooler"):
            torch.testing.assert_close(value, learnt[name])
    assert {id(weight) for weight in network.encoder_parameters()} == {id(w) for w in network.roberta.parameters()}
    assert not [*built("none", roberta).encoder_parameters()]


def test_what_is_beyond_its_positions_it_does_not_read(roberta):
    """The tiny RoBERTa has 32 positions, a row for every 32 frames: 1,024 frames; the average hears all."""
    network = built("pretrained", roberta)
    with torch.no_grad():
        network.head[1].weight[:, :16] = 0
        frames = torch.randn(1, 3000, 20)
        other = frames.clone()
        other[:, 2500:] += 1
        lengths = torch.tensor([3000])
        torch.testing.assert_close(network(frames, lengths), network(other, lengths))
        assert (network(frames, lengths) - network(frames + 1, lengths)).abs().max() > 1e-5


@pytest.mark.parametrize(
    ("params", "error", "sentence"),
    [
        ({"roberta": "some"}, RecipeError, "roberta is pretrained, random or none; got 'some'"),
        ({"roberta": "none", "shape": SHAPE}, RecipeError, "shape is of a random RoBERTa"),
        ({"roberta": "random", "shape": {"hidden": 3}}, RecipeError, "shape has no 'hidden'; did you mean 'hidden_"),
        ({}, ModelError, r"FacebookAI/roberta-base \(500 MB\) is not on this machine"),
    ],
)
def test_an_impossible_value_is_refused(params, error, sentence):
    with pytest.raises(error, match=sentence):
        ResNetRoBERTa(4, COLUMNS, **SMALL, **params)


def test_it_has_as_many_weights_at_full_size_as_its_parts():
    from transformers import RobertaConfig, RobertaModel

    from intonate.models.resnet_roberta import BASE

    with torch.device("meta"):
        whole = sum(weight.numel() for weight in RobertaModel(RobertaConfig(**BASE)).parameters())
        network = ResNetRoBERTa(8, COLUMNS, roberta="random")
    assert round(whole / 1e6, 2) == 124.65
    words = BASE["vocab_size"] * 768
    assert sum(weight.numel() for weight in network.roberta.parameters()) == whole - words


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["pretrained", "none"])
def test_the_file_answers_as_the_network_does_at_three_lengths(roberta, tmp_path, kind):
    from intonate.export.onnx import write_torch
    from intonate.schema import ModelInput, ModelSpec

    network = built(kind, roberta)
    item = ModelInput("frames", "mfcc", {"coefficients": 20}, lengths="frames_lengths")
    spec = ModelSpec(name=kind, labels=("angry", "happy", "neutral", "sad"), inputs=(item,))
    rng = np.random.default_rng(0)
    clips = [{"frames": rng.normal(size=(frames, 20)).astype(np.float32)} for frames in (40, 150, 400)]
    assert write_torch(network, spec, clips, tmp_path / "model.onnx") < 1e-3


@pytest.mark.usefixtures("every_sound_is_speech")
@pytest.mark.parametrize("front_end", ["mfcc", "spectrogram", "frames"])
def test_it_reads_each_of_the_inputs_that_the_paper_names(toy_corpus, tmp_path, front_end):
    recipe = toy.recipe(
        tmp_path / "toy.yaml",
        toy_corpus,
        inputs={"frames": {"front_end": front_end, "normalise": {"kind": "corpus"}}},
        model={"name": "resnet34", "params": {"channels": [8, 8, 16, 16], "blocks": [1, 1, 1, 1]}},
        training={"epochs": 1, "batch_size": 8, "average": 0},
    )
    run = train(recipe, runs=tmp_path)
    clip = next(toy_corpus.rglob("*.wav"))
    assert set(load_model(run / "fold1-seed0" / "model.onnx").predict(clip).scores) == set(toy.MANNER)
