"""What is given away tells what it is: the file carries its held-out scores, the card the same ones."""

import json
import shutil

import pytest
import toy

from intonate.errors import ModelError
from intonate.export import card
from intonate.recognizer.model_file import read_model
from intonate.training.fit import train


@pytest.fixture(scope="module")
def run(tmp_path_factory, toy_corpus):
    folder = tmp_path_factory.mktemp("card")
    said = {"licence": "CC0-1.0", "description": "It learnt from toys as well."}
    return train(toy.recipe(folder / "toy.yaml", toy_corpus, card=said), runs=folder / "runs")


def test_the_file_and_its_card_hold_the_same_scores(run, tmp_path):
    target = card.give(run, tmp_path / "given")
    spec = read_model(target).spec
    rows = spec.scores["held_out_speakers"]
    assert {row["group"] for row in rows} >= {"all", "corpus"}
    record = json.loads((run / "fold1-seed0" / "run.json").read_text())
    for row in rows:
        if row["group"] == "all":
            assert row["uar"]["value"] == pytest.approx(record["test_uar"][row["statistics"]], abs=1e-4)
            assert row["uar"]["low"] <= row["uar"]["value"] <= row["uar"]["high"]
    text = target.with_suffix(".md").read_text()
    corpus = next(row for row in rows if row["group"] == "corpus")
    assert f"{100 * corpus['uar']['value']:.1f} (" in text
    assert all(speaker.rpartition("/")[2] in text for speaker in spec.unseen_speakers)
    assert "must not be used" in text
    assert "\n\nIt learnt from toys as well.\n\n" in text


def test_scores_on_unseen_corpora_are_told_apart(run, tmp_path):
    unseen = tmp_path / "stranger"
    shutil.copytree(run / "fold1-seed0", unseen)
    target = card.give(run, tmp_path / "given", unseen_reports=[unseen])
    assert read_model(target).spec.scores["unseen_corpora"]
    assert "a corpus it never heard" in target.with_suffix(".md").read_text()


def test_a_run_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no finished fit of fold 2 and seed 0"):
        card.give(tmp_path, tmp_path / "given", fold=2)
