"""Explanations: a model whose reason is known is seen through, and what is said of any model was measured."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
import soundfile
import tiny

from intonate.errors import AudioError, ModelError
from intonate.evaluation import explanation_page as page
from intonate.evaluation.explanation_command import command
from intonate.explanation import faithfulness, importance, words
from intonate.explanation.answering import Answers
from intonate.explanation.explain import CHANGES, explain
from intonate.explanation.tiles import STRETCHES, Tiles
from intonate.schema import Prediction

RATE_HZ = 16_000
# The tile that the model of `OneTile` listens to: 500 to 1,300 Hz in the seventh stretch.
TILE = (6, 1)


class OneTile:
    """A recognizer that is happy as far as there is sound in one tile, and listens to nothing else."""

    def __init__(self, sound: np.ndarray) -> None:
        self.spec = tiny.spec(labels=("angry", "happy"))
        self._times_s, self._full = Tiles(sound, RATE_HZ).times_s, 1.0
        self._full = self._level(sound)

    def _level(self, sound: np.ndarray) -> float:
        start, end = (round(time_s * RATE_HZ) for time_s in self._times_s[TILE[0] : TILE[0] + 2])
        spectrum = np.abs(np.fft.rfft(sound[start:end])) ** 2
        frequencies_hz = np.fft.rfftfreq(end - start, 1 / RATE_HZ)
        return float(spectrum[(frequencies_hz > 550) & (frequencies_hz < 1250)].sum()) / self._full

    def predict_many(self, sources, text=None, whole=False):
        for sound, _ in sources:
            happy = 0.05 + 0.9 * min(1.0, self._level(sound))
            yield Prediction("happy", {"happy": happy, "angry": 1 - happy}, (), model="one tile")


@pytest.fixture(scope="module")
def sound():
    return tiny.speech(2.0)


@pytest.fixture(scope="module")
def explanation(tiny_model, sound):
    from intonate import load_model

    return explain(load_model(tiny_model), (sound, RATE_HZ))


def band_power(sound, low_hz, high_hz):
    frequencies_hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    power = np.abs(np.fft.rfft(sound)) ** 2
    return float(power[(frequencies_hz > low_hz) & (frequencies_hz < high_hz)].sum())


def test_what_is_taken_out_is_gone_and_the_rest_stays(sound):
    tiles = Tiles(sound, RATE_HZ)
    nothing = np.zeros(tiles.shape, bool)
    np.testing.assert_allclose(tiles.without(nothing), sound, atol=1e-5)
    band = nothing.copy()
    band[:, 2] = True  # 1,300 to 2,600 Hz
    left = tiles.without(band)
    inner = slice(*(round(tiles.times_s[place] * RATE_HZ) for place in (1, -2)))
    assert band_power(left[inner], 1500, 2400) < 0.02 * band_power(sound[inner], 1500, 2400)
    assert band_power(left[inner], 3000, 8000) == pytest.approx(band_power(sound[inner], 3000, 8000), rel=0.05)
    stretch = nothing.copy()
    stretch[4] = True
    start, end = (round(time_s * RATE_HZ) for time_s in tiles.times_s[4:6])
    left, inside = tiles.without(stretch), slice(start + 512, end - 512)
    assert np.square(left[inside]).sum() == pytest.approx(0.01 * np.square(sound[inside]).sum(), rel=0.3)
    np.testing.assert_allclose(left[: start - 512], sound[: start - 512], atol=1e-5)


def test_bands_over_half_the_rate_are_not_there():
    tiles = Tiles(tiny.speech(1.0, 8_000), 8_000)
    assert tiles.bands_hz.tolist() == [0, 500, 1300, 2600, 4000]
    assert tiles.without(np.ones(tiles.shape, bool)).shape == tiles.waveform.shape


def test_a_model_that_listens_to_one_tile_is_seen_through(sound):
    tiles, answers = Tiles(sound, RATE_HZ), Answers(OneTile(sound))
    found = importance.importance(tiles, answers, column=1, rng=np.random.default_rng(0))
    assert np.unravel_index(found.argmax(), found.shape) == TILE
    assert found.max() > 3 * np.sort(found, axis=None)[-2]
    assert answers.count == importance.SOUNDS
    deletion = faithfulness.deletion(tiles, answers, 1, found, np.random.default_rng(1))
    assert deletion.explained[1] < 0.2 < 0.9 < deletion.explained[0]
    assert deletion.area() > 1.5 * deletion.random_area() > 0
    # The other way round: the least important first is worse than chance.
    backwards = faithfulness.deletion(tiles, answers, 1, -found, np.random.default_rng(1))
    assert backwards.area() < backwards.random_area()
    insertion = faithfulness.insertion(tiles, answers, 1, found, np.random.default_rng(1))
    assert insertion.area() > 1.5 * insertion.random_area() > 0


def test_every_figure_is_an_answer_of_the_model(explanation, tiny_model, sound):
    from intonate import load_model

    model = load_model(tiny_model)
    answer = model.predict((sound, RATE_HZ))
    assert explanation.label == answer.label
    assert explanation.scores == pytest.approx(dict(answer.scores))
    mask = np.zeros(explanation.tiles.shape, bool)
    mask[3] = True
    without = model.predict((explanation.tiles.without(mask), RATE_HZ)).scores[answer.label]
    assert explanation.without_stretch[3] == pytest.approx(without)
    louder = next(item for item in explanation.changed if item.name == "12 dB louder")
    expected = model.predict((sound * np.float32(10 ** (12 / 20)), RATE_HZ)).scores[answer.label]
    assert louder.probability == pytest.approx(expected, abs=1e-6)
    assert [item.name for item in explanation.changed] == list(CHANGES)
    assert explanation.deletion.explained[0] == pytest.approx(explanation.probability, abs=1e-4)


def test_the_same_sound_has_the_same_explanation(explanation, tiny_model, sound):
    from intonate import load_model

    again = explain(load_model(tiny_model), (sound, RATE_HZ))
    assert words.to_dict(again) == words.to_dict(explanation)


def test_text_and_page_say_the_same(explanation):
    text, html = words.to_text(explanation).plain, page.render(explanation)
    assert f"{100 * explanation.probability:.0f} %" in text
    assert max(map(len, text.splitlines())) <= 80
    assert text.count(" Hz  ") == 2 * len(words.band_names(explanation))
    assert html.count("<audio") == 3
    assert "image/png;base64" in html
    assert len(re.findall(r"<rect", html)) > explanation.map.size
    assert all(name in html for name in CHANGES)
    plain = words.to_text(explanation, has_unicode=False).plain
    assert plain.isascii()


def test_the_region_is_where_the_model_listens(sound):
    tiles, answers = Tiles(sound, RATE_HZ), Answers(OneTile(sound))
    found = importance.importance(tiles, answers, column=1, rng=np.random.default_rng(0))
    regions = importance.strongest_regions(found)
    masks = [region.mask(tiles.shape) for region in regions]
    assert masks[0][TILE]
    assert answers([tiles.without(masks[0])])[0, 1] < 0.2
    assert len(masks) == importance.REGIONS
    assert all(mask.sum() <= importance.REGION_SHARE * mask.size for mask in masks)
    for place, mask in enumerate(masks):
        assert all((mask & other).sum() <= mask.sum() / 2 for other in masks[:place])
    alone = np.full(tiles.shape, -1.0)
    alone[TILE] = 1.0
    assert importance.strongest_regions(alone)[0] == (TILE[0], TILE[0] + 1, TILE[1], TILE[1] + 1)


def test_no_place_that_was_tried_moves_it_more(explanation):
    drops = explanation.probability - np.concatenate([explanation.without_stretch, explanation.without_band])
    assert explanation.probability - explanation.without_region.probability >= drops.max()


def test_sentences_are_measured(explanation, tiny_model):
    from intonate import load_model

    mask = explanation.region.mask(explanation.tiles.shape)
    model = load_model(tiny_model)
    (row,) = Answers(model)([explanation.tiles.without(mask)])
    probability = row[model.spec.labels.index(explanation.label)]
    place, *others = words.sentences(explanation)
    before, after = (f"{100 * value:.0f}" for value in (explanation.probability, probability))
    assert f"takes {explanation.label} from {before} to {after}\u00a0%" in place
    assert words.region_name(explanation) in place
    largest = max(explanation.changed, key=lambda item: abs(item.probability - explanation.probability))
    assert any(largest.name in sentence for sentence in others)
    # A change that moves nothing is told as such, and one that makes another label win, too.
    still = [dataclasses.replace(item, probability=explanation.probability) for item in explanation.changed]
    _, weak = words.sentences(dataclasses.replace(explanation, changed=tuple(still)))
    assert all(name in weak for name in CHANGES)
    won = dataclasses.replace(explanation.without_region, label="another", label_probability=0.875)
    first = words.sentences(dataclasses.replace(explanation, without_region=won))[0]
    assert "and another is likelier (88\u00a0%)" in first


def test_another_label_and_a_stretch_can_be_asked_for(tiny_model, tmp_path, capsys):
    soundfile.write(tmp_path / "clip.wav", tiny.speech(3.0), RATE_HZ)
    out = tmp_path / "why.json"
    command(str(tmp_path / "clip.wav"), str(tiny_model), "json", out, "sad", 0.5, 2.0, None)
    assert capsys.readouterr().out.strip() == str(out)
    kept = json.loads(out.read_text())
    assert kept["explained"] == "sad"
    assert (kept["start"], kept["end"]) == (0.5, 2.0)
    assert len(kept["stretches"]) == STRETCHES
    assert all(0.5 <= item["start"] < item["end"] <= 2.0 for item in kept["stretches"])


def test_of_a_long_recording_the_surest_window_is_explained(tiny_model):
    from intonate import load_model

    model = load_model(tiny_model)
    longest_s = model.spec.pool.longest_s
    sound = np.concatenate([tiny.speech(longest_s), 0.5 * tiny.speech(longest_s, seed=3)])
    found = explain(model, (sound, RATE_HZ))
    assert found.end_s - found.start_s <= longest_s
    assert any("surest" in note for note in found.notes)
    start = round(found.start_s * RATE_HZ)
    np.testing.assert_array_equal(found.tiles.waveform, sound[start : start + len(found.tiles.waveform)])


def test_an_unsure_answer_is_explained_as_one(tmp_path, sound):
    """Of the window that is explained, as `predict` says it; one that is unlike the training, too."""
    from intonate import load_model

    spec = tiny.spec(abstain_below=0.99, regions=tiny.REGIONS, distances=(0.0, 1e-4, 2e-4))
    tiny.write(tmp_path / "unsure.onnx", spec)
    model = load_model(tmp_path / "unsure.onnx")
    longest = round(model.spec.pool.longest_s * RATE_HZ)
    for waveform in (sound, np.resize(sound, 2 * longest)):
        found = explain(model, (waveform, RATE_HZ))
        answer = model.predict((found.tiles.waveform, RATE_HZ))
        assert answer.abstained
        assert found.answer.scores == pytest.approx(dict(answer.scores))
        kept = words.to_dict(found)
        names = ("label", "guess", "abstained", "familiarity")
        assert {name: kept[name] for name in names} == {name: answer.to_dict()[name] for name in names}
        said = f"unsure, at best {answer.guess} {100 * answer.scores[answer.guess]:.0f} %"
        text, html = words.to_text(found).plain, page.render(found)
        assert said in text
        assert said in html
        assert (f"Why unsure, at best {answer.guess}?" in html) == (found.label == answer.guess)
        assert answer.unfamiliarity in text
        assert answer.unfamiliarity in html
    other = next(name for name in answer.scores if name != answer.guess)
    both = words.answer_text(dataclasses.replace(found, label=other))
    assert re.fullmatch(rf"unsure, at best {answer.guess} \d+ %, {other} \d+ %", both)


def test_what_cannot_be_explained_is_one_sentence(tiny_model, sound):
    from intonate import load_model

    model = load_model(tiny_model)
    with pytest.raises(ModelError, match="did you mean 'happy'"):
        explain(model, (sound, RATE_HZ), label="hapy")
    with pytest.raises(AudioError, match="nobody speaks"):
        explain(model, (np.zeros(RATE_HZ, np.float32), RATE_HZ))
    with pytest.raises(AudioError, match="--end 1 "):
        command("clip.wav", str(tiny_model), "text", None, None, 2.0, 1.0, None)


def test_a_model_that_only_reads_is_refused(tmp_path, sound):
    pytest.importorskip("tokenizers")
    from intonate import load_model

    spec = tiny.token_spec()
    tiny.write_reader(tmp_path / "reader.onnx", dataclasses.replace(spec, inputs=spec.inputs[1:]))
    with pytest.raises(ModelError, match="only reads"):
        explain(load_model(tmp_path / "reader.onnx"), (sound, RATE_HZ))


def test_a_model_of_dimensions_is_explained_too(tmp_path, sound):
    from intonate import load_model

    names = ("arousal", "dominance", "valence")
    tiny.write(tmp_path / "dimensions.onnx", tiny.spec(labels=(), dimensions=names, scores={}), classes=3)
    found = explain(load_model(tmp_path / "dimensions.onnx"), (sound, RATE_HZ), label="arousal")
    assert found.label == "arousal"
    assert found.without_band.shape == (5,)


def test_without_the_stretcher_the_rest_is_explained(tiny_model, sound, monkeypatch):
    from intonate import load_model
    from intonate.augment import transforms
    from intonate.errors import MissingExtraError

    def missing(module, extra):
        raise MissingExtraError(f"{module} is needed here")

    monkeypatch.setattr(transforms, "require", missing)
    found = explain(load_model(tiny_model), (sound, RATE_HZ))
    assert len(found.changed) == 4
    assert any("pitch 3 semitones up" in note for note in found.notes)
