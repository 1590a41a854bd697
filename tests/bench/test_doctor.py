"""The doctor: planted faults are found, and what is healthy is left alone."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import toy

from intonate import corpora
from intonate.audio.decode import load
from intonate.bench import doctor
from intonate.bench.confounds import confounds
from intonate.bench.sound_checks import measure_all
from intonate.corpora import manifest
from intonate.errors import CorpusError
from intonate.schema import Utterance

CORPORA = Path(os.environ.get("INTONATE_CORPORA", Path(__file__).parents[2].parent / "shared" / "corpora"))
RATE_HZ = 16_000


def emodb(count: int) -> list[Utterance]:
    if not (CORPORA / "emodb").is_dir():
        pytest.skip("EMO-DB is not in ../shared/corpora")
    return list(corpora.read("emodb", CORPORA / "emodb").utterances[:count])


def kinds(examination: doctor.Examination) -> dict[str, list[tuple[str, ...]]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for finding in examination.findings:
        found.setdefault(finding.kind, []).append(finding.files)
    return found


@pytest.mark.corpora
def test_copies_under_other_names_are_found_and_takes_are_not(tmp_path):
    rows = emodb(80)
    assert not set(kinds(doctor.examine(rows))) & {"exact copy", "near copy", "overlap"}
    planted = {"exact copy": set(), "near copy": set(), "overlap": set()}
    for place, utterance in enumerate(rows[::4]):
        sound, target = load(utterance.path, RATE_HZ), tmp_path / f"{place}.wav"
        kind = ("exact", "gain", "shift", "mp3", "part")[place % 5]
        if kind == "gain":
            sound = sound * 0.4
        elif kind == "shift":
            sound = sound[700:]
        elif kind == "part":
            sound = sound[: len(sound) // 2]
        elif kind == "mp3":
            target = target.with_suffix(".mp3")
        soundfile.write(target, sound, RATE_HZ)
        planted[{"exact": "exact copy", "part": "overlap"}.get(kind, "near copy")].add(
            frozenset((utterance.path, str(target)))
        )
    copies = [Utterance(str(path), "neutral", "", "someone/else", "planted") for path in sorted(tmp_path.iterdir())]
    examination = doctor.examine([*rows, *copies])
    found = kinds(examination)
    pairs = {kind: {frozenset(files) for files in found.get(kind, [])} for kind in planted}
    assert pairs["exact copy"] == planted["exact copy"]
    # Half of a clip is all of the shorter one: a copy of it.
    assert planted["near copy"] | planted["overlap"] == pairs["near copy"] | pairs["overlap"]
    assert any("speakers" in finding.sentence for finding in examination.findings if finding.kind == "exact copy")


def test_broken_files_are_named_all_at_once(tmp_path):
    rng = np.random.default_rng(0)
    good = toy.voice("happy", 0, rng)
    soundfile.write(tmp_path / "good.wav", good, RATE_HZ)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE_HZ), RATE_HZ)
    soundfile.write(tmp_path / "clipped.wav", np.clip(8 * toy.voice("angry", 1, rng), -1, 1), RATE_HZ)
    soundfile.write(tmp_path / "cut.wav", toy.voice("angry", 2, rng)[3000:3900], RATE_HZ)
    (tmp_path / "text.wav").write_text("no sound")
    names = ("good.wav", "silent.wav", "clipped.wav", "cut.wav", "text.wav", "missing-1.wav", "missing-2.wav")
    lines = ["file,emotion", *(f"{name},happy" for name in names), "good.wav,hapy", ",sad"]
    (tmp_path / "m.csv").write_text("\n".join(lines))
    text, is_healthy = doctor.command(str(tmp_path / "m.csv"), tmp_path / "report")
    assert not is_healthy
    kept = json.loads((tmp_path / "report" / "doctor.json").read_text())
    found = {}
    for finding in kept["findings"]:
        found.setdefault(finding["kind"], []).append(finding)
    assert [Path(item["files"][0]).name for item in found["unreadable"]] == [
        "text.wav",
        "missing-1.wav",
        "missing-2.wav",
    ]
    assert len(found["table"]) == 2
    assert [Path(item["files"][0]).name for item in found["silent"]] == ["silent.wav"]
    assert "clipped.wav" in [Path(item["files"][0]).name for item in found["clipped"]]
    assert all("% of its samples lie at the peak" in item["sentence"] for item in found["clipped"])
    assert all(name in text for name in ("missing-1.wav", "missing-2.wav", "'hapy'"))
    page = (tmp_path / "report" / "doctor.html").read_text()
    assert "<audio" in page
    assert "<svg" in page
    with pytest.raises(CorpusError, match="does not exist"):
        manifest.read(tmp_path / "nothing.csv")


def test_a_length_that_gives_the_label_away(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for take in range(60):
        emotion = ("happy", "sad")[take % 2]
        path = tmp_path / f"{take}.wav"
        seconds = rng.uniform(0.8, 1.0) if emotion == "happy" else rng.uniform(1.3, 1.5)
        soundfile.write(path, toy.voice("neutral", take % 6, rng, seconds), RATE_HZ)
        rows.append(Utterance(str(path), emotion, emotion, f"s/{take % 6}", "made"))
    cues = {cue.cue: cue for cue in confounds(rows, measure_all(rows))}
    assert cues["the length"].gives_away
    assert not cues["the speaker"].gives_away or cues["the speaker"].uar == 1


def test_a_folder_needs_no_table_and_an_empty_one_is_refused(toy_corpus, tmp_path):
    rows, folds, problems = doctor.rows_of(str(toy_corpus))
    assert rows
    assert not problems
    assert not folds
    with pytest.raises(CorpusError, match="without audio"):
        doctor.rows_of(str(tmp_path))


def test_a_name_that_is_no_text_can_be_told(tmp_path):
    for label in ("angry", "sad"):
        (tmp_path / "in" / label).mkdir(parents=True)
        (tmp_path / "in" / label / os.fsdecode(b"M\xfcller.wav")).write_bytes(b"")
    said, is_healthy = doctor.command(str(tmp_path / "in"), tmp_path / "report")
    assert "ller.wav" in said
    assert not is_healthy
    assert "M\\udcfcller.wav" in (tmp_path / "report/doctor.html").read_text(encoding="utf-8")
    json.loads((tmp_path / "report/doctor.json").read_text(encoding="utf-8"))


def test_copies_and_speakers_across_folds_are_told(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["file,emotion,speaker,Split"]
    for place, (speaker, fold) in enumerate((("ada", "train"), ("ada", "test"), ("ben", "train"), ("cleo", "test"))):
        soundfile.write(tmp_path / f"{place}.wav", toy.voice("happy", place, rng), RATE_HZ)
        lines.append(f"{place}.wav,happy,{speaker},{fold}")
    (tmp_path / "again.wav").write_bytes((tmp_path / "2.wav").read_bytes())
    lines.insert(2, "missing.wav,hapy,dan,train")  # a row that cannot be understood moves no fold to another
    lines.append("again.wav,happy,ben,test")
    (tmp_path / "m.csv").write_text("\n".join(lines))
    rows, folds, problems = doctor.rows_of(str(tmp_path / "m.csv"))
    assert folds == ["train", "test", "train", "test", "test"]
    assert len(problems) == 1
    findings = {finding.kind: finding.sentence for finding in doctor.examine(rows, problems, folds).findings}
    assert "folds train and test" in findings["exact copy"]
    assert findings["speaker in two folds"].startswith("2 of 3 speakers")


def test_several_labels_and_labels_of_ones_own_are_labels(tmp_path):
    rng = np.random.default_rng(0)
    for place in range(4):
        soundfile.write(tmp_path / f"{place}.wav", toy.voice("happy", place, rng), RATE_HZ)
    (tmp_path / "copy.wav").write_bytes((tmp_path / "0.wav").read_bytes())
    for column, cells in (
        ("labels", ("happy; laughing", "laughing", "happy", "[]", "laughing")),
        ("label", ("pleased; a bit", "angry caller", "angry caller", "sad", "angry caller")),
    ):
        names = ("0.wav", "1.wav", "2.wav", "3.wav", "copy.wav")
        lines = [f"{name},{place % 2},{cell}" for place, (name, cell) in enumerate(zip(names, cells, strict=True))]
        (tmp_path / "m.csv").write_text("\n".join([f"file,speaker,{column}", *lines]) + "\n")
        rows, folds, problems = doctor.rows_of(str(tmp_path / "m.csv"))
        assert len(rows) == 5
        assert not problems
        sentences = {finding.kind: finding.sentence for finding in doctor.examine(rows, problems, folds).findings}
        if column == "labels":
            assert sentences["missing class"] == "speaker table/1 has no clip of happy"
            assert "labels happy; laughing and laughing" in sentences["exact copy"]
        else:
            assert "pleased; a bit and angry caller" in sentences["exact copy"]


def test_a_length_that_gives_several_labels_away(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for take in range(60):
        path, labels = tmp_path / f"{take}.wav", (("happy", "laughing"), ())[take % 2]
        soundfile.write(path, toy.voice("neutral", take % 6, rng, 0.8 + 0.5 * (take % 2)), RATE_HZ)
        rows.append(Utterance(str(path), "", "", f"s/{take % 6}", "made", labels=labels))
    cues = {cue.cue: cue for cue in confounds(rows, measure_all(rows))}
    assert cues["the length"].gives_away
    assert cues["the length"].chance == 0.5
    assert not confounds([replace(row, labels=None) for row in rows], measure_all(rows))


def test_ends_beyond_the_file_and_people_with_two_names(tmp_path):
    rng = np.random.default_rng(0)
    names = ("s01", "S1", "s10", "s10")
    rows = []
    for place, name in enumerate(names):
        soundfile.write(tmp_path / f"{place}.wav", toy.voice("happy", place, rng), RATE_HZ)
        rows.append(Utterance(str(tmp_path / f"{place}.wav"), "happy", "happy", f"table/{name}", "table", end_s=60.0))
    length_s = soundfile.info(rows[3].path).duration
    rows[3] = replace(rows[3], end_s=length_s + 0.01)
    found = {finding.kind: finding for finding in doctor.examine(rows[2:]).findings}
    assert found["late end"].severity == "fault"
    assert re.match(r"the row ends at 60 s, the file at \d\.\d s \(milliseconds", found["late end"].sentence)
    assert found["late end"].files == (rows[2].path,)
    # A duration beside a start may be that of the whole file.
    row = replace(rows[3], start_s=0.6, end_s=0.6 + length_s)
    (doubt,) = (finding for finding in doctor.examine([row]).findings if finding.kind == "late end")
    assert (doubt.severity, "as long as the row is said to be" in doubt.sentence) == ("doubt", True)
    assert "two spellings" not in found
    (doubt,) = (finding for finding in doctor.examine(rows).findings if finding.kind == "two spellings")
    assert (doubt.severity, "S1 and s01" in doubt.sentence) == ("doubt", True)
