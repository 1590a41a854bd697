"""The published tables are what was measured: each figure again from its kept predictions, the page from the figures.

Rows with noise are not kept, clip by clip: they would be a hundred tables.
"""

import gzip
import json
import shlex
from functools import cache
from pathlib import Path

import pytest

from intonate.bench import kept as kept_results
from intonate.bench import suite as suites
from intonate.bench.comparison_rows import CLEAN, HEARD, THE_OTHERS
from intonate.evaluation import table
from intonate.evaluation.bootstrap import measure
from intonate.evaluation.table import RANDOM_SPLIT

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RESULTS = BENCHMARKS / "results/suites"
SUITES = sorted(path.stem for path in RESULTS.glob("*.json"))
KINDS = {"uar": "uar", "wa": "accuracy"}


def figures_of(name):
    """Rows of a suite that have figures and kept predictions."""
    rows = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    return [row for row in rows if row["uar"] and row["noise"] in ("", CLEAN)]


@pytest.fixture
def used():
    """The files of predictions that a test has read."""
    return set()


@pytest.fixture
def kept(tmp_path, used):
    """The predictions that a row was computed from."""

    @cache
    def read(path):
        plain = tmp_path / f"{path.parent.name}-{path.stem}"
        plain.write_bytes(gzip.decompress(path.read_bytes()))
        return table.read(plain)

    def predictions(name, suite, row):
        key = shlex.split(row["command"])[-1]
        keys = {corpus.title or key: key for key, corpus in suite.corpora.items() if key_fits(suite, key, row, corpus)}
        protocol = {RANDOM_SPLIT: "random", HEARD: "random-heard"}.get(row["protocol"], "disjoint")
        if row["trained_on"] == THE_OTHERS:
            ((trained, corpus),) = suite.corpora.items()
            tested = {title: catalogue_name for catalogue_name, title in corpus.together.items()}[row["corpus"]]
        else:
            trained = keys[row["trained_on"] or row["corpus"]]
            tested = suite.corpora[keys[row["corpus"]]].names(keys[row["corpus"]])[0]
        path = RESULTS / name / f"{key}-{trained}-{protocol}.csv.gz"
        used.add(path)
        part = read(path)
        return part.where(statistics=row["statistics"], corpus=tested)

    return predictions


def key_fits(suite, key, row, corpus):
    """Two entries of a suite may have one title; a system is trained on those that it names."""
    only = suite.systems[shlex.split(row["command"])[-1]].only
    return not only or key in only


@pytest.mark.parametrize("name", SUITES)
def test_every_figure_is_what_its_kept_predictions_give(name, kept, used):
    suite, _ = suites.load(name)
    rows = figures_of(name)
    assert rows
    for row in rows:
        part = kept(name, suite, row)
        # Over the classes that the corpus has, where the model has others too.
        part = part.restricted(part.label_sets())
        for figure, metric in KINDS.items():
            where = f"{name}: {row['system']} on {row['corpus']}, {row['protocol']}, {row['statistics']}: {figure}"
            assert measure(part, metric) == pytest.approx(row[figure]["value"], abs=1e-9), where
    assert used == set((RESULTS / name).glob("*.csv.gz")), "predictions are kept that no row is made of"


def test_the_page_is_made_of_these_rows(tmp_path):
    page = kept_results.write_tables(RESULTS, tmp_path)
    for name in ("RESULTS.md", "results.html"):
        assert (tmp_path / name).read_text(encoding="utf-8") == (BENCHMARKS / name).read_text(encoding="utf-8"), (
            f"benchmarks/{name} is not what `intonate benchmark` makes of benchmarks/results/suites; run it again"
        )
    assert page == tmp_path / "RESULTS.md"
