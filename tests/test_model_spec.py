"""What is written into a model file."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate.errors import ModelError
from intonate.schema import ModelInput, ModelSpec, Normalisation, Pool, Region

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
REGIONS = st.builds(Region, mean=COLUMNS, sd=COLUMNS)
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
    heard_speakers=st.lists(NAMES, max_size=2).map(tuple),
    heard_clips=st.lists(NAMES, max_size=2).map(tuple),
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
    regions=st.lists(REGIONS, max_size=3).map(tuple),
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
    drawn = {"spec": SPECS, "input": INPUTS, "normalisation": NORMALISATIONS, "region": REGIONS}
    kinds = {"spec": ModelSpec, "input": ModelInput, "normalisation": Normalisation, "region": Region}
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
