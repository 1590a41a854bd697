"""Others' checkpoints become model files that answer as they did; what cannot be used is refused in one sentence."""

import json
import os
import shutil
import subprocess
import sys
import unittest.mock
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import small_classifiers
import soundfile
from typer.testing import CliRunner

from intonate.cli import app
from intonate.converters import convert, transformers_classifier
from intonate.converters.checkpoint import labels_of
from intonate.corpora import manifest, read
from intonate.errors import LabelError, ModelError
from intonate.evaluation import table
from intonate.export.ensemble import combine
from intonate.published import files as published
from intonate.published.checkpoints import CLASSIFIER, find
from intonate.recognizer import conversions
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import load_model
from intonate.schema import ModelSpec
from intonate.training.evaluate import evaluate, merge_of

EXAMPLES = Path(__file__).parents[2] / "examples"
IEMOCAP = ("neu", "hap", "ang", "sad")
OWN = ("joy", "anger", "sarcastic")


@dataclass(frozen=True)
class Converted:
    folder: Path
    file: Path


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def hubert(tmp_path_factory):
    """Named to `predict`, and with that in the cache."""
    folder = small_classifiers.checkpoint(tmp_path_factory.mktemp("hubert") / "small", IEMOCAP)
    with pytest.raises(ModelError, match=r"has not been converted yet; do it once with `intonate export .*small`"):
        load_model(folder)
    done = CliRunner().invoke(app, ["predict", str(EXAMPLES / "neutral.flac"), "--model", str(folder)])
    assert done.exit_code == 0, done.output
    assert "is converted once, into " in done.stderr
    return Converted(folder, conversions.file_of(folder))


@pytest.fixture(scope="module")
def wav2vec(tmp_path_factory):
    """Given away with its card; it takes the waveform as it is."""
    root = tmp_path_factory.mktemp("wav2vec")
    folder = small_classifiers.checkpoint(root / "large", OWN, "Wav2Vec2", normalise=False)
    done = CliRunner().invoke(app, ["export", str(folder), "--output", str(root / "out")])
    assert done.stdout.strip() == str(root / "out" / "large.onnx"), done.output
    return Converted(folder, root / "out" / "large.onnx")


@pytest.mark.parametrize("name", ["hubert", "wav2vec"])
def test_it_answers_as_transformers_does(name, request):
    import transformers

    model = request.getfixturevalue(name)
    pipeline = transformers.pipeline("audio-classification", model=str(model.folder), device="cpu", top_k=None)
    renamed = {"neu": "neutral", "hap": "happy", "ang": "angry", "joy": "happy", "anger": "angry"}
    recognizer, best = load_model(model.file), []
    for path in (EXAMPLES / f"{name}.flac" for name in ("angry", "neutral", "sad")):
        samples, rate_hz = soundfile.read(path, dtype="float32")
        theirs = {entry["label"]: entry["score"] for entry in pipeline({"raw": samples, "sampling_rate": rate_hz})}
        ours = recognizer.predict(path).scores
        assert ours == pytest.approx({renamed.get(label, label): score for label, score in theirs.items()}, abs=1e-3)
        best.append(max(ours.values()))
    assert max(best) > 1.2 / len(ours)
    assert len({round(value, 3) for value in best}) > 1


def test_it_is_a_model_like_any_other(hubert, wav2vec, tmp_path):
    spec = read_model(hubert.file).spec
    assert (spec.name, spec.labels) == ("small", ("angry", "happy", "neutral", "sad"))
    assert (spec.licence, spec.languages, spec.corpora) == ("cc-by-nc-4.0", ("de",), ())
    assert read_model(wav2vec.file).spec.labels == ("angry", "happy", "sarcastic")
    # Where it was exported from, too.
    assert load_model(wav2vec.folder).spec == read_model(wav2vec.file).spec
    card = wav2vec.file.with_suffix(".md").read_text()
    assert "cc-by-nc-4.0" in card
    assert "joy is `happy`; anger is `angry`; sarcastic is `sarcastic`" in card
    # The timeline of a longer recording, merged labels, and an ensemble with itself.
    model = load_model(hubert.folder)
    assert len(model.predict(EXAMPLES / "changing.flac").segments) >= 1
    assert set(model.predict(EXAMPLES / "neutral.flac", labels="valence").scores) == {"negative", "neutral", "positive"}
    together = load_model(combine(tmp_path / "two.onnx", [hubert.folder, hubert.file]))
    alone, both = (each.predict(EXAMPLES / "neutral.flac").scores for each in (model, together))
    assert both == pytest.approx(dict(alone), abs=1e-4)


