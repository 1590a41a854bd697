"""Images of speech: the right size, the right way up, the colours of Matplotlib, the resize of Pillow."""

import numpy as np
import onnx
import pytest
import torch
import toy
from matplotlib import colormaps
from onnx import TensorProto, helper
from PIL import Image

from intonate.errors import ModelError, RecipeError
from intonate.features.images import jet_image, mfcc_image
from intonate.features.pictures import COLORMAPS, coloured, colours, resized
from intonate.recognizer import inputs as serving
from intonate.recognizer.model_file import SPEC_KEY
from intonate.recognizer.recognizer import load_model
from intonate.schema import ModelInput, ModelSpec
from intonate.training import recipe_names
from intonate.training.batches import collate
from intonate.training.module import mixed
from intonate.training.recipe import load

RATE_HZ = 16_000


def noise(samples=RATE_HZ, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def tone(hz, seconds=1.0):
    return np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ).astype(np.float32)


def heat(image):
    """How far up the jet table each pixel of an image is, 0 to 255."""
    table = {tuple(colour): place for place, colour in enumerate(colours("jet").tolist())}
    return np.array([[table[tuple(pixel)] for pixel in row] for row in image.tolist()])


@pytest.mark.parametrize("name", COLORMAPS)
def test_colours_are_matplotlibs(name):
    reference = colormaps[name](np.arange(256), bytes=True)[:, :3]
    assert np.abs(colours(name).astype(int) - reference).max() <= 1


def test_values_are_coloured_as_by_matplotlib():
    values = np.linspace(-0.2, 1.2, 999, dtype=np.float32)
    reference = colormaps["jet"](np.clip(values, 0, 1), bytes=True)[:, :3]
    assert np.abs(coloured(values, "jet").astype(int) - reference).max() <= 1


@pytest.mark.parametrize("before", [(288, 288), (20, 301), (1, 1), (2, 7), (224, 100), (500, 30)])
@pytest.mark.parametrize("after", [(224, 224), (288, 288), (1, 5), (37, 500)])
def test_the_resize_is_pillows(before, after):
    image = np.random.default_rng(0).integers(0, 256, (*before, 3), dtype=np.uint8)
    reference = np.asarray(Image.fromarray(image).resize(after[::-1], Image.Resampling.BILINEAR))
    ours = np.rint(resized(image.astype(np.float32), *after))
    assert ours.shape == reference.shape
    # Pillow rounds once more between the two directions.
    assert np.abs(ours - reference).max() <= 1


def test_a_plane_without_colours_is_resized_too():
    slope = np.linspace(0, 1, 50, dtype=np.float32)[None].repeat(3, axis=0)
    new = resized(slope, 7, 100)
    assert new.shape == (7, 100)
    np.testing.assert_allclose(np.diff(new[:, 5:-5], axis=1), 0.5 / 49, rtol=1e-3)


class TestJet:
    @pytest.mark.parametrize(
        ("samples", "overlap_s", "patches"),
        [
            (1, 0, 1),
            (15_999, 0, 1),
            (16_000, 0, 1),
            (16_001, 0, 2),
            (48_000, 0, 3),
            (48_000, 0.01, 4),
            (48_000, 0.5, 5),
        ],
    )
    def test_patches_of_a_second(self, samples, overlap_s, patches):
        images = jet_image(noise(samples), RATE_HZ, overlap_s=overlap_s)
        assert images.shape == (patches, 257, 251, 3)
        assert images.dtype == np.uint8

    @pytest.mark.parametrize("hz", [500, 2000, 7000])
    def test_low_frequencies_are_at_the_bottom(self, hz):
        (image,) = jet_image(tone(hz), RATE_HZ)
        # Row 256 is 0 Hz, row 0 is 8 kHz.
        assert set(heat(image)[:, 20:-20].argmax(axis=0)) == {256 - round(hz / 31.25)}

    def test_time_runs_to_the_right(self):
        (image,) = jet_image(np.r_[np.zeros(8000, np.float32), noise(8000)], RATE_HZ)
        hot = heat(image).mean(axis=0)
        assert (hot[:120] == 0).all()
        assert (hot[130:] > 100).all()

    def test_the_end_of_a_clip_is_silent(self):
        last = heat(jet_image(noise(20_000), RATE_HZ)[1])
        assert (last[:, 67:] == 0).all()
        assert (last[:, :60].mean(axis=0) > 100).all()

    def test_overlapping_patches_show_the_same_again(self):
        first, second, *_ = jet_image(noise(40_000), RATE_HZ, overlap_s=0.5)
        np.testing.assert_array_equal(first[:, 130:245], second[:, 5:120])

    def test_the_colours_are_decibels_from_the_loudest(self):
        sound = tone(1000, 2.0)
        sound[RATE_HZ:] *= np.float32(0.01)
        loud, quiet = (heat(image)[256 - 32, 100] for image in jet_image(sound, RATE_HZ))
        assert loud == 255
        assert quiet == pytest.approx(128, abs=1), "40 of 80 dB under it"
        deep = heat(jet_image(sound, RATE_HZ, top_db=160)[1])[256 - 32, 100]
        assert deep == pytest.approx(192, abs=1)

    def test_the_gain_does_not_matter(self):
        quiet, loud = jet_image(noise() / 64, RATE_HZ), jet_image(noise(), RATE_HZ)
        np.testing.assert_array_equal(quiet, loud)

    def test_nothing_is_the_colour_of_nothing(self):
        assert (jet_image(np.zeros(100, np.float32), RATE_HZ) == colours("jet")[0]).all()

    @pytest.mark.parametrize("overlap_s", [-0.1, 1.0, 2.0])
    def test_an_overlap_that_does_not_fit_is_refused(self, overlap_s):
        with pytest.raises(ModelError, match=f"overlap_s must be .* got {overlap_s:g}"):
            jet_image(noise(), RATE_HZ, overlap_s=overlap_s)


