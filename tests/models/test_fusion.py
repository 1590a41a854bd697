"""Speech beside text, from a recipe to `predict --text`, on voices that are real where they are there."""

from pathlib import Path

import numpy as np
import pytest
import small_encoders
import toy
from typer.testing import CliRunner

from intonate.corpora import manifest
from intonate.errors import ModelError, RecipeError
from intonate.recognizer.recognizer import load_model
from intonate.schema import Utterance
from intonate.training.fit import train

RAVDESS = Path(__file__).parents[3] / "shared" / "corpora" / "ravdess"
SAID = "kids are talking by the door"
OPTIONS = {"epochs": 1, "batch_size": 8, "mixup": 0, "learning_rate": 1e-4}


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    return small_encoders.checkpoints(tmp_path_factory.mktemp("checkpoints"))


def test_the_mean_is_over_real_frames_and_tokens(tmp_path):
    """With the layer norm of HuBERT-large padding changes nothing at all."""
    import torch

    from intonate.models.fusion import SpeechTextFusion

    network = SpeechTextFusion(3, {}, **small_encoders.checkpoints(tmp_path, "layer")).eval()
    assert network.BATCHING == "any"
    torch.manual_seed(0)
    short, long = torch.randn(1, 9_000), torch.randn(1, 15_000)
    few, many = torch.tensor([[2, 5, 3]]), torch.tensor([[2, 6, 7, 8, 9, 3]])
    pad = torch.nn.functional.pad
    with torch.no_grad():
        alone = network(short, torch.tensor([9_000]), few, torch.tensor([3]))
        together = network(
            torch.cat([pad(short, (0, 6_000)), long]),
            torch.tensor([9_000, 15_000]),
            torch.cat([pad(few, (0, 3)), many]),
            torch.tensor([3, 6]),
        )
    torch.testing.assert_close(alone, together[:1], rtol=1e-4, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-3


def test_the_group_norm_of_hubert_base_wants_equal_lengths(checkpoints):
    from intonate.models.fusion import SpeechTextFusion

    assert SpeechTextFusion(3, {}, **checkpoints).BATCHING == "equal_length"


def test_what_is_frozen_gets_no_gradient(checkpoints):
    from intonate.models.fusion import SpeechTextFusion

    for freeze, moving in (("none", {"speech", "text"}), ("speech", {"text"}), ("both", set())):
        network = SpeechTextFusion(3, {}, **checkpoints, freeze=freeze)
        assert {name.split(".")[0] for name, weight in network.named_parameters() if weight.requires_grad} == (
            moving | {"head"}
        )
        assert not any(weight.requires_grad for weight in network.speech.model.feature_extractor.parameters())
    with pytest.raises(RecipeError, match="none, speech, text or both"):
        SpeechTextFusion(3, {}, **checkpoints, freeze="all")


def both_inputs(seed=0):
    import torch

    torch.manual_seed(seed)
    samples, words = 0.1 * torch.randn(2, 12_000), torch.randint(4, 9, (2, 6))
    return samples, torch.tensor([12_000, 9_000]), words, torch.tensor([6, 4])


@pytest.mark.parametrize("fusion", ["gated", "late"])
def test_other_ways_to_fuse_hear_and_read_and_padding_changes_nothing(tmp_path, fusion):
    import torch

    from intonate.models.fusion import SpeechTextFusion

    network = SpeechTextFusion(3, {}, **small_encoders.checkpoints(tmp_path, "layer"), fusion=fusion).eval()
    samples, heard, words, read = both_inputs()
    with torch.no_grad():
        together = network(samples, heard, words, read)
        alone = network(samples[1:, :9_000], heard[1:], words[1:, :4], read[1:])
        torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-5)
        assert (network(samples * 2 + 0.1, heard, words, read) - together).abs().max() > 1e-5
        assert (network(samples, heard, words + 1, read) - together).abs().max() > 1e-5
        if fusion == "late":  # each answers by itself, and the loss finds both answers
            parts = network.parts(samples, heard, words, read)
            torch.testing.assert_close(sum(parts), together)
            said, written = network.parts(samples, heard, words + 1, read)
            torch.testing.assert_close(said, parts[0])
            assert (written - parts[1]).abs().max() > 1e-5
        else:
            assert list(network.parts(samples, heard, words, read)) == []


@pytest.mark.parametrize(("use", "absent"), [("speech", "text"), ("text", "speech")])
def test_a_control_is_deaf_or_cannot_read(checkpoints, use, absent):
    import torch

    from intonate.models.fusion import SpeechTextFusion

    network = SpeechTextFusion(3, {}, **checkpoints, use=use).eval()
    samples, heard, words, read = both_inputs()
    assert not hasattr(network, absent)
    with torch.no_grad():
        answer = network(samples, heard, words, read)
        other_words = (network(samples, heard, words + 1, read) - answer).abs().max()
        other_sound = (network(-samples.flip(1), heard, words, read) - answer).abs().max()
    assert (other_words == 0) == (use == "speech")
    assert (other_sound == 0) == (use == "text")
    with pytest.raises(RecipeError, match="both, speech or text; got 'ears'"):
        SpeechTextFusion.check(**checkpoints, use="ears")


