"""Models that answer together: as one file, exactly as their members do, and honest about what they are."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import toy

from intonate import features
from intonate.errors import ModelError
from intonate.export import onnx as export
from intonate.export.ensemble import MEMBERS_KEY, TIE, combine
from intonate.features.normalise import SpeakerStatistics
from intonate.models.classical import random_forest
from intonate.models.compact import Compact
from intonate.models.contract import Network
from intonate.recognizer import inputs
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import Recognizer
from intonate.schema import ModelInput, ModelSpec, Normalisation, Pool

sys.path.insert(0, str(Path(__file__).parents[1] / "recognizer"))
import tiny

LABELS = ("angry", "happy", "neutral", "sad")
BANDS = 40
VOICES = 208


def normalisation(columns: int, mean: float, rows: float) -> Normalisation:
    return Normalisation("speaker", (mean,) * columns, (3.0,) * columns, (rows,) * columns, rows, clip=5.0)


def mel(mean: float = -5.0) -> ModelInput:
    return ModelInput("mel", "log_mel", {"bands": BANDS}, "mel_lengths", normalisation(BANDS, mean, 200.0))


def voice(mean: float = 0.0, name: str = "voice") -> ModelInput:
    return ModelInput(name, "voice_functionals", normalisation=normalisation(VOICES, mean, 3.0))


def spec(name: str, items: tuple[ModelInput, ...], **changes: object) -> ModelSpec:
    known = {"temperature": 0.7, "abstain_below": 0.3, "licence": "CC-BY-4.0", "merge": "4"} | changes
    return ModelSpec(name, **({"labels": LABELS} | known), inputs=items)  # type: ignore[arg-type]


SOUNDS = [toy.voice("happy", speaker, np.random.default_rng(speaker), 0.9 + 0.6 * speaker) for speaker in range(3)]


def clips(model_spec: ModelSpec, sounds: list[np.ndarray] = SOUNDS) -> list[inputs.Clip]:
    """Each sound of a speaker nobody has heard before."""
    return [
        inputs.normalise_clip(model_spec, inputs.extract(model_spec, sound), SpeakerStatistics()) for sound in sounds
    ]


def network(path: Path, model_spec: ModelSpec, seed: int) -> Path:
    torch.manual_seed(seed)
    columns = {"mel": BANDS} | ({"voice": VOICES} if len(model_spec.inputs) > 1 else {})
    small = {key: value for key, value in toy.SMALL.items() if key != "hidden" or "voice" in columns}
    made = Compact(len(LABELS), columns, **small)
    for _ in range(3):
        mels, lengths = torch.randn(6, 60, BANDS), torch.tensor([60, 55, 50, 40, 30, 20])
        made(mels, lengths, *([torch.randn(6, VOICES)] if "voice" in columns else []))
    with torch.no_grad():  # untrained, it is unsure of everything, and any average would do
        made.head[-1].weight *= 6
    export.write_torch(made, model_spec, clips(model_spec), path)
    return path


def forest(path: Path, model_spec: ModelSpec, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    targets = np.repeat(range(4), 12)
    rows = (rng.normal(size=(len(targets), VOICES)) + 0.5 * targets[:, None]).astype(np.float32)
    fitted = random_forest(seed, trees=12).fit(rows, targets)
    export.write_sklearn(fitted, model_spec, clips(model_spec), path, range(4))
    return path


class Attentive(Network):
    """Goes through the newer exporter, and with it through another operator set."""

    EXPORTER = "dynamo"

    def __init__(self) -> None:
        super().__init__()
        self.attend = torch.nn.MultiheadAttention(BANDS, 4, batch_first=True)
        self.norm = torch.nn.LayerNorm(BANDS)
        self.out = torch.nn.Linear(BANDS, len(LABELS))

    def forward(self, mel: torch.Tensor, mel_lengths: torch.Tensor) -> torch.Tensor:
        mixed, _ = self.attend(mel, mel, mel, need_weights=False)
        return self.out(self.norm(mel + mixed).sum(dim=1) / mel_lengths[:, None])


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """Members of every kind, by name."""
    folder = tmp_path_factory.mktemp("members")
    both = (mel(), voice())
    turned = spec("turned", both, labels=("sad", "neutral", "happy", "angry"), temperature=2.0, abstain_below=0.5)
    made = {
        "one": network(
            folder / "one.onnx",
            spec("one", both, unseen_speakers=("a/1", "a/2"), corpora=("a",), heard_speakers=("f",)),
            1,
        ),
        "two": network(
            folder / "two.onnx",
            spec("two", both, unseen_speakers=("a/2", "a/3"), corpora=("b",), heard_speakers=("e",)),
            2,
        ),
        "turned": network(folder / "turned.onnx", turned, 3),
        "apart": network(folder / "apart.onnx", spec("apart", (mel(-4.0), voice(0.5)), licence="CC0-1.0"), 4),
        "forest": forest(
            folder / "forest.onnx", spec("forest", (voice(name="functionals"),), output="log_probabilities")
        ),
    }
    torch.manual_seed(0)
    unpadded = spec("attentive", (mel(),), batching="equal_length")
    made["attentive"] = folder / "attentive.onnx"
    export.write_torch(Attentive().eval(), unpadded, clips(unpadded), made["attentive"])
    return made


def wanted(models, sounds=SOUNDS):
    """Each member's calibrated probabilities (members, sounds, labels), asked by itself, in the order of `LABELS`."""
    answers = []
    for path in models:
        recognizer = Recognizer(read_model(path))
        order = [recognizer.spec.labels.index(label) for label in LABELS]
        answers.append(recognizer.probabilities(clips(recognizer.spec, sounds))[:, order])
    return np.stack(answers)


