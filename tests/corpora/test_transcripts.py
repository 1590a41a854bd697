"""Transcripts beside a manifest: kept row by row, gone on with, believed only of the same bytes."""

import csv
import dataclasses

import numpy as np
import pytest
import soundfile

from intonate.corpora import manifest, transcripts
from intonate.errors import CorpusError
from intonate.transcripts.recognisers import Transcriber, Word

pytestmark = pytest.mark.usefixtures("every_sound_is_speech")

RATE_HZ = 16_000


class CutError(Exception):
    """Somebody pulls the plug."""


def hears(calls, stop_after=None, name="stand-in"):
    def recognise(waveform, language):
        if len(calls) == stop_after:
            raise CutError
        calls.append(len(waveform))
        return [Word('so, "so"', 0, 0.1), Word(str(len(waveform)), 0.1, 0.2)], "en"

    return Transcriber(name, "1", recognise)


@pytest.fixture
def table(tmp_path):
    """Four rows: one has words of its own, two are stretches of one file."""
    rng = np.random.default_rng(0)
    for name, seconds in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        tone = np.sin(np.arange(round(seconds * RATE_HZ)) * 0.1) * np.repeat(rng.uniform(0, 0.5, 10), seconds * 1600)
        soundfile.write(tmp_path / f"{name}.wav", tone, RATE_HZ)
    path = tmp_path / "m.csv"
    rows = ("file,start,end,emotion,text", "a.wav,,,sad,own words", "b.wav,0,1,sad,", "b.wav,1,2,sad,", "c.wav,,,sad,")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_rows_without_words_are_written_down_once(table):
    calls = []
    outcome = transcripts.transcribe(table, hears(calls))
    assert (outcome.path.name, outcome.new_rows, outcome.earlier_rows, outcome.worded_rows) == (
        "m.transcripts.csv",
        3,
        0,
        1,
    )
    assert calls == [16_000, 16_000, 48_000]
    again = transcripts.transcribe(table, hears(calls))
    assert (again.new_rows, again.earlier_rows, len(calls)) == (0, 3, 3)
    with outcome.path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["start"], row["end"]) for row in rows] == [
        ("b.wav", "0", "1"),
        ("b.wav", "1", "2"),
        ("c.wav", "0", ""),
    ]
    assert rows[2]["text"] == 'so, "so" 48000'
    assert (rows[2]["language"], rows[2]["recogniser"], rows[2]["version"]) == ("en", "stand-in", "1")


def test_own_words_come_first_then_those_written_down(table):
    rows = manifest.read(table)
    assert transcripts.fill(rows, table) == rows
    transcripts.transcribe(table, hears([]))
    assert [row.text for row in transcripts.fill(rows, table)] == [
        "own words",
        *('so, "so" 16000',) * 2,
        'so, "so" 48000',
    ]


@pytest.mark.parametrize("torn", [0, 7])
def test_what_is_interrupted_goes_on(table, torn):
    calls = []
    with pytest.raises(CutError):
        transcripts.transcribe(table, hears(calls, stop_after=2))
    path = transcripts.table_path(table)
    if torn:  # the plug was pulled in the middle of a row
        path.write_bytes(path.read_bytes()[:-torn])
    rows = transcripts.fill(manifest.read(table), table)
    assert sum(bool(row.text) for row in rows) == (2 if torn else 3)
    outcome = transcripts.transcribe(table, hears(calls))
    assert (outcome.new_rows, outcome.earlier_rows) == ((2, 1) if torn else (1, 2))
    assert all(row.text for row in transcripts.fill(manifest.read(table), table))


def test_another_recogniser_writes_anew_and_the_later_counts(table):
    transcripts.transcribe(table, hears([]))
    other = dataclasses.replace(hears([], name="other"), recognise=lambda *_: ([Word("better", 0, 1)], "en"))
    assert transcripts.transcribe(table, other).new_rows == 3
    assert [row.text for row in transcripts.fill(manifest.read(table), table)] == ["own words", *("better",) * 3]


def test_a_changed_file_is_not_believed(table):
    transcripts.transcribe(table, hears([]))
    soundfile.write(table.parent / "c.wav", np.ones(1000) * 0.1, RATE_HZ)
    assert [bool(row.text) for row in transcripts.fill(manifest.read(table), table)] == [True, True, True, False]


def test_a_bad_file_stops_none(table):
    (table.parent / "b.wav").write_text("no sound")
    outcome = transcripts.transcribe(table, hears([]))
    assert (outcome.new_rows, len(outcome.problems)) == (1, 2)
    assert "b.wav" in outcome.problems[0]


def test_a_table_of_something_else_is_told(table):
    transcripts.table_path(table).write_text("x,y\n1,2\n")
    with pytest.raises(CorpusError, match=r"m\.transcripts\.csv has other columns"):
        transcripts.transcribe(table, hears([]))