class TestMfcc:
    @pytest.mark.parametrize("samples", [1, 8000, 50_000])
    @pytest.mark.parametrize("coefficients", [13, 20, 40])
    def test_one_image_of_a_clip(self, samples, coefficients):
        image = mfcc_image(noise(samples), RATE_HZ, coefficients=coefficients)
        assert image.shape == (1, 224, 224, 3)
        assert image.dtype == np.uint8

    def test_a_smaller_image_shows_the_same(self):
        whole, small = mfcc_image(noise(), RATE_HZ), mfcc_image(noise(), RATE_HZ, side=56)
        assert small.shape == (1, 56, 56, 3)
        quarters = whole.reshape(56, 4, 56, 4, 3).mean(axis=(1, 3))
        assert np.abs(small[0] - quarters).mean() < 10
        with pytest.raises(ModelError, match="side of mfcc_image"):
            mfcc_image(noise(), RATE_HZ, side=0)

    def test_the_first_coefficient_is_at_the_bottom_and_time_runs_to_the_right(self):
        sound = np.r_[np.zeros(RATE_HZ, np.float32), noise()]
        (image,) = mfcc_image(sound, RATE_HZ, colormap="gray")
        lowest = image[-5, :, 0]
        assert (lowest[:105] < 20).all()
        assert (lowest[120:] > 200).all()

    def test_each_coefficient_fills_the_colours_or_the_clip_does(self):
        rising = noise() * np.linspace(0.01, 1, RATE_HZ, dtype=np.float32)
        each, whole = (mfcc_image(rising, RATE_HZ, scaling=scaling, colormap="gray")[0, :, :, 0]
                       for scaling in ("coefficient", "clip"))  # fmt: skip
        middles = (np.arange(20) + 0.5) * 224 / 20
        assert np.ptp(each[middles.astype(int)], axis=1).min() > 150
        # The 0th coefficient is far from the others: on one scale they have little of it.
        assert np.ptp(whole[middles.astype(int)[:-1]], axis=1).max() < 100
        assert np.ptp(whole) > 200

    def test_what_is_not_known_is_said(self):
        with pytest.raises(ModelError, match="did you mean 'coefficient'"):
            mfcc_image(noise(), RATE_HZ, scaling="coefficients")
        with pytest.raises(ModelError, match="colormap 'jets' is not known; did you mean 'jet'"):
            mfcc_image(noise(), RATE_HZ, colormap="jets")


