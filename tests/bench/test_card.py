"""The card: conditions really change the clips, figures are those of the changed ones, and groups are compared."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import tiny

from intonate.augment import waveform
from intonate.bench import card, card_page
from intonate.corpora import manifest
from intonate.errors import RecipeError
from intonate.evaluation.bootstrap import measure
from intonate.evaluation.paired import difference
from intonate.recognizer.model_file import read_model
from intonate.schema import Utterance
from intonate.training import evaluate

RATE_HZ = 16_000
EMOTIONS = ("angry", "happy", "neutral", "sad")


@pytest.fixture(scope="module")
def clips(tmp_path_factory, tiny_model):
    """Four speakers, two of each gender, ten clips each; labelled by what the model says of most of them."""
    folder, model = tmp_path_factory.mktemp("card"), read_model(tiny_model)
    rows = []
    for number in range(40):
        path, speaker = folder / f"{number}.wav", number % 4
        soundfile.write(path, tiny.speech(1.2, seed=number), RATE_HZ)
        emotion = EMOTIONS[number // 4 % 4]
        gender = "female" if speaker < 2 else "male"
        rows.append(Utterance(str(path), emotion, emotion, f"made/{speaker}", "made", gender=gender, language="en"))
    said = evaluate.answers(model, rows, "made", is_clip_alone=True)
    # Of male speakers every label is right, of female ones those that were drawn.
    rows = [
        row
        if row.gender == "female"
        else Utterance(row.path, label, label, row.speaker, "made", gender="male", language="en")
        for row, label in zip(rows, said.label.tolist(), strict=True)
    ]
    manifest.write(folder / "rows.csv", rows)
    return folder / "rows.csv"


@pytest.fixture(scope="module")
def facts(clips, tiny_model):
    return card.card(tiny_model, clips, repeats=100)


def test_every_condition_changes_the_sound():
    sound = tiny.speech(3.0)
    for condition in card.CONDITIONS:
        (drawn,) = waveform.draw(condition.steps, np.random.default_rng(0))
        changed = waveform.apply(sound, RATE_HZ, [drawn])
        assert np.isfinite(changed).all()
        assert len(changed) != len(sound) or not np.allclose(changed, sound, atol=1e-4), condition.name
        # Nothing but seeds is drawn: two drawings are the same condition.
        (other,) = waveform.draw(condition.steps, np.random.default_rng(1))
        assert {key: value for key, value in drawn.items() if key != "seed"} == {
            key: value for key, value in other.items() if key != "seed"
        }
    assert len({condition.name for condition in card.CONDITIONS}) == len(card.CONDITIONS)


def test_figures_are_those_of_the_changed_clips(facts, clips, tiny_model):
    rows, model = manifest.read(clips), read_model(tiny_model)
    assert facts["clips"] == len(rows)
    chosen = next(condition for condition in card.CONDITIONS if condition.name.startswith("0.5 s"))
    clean = evaluate.answers(model, rows, "", is_clip_alone=True).restricted()
    short = evaluate.answers(model, rows, "", change=waveform.change(chosen.steps), is_clip_alone=True).restricted()
    kept = next(item for item in facts["conditions"] if item["name"] == chosen.name)
    assert kept["uar"]["value"] == pytest.approx(measure(short, "uar"))
    assert kept["difference"] == difference(short, clean, 100)
    assert kept["uar"]["value"] < facts["clean"]["uar"]["value"]
    over_chance = facts["clean"]["uar"]["value"] - facts["chance"]
    assert kept["kept"] == pytest.approx(max(0, kept["uar"]["value"] - facts["chance"]) / over_chance)


def test_a_group_that_is_heard_worse_is_named(facts):
    gap = facts["fairness"]["gender"]
    assert (gap["best"], gap["worst"]) == ("male", "female")
    assert facts["groups"]["gender"]["male"]["uar"]["value"] == 1
    assert "gap, male less female" in card_page.to_text(facts)


def test_text_markdown_and_page_hold_every_condition(clips, tiny_model, tmp_path):
    noise = tmp_path / "noise"
    noise.mkdir()
    soundfile.write(noise / "a_fan.wav", 0.1 * np.random.default_rng(0).normal(size=RATE_HZ), RATE_HZ)
    text = card.command(tiny_model, clips, tmp_path / "report", noise)
    names = [condition.name for condition in card.CONDITIONS] + ["a fan (recording), 10 dB"]
    markdown, html = ((tmp_path / "report" / f"card.{kind}").read_text() for kind in ("md", "html"))
    assert [item["name"] for item in json.loads((tmp_path / "report" / "card.json").read_text())["conditions"]] == names
    assert all(name[:33] in text and name in markdown and name in html for name in names)
    assert max(map(len, text.splitlines()[:-1])) <= 82
    with pytest.raises(RecipeError, match="holds no sound"):
        card.card(tiny_model, clips, tmp_path / "report")
