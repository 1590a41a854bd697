"""What is printed can be read back, and read by people."""

import csv
import dataclasses
import io
import json
import re

import pytest
from rich.console import Console

from intonate.corpora import manifest
from intonate.recognizer.clip_voices import with_voice
from intonate.recognizer.recognizer import Failure
from intonate.recognizer.request import Voice
from intonate.schema import UNFAMILIAR, Prediction, Segment
from intonate.terminal import formats, page
from intonate.terminal.formats import Layout

SCORES = {"happy": 0.7, "sad": 0.2, "neutral": 0.1}
LABELS = ("happy", "neutral", "sad")
LONG = Prediction(
    "happy",
    SCORES,
    (
        Segment(0.0, 4.5, "happy", SCORES),
        Segment(4.5, 6.0, "silence", {}, speech=False),
        Segment(6.0, 7.25, "unsure", {"sad": 0.4, "happy": 0.35, "neutral": 0.25}),
    ),
    model="tiny",
    file='a, "b".wav',
)
SHORT = Prediction("happy", SCORES, (Segment(0.0, 2.0, "happy", SCORES),), model="tiny", file="short.wav")
SILENT = Prediction("silence", {}, (Segment(0.0, 2.0, "silence", {}, speech=False),), model="tiny", file="s.wav")
FAILED = Failure("bad.wav", "bad.wav is empty (0 bytes)")


def text(style, answers, **layout):
    return "".join(formats.FORMATS[style](answers, Layout(LABELS, **layout)))


def test_json_is_one_object_or_an_array():
    assert json.loads(text("json", [SHORT], single=True)) == SHORT.to_dict()
    both = json.loads(text("json", [SHORT, FAILED, LONG]))
    assert both == [SHORT.to_dict(), {"file": "bad.wav", "error": "bad.wav is empty (0 bytes)"}, LONG.to_dict()]
    assert json.loads(text("json", [])) == []
    assert len(json.loads(text("json", [SHORT], single=True, top_k=2))["scores"]) == 2


def test_jsonl_is_a_line_each():
    lines = text("jsonl", [SHORT, FAILED]).splitlines()
    assert [json.loads(line) for line in lines] == [SHORT.to_dict(), FAILED.to_dict()]


def test_rttm_has_a_turn_where_the_speaker_changes_and_not_the_emotion():
    parts = [(0.0, 4.5, "happy"), (4.5, 6.0, "sad"), (7.0, 8.0, "sad")]
    talk = dataclasses.replace(LONG, file="a.wav", segments=tuple(Segment(*one, SCORES) for one in parts))
    assert [line.split()[3:5] for line in text("rttm", [talk]).splitlines()] == [["0.000", "6.000"], ["7.000", "1.000"]]
    first, second, third = talk.segments
    told = (dataclasses.replace(first, speaker="A"), dataclasses.replace(second, speaker="B"), third)
    turns = text("rttm", [dataclasses.replace(talk, segments=told)]).splitlines()
    assert [line.split()[7] for line in turns] == ["A", "B", "speech"]


def rows(*args, **layout):
    return list(csv.DictReader(io.StringIO(text("csv", *args, **layout)), strict=True))


def test_csv_has_a_row_per_file():
    found = rows([LONG, FAILED, SILENT])
    assert [row["file"] for row in found] == ['a, "b".wav', "bad.wav", "s.wav"]
    assert [row["label"] for row in found] == ["happy", "", "silence"]
    assert [row["happy"] for row in found] == ["0.700000", "", ""]
    assert [row["error"] for row in found] == ["", FAILED.error, ""]
    assert found[0]["end"] == "7.250"
    assert all(None not in row and None not in row.values() for row in found)


def test_csv_tells_familiarity_where_the_model_does():
    found = rows([dataclasses.replace(SHORT, familiarity=0.25), FAILED, SILENT], familiarity=True, speakers=True)
    assert [row["familiarity"] for row in found] == ["0.250", "", ""]
    assert all(None not in row and None not in row.values() for row in found)
    assert "familiarity" not in rows([SHORT])[0]


def test_a_voice_says_how_many_clips_it_was_learnt_from():
    voice = Voice("Voice 2", 24, None)
    learnt, alone = (with_voice(SHORT, voice._replace(clips=clips)) for clips in (24, 1))
    found = rows([learnt, alone, FAILED], speakers=True)
    assert [(row["clips"], row["speaker"]) for row in found] == [("24", "Voice 2"), ("1", "Voice 2"), ("", "")]
    shown = io.StringIO()
    for answer in (learnt, alone):
        page.show(Console(file=shown, width=80), answer)
    assert [line for line in shown.getvalue().splitlines() if "Voice" in line] == [
        "  Voice 2, learnt from 24 clips",
        "  Voice 2  2.0 s of speech",
    ]


def test_csv_of_a_timeline_has_a_row_per_segment():
    found = rows([LONG, FAILED], timeline=True, top_k=1)
    assert [(row["start"], row["end"], row["label"], row["guess"], row["abstained"]) for row in found[:3]] == [
        ("0.000", "4.500", "happy", "happy", "false"),
        ("4.500", "6.000", "silence", "silence", "false"),
        ("6.000", "7.250", "unsure", "sad", "true"),
    ]
    assert [row["sad"] for row in found] == ["", "", "0.400000", ""]