TOGETHER = {
    ("one", "two"): ["mel", "voice"],
    ("one", "turned"): ["mel", "voice"],
    ("one", "apart"): ["mel", "voice", "mel_2", "voice_2"],
    ("one", "forest"): ["mel", "voice"],
    ("forest", "apart"): ["functionals", "mel", "voice"],
    ("forest", "attentive"): ["functionals", "mel"],
    ("one", "attentive", "forest", "two"): ["mel", "voice"],
}


@pytest.mark.parametrize("names", TOGETHER, ids="+".join)
def test_an_ensemble_answers_as_the_average_of_its_members(zoo, names, tmp_path):
    path = combine(tmp_path / "together.onnx", [zoo[name] for name in names])
    together = Recognizer(read_model(path))
    assert [item.name for item in together.spec.inputs] == TOGETHER[names]
    mean = wanted([zoo[name] for name in names]).mean(axis=0)
    assert np.ptp(mean, axis=1).min() > 0.02  # it says something
    heard = clips(together.spec)
    np.testing.assert_allclose(together.probabilities(heard), mean, atol=1e-5)
    alone = np.concatenate([together.probabilities([clip]) for clip in heard])
    np.testing.assert_allclose(alone, mean, atol=1e-5)
    # Several of the same length at once, whatever the members say about padding.
    np.testing.assert_allclose(together.probabilities([heard[1]] * 3), mean[[1, 1, 1]], atol=1e-5)


@pytest.mark.usefixtures("every_sound_is_speech")
def test_running_statistics_of_each_input_are_its_own(zoo, tmp_path):
    """A speaker who is heard clip after clip: each member's inputs lean on its own training set."""
    members = [zoo["one"], zoo["apart"]]
    path = combine(tmp_path / "together.onnx", members)
    recognizers = [Recognizer(read_model(member)) for member in (*members, path)]
    voices = [SpeakerStatistics() for _ in recognizers]
    for sound in SOUNDS:
        *apart, together = (
            recognizer.predict((sound, toy.SAMPLE_RATE_HZ), speaker=heard).scores
            for recognizer, heard in zip(recognizers, voices, strict=True)
        )
        for label in LABELS:
            assert together[label] == pytest.approx(np.mean([scores[label] for scores in apart]), abs=1e-5)


def test_a_front_end_that_members_share_is_computed_once(zoo, tmp_path, monkeypatch):
    """Even where their normalisations differ, and they are two inputs of the graph."""
    together = read_model(combine(tmp_path / "together.onnx", [zoo["one"], zoo["apart"], zoo["forest"]])).spec
    called = []
    monkeypatch.setattr(features, "get", lambda name: lambda *_, **__: called.append(name) or np.zeros((5, 2)))
    clip = inputs.extract(together, SOUNDS[0])
    assert sorted(called) == ["log_mel", "voice_functionals"]
    assert list(clip) == ["mel", "voice", "mel_2", "voice_2"]


def test_the_same_front_end_with_other_parameters_is_another():
    both = spec("x", (mel(), dataclasses.replace(mel(), name="fine", params={"bands": 80})))
    clip = inputs.extract(both, SOUNDS[0])
    assert (clip["mel"].shape[1], clip["fine"].shape[1]) == (40, 80)


@pytest.mark.parametrize("names", [("one", "two", "turned"), ("one", "forest")], ids="+".join)
def test_a_vote_counts_the_members_best_labels(zoo, names, tmp_path):
    path = combine(tmp_path / "vote.onnx", [zoo[name] for name in names], by="vote")
    together = Recognizer(read_model(path))
    answers = wanted([zoo[name] for name in names])
    votes = np.eye(4)[answers.argmax(axis=2)].mean(axis=0)
    got = together.probabilities(clips(together.spec))
    np.testing.assert_allclose(got, (1 - TIE) * votes + TIE * answers.mean(axis=0), atol=1e-5)
    best = np.where(votes == votes.max(axis=1, keepdims=True), answers.mean(axis=0), 0).argmax(axis=1)
    assert (got.argmax(axis=1) == best).all()