@pytest.mark.parametrize("samples", [1, 399, 401, 1_000])
def test_a_sound_shorter_than_the_first_frame_is_answered(samples, hubert):
    """There is no speech in so short a sound."""
    sound = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    assert load_model(hubert.file).predict((sound, 16_000)).label in ("silence", "noise")


def test_the_second_use_needs_no_torch(hubert):
    code = (
        "import json, sys\nfrom intonate.cli import main\n"
        f"sys.argv = ['intonate', 'predict', {str(EXAMPLES / 'neutral.flac')!r}, '--model', {str(hubert.folder)!r}]\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    tops = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert "onnxruntime" in tops
    assert not tops & {"torch", "transformers", "onnx", "huggingface_hub", "safetensors"}
    assert done.stderr == ""


def test_a_changed_folder_is_another_model(hubert, tmp_path):
    copy = shutil.copytree(hubert.folder, tmp_path / "small")
    before = conversions.file_of(copy)
    assert before != hubert.file
    (copy / "config.json").write_text((copy / "config.json").read_text() + " ")
    assert conversions.file_of(copy) != before
    assert conversions.unconverted_checkpoints(f"{copy}+text") == [str(copy)]
    assert (
        conversions.unconverted_checkpoints(f"{hubert.folder}+text")
        == conversions.unconverted_checkpoints("compact")
        == []
    )


def test_it_is_judged_by_the_labels_it_has(wav2vec, toy_corpus, tmp_path):
    rows = read("folder", toy_corpus).utterances
    manifest.write(tmp_path / "toy.csv", rows)
    evaluate(wav2vec.file, tmp_path / "toy.csv", tmp_path / "report")
    answers = table.read(tmp_path / "report" / "predictions.csv")
    assert len(answers.truth) == sum(row.emotion in ("angry", "happy") for row in rows) > 0
    assert set(answers.labels) == {"angry", "happy", "sarcastic"}
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Left out, for the model has no such label" in page
    assert "trained on is not known" in page


def test_labels_that_no_corpus_has_cannot_be_judged():
    assert merge_of(ModelSpec("mine", ("angry", "fear", "smug"), ())) == "own:angry|fear|smug"
    assert merge_of(ModelSpec("mine", ("angry", "happy", "neutral", "sad"), ())) == "4"
    with pytest.raises(LabelError, match="dog, siren, none of which is an emotion"):
        merge_of(ModelSpec("mine", ("dog", "siren"), ()))


def test_several_labels_at_once_are_scores_of_their_own(hubert, tmp_path):
    """As the pipeline of transformers answers them: by a sigmoid each."""
    import transformers

    folder = shutil.copytree(hubert.folder, tmp_path / "theirs")
    config = json.loads((folder / "config.json").read_text()) | {"problem_type": "multi_label_classification"}
    (folder / "config.json").write_text(json.dumps(config))
    pipeline = transformers.pipeline("audio-classification", model=str(folder), device="cpu", top_k=None)
    clip = EXAMPLES / "neutral.flac"
    samples, rate_hz = soundfile.read(clip, dtype="float32")
    scores = pipeline({"raw": samples, "sampling_rate": rate_hz}, function_to_apply="sigmoid")
    renamed = {"neu": "neutral", "hap": "happy", "ang": "angry", "sad": "sad"}
    wanted = {renamed[entry["label"]]: entry["score"] for entry in scores}
    file = convert(folder, tmp_path / "out")
    answer = load_model(file).predict(clip)
    assert answer.scores == pytest.approx(wanted, abs=1e-4)
    assert sum(answer.scores.values()) != pytest.approx(1, abs=1e-3)
    assert answer.labels == tuple(label for label, score in answer.scores.items() if wanted[label] >= 0.5)
    card = file.with_suffix(".md").read_text()
    assert "Several labels may be true at once" in card
    assert "it never abstains" not in card


def test_labels_are_canonical_where_that_leaves_them_different():
    own = ["ANGRY", "Sadness ", "Wut", "colère", "😀 laut", "hap", "non-speech"]
    ours = ["angry", "sad", "Wut", "colère", "😀 laut", "happy", "non-speech"]
    assert labels_of(own, "it", "config.json") == ours
    assert labels_of(["ANG", "Happiness"], "it", "config.json") == ["angry", "happy"]
    assert labels_of(["joy", "happy", "sad"], "it", "config.json") == ["joy", "happy", "sad"]
    # Eleven, the last of which comes first where their numbers are sorted as text.
    outputs = {str(place): name for place, name in reversed([*enumerate("abcdefghijk")])}
    assert transformers_classifier.named_labels({"id2label": outputs}, "it") == [*"abcdefghijk"]


def test_without_a_network_it_says_how_to_get_it(monkeypatch):
    done = CliRunner().invoke(app, ["predict", str(EXAMPLES / "neutral.flac"), "--model", "hf:org/name@v1.0"])
    assert done.exit_code == 1
    assert "hf download org/name --revision v1.0 --local-dir name" in done.stderr
    assert "HF_HUB_OFFLINE is set" in done.stderr
    assert done.stderr.count("\n") == 1

    tried = []
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **asked: tried.append(asked) or 1 / 0)
    with pytest.raises(ModelError, match=r"not on this machine and cannot be fetched now \(ZeroDiv.* --model name"):
        find("hf:org/name", CLASSIFIER)
    assert [asked["timeout"] for asked in tried] == [published.HUB_TIMEOUT_S]
    with pytest.raises(ModelError, match="write hf:ORG/NAME"):
        find("hf:only-a-name", CLASSIFIER)


