"""The kept table: written, read, joined, restricted, refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prediction_tables import benchmark, predicted, utterances

from intonate.emotions import SEVEN
from intonate.errors import CorpusError
from intonate.evaluation.table import COLUMNS, PredictionTable, concatenate, read, tabulate, write
from intonate.schema import Utterance


@pytest.fixture(scope="module")
def table() -> PredictionTable:
    return benchmark()


def same(one: PredictionTable, other: PredictionTable) -> None:
    assert one.labels == other.labels
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_comes_back_as_it_was_written_to_the_last_bit(table: PredictionTable, tmp_path: Path) -> None:
    same(read(write(table, tmp_path / "deep" / "predictions.csv")), table)


def test_strange_names_survive(tmp_path: Path) -> None:
    row = Utterance('a, "b"\n/ü 漢.wav', "happy", "joy", "", "mine", start_s=1.25, end_s=None, age=None)
    table = tabulate([row], ["happy"], ("happy", "anger/disgust"), [[0.25, 0.75]])
    back = read(write(table, tmp_path / "p.csv"))
    same(back, table)
    assert back.label[0] == "anger/disgust"
    assert np.isnan(back.age[0])
    assert np.isnan(back.end[0])


def test_an_empty_table_can_be_kept(table: PredictionTable, tmp_path: Path) -> None:
    empty = read(write(table.where(corpus="nobody"), tmp_path / "p.csv"))
    assert len(empty) == 0
    assert empty.labels == SEVEN


def test_pandas_reads_it(table: PredictionTable, tmp_path: Path) -> None:
    frame = pd.read_csv(write(table, tmp_path / "p.csv"))
    assert list(frame.columns) == [*COLUMNS, *(f"p:{name}" for name in SEVEN)]
    assert len(frame) == len(table)
    assert (frame["emotion"] == frame["label"]).mean() == (table.emotion == table.label).mean()
    assert frame["abstained"].dtype == bool
    assert frame["age"].dtype == float or frame["age"].dtype == int


def test_what_pandas_writes_is_read(table: PredictionTable, tmp_path: Path) -> None:
    frame = pd.read_csv(write(table, tmp_path / "p.csv"), keep_default_na=False)
    frame.to_csv(tmp_path / "q.csv", index=False)
    same(read(tmp_path / "q.csv"), table)


def test_files_under_the_root_are_written_relative_to_it() -> None:
    rows = [Utterance("/data/x/a.wav", "sad", "sad", "s", "c"), Utterance("/else/b.wav", "sad", "sad", "s", "c")]
    table = tabulate(rows, ["sad", "sad"], ("happy", "sad"), [[0, 1], [1, 0]], root="/data")
    assert table.file.tolist() == ["x/a.wav", "/else/b.wav"]


def test_where_takes_one_value_or_several(table: PredictionTable) -> None:
    some = table.where(corpus=("ravdess", "emodb"), seed=1, statistics="clip alone")
    assert set(some.corpus) == {"ravdess", "emodb"}
    assert set(some.seed) == {1}
    assert set(some.statistics) == {"clip alone"}
    with pytest.raises(CorpusError, match="no column 'speker'; did you mean 'speaker'"):
        table.where(speker="x")


def test_concatenate_puts_columns_in_one_order() -> None:
    rng = np.random.default_rng(1)
    rows = utterances("emodb", 2, 1)
    one, other = predicted(rows, rng), predicted(rows, rng, labels=SEVEN[::-1])
    both = concatenate([one, other])
    assert both.labels == SEVEN
    np.testing.assert_array_equal(both.probabilities[len(one) :], other.probabilities[:, ::-1])
    with pytest.raises(CorpusError, match="different labels"):
        concatenate([one, predicted(rows, rng, labels=(*SEVEN, "calm"))])
    with pytest.raises(CorpusError, match="at least one"):
        concatenate([])


def test_restricted_gives_lost_classes_nothing_and_chooses_again(table: PredictionTable) -> None:
    closed = table.restricted()
    for corpus, names in table.label_sets().items():
        part = closed.where(corpus=corpus)
        lost = [SEVEN.index(name) for name in SEVEN if name not in names]
        assert (part.probabilities[:, lost] == 0).all()
        assert set(part.label) <= set(names)
    np.testing.assert_allclose(closed.probabilities.sum(axis=1), 1)
    full = closed.corpus == "ravdess"
    np.testing.assert_array_equal(closed.label[full], table.label[full])
    assert (closed.emotion == closed.label).mean() > (table.emotion == table.label).mean()


def test_restricted_is_even_where_nothing_is_left() -> None:
    row = Utterance("a.wav", "sad", "sad", "s", "c")
    closed = tabulate([row], ["sad"], ("angry", "happy", "sad"), [[1, 0, 0]]).restricted({"c": ("happy", "sad")})
    np.testing.assert_array_equal(closed.probabilities, [[0, 0.5, 0.5]])
    assert closed.label.tolist() == ["angry"]  # wrong as before, and not the first of what is left


def test_restricted_keeps_a_label_that_is_allowed_whatever_its_scores() -> None:
    row = Utterance("a.wav", "sad", "sad", "s", "c")
    table = tabulate([row], ["sad"], ("angry", "happy", "sad"), [[0.5, 0.3, 0.2]])
    given = dataclasses.replace(table, label=np.array(["sad"]))
    assert given.restricted({"c": ("happy", "sad")}).label.tolist() == ["sad"]


def test_label_and_abstained_come_from_the_probabilities() -> None:
    rows = [Utterance(f"{n}.wav", "sad", "sad", "s", "c") for n in range(2)]
    table = tabulate(rows, ["sad", "happy"], ("happy", "sad"), [[0.4, 0.6], [0.1, 0.9]], abstain_below=0.7)
    assert table.label.tolist() == ["sad", "sad"]
    assert table.abstained.tolist() == [True, False]
    assert table.truth.tolist() == [1, 0]
    assert table.predicted.tolist() == [1, 1]


@pytest.mark.parametrize(
    "scores", [[0.5, 0.4], [np.nan, 1.0], [1.5, -0.5], [np.inf, 0.0]], ids=["sum", "nan", "negative", "inf"]
)
def test_probabilities_that_are_none_are_refused(scores: list[float]) -> None:
    row = Utterance("dir/clip.wav", "sad", "sad", "s", "c")
    with pytest.raises(CorpusError, match=r"row 1 \(dir/clip.wav\) must be finite, not negative and sum to one"):
        tabulate([row], ["sad"], ("happy", "sad"), [scores])


def test_errors_say_what_and_where(table: PredictionTable, tmp_path: Path) -> None:
    good = write(table.take([0, 1]), tmp_path / "p.csv").read_text().splitlines()
    bad = tmp_path / "bad.csv"

    def refused(lines: list[str], match: str) -> None:
        bad.write_text("\n".join(lines))
        with pytest.raises(CorpusError, match=match):
            read(bad)

    refused([line.replace("speaker", "spk", 1) for line in good], r"bad.csv lacks the column speaker; expected file,")
    refused([good[0].replace("p:", "q:"), *good[1:]], r"lacks the column p:<label>")
    refused([good[0], good[1] + ",9"], r"line 2 of .*bad.csv has 23 fields, expected 22")
    refused([good[0], good[1].rsplit(",", 1)[0] + ",much"], "not a number")
    refused([good[0], good[1].rsplit(",", 1)[0] + ",nan"], "bad.csv: the probabilities of row 1")
    refused([good[0], good[1].replace(",angry,", ",angri,", 1)], "'angri', which is not among its labels; did you mean")
    refused([""], "lacks the columns file, start")
    with pytest.raises(CorpusError, match=r"none.csv cannot be read .*; expected a CSV file"):
        read(tmp_path / "none.csv")
    with pytest.raises(CorpusError, match="column 'age'"):
        dataclasses.replace(table, age=table.age[:-1])
    with pytest.raises(CorpusError, match="shape"):
        dataclasses.replace(table, labels=table.labels[:-1])
