"""The folder: a page that stands alone, figures that come from its table, a summary for the terminal."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from prediction_tables import benchmark, predicted, utterances
from typer.testing import CliRunner

from intonate.cli import app
from intonate.errors import CorpusError
from intonate.evaluation.html import clips_of
from intonate.evaluation.protocol import scores
from intonate.evaluation.report import check_folder, to_text, write_report
from intonate.evaluation.table import PredictionTable, read

VOID = {"meta", "br", "rect", "circle", "line", "polyline"}


@pytest.fixture(scope="module")
def table() -> PredictionTable:
    return benchmark(each=2)


@pytest.fixture(scope="module")
def folder(table: PredictionTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("report") / "new"
    page = write_report(
        target,
        table,
        "compact <on> RAVDESS & co.",
        {"train_s": 610.0, "ms_per_clip": 2.4},
        "12 configurations tried.",
        50,
    )
    assert page == target / "report.html"
    return target


def test_figures_come_from_the_kept_table(folder: Path) -> None:
    kept = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    again = scores(read(folder / "predictions.csv"), repeats=50, times={"train_s": 610.0, "ms_per_clip": 2.4})
    assert {key: kept[key] for key in again} == again
    assert kept["notes"] == ["12 configurations tried."]


def test_the_page_stands_alone(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "@import" not in page
    assert "url(" not in page
    fetched = re.findall(r'(?:src|href|srcset|data)="([^"]*)"', page)
    assert set(fetched) == {"predictions.csv", "metrics.json"}
    assert set(re.findall(r"https?://[^\"'\s<]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_the_page_is_well_formed_and_escaped(folder: Path) -> None:
    class Balance(HTMLParser):
        open: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in VOID:
                self.open.append(tag)

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            if tag not in VOID:
                assert self.open.pop() == tag

    page = (folder / "report.html").read_text(encoding="utf-8")
    reader = Balance(convert_charrefs=True)
    reader.feed(page)
    assert reader.open == []
    assert "<h1>compact &lt;on&gt; RAVDESS &amp; co.</h1>" in page


def test_the_page_says_how_each_figure_was_made(folder: Path, table: PredictionTable) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    for words in (
        "Nobody in the test was heard in training.",
        "the same voices are in training and test",
        "Each clip is judged by itself.",
        "All of the speaker&#x27;s clips, unlabelled",
        "95 % interval over speakers",
        "12 configurations tried.",
        "training 610 s",
        "per clip 2.4 ms",
    ):
        assert words in page, words
    wrong = table.where(protocol="speaker-disjoint", statistics="clip alone")
    surest = np.argmax(np.where(wrong.label != wrong.emotion, wrong.probabilities.max(axis=1), 0))
    assert str(wrong.file[surest]) in page
    assert page.count("<svg") >= 3 * 5


def test_the_terminal_sees_the_same_figures_under_80_columns(table: PredictionTable) -> None:
    found = scores(table, repeats=50)
    text = to_text(found)
    assert max(map(len, text.splitlines())) <= 80
    first = found["conditions"][0]["open"]["overall"]["uar"]
    assert f"UAR             {100 * first['value']:.1f}  {100 * first['low']:.1f}–{100 * first['high']:.1f}" in text
    assert text.index("speaker-disjoint, clip alone") < text.index("random (speakers overlap)")


@pytest.mark.parametrize("skill", [-30.0, 30.0])
def test_all_wrong_and_all_right_are_reported_too(skill: float, tmp_path: Path) -> None:
    table = predicted(utterances("emodb", 2, 1), np.random.default_rng(0), skill)
    page = write_report(tmp_path, table, "extreme", repeats=20).read_text(encoding="utf-8")
    assert ("None: every clip was right." in page) == (skill > 0)
    assert "over utterances" in page
    assert to_text(scores(table, repeats=20))


def test_nothing_to_report_is_an_error(table: PredictionTable, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no rows"):
        write_report(tmp_path, table.where(corpus="nobody"), "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="cannot be written"):
        write_report(tmp_path / "file", table, "title", repeats=20)


def test_a_folder_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"file/report \(.*\); expected a folder to write in"):
        check_folder(tmp_path / "file" / "report")
    check_folder(tmp_path / "new" / "report")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "command", ["evaluate compact clips.csv", "compare compact standard clips.csv", "doctor clips.csv"]
)
def test_commands_with_a_report_look_at_its_folder_first(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("", encoding="utf-8")
    # The clip is not there: whoever looked at the clips first would say so.
    Path("clips.csv").write_text("file,emotion,speaker\nmissing.wav,sad,a\n", encoding="utf-8")
    ran = CliRunner().invoke(app, [*command.split(), "--report", "file/report"])
    assert "the report cannot be written to file/report" in ran.output.replace("\n", " ")


def test_a_class_is_not_confused_with_itself(tmp_path: Path, table: PredictionTable) -> None:
    right = table.where(statistics=table.statistics[0])
    labels = np.array(right.labels)
    wrong = 0.1 / (len(labels) - 1)
    probabilities = np.where(labels == right.emotion[:, None], 0.9, wrong)
    mistaken = int(np.flatnonzero(right.emotion == labels[0])[0])
    probabilities[mistaken] = np.where(labels == labels[1], 0.9, wrong)
    made = replace(right, label=labels[probabilities.argmax(1)], probabilities=probabilities)
    page = write_report(tmp_path, made, "almost right", repeats=10).read_text(encoding="utf-8")
    confusions = page.split("Hardest confusions")[1].split("</table>")[0]
    assert confusions.count("<tr>") == 2  # the head, and one


def test_speakers_that_are_not_named_are_not_none(folder: Path, table: PredictionTable) -> None:
    nameless = replace(table, speaker=np.full(len(table), ""))
    assert ", unknown speakers, 95 %" in to_text(scores(nameless, repeats=50))
    assert "clips of unknown speakers" in clips_of(3, 0, [])


def test_kappa_is_no_share_and_a_dash_where_it_is_not_defined(table: PredictionTable, tmp_path: Path) -> None:
    text = to_text(scores(table, repeats=10))
    assert re.search(r"kappa +0\.\d{3}  0\.\d{3}–", text)
    one = table.where(emotion="angry")
    one = replace(one, label=one.emotion)
    results = scores(one, repeats=10)
    assert results["conditions"][0]["open"]["corpus_mean"]["kappa"] is None
    assert re.search(r"kappa +–", to_text(results))
    assert write_report(tmp_path / "r", one, "one class", repeats=10).is_file()