def test_the_tokenizer_goes_into_the_file_as_it_is(checkpoints):
    import tokenizers

    from intonate.models.fusion import SpeechTextFusion

    built = SpeechTextFusion.tokenizer(**checkpoints)
    again = tokenizers.Tokenizer.from_str(built.to_str())
    assert again.encode("Kids are talking by the door").tokens == ["[CLS]", *SAID.split(), "[SEP]"]
    assert len(again.encode("kids " * 200).ids) == 64, "no longer than the positions that the encoder has"


def test_a_checkpoint_that_is_not_there_is_one_sentence(checkpoints, tmp_path):
    from intonate.models.fusion import SpeechTextFusion

    absent = str(tmp_path / "absent")
    with pytest.raises(ModelError, match=r"params\.speech: checkpoint .*model.safetensors into a folder"):
        SpeechTextFusion(3, {}, speech=absent, text=checkpoints["text"])
    with pytest.raises(ModelError, match=r"params\.text: checkpoint"):
        SpeechTextFusion.tokenizer(speech=checkpoints["speech"], text=absent)


def test_a_pickle_is_not_opened(tmp_path):
    from intonate.models.fusion import SpeechTextFusion

    both = small_encoders.checkpoints(tmp_path)
    (tmp_path / "hubert" / "model.safetensors").rename(tmp_path / "hubert" / "pytorch_model.bin")
    with pytest.raises(
        ModelError,
        match=r"are a pickle .* --set model\.params\.speech=FOLDER",
    ):
        SpeechTextFusion(3, {}, **both)


def recipe(path: Path, table: Path, split: str, checkpoints: dict[str, str]) -> Path:
    return toy.recipe(
        path,
        table,
        name="fusion",
        data={"manifest": str(table), "labels": "4", "split": split, "folds": [1], "cache": ""},
        inputs=small_encoders.INPUTS,
        model={"name": "hubert_bert", "params": checkpoints},
        training=OPTIONS,
    )


def assert_it_hears_and_reads(run: Path, clip: Path) -> None:
    """From Python and from the command line; the words count."""
    from intonate.cli import app

    model = run / "fold1-seed0" / "model.onnx"
    recognizer = load_model(model)
    assert recognizer.spec.text_required
    assert recognizer.spec.batching == "equal_length"
    answer = recognizer.predict(clip, text=SAID)
    assert set(answer.scores) == {"angry", "happy", "neutral", "sad"}
    other = recognizer.predict(clip, text="dogs sitting")
    assert max(abs(answer.scores[label] - other.scores[label]) for label in answer.scores) > 1e-6
    with pytest.raises(ModelError, match="needs the words"):
        recognizer.predict(clip)

    ran = CliRunner().invoke(app, ["predict", str(clip), "--model", str(model), "--text", SAID, "--format", "csv"])
    assert ran.exit_code == 0, ran.output
    assert answer.label in ran.output


@pytest.mark.slow
def test_from_recipe_to_answer(checkpoints, toy_corpus, tmp_path):
    """On three actors where RAVDESS is there, else on the toy corpus."""
    if RAVDESS.is_dir():
        from intonate import corpora

        actors = ("ravdess/01", "ravdess/02", "ravdess/03")
        rows, split = (
            [row for row in corpora.read("ravdess", RAVDESS).utterances if row.speaker in actors][::4],
            "speakers-3",
        )
    else:
        rows = [
            Utterance(str(path), path.parts[-3], path.parts[-3], f"toy/{path.parts[-2]}", "toy", text=SAID)
            for path in sorted(toy_corpus.rglob("*.wav"))
        ]
    split = f"speakers-{len({row.speaker for row in rows})}"
    manifest.write(tmp_path / "few.csv", rows)
    run = train(recipe(tmp_path / "r.yaml", tmp_path / "few.csv", split, checkpoints), runs=tmp_path)
    assert_it_hears_and_reads(run, toy.clip(tmp_path / "clip.wav"))
    kept = (run / "recipe.yaml").read_text() + (run / "fold1-seed0" / "run.json").read_text()
    assert str(tmp_path) not in kept
    assert checkpoints["speech"] not in kept
    answers = list(load_model(run / "fold1-seed0").predict_many([row.path for row in rows[:5]], text=rows[0].text))
    one = load_model(run / "fold1-seed0").predict(rows[3].path, text=rows[0].text)
    for label, score in one.scores.items():
        assert answers[3].scores[label] == pytest.approx(score, abs=1e-5)
    assert np.isfinite([score for answer in answers for score in answer.scores.values()]).all()
