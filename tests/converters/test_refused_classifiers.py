"""Classifiers of transformers that cannot be used honestly: each is refused in one sentence that says why."""

import json
import shutil
from pathlib import Path

import onnx
import pytest
import small_classifiers
import small_transformers
import soundfile
import torch
from safetensors.torch import load_file, save_file

from intonate.converters import convert, encoders, transformers_classifier
from intonate.converters.checkpoint import Checkpoint
from intonate.emotions import canonical
from intonate.errors import ModelError
from intonate.export.onnx import save
from intonate.recognizer import conversions
from intonate.recognizer.recognizer import load_model

pytestmark = pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")
EXAMPLES = Path(__file__).parents[2] / "examples"
IEMOCAP = ("neu", "hap", "ang", "sad")
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:c6f9\nsize 72862\n"


@pytest.fixture(scope="module")
def hubert(tmp_path_factory):
    return small_classifiers.checkpoint(tmp_path_factory.mktemp("hubert") / "small", IEMOCAP)


def without(*files):
    return lambda folder: [(folder / name).unlink() for name in files]


def changed(file, **entries):
    def change(folder):
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | entries))

    return change


def pickled(folder):
    """Not even a pickle, in the place of one."""
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def unfetched(*files):
    """As git without git-lfs leaves them; the weights that were there are none of those."""

    def change(folder):
        (folder / "model.safetensors").unlink()
        for file in files:
            (folder / file).write_text(POINTER)

    return change


def reweighted(change):
    def changed_weights(folder):
        weights = load_file(folder / "model.safetensors")
        save_file(change(weights), folder / "model.safetensors", {"format": "pt"})

    return changed_weights


def headless(weights):
    return {name.replace("classifier.", "classifier.dense."): weight for name, weight in weights.items()}


def with_infinity(weights):
    weights["projector.bias"][3] = float("inf")
    return weights


def rewritten(file, content):
    return lambda folder: (folder / file).write_bytes(content((folder / file).read_text()))


def adapted(folder):
    """What `save_pretrained` of peft leaves in the folder of the model that it was begun with."""
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    (folder / "adapter_model.safetensors").write_bytes(b"")


def adapters_alone(*files):
    def change(folder):
        adapted(folder)
        without(*files)(folder)

    return change


def labelled(labels):
    return changed("config.json", id2label=labels)