class TestOnTheWay:
    """An image reaches the network as the bytes that it is made of."""

    INPUT = ModelInput("image", "jet_image", lengths="image_lengths")

    def spec(self):
        return ModelSpec("seer", ("dark", "light"), (self.INPUT,))

    def test_in_training(self):
        images = [jet_image(noise(samples), RATE_HZ) for samples in (16_000, 40_000)]
        rows = [{"image": image, "target": 0, "allowed": np.ones(2, bool)} for image in images]
        batch = collate(rows)
        assert batch["image"].dtype == torch.uint8
        assert batch["image"].shape == (2, 3, 257, 251, 3)
        assert batch["image_lengths"].tolist() == [1, 3]
        np.testing.assert_array_equal(batch["image"][1], images[1])
        np.testing.assert_array_equal(batch["image"][0, :1], images[0])
        assert not batch["image"][0, 1:].any()

    def test_mixed_it_is_a_share_of_both(self):
        batch = {"image": torch.tensor([[[0]], [[200]]], dtype=torch.uint8)}
        soft, allowed = torch.eye(2), torch.ones(2, 2, dtype=torch.bool)
        torch.manual_seed(1)
        for _ in range(20):
            changed, targets, _ = mixed(batch, soft, allowed)
            np.testing.assert_allclose(changed["image"][:, 0, 0], 200 * targets[:, 1], atol=1e-3)

    def test_in_serving(self):
        clips = [serving.extract(self.spec(), noise(samples)) for samples in (16_000, 40_000)]
        speaker = serving.SpeakerStatistics()
        serving.update_speaker(self.spec(), clips[0], speaker)
        feeds = serving.padded_batch(
            (self.INPUT,), [serving.normalise_clip(self.spec(), clip, speaker) for clip in clips]
        )
        assert feeds["image"].dtype == np.uint8
        assert feeds["image"].shape == (2, 3, 257, 251, 3)
        np.testing.assert_array_equal(feeds["image"][1], jet_image(noise(40_000), RATE_HZ))

    def brightness(self, path, kind):
        """A graph of the mean of the image: its logits are 0 and the brightness from 0 to 1."""
        image = helper.make_tensor_value_info("image", kind, ["batch", "rows", 257, 251, 3])
        lengths = helper.make_tensor_value_info("image_lengths", TensorProto.INT64, ["batch"])
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])
        nodes = [
            helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["values"], ["mean"], axes=[2, 3, 4], keepdims=0),
            helper.make_node("ReduceMean", ["mean"], ["one"], axes=[1], keepdims=1),
            helper.make_node("Div", ["one", "full"], ["light"]),
            helper.make_node("Sub", ["light", "light"], ["dark"]),
            helper.make_node("Concat", ["dark", "light"], ["sum"], axis=1),
            helper.make_node("Cast", ["image_lengths"], ["patches"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["patches", "last"], ["column"]),
            helper.make_node("Sub", ["column", "column"], ["nothing"]),
            helper.make_node("Add", ["sum", "nothing"], ["logits"]),
        ]
        constants = [
            helper.make_tensor("full", TensorProto.FLOAT, [], [255.0]),
            helper.make_tensor("last", TensorProto.INT64, [1], [1]),
        ]
        graph = helper.make_graph(nodes, "brightness", [image, lengths], [logits], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        helper.set_model_props(model, {SPEC_KEY: self.spec().to_json()})
        onnx.save(model, str(path))

    @pytest.mark.usefixtures("every_sound_is_speech")
    def test_a_model_file_that_sees_is_asked_in_bytes(self, tmp_path):
        path = tmp_path / "seer.onnx"
        self.brightness(path, TensorProto.UINT8)
        sound = toy.voice("happy", 0, np.random.default_rng(0), 2.0)
        answer = load_model(path).predict((sound, RATE_HZ))
        light = jet_image(sound, RATE_HZ).mean() / 255
        assert answer.scores["light"] == pytest.approx(1 / (1 + np.exp(-light)), abs=1e-5)

    def test_a_graph_that_wants_floats_does_not_agree(self, tmp_path):
        path = tmp_path / "seer.onnx"
        self.brightness(path, TensorProto.FLOAT)
        with pytest.raises(ModelError, match=r"the graph takes image \(float\).*the spec says image \(uint8\)"):
            load_model(path)

    @pytest.mark.parametrize("more", [{"normalise": {"kind": "corpus"}}, {"augment": {"crop": 0}}, {"noise": 0.1}])
    def test_a_recipe_cannot_scale_or_change_it(self, more, tmp_path, toy_corpus):
        inputs = {"image": {"front_end": "jet_image"} | more}
        recipe = load(toy.recipe(tmp_path / "toy.yaml", toy_corpus, inputs=inputs, model={"name": "random_forest"}))
        with pytest.raises(RecipeError, match=r"inputs\.image is an image"):
            recipe_names.check(recipe)
