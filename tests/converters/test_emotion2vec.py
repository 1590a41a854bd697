"""emotion2vec answers as FunASR's own class does; what is wrong with a checkpoint is said in one sentence."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import small_emotion2vec as small
import soundfile
import yaml
from small_families import renamed

from intonate.converters import convert, emotion2vec
from intonate.converters.checkpoint import Checkpoint
from intonate.converters.emotion2vec_config import convolutions_of
from intonate.errors import ModelError
from intonate.recognizer.recognizer import load_model

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def folder(tmp_path):
    return small.checkpoint(tmp_path / "theirs")


def describe(folder):
    return emotion2vec.describe(Checkpoint("theirs", folder))


def test_labels_are_canonical_and_those_not_to_be_looked_at_are_left_out(tmp_path):
    described = describe(small.checkpoint(tmp_path / "few", small.FEW_LABELS))
    assert described.spec.labels == ("angry", "happy", "neutral", "sad", "surprise", "unknown")
    assert described.outputs == {
        "angry": "angry", "happy": "happy", "neutral": "neutral", "sad": "sad", "surprised": "surprise",
        "<unk>": "unknown",
    }  # fmt: skip
    full = describe(small.checkpoint(tmp_path / "plus"))
    assert full.outputs["生气/angry"] == "angry"
    assert full.spec.pool.longest_s == 30


def test_without_labels_it_names_no_emotion(folder):
    (folder / "tokens.txt").unlink()
    with pytest.raises(ModelError, match=r"describes speech and names no emotion; .* emotion2vec_plus_base"):
        describe(folder)


@pytest.mark.parametrize("labels", [small.LABELS, small.FEW_LABELS], ids=["all", "some unused"])
def test_funasr_answers_the_same(labels, tmp_path):
    """Its own class, built by its own AutoModel from the same folder."""
    funasr = pytest.importorskip("funasr", reason="funasr is not installed")
    folder = small.checkpoint(tmp_path / "theirs", labels)
    recognizer = load_model(convert(folder, tmp_path / "out"))
    clip = soundfile.read(EXAMPLES / "neutral.flac", dtype="float32")[0]
    sound, best = np.resize(clip[np.abs(clip).argmax() - 4_000 :], 320_000), set()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        model = funasr.AutoModel(model=str(folder), device="cpu", disable_update=True, disable_log=True)
    for seconds in (0.5, 1.31, 3.0, 7.77, 20.0):
        piece = sound[: round(seconds * 16_000)]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            (told,) = model.generate(piece, granularity="utterance", extract_embedding=False, disable_pbar=True)
        wanted = renamed(dict(zip(told["labels"], told["scores"], strict=True)))
        scores = recognizer.predict((piece, 16_000)).scores
        # It tells outputs that are unused, too.
        assert scores == pytest.approx({label: wanted[label] for label in scores}, abs=1e-4), seconds
        best.add(round(max(scores.values()), 6))
    assert len(best) >= 3


@pytest.mark.parametrize("lines", ["angry\nhappy\n<unk>\n", "\n".join(small.LABELS) + "\nmore\n"])
def test_labels_that_contradict_the_head(lines, folder):
    (folder / "tokens.txt").write_text(lines, encoding="utf-8")
    checkpoint = Checkpoint("theirs", folder)
    with pytest.raises(ModelError, match=r"has a head of 9 outputs, and tokens.txt \d+ labels"):
        emotion2vec.network(checkpoint, emotion2vec.describe(checkpoint).spec)


@pytest.mark.parametrize(
    ("place", "key", "value", "sentence"),
    [
        ("model_conf", "layer_norm_first", True, "layer_norm_first: True, and only False can be converted"),
        ("audio", "learned_alibi", True, "learned_alibi: True"),
        ("audio", "num_alibi_heads", 2, "num_alibi_heads other than num_heads"),
        ("model_conf", "embed_dim", None, "has no embed_dim"),
        ("model_conf", "depth", "8", "has no depth, or not of type int"),
    ],
)
def test_settings_that_cannot_be_converted(place, key, value, sentence, folder):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    settings = config["model_conf"] if place == "model_conf" else config["model_conf"]["modalities"]["audio"]
    settings[key] = value
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ModelError, match=sentence):
        describe(folder)


def test_another_width_than_the_weights_have(folder):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model_conf"]["embed_dim"] = 48
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    checkpoint = Checkpoint("theirs", folder)
    with pytest.raises(ModelError, match=r"has the shape .* the files do not belong together"):
        emotion2vec.network(checkpoint, emotion2vec.describe(checkpoint).spec)


def test_the_list_of_convolutions_is_reckoned_and_never_run(tmp_path):
    assert convolutions_of("[(4, 10, 5)] + [(4, 3, 2)] * 2", "it") == [(4, 10, 5), (4, 3, 2), (4, 3, 2)]
    marker = tmp_path / "it-ran"
    for text in (f"[__import__('os').mkdir({str(marker)!r})]", "[(1, 2)]", "(", "[(1, 2, 3)] - [1]", "3", "open('x')"):
        with pytest.raises(ModelError, match="no list of"):
            convolutions_of(text, "it")
    assert not marker.exists()