CODE = {"AutoModelForAudioClassification": "modeling.Mine"}
REFUSED = {
    "code of others": (changed("config.json", auto_map=CODE), "brings code of its own .* never run here"),
    "code of others, to hear": (changed("preprocessor_config.json", auto_map=CODE), "brings code of its own"),
    "regression": (changed("config.json", problem_type="regression", architectures=["Own"]), "dimensional model"),
    "dimensions": (
        changed("config.json", id2label={0: "arousal", 1: "Valence"}),
        r"dimensional model \(it gives .*Val",
    ),
    "dimensions beside labels": (
        labelled(dict(enumerate(("arousal", "dominance", "happy", "sad")))),
        r"some of its outputs dimensions and some not \(arousal, dominance, happy, sad\)",
    ),
    "no names": (changed("config.json", id2label={0: "LABEL_0", 1: "LABEL_1"}), "write the names into id2label"),
    "a name twice": (changed("config.json", id2label={0: "sad", 1: "sad", 2: "x", 3: "y"}), "the same name"),
    "speech to text": (changed("config.json", architectures=["HubertForCTC"]), "HubertForCTC, which does not classify"),
    "a class for each frame": (
        changed("config.json", architectures=["HubertForAudioFrameClassification"]),
        "does not classify recordings",
    ),
    "spectrograms": (
        changed("preprocessor_config.json", feature_extractor_type="EncodecFeatureExtractor"),
        "EncodecFeatureExtractor, which intonate cannot compute yet",
    ),
    "nothing about sound": (without("preprocessor_config.json"), "has no preprocessor_config.json"),
    "no weights": (without("model.safetensors"), "has no model.safetensors"),
    "a pickle that is none": (pickled, r"pytorch_model.bin cannot be read as weights of torch"),
    "safetensors that git-lfs has not fetched": (
        unfetched("model.safetensors"),
        r"model\.safetensors is a Git LFS pointer, .* run `git lfs pull` in its repository, or fetch the file again",
    ),
    "a pickle that git-lfs has not fetched": (
        unfetched("pytorch_model.bin"),
        r"pytorch_model\.bin is a Git LFS pointer, .* run `git lfs pull` in its repository, or fetch the file again",
    ),
    "no head": (reweighted(headless), r"no weights for classifier.bias, classifier.weight .* answers would be random"),
    "no JSON": (lambda folder: (folder / "config.json").write_text("{"), "is not JSON"),
    "a comma at the end": (
        rewritten("config.json", lambda text: f'{{\n"a": 1,\n}}{text[:0]}'.encode()),
        r"config\.json is not JSON in UTF-8 \(line 3: .* mend that line",
    ),
    "UTF-16": (rewritten("config.json", lambda text: text.encode("utf-16")), "is not JSON in UTF-8"),
    "a configuration that git-lfs has not fetched": (
        lambda folder: (folder / "preprocessor_config.json").write_text(POINTER),
        r"preprocessor_config\.json is a Git LFS pointer",
    ),
    "an adapter beside the weights": (adapted, "adapters .* change the weights .*merge_and_unload"),
    "an adapter without weights": (adapters_alone("model.safetensors"), "adapters .*merge_and_unload"),
    "an adapter alone": (adapters_alone("model.safetensors", "config.json"), "adapters .*merge_and_unload"),
    "labels from 1 on": (labelled({1: "a", 2: "b", 3: "c", 4: "d"}), r"does not number its outputs .*'1': 'a'"),
    "a gap among the labels": (labelled({0: "a", 1: "b", 2: "c", 7: "d"}), "does not number its outputs from 0 on"),
    "labels turned round": (labelled({"ang": 0, "neu": 1, "hap": 2, "sad": 3}), "does not number its outputs"),
    "a list of labels": (labelled(["ang", "neu", "hap", "sad"]), "does not number its outputs"),
    "no labels": (labelled(None), "has 0 labels in id2label of its config.json"),
    "numbers for names": (labelled({0: "0", 1: 1, 2: "2", 3: "3"}), r"what its outputs mean \('0', '1', '2', '3'\)"),
    "names for a part": (labelled({0: "angry", 1: "LABEL_1", 2: "sad", 3: "x"}), "what its outputs mean .*'LABEL_1'"),
    "an empty name": (labelled({0: "angry", 1: " ", 2: "sad", 3: "x"}), "what its outputs mean"),
    "no name": (labelled({0: "angry", 1: None, 2: "sad", 3: "x"}), "what its outputs mean"),
    "more labels than outputs": (
        labelled(dict(enumerate("abcde"))),
        r"classifier\.\w+ has the shape \(4,.*\), and its config\.json says \(5,.*\), with 5 labels",
    ),
    "no rate": (changed("preprocessor_config.json", sampling_rate=None), "has None as sampling_rate"),
    "a rate of zero": (changed("preprocessor_config.json", sampling_rate=0), "has 0 as sampling_rate"),
    "any architecture": (
        changed("config.json", architectures=["AutoModelForAudioClassification"]),
        "is AutoModelForAudioClassification .* does not have for the model_type 'hubert'",
    ),
    "another architecture": (
        changed("config.json", architectures=["WavLMForSequenceClassification"]),
        "is WavLMForSequenceClassification .* does not have for the model_type 'hubert'",
    ),
    "an unknown model": (changed("config.json", model_type="hubbert"), "the model_type 'hubbert' .* does not have"),
    # transformers 5.23 leaves these out of the network with a warning.
    "more layers than it says": (
        changed("config.json", num_hidden_layers=1),
        r"weights that its config\.json has no place for \(hubert\.encoder\.layers\.1\.attention",
    ),
    "shares of layers that it does not hear": (
        reweighted(lambda weights: weights | {"layer_weights": torch.ones(3)}),
        r"no place for \(layer_weights\)",
    ),
    "infinity": (reweighted(with_infinity), r"damaged: \S*projector\.bias holds nan or infinity"),
    "weights that are damaged": (
        lambda folder: (folder / "model.safetensors").write_bytes(b"no"),
        "cannot be read as safeten",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_sentence(case, hubert, tmp_path):
    change, sentence = REFUSED[case]
    folder = shutil.copytree(hubert, tmp_path / "theirs")
    change(folder)
    with pytest.raises(ModelError, match=sentence) as refused:
        convert(folder, tmp_path / "out")
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        ("Whisper", {"n_fft": 512}, "with n_fft 512, and intonate computes it with 400 only"),
        ("Whisper", {"hop_length": 320}, "with hop_length 320, and"),
        ("AST", {"sampling_rate": 8_000}, "with sampling_rate 8000, and"),
        ("AST", {"num_mel_bins": "128"}, "has '128' as num_mel_bins"),
    ],
)
def test_filter_banks_that_are_not_computed_here(kind, settings, sentence, tmp_path):
    folder = small_transformers.checkpoint(tmp_path / "theirs", kind, IEMOCAP)
    changed("preprocessor_config.json", **settings)(folder)
    with pytest.raises(ModelError, match=sentence):
        convert(folder, tmp_path / "out")


