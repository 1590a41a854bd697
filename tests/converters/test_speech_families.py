"""Odyssey, SpeechBrain, Vox-Profile and wav2small: what is wrong with a checkpoint is said in one sentence."""

import json
import shutil

import pytest
import small_speech as small
import torch
import transformers
from safetensors.torch import load_file, save_file

from intonate.converters import odyssey, speechbrain, vox_profile, wav2small
from intonate.converters.checkpoint import Checkpoint
from intonate.errors import ModelError

IEMOCAP = ("neu", "hap", "ang", "sad")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("theirs")
    return {
        odyssey: small.odyssey(root / "odyssey", small.ODYSSEY_LABELS),
        speechbrain: small.speechbrain(root / "speechbrain", IEMOCAP),
        vox_profile: small.vox_profile(root / "vox_profile", "wavlm_large"),
        wav2small: small.wav2small(root / "wav2small"),
    }


def setting(**entries):
    def change(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | entries))

    return change


def written(file, content):
    return lambda folder: (folder / file).write_text(content)


def without(file):
    return lambda folder: (folder / file).unlink()


def without_tensors(start, **more):
    def change(folder):
        path = folder / "model.safetensors"
        kept = {name: weight for name, weight in load_file(path).items() if not name.startswith(start)}
        save_file(kept | more, path)

    return change


def head(**weights):
    return lambda folder: torch.save(weights, folder / "model.ckpt")


def in_its_place(folder):
    encoder = small.drawn(transformers.WavLMModel(transformers.WavLMConfig(**small.SPEECH, **small.BUCKETS)))
    torch.save(small.prefixed("model.", encoder), folder / "wav2vec2.ckpt")


REFUSED = {
    "no mean": (odyssey, setting(mean=None), "has no mean, or not of type float"),
    "another encoder": (odyssey, setting(ssl_type="facebook/hubert-large-ll60k"), "only WavLM is known here"),
    "more classes": (odyssey, setting(num_classes=5), "has 5 classes, and names for 8 in id2label"),
    "a name twice": (odyssey, setting(num_classes=2, id2label={0: "Sad", 1: "Sad"}), "the same name"),
    "fewer outputs": (
        odyssey,
        setting(num_classes=2, id2label={0: "Sad", 1: "Happy"}),
        "ser_model.out.0.weight has the shape",
    ),
    "no pooling": (
        odyssey,
        without_tensors("pool_model"),
        "has no weights for pool_model.attention, pool_model.sap_linear",
    ),
    "no encoder": (odyssey, without_tensors("ssl_model"), "no weights of a WavLM where they are expected"),
    "a block is missing": (odyssey, without_tensors("ssl_model.encoder.layers.1"), "no weights for encoder.layers"),
    "another pooling": (
        speechbrain,
        written("hyperparams.yaml", small.HYPERPARAMS.replace("return_std: False", "return_std: True")),
        "only the mean of the frames",
    ),
    "no labels": (speechbrain, without("label_encoder.txt"), "has no label_encoder.txt"),
    "no head": (speechbrain, without("model.ckpt"), "has no model.ckpt"),
    "labels that are none": (speechbrain, written("label_encoder.txt", "neu 0\n"), "no lines such as 'neu' => 0"),
    "a gap": (speechbrain, written("label_encoder.txt", "'neu' => 0\n'sad' => 2\n"), "no lines such as"),
    "fewer labels": (speechbrain, written("label_encoder.txt", "'a' => 0\n'b' => 1\n"), "has the shape"),
    "a deeper head": (
        speechbrain,
        head(**{"0.w.weight": torch.zeros(4, small.WIDTH), "1.w.weight": torch.zeros(4, 4)}),
        "holds more than the one layer",
    ),
    "another head": (speechbrain, head(**{"w": torch.zeros(4)}), "holds more than the one layer"),
    "no encoder of wav2vec": (
        speechbrain,
        lambda folder: torch.save({"model.a": torch.zeros(1)}, folder / "wav2vec2.ckpt"),
        "no weights of a Wav2Vec2",
    ),
    # speechbrain#2358: it calls the encoder wav2vec2 whatever it is.
    "a WavLM": (
        speechbrain,
        in_its_place,
        "has no place for \\(encoder.layers.0.attention.gru_rel_pos_const",
    ),
    "an unknown encoder": (vox_profile, setting(pretrain_model="hubert"), "only wavlm, wavlm_large, whisper_tiny"),
    "adapters": (vox_profile, setting(finetune_method="adapter"), "only lora and finetune are known"),
    "other classes": (vox_profile, setting(output_class_num=4), "has 4 classes, and the nine of Vox-Profile"),
    "of something else": (
        vox_profile,
        without_tensors(("emotion", "arousal", "valence", "dominance")),
        "tells no emotion",
    ),
    "no convolution": (vox_profile, without_tensors("model_seq.3"), "no weights for model_seq.3"),
    "no attention": (
        wav2small,
        without_tensors("vgg7.l5"),
        "has no weights for vgg7.l5.conv.weight",
    ),
    "another filter bank": (
        wav2small,
        without_tensors("vgg7.logmel", **{"vgg7.logmel_extractor.melW": torch.zeros(26)}),
        "no vgg7.logmel_extractor.melW, or in another shape",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_sentence(case, folders, tmp_path):
    family, change, sentence = REFUSED[case]
    folder = shutil.copytree(folders[family], tmp_path / "theirs")
    change(folder)
    checkpoint = Checkpoint("theirs", folder)
    assert family.recognises(checkpoint)
    with pytest.raises(ModelError, match=sentence) as refused:
        family.network(checkpoint, family.describe(checkpoint).spec)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(("theirs", str(folder)))


def test_outputs_are_called_by_our_names(folders):
    described = {family: family.describe(Checkpoint("theirs", folder)) for family, folder in folders.items()}
    assert described[odyssey].outputs["Angry"] == "angry"
    assert described[speechbrain].spec.labels == ("angry", "happy", "neutral", "sad")
    assert described[vox_profile].spec.labels[:3] == ("angry", "contempt", "disgust")
    assert described[vox_profile].spec.dimensions == ("arousal", "valence", "dominance")
    assert described[wav2small].spec.dimensions == ("arousal", "dominance", "valence")


def test_an_older_name_of_a_weight_is_known(folders, tmp_path):
    """Convolutions with a norm of their own were saved under other names by older torch."""
    folder = shutil.copytree(folders[odyssey], tmp_path / "theirs")
    path, stem = folder / "model.safetensors", "ssl_model.encoder.pos_conv_embed.conv"
    weights = load_file(path)
    for place, name in (("0", "weight_g"), ("1", "weight_v")):
        weights[f"{stem}.{name}"] = weights.pop(f"{stem}.parametrizations.weight.original{place}")
    save_file(weights, path)
    checkpoint, before = Checkpoint("theirs", folder), Checkpoint("theirs", folders[odyssey])
    spec = odyssey.describe(checkpoint).spec
    sound = torch.randn(1, 8_000)
    with torch.no_grad():
        answers = [odyssey.network(each, spec).eval()(sound) for each in (checkpoint, before)]
    assert torch.allclose(*answers, atol=1e-6)


def test_a_mean_may_be_a_whole_number(folders, tmp_path):
    folder = shutil.copytree(folders[odyssey], tmp_path / "theirs")
    setting(mean=0, std=1)(folder)
    assert odyssey.describe(Checkpoint("theirs", folder)).spec.labels
    setting(mean=True)(folder)
    with pytest.raises(ModelError, match="has no mean, or not of type float"):
        odyssey.describe(Checkpoint("theirs", folder))
