"""A small encoder taught by a larger one: it learns, it goes on after a stop, and a recipe names it like any other."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from intonate import features
from intonate.errors import ModelError, RecipeError
from intonate.export.card import encoder_text
from intonate.training import encoders, recipe, recipe_files, taught, teaching

transformers = pytest.importorskip("transformers")
NAMES = recipe_files.names("encoder")


def whisper(folder, seed, width=16, bands=80):
    torch.manual_seed(seed)
    config = transformers.WhisperConfig(
        d_model=width, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=2 * width, decoder_layers=1,
        decoder_attention_heads=2, decoder_ffn_dim=16, vocab_size=16, num_mel_bins=bands, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    transformers.WhisperModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def write(toy_corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(teaching, "EPOCH_STEPS", 5)
    encoders._digest_params.cache_clear()
    student, teacher = whisper(tmp_path / "student", 0), whisper(tmp_path / "teacher", 1, width=24)

    def written(name="small", steps=40, **parts):
        raw = {
            "name": name,
            "student": {"encoder": student, "layers": [1, 2]},
            "teacher": {"encoder": teacher, "layers": [2]},
            "data": {"corpora": {"folder": str(toy_corpus)}, "labels": "4", "split": "speakers-4", "cache": ""},
            "training": {"steps": steps, "batch_size": 4, "learning_rate": 1e-3, "new_learning_rate": 1e-2},
        } | parts
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(raw), encoding="utf-8")
        return str(path)

    yield written
    encoders._digest_params.cache_clear()


def test_it_learns_to_give_the_rows_of_the_larger_one(write):
    path = write()
    rows, bands = taught_now(path)
    assert (bands, rows(torch.zeros(1, 50, bands)).shape) == (80, (1, 25, 24))
    facts = taught.facts(path)
    assert facts["r2_unheard_speakers"] > 0.3 + taught.facts(write_untaught(write))["r2_unheard_speakers"]
    assert facts["steps"] == 40


def taught_now(path):
    teaching.teach(path)
    return taught.taught(path)


def test_it_may_give_fewer_rows(write):
    """A row for four frames, which tells the mean of two of the teacher's."""
    published = yaml.safe_load(Path(write()).read_text())["student"]["encoder"]
    whole = write("half", student={"encoder": published, "layers": [1], "frames_per_row": 4})
    rows, _ = taught_now(whole)
    for frames, count in ((50, 13), (52, 13), (53, 14)):
        assert rows(torch.zeros(1, frames, 80)).shape == (1, count, 24)
    assert taught.facts(whole)["r2_unheard_speakers"] > 0.2
    settled = encoders.with_digests("encoded", {"encoder": whole})
    assert features.get("encoded")(np.zeros(16_000, np.float32), 16_000, **settled).shape == (25, 24)


def test_means_of_neighbours():
    rows = torch.arange(10.0).reshape(1, 5, 2)
    assert teaching.in_means(rows, 1).equal(rows)
    assert teaching.in_means(rows, 2).tolist() == [[[1, 2], [5, 6], [8, 9]]]


def test_what_was_taught_before_is_found():
    """Keys that came later change no hash where they are not used."""
    assert taught.load("tiny-taught").hash() == "2b230181089d"


def write_untaught(write):
    path = write("untaught", steps=5, training={"steps": 5, "learning_rate": 1e-12, "new_learning_rate": 1e-12})
    teaching.teach(path)
    return path


def test_it_is_taught_once(write, monkeypatch):
    path = write(steps=5)
    first, _ = taught_now(path)
    monkeypatch.setattr(teaching, "_teach", None)
    again, _ = taught_now(path)
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))


def test_a_stopped_teaching_goes_on_as_if_never_stopped(write, monkeypatch):
    whole, _ = taught_now(write("whole", steps=15))
    step = teaching._Teaching.training_step

    def stopping(self, batch, index):
        if self.current_epoch == 2:
            raise KeyboardInterrupt
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(teaching._Teaching, "training_step", stopping)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            teaching.teach(write("stopped", steps=15))
    resumed, _ = taught_now(write("stopped", steps=15))
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value)


def test_a_recipe_names_it_like_any_other_encoder(write):
    path = write(steps=5)
    with pytest.raises(ModelError, match="not taught yet"):
        encoders.with_digests("encoded", {"encoder": path})
    rows, _ = taught_now(path)
    settled = encoders.with_digests("encoded", {"encoder": path, "int8": False})
    waveform = np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)
    answer = features.get("encoded")(waveform, 16_000, **settled)
    with torch.no_grad():
        expected = rows.eval()(torch.from_numpy(features.get("whisper_log_mel")(waveform, 16_000))[None])[0]
    np.testing.assert_allclose(answer, expected, atol=1e-4)
    part = {"front_end": "pooled", "params": {"of": "encoded", "params": {"encoder": path, "int8": False}}}
    whole = recipe.Recipe(
        name="toy",
        data={"corpora": {"folder": "."}, "labels": "4", "split": "speakers-4"},
        inputs={"voice": part},
        model={"name": "head"},
    )
    ((digest, origin),) = encoders.origins(whole).items()
    assert digest == settled["encoder"]
    assert encoders.recipes_of(whole) == [path]
    assert origin.startswith("student, layers 1 and 2, taught to give the rows of teacher, layers 2 (R² ")
    assert encoder_text(origin).endswith("LICENSES/MIT.txt)")
    assert encoder_text("openai/whisper-tiny.en, layers 1").endswith(", as published")


def test_what_cannot_be_taught_is_one_sentence(write, tmp_path):
    other = whisper(tmp_path / "other", 2, bands=128)
    with pytest.raises(RecipeError, match="80 mel bands and the teacher 128"):
        teaching.teach(write(teacher={"encoder": other, "layers": [1]}))
    with pytest.raises(RecipeError, match="layers"):
        teaching.teach(write(teacher={"encoder": other, "layers": [3]}))
    with pytest.raises(RecipeError, match=r"studant.*student"):
        taught.load(write(studant={}))
    with pytest.raises(RecipeError, match="names the layers itself"):
        encoders.with_digests("encoded", {"encoder": write(), "layers": [1]})
    with pytest.raises(RecipeError, match="did you mean 'tiny-taught'"):
        encoders.with_digests("encoded", {"encoder": "tiny-tought"})
    with pytest.raises(RecipeError, match="encoder '7' is neither a folder"):
        encoders.with_digests("encoded", {"encoder": 7})


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_of_an_encoder_is_one(name):
    whole = taught.load(name)
    assert whole.name == name
    assert whole.data.split == "pooled"
    assert recipe_files.find(name, "encoder").read_text(encoding="utf-8").startswith("# ")


def test_who_is_tested_is_never_heard():
    """The encoders of built-in models hear the speakers that these are trained on, and no others."""
    taught_for = {"tiny-taught": "standard", "tiny-taught-open": "standard-open", "tiny-half": "standard"}
    for encoder, model in taught_for.items():
        known, heard = recipe.load(model).data, taught.load(encoder).data
        assert (heard.corpora, heard.split, heard.labels) == (known.corpora, known.split, known.labels)
