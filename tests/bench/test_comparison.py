"""The comparison: nothing left out, nothing without its reason, and a page that stands alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from intonate.bench.comparison import write
from intonate.bench.comparison_markdown import markdown
from intonate.bench.comparison_page import render
from intonate.bench.comparison_plots import corpora_plot, noises_plot, systems_plot
from intonate.bench.comparison_rows import CLEAN, Figure, Row
from intonate.bench.comparison_tables import DASH, NO_REASON, gaps, pairs, sections
from intonate.errors import CorpusError
from intonate.evaluation.protocol import scores
from intonate.evaluation.table import RANDOM_SPLIT, SPEAKER_DISJOINT, SPEAKER_NORMALISED

VOID = {"meta"}
TITLE = "Systems <rebuilt> & measured"


def figure(value: float) -> Figure:
    return Figure(value, value - 0.031, value + 0.042)


KNN = Row(
    "KNN (P3)",
    "ravdess",
    RANDOM_SPLIT,
    published="WA 62.9, UA 56.7",
    uar=figure(0.612),
    wa=figure(0.623),
    folds=1,
    of_folds=1,
    seeds=5,
    megabytes=1.25,
    train_minutes=0.4,
    core_hours=0.02,
    ms_per_clip=0.71,
    configurations_tried=60,
    command="intonate train recipes/knn.yaml --set data.split=random-80-20",
)
CNN = replace(KNN, system="1-D CNN | <P3>", published="", unpublished="the paper names no figure", parameters=1_203_211)
COMPARED = [
    KNN,
    replace(KNN, protocol=SPEAKER_DISJOINT, uar=figure(0.412), folds=4, of_folds=6, seeds=1, note="four folds of six"),
    CNN,
    replace(CNN, protocol=SPEAKER_DISJOINT, uar=None, wa=None, folds=0, note="no time was left"),
    replace(CNN, system="compact", statistics=SPEAKER_NORMALISED, protocol=SPEAKER_DISJOINT, uar=figure(0.67)),
    replace(KNN, corpus="emodb", protocol=SPEAKER_DISJOINT, uar=figure(0.55)),
]
PLACES = ("ravdess", "emodb", "nemo")
CROSSED = [
    Row("compact", there, uar=figure(0.6 if here == there else 0.3 + 0.011 * number), trained_on=here)
    for here in PLACES
    for number, there in enumerate(PLACES)
    if (here, there) != ("nemo", "emodb")
]
NOISY = [
    Row("compact", "ravdess", uar=figure(0.605), noise=CLEAN),
    Row("compact", "ravdess", uar=figure(0.521), noise="telephone band"),
    *(
        Row("compact", "ravdess", uar=figure(0.5 - 0.01 * place - 0.1 * noisy), noise=noise, snr_db=snr_db)
        for noisy, noise in enumerate(("pink_noise", "running_tap"))
        for place, snr_db in enumerate((20.0, 10.0, 5.0, 0.0))
    ),
]
ROWS = [*COMPARED, *CROSSED, *NOISY]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """(Markdown, HTML)."""
    folder = tmp_path_factory.mktemp("comparison") / "new"
    write(ROWS, folder / "RESULTS.md", folder / "pages" / "results.html", TITLE, ["Six hours & two cores."])
    return (folder / "RESULTS.md").read_text("utf-8"), (folder / "pages" / "results.html").read_text("utf-8")


def test_every_figure_and_its_interval_is_in_both(written: tuple[str, str]) -> None:
    text, page = written
    for row in ROWS:
        for each in (row.uar, row.wa):
            if each and each.value is not None and each.low is not None and each.high is not None:
                said, ends = f"{100 * each.value:.1f}", f"{100 * each.low:.1f}–{100 * each.high:.1f}"
                assert f"{said} ({ends})" in text
                assert f"{said}<small>{ends}</small>" in page
        if row.command:
            assert f"`{row.command}`" in text
            assert f"<code>{row.command}</code>" in page


def table_under(text: str, heading: str) -> list[list[str]]:
    """The first Markdown table after a heading; head first, without the rule."""
    lines = text.split(f"### {heading}\n", 1)[1].split("\n")
    rows = [line for line in lines if line.startswith("| ")]
    first = lines.index(rows[0])
    block = [line for line in lines[first : first + len(rows)] if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in (block[0], *block[2:])]


def test_one_line_for_each_system_with_both_splits(written: tuple[str, str]) -> None:
    head, knn, cnn, compact = table_under(written[0], "ravdess")[:4]
    knn_of, cnn_of = dict(zip(head, knn, strict=True)), dict(zip(head, cnn, strict=True))
    assert knn_of["system"] == "KNN (P3)"
    assert knn_of["published"] == "WA 62.9, UA 56.7"
    assert knn_of["random: UAR"].startswith("61.2 (")
    assert knn_of["speaker-disjoint: UAR"].startswith("41.2 (")
    assert knn_of["random: folds × seeds"] == "1 of 1 × 5"
    assert knn_of["disjoint: folds × seeds"].startswith("4 of 6 × 1")
    assert (knn_of["train min"], knn_of["core-hours"]) == ("0.8", "0.04")  # of both splits
    assert (knn_of["ms per clip"], knn_of["MB"], knn_of["tried"]) == ("0.7", "1.2", "60")
    assert cnn_of["parameters"] == "1,203,211"
    assert compact[0] == "compact (speaker-normalised)"


def test_no_cell_is_empty_without_its_reason() -> None:
    for section in sections(ROWS):
        for line in section.cells:
            for cell in line:
                assert cell.text
                assert cell.text != DASH or cell.reason
    (cnn,) = [line for line in sections(COMPARED)[0].cells if line[0].text == CNN.system]
    assert [cell.reason for cell in cnn if cell.text == DASH] == [
        "the paper names no figure",
        *["no time was left"] * 3,
    ]
    # Who gives no reason is told so, and not silently passed over.
    (alone, *_) = sections([Row("x", "y")])
    assert {cell.reason for cell in alone.cells[0] if cell.text == DASH} >= {NO_REASON, "not part of this benchmark"}


def test_reasons_are_listed_once_under_their_table(written: tuple[str, str]) -> None:
    text, page = written
    for reason in ("no time was left", "four folds of six", "the paper names no figure"):
        assert text.count(f" {reason}\n") == page.count(f"<li>{reason}</li>") == 1
    first = page.split('<ol class="reasons">')[0]
    listed = page.split('<ol class="reasons">')[1].split("</ol>")[0].count("<li>")
    marks = {int(mark) for mark in re.findall(r"<sup>(\d+)</sup>", first)}
    assert marks == set(range(1, listed + 1))


def test_the_gap_is_told(written: tuple[str, str]) -> None:
    assert gaps([row for row in COMPARED if row.corpus == "ravdess"]) == [pytest.approx(0.2)]
    for content in written:
        assert "Where speakers overlap, UAR reads 20.0 points higher" in content
    assert len(pairs([row for row in COMPARED if row.corpus == "ravdess"])) == 3


def test_the_matrix_of_corpora() -> None:
    (section,) = sections(CROSSED)
    assert section.head[1:-1] == tuple(f"tested on {name}" for name in PLACES)
    assert [line[0].text for line in section.cells] == list(PLACES)
    assert [line[1 + place].text for place, line in enumerate(section.cells)] == ["60.0"] * 3
    assert section.cells[2][2].text == DASH
    assert section.cells[0][-1].text == f"{100 * (0.311 + 0.322) / 2:.1f}"  # its own corpus does not count
    drawn = corpora_plot(CROSSED)
    assert "trained on ravdess, tested on nemo: 32.2 (29.1–36.4)" in drawn
    assert drawn.count("tested on nemo:") >= 3


def test_what_noise_does() -> None:
    (section,) = sections(NOISY)
    assert section.head == ("laid over the test clips", "no noise", "20 dB", "10 dB", "5 dB", "0 dB")
    names = [line[0].text for line in section.cells]
    assert names == ["clean clips", "telephone band", "pink noise", "running tap"]
    assert [cell.text for cell in section.cells[2]] == ["pink noise", "60.5", "50.0", "49.0", "48.0", "47.0"]
    assert section.cells[1][1].text == "52.1"
    drawn = noises_plot(NOISY)
    assert drawn.count("<polyline") == 2
    for words in ("UAR (%)", "signal-to-noise ratio (dB)", "pink noise", "telephone band", ">clean<"):
        assert words in drawn


def test_pictures_show_both_splits_with_their_intervals() -> None:
    drawn = systems_plot([row for row in COMPARED if row.corpus == "ravdess"])
    assert "KNN (P3), random: 61.2 (58.1–65.4)" in drawn
    assert "KNN (P3), speaker-disjoint: 41.2 (38.1–45.4)" in drawn
    for words in ("UAR (%), 95 % interval", "random (speakers overlap)", "speaker-disjoint"):
        assert words in drawn


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_is_whole(written: tuple[str, str]) -> None:
    _, page = written
    for word in ("<script", "@import", "url(", "<link", "<img", "src="):
        assert word not in page
    assert set(re.findall(r"https?://[^\"'\s<]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    assert page.count("<svg") == 4  # two corpora, one matrix, one of noises
    parser = Tags()
    parser.feed(page)
    assert parser.open == []


def test_text_is_escaped(written: tuple[str, str]) -> None:
    text, page = written
    assert "Systems &lt;rebuilt&gt; &amp; measured" in page
    assert "1-D CNN | &lt;P3&gt;" in page
    assert "<P3>" not in page
    assert "<rebuilt>" not in page
    assert r"1-D CNN \| &lt;P3>" in text
    assert {len(row) for row in table_under(text, "ravdess")} == {14}  # a bar in a name makes no new column


def test_figures_of_a_report_can_be_taken_as_they_are(benchmark_figures: dict[str, float]) -> None:
    row = Row("compact", "ravdess", uar=Figure(**benchmark_figures), folds=1, of_folds=6, seeds=1)
    assert f"{100 * benchmark_figures['value']:.1f} (" in markdown(sections([row]), "x")


@pytest.fixture
def benchmark_figures() -> dict[str, float]:
    from prediction_tables import benchmark

    found = json.loads(json.dumps(scores(benchmark(each=2), 20)))
    figures: dict[str, float] = found["conditions"][0]["open"]["overall"]["uar"]
    return figures


def test_a_figure_that_could_not_be_computed_is_a_dash() -> None:
    row = Row("compact", "ravdess", uar=Figure(None), wa=Figure(0.5), note="one class only")
    line = sections([row])[0].cells[0]
    assert (line[5].text, line[5].reason) == (DASH, "one class only")
    assert (line[4].text, line[4].small) == ("50.0", "")
    assert "<svg" in render(sections([row, replace(row, noise="hum", snr_db=5.0)]), "x")


@pytest.mark.parametrize(
    ("rows", "said"), [([], "nothing to compare"), ([KNN, replace(KNN, note="again")], "same thing")]
)
def test_what_cannot_be_compared_is_refused(rows: list[Row], said: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=said):
        write(rows, tmp_path / "a.md", tmp_path / "a.html", "x")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="cannot be written to"):
        write([KNN], tmp_path / "file" / "a.md", tmp_path / "a.html", "x")
