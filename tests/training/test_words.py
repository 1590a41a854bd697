"""What was written down beside a manifest reaches the models that read, and no others."""

import dataclasses
import sys
from pathlib import Path

import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "recognizer"))
import tiny

from intonate.corpora import transcripts
from intonate.schema import ModelInput
from intonate.training import evaluate as evaluation
from intonate.transcripts.recognisers import Transcriber, Word

RATE_HZ = 16_000
HEARS = Transcriber("stand-in", "1", lambda *_: ([Word("kids are talking by the door", 0, 1)], "en"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    tiny.write(folder / "voice.onnx", tiny.spec(name="voice"))
    spec = dataclasses.replace(
        tiny.token_spec(), name="words", inputs=(ModelInput("ids", "tokens", lengths="ids_lengths"),)
    )
    tiny.write_reader(folder / "words.onnx", spec)
    rows = ["file,emotion,speaker"]
    for speaker in range(2):
        for place, emotion in enumerate(tiny.LABELS):
            name = f"{speaker}{emotion}.wav"
            soundfile.write(folder / name, tiny.speech(1.0, seed=10 * speaker + place), RATE_HZ)
            rows.append(f"{name},{emotion},{speaker}")
    (folder / "m.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.mark.parametrize(("model", "reads"), [("voice.onnx", False), ("voice.onnx+words.onnx", True)])
def test_evaluation_takes_the_words_beside_the_manifest(place, model, reads, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setattr(evaluation, "write_report", lambda report, answered, **_: answered.probabilities)
    transcripts.table_path("m.csv").unlink(missing_ok=True)
    before = evaluation.evaluate(model, "m.csv", "report")
    assert transcripts.transcribe("m.csv", HEARS).new_rows == 14
    after = evaluation.evaluate(model, "m.csv", "report")
    assert bool((before != after).any()) == reads
