"""Graphs without masks: the same answers to whole clips, or a sentence."""

import numpy as np
import onnx
import pytest
import tiny
import torch
import toy
from typer.testing import CliRunner

from intonate import load_model
from intonate.cli import app
from intonate.errors import ModelError
from intonate.export import onnx as export
from intonate.export.whole_clips import write_for_whole_clips
from intonate.models.compact import Compact
from intonate.models.convolutional import CNN
from intonate.recognizer import builtin
from intonate.recognizer.model_file import read_model
from intonate.schema import ModelInput, ModelSpec

LABELS = ("angry", "happy", "neutral", "sad")


def masked(network, name, path, columns=40):
    """A network with norms that have seen something, and its file, which takes lengths."""
    rng = np.random.default_rng(0)
    item = ModelInput(name, "log_mel", {"bands": columns}, lengths=f"{name}_lengths")
    for _ in range(3):
        network(torch.randn(4, 60, columns), torch.tensor([60, 50, 40, 30]))
    clips = [{name: rng.normal(size=(length, columns)).astype(np.float32)} for length in (33, 80, 211)]
    export.write_torch(network, ModelSpec("toy", LABELS, (item,), clean=()), clips, path)
    return path


@pytest.fixture(scope="module")
def compact(tmp_path_factory):
    torch.manual_seed(0)
    small = {key: value for key, value in toy.SMALL.items() if key != "hidden"}
    return masked(Compact(4, {"mel": 40}, **small), "mel", tmp_path_factory.mktemp("compact") / "toy.onnx")


def test_the_same_answers_with_fewer_nodes(compact, tmp_path):
    path = write_for_whole_clips(compact, tmp_path / "folder" / "toy.onnx")
    before, after = read_model(compact), read_model(path)
    assert (after.spec.batching, after.spec.inputs[0].lengths) == ("equal_length", "")
    rng = np.random.default_rng(1)
    for clips, frames in ((1, 3), (1, 57), (3, 122), (2, 500)):
        mel = rng.normal(size=(clips, frames, 40)).astype(np.float32)
        expected = before.run({"mel": mel, "mel_lengths": np.full(clips, frames)})
        np.testing.assert_allclose(after.run({"mel": mel}), expected, atol=1e-6)
    counts = [len(onnx.load(str(file)).graph.node) for file in (compact, path)]
    assert counts[1] < 0.6 * counts[0]
    assert not any(node.op_type in ("Less", "Range", "Where") for node in onnx.load(str(path)).graph.node)


def test_in_place(compact, tmp_path):
    path = tmp_path / "toy.onnx"
    path.write_bytes(compact.read_bytes())
    assert write_for_whole_clips(path, path) == path
    assert [file.name for file in tmp_path.iterdir()] == ["toy.onnx"]
    with pytest.raises(ModelError, match="has no masks of padding"):
        write_for_whole_clips(path, path)
    assert read_model(path).spec.batching == "equal_length"


def test_lengths_that_are_more_than_masks(tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec())
    with pytest.raises(ModelError, match="more than masks"):
        write_for_whole_clips(tmp_path / "tiny.onnx", tmp_path / "whole.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.onnx"]


def test_another_network(tmp_path):
    torch.manual_seed(0)
    path = masked(CNN(4, {"frames": 40}, channels=(8, 8)), "frames", tmp_path / "toy.onnx")
    before = read_model(path)
    after = read_model(write_for_whole_clips(path, tmp_path / "whole.onnx"))
    frames = np.random.default_rng(1).normal(size=(2, 77, 40)).astype(np.float32)
    expected = before.run({"frames": frames, "frames_lengths": np.full(2, 77)})
    np.testing.assert_allclose(after.run({"frames": frames}), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["compact", "compact-open"])
def test_small_built_in_models_have_no_masks(name):
    assert read_model(builtin.path_of(name)).spec.batching == "equal_length"


def test_on_the_command_line(compact, tmp_path):
    result = CliRunner().invoke(app, ["export", str(compact), "--whole-clips", "--output", str(tmp_path)])
    assert result.output.strip() == str(tmp_path / "toy.onnx")
    assert load_model(tmp_path / "toy.onnx").spec.batching == "equal_length"
