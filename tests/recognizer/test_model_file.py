"""A model file is ours and whole, or one sentence says what it is."""

import dataclasses

import onnx
import pytest
import tiny

from intonate import load_model
from intonate.errors import ModelError
from intonate.recognizer import builtin
from intonate.recognizer.builtin import DEFAULT
from intonate.recognizer.model_file import read_model, read_spec
from intonate.schema import ModelInput, Normalisation, Pool


def test_reads_the_spec_back(tiny_model):
    assert read_model(tiny_model).spec == tiny.spec()


def test_a_run_folder_is_a_model(tmp_path):
    tiny.write(tmp_path / "model.onnx", tiny.spec())
    assert load_model(tmp_path).spec.name == "tiny"


@pytest.mark.parametrize("name", ["", "compact+"])
def test_an_empty_name_is_no_model(tmp_path, monkeypatch, name):
    """Nor is it the folder that one works in."""
    tiny.write(tmp_path / "model.onnx", tiny.spec())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=f"the name of the model is empty; .* one of: {DEFAULT}, "):
        load_model(name)


def test_a_package_without_its_models(tmp_path, monkeypatch):
    monkeypatch.setattr(builtin, "ASSETS", tmp_path)
    with pytest.raises(ModelError, match=f"'{DEFAULT}' is no file, and intonate is installed without its own models"):
        load_model()


@pytest.mark.parametrize("threads", [None, "2", 1.5, 0])
def test_threads_are_counted(tiny_model, threads):
    with pytest.raises(ModelError, match=f"^threads is {threads!r}, expected a whole number from 1 on$"):
        load_model(tiny_model, threads=threads)


def test_weights_beside_the_file(tmp_path, tiny_model):
    model = onnx.load(tiny_model)
    path = tmp_path / "large.onnx"
    onnx.save(model, path, save_as_external_data=True, location="large.onnx.data", size_threshold=200)
    assert (tmp_path / "large.onnx.data").is_file()
    sound = (tiny.speech(2), 16_000)
    assert load_model(path).predict(sound).scores == load_model(tiny_model).predict(sound).scores


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot be read as an ONNX model"),
        (b"this is only a text\n", "cannot be read as an ONNX model"),
        (bytes(range(256)) * 9, "cannot be read as an ONNX model"),
        (b"\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.", "cannot be read as an ONNX model"),
    ],
    ids=["empty", "text", "bytes", "pickle"],
)
def test_not_onnx(tmp_path, content, says):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=says):
        read_model(tmp_path / "m.onnx")


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:c6f9\nsize 72862\n"


@pytest.mark.parametrize("reader", [read_model, read_spec])
def test_what_git_lfs_has_not_fetched(tmp_path, reader):
    (tmp_path / "m.onnx").write_bytes(POINTER)
    with pytest.raises(ModelError, match=r"m\.onnx is a Git LFS pointer, .* run `git lfs pull` in its repository, or"):
        reader(tmp_path / "m.onnx")


def test_weights_beside_the_file_that_git_lfs_has_not_fetched(tmp_path, tiny_model):
    path = tmp_path / "large.onnx"
    model = onnx.load(tiny_model)
    onnx.save(model, path, save_as_external_data=True, location="large.onnx.data", size_threshold=200)
    (tmp_path / "large.onnx.data").write_bytes(POINTER)
    with pytest.raises(ModelError, match=r"large\.onnx\.data is a Git LFS pointer"):
        read_model(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_truncated(tmp_path, tiny_model, part):
    whole = tiny_model.read_bytes()
    (tmp_path / "m.onnx").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(ModelError, match=r"m\.onnx"):
        read_model(tmp_path / "m.onnx")


def test_onnx_of_somebody_else(tmp_path):
    tiny.write(tmp_path / "m.onnx", None)
    with pytest.raises(ModelError, match="not one that intonate wrote"):
        read_model(tmp_path / "m.onnx")


def test_missing(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        load_model(tmp_path / "no.onnx")
    with pytest.raises(ModelError, match="give a file, hf:superb/hubert-base-er for that of the hub, or"):
        load_model("superb/hubert-base-er")
    with pytest.raises(ModelError, match="give a file, or one of"):
        load_model("out/m.onnx")
    with pytest.raises(ModelError, match="neither built in nor a file"):
        load_model("compakt")
    with pytest.raises(ModelError, match=r"without a model\.onnx"):
        load_model(tmp_path)


MEL = tiny.spec().inputs[0]
WRONG = {
    "front end": ({"inputs": (dataclasses.replace(MEL, front_end="log_mell"),)}, "did you mean 'log_mel'"),
    "input name": ({"inputs": (dataclasses.replace(MEL, name="sound"),)}, r"the graph takes mel \(float\)"),
    "no lengths": ({"inputs": (dataclasses.replace(MEL, lengths=""),)}, "mel_lengths"),
    "one more input": ({"inputs": (MEL, ModelInput("wave", "waveform"))}, r"the spec says .*wave"),
    "tokens without tokenizer": ({"inputs": (MEL, ModelInput("ids", "tokens"))}, "no tokenizer"),
    "labels": ({"labels": ("happy", "sad")}, "7 outputs, the spec 2 labels"),
    "repeated labels": ({"labels": ("happy",) * 7}, "missing or repeated"),
    "no labels": ({"labels": ()}, "missing or repeated"),
    "temperature": ({"temperature": 0.0}, "above zero"),
    "output": ({"output": "cosines"}, "'cosines'"),
    "batching": ({"batching": "never"}, "'never'"),
    "hop": ({"pool": Pool(hop_s=0.0)}, "above zero"),
    "normalisation": (
        {"inputs": (dataclasses.replace(MEL, normalisation=Normalisation("rank", (0.0,), (1.0,))),)},
        "'rank'",
    ),
}


@pytest.mark.parametrize(("changes", "says"), WRONG.values(), ids=WRONG.keys())
def test_spec_and_graph_disagree(tmp_path, changes, says):
    tiny.write(tmp_path / "m.onnx", tiny.spec(**changes))
    with pytest.raises(ModelError, match=says):
        read_model(tmp_path / "m.onnx")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": 1}', "null", '{"inputs": 3}', '{"inputs": [], "new": 1}'])
def test_spec_that_is_no_spec(tmp_path, tiny_model, text):
    model = onnx.load(tiny_model)
    onnx.helper.set_model_props(model, {"intonate.spec": text})
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"m\.onnx"):
        read_model(tmp_path / "m.onnx")


def test_a_spec_is_read_without_opening_the_model(tmp_path):
    tiny.write(tmp_path / "m.onnx", tiny.spec())
    assert read_spec(tmp_path / "m.onnx") == read_model(tmp_path / "m.onnx").spec
    with pytest.raises(ModelError, match="no such file"):
        read_spec(tmp_path / "none.onnx")
    whole = (tmp_path / "m.onnx").read_bytes()
    for size in (1, len(whole) // 2, len(whole) - 3):
        (tmp_path / "cut.onnx").write_bytes(whole[:size])
        with pytest.raises(ModelError):
            read_spec(tmp_path / "cut.onnx")


def test_a_table_in_the_place_of_a_model(tmp_path):
    (tmp_path / "clips.csv").write_text("file,emotion\na.wav,sad\n")
    with pytest.raises(ModelError, match=r"clips\.csv is a table and no model; the model comes first"):
        read_model(tmp_path / "clips.csv")
