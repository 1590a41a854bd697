"""A graph that takes samples answers as the model does with its front ends in numpy."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import small_classifiers
import soundfile
from typer.testing import CliRunner

from intonate import features
from intonate.audio.clean import clean
from intonate.cli import app
from intonate.converters import convert
from intonate.errors import ModelError
from intonate.export.front_ends import BUILDERS, FrontEnds
from intonate.export.nodes import Graph
from intonate.export.waveform import waveform_graph, waveform_model
from intonate.features.functionals import VOICE_COLUMNS
from intonate.features.normalise import SpeakerStatistics
from intonate.onnx_session import open_session
from intonate.recognizer import builtin, inputs
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import load_model

sys.path.insert(0, str(Path(__file__).parents[1] / "recognizer"))
import tiny

ROOT = Path(__file__).parents[2]
# Short ones: over the windows of a long one the speaker is remembered, by whoever feeds the moments.
CLIPS = [ROOT / f"examples/{name}.flac" for name in ("angry", "neutral", "sad")]
CLIPS += sorted((ROOT / "../shared/corpora/emodb/wav").glob("*.flac"))[::60]


def voice(seconds, seed=0):
    """Syllables of a buzz whose pitch falls, in a little noise."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * 16_000)) / 16_000
    phase = 2 * np.pi * np.cumsum(180 - 30 * time_s) / 16_000
    buzz = sum(np.sin(k * phase) / k for k in range(1, 15))
    return (0.1 * buzz * np.sin(7 * time_s) ** 2 + 1e-3 * rng.normal(size=len(time_s))).astype(np.float32)


SOUNDS = {
    "voice": voice(2.85),
    "short": voice(0.13),
    "odd": voice(1.0, seed=1)[:15_437],
    "noise": (0.05 * np.random.default_rng(2).normal(size=20_000)).astype(np.float32),
    "silence": np.zeros(9_000, np.float32),
}


def graph_of(name, params):
    """A session of one front end by itself."""
    graph = Graph()
    front = FrontEnds(graph, graph.input("waveform", np.float32, ["samples"]))
    value = front.get(name, params)
    graph.output(
        "out", value, ["rows"] if features.get(name)(voice(0.5), 16_000, **params).ndim == 1 else ["rows", "columns"]
    )
    helper = onnx.helper
    made = helper.make_graph(graph.nodes, name, graph.inputs, graph.outputs, graph.constants)
    return open_session(
        helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )


@pytest.mark.parametrize(
    ("name", "params", "tolerance"),
    [
        ("log_mel", {}, 1e-3),
        ("log_mel", {"bands": 40, "low_hz": 100.0, "level": False}, 1e-3),
        ("voice_functionals", {}, 2e-3),
        ("whisper_log_mel", {}, 1e-3),
        ("pooled", {"of": "log_mel", "statistics": ["sd", "mean"]}, 1e-3),
        ("waveform", {}, 1e-4),
        ("waveform", {"scale": False}, 0),
    ],
)
def test_front_ends_are_numpys(name, params, tolerance):
    session = graph_of(name, params)
    for kind, sound in SOUNDS.items():
        expected = features.get(name)(sound, 16_000, **params)
        (actual,) = session.run(None, {"waveform": sound})
        assert actual.shape == expected.shape, kind
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=tolerance, err_msg=kind)


def test_lines_of_the_modulation_fall_to_the_same_bands():
    """A line of the spectrum at exactly 5, 10 or 20 Hz, which some lengths have, is where numpy's rounding puts it."""
    session = graph_of("voice_functionals", {})
    columns = [place for place, name in enumerate(VOICE_COLUMNS) if name.startswith("mod")]
    for frames in (165, 185, 245, 330, 370, 485, 490, 535):
        sound = voice(frames / 100)[: frames * 160 - 1]
        expected = features.get("voice_functionals")(sound, 16_000)[columns]
        np.testing.assert_allclose(session.run(None, {"waveform": sound})[0][columns], expected, atol=5e-3)


