"""One suite for every front end of the catalogue: a new one is held to it without a line being added here."""

import inspect
import threading

import numpy as np
import pytest
import toy
from numpy.lib.stride_tricks import sliding_window_view

from intonate import features
from intonate.errors import ModelError, RecipeError
from intonate.features import encoded
from intonate.features.cache import Analysis, analyse
from intonate.schema import Utterance
from intonate.training import recipe_names
from intonate.training.recipe import load

RATE_HZ = 16_000
# What must be said to those that are made of another front end, and to the one that was learnt.
MADE_OF = {"pooled": {"of": "mfcc"}, "windows": {"of": "mfcc", "length": 10, "hop": 5}}
PARAMS = MADE_OF | {"encoded": {"encoder": encoded.add(toy.encoder())}}
NAMES = sorted(features.CATALOGUE)
# Shorter than a hop, a frame, a transform, a window and a patch; a sample more or less than a hop; not a round number.
SHORTEST = [1, 2, 63, 159, 160, 161, 400, 2047, 2049]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def ask(name: str, waveform: np.ndarray) -> np.ndarray:
    return features.get(name)(waveform, RATE_HZ, **PARAMS.get(name, {}))


def voice(seconds: float, seed: int = 0) -> np.ndarray:
    return toy.voice("happy", 1, np.random.default_rng(seed), seconds)


def assert_usable(name: str, array: np.ndarray) -> None:
    assert isinstance(array, np.ndarray)
    assert array.dtype == (np.uint8 if name in features.IMAGES else np.float32)
    assert array.ndim == 4 if name in features.IMAGES else array.ndim in (1, 2)
    assert array.size > 0
    assert np.isfinite(array).all()


@pytest.mark.parametrize("seconds", [1.0, 6.0])
def test_speech_gives_an_array_of_the_right_kind(name, seconds):
    array = ask(name, voice(seconds))
    assert_usable(name, array)
    assert array.std() > 0
    if array.ndim == 4:
        assert array.shape[-1] == 3


def test_only_the_first_axis_knows_how_long_the_clip_is(name):
    short, long = ask(name, voice(1.0)), ask(name, voice(6.0))
    assert short.ndim == long.ndim
    assert short.shape[1:] == long.shape[1:]
    if name == "waveform":
        assert (len(short), len(long)) == (RATE_HZ, 6 * RATE_HZ)
    elif short.ndim == 2:
        assert len(short) < len(long)
    elif short.ndim == 1:
        assert len(short) == len(long)


def test_it_answers_the_same_twice(name):
    first = ask(name, voice(1.3))
    again = ask(name, voice(1.3))
    np.testing.assert_array_equal(first, again)


def test_an_answer_is_the_askers_own(name):
    """Whoever writes into it changes nothing for the next."""
    waveform = voice(1.0)
    kept = ask(name, waveform).copy()
    mine = ask(name, waveform.copy())
    if name == "waveform" or not mine.flags.writeable:
        return  # the samples are the asker's already, and what is read-only cannot be written into
    mine[...] = 0
    np.testing.assert_array_equal(ask(name, waveform), kept)


def test_the_waveform_is_not_changed(name):
    waveform = voice(1.0)
    before = waveform.copy()
    waveform.flags.writeable = False
    ask(name, waveform)
    np.testing.assert_array_equal(waveform, before)


def test_it_tells_voices_apart(name):
    one, other = voice(1.0), toy.voice("sad", 0, np.random.default_rng(1), 1.0)
    assert not np.array_equal(ask(name, one), ask(name, other))


@pytest.mark.parametrize("samples", SHORTEST)
@pytest.mark.parametrize("kind", ["silence", "voice", "step"])
def test_the_shortest_clips_are_answered(name, samples, kind):
    sound = {"silence": np.zeros(samples), "voice": voice(1.0)[:samples], "step": np.full(samples, 0.9)}[kind]
    assert_usable(name, ask(name, sound.astype(np.float32)))


@pytest.mark.parametrize("seconds", [1, 6])
def test_silence_is_answered(name, seconds):
    assert_usable(name, ask(name, np.zeros(seconds * RATE_HZ, np.float32)))


