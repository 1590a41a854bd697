"""`speech_encoder`: what of an encoder learns, that padding and memory change nothing, and what is in the file."""

from pathlib import Path

import numpy as np
import pytest
import small_encoders
import torch
import toy

from intonate.errors import ModelError, RecipeError
from intonate.features.waveform import waveform
from intonate.models import encoders
from intonate.models.fusion import SpeechTextFusion
from intonate.models.speech import SpeechEncoder
from intonate.published import checkpoints
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import load_model
from intonate.training import begin
from intonate.training.fit import train

HEARD = torch.tensor([12_000, 9_000])


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """{name: folder} of encoders as small as they come."""
    root = tmp_path_factory.mktemp("checkpoints")
    return {
        "hubert": small_encoders.speech(root / "hubert"),
        "large": small_encoders.speech(root / "large", norm="layer"),
        "wav2vec2": small_encoders.speech(root / "wav2vec2", "Wav2Vec2"),
        "wavlm": small_encoders.speech(root / "wavlm", "WavLM", "layer"),
        "whisper": small_encoders.whisper(root / "whisper"),
    }


def sound() -> torch.Tensor:
    """Two clips, (2, 12 000), the second with padding."""
    torch.manual_seed(1)
    samples = 0.1 * torch.randn(2, 12_000)
    samples[1, 9_000:] = 0
    return samples


def learning(network: torch.nn.Module) -> set[str]:
    return {name for name, weight in network.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("name", ["hubert", "whisper"])
def test_what_learns_is_what_the_recipe_says(folders, name):
    def of(tune, **params):
        return learning(SpeechEncoder(3, {}, folders[name], tune=tune, **params)) - {"head.weight", "head.bias"}

    front = ("feature_extractor.", "model.conv")
    frozen, last, partial, whole = of("frozen"), of("last", last=1), of("partial"), of("whole")
    assert frozen == set()
    assert last
    assert all(".layers.1." in weight for weight in last)
    assert last < of("last", last=2) < partial < whole
    assert {weight for weight in whole if any(part in weight for part in front)} == whole - partial
    assert of("frozen", layers="weighted") == {"speech.weights"}
    adapters = of("frozen", lora={"rank": 2})
    assert len(adapters) == 8  # queries and values of two layers, two matrices each
    assert all("lora" in weight for weight in adapters)


def test_the_encoder_alone_has_a_rate_of_its_own(folders):
    network = SpeechEncoder(3, {}, folders["hubert"], layers="weighted", pool="attention")
    slow = {id(weight) for weight in network.encoder_parameters()}
    named = {name for name, weight in network.named_parameters() if id(weight) in slow}
    assert named == {name for name in learning(network) if name.startswith("speech.model.")}


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
@pytest.mark.parametrize("params", [{}, {"layers": "weighted"}, {"pool": "attention"}], ids=str)
@pytest.mark.parametrize("name", ["large", "wavlm", "whisper"])
def test_padding_changes_nothing_where_it_may_not(folders, name, params):
    network = SpeechEncoder(3, {}, folders[name], **params).eval()
    assert network.BATCHING == "any"
    with torch.no_grad():
        together = network(sound(), HEARD)
        alone = network(sound()[1:, :9_000], HEARD[1:])
    torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-4


@pytest.mark.parametrize("name", ["hubert", "wav2vec2"])
def test_the_group_norm_of_the_base_models_wants_equal_lengths(folders, name):
    assert SpeechEncoder(3, {}, folders[name]).BATCHING == "equal_length"


def test_a_frozen_encoder_hears_a_clip_once_and_alone(folders, monkeypatch):
    network = SpeechEncoder(3, {}, folders["hubert"], tune="frozen", layers="weighted", dropout=0.0)
    with torch.no_grad():
        network.speech.weights.copy_(torch.tensor([0.3, -1.0, 2.0]))
    network.train()
    said = network(sound(), HEARD)
    said.sum().backward()
    assert network.speech.weights.grad.abs().max() > 0
    with monkeypatch.context() as patch:
        patch.setattr(network.speech.model, "forward", None)  # nothing is heard again
        torch.testing.assert_close(network.eval()(sound(), HEARD), said)
    network.finish()
    torch.testing.assert_close(network(sound()[:1], HEARD[:1]), said[:1])
    torch.testing.assert_close(network(sound()[1:, :9_000], HEARD[1:]), said[1:])


def test_other_weights_are_not_remembered(folders):
    network = SpeechEncoder(3, {}, folders["hubert"], tune="frozen").eval()
    before = network(sound(), HEARD)
    state = {name: value * 1.5 if "layers.1." in name else value for name, value in network.state_dict().items()}
    network.load_state_dict(state)
    assert (network(sound(), HEARD) - before).abs().max() > 1e-3


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
@pytest.mark.parametrize("name", ["hubert", "wavlm", "whisper"])
def test_adapters_answer_the_same_when_they_are_merged(folders, name):
    network = SpeechEncoder(3, {}, folders[name], tune="frozen", lora={"rank": 2, "alpha": 8}).eval()
    plain = SpeechEncoder(3, {}, folders[name])
    with torch.no_grad():
        unused = network(sound(), HEARD)
        for encoder in network.encoder_parameters():
            encoder.normal_(0, 0.3)
        adapted = network(sound(), HEARD)
        network.finish()
        assert (adapted - unused).abs().max() > 1e-3
        torch.testing.assert_close(network(sound(), HEARD), adapted, rtol=1e-4, atol=1e-4)
    assert network.state_dict().keys() == plain.state_dict().keys()


def test_spans_hide_the_share_that_is_asked_for_and_only_in_training(folders):
    torch.manual_seed(0)
    hidden = encoders._masked_spans(400, 300, 0.1, 5, torch.device("cpu"))
    # 1 - (1 - p / length) ^ length, since spans meet.
    assert hidden.float().mean() == pytest.approx(1 - (1 - 0.1 / 5) ** 5, abs=0.005)
    begins = hidden[:, 1:] & ~hidden[:, :-1]
    assert all(hidden[clip, at + 1 : at + 6].all() for clip, at in begins.nonzero()[:50].tolist())
    mask = {"time_prob": 0.5, "time_length": 3, "feature_prob": 0.3, "feature_length": 2}
    network = SpeechEncoder(3, {}, folders["large"], mask=mask, dropout=0.0)
    for part in network.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    for prob in ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout"):
        setattr(network.speech.model.config, prob, 0.0)
    quiet = network.eval()(sound(), HEARD)
    torch.testing.assert_close(network(sound(), HEARD), quiet)
    network.train()
    torch.manual_seed(3)
    masked = network(sound(), HEARD)
    assert (masked - quiet).abs().max() > 1e-3
    torch.manual_seed(3)
    torch.testing.assert_close(network(sound(), HEARD), masked)


@pytest.mark.parametrize("bands", [80, 128])
def test_whisper_hears_the_spectrogram_that_it_was_taught(bands):
    import transformers

    from intonate.models.whisper import LogMel

    extractor = transformers.WhisperFeatureExtractor(feature_size=bands)
    clip = toy.voice("happy", 1, np.random.default_rng(0), 2.0)
    wanted = extractor(clip, sampling_rate=16_000, return_tensors="pt").input_features
    torch.testing.assert_close(LogMel(bands)(torch.from_numpy(clip)[None]), wanted, rtol=0, atol=1e-4)
    assert LogMel(bands).rows(torch.tensor([1, 320, 321, 600_000])).tolist() == [1, 1, 2, 1500]


def test_whisper_may_be_shown_a_few_seconds(folders):
    few, all_thirty = (
        SpeechEncoder(4, {}, folders["whisper"], tune="whole", seconds=seconds).eval() for seconds in (2, 30)
    )
    assert few.speech.stack(sound(), HEARD)[0].shape[2] == 100
    few.load_state_dict(all_thirty.state_dict() | {key: value for key, value in few.state_dict().items()
                                                   if "positions" in key})  # fmt: skip
    # What is left of the silence changes little, and what lies beyond the seconds nothing.
    torch.testing.assert_close(few(sound(), HEARD), all_thirty(sound(), HEARD), rtol=0.2, atol=0.05)
    longer = torch.nn.functional.pad(sound(), (0, 30_000), value=0.1)
    torch.testing.assert_close(few(longer[:, :32_000], HEARD), few(longer, HEARD))
    assert not few.speech.model.embed_positions.weight.requires_grad


LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
}
XLARGE = LARGE | {"hidden_size": 1280, "num_hidden_layers": 48, "intermediate_size": 5120}