def test_an_ensemble_may_be_a_member(zoo, tmp_path):
    inner = combine(tmp_path / "inner.onnx", [zoo["one"], zoo["forest"]])
    outer = combine(tmp_path / "outer.onnx", [inner, zoo["apart"]])
    together = Recognizer(read_model(outer))
    answers = wanted([zoo["one"], zoo["forest"], zoo["apart"]])
    mean = (answers[0] / 2 + answers[1] / 2 + answers[2]) / 2
    np.testing.assert_allclose(together.probabilities(clips(together.spec)), mean, atol=1e-5)
    assert together.spec.licence == "CC-BY-4.0 AND CC0-1.0"


def test_what_an_ensemble_says_of_itself(zoo, tmp_path):
    path = combine(tmp_path / "pair.onnx", [zoo["one"], zoo["two"], zoo["two"]], name="three voices")
    together = read_model(path).spec
    assert (together.name, together.labels, together.merge) == ("three voices", LABELS, "4")
    assert (together.output, together.temperature, together.scores) == ("log_probabilities", 1.0, {})
    assert together.unseen_speakers == ("a/2",)  # the others were heard by one of them
    assert together.heard_speakers == ("e", "f")
    assert together.corpora == ("a", "b")
    assert together.licence == "CC-BY-4.0"
    assert together.batching == "any"
    graph = onnx.load(str(path))
    told = json.loads(next(entry.value for entry in graph.metadata_props if entry.key == MEMBERS_KEY))
    assert told["by"] == "average"
    assert [member["name"] for member in told["members"]] == ["one", "two", "two"]
    # Which files, in which order, and how: all of it is in the hash.
    other = [
        combine(tmp_path / "same.onnx", [zoo["one"], zoo["two"], zoo["two"]]),
        combine(tmp_path / "order.onnx", [zoo["two"], zoo["one"], zoo["two"]]),
        combine(tmp_path / "vote.onnx", [zoo["one"], zoo["two"], zoo["two"]], by="vote"),
    ]
    hashes = [read_model(file).spec.recipe_hash for file in other]
    assert hashes[0] == together.recipe_hash
    assert len(set(hashes)) == 3


def test_differing_members_are_told_in_the_spec(zoo, tmp_path):
    together = read_model(combine(tmp_path / "pair.onnx", [zoo["turned"], zoo["attentive"], zoo["apart"]])).spec
    assert together.name == "pair"
    assert together.labels == ("sad", "neutral", "happy", "angry")
    assert together.batching == "equal_length"
    assert together.licence == "CC-BY-4.0 AND CC0-1.0"
    assert together.abstain_below == pytest.approx((0.5 + 0.3 + 0.3) / 3, abs=1e-4)


def test_members_are_refused_under_the_names_that_they_were_given(tmp_path):
    with pytest.raises(ModelError) as said:
        combine(tmp_path / "together.onnx", ["standard", "compact"])
    assert str(said.value).startswith("standard and compact cannot answer together: their cleaning steps differ (dc, ")
    assert "loudness against trim (below_db 40.0, margin_s 0.1))" in str(said.value)


def test_an_unknown_licence_is_not_passed_over(zoo, tmp_path):
    unknown = network(tmp_path / "unknown.onnx", spec("unknown", (mel(), voice()), licence=""), 5)
    together = combine(tmp_path / "pair.onnx", [zoo["one"], unknown])
    assert read_model(together).spec.licence == "CC-BY-4.0 AND NOASSERTION"


REFUSED = {
    "cleaning steps": {"clean": ({"step": "trim", "below_db": 25.0},)},
    "sample rates": {"sample_rate_hz": 8_000},
    "windows": {"pool": Pool(4.0, 2.0, 1.0)},
    "label calm": {"labels": (*tiny.LABELS[:-1], "calm"), "merge": ""},
}


