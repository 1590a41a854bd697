"""What travels between the rooms, and its JSON."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate.agents.turns import Emotion
from intonate.recognizer.streaming import Event
from intonate.schema import ModelSpec, Pool, Prediction, Segment, Speaker, Utterance


@pytest.mark.parametrize(
    "thing",
    [
        ModelSpec("toy", ("happy",), ()),
        Pool(),
        Prediction("happy", {}),
        Segment(0, 1, "sad", {}),
        Utterance("a.wav", "sad", "SAD", "", "ravdess"),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_travels_cannot_be_changed_on_the_way(thing):
    field = dataclasses.fields(thing)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(thing, field, None)


def test_a_prediction_has_the_public_shape():
    prediction = Prediction(
        label="happy",
        scores={"happy": 0.75, "sad": 0.2, "angry": 0.05},
        segments=(
            Segment(0.0, 1.23456, "happy", {"happy": 0.75, "sad": 0.25}),
            Segment(1.23456, 2.0, "silence", {}, speech=False),
        ),
        transcript="yes",
        model="toy",
        file="a.wav",
    )
    assert prediction.to_dict() == {
        "file": "a.wav",
        "label": "happy",
        "guess": "happy",
        "abstained": False,
        "scores": [
            {"label": "happy", "score": 0.75},
            {"label": "sad", "score": 0.2},
            {"label": "angry", "score": 0.05},
        ],
        "segments": [
            {
                "start": 0.0,
                "end": 1.235,
                "label": "happy",
                "guess": "happy",
                "abstained": False,
                "score": 0.75,
                "scores": [{"label": "happy", "score": 0.75}, {"label": "sad", "score": 0.25}],
            },
            {
                "start": 1.235,
                "end": 2.0,
                "label": "silence",
                "guess": "silence",
                "abstained": False,
                "score": 0.0,
                "scores": [],
            },
        ],
        "transcript": "yes",
        "model": "toy",
        "warnings": [],
    }


@pytest.mark.parametrize(
    ("label", "scores", "guess"),
    [("unsure", {"sad": 0.3, "happy": 0.2}, "sad"), ("sad", {"happy": 0.5}, "sad"), ("noise", {}, "noise")],
)
def test_label_guess_and_abstained_mean_one_thing_in_every_answer(label, scores, guess):
    answers = [
        Prediction(guess, scores, abstained=label == "unsure"),
        Segment(0.0, 1.0, label, scores),
        Speaker("Left", label, scores, 1.0),
        Event("segment", 0.0, 1.0, label, scores),
        Emotion(0.0, 1.0, label, scores, None),
    ]
    for answer in answers:
        assert answer.label_dict() == {"label": label, "guess": guess, "abstained": label == "unsure"}
    whole = dataclasses.replace(answers[0], segments=(answers[1],), speakers=(answers[2],)).to_dict()
    for shape in (whole, *whole["segments"], *whole["speakers"], answers[3].to_dict(), answers[4].to_dict()):
        assert shape.items() >= answers[0].label_dict().items()


@settings(deadline=None)
@given(
    scores=st.dictionaries(st.text(min_size=1, max_size=5), st.floats(0, 1), min_size=1, max_size=6),
    top_k=st.none() | st.integers(1, 8),
)
def test_a_prediction_is_json_with_its_best_scores_in_order(scores, top_k):
    ranked = dict(sorted(scores.items(), key=lambda item: -item[1]))
    public = json.loads(json.dumps(Prediction(next(iter(ranked)), ranked).to_dict(top_k)))
    assert [row["label"] for row in public["scores"]] == list(ranked)[:top_k]
    assert [row["score"] for row in public["scores"]] == sorted(
        (row["score"] for row in public["scores"]), reverse=True
    )