@pytest.mark.parametrize("scale", [1e-6, 30.0])
def test_very_quiet_and_far_too_loud_are_answered(name, scale):
    assert_usable(name, ask(name, np.float32(scale) * voice(1.0)))


def test_threads_do_not_disturb_each_other(name):
    clips = [voice(0.5, seed) for seed in range(3)]
    expected = [ask(name, clip) for clip in clips]
    wrong = []

    def work(place: int) -> None:
        for _ in range(3):
            if not np.array_equal(ask(name, clips[place]), expected[place]):
                wrong.append(place)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_kept_on_disk_is_what_was_computed(name, toy_corpus, tmp_path):
    path = min(toy_corpus.rglob("*.wav"))
    clip = Utterance(str(path), "happy", "happy", "ada", "toy")
    asked = Analysis(RATE_HZ, [], {"input": (name, PARAMS.get(name, {}))})
    fresh, kept = (analyse([clip], asked, tmp_path / "cache")[0].features["input"] for _ in range(2))
    assert fresh.dtype == kept.dtype
    np.testing.assert_array_equal(fresh, kept)


def test_it_is_told_what_its_parameters_are(name):
    front_end = features.get(name)
    assert front_end.__doc__
    for parameter in inspect.signature(front_end).parameters:
        assert f"{parameter}:" in front_end.__doc__, parameter


def in_a_recipe(path, toy_corpus, name, params):
    inputs = {"voice": {"front_end": name, "params": params}}
    return load(toy.recipe(path / "toy.yaml", toy_corpus, inputs=inputs, model={"name": "random_forest"}))


def test_a_recipe_that_says_what_it_needs_is_right(name, toy_corpus, tmp_path):
    recipe_names.check(in_a_recipe(tmp_path, toy_corpus, name, PARAMS.get(name, {})))


def test_an_unknown_parameter_is_refused_in_one_sentence(name, toy_corpus, tmp_path):
    params = PARAMS.get(name, {}) | {"coeficients": 13}
    with pytest.raises(RecipeError, match=r"inputs\.voice\.params has no 'coeficients'; .*known") as refused:
        recipe_names.check(in_a_recipe(tmp_path, toy_corpus, name, params))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", sorted(MADE_OF))
def test_so_are_the_parameters_of_what_it_is_made_of(name, toy_corpus, tmp_path):
    params = PARAMS[name] | {"params": {"coeficients": 13}}
    with pytest.raises(RecipeError, match=r"voice\.params\.params has no 'coeficients'; did you mean 'coefficients'"):
        recipe_names.check(in_a_recipe(tmp_path, toy_corpus, name, params))
    with pytest.raises(RecipeError, match="did you mean 'mfcc'"):
        recipe_names.check(in_a_recipe(tmp_path, toy_corpus, name, {"of": "mfc"}))
    with pytest.raises(RecipeError, match=rf"voice\.params lacks 'of', which the front end '{name}'"):
        recipe_names.check(in_a_recipe(tmp_path, toy_corpus, name, {}))


@pytest.mark.parametrize("name", sorted(MADE_OF))
@pytest.mark.parametrize(("of", "kind"), [("voice_functionals", "one vector"), ("jet_image", "images")])
def test_what_has_no_rows_is_refused(name, of, kind):
    with pytest.raises(ModelError, match=f"'{of}' gives {kind} and has no rows to "):
        features.get(name)(voice(1.0), RATE_HZ, of=of)


@pytest.mark.parametrize("of", ["log_mel", "descriptors", "windows"])
def test_windows_of_any_rows(of):
    params = PARAMS.get(of, {})
    rows = features.get(of)(voice(2.0), RATE_HZ, **params)
    cut = features.get("windows")(voice(2.0), RATE_HZ, of=of, params=params, length=8, hop=3)
    whole = sliding_window_view(rows, 8, axis=0)[::3].swapaxes(1, 2)
    np.testing.assert_array_equal(cut[: len(whole)], whole.reshape(len(whole), -1))


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ModelError, match="did you mean 'spectral_functionals'"):
        features.get("spectral_functional")
