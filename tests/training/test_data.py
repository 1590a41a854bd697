"""Matched statistics, the drawing of batches, padding: the training side of what the recognizer does."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import toy
from torch.utils.data import DataLoader

from intonate import corpora
from intonate.audio.clean import clean
from intonate.audio.decode import load as decode
from intonate.augment import waveform
from intonate.corpora import splits
from intonate.errors import CorpusError, SplitError
from intonate.features.functionals import VOICE_COLUMNS
from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer import inputs as serving
from intonate.schema import ModelInput, ModelSpec
from intonate.training import batches, data, input_statistics
from intonate.training.recipe import load


@pytest.fixture(scope="module")
def recipe(toy_corpus, tmp_path_factory):
    return load(toy.recipe(tmp_path_factory.mktemp("recipe") / "toy.yaml", toy_corpus))


@pytest.fixture(scope="module")
def examples(recipe, toy_corpus):
    rows = data.with_labels(corpora.read("folder", toy_corpus).utterances, "4")
    return data.prepare(rows, "4", data.by_recipe(recipe))


@pytest.fixture(scope="module")
def inputs(examples, recipe):
    measured = input_statistics.measure(examples, np.arange(len(examples.clips)), recipe)
    return tuple(
        ModelInput(name, item.front_end, item.params, normalisation=measured[name])
        for name, item in recipe.inputs.items()
    )


def clips(examples, recipe, inputs, training, rows=None, **options):
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update=options)})
    rows = np.arange(len(examples.clips)) if rows is None else rows
    return batches.Clips(examples, rows, inputs, recipe, training)


def test_a_clip_alone_is_exactly_what_the_recognizer_computes(examples, recipe, inputs):
    spec = ModelSpec("toy", examples.labels, inputs, clean=tuple(recipe.data.clean))
    served = clips(examples, recipe, inputs, training=False)
    for row in (0, 17, 40):
        waveform = clean(decode(examples.utterances[row].path, 16_000), 16_000, spec.clean)
        heard, speaker = serving.extract(spec, waveform), SpeakerStatistics()
        serving.update_speaker(spec, heard, speaker)
        for name, array in serving.normalise_clip(spec, heard, speaker).items():
            np.testing.assert_array_equal(served[row][name], array)


def test_with_the_whole_speaker_it_is_what_the_recognizer_computes_after_hearing_all(examples, recipe, inputs):
    spec = ModelSpec("toy", examples.labels, inputs)
    trained = clips(examples, recipe, inputs, training=True, whole_speaker=1.0)
    mine, speaker = examples.utterances[5].speaker, SpeakerStatistics()
    for place, utterance in enumerate(examples.utterances):
        if utterance.speaker == mine:
            serving.update_speaker(spec, examples.clips[place], speaker)
    for name, array in serving.normalise_clip(spec, examples.clips[5], speaker).items():
        np.testing.assert_allclose(trained[5][name], array, rtol=1e-4, atol=1e-5)


def test_training_meets_every_state_between(examples, recipe, inputs):
    served = clips(examples, recipe, inputs, training=True, whole_speaker=0.3, others_at_most=8)
    counts = set()
    for epoch in range(60):
        rng = np.random.default_rng((0, epoch, 5))
        counts.add(len(served._draw_mates(5, rng)))
    assert {0, 1, 4, 8, 11} <= counts, "alone, with a few, and with all eleven others"


def test_statistics_come_from_the_part_that_is_served(examples, recipe, inputs):
    half = np.flatnonzero([row.path.endswith("-0.wav") for row in examples.utterances])
    served = clips(examples, recipe, inputs, training=True, rows=half, whole_speaker=1.0)
    assert set(served._draw_mates(int(half[0]), np.random.default_rng(0))) <= set(half.tolist())


def test_a_row_is_drawn_from_seed_epoch_and_row_alone(examples, recipe, inputs):
    one, other = (clips(examples, recipe, inputs, training=True) for _ in range(2))
    for place in (3, 9, 3):
        other[place]
    np.testing.assert_array_equal(one[3]["mel"], other[3]["mel"])
    one.epoch = 1
    assert any(not np.array_equal(one[place]["mel"], other[place]["mel"]) for place in range(8))


def test_labels_that_a_corpus_lacks_are_not_allowed(examples, recipe):
    assert examples.allowed.all()
    rows = [replace(row, corpus="few") if row.emotion in ("sad", "happy") else row for row in examples.utterances]
    other = data.prepare(rows, "4", data.ClipAnalysis(data.Analysis(16_000, [], {})))
    few = np.array([row.corpus == "few" for row in rows])
    assert (other.allowed[few] == [False, True, False, True]).all()
    assert (other.allowed[~few] == [True, False, True, False]).all()
    assert other.allowed[np.arange(len(rows)), other.targets].all()


def test_the_draw_is_a_function_of_seed_and_epoch(examples, recipe, inputs):
    served = clips(examples, recipe, inputs, training=True)
    draw = batches.EpochSampler(served, balance=True, batch_size=8)
    first, again = list(draw), list(draw)
    draw.set_epoch(1)
    assert first == again != list(draw)
    assert served.epoch == 1
    assert len(first) == len(draw) == 48


def test_a_balanced_draw_evens_the_classes_within_a_corpus(examples, recipe, inputs):
    # One class with a quarter of the clips of the others.
    sad = examples.labels.index("sad")
    rows = np.array([row for row in range(48) if examples.targets[row] != sad or row % 4 == 0])
    served = clips(examples, recipe, inputs, training=True, rows=rows)
    drawn = []
    balanced = batches.EpochSampler(served, balance=True, batch_size=1)
    plain = batches.EpochSampler(served, balance=False, batch_size=1)
    for epoch in range(80):
        balanced.set_epoch(epoch)
        drawn += [examples.targets[rows[place]] for place in balanced]
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(shares, 0.25, atol=0.03)
    assert sorted(plain) == list(range(len(rows))), "without balance every clip comes once"


def test_clips_of_like_length_come_together_and_each_once(examples, recipe, inputs):
    served = clips(examples, recipe, inputs, training=True)
    rows_of = np.array([len(next(iter(examples.clips[row].values()))) for row in served.rows])

    def spread(draw):
        order = np.array(list(draw))
        assert sorted(order) == list(range(48))
        return np.ptp(rows_of[order].reshape(-1, 8), axis=1).sum()

    alike = batches.EpochSampler(served, balance=False, batch_size=8, alike=True)
    assert spread(alike) == np.ptp(np.sort(rows_of).reshape(-1, 8), axis=1).sum()
    assert spread(alike) < spread(batches.EpochSampler(served, balance=False, batch_size=8))
    first = list(alike)
    alike.set_epoch(1)
    assert list(alike) != first


def test_padding_is_zero_and_the_lengths_tell(examples, recipe, inputs):
    served = clips(examples, recipe, inputs, training=False)
    batch = batches.collate([served[place] for place in (0, 20, 40)])
    lengths = [len(examples.clips[row]["mel"]) for row in (0, 20, 40)]
    assert batch["mel"].shape == (3, max(lengths), 40)
    assert batch["mel_lengths"].tolist() == lengths
    for place, length in enumerate(lengths):
        assert not batch["mel"][place, length:].any()
    assert batch["voice"].shape[0] == 3
    assert batch["allowed"].shape == (3, 4)
    assert batch["row"].tolist() == [0, 20, 40]


def test_gain_columns_of_the_voice_have_no_prior(inputs):
    prior = dict(zip(VOICE_COLUMNS, inputs[1].normalisation.prior, strict=True))
    assert prior["level_mean"] == 0.0
    assert prior["f0_mean"] == 3.0


def test_speaker_statistics_need_speakers(examples, recipe):
    nobody = replace(examples, utterances=[replace(row, speaker="") for row in examples.utterances])
    with pytest.raises(SplitError, match="has no speaker"):
        data.refuse_without_speakers(nobody, recipe)
    data.refuse_without_speakers(examples, recipe)


def test_a_merge_without_a_place_for_anything_is_refused(examples):
    with pytest.raises(CorpusError, match="no utterance has a label"):
        data.with_labels([replace(examples.utterances[0], emotion="boredom")], "4")


TWO_COPIES = [[{"transform": "pitch", "semitones": [3, 5]}], [{"transform": "gaussian", "snr_db": 10}]]


@pytest.fixture(scope="module")
def folds(examples, recipe):
    return splits.folds(recipe.data.split, examples.utterances, 0)


@pytest.fixture(scope="module")
def expanded(examples, recipe, folds):
    """Copies for two folds, as a training of both makes them."""
    trained = np.concatenate([fold.train for fold in folds[:2]])
    return data.expand(examples, trained, waveform.changes(TWO_COPIES), data.by_recipe(recipe))


def recordings_of(expanded, rows):
    """The recording that each row is, or is a copy of."""
    source = np.arange(len(expanded.clips))
    for recording, copies in enumerate(expanded.copies):
        source[copies[copies >= 0]] = recording
    return source[rows]


def test_a_fold_is_fitted_to_its_training_part_and_to_copies_of_nothing_else(expanded, folds):
    for fold in folds[:2]:
        rows = expanded.with_copies(fold.train)
        assert len(rows) == 3 * len(fold.train)
        sources = recordings_of(expanded, rows)
        assert sorted(sources) == sorted([*fold.train] * 3)
        held_out = np.concatenate([fold.validation, fold.test])
        # Some of them have copies, for they are training clips of the other fold.
        assert (expanded.copies[held_out] >= 0).any()
        assert not set(sources) & set(held_out)
        assert {expanded.utterances[row].speaker for row in rows} == {
            expanded.utterances[row].speaker for row in fold.train
        }


def test_clips_that_nobody_trains_on_have_no_copies(examples, expanded, folds):
    trained = np.unique(np.concatenate([fold.train for fold in folds[:2]]))
    never = np.setdiff1d(np.arange(len(examples.clips)), trained)
    assert (expanded.copies[trained] >= 0).all()
    assert (expanded.copies[never] == -1).all()
    assert len(expanded.clips) == len(examples.clips) + 2 * len(trained)


def test_a_copy_is_its_recording_changed(examples, expanded):
    row = int(np.flatnonzero(expanded.copies[:, 0] >= 0)[7])
    assert expanded.recordings == examples.utterances
    for place, change in enumerate(waveform.changes(TWO_COPIES)):
        copy = expanded.copies[row, place]
        assert expanded.number[copy] == place + 1
        assert expanded.utterances[copy] == examples.utterances[row]
        assert expanded.targets[copy] == examples.targets[row]
        assert (expanded.allowed[copy] == examples.allowed[row]).all()
        asked = data.ClipAnalysis(
            data.Analysis(16_000, [], {"mel": ("log_mel", {"bands": 40, "level": False})}), speaker_inputs=("mel",)
        )
        alone = data.prepare([examples.utterances[row]], "4", asked, change=change)
        np.testing.assert_array_equal(expanded.clips[copy]["mel"], alone.clips[0]["mel"])
        assert not np.array_equal(alone.clips[0]["mel"], examples.clips[row]["mel"])
        heard, right = expanded.moments_of([copy], "mel"), alone.moments_of([0], "mel")
        np.testing.assert_array_equal(heard.total, right.total)
        assert expanded.seconds[copy] == alone.seconds[0]
        assert examples.seconds[row] == expanded.seconds[row]


def test_a_copys_mates_are_the_same_copies_of_the_speakers_other_clips(expanded, recipe, inputs, folds):
    rows = expanded.with_copies(folds[0].train)
    served = clips(expanded, recipe, inputs, training=True, rows=rows, whole_speaker=1.0)
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        mates = served._draw_mates(int(row), np.random.default_rng(0))
        assert len(mates) == 11
        assert (expanded.number[mates] == expanded.number[row]).all()
        assert {expanded.utterances[mate].speaker for mate in mates} == {expanded.utterances[row].speaker}
        assert row not in mates
        assert set(mates) <= set(rows)


def test_copies_are_voices_of_their_own(expanded, recipe, inputs, folds):
    rows = expanded.with_copies(folds[0].train)
    served = clips(expanded, recipe, inputs, training=True, rows=rows, other_voices=1.0)
    speakers = {expanded.utterances[row].speaker for row in rows}
    assert set(served.voices) == {(who, copy) for who in speakers for copy in range(3)}
    assert all(np.isfinite(served[place]["mel"]).all() for place in range(0, len(rows), 13))


def test_what_recordings_are_trained_with_does_not_hang_on_the_copies_of_others(examples, expanded, recipe, inputs):
    plain = clips(examples, recipe, inputs, training=True, other_voices=0.5)
    beside = clips(expanded, recipe, inputs, training=True, rows=np.arange(len(examples.clips)), other_voices=0.5)
    for place in range(0, len(plain), 5):
        np.testing.assert_array_equal(plain[place]["mel"], beside[place]["mel"])


def test_no_copies_are_no_change(examples, recipe):
    assert (examples.with_copies(np.array([3, 1])) == [3, 1]).all()
    same = data.expand(examples, np.arange(5), [], data.by_recipe(recipe))
    assert (same.with_copies(np.array([3, 1])) == [3, 1]).all()
    assert len(same.clips) == len(examples.clips)


def test_batches_made_ahead_are_the_same_batches(examples, recipe, inputs):
    served = clips(examples, recipe, inputs, training=True)

    def epochs(kind):
        draw = batches.EpochSampler(served, balance=True, batch_size=8)
        loader = kind(served, 8, sampler=draw, collate_fn=batches.collate)
        iterators, found = iter(loader), []
        draw.set_epoch(3)  # as Lightning does: after the iterator was made, before it is asked
        found += list(iterators)
        draw.set_epoch(4)
        return [*found, *loader]

    ahead, plain = epochs(batches.Loader), epochs(DataLoader)
    assert len(ahead) == len(plain) == 12
    for one, other in zip(ahead, plain, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_fails_in_making_a_batch_is_told_where_it_is_asked_for(examples, recipe, inputs):
    served = clips(examples, recipe, inputs, training=True)
    loader = batches.Loader(served, 8, sampler=[0, 1, 10_000], collate_fn=batches.collate)
    with pytest.raises(IndexError):
        list(loader)


def test_the_encoders_of_a_model_are_kept_for_other_processes(tmp_path, monkeypatch):
    """A model file's encoder is known to the process that opened it, and clips are analysed in processes beside it."""
    from intonate.features import encoded
    from intonate.schema import ModelInput, ModelSpec

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = encoded.add(toy.encoder())
    voice = ModelInput("voice", "encoded", {"encoder": name})
    data.by_spec(ModelSpec("toy", ("happy", "sad"), (voice,), encoders={name: "a checkpoint"}))
    assert encoded.path_of(name).read_bytes() == toy.encoder()
