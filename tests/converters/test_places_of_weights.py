"""Every weight of a network has its tensor and every tensor its place, whatever was wrapped around the network."""

import json
from importlib import import_module

import pytest
import small_families
import torch
import yaml
from safetensors.torch import load_file, save_file

from intonate.converters import FAMILIES, family_of
from intonate.converters.checkpoint import Checkpoint
from intonate.errors import ModelError
from intonate.published import tensors

EMOTION2VEC, SENSEVOICE = "emotion2vec_plus", "SenseVoice"


def rewritten(folder, file, change):
    """The weights in that file, under the names and with the values that `change` gives them."""
    path = folder / file
    if path.suffix == ".safetensors":
        save_file(change(load_file(path)), path, {"format": "pt"})
    else:
        torch.save(change(tensors.read(path)), path)


def with_more(*names):
    def change(folder, file):
        rewritten(folder, file, lambda weights: weights | {name: torch.ones(3) for name in names})

    return change


def configured(**settings):
    """Settings of config.yaml, wherever in it they are."""

    def replace(content):
        if not isinstance(content, dict):
            return content
        return {key: settings.get(key, replace(value)) for key, value in content.items()}

    def change(folder, _):
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(replace(yaml.safe_load(path.read_text()))))

    return change


LEFT_OVER = {
    "emotion2vec, fewer blocks": (EMOTION2VEC, configured(depth=1), r"blocks\.1\.attn\.proj\.bias"),
    "emotion2vec, fewer first blocks": (EMOTION2VEC, configured(prenet_depth=0), r"first_blocks\.0"),
    "emotion2vec, a second head": (EMOTION2VEC, with_more("proj2.weight"), r"proj2\.weight\)"),
    "emotion2vec, another encoder of places": (
        EMOTION2VEC,
        with_more("d2v_model.modality_encoders.AUDIO.fixed_positional_encoder.positions"),
        r"fixed_positional_encoder\.positions\)",
    ),
    "SenseVoice, fewer blocks": (SENSEVOICE, configured(num_blocks=2), r"blocks\.2\.first\.bias"),
    "SenseVoice, fewer further blocks": (SENSEVOICE, configured(tp_blocks=1), r"further_blocks\.1"),
    "SenseVoice, another layer": (SENSEVOICE, with_more("encoder.embed.out.weight"), r"encoder\.embed\.out\.weight\)"),
    "Odyssey, a deeper head": ("Odyssey, labels", with_more("ser_model.fc.1.0.weight"), r"ser_model\.fc\.1\.0"),
    "Odyssey, a part more": ("Odyssey, labels", with_more("projector.weight"), r"projector\.weight\)"),
    "SpeechBrain, a layer more": ("SpeechBrain", with_more("encoder.gate.weight"), r"encoder\.gate\.weight\)"),
    "Vox-Profile, a deeper head": ("Vox-Profile, WavLM", with_more("model_seq.9.weight"), r"model_seq\.9\.weight\)"),
    "wav2small, an eighth layer": ("wav2small", with_more("vgg7.l8.conv.weight"), r"vgg7\.l8\.conv\.weight\)"),
    "letters, a layer more": ("letters that are emotions", with_more("classifier.weight"), r"classifier\.weight\)"),
    **{
        f"a head of its own, {name}": ("audEERING", with_more(name), rf"{name}\)")
        for name in (
            "classifier.dense2.weight",
            "classifier.norm.weight",
            "projector.weight",
            "layer_weights",
            "attention_pool.weight",
        )
    },
}


def network_of(folder):
    checkpoint = Checkpoint("theirs", folder)
    family = import_module(FAMILIES[family_of(checkpoint)])
    return family.network(checkpoint, family.describe(checkpoint).spec)


@pytest.mark.parametrize("case", LEFT_OVER)
def test_weights_that_the_network_has_no_place_for_are_refused(case, tmp_path):
    layout, change, names = LEFT_OVER[case]
    small_families.CASES[layout].write(tmp_path / "theirs")
    change(tmp_path / "theirs", small_families.CASES[layout].weights)
    with pytest.raises(ModelError, match=f"holds weights that .* no place for .*{names}.* another network") as refused:
        network_of(tmp_path / "theirs")
    assert "\n" not in str(refused.value)


HARMLESS = {
    "what pre-training needed": (
        EMOTION2VEC,
        (
            "d2v_model.modality_encoders.AUDIO.decoder.blocks.0.0.weight",
            "d2v_model.modality_encoders.AUDIO.mask_emb",
            "d2v_model.modality_encoders.TEXT.context_encoder.norm.weight",
            "d2v_model.recon_proj.weight",
        ),
    ),
    "a row for masked frames": ("audEERING", ("wav2vec2.masked_spec_embed",)),
    "numbers of positions": ("audEERING", ("embeddings.position_ids",)),
    "finer labels": ("Vox-Profile, WavLM", ("detailed_out_layer.2.weight",)),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_weights_for_other_uses_are_left_out(case, tmp_path):
    layout, names = HARMLESS[case]
    small_families.CASES[layout].write(tmp_path / "theirs")
    with_more(*names)(tmp_path / "theirs", small_families.CASES[layout].weights)
    network_of(tmp_path / "theirs")


@pytest.mark.parametrize("wrapper", ["_orig_mod.", "module.", "module._orig_mod.", "model.", "model._orig_mod."])
@pytest.mark.parametrize("layout", [EMOTION2VEC, "SpeechBrain", "HuBERT", "audEERING", "wav2small"])
def test_what_was_wrapped_around_a_network_is_taken_off(layout, wrapper, tmp_path):
    case = small_families.CASES[layout]
    case.write(tmp_path / "theirs")
    wanted = network_of(tmp_path / "theirs").state_dict()
    rewritten(
        tmp_path / "theirs",
        case.weights,
        lambda weights: {f"{wrapper}{name}": tensor for name, tensor in weights.items()},
    )
    found = network_of(tmp_path / "theirs").state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("wrapper", ["_orig_mod.", "module.", "model."])
def test_a_wrapped_head_of_its_own_is_recognised_in_a_pickle_too(wrapper, tmp_path):
    small_families.CASES["audEERING"].write(tmp_path / "theirs")
    path = tmp_path / "theirs" / "model.safetensors"
    weights = {f"{wrapper}{name}": tensor for name, tensor in load_file(path).items()}
    path.unlink()
    torch.save(weights, tmp_path / "theirs" / "pytorch_model.bin")
    assert network_of(tmp_path / "theirs").first.weight.equal(weights[f"{wrapper}classifier.dense.weight"])


def test_a_part_that_was_compiled_alone_has_its_own_names():
    names = {"wav2vec2._orig_mod.encoder.weight": torch.ones(1), "classifier.weight": torch.ones(1)}
    assert set(tensors._bare_names(names).values()) == {"wav2vec2.encoder.weight", "classifier.weight"}


def test_a_file_of_several_is_judged_as_a_whole(tmp_path):
    """A part in which all names begin so is none that was wrapped."""
    save_file({"model.encoder.weight": torch.ones(1)}, tmp_path / "model-1.safetensors")
    save_file({"classifier.weight": torch.ones(1)}, tmp_path / "model-2.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    parts = {"model.encoder.weight": "model-1.safetensors", "classifier.weight": "model-2.safetensors"}
    index.write_text(json.dumps({"weight_map": parts}))
    assert set(tensors.read(index)) == tensors.names(index) == set(parts)
