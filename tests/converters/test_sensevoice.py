"""SenseVoice tells more than the emotion: language, sounds, words. All as FunASR's own class does."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import small_sensevoice as small
import soundfile
import yaml
from typer.testing import CliRunner

from intonate.cli import app
from intonate.converters import convert, sensevoice
from intonate.converters.checkpoint import Checkpoint
from intonate.errors import ModelError
from intonate.export.ensemble import combine
from intonate.recognizer import conversions
from intonate.recognizer.recognizer import load_model
from intonate.transcripts import recognisers

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = (0.5, 1.31, 3.0, 7.77, 20.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small.checkpoint(tmp_path_factory.mktemp("sensevoice") / "theirs")


@pytest.fixture(scope="module")
def file(folder):
    return convert(folder, folder.parent / "out")


@pytest.fixture(scope="module")
def sound():
    clip = soundfile.read(EXAMPLES / "neutral.flac", dtype="float32")[0]
    # From where somebody speaks: the shortest piece has to hold speech too.
    return np.resize(clip[np.abs(clip).argmax() - 4_000 :], 320_000)


def written(odds):
    """The best pieces of the stacks, without repetitions, blanks and tags, as sentencepiece joins them."""
    names, best = small.pieces(small.TINY), odds[4:].argmax(1)
    kept = [number for place, number in enumerate(best) if number and (place == 0 or number != best[place - 1])]
    tokens = [names[number] for number in kept if not names[number].startswith("<")]
    return "".join(tokens).replace("▁", " ").split()


def test_language_events_and_words_are_those_of_the_reference(file, sound):
    recognizer = load_model(file)
    spec, texts = recognizer.spec, set()
    assert spec.events == ("music", "applause", "laughter", "crying", "cough")
    assert spec.spoken_languages == ("zh", "en", "yue", "ja", "ko")
    for seconds in SECONDS:
        piece = sound[: round(seconds * 16_000)]
        odds = small.logits(small.TINY, piece)
        languages = small.shares(small.TINY, odds[0], small.LANGUAGES)
        events = small.shares(small.TINY, odds[2], small.EVENTS)
        answer = recognizer.predict((piece, 16_000))
        best = max(spec.spoken_languages, key=lambda name: languages[f"<|{name}|>"])
        assert answer.language == best
        names = {tag: sensevoice.EVENTS[tag] for tag in small.EVENTS}
        wanted = {names[tag]: share for tag, share in events.items() if names[tag] and share >= 0.5}
        assert answer.events == pytest.approx(wanted, abs=1e-4)
        # Spaces between Han are no words of their own.
        text = written(odds)
        assert answer.transcript.replace(" ", "") == "".join(text)
        texts.add(answer.transcript)
        assert answer.segments[0].text == answer.transcript
    assert len(texts) == len(SECONDS)


def test_funasr_answers_the_same(folder, file, sound):
    """Its own class, built by its own AutoModel from the same folder."""
    funasr = pytest.importorskip("funasr", reason="funasr is not installed")
    pytest.importorskip("kaldi_native_fbank", reason="funasr has no filter bank without it")
    import torch

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        model = funasr.AutoModel(model=str(folder), device="cpu", disable_update=True, disable_log=True)
    recognizer, best = load_model(file), set()
    for seconds in SECONDS:
        piece, logs = sound[: round(seconds * 16_000)], []
        handle = model.model.ctc.ctc_lo.register_forward_hook(lambda _, __, made, logs=logs: logs.append(made))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
            model.generate(piece, disable_pbar=True)
        handle.remove()
        odds = logs[0][0].numpy().astype(np.float64)
        wanted = small.shares(small.TINY, odds[1], small.EMOTIONS)
        answer = recognizer.predict((piece, 16_000))
        ours = {tag: answer.scores[label] for tag, label in labels_by_tag(recognizer.spec).items()}
        assert ours == pytest.approx(wanted, abs=1e-4)
        # Its text begins with the four answers of the queries, which are tags where it was trained.
        best_pieces = torch.unique_consecutive(logs[0][0][4:].argmax(-1))
        text = model.kwargs["tokenizer"].decode(best_pieces[best_pieces != 0].tolist())
        for tag in small.TAGS:
            text = text.replace(tag, "")
        assert answer.transcript.replace(" ", "") == text.replace(" ", "")
        best.add(round(max(wanted.values()), 5))
    assert len(best) == len(SECONDS)


def labels_by_tag(spec):
    return {symbol: label for label, symbol in sensevoice.symbols_by_label(spec).items()}


def test_a_long_recording_has_its_words_and_sounds_in_the_timeline(tmp_path, sound):
    file = convert(small.checkpoint(tmp_path / "theirs", loud="<|Laughter|>"), tmp_path / "out")
    recognizer = load_model(file)
    noise = np.random.default_rng(0).normal(0, 0.05, 20 * 16_000).astype(np.float32)
    answer = recognizer.predict((np.concatenate([sound, noise]), 16_000))
    assert answer.events["laughter"] > 0.9
    assert all(segment.events["laughter"] > 0.9 for segment in answer.segments)
    # Where nobody speaks, too.
    assert [segment.label for segment in answer.segments if not segment.speech] == ["noise"]
    alone = recognizer.predict((noise, 16_000))
    assert (alone.label, alone.scores, alone.transcript) == ("noise", {}, "")
    assert alone.events["laughter"] > 0.9
    assert alone.to_dict()["segments"][0]["events"].keys() == {"laughter"}
    # Silence is not even listened to.
    assert recognizer.predict((np.zeros(16_000, np.float32), 16_000)).events == {}


def test_it_transcribes_for_other_models_and_at_the_command_line(file):
    clip = str(EXAMPLES / "neutral.flac")
    own = load_model(file).predict(clip)
    assert own.transcript
    done = CliRunner().invoke(app, ["predict", clip, "--transcribe", f"sensevoice:{file}", "--format", "json"])
    assert done.exit_code == 0, done.output
    # It hears the pieces where somebody speaks; of a short clip that is all of it.
    assert yaml.safe_load(done.stdout)["transcript"] == own.transcript
    done = CliRunner().invoke(app, ["predict", clip, "--model", str(file)])
    assert own.transcript in done.stdout
    done = CliRunner().invoke(app, ["predict", clip, "--transcribe", "sensevoice:compact"])
    assert "compact writes no words down; give a SenseVoice" in done.stderr
    done = CliRunner().invoke(app, ["predict", clip, "--transcribe", "sensevoice"])
    assert "intonate export hf:FunAudioLLM/SenseVoiceSmall" in done.stderr


def test_the_command_that_is_named_leads_to_it_by_name(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("intonate.converters.find", lambda *_: folder)
    # With its weights beside it, as a large one has them.
    monkeypatch.setattr("intonate.export.onnx.ONE_FILE_BYTES", 1_000)
    monkeypatch.setattr(recognisers, "_load_transcriber", recognisers._load_transcriber.__wrapped__)
    clip, name = str(EXAMPLES / "neutral.flac"), "hf:FunAudioLLM/SenseVoiceSmall"
    arguments = ["predict", clip, "--transcribe", "sensevoice", "--model", "compact", "--format", "json"]
    done = CliRunner().invoke(app, arguments)
    assert f"do it once with `intonate export {name}`" in done.stderr
    done = CliRunner().invoke(app, ["export", name, "--output", str(tmp_path / "out")])
    assert done.stdout.strip() == str(tmp_path / "out" / "SenseVoiceSmall.onnx"), done.output
    assert (tmp_path / "out" / "SenseVoiceSmall.onnx.data").is_file()
    assert conversions.state_of(name.removeprefix("hf:")) == "converted"
    own = load_model(tmp_path / "out" / "SenseVoiceSmall.onnx").predict(clip)
    done = CliRunner().invoke(app, arguments)
    assert yaml.safe_load(done.stdout)["transcript"] == own.transcript, done.output
    assert load_model(name).predict(clip).scores == own.scores


def test_an_ensemble_answers_the_labels_alone(file, tmp_path):
    clip = EXAMPLES / "neutral.flac"
    alone = load_model(file).predict(clip)
    together = load_model(combine(tmp_path / "two.onnx", [file, file])).predict(clip)
    assert together.scores == pytest.approx(dict(alone.scores), abs=1e-4)
    assert (together.events, together.language, together.transcript) == ({}, "", "")


def with_setting(section, key, value):
    def change(folder):
        config = yaml.safe_load((folder / "config.yaml").read_text())
        (config[section] if section else config)[key] = value
        (folder / "config.yaml").write_text(yaml.safe_dump(config))

    return change


def written_to(name, content):
    return lambda folder: next(folder.glob(name)).write_bytes(content)


REFUSED = {
    "no statistics": (lambda folder: (folder / "am.mvn").unlink(), "has no am.mvn"),
    "no pieces": (lambda folder: next(folder.glob("*.bpe.model")).unlink(), r"has no \*bpe.model"),
    "another encoder": (with_setting("", "encoder", "SenseVoiceEncoderLarge"), "only SenseVoiceEncoderSmall is known"),
    "another norm": (with_setting("encoder_conf", "normalize_before", False), "normalize_before: False, and only True"),
    "another window": (with_setting("frontend_conf", "window", "hann"), "window: hann, and only hamming"),
    "no width": (with_setting("encoder_conf", "output_size", None), "has no output_size"),
    "another width": (with_setting("encoder_conf", "output_size", 64), "the files do not belong together"),
    "other bands": (with_setting("frontend_conf", "n_mels", 40), "am.mvn is for 560 numbers a frame, and .* 280"),
    "statistics that are none": (written_to("am.mvn", b"<Nnet>\n</Nnet>"), "no <AddShift> and <Rescale>"),
    "statistics cut off": (written_to("am.mvn", b"<AddShift> 560 560\n<LearnRateCoef> 0 [ 1 2"), "no <AddShift> and"),
    "pieces that are none": (written_to("*.bpe.model", b"\x0f\xff nothing"), "no model of sentencepiece"),
    "pieces of another": (
        written_to("*.bpe.model", small.bpe_model(small.TINY | {"pieces": 95})),
        "the files do not belong together",
    ),
    "no emotions": (written_to("*.bpe.model", small._message(1, small._message(1, b"a"))), "has 0 labels in"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_sentence(case, tmp_path):
    change, sentence = REFUSED[case]
    folder = small.checkpoint(tmp_path / "theirs")
    change(folder)
    checkpoint = Checkpoint("theirs", folder)
    with pytest.raises(ModelError, match=sentence) as refused:
        sensevoice.network(checkpoint, sensevoice.describe(checkpoint).spec)
    assert "\n" not in str(refused.value)
