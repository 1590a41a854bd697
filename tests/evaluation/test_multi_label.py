"""Several labels at once beside the truth: the figures are scikit-learn's, and their intervals are over speakers."""

import dataclasses
import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score

from intonate.errors import CorpusError
from intonate.evaluation import metrics, multi_label, multi_label_page
from intonate.evaluation.calibration import binary_temperature_and_threshold
from intonate.evaluation.ratings import concatenate, read_as, write
from intonate.schema import Utterance

LABELS = ("bored", "on hold", "happy")


def made(count=120, seed=0, threshold=0.4, **conditions):
    rng = np.random.default_rng(seed)
    rows = [
        Utterance(f"{row}.wav", "", "", f"table/{row % 8}", "table", gender=("female", "male")[row % 2])
        for row in range(count)
    ]
    present = rng.random((count, 3)) < (0.5, 0.2, 0.05)
    # Two decimals: many scores are equal.
    scores = np.clip(np.round(0.3 * present + rng.normal(0.35, 0.2, (count, 3)), 2), 0, 1)
    return multi_label.tabulate(rows, LABELS, present, scores, threshold, **conditions)


def test_the_figures_are_those_of_scikit_learn():
    table = made()
    truth, chosen = table.present, table.chosen
    found = multi_label.view(table, repeats=200)
    assert found["overall"]["macro_f1"]["value"] == pytest.approx(f1_score(truth, chosen, average="macro"))
    assert found["overall"]["micro_f1"]["value"] == pytest.approx(f1_score(truth, chosen, average="micro"))
    precisions = average_precision_score(truth, table.answer, average=None)
    assert found["overall"]["map"]["value"] == pytest.approx(precisions.mean())
    for place, label in enumerate(LABELS):
        figures = found["labels"][label]
        assert figures["average_precision"]["value"] == pytest.approx(precisions[place])
        assert figures["f1"]["value"] == pytest.approx(f1_score(truth[:, place], chosen[:, place]))
        assert figures["precision"]["value"] == pytest.approx(precision_score(truth[:, place], chosen[:, place]))
        assert figures["recall"]["value"] == pytest.approx(recall_score(truth[:, place], chosen[:, place]))
        assert (figures["clips"], figures["chosen"]) == (truth[:, place].sum(), chosen[:, place].sum())
        for name in ("f1", "average_precision"):
            assert figures[name]["low"] <= figures[name]["value"] <= figures[name]["high"]


def test_a_resample_counts_each_row_as_often_as_it_was_drawn():
    table, rng = made(), np.random.default_rng(1)
    weights = rng.multinomial(len(table), np.full(len(table), 1 / len(table)), size=3)
    found = metrics.average_precision(table.answer, table.present, weights)
    for row, counts in enumerate(weights):
        drawn = np.repeat(np.arange(len(table)), counts)
        wanted = average_precision_score(table.present[drawn], table.answer[drawn], average=None)
        np.testing.assert_allclose(found[row], wanted)


def test_intervals_are_over_speakers():
    """A speaker whose clips are all alike moves an interval of speakers more than one of clips."""
    table = made()
    assert multi_label.view(table, repeats=50)["unit"] == "speaker"
    nameless = dataclasses.replace(table, speaker=np.array([""] * len(table)))
    assert multi_label.view(nameless, repeats=50)["unit"] == "utterance"


def test_a_label_that_never_occurs_has_no_figures_and_is_in_no_mean():
    table = made()
    without = dataclasses.replace(table, truth=table.truth * (1, 1, 0))
    found = multi_label.view(without, repeats=50)
    assert found["labels"]["happy"]["average_precision"]["value"] is None
    two = [found["labels"][label] for label in LABELS[:2]]
    for overall, name in (("macro_f1", "f1"), ("map", "average_precision")):
        assert found["overall"][overall]["value"] == pytest.approx(np.mean([one[name]["value"] for one in two]))
    assert "–" in multi_label_page.render(multi_label.scores(without, 20), without, "one")


def test_a_table_reads_back_as_it_was(tmp_path):
    table = concatenate([made(fold=1), made(seed=1, threshold=0.55, fold=2, statistics="speaker-normalised")])
    again = read_as(write(table, tmp_path / "labels.csv"), multi_label.LabelTable)
    for entry in dataclasses.fields(table):
        np.testing.assert_array_equal(getattr(again, entry.name), getattr(table, entry.name))
    assert multi_label.scores(again, 50) == multi_label.scores(table, 50)
    assert len(multi_label.scores(table, 20)["conditions"]) == 2
    with pytest.raises(CorpusError, match="no table of such answers"):
        read_as(tmp_path / "labels.csv", _Other)


@dataclasses.dataclass(frozen=True, eq=False)
class _Other(multi_label.LabelTable):
    mood: np.ndarray


def test_the_page_shows_every_label_and_condition(tmp_path):
    table = concatenate([made(), made(statistics="speaker-normalised")])
    page = multi_label_page.write_report(tmp_path, table, "<b>", notes=["one note"], repeats=50).read_text()
    for words in ("on hold", "macro-F1", "mAP", "Under every condition", "By gender", "one note", "&lt;b&gt;"):
        assert words in page
    assert json.loads((tmp_path / "metrics.json").read_text())["labels"] == list(LABELS)
    with pytest.raises(CorpusError, match="nothing to report"):
        multi_label_page.write_report(tmp_path, table.take(np.zeros(len(table), bool)), "none")


def test_temperature_and_threshold_are_found_again():
    rng = np.random.default_rng(0)
    logits = rng.normal(-1, 2, (4000, 3))
    present = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    scale, threshold = binary_temperature_and_threshold(3 * logits, present)
    assert scale == pytest.approx(3, rel=0.06)
    probabilities = 1 / (1 + np.exp(-logits))
    best = max(f1_score(present, probabilities >= step / 20, average="macro") for step in range(1, 20))
    assert f1_score(present, probabilities >= threshold, average="macro") == pytest.approx(best, abs=0.01)
    # Where the scores tell all, every threshold between is as good: the middle one.
    assert binary_temperature_and_threshold(np.where(present, 9.0, -9.0), present)[1] == 0.5