@pytest.mark.parametrize("difference", REFUSED)
def test_members_that_hear_differently_are_refused(difference, tmp_path):
    tiny.write(tmp_path / "one.onnx", tiny.spec())
    tiny.write(tmp_path / "other.onnx", tiny.spec(**REFUSED[difference]))
    with pytest.raises(ModelError, match=r"one.onnx and .*other.onnx cannot answer together") as said:
        combine(tmp_path / "together.onnx", [tmp_path / "one.onnx", tmp_path / "other.onnx"])
    assert difference.split()[-1] in str(said.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.onnx", "other.onnx"]


def test_models_that_read_and_models_that_only_hear(tmp_path):
    pytest.importorskip("tokenizers")
    tiny.write(tmp_path / "reads.onnx", tiny.token_spec(), tokens=True)
    tiny.write(tmp_path / "hears.onnx", tiny.spec(temperature=1.5))
    path = combine(tmp_path / "together.onnx", [tmp_path / "hears.onnx", tmp_path / "reads.onnx"])
    together = Recognizer(read_model(path))
    assert together.spec.text_required
    sound = (tiny.speech(2.0), 16_000)
    apart = [
        Recognizer(read_model(tmp_path / "hears.onnx")).predict(sound).scores,
        Recognizer(read_model(tmp_path / "reads.onnx")).predict(sound, text="by the door").scores,
    ]
    scores = together.predict(sound, text="by the door").scores
    for label in tiny.LABELS:
        assert scores[label] == pytest.approx(np.mean([each[label] for each in apart]), abs=1e-5)
    with pytest.raises(ModelError, match="needs the words"):
        together.predict(sound)

    other = tiny.token_spec()
    other = dataclasses.replace(other, tokenizer=other.tokenizer.replace("kids", "dogs"))
    tiny.write(tmp_path / "other.onnx", other, tokens=True)
    with pytest.raises(ModelError, match="tokenizers differ"):
        combine(tmp_path / "both.onnx", [tmp_path / "reads.onnx", tmp_path / "other.onnx"])


@pytest.mark.parametrize(
    ("output", "models", "by", "said"),
    [
        ("one.onnx", ["compact", "compact"], "average", "exists already"),
        ("compact", ["compact", "compact"], "average", "ends in .onnx"),
        ("new.onnx", ["compact"], "average", "two models or more"),
        ("new.onnx", ["compact", "compakt"], "average", "did you mean 'compact'"),
        ("new.onnx", ["compact", "compact"], "median", "cannot be combined by 'median'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(output, models, by, said, tmp_path):
    (tmp_path / "one.onnx").write_text("a model that nobody wants to lose")
    with pytest.raises(ModelError, match=said):
        combine(tmp_path / output, models, by)
    assert [path.name for path in tmp_path.iterdir()] == ["one.onnx"]


def test_large_ones_have_their_weights_beside_them(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "ONE_FILE_BYTES", 1000)
    inner = combine(tmp_path / "inner.onnx", [zoo["one"], zoo["two"]])
    outer = combine(tmp_path / "outer.onnx", [inner, zoo["apart"]])
    names = ["inner.onnx", "inner.onnx.data", "outer.onnx", "outer.onnx.data"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    answers = wanted([zoo["one"], zoo["two"], zoo["apart"]])
    mean = answers[:2].mean(axis=0) / 2 + answers[2] / 2
    together = Recognizer(read_model(outer))
    np.testing.assert_allclose(together.probabilities(clips(together.spec)), mean, atol=1e-5)


def test_a_file_that_answers_otherwise_gets_no_name(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr("intonate.export.ensemble._expected_output", lambda members, by, feeds: np.zeros((1, 4)))
    with pytest.raises(ModelError, match="answers differently"):
        combine(tmp_path / "together.onnx", [zoo["one"], zoo["two"]])
    assert not list(tmp_path.iterdir())


def test_the_command_line(tmp_path):
    """Built-in models by their names, and the file in use at once."""
    folder = Path(__file__).parents[2]
    command = [sys.executable, "-m", "intonate"]
    environment = {"PYTHONPATH": str(folder / "src"), "PATH": "", "HOME": str(tmp_path)}
    run = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    made = subprocess.run([*command, "ensemble", "both.onnx", "compact", "compact-open"], **run)
    assert (made.returncode, made.stdout.strip()) == (0, "both.onnx"), made.stderr
    clip = str(folder / "examples" / "angry.flac")
    asked = [*command, "predict", clip, "--format", "json", "--model"]
    scores = {}
    for model in ("compact", "compact-open", "both.onnx"):
        answer = json.loads(subprocess.run([*asked, model], **run).stdout)
        scores[model] = {score["label"]: score["score"] for score in answer["scores"]}
    for label, score in scores["both.onnx"].items():
        assert score == pytest.approx((scores["compact"][label] + scores["compact-open"][label]) / 2, abs=1e-5)
    again = subprocess.run([*command, "ensemble", "both.onnx", "compact", "compact-open"], **run)
    assert again.returncode == 1
    assert again.stderr.startswith("intonate: both.onnx exists already")


def test_models_of_dimensions_are_refused_in_a_sentence(tmp_path):
    rated = dataclasses.replace(tiny.spec(), labels=(), dimensions=("arousal", "valence"), merge="")
    tiny.write(tmp_path / "rated.onnx", rated, classes=2)
    with pytest.raises(ModelError, match="gives arousal, valence and no labels, and an ensemble chooses one"):
        combine(tmp_path / "both.onnx", [tmp_path / "rated.onnx", tmp_path / "rated.onnx"])