@pytest.mark.parametrize(
    ("kind", "shape", "millions"),
    [
        ("Hubert", {}, 94.37),
        ("Hubert", LARGE, 315.44),
        ("Hubert", XLARGE, 962.50),
        ("Wav2Vec2", {}, 94.37),
        ("WavLM", {}, 94.38),
        ("WavLM", LARGE | {"conv_bias": False}, 315.45),
    ],
)
def test_full_size_encoders_have_as_many_weights_as_published(kind, shape, millions):
    import transformers

    with torch.device("meta"):
        network = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**shape))
    assert round(sum(weight.numel() for weight in network.parameters()) / 1e6, 2) == millions


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"tune": "some"}, "tune is frozen, last, partial, whole; got 'some'"),
        ({"layers": "all"}, "layers is last, weighted; got 'all'"),
        ({"pool": "max"}, "pool is mean or attention; got 'max'"),
        ({"seconds": 0}, "seconds is a whole number from 1 to 30; got 0"),
        ({"seconds": 3}, "seconds is for Whisper"),
        ({"tune": "last", "last": 3}, "from 1 to the encoder's 2 layers; got 3"),
        ({"mask": {"time": 0.1}}, "mask has no 'time'; did you mean 'time_"),
        ({"lora": {"rank": 8}}, "needs a rank, as in {rank: 8}, and tune: frozen"),
        ({"tune": "frozen", "lora": {"alpha": 8}}, "needs a rank"),
    ],
)
def test_an_impossible_value_is_refused(folders, params, sentence):
    with pytest.raises(RecipeError, match=sentence.replace("{", r"\{").replace("}", r"\}")):
        SpeechEncoder(3, {}, folders["hubert"], **params)


