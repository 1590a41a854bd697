"""A wrong guess gets the right door, in one sentence and before torch is loaded."""

import json

import pytest

from intonate.converters import convert, family_of
from intonate.converters.checkpoint import Checkpoint
from intonate.errors import ModelError


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
