"""Weights of 8 bits: smaller, nearly the same answers, and refused where it makes no sense."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import small_classifiers
import soundfile
import torch
import toy
import transformers
from onnx import numpy_helper
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from intonate.audio.decode import load
from intonate.cli import app
from intonate.converters import convert
from intonate.corpora import manifest, read
from intonate.errors import ModelError
from intonate.export import convolutions, quantize
from intonate.export.ensemble import MEMBERS_KEY, combine
from intonate.export.onnx import write_sklearn
from intonate.features.normalise import SpeakerStatistics
from intonate.models import classical
from intonate.recognizer import builtin, inputs
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import load_model
from intonate.schema import ModelInput, ModelSpec
from intonate.training import validation
from intonate.training.evaluate import evaluate
from intonate.training.fit import train

sys.path.insert(0, str(Path(__file__).parents[1] / "recognizer"))
import tiny

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def run(toy_corpus, tmp_path_factory):
    """A run of an LSTM that has learnt its corpus."""
    root = tmp_path_factory.mktemp("int8")
    parts = {
        "inputs": {"frames": toy.MEL["mel"]},
        "model": {"name": "recurrent", "params": {"cell": "lstm", "width": 32}},
        "training": {"epochs": 12, "batch_size": 8, "learning_rate": 5e-3},
    }
    return train(toy.recipe(root / "toy.yaml", toy_corpus, **parts), runs=root / "runs")


def uar(model, corpus, folder):
    """As `intonate evaluate` finds it, each clip alone."""
    manifest.write(folder / "toy.csv", read("folder", corpus).utterances)
    evaluate(model, folder / "toy.csv", folder / "report")
    conditions = json.loads((folder / "report" / "metrics.json").read_text())["conditions"]
    alone = next(condition for condition in conditions if condition["statistics"] == "clip alone")
    return alone["open"]["overall"]["uar"]["value"]


def test_a_run_loses_next_to_nothing(run, toy_corpus, tmp_path):
    done = CliRunner().invoke(app, ["export", str(run), "--output", str(tmp_path), "--quantize", "int8"])
    assert done.exit_code == 0, done.output
    before, after = tmp_path / "toy.onnx", tmp_path / "toy-int8.onnx"
    assert done.stdout.splitlines()[-1] == str(after)
    assert "MB became" in done.stdout
    # The run knows its corpus by its name alone.
    assert "are not here (corpus is not a folder" in done.stderr
    assert "give labelled clips with --clips MANIFEST" in done.stderr
    assert after.stat().st_size < 0.6 * before.stat().st_size
    spec = read_model(after).spec
    assert spec.name == "toy-int8"
    assert spec.scores == read_model(before).spec.scores != {}
    scores = {file.stem: uar(file, toy_corpus, tmp_path) for file in (before, after)}
    print(f"UAR {scores['toy']:.3f}, in int8 {scores['toy-int8']:.3f}")
    assert scores["toy"] > 0.5
    assert scores["toy-int8"] == pytest.approx(scores["toy"], abs=0.05)


def test_a_run_is_checked_on_its_validation_clips(run, toy_corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(toy_corpus.parent)
    labelled = validation.for_export(str(run), run / "fold1-seed0" / "model.onnx")
    assert labelled.name == "the validation clips of its training, speakers-4/1"
    assert len(labelled.clips) == len(labelled.truth) > 0
    made = quantize.quantized(run / "fold1-seed0" / "model.onnx", tmp_path, "fp16", labelled)
    assert made.uar[0] == made.uar[1] > 0.3
    card = (tmp_path / "toy-fp16.md").read_text()
    assert f"| UAR on {labelled.name} ({len(labelled.clips)} clips), clip alone, % |" in card
    manifest.write(tmp_path / "mine.csv", read("folder", toy_corpus).utterances[:4])
    assert (
        validation.for_export("compact", run / "fold1-seed0" / "model.onnx", tmp_path / "mine.csv").name == "mine.csv"
    )
    assert validation.for_export("compact", run / "fold1-seed0" / "model.onnx") is None


@pytest.mark.parametrize(("labels", "told"), [(("a", "b"), "gives several labels at once"), ((), "has no labels")])
def test_a_run_that_cannot_be_checked_says_so(tmp_path, monkeypatch, capsys, labels, told):
    (tmp_path / "recipe.yaml").touch()
    spec = SimpleNamespace(labels=labels, multi_label=bool(labels))
    monkeypatch.setattr(validation, "read_model", lambda file: SimpleNamespace(spec=spec))
    assert validation.for_export(str(tmp_path), tmp_path / "model.onnx") is None
    assert f"{tmp_path} {told}, so there is no recall to compare, and what is lost is" in capsys.readouterr().err


def taught(folder, corpus):
    """A checkpoint whose head has learnt a corpus, so that its recall can be lost."""
    utterances = read("folder", corpus).utterances
    labels = sorted({utterance.emotion for utterance in utterances})
    small_classifiers.checkpoint(folder, labels)
    network = transformers.HubertForSequenceClassification.from_pretrained(folder)
    pooled = []
    for utterance in utterances:
        sound = soundfile.read(utterance.path, dtype="float32")[0]
        sound = torch.from_numpy((sound - sound.mean()) / sound.std())[None]
        with torch.no_grad():
            pooled.append(network.projector(network.hubert(sound).last_hidden_state).mean(dim=1)[0].numpy())
    scale = np.std(pooled, axis=0)
    fitted = LogisticRegression(max_iter=1000).fit(pooled / scale, [utterance.emotion for utterance in utterances])
    with torch.no_grad():
        network.classifier.weight.copy_(torch.from_numpy(fitted.coef_ / scale))
        network.classifier.bias.copy_(torch.from_numpy(fitted.intercept_))
    network.save_pretrained(folder)
    return folder


def test_a_speech_encoder_with_its_convolutions(toy_corpus, monkeypatch, tmp_path):
    monkeypatch.setattr(convolutions, "FEWEST_CHANNELS", 16)
    folder = taught(tmp_path / "small", toy_corpus)
    made = quantize.quantized(convert(folder, tmp_path), tmp_path)
    scores = {file.stem: uar(file, toy_corpus, tmp_path) for file in (tmp_path / "small.onnx", made.path)}
    print(f"UAR {scores['small']:.3f}, in int8 {scores['small-int8']:.3f}")
    assert scores["small"] > 0.4
    assert scores["small-int8"] == pytest.approx(scores["small"], abs=0.05)
    assert made.bytes_after < made.bytes_before
    operators = [node.op_type for node in onnx.load(str(made.path)).graph.node]
    # That of the positions is in groups, and stays.
    assert operators.count("Conv") == 1
    assert "InstanceNormalization" not in operators
    assert operators.count("MatMulIntegerToFloat") == 6
    assert operators.count("MatMulInteger") >= 2 * 6
    before, after = (
        load_model(file).predict(EXAMPLES / "neutral.flac").scores for file in (tmp_path / "small.onnx", made.path)
    )
    # More than a full-size one would lose: a head that tells emotions by random features weighs their least change.
    assert 0 < made.difference < 0.1
    assert after == pytest.approx(dict(before), abs=0.1)
    with pytest.raises(ModelError, match="is quantised already"):
        quantize.quantized(made.path, tmp_path)


def test_another_opset_answers_the_same(tmp_path):
    done = CliRunner().invoke(app, ["export", "compact", "--output", str(tmp_path), "--opset", "18"])
    assert done.exit_code == 0, done.output
    assert onnx.load(str(tmp_path / "compact-opset18.onnx")).opset_import[0].version == 18
    clip = EXAMPLES / "neutral.flac"
    scores = load_model(tmp_path / "compact-opset18.onnx").predict(clip).scores
    assert scores == pytest.approx(dict(load_model("compact").predict(clip).scores), abs=1e-5)


def test_what_would_grow_is_left_alone(tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec())
    with pytest.raises(ModelError, match=r"^tiny-int8 would have [\d,]+ bytes .* weights are small already; use it"):
        quantize.quantized(tmp_path / "tiny.onnx", tmp_path / "out")
    # Convolutions are measured on clips, and nothing else makes them smaller.
    with pytest.raises(
        ModelError, match=r"^compact-int8 would have .* 8 bits on labelled clips alone; give some: --clips"
    ):
        quantize.quantized(builtin.path_of("compact"), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_an_ensemble_keeps_the_names_of_its_members(tmp_path, monkeypatch):
    monkeypatch.setattr(quantize, "_file_bytes", lambda path: 0)  # what is so small grows
    for name in ("one", "two"):
        tiny.write(tmp_path / f"{name}.onnx", tiny.spec(name=name))
    both = combine(tmp_path / "both.onnx", [tmp_path / "one.onnx", tmp_path / "two.onnx"])
    made = onnx.load(str(quantize.quantized(both, tmp_path).path))
    members = next(entry.value for entry in made.metadata_props if entry.key == MEMBERS_KEY)
    assert [member["name"] for member in json.loads(members)["members"]] == ["one", "two"]


def test_what_has_no_products_is_left_alone(tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec())
    graph = onnx.load(str(tmp_path / "tiny.onnx"))
    # The first seven means, and no product with a weight.
    for node in graph.graph.node:
        if node.op_type == "MatMul":
            node.op_type = "Slice"
            node.input[:] = ["mel_mean", "from", "to", "axes"]
    ends = {"from": np.array([0]), "to": np.array([7])}
    graph.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in ends.items())
    onnx.save(graph, str(tmp_path / "means.onnx"))
    with pytest.raises(ModelError, match="no weights that could be quantised"):
        quantize.quantized(tmp_path / "means.onnx", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_what_has_no_fp16_is_refused_by_its_own_name(tmp_path):
    """The converter makes a graph of it that nothing opens."""
    rng, labels = np.random.default_rng(0), ("angry", "happy")
    spec = ModelSpec("near", labels, (ModelInput("voice", "voice_functionals"),), output="log_probabilities")
    features = rng.normal(size=(24, 5)).astype(np.float32)
    pipeline = classical.knn(0, neighbours=1).fit(features, np.repeat([0, 1], 12))
    write_sklearn(pipeline, spec, [{"voice": row} for row in features[:3]], tmp_path / "near.onnx", (0, 1))
    with pytest.raises(ModelError) as refused:
        quantize.quantized(tmp_path / "near.onnx", tmp_path / "out", "fp16")
    kind = "holds a kind of model that cannot be written in fp16; use it as it is"
    assert str(refused.value) == f"{tmp_path / 'near.onnx'} {kind}"
    assert not list((tmp_path / "out").iterdir())


def example_clips():
    """The examples as `compact` takes them, with its own answers for the truth."""
    model = read_model(builtin.path_of("compact"))
    clips = []
    for path in sorted(EXAMPLES.glob("*.flac")):
        clip = inputs.extract(model.spec, load(path))
        clips.append(inputs.normalise_clip(model.spec, clip, SpeakerStatistics()))
    truth = load_model("compact").probabilities(clips).argmax(axis=1)
    return model.path, quantize.LabelledClips("the examples", clips, truth)


def test_convolutions_are_measured_on_clips(tmp_path):
    path, labelled = example_clips()
    made = quantize.quantized(path, tmp_path, "int8", labelled)
    graph = onnx.load(str(made.path)).graph
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in graph.node}
    assert not any(node.op_type.startswith("Dynamic") for node in graph.node)
    assert made.bytes_after < 0.7 * made.bytes_before  # whose weights take 16 bits in the file
    assert made.uar[1] > made.uar[0] - quantize.LARGEST_LOSS
    assert f"UAR 100.0 became {100 * made.uar[1]:.1f} on the examples ({len(labelled.clips)} clips)" in str(made)
    assert f"| size, MB | {path.stat().st_size / 1e6:.2f} |" in (tmp_path / "compact-int8.md").read_text()
    assert load_model(made.path).predict(EXAMPLES / "neutral.flac").scores


def test_half_of_the_bits(tmp_path):
    path, labelled = example_clips()
    made = quantize.quantized(path, tmp_path, "fp16", labelled)
    weights = onnx.load(str(made.path)).graph.initializer
    assert made.bytes_after < 2.2 * sum(int(np.prod(weight.dims)) for weight in weights) + 40_000
    assert (made.uar, made.difference < 0.01) == ((1.0, 1.0), True)
    with pytest.raises(ModelError, match="is quantised already"):
        quantize.quantized(made.path, tmp_path)


def test_what_loses_more_than_a_point_is_not_written(tmp_path, monkeypatch):
    path, labelled = example_clips()

    def ruined(original, graph, folder, labelled):
        for weight in graph.graph.initializer:
            if len(weight.dims) > 1:
                weight.CopyFrom(numpy_helper.from_array(0 * numpy_helper.to_array(weight), weight.name))
        return graph

    monkeypatch.setattr(quantize, "_int8", ruined)
    with pytest.raises(ModelError, match=r"compact-int8 loses \d+\.\d points of UAR on the examples"):
        quantize.quantized(path, tmp_path, "int8", labelled)
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_it_takes(tmp_path):
    def said(*arguments):
        done = CliRunner().invoke(app, ["export", *arguments, "--output", str(tmp_path)])
        assert done.exit_code == 1
        return done.stderr

    assert "did you mean 'int8'?" in said("compact", "--quantize", "int4")
    assert "or a model file with --quantize int8" in said("compact")
    assert "opset 99 is not known; expected 7 to" in said("compact", "--opset", "99")
    assert "cannot be written in opset 8 (No Adapter" in said("compact", "--opset", "8")
    assert "has no finished fit" in said(str(tmp_path))


def test_what_stays_as_large_is_said_to():
    same = quantize.Quantized(Path("a"), 7_600_000, 7_599_000, 0.0)
    assert str(same).startswith("7.6 MB became 7.6 MB (nothing in it could be shrunk); ")
    assert "shrunk" not in str(quantize.Quantized(Path("a"), 7_600_000, 2_000_000, 0.0))