# The encoder of `standard` rounds what it computes to 8 bits, clip by clip: where a last digit of the log-mel falls
# otherwise, a few values go to the next step.
@pytest.mark.parametrize(("name", "typical", "worst"), [("compact", 2e-5, 1e-3), ("standard", 1e-4, 2e-2)])
def test_answers_are_the_models(name, typical, worst, tmp_path):
    path = waveform_model(builtin.path_of(name), tmp_path)
    before, after = load_model(name), load_model(path)
    differences = []
    for clip in CLIPS:
        expected, actual = (model.predict(clip).scores for model in (before, after))
        differences.append(max(abs(expected[label] - actual[label]) for label in expected))
    assert np.median(differences) < typical
    assert max(differences) < worst


def test_what_was_heard_of_the_speaker_goes_in_and_comes_out():
    model = read_model(builtin.path_of("compact"))
    session = open_session(waveform_graph(model, optional_speaker=False).SerializeToString())
    given = {entry.name: np.zeros([3, entry.shape[1]]) for entry in session.get_inputs() if "moments" in entry.name}
    assert given.keys() == {"mel_moments", "voice_moments"}
    speaker = SpeakerStatistics()
    for path in CLIPS[:4]:
        sound = clean(soundfile.read(path, dtype="float32")[0], 16_000, model.spec.clean)
        clip = inputs.extract(model.spec, sound)
        inputs.update_speaker(model.spec, clip, speaker)
        feeds = inputs.padded_batch(model.spec.inputs, [inputs.normalise_clip(model.spec, clip, speaker)])
        _, scores, *moments = session.run(None, {"waveform": sound[None]} | given)
        np.testing.assert_allclose(scores[0], model.run(feeds)[0], atol=1e-3)
        given = dict(zip(given, moments, strict=True))
    assert given["voice_moments"][0, 0] == 4


def test_command(tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec())
    command = ["export", str(tmp_path / "tiny.onnx"), "--waveform-input", "--output", str(tmp_path)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert done.output.strip() == str(tmp_path / "tiny-waveform.onnx")
    both = [
        load_model(tmp_path / name).predict((tiny.speech(2.0), 16_000)) for name in ("tiny.onnx", "tiny-waveform.onnx")
    ]
    for label, score in both[0].scores.items():
        assert score == pytest.approx(both[1].scores[label], abs=1e-4)
    # Several of one length are answered one by one.
    many = list(load_model(tmp_path / "tiny-waveform.onnx").predict_many([(tiny.speech(2.0), 16_000)] * 3))
    assert [answer.label for answer in many] == [both[0].label] * 3


def test_a_converted_checkpoint_takes_samples_too(tmp_path):
    """Its graph is of a newer operator set."""
    file = convert(small_classifiers.checkpoint(tmp_path / "theirs", ("neu", "hap", "ang", "sad")), tmp_path / "out")
    before, after = load_model(file), load_model(waveform_model(file, tmp_path / "out"))
    expected, actual = (model.predict(CLIPS[1], whole=True).scores for model in (before, after))
    assert actual == pytest.approx(dict(expected), abs=1e-5)


def test_refusals(tmp_path):
    with pytest.raises(ModelError, match="reads words"):
        waveform_model(builtin.path_of("text"), tmp_path)
    mel = tiny.spec().inputs[0]
    tiny.write(tmp_path / "mfcc.onnx", tiny.spec(inputs=(replace(mel, front_end="mfcc", params={"coefficients": 8}),)))
    with pytest.raises(
        ModelError, match=f"'mfcc' cannot be put into the graph; those that can are {sorted(BUILDERS)[0]}"
    ):
        waveform_model(tmp_path / "mfcc.onnx", tmp_path)
    tiny.write(tmp_path / "slow.onnx", tiny.spec(sample_rate_hz=8_000))
    with pytest.raises(ModelError, match="hears 8,000 Hz"):
        waveform_model(tmp_path / "slow.onnx", tmp_path)
    with pytest.raises(ModelError, match="of a fixed length"):
        graph_of("whisper_log_mel", {"seconds": 30})
    with pytest.raises(ModelError, match="statistic 'max'"):
        graph_of("pooled", {"of": "log_mel", "statistics": ["max"]})
    assert not list(tmp_path.glob("*-waveform.onnx"))