def test_without_a_network_it_says_what_is_missing_before_it_listens(toy_corpus, tmp_path):
    recipe = toy.recipe(
        tmp_path / "r.yaml",
        toy_corpus,
        inputs={"waveform": {"front_end": "waveform"}},
        model={"name": "speech_encoder"},
    )
    with pytest.raises(ModelError, match=r"facebook/hubert-base-ls960 \(380 MB\) is not on this machine") as told:
        train(recipe, runs=tmp_path)
    assert "`hf download facebook/hubert-base-ls960 --local-dir hubert-base-ls960`" in str(told.value)
    assert "--set model.params.checkpoint=hubert-base-ls960" in str(told.value)


def test_no_other_checkpoint_is_read(folders, tmp_path):
    with pytest.raises(ModelError, match=r"neither a folder here nor a name on the hub \(ORG/NAME\)"):
        SpeechEncoder(3, {}, "hubert")
    with pytest.raises(RecipeError, match=r"\(bert\) does not take a waveform"):
        SpeechEncoder(3, {}, small_encoders.bert(tmp_path / "bert"))
    with pytest.raises(RecipeError, match="leave it out for Whisper"):
        SpeechEncoder(3, {}, folders["whisper"], mask={"time_prob": 0.1})
    (tmp_path / "none").mkdir()
    with pytest.raises(ModelError, match=r"has no model\.safetensors"):
        SpeechEncoder(3, {}, str(tmp_path / "none"))


def test_weights_that_are_not_in_the_file_are_not_made_up(tmp_path):
    from safetensors.torch import load_file, save_file

    file = Path(small_encoders.speech(tmp_path / "hubert")) / "model.safetensors"
    kept = load_file(file)
    save_file({name: value for name, value in kept.items() if "layers.1" not in name}, file, {"format": "pt"})
    with pytest.raises(ModelError, match=r"has no weights for encoder\.layers\.1.* HubertModel"):
        checkpoints.load(str(tmp_path / "hubert"), "speech")


@pytest.mark.usefixtures("every_sound_is_speech")
@pytest.mark.slow
def test_the_fusion_begins_with_what_the_first_stage_has_learnt(toy_corpus, tmp_path):
    """P3: HuBERT by itself from recipe to answer, in steps of two batches, then HuBERT + BERT."""
    both = small_encoders.checkpoints(tmp_path)
    training = {"epochs": 1, "batch_size": 4, "accumulate": 2, "mixup": 0, "average": 0, "keep_weights": True}
    recipe = toy.recipe(
        tmp_path / "one.yaml",
        toy_corpus,
        inputs={"waveform": {"front_end": "waveform"}},
        model={"name": "speech_encoder", "params": {"checkpoint": both["speech"], "tune": "whole", "layers": "last"}},
        training=training,
    )
    run = train(recipe, runs=tmp_path)
    recognizer = load_model(run / "fold1-seed0")
    clip = next(toy_corpus.rglob("*.wav"))
    assert set(recognizer.predict(clip).scores) == set(toy.MANNER)

    fusion = SpeechTextFusion(4, {}, **both)
    speech = {name: value.clone() for name, value in fusion.state_dict().items() if name.startswith("speech.")}
    labels = recognizer.spec.labels
    taken = begin.take_weights(fusion, labels, lambda classes: SpeechTextFusion(classes, {}, **both), run)
    assert taken == len(speech) + 1  # and the bias of the answer, whose shape is the same
    first = begin.load(begin.check(str(run)))
    for name, value in fusion.state_dict().items():
        if name in speech:
            assert value.equal(first[name]), name
    assert any(not value.equal(first[name]) for name, value in speech.items())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("wavlm", {"tune": "frozen", "lora": {"rank": 2}, "layers": "weighted", "pool": "attention"}),
        ("whisper", {"tune": "last", "last": 1}),
    ],
    ids=["wavlm", "whisper"],
)
@pytest.mark.filterwarnings("ignore")
def test_the_file_answers_as_the_network_does_at_three_lengths(folders, tmp_path, name, params):
    from intonate.export.onnx import write_torch
    from intonate.schema import ModelInput, ModelSpec

    network = SpeechEncoder(3, {}, folders[name], **params)
    network.finish()
    item = ModelInput("waveform", "waveform", {"scale": name != "whisper"}, lengths="waveform_lengths")
    spec = ModelSpec(name=name, labels=("angry", "happy", "sad"), inputs=(item,), batching=network.BATCHING)
    rng = np.random.default_rng(0)
    clips = [
        {"waveform": waveform(toy.voice("sad", 1, rng, seconds), 16_000, **item.params)} for seconds in (0.6, 1.3, 2.9)
    ]
    assert write_torch(network, spec, clips, tmp_path / "model.onnx") < 1e-3
    assert read_model(tmp_path / "model.onnx").spec.labels == spec.labels