class Hub:
    """What the hub's client sees of one repository."""

    def __init__(self, folder, files):
        self.folder, self.files, self.asked, self.here = folder, files, [], False

    def model_info(self, _api, repository, **_):
        from types import SimpleNamespace

        return SimpleNamespace(sha="abc", siblings=[SimpleNamespace(rfilename=name) for name in self.files])

    def snapshot_download(self, _repository, local_files_only=False, **asked):
        import huggingface_hub

        self.asked.append(asked | {"local": local_files_only})
        if local_files_only and not self.here:
            raise huggingface_hub.errors.LocalEntryNotFoundError("not here")
        self.here = True
        return str(self.folder)


@pytest.fixture
def network(monkeypatch, hubert):
    def have(files):
        theirs = Hub(hubert.folder, files)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr(
            "huggingface_hub.HfApi.model_info", lambda api, *args, **more: theirs.model_info(api, *args)
        )
        monkeypatch.setattr("huggingface_hub.snapshot_download", theirs.snapshot_download)
        return theirs

    return have


def test_with_a_network_it_is_fetched_once(network, hubert):
    theirs = network(["config.json", "model.safetensors", "pytorch_model.bin"])
    assert [find("hf:org/name", CLASSIFIER) for _ in range(2)] == [hubert.folder] * 2
    assert [asked["local"] for asked in theirs.asked] == [True, False, True]
    # Nothing but configuration and safetensors is asked for.
    assert not any(pattern.endswith((".bin", ".py", "*")) for pattern in theirs.asked[1]["allow_patterns"])


def test_a_pickle_is_fetched_where_there_are_no_safetensors(network):
    theirs = network(["config.json", "pytorch_model.bin"])
    find("hf:org/name", CLASSIFIER)
    wanted = theirs.asked[1]["allow_patterns"]
    assert "pytorch_model*.bin" in wanted
    assert not any(pattern.endswith(".py") or pattern == "*" for pattern in wanted)


def test_tensors_of_a_pickle_are_as_good(hubert, tmp_path):
    """Only tensors are read of it, so nothing has to be converted by hand first."""
    import torch
    from safetensors.torch import load_file

    folder = shutil.copytree(hubert.folder, tmp_path / "theirs")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    clip = EXAMPLES / "neutral.flac"
    answer = load_model(convert(folder, tmp_path / "out")).predict(clip).scores
    assert answer == pytest.approx(dict(load_model(hubert.file).predict(clip).scores), abs=1e-6)


def test_a_name_that_the_hub_does_not_know(monkeypatch):
    import huggingface_hub

    def unknown(*_, **__):
        raise huggingface_hub.errors.RepositoryNotFoundError("404", response=unittest.mock.Mock())

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unknown)
    with pytest.raises(ModelError, match=r"does not give out org/name .*hf auth login"):
        find("hf:org/name", CLASSIFIER)