def test_srt_has_a_cue_per_segment_of_speech():
    assert text("srt", [LONG]) == (
        "1\n00:00:00,000 --> 00:00:04,500\nhappy 70%\n\n2\n00:00:06,000 --> 00:00:07,250\nunsure (sad 40%)\n\n"
    )


@pytest.mark.parametrize(
    ("seconds", "time"), [(0.0, "00:00:00,000"), (59.9996, "00:01:00,000"), (3723.5, "01:02:03,500")]
)
def test_srt_times(seconds, time):
    assert formats._clock(seconds, ",") == time


def printed(answer, *, colour=False, encoding="utf-8", **options):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(file=out, force_terminal=colour, width=80, highlight=False, markup=False, no_color=not colour)
    page.show(console, answer, **options)
    out.flush()
    return raw.getvalue().decode(encoding)


def test_text_is_plain_where_it_is_piped():
    shown = printed(SHORT)
    assert "\x1b" not in shown
    assert shown.splitlines()[0] == "short.wav  happy 70%"
    assert [line.split()[0] for line in shown.splitlines()[1:4]] == ["happy", "sad", "neutral"]
    assert shown.splitlines()[1].count("█") == round(0.7 * page.BAR - 0.5)


def test_text_has_colours_in_a_terminal():
    assert "\x1b[33m" in printed(SHORT, colour=True)


def test_text_of_a_long_recording_has_a_timeline():
    shown = re.sub(r"\x1b\[[\d;]*m", "", printed(LONG, colour=True))
    assert "0.0 s – 4.5 s  happy" in shown
    assert "unsure (sad)   40%" in shown
    band = next(line.strip() for line in shown.splitlines() if "··" in line)
    assert len(band) == page.BAND
    assert printed(LONG) == shown.replace(f"  {band}\n", "")  # which tells nothing without colours


def test_a_score_does_not_touch_its_bar():
    shown = printed(dataclasses.replace(SHORT, scores={"happy": 1.0, "sad": 0.0})).splitlines()
    assert shown[1] == f"  happy  {'█' * page.BAR} 100%"
    assert shown[2].endswith("   0%")


def test_neutral_and_labels_of_others_have_the_colour_of_the_terminal():
    """White is not seen on a light one."""
    named = dataclasses.replace(SHORT, scores={"neutral": 0.7, "on hold": 0.3}, label="neutral")
    assert set(re.findall(r"\x1b\[([\d;]*)m", printed(named, colour=True))) == {"2", "1;39", "39", "0"}


def test_text_without_unicode():
    shown = printed(LONG, encoding="ascii")
    assert "#" * round(0.7 * page.BAR) in shown


def test_text_says_unsure_and_silence():
    unsure = Prediction("happy", SCORES, SHORT.segments, abstained=True)
    assert printed(unsure).startswith("  unsure  at best happy 70%") or printed(unsure).startswith("unsure")
    assert printed(SILENT).startswith("s.wav  silence  no speech")
    assert printed(FAILED) == ""


def test_text_says_what_is_unlike_the_training():
    for familiarity, is_said in ((None, False), (0.5, False), (UNFAMILIAR, True), (0.0, True)):
        shown = printed(dataclasses.replace(SHORT, familiarity=familiarity)).splitlines()[0]
        assert ("unlike what it learnt from" in shown) == is_said


@pytest.mark.parametrize("score", [0.0, 0.001, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("pretty", [True, False])
def test_a_bar_has_one_width(score, pretty):
    assert len(page._bar(score, pretty)) == page.BAR


def test_several_labels_are_read_back_by_a_manifest(tmp_path):
    names = ("happy", "on hold, music", "Loud voice")
    answers = [
        Prediction(
            labels[0] if labels else "unsure", SCORES, SILENT.segments, model="t", file=f"{place}.wav", labels=labels
        )
        for place, labels in enumerate((names, names[::2], ("Loud voice",), ()))
    ]
    out = "".join(formats.FORMATS["csv"]([*answers, SILENT, FAILED], Layout(LABELS, several=True)))
    (tmp_path / "p.csv").write_text(out)
    rows, problems = manifest.read_all(tmp_path / "p.csv")
    assert not problems
    assert [row.labels for row in rows] == [*(answer.labels for answer in answers), (), None]
    assert {row.emotion for row in rows} == {""}
    assert '0.wav,0.000,2.000,happy,happy,false,0.700000,"[' in out
    assert "happy; Loud voice" in out


def test_the_language_of_a_model_that_tells_it():
    answer = dataclasses.replace(SHORT, language="yue")
    found = rows([answer, FAILED], language=True)
    assert [(row["language"], row["model"], row["error"]) for row in found] == [
        ("yue", "tiny", ""),
        ("", "", FAILED.error),
    ]
    console = Console(file=io.StringIO(), width=100)
    page.show(console, answer)
    assert "  language yue\n" in console.file.getvalue()