def test_its_files_are_read_as_transformers_reads_them(tmp_path):
    """transformers 5.23: processor_config.json before the other, and where it names no extractor the architecture's."""
    folder = small_transformers.checkpoint(tmp_path / "theirs", "AST", IEMOCAP)
    clip = EXAMPLES / "neutral.flac"
    extractor = json.loads((folder / "preprocessor_config.json").read_text()) | {"feature_extractor_type": None}
    (folder / "processor_config.json").write_text(json.dumps({"feature_extractor": extractor}))
    changed("preprocessor_config.json", mean=0.0, std=0.5)(folder)
    wanted = small_transformers.answer(folder, soundfile.read(clip, dtype="float32")[0])
    # As editors on Windows save it, which transformers would refuse.
    (folder / "config.json").write_text((folder / "config.json").read_text(), encoding="utf-8-sig")
    scores = load_model(convert(folder, tmp_path / "out")).predict(clip, whole=True).scores
    assert scores == pytest.approx({canonical(label): share for label, share in wanted.items()}, abs=1e-5)


def test_weights_are_not_rounded_as_the_configuration_says(hubert, tmp_path):
    """transformers 5.23 would round them to its `dtype`, also where the file has more bits."""
    folder = shutil.copytree(hubert, tmp_path / "theirs")
    changed("config.json", dtype="bfloat16")(folder)
    weights = load_file(folder / "model.safetensors")
    network = transformers_classifier.load(Checkpoint("theirs", folder), weights)
    assert torch.equal(network.projector.weight, weights["projector.weight"])
    config = encoders.configuration_of(Checkpoint("theirs", folder).json("config.json"), "theirs")
    name = "feature_projection.projection.weight"
    encoder = encoders.encoder_of(config, weights, "theirs")
    assert torch.equal(encoder.get_parameter(name), weights[f"hubert.{name}"])


@pytest.fixture
def sketched(monkeypatch):
    """A model file is its spec and no graph, for tests that look at no more."""

    def write(_network, spec, _clips, path):
        save(onnx.helper.make_model(onnx.helper.make_graph([], spec.name, [], [])), spec, path)

    monkeypatch.setattr("intonate.converters.write_torch", write)


def test_another_model_is_not_written_over(hubert, tmp_path, sketched):
    """Trainers call every folder checkpoint-500."""
    folders = [shutil.copytree(hubert, tmp_path / run / "checkpoint-500") for run in ("first", "second")]
    labelled(dict(enumerate(("happy", "sad", "angry", "calm"))))(folders[1])
    file = convert(folders[0], tmp_path / "out")
    before = file.read_bytes()
    with pytest.raises(ModelError, match=r"checkpoint-500\.onnx exists already and is another model than .*second"):
        convert(folders[1], tmp_path / "out")
    assert file.read_bytes() == before
    assert convert(folders[0], tmp_path / "out") == file
    file.write_bytes(b"something else")
    with pytest.raises(ModelError, match="exists already"):
        convert(folders[0], tmp_path / "out")


def test_a_graph_of_others_beside_the_weights_is_not_taken_for_a_run(hubert, tmp_path, sketched):
    """optimum leaves its model.onnx there."""
    folder = shutil.copytree(hubert, tmp_path / "theirs")
    file = convert(folder, tmp_path / "out")
    (folder / "model.onnx").write_bytes(b"a graph without a spec")
    assert conversions.is_checkpoint(folder)
    shutil.copy(file, folder / "model.onnx")
    assert not conversions.is_checkpoint(folder)


def test_a_wrong_level_is_told_the_right_one(hubert, tmp_path):
    for level in ("results/checkpoint-500", "models--org--name/snapshots/abc"):
        inside = shutil.copytree(hubert, tmp_path / level)
        with pytest.raises(ModelError, match=rf"give one of the checkpoints in it: {inside}$"):
            load_model(tmp_path / level.partition("/")[0])
    for file in ("config.json", "model.safetensors"):
        with pytest.raises(ModelError, match=rf"{file} is a file of a checkpoint; give its folder: {hubert}$"):
            load_model(hubert / file)
    for name in ("HF:org/name", "https://huggingface.co/org/name", "org/name"):
        with pytest.raises(ModelError, match="give a file, hf:org/name for that of the hub"):
            load_model(name)
