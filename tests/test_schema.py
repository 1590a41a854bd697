import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate.agents.turns import Emotion
from intonate.errors import ModelError
from intonate.recognizer.streaming import Event
from intonate.schema import ModelInput, ModelSpec, Normalisation, Pool, Prediction, Segment, Speaker, Utterance

NAMES = st.text(max_size=12)
FIGURES = st.floats(allow_nan=False, allow_infinity=False)
COLUMNS = st.lists(FIGURES, max_size=4).map(tuple)
PARAMS = st.dictionaries(NAMES, st.one_of(st.booleans(), st.integers(), FIGURES, NAMES), max_size=3)
NORMALISATIONS = st.builds(
    Normalisation,
    kind=st.sampled_from(["clip", "corpus", "speaker"]),
    mean=COLUMNS,
    sd=COLUMNS,
    prior=COLUMNS,
    prior_sd=FIGURES,
    clip=FIGURES,
)
INPUTS = st.builds(
    ModelInput,
    name=NAMES,
    front_end=NAMES,
    params=PARAMS,
    lengths=NAMES,
    normalisation=st.none() | NORMALISATIONS,
)
SPECS = st.builds(
    ModelSpec,
    name=NAMES,
    labels=st.lists(NAMES, max_size=4).map(tuple),
    inputs=st.lists(INPUTS, max_size=3).map(tuple),
    merge=NAMES,
    sample_rate_hz=st.integers(8000, 48_000),
    clean=st.lists(PARAMS, max_size=2).map(tuple),
    output=st.sampled_from(["logits", "log_probabilities"]),
    pool=st.builds(Pool, longest_s=FIGURES, window_s=FIGURES, hop_s=FIGURES),
    batching=st.sampled_from(["any", "equal_length"]),
    tokenizer=NAMES,
    text_required=st.booleans(),
    temperature=FIGURES,
    abstain_below=FIGURES,
    languages=st.lists(NAMES, max_size=2).map(tuple),
    corpora=st.lists(NAMES, max_size=2).map(tuple),
    unseen_speakers=st.lists(NAMES, max_size=2).map(tuple),
    licence=NAMES,
    recipe_hash=NAMES,
    intonate_version=NAMES,
    scores=PARAMS,
    dimensions=st.lists(NAMES, max_size=3).map(tuple),
    scales=st.dictionaries(NAMES, st.tuples(FIGURES, FIGURES), max_size=2),
    multi_label=st.booleans(),
    events=st.lists(NAMES, max_size=2).map(tuple),
    spoken_languages=st.lists(NAMES, max_size=2).map(tuple),
    pieces=st.lists(NAMES, max_size=3).map(tuple),
    piece_s=FIGURES,
    unsure_below_s=FIGURES,
    distances=st.lists(FIGURES, max_size=3).map(tuple),
    encoders=st.dictionaries(NAMES, NAMES, max_size=2),
)
PLAIN = ModelSpec("toy", ("happy", "sad"), (ModelInput("mel", "log_mel"),))


@settings(max_examples=50, deadline=None)
@given(spec=SPECS)
def test_a_spec_comes_back_from_its_json(spec):
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_the_strategy_above_knows_every_field():
    # A new field that is not drawn above would go through the test unseen.
    drawn = {"spec": SPECS, "input": INPUTS, "normalisation": NORMALISATIONS}
    kinds = {"spec": ModelSpec, "input": ModelInput, "normalisation": Normalisation}
    for name, strategy in drawn.items():
        assert all(f"{field.name}=" in repr(strategy) for field in dataclasses.fields(kinds[name]))


def test_an_older_spec_gets_the_defaults():
    old = json.dumps({"name": "toy", "labels": ["happy", "sad"], "inputs": [{"name": "mel", "front_end": "log_mel"}]})
    assert ModelSpec.from_json(old) == PLAIN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "null",
        "{}",
        '{"name": "toy", "labels": []}',
        '{"name": "toy", "labels": [], "inputs": 3}',
        '{"name": "toy", "labels": [], "inputs": ["mel"]}',
        '{"name": "toy", "labels": [], "inputs": [{"name": "mel", "front_end": "log_mel", "from_the_future": 1}]}',
        '{"name": "toy", "labels": [], "inputs": [], "from_the_future": 1}',
        '{"name": "toy", "labels": [], "inputs": [], "pool": {"from_the_future": 1}}',
        '{"name": "toy", "labels": [], "inputs": [], "pool": 3}',
    ],
)
def test_what_is_no_spec_is_one_clear_error(text):
    with pytest.raises(ModelError, match="the model's spec cannot be read"):
        ModelSpec.from_json(text)


@pytest.mark.parametrize(
    "thing",
    [PLAIN, Pool(), Prediction("happy", {}), Segment(0, 1, "sad", {}), Utterance("a.wav", "sad", "SAD", "", "ravdess")],
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
