"""The door out of the workshop: parity is demanded, the spec is signed in, nothing of the machine goes along."""

from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import toy

from intonate.errors import ModelError
from intonate.export import onnx as export
from intonate.models import classical
from intonate.models.compact import Compact
from intonate.models.contract import Network
from intonate.recognizer.inputs import padded_batch
from intonate.recognizer.model_file import read_model
from intonate.schema import ModelInput, ModelSpec

LABELS = ("angry", "happy", "neutral", "sad")
MEL = ModelInput("mel", "log_mel", lengths="mel_lengths")
VOICE = ModelInput("voice", "voice_functionals")


def mel_clips(*lengths: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [{"mel": rng.normal(size=(length, 40)).astype(np.float32)} for length in lengths]


@pytest.fixture(scope="module")
def compact():
    torch.manual_seed(0)
    network = Compact(4, {"mel": 40}, **{key: value for key, value in toy.SMALL.items() if key != "hidden"})
    for _ in range(3):  # so that the running statistics of the norms are not their defaults
        network(torch.randn(4, 60, 40), torch.tensor([60, 50, 40, 30]))
    return network.eval()


def test_a_network_answers_the_same_from_its_file(compact, tmp_path):
    path = tmp_path / "model.onnx"
    difference = export.write_torch(compact, ModelSpec("toy", LABELS, (MEL,)), mel_clips(33, 80, 211), path)
    assert difference <= export.TOLERANCE
    # Lengths and batch sizes that the export never saw.
    for clips in (mel_clips(7), mel_clips(500, 44, 301, 90, 13)):
        feeds = padded_batch((MEL,), clips)
        with torch.no_grad():
            wanted = torch.softmax(compact(**{name: torch.from_numpy(value) for name, value in feeds.items()}), dim=1)
        np.testing.assert_allclose(read_model(path).run(feeds), wanted.numpy(), atol=1e-4)


def test_nothing_of_the_machine_is_in_the_file(compact, tmp_path):
    export.write_torch(compact, ModelSpec("toy", LABELS, (MEL,)), mel_clips(33, 80, 211), tmp_path / "model.onnx")
    content = (tmp_path / "model.onnx").read_bytes()
    for secret in (str(Path.home()), str(Path(export.__file__).parents[2]), str(tmp_path), "site-packages"):
        assert secret.encode() not in content


class Untraceable(Network):
    """Its way depends on what it hears, which torch.export does not take."""

    EXPORTER = "dynamo"

    def forward(self, mel, mel_lengths):
        return mel.mean(1) if mel.sum() > 0 else mel.sum(1)


def test_what_the_exporter_cannot_trace_is_said_in_one_sentence(tmp_path):
    with pytest.raises(ModelError, match="'toy' cannot be written as an ONNX graph: ") as refused:
        export.write_torch(Untraceable(), ModelSpec("toy", LABELS, (MEL,)), mel_clips(33, 80, 211), tmp_path / "x.onnx")
    assert not {"\n", "\x1b"} & set(str(refused.value))


class FrozenTime(Network):
    """Asks Python for the number of frames: the trace keeps the one of the example."""

    def forward(self, mel: torch.Tensor, mel_lengths: torch.Tensor) -> torch.Tensor:
        return mel.sum(dim=(1, 2))[:, None] / int(mel.shape[1]) + mel_lengths[:, None] * torch.zeros(1, 4)


def test_a_network_whose_time_axis_is_frozen_is_refused(tmp_path):
    spec = ModelSpec("bad", LABELS, (MEL,), batching="equal_length")
    with pytest.raises(ModelError, match="answers differently"):
        export.write_torch(FrozenTime(), spec, mel_clips(20, 40, 400), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


class Padded(Network):
    """Right for a clip alone; its padding counts."""

    def forward(self, mel: torch.Tensor, mel_lengths: torch.Tensor) -> torch.Tensor:
        return torch.exp(mel).mean(dim=1)[:, :4] + 0 * mel_lengths[:, None]


def test_a_network_that_padding_changes_must_say_so(tmp_path):
    """Parity alone would let it pass, for the file is wrong in the same way."""
    spec = ModelSpec("padded", LABELS, (MEL,))
    with pytest.raises(ModelError, match="padding"):
        export.write_torch(Padded(), spec, mel_clips(20, 40, 400), tmp_path / "model.onnx")
    equal = ModelSpec("padded", LABELS, (MEL,), batching="equal_length")
    assert export.write_torch(Padded(), equal, mel_clips(20, 40, 400), tmp_path / "model.onnx") < 1e-3


PIPELINES = {
    "knn": partial(classical.knn, neighbours=3),
    "knn by distance": partial(classical.knn, weights="distance"),
    "knn by Manhattan distance": partial(classical.knn, weights="distance", metric="manhattan"),
    "knn by angle": partial(classical.knn, weights="distance", metric="cosine"),
    "mlp": partial(classical.mlp, layers=[8], learning_rate=0.02, iterations=2000),
    "xgboost": partial(classical.xgboost, trees=10),
    "lightgbm": partial(classical.lightgbm, trees=10, smallest_leaf=2),
    "logistic_regression": classical.logistic_regression,
    "random_forest": partial(classical.random_forest, trees=20),
    "naive_bayes": classical.naive_bayes,
    "decision_tree": classical.decision_tree,
    "svm": classical.svm,
}


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("present", [(0, 1, 2, 3), (0, 3), (1, 2, 3)])
def test_a_pipeline_keeps_the_places_of_its_labels(name, present, tmp_path):
    """And it answers as before, clips that it was not fitted to as well."""
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(len(present)), 12)
    features = (rng.normal(size=(len(targets), 5)) + targets[:, None]).astype(np.float32)
    pipeline = PIPELINES[name](seed=0).fit(features, targets)
    spec = ModelSpec("toy", LABELS, (VOICE,), output="log_probabilities")
    clips = [{"voice": row} for row in features[:3]]
    difference = export.write_sklearn(pipeline, spec, clips, tmp_path / "model.onnx", present)
    assert difference <= export.TOLERANCE
    heard = np.concatenate([features, rng.normal(1.5, 2, size=(50, 5)).astype(np.float32)])
    answers = read_model(tmp_path / "model.onnx").run({"voice": heard})
    assert answers.shape == (len(heard), 4)
    np.testing.assert_allclose(answers[:, present], pipeline.predict_proba(heard), atol=1e-4)
    absent = [place for place in range(4) if place not in present]
    assert (answers[:, absent] < 1e-5).all()


def test_signing_again_replaces_the_spec_and_nothing_else(compact, tmp_path):
    path = tmp_path / "model.onnx"
    export.write_torch(compact, ModelSpec("toy", LABELS, (MEL,)), mel_clips(33, 80, 211), path)
    before = onnx.load(str(path)).graph.SerializeToString()
    export.sign(path, ModelSpec("signed", LABELS, (MEL,), temperature=2.0))
    assert read_model(path).spec.name == "signed"
    assert onnx.load(str(path)).graph.SerializeToString() == before


def test_a_large_one_signed_again_grows_by_nothing(compact, tmp_path, monkeypatch):
    spec, clips = ModelSpec("toy", LABELS, (MEL,)), mel_clips(33, 80, 211)
    file, data = tmp_path / "large.onnx", tmp_path / "large.onnx.data"
    monkeypatch.setattr(export, "ONE_FILE_BYTES", 10_000)
    export.write_torch(compact, spec, clips, file)
    size, answer = data.stat().st_size, read_model(file).run(padded_batch(spec.inputs, clips))
    export.sign(file, spec)
    assert data.stat().st_size == size
    np.testing.assert_array_equal(read_model(file).run(padded_batch(spec.inputs, clips)), answer)
    assert sorted(tmp_path.iterdir()) == [file, data]
    # A small one in its place leaves nothing of it.
    monkeypatch.undo()
    export.sign(file, spec)
    assert [*tmp_path.iterdir()] == [file]
    np.testing.assert_array_equal(read_model(file).run(padded_batch(spec.inputs, clips)), answer)
