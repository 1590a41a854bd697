"""The command line as a user and a script meet it."""

import dataclasses
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny
import typer

RATE_HZ = 16_000
RUN = [sys.executable, "-c", "from intonate.cli import main; main()"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model, three clips, and one file that is none."""
    folder = tmp_path_factory.mktemp("cli")
    tiny.write(folder / "tiny.onnx", tiny.spec())
    (folder / "clips" / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.wav", "b.flac", "deep/a.wav")):
        soundfile.write(folder / "clips" / name, tiny.speech(2.0, seed=number), RATE_HZ)
    soundfile.write(folder / "long.wav", np.concatenate([tiny.speech(9.0)] * 2), RATE_HZ)
    (folder / "bad.wav").write_text("no audio")
    (folder / "nothing").mkdir()
    return folder


@pytest.fixture
def intonate(place, monkeypatch, capfd):
    """Run `intonate …` in this process: (exit status, standard output, standard error)."""
    from intonate.cli import main

    def run(*args, stdin=None):
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", ["intonate", *map(str, args)])
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as done:
            main()
        return done.value.code or 0, *capfd.readouterr()

    return run


@pytest.fixture
def predict(intonate):
    return lambda *args, **more: intonate("predict", "--model", "tiny.onnx", *args, **more)


def test_one_file(predict):
    status, out, err = predict("clips/a.wav")
    assert (status, err) == (0, "")
    assert out.startswith("clips/a.wav  ")
    assert "\x1b" not in out
    assert sum(label in out for label in tiny.LABELS) == 7


def test_json_of_one_file_is_an_object(predict):
    status, out, _ = predict("clips/a.wav", "--format", "json", "--top-k", "2")
    answer = json.loads(out)
    assert status == 0
    assert set(answer) == {
        "file",
        "label",
        "guess",
        "abstained",
        "scores",
        "segments",
        "transcript",
        "model",
        "warnings",
    }
    assert len(answer["scores"]) == 2


@pytest.fixture(scope="module")
def words(place):
    """A model in the same folder that only reads."""
    inputs = tiny.token_spec().inputs[1:]
    tiny.write_reader(place / "words.onnx", dataclasses.replace(tiny.token_spec(), name="words", inputs=inputs))
    return "words.onnx"


def test_a_sentence_is_read(intonate, words):
    status, out, err = intonate("read", "kids are talking", "--model", words, "--top-k", "2")
    assert (status, err) == (0, "")
    assert out.startswith("kids are talking  ")
    assert sum(label in out for label in tiny.LABELS) == 2


def test_sentences_are_read_as_json_or_from_standard_input(intonate, words):
    _, out, _ = intonate("read", "kids", "the door", "--model", words, "--format", "json")
    assert [answer["transcript"] for answer in json.loads(out)] == ["kids", "the door"]
    _, out, _ = intonate("read", "-", "--model", words, "--format", "jsonl", stdin=b"kids\n\nthe door\n")
    assert [json.loads(line)["transcript"] for line in out.splitlines()] == ["kids", "the door"]


def test_what_cannot_be_read_is_told_in_one_line(intonate, words):
    for args, expected in (
        (["", "--model", words], "the text is empty"),
        (["hi", "--model", "tiny.onnx"], "listens"),
        (["hi", "--model", words, "--format", "srt"], "need a sound"),
    ):
        status, out, err = intonate("read", *args)
        assert status == 1
        assert (out, err.count("\n")) == ("", 1)
        assert expected in err


def test_a_voice_and_a_text_are_fused_where_both_are_named(intonate, words):
    def scores(model, *text):
        _, out, _ = intonate("predict", "clips/a.wav", "--model", model, "--format", "json", *text)
        answer = json.loads(out)
        return answer["model"], {entry["label"]: entry["score"] for entry in answer["scores"]}

    _, alone = scores("tiny.onnx")
    both = f"tiny.onnx+{words}"
    assert scores(both) == ("tiny+words", alone)
    assert scores(both, "--text", "kids are talking")[1] != alone


def test_a_folder_is_walked_and_gives_an_array(predict):
    _, out, _ = predict("clips", "--format", "json")
    assert [Path(answer["file"]).as_posix() for answer in json.loads(out)] == [
        "clips/a.wav",
        "clips/b.flac",
        "clips/deep/a.wav",
    ]


def test_standard_input(predict, place):
    status, out, _ = predict("-", "--format", "json", stdin=(place / "clips/a.wav").read_bytes())
    assert status == 0
    assert json.loads(out)["file"] == "-"


def test_a_bad_file_does_not_stop_the_rest(predict):
    status, out, err = predict("clips/a.wav", "bad.wav", "no.wav", "clips/b.flac", "--format", "jsonl")
    answers = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert [("error" in answer, answer["file"]) for answer in answers] == [
        (False, "clips/a.wav"),
        (True, "bad.wav"),
        (True, "no.wav"),
        (False, "clips/b.flac"),
    ]
    lines = err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("intonate: ") for line in lines)
    assert lines[-1] == "intonate: 2 of 4 recordings could not be answered"


def test_what_the_encoding_of_the_output_lacks_stops_nothing(intonate, monkeypatch):
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, "ascii"))
    status, _, err = intonate("corpora", "describe", "emodb")
    sys.stdout.flush()
    assert (status, err) == (0, "")
    assert "0.05 GB \\xb7 https" in out.getvalue().decode("ascii")


def test_the_page_of_a_recording_whose_name_is_no_text(intonate, place):
    name = os.fsdecode(b"M\xfcller.wav")
    shutil.copy(place / "clips/a.wav", place / name)
    status, _, err = intonate("explain", name, "--model", "tiny.onnx", "--format", "html", "--output", "page.html")
    (place / name).unlink()
    assert (status, err) == (0, "")
    assert "M\\udcfcller.wav" in (place / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["no.wav"], "no.wav does not exist"),
        ([""], "the path of the recording is empty"),
        (["bad.wav"], "bad.wav is not audio"),
        (["nothing"], "nothing is a folder without audio"),
        (["clips/a.wav", "--model", "bad.wav"], "cannot be read as an ONNX model"),
        (["clips/a.wav", "--model", "compakt"], "model 'compakt' is neither built in nor a file"),
        (["clips/a.wav", "--labels", "p4"], "did you mean 'p4-4'"),
        (["clips/a.wav", "--text", "hello"], "takes no text"),
        (["clips", "--format", "srt"], "name a folder for them with --output"),
        (["clips/a.wav", "--output", "no/such/place.txt"], "cannot be written"),
    ],
)
def test_an_error_is_one_line(predict, args, says):
    status, out, err = predict(*args)
    assert (status, out) == (1, "")
    assert err.startswith("intonate: ")
    assert says in err
    assert err.count("\n") == 1


def test_a_folder_without_audio_does_not_stop_the_rest(predict):
    status, out, err = predict("clips/a.wav", "nothing", "--format", "jsonl")
    assert (status, len(out.splitlines())) == (1, 2)
    assert "nothing is a folder without audio" in err
    assert "1 of 2 recordings could not be answered" in err


def test_a_folder_of_sound_without_a_header(predict, tmp_path):
    (tmp_path / "1.ulaw").write_bytes(bytes(range(256)) * 60)
    status, _, err = predict(tmp_path)
    assert status == 1
    assert "1 .ulaw; sound without a header: intonate predict --raw ulaw:8000" in err
    status, out, _ = predict(tmp_path, "--raw", "ulaw:8000", "--format", "jsonl")
    assert (status, len(out.splitlines())) == (0, 1)


@pytest.mark.parametrize("args", [[], ["--format", "xml", "a.wav"], ["--top-k", "0", "a.wav"], ["--tiemline", "a.wav"]])
def test_wrong_usage(predict, args):
    status, _, err = predict(*args)
    assert status == 2
    assert "Usage: intonate predict" in err


def test_nan_is_no_number_to_any_option(intonate):
    from intonate.cli import app

    options = [
        (name, ["x" for argument in command.params if argument.param_type_name == "argument"], option.opts[0])
        for name, command in typer.main.get_command(app).commands.items()
        for option in command.params
        if option.type.name.startswith("float")
    ]
    assert {option for _, _, option in options} >= {"--hours", "--grace", "--start"}
    for name, arguments, option in options:
        status, _, err = intonate(name, *arguments, option, "nan")
        assert status == 2
        assert f"Invalid value for '{option}': nan is not a number" in err


def test_output_goes_to_a_file(predict, tmp_path):
    status, out, _ = predict("clips", "--format", "csv", "--output", tmp_path / "a.csv")
    assert (status, out) == (0, "")
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--predictions", "theirs.csv"], "--predictions are answers to the clips of a manifest: name it"),
        (["compact", "table.csv", "--predictions", "theirs.csv"], "no model is asked: leave compact out"),
        (["compact", "table.csv", "--labels", "4"], "--labels merges answers; it needs --predictions"),
        (["compact", "table.csv", "--map", "a=label"], "--map names answers; it needs --predictions"),
        (["table.csv", "--predictions", "theirs.csv", "--scale", "1-7"], "--scale is of a model's dimensions; answers"),
        (["table.csv", "--predictions", "theirs.csv", "--whole"], "--whole says how a model hears; answers alone"),
        (["table.csv", "--predictions", "theirs.csv", "--device", "cpu"], "--device is what a model computes on; ans"),
        (["table.csv", "--predictions", "theirs.csv", "--card"], "--card asks a model again about changed sounds; ans"),
        (["compact"], "give MODEL and MANIFEST, or --predictions CSV and MANIFEST"),
        ([], "give MODEL and MANIFEST, or --predictions CSV and MANIFEST"),
    ],
)
def test_evaluate_says_what_is_missing(args, says, intonate):
    status, _, err = intonate("evaluate", *args)
    assert status == 2
    assert says in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize("command", ["predict", "evaluate", "compare", "ensemble"])
def test_numpy_has_one_thread_in_whatever_asks_a_model(command, intonate, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")  # put back at the end
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    assert intonate(command, "absent.onnx", "absent.csv")[0]
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"


def test_subtitles(predict, tmp_path):
    assert predict("long.wav", "--format", "srt")[1].startswith("1\n00:00:00,000 --> ")
    predict("clips", "--format", "srt", "--output", tmp_path / "subtitles")
    assert sorted(path.name for path in (tmp_path / "subtitles").iterdir()) == ["a-2.srt", "a.srt", "b.srt"]


def test_subtitles_of_others_are_kept_and_like_names_are_told(predict, tmp_path):
    _, _, err = predict("clips", "--format", "srt", "--output", tmp_path / "subtitles")
    assert "a-2.srt is of clips/deep/a.wav" in err
    (tmp_path / "films").mkdir()
    soundfile.write(tmp_path / "films/one.wav", tiny.speech(1.0), RATE_HZ)
    (tmp_path / "films/one.srt").write_text("their words")
    status, _, err = predict(tmp_path / "films", "--format", "srt", "--output", tmp_path / "films")
    assert status == 1
    assert "films/one.srt is there already, beside its recording; name another folder with --output" in err
    assert (tmp_path / "films/one.srt").read_text() == "their words"


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_no_recording_is_written_over(command, intonate, tmp_path):
    soundfile.write(tmp_path / "only.wav", tiny.speech(1.0), RATE_HZ)
    before = (tmp_path / "only.wav").read_bytes()
    sources = [tmp_path / "only.wav"] + ([tmp_path] if command == "predict" else [])
    for source in sources:
        output = tmp_path / "." / "only.wav"
        status, out, err = intonate(command, source, "--model", "tiny.onnx", "--format", "json", "--output", output)
        assert (status, out) == (1, "")
        assert "is one of the recordings and would be lost; name another --output" in err
    assert (tmp_path / "only.wav").read_bytes() == before


def test_a_closed_standard_input_is_a_sentence(intonate, predict, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    for status, _, err in (predict("-"), intonate("listen", "--file", "-")):
        assert status == 1
        assert "there is no standard input to read; name a file" in err


def test_a_closed_standard_output_is_a_sentence(predict, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        status, _, err = predict("clips")
    assert (status, err) == (1, "intonate: there is no standard output to write to; name a file with --output\n")


def test_standard_input_is_told_by_its_name(predict):
    assert predict("-", stdin=b"")[2] == "intonate: standard input is empty (0 bytes)\n"


def test_timeline_and_merge(predict):
    _, out, _ = predict("long.wav", "--format", "csv", "--timeline", "--labels", "valence")
    columns = "file,start,end,label,guess,abstained,score,negative,neutral,positive,transcript,model,error,warnings"
    assert out.splitlines()[0] == columns
    assert out.splitlines()[-1].split(",")[2] == "18.000"


def test_same_speaker(predict):
    alone, together = predict("clips", "--format", "json")[1], predict("clips", "--format", "json", "--same-speaker")[1]
    assert alone != together


def test_clips_of_one_mood_are_told_once(predict, tmp_path):
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", tiny.speech(2.0, seed=5), 16_000)
    status, out, errors = predict(tmp_path, "--same-speaker", "--format", "jsonl")
    assert status == 0
    assert errors.count("sound alike") == 1
    assert out.count("sound alike") == 3


def test_version_and_help(intonate):
    from intonate import __version__

    assert intonate("--version") == (0, f"intonate {__version__}\n", "")
    assert "predict" in intonate("--help")[1]


def test_models_tells_licence_labels_scores_and_card(intonate, monkeypatch, tmp_path):
    from intonate.recognizer import builtin

    monkeypatch.setattr(builtin, "ASSETS", tmp_path)
    tiny.write(tmp_path / "compact-open.onnx", tiny.spec(name="compact-open"))
    tiny.write(tmp_path / "compact.onnx", tiny.spec(name="compact", licence="CC-BY-NC-SA-4.0"))
    tiny.write(tmp_path / "standard.onnx", tiny.spec(name="standard"))
    status, out, _ = intonate("models")
    assert status == 0
    assert out.index("standard  (the default)") < out.index("compact") < out.index("compact-open")
    for expected in ("CC-BY-NC-SA-4.0", "CC-BY-4.0", "angry, disgust", "ravdess 50 (", str(tmp_path / "compact.md")):
        assert expected in out
    assert "--model" in out
    assert intonate("predict", "clips/a.wav", "--format", "json")[1].count('"model": "standard"') == 1
    assert "did you mean 'compact'" in intonate("predict", "clips/a.wav", "--model", "compakt")[2]


def test_models_lists_what_was_converted(intonate, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "converted from" not in intonate("models")[1]
    kept = tmp_path / "intonate" / "models"
    kept.mkdir(parents=True)
    (kept / "hubert-1.onnx").write_bytes(bytes(1_500_000))
    (kept / "hubert-1.onnx.data").write_bytes(bytes(1_000_000))
    _, out, _ = intonate("models")
    assert f"{kept / 'hubert-1.onnx'}\n  converted from a checkpoint of others, 2.5 MB\n" in out
    assert out.count("converted from") == 1


def test_corpora(intonate):
    from intonate import corpora

    status, out, _ = intonate("corpora")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == sorted(corpora.CATALOGUE)


def test_describe_and_manifest_of_a_folder(intonate, place, tmp_path):
    for label in ("happy", "sad"):
        (tmp_path / label).mkdir()
        shutil.copy(place / "clips/a.wav", tmp_path / label / f"{label}.wav")
    assert "2 clips" in intonate("corpora", "describe", "folder", tmp_path)[1]
    status, out, _ = intonate("manifest", tmp_path / "m.csv", f"folder={tmp_path}")
    assert status == 0
    assert "2 utterances" in out
    assert (tmp_path / "m.csv").read_text().count("\n") == 3
    assert intonate("manifest", tmp_path / "m.csv", "folder")[0] == 2
    assert intonate("manifest", tmp_path / "m.csv", "ravdes=.")[2].count("did you mean 'ravdess'") == 1


def test_a_closed_pipe_is_quiet(place):
    process = subprocess.Popen(
        [*RUN, "predict", "--model", "tiny.onnx", *["clips/a.wav"] * 40, "--format", "jsonl"],
        cwd=place,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert err == b""
    assert process.returncode == 1


def test_ctrl_c_is_quiet(place):
    process = subprocess.Popen(
        [*RUN, "predict", "--model", "tiny.onnx", "clips/a.wav", "-", "--format", "jsonl"],
        cwd=place,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell lets its background jobs ignore Ctrl-C, and they hand that on: the tests may run in one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    # More than a pipe holds: when the last byte is gone, the command is reading, and waits for the rest.
    process.stdin.write(bytes(200_000))
    process.stdin.flush()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")


# What is said


@pytest.fixture(scope="module")
def sentence(place):
    """`said.wav`: a sentence by espeak-ng, which pocketsphinx understands in part."""
    pytest.importorskip("pocketsphinx")
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    words = "I want to go to the park today"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", place / "said.wav", words], check=True)
    return "said.wav"


@pytest.mark.parametrize("order", ["--transcribe {}", "{} --transcribe", "{} --transcribe pocketsphinx"])
def test_what_was_said_is_printed_with_how(predict, sentence, order):
    status, out, err = predict(*order.format(sentence).split())
    assert status == 0
    assert "English only" in err
    assert out.startswith("said.wav  ")
    assert "want" in next(line for line in out.splitlines() if line.startswith(("  “", '  "')))


def test_words_are_in_every_format(predict, sentence):
    for style in ("json", "jsonl", "csv", "srt"):
        status, out, _ = predict(sentence, "--transcribe", "pocketsphinx", "--format", style, "--timeline")
        assert status == 0
        assert "want" in out, style
    _, out, _ = predict("-", "--transcribe=pocketsphinx", "--format", "json", stdin=Path("said.wav").read_bytes())
    assert "want" in json.loads(out)["transcript"]


def test_recordings_and_manifests_are_written_down(intonate, place, sentence):
    status, out, err = intonate("transcribe", sentence, "--by", "pocketsphinx")
    assert (status, out.split("\t")[0]) == (0, "said.wav")
    assert "want" in out
    assert "English only" in err
    status, out, err = intonate("transcribe", "clips/a.wav", "bad.wav", "--by", "pocketsphinx")
    assert (status, len(out.splitlines())) == (1, 1)
    assert "bad.wav" in err
    (place / "half.wav").write_bytes((place / "said.wav").read_bytes()[:40_000])
    status, _, err = intonate("transcribe", "half.wav", "--by", "pocketsphinx")
    assert status == 0
    assert "half.wav is damaged or cut off" in err
    (place / "heard.csv").write_text("file,emotion,speaker\nsaid.wav,happy,robot\n")
    status, out, _ = intonate("transcribe", "heard.csv", "--by", "pocketsphinx")
    assert (status, out.splitlines()[1]) == (0, "kept in heard.transcripts.csv")
    assert "want" in (place / "heard.transcripts.csv").read_text()
    assert "0 rows written down by pocketsphinx; 1 were there" in intonate("transcribe", "heard.csv")[1]
    (place / "heard.csv").write_text("file,emotion\nsaid.wav,angry caller\n")
    assert "0 rows written down by pocketsphinx; 1 were there" in intonate("transcribe", "heard.csv")[1]


def test_a_recogniser_that_is_not_known(predict):
    status, _, err = predict("clips/a.wav", "--transcribe", "wisper")
    assert (status, len(err.splitlines())) == (1, 1)
    assert "did you mean 'whisper'" in err


def test_a_folder_that_is_no_whisper_model(predict):
    pytest.importorskip("faster_whisper")
    status, _, err = predict("clips/a.wav", "--transcribe", "whisper:nothing")
    assert (status, len(err.splitlines())) == (1, 1)
    assert "nothing has no model.bin" in err
