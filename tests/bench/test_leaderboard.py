"""The shards of oruk-bench: read as its own package reads them, and answered in a form that it scores."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import tiny
import toy
from typer.testing import CliRunner

from intonate.bench import leaderboard
from intonate.cli import app
from intonate.errors import CorpusError, LabelError
from intonate.evaluation import table
from intonate.recognizer.recognizer import load_model

parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra archive")
import pyarrow as pa  # noqa: E402

MANNERS = {0: "angry", 1: "happy", 2: "sad", 6: "neutral"}


def flac(sound: np.ndarray) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.clip(sound, -1, 1), 16_000, format="FLAC")
    return out.getvalue()


def shard(path, clips, **columns):
    """A shard of [(sound, label)]; every third clip has no language."""
    known = {
        "audio_flac": pa.array([flac(sound) for sound, _ in clips], pa.binary()),
        "label": pa.array([label for _, label in clips], pa.int64()),
        "language": pa.array([None if place % 3 == 2 else "en" for place in range(len(clips))], pa.string()),
        "source_id": pa.array([f"corpus-{place % 2}" for place in range(len(clips))], pa.string()),
    }
    parquet.write_table(pa.table(known | columns), path)
    return path


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    made = [(toy.voice(name, place, rng), label) for label, name in MANNERS.items() for place in range(4)]
    long = np.tile(toy.voice("angry", 1, rng, 2.0), 12)  # 24 s, of which 16 count
    return [*made, (long, 3), (np.zeros(16_000, np.float32), 4)]


@pytest.fixture
def shards(clips, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    shard(folder / "b.parquet", clips[10:])
    shard(folder / "a.parquet", clips[:10])
    return folder


def test_the_command_tells_the_figure_and_then_the_page(shards, tiny_model, tmp_path):
    done = CliRunner().invoke(app, ["evaluate", str(tiny_model), str(shards), "--report", str(tmp_path / "report")])
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("clip alone: UAR ")
    assert last == str(tmp_path / "report" / "report.html")


@pytest.fixture
def report(shards, tiny_model, tmp_path):
    leaderboard.evaluate(tiny_model, shards, tmp_path / "report")
    return tmp_path / "report"


def test_every_clip_is_answered_in_the_order_of_the_shards(report, clips, tiny_model):
    labels = json.loads((report / "labels.json").read_text())
    assert labels == [leaderboard.NAMES[label] for _, label in clips]
    predictions = json.loads((report / "preds.json").read_text())
    kept = table.read(report / "predictions.csv")
    assert [leaderboard.CLASSES[name] for name in predictions] == kept.label.tolist()
    assert [kept.file[0], kept.file[10], kept.language[2], kept.corpus[1]] == [
        "a.parquet#0",
        "b.parquet#0",
        "",
        "corpus-1",
    ]
    model = load_model(tiny_model)
    answers = [model.predict((sound[: 16 * 16_000], 16_000)).scores for sound, _ in clips]
    spoken = [row for row, scores in enumerate(answers) if scores]
    assert 3 <= len(spoken) < len(clips), "some are taken for speech, and silence is not"
    expected = [[answers[row][name] for name in kept.labels] for row in spoken]
    np.testing.assert_allclose(kept.probabilities[spoken], expected, atol=2e-3)
    page = (report / "report.html").read_text()
    assert "the first 16 s count" in page


def test_what_is_too_short_to_be_sure_of_counts_as_unsure(tmp_path):
    tiny.write(tmp_path / "m.onnx", tiny.spec(unsure_below_s=1.0))
    shard(tmp_path / "a.parquet", [(tiny.speech(seconds), 0) for seconds in (0.5, 1.5)])
    leaderboard.evaluate(tmp_path / "m.onnx", tmp_path / "a.parquet", tmp_path / "report")
    assert table.read(tmp_path / "report" / "predictions.csv").abstained.tolist() == [True, False]


def test_what_lies_beyond_16_s_is_not_heard(clips, tiny_model, tmp_path):
    long, _ = clips[-2]
    changed = np.concatenate([long[: 16 * 16_000], toy.voice("happy", 3, np.random.default_rng(1), 5.0)])
    answers = []
    for number, sound in enumerate((long, changed)):
        shard(tmp_path / f"{number}.parquet", [(sound, 0)])
        leaderboard.evaluate(tiny_model, tmp_path / f"{number}.parquet", tmp_path / f"report{number}")
        answers.append(table.read(tmp_path / f"report{number}" / "predictions.csv").probabilities)
    np.testing.assert_array_equal(*answers)


def test_the_package_itself_reads_the_shards_and_scores_the_answers(report, shards, clips):
    core = pytest.importorskip("oruk_bench.core", reason="needs oruk-bench (pip install oruk-bench==0.1.1)")
    tables, index, labels, languages, sources = core.load_eval(shards)
    assert labels.tolist() == [label for _, label in clips]
    kept = table.read(report / "predictions.csv")
    assert kept.corpus.tolist() == sources.tolist()
    assert [name or "unknown" for name in kept.language] == languages.tolist()
    assert len(core.clip_audio(tables, index, len(clips) - 2)) == leaderboard.LONGEST_S * leaderboard.RATE_HZ
    files = [str(report / name) for name in ("preds.json", "labels.json")]
    words = [sys.executable, "-m", "oruk_bench.cli", "score", "--preds", files[0], "--labels", files[1]]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)
    ours = json.loads((report / "metrics.json").read_text())["conditions"][0]["open"]
    assert theirs["n"] == len(clips)
    assert theirs["accuracy"] == pytest.approx(ours["overall"]["accuracy"]["value"])
    for name, own in leaderboard.CLASSES.items():
        assert theirs["per_class"][name]["recall"] == pytest.approx(ours["classes"][own]["recall"])
        assert theirs["per_class"][name]["support"] == ours["classes"][own]["support"]
    assert tuple(core.LABELS) == leaderboard.NAMES


def test_calm_is_neutral_and_what_is_lacking_is_told(shards, tmp_path):
    labels = ("angry", "calm", "neutral", "other")
    tiny.write(tmp_path / "four.onnx", tiny.spec(labels=labels), classes=4)
    groups = leaderboard.label_groups(load_model(tmp_path / "four.onnx").spec)
    assert groups == [[0], [], [], [], [], [], [1, 2]]
    page = leaderboard.evaluate(tmp_path / "four.onnx", shards, tmp_path / "report").read_text()
    assert "no label for happy, sad, fear, disgust, surprise" in page
    assert set(json.loads((tmp_path / "report/preds.json").read_text())) <= {"anger", "neutral"}


def test_the_command_takes_shards_for_a_manifest(shards, tiny_model, tmp_path):
    words = ["evaluate", str(tiny_model), str(shards), "--report", str(tmp_path / "report"), "--whole"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "report/preds.json").is_file()


def test_what_is_no_shard_says_so(clips, tiny_model, tmp_path):
    def evaluate(path):
        leaderboard.evaluate(tiny_model, path, tmp_path / "report")

    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(CorpusError, match=r"torn.parquet is no Parquet file"):
        evaluate(tmp_path / "torn.parquet")
    parquet.write_table(pa.table({"label": [1]}), tmp_path / "other.parquet")
    with pytest.raises(CorpusError, match="lacks audio_flac, language, source_id"):
        evaluate(tmp_path / "other.parquet")
    shard(tmp_path / "label.parquet", [(clips[0][0], 9)])
    with pytest.raises(CorpusError, match=r"label.parquet#0: label is 9; expected 0 to 6"):
        evaluate(tmp_path / "label.parquet")
    shard(tmp_path / "sound.parquet", clips[:1], audio_flac=pa.array([b"no sound"], pa.binary()))
    with pytest.raises(CorpusError, match=r"sound.parquet#0: "):
        evaluate(tmp_path / "sound.parquet")


def test_a_model_without_any_of_the_seven_is_refused(shards, tmp_path):
    tiny.write(tmp_path / "own.onnx", tiny.spec(labels=("on hold", "busy")), classes=2)
    with pytest.raises(LabelError, match="none is the same"):
        leaderboard.evaluate(tmp_path / "own.onnx", shards, tmp_path / "report")
