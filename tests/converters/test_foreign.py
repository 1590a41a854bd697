"""A wrong guess gets the right door, in one sentence and before torch is loaded."""

import json

import pytest

from intonate.converters import convert, family_of, transformers_classifier
from intonate.converters.checkpoint import Checkpoint
from intonate.errors import ModelError
from intonate.recognizer.model_file import FOREIGN
from intonate.recognizer.recognizer import load_model


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"config__yaml": "model: Paraformer\n"}, r"\(Paraformer\) looks like a checkpoint of FunASR"),
        ({"config__yaml": "a: 1\n"}, "looks like a checkpoint of FunASR"),
        ({"config__yaml": "task:\n  _target_: pyannote.audio.tasks\n"}, "is of pyannote; .*--speakers auto"),
        ({"hyperparams__yaml": "encoder: !new:torch.nn.Linear\n  a: 1\n"}, "looks like a checkpoint of SpeechBrain"),
        ({"adapter_config__json": "{}"}, "merge_and_unload"),
        ({"saved_model__pb": ""}, "SavedModel of TensorFlow"),
        ({"notes__md": ""}, "no config.json, config.yaml or hyperparams.yaml"),
    ],
)
def test_the_right_door(files, sentence, tmp_path):
    folder = write(tmp_path / "theirs", **files)
    with pytest.raises(ModelError, match=sentence) as refused:
        family_of(Checkpoint("theirs", folder))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("architecture", "door"),
    [
        (
            "WhisperForConditionalGeneration",
            r"--transcribe whisper:SIZE .* intonate train whisper-partial .*checkpoint=org/name$",
        ),
        ("HubertModel", r"intonate train hubert-partial --set model\.params\.checkpoint=org/name$"),
        ("Wav2Vec2ForPreTraining", "no emotions yet; for that: intonate train hubert-partial"),
        ("ClapModel", "fine-tuned for audio classification"),
        ("Wav2Vec2ForCTC", r"writes down what is said \(--transcribe .* `intonate models` lists models of emotion"),
        ("WavLMForXVector", r"tells who speaks \(--speakers auto .* `intonate models`"),
        ("Qwen2AudioForConditionalGeneration", "writes text; `intonate models`"),
        ("VitsDiscriminator", "fine-tuned for audio classification"),
    ],
)
def test_the_right_door_of_another_architecture(architecture, door, tmp_path):
    kind = next((kind for kind in ("whisper", "wav2vec2", "hubert") if architecture.lower().startswith(kind)), "other")
    config = {"architectures": [architecture], "model_type": kind, "conv_dim": [16]}
    folder = write(tmp_path / "theirs", config__json=json.dumps(config), preprocessor_config__json="{}")
    with pytest.raises(ModelError, match=f"is {architecture}, which does not classify recordings; .*{door}") as refused:
        transformers_classifier.describe(Checkpoint("hf:org/name", folder))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("architecture", ["BertForSequenceClassification", "BertModel"])
def test_a_model_of_words_is_told_so(architecture, tmp_path):
    config = {"architectures": [architecture], "model_type": "bert", "vocab_size": 100, "id2label": {0: "a", 1: "b"}}
    folder = write(tmp_path / "theirs", config__json=json.dumps(config))
    with pytest.raises(ModelError, match=r"reads text and hears nothing \(`intonate read` judges words"):
        transformers_classifier.describe(Checkpoint("theirs", folder))


def test_weights_alone_and_files_of_others(tmp_path):
    folder = write(tmp_path / "theirs", emotion2vec_base__pt="")
    with pytest.raises(ModelError, match=r"holds emotion2vec_base\.pt and no configuration of it \(config\.json, "):
        load_model(folder)
    for suffix, kind in FOREIGN.items():
        (tmp_path / f"model{suffix}").write_bytes(b"\x80nothing")
        with pytest.raises(ModelError, match=rf"model\{suffix} looks like {kind}; give a model file \(\.onnx\), or"):
            load_model(tmp_path / f"model{suffix}")


def test_a_tag_of_yaml_is_read_as_data_and_builds_nothing(tmp_path):
    marker = tmp_path / "it-ran"
    folder = write(tmp_path / "theirs", config__yaml=f"model: !new:os.mkdir\n  path: {marker}\n")
    assert Checkpoint("theirs", folder).yaml("config.yaml") == {"model": {"path": str(marker)}}
    folder = write(tmp_path / "python", config__yaml=f"model: !!python/object/apply:os.mkdir ['{marker}']\n")
    with pytest.raises(ModelError, match="is not YAML"):
        Checkpoint("python", folder).yaml("config.yaml")
    assert not marker.exists()


def test_code_beside_the_weights_is_not_run(tmp_path):
    marker = tmp_path / "it-ran"
    config = {"architectures": ["Own"], "auto_map": {"AutoModelForAudioClassification": "modeling.Own"}}
    folder = write(
        tmp_path / "theirs", config__json=json.dumps(config), modeling__py=f"import os\nos.mkdir({str(marker)!r})"
    )
    with pytest.raises(ModelError, match="code of others is never run here"):
        convert(folder, tmp_path / "out")
    assert not marker.exists()
