"""The page's modules for sound, run in Node, do what Python does."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from intonate.audio.activity import (
    ABOVE_FLOOR_DB,
    LEAST_SPEECH_S,
    QUIETEST_DBFS,
    _frames_above_floor,
    levels,
    speech_frames,
)
from intonate.audio.clean import STEPS, clean
from intonate.audio.clipping import Clipping
from intonate.audio.decode import load
from intonate.audio.energy import HOP_S
from intonate.audio.reader import CHUNK_SAMPLES
from intonate.audio.resample import resample
from intonate.audio.voice import level_dbfs
from intonate.recognizer.streaming import Stream
from intonate.schema import ModelInput, ModelSpec
from intonate.web import page
from intonate.web.site import STEPS as PAGE_STEPS

ROOT = Path(__file__).parents[2]
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")
EXAMPLES = sorted((ROOT / "examples").glob("*.flac"))

# `sound`: the samples; `split` makes channels of them; `floats` and `show` give samples and JSON back.
HEADER = """
import fs from "node:fs";
const file = (name) => fs.readFileSync(name);
const [folder] = process.argv.slice(1);
const bytes = file(folder + "/sound.f32");
const sound = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4).slice();
const split = (count) => {
  const size = sound.length / count;
  return Array.from({ length: count }, (_, i) => sound.subarray(i * size, (i + 1) * size));
};
const floats = (samples) => fs.writeFileSync(folder + "/out.f32", Buffer.from(samples.slice().buffer));
const show = (value) => console.log(JSON.stringify(value));
"""


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """The modules of both pages in one folder, as they are served."""
    folder = tmp_path_factory.mktemp("modules")
    for name, path in page.scripts().items():
        shutil.copyfile(path, folder / name)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


@pytest.fixture
def node(tmp_path, modules):
    """Runs JavaScript on samples; gives its JSON, or the samples that it wrote."""

    def run(sound, imports, code):
        np.asarray(sound, np.float32).tofile(tmp_path / "sound.f32")
        lines = [f'import {{ {names} }} from "{(modules / module).as_uri()}";' for module, names in imports.items()]
        done = subprocess.run(
            [NODE, "--input-type=module", "--eval", "\n".join(lines) + HEADER + code, str(tmp_path)],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        if done.stdout:
            return json.loads(done.stdout)
        return np.fromfile(tmp_path / "out.f32", np.float32)

    return run


def sounds():
    rng = np.random.default_rng(0)
    yield "voice", soundfile.read(EXAMPLES[0], dtype="float32")[0]
    yield "soft", 0.01 * soundfile.read(EXAMPLES[-1], dtype="float32")[0] + np.float32(0.02)
    yield "noise", (0.05 * rng.normal(size=30_001)).astype(np.float32)
    yield "click", np.eye(1, 5_000, 2_500, dtype=np.float32)[0]
    yield "short", (0.1 * rng.normal(size=90)).astype(np.float32)
    yield "silence", np.zeros(12_000, np.float32)


SOUNDS = dict(sounds())


@pytest.mark.parametrize(
    "step",
    [
        {"step": "dc"},
        {"step": "trim"},
        {"step": "trim", "below_db": 25.0, "margin_s": 0.05},
        {"step": "loudness"},
        {"step": "loudness", "target_dbfs": -10.0, "peak": 0.5},
        {"step": "high_pass"},
        {"step": "high_pass", "low_hz": 100.0},
        {"step": "pre_emphasis"},
    ],
    ids=lambda step: "-".join(map(str, step.values())),
)
def test_cleaning(node, step):
    for kind, sound in SOUNDS.items():
        answer = node(sound, {"clean.js": "clean"}, f"floats(clean(sound, 16000, [{json.dumps(step)}]));")
        expected = clean(sound, 16_000, [step])
        assert len(answer) == len(expected), kind
        np.testing.assert_allclose(answer, expected, atol=2e-6, err_msg=kind)


def channels():
    """What channels can be to each other, with the parts of one recording: {kind: (samples, channels)}."""
    voice, other = (soundfile.read(path, dtype="float32")[0] for path in EXAMPLES[:2])
    other = np.resize(other, len(voice))
    rng = np.random.default_rng(0)
    noise, hiss = (rng.normal(0, level, len(voice)).astype(np.float32) for level in (0.2, 1e-6))
    empty = np.zeros_like(voice)
    turned = np.tile(voice, 6)
    turned[3 * len(voice) :] *= -1
    yield "equal", (voice, voice)
    yield "opposite", (voice, -voice)
    yield "opposite and softer", (voice, voice * np.float32(-0.5))
    yield "turned for a while", (np.tile(voice, 6), turned)
    yield "noise beside", (voice, noise)
    yield "noise on both", (noise, noise[::-1])
    yield "noise for some of the time", (np.tile(voice, 20), np.concatenate([np.tile(noise, 10), np.tile(other, 10)]))
    yield "two voices", (voice, other)
    yield "a little later", (voice, np.roll(voice, 16))
    yield "sooner, turned and louder", (voice, np.roll(voice, -300) * np.float32(-2))
    yield "empty", (empty, voice)
    yield "nearly empty", (voice, hiss)
    yield "soft voice elsewhere", (np.concatenate([voice, empty]), np.concatenate([empty, other * np.float32(0.005)]))
    yield "six", (voice, -voice, empty, noise, other, hiss)


CHANNELS = dict(channels())


@pytest.mark.parametrize("kind", CHANNELS)
def test_channels_become_one(node, tmp_path, kind):
    channels, warnings = np.stack(CHANNELS[kind]), []
    expected = load((channels.T, 16_000), warnings=warnings)
    code = f"""
      const downmix = new Downmix(16000), mono = new Float32Array({channels.shape[1]});
      let at = 0;
      for await (const piece of downmix.mono(split({len(channels)}))) {{
        mono.set(piece, at);
        at += piece.length;
      }}
      floats(mono);
      show(downmix.warnings("<array>"));
    """
    assert node(channels, {"downmix.js": "Downmix"}, code) == warnings
    np.testing.assert_allclose(np.fromfile(tmp_path / "out.f32", np.float32), expected, atol=1e-6)


@pytest.mark.parametrize("gain", [0.4, 1.0, 4.0, 10.0])
def test_clipping(node, gain):
    voice = SOUNDS["voice"] / np.abs(SOUNDS["voice"]).max()
    # A codec's ripples, what is softer behind a flat top, and one channel of two.
    clipped = np.clip(gain * voice, -1, 1) * np.float32(1.1)
    long = np.resize(np.concatenate([clipped, 0.3 * voice]), 30 * 16_000)
    for channels in (np.stack([clipped]), np.stack([long, np.roll(long, 99) * np.float32(0.2)])):
        clipping = Clipping()
        for start in range(0, channels.shape[1], step := CHUNK_SAMPLES // len(channels)):
            clipping.count(channels.T[start : start + step])
        code = f"""
          const channels = split({len(channels)});
          show([clippedShare(channels), clippingWarnings(channels, "<array>")]);
        """
        share, warnings = node(channels, {"clipping.js": "clippedShare, clippingWarnings"}, code)
        assert share == pytest.approx(clipping.share, abs=1e-4)
        assert warnings == clipping.warnings("<array>", None)
    assert bool(warnings) == (gain >= 4)


def test_the_steps_of_the_page_are_known_to_python(node):
    assert set(node([0], {"clean.js": "STEPS"}, "show(Object.keys(STEPS));")) == PAGE_STEPS <= STEPS.keys()


def test_voice_activity(node):
    for kind, sound in SOUNDS.items():
        found = node(
            sound,
            {"energy.js": "hasSpeech, levelDbfs, speechFrames"},
            "show([[...speechFrames(sound, 16000)], hasSpeech(sound, 16000), levelDbfs(sound)]);",
        )
        assert found[0] == speech_frames(sound, 16_000).astype(int).tolist(), kind
        measured = levels(sound, 16_000)
        above_floor = _frames_above_floor(measured, measured.is_whole, ABOVE_FLOOR_DB, QUIETEST_DBFS)
        assert found[1] == (above_floor.sum() * HOP_S >= LEAST_SPEECH_S), kind
        assert found[2] == pytest.approx(level_dbfs(sound), abs=1e-3), kind


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_resampling_is_as_good_as_soxrs(node, rate):
    voice = soundfile.read(EXAMPLES[0], dtype="float32")[0]
    sound = soxr.resample(voice, 16_000, rate)
    answer = node(sound, {"resample.js": "resample"}, f"floats(resample(sound, {rate}, 16000));")
    expected = resample(sound, rate, 16_000)
    assert len(answer) == pytest.approx(len(expected), abs=1)
    size = min(len(answer), len(expected))
    error = answer[:size] - expected[:size]
    assert 10 * np.log10(np.mean(np.square(expected)) / np.mean(np.square(error))) > 35


LABELS = ("angry", "happy", "neutral", "sad")


class Scripted:
    """A recognizer whose answer is a function of how loud the clip is: a page can reckon it as well."""

    spec = ModelSpec(
        name="scripted",
        labels=LABELS,
        inputs=(ModelInput("waveform", "waveform", {"scale": False}),),
        clean=({"step": "trim"},),
        abstain_below=0.4,
    )

    def answers(self, clips):
        level = np.sqrt(np.mean(np.square(clips[0]["waveform"], dtype=np.float64)))
        odds = np.exp(1.5 * np.sin(40 * level * np.arange(1, 5)))
        return (odds / odds.sum())[None]


def test_a_stream_is_pythons(node):
    """The same labels at the same times, and scores, through pauses and changes."""
    voice = soundfile.read(ROOT / "examples/changing.flac", dtype="float32")[0]
    sound = np.concatenate([voice, np.zeros(70_000, np.float32), 3 * voice[:60_000], 1e-2 * SOUNDS["noise"]])
    stream = Stream(Scripted(), 16_000, activity="energy")
    expected = [
        event.to_dict() for start in range(0, len(sound), 1_024) for event in stream.push(sound[start : start + 1_024])
    ]
    expected = [
        event for event in [*expected, *(event.to_dict() for event in stream.finish())] if event["type"] == "segment"
    ]
    model = {
        "labels": LABELS, "sample_rate_hz": 16_000, "clean": list(Scripted.spec.clean), "abstain_below": 0.4,
    }  # fmt: skip
    code = f"""
      const run = async (samples) => {{
        const level = Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
        const odds = [1, 2, 3, 4].map((k) => Math.exp(1.5 * Math.sin(40 * level * k)));
        const total = odds.reduce((sum, value) => sum + value, 0);
        return {{ scores: odds.map((value) => value / total) }};
      }};
      const listener = new Listener({json.dumps(model)}, 16000, run);
      const events = [];
      for (let at = 0; at < sound.length; at += 1024) events.push(...(await listener.push(sound.slice(at, at + 1024))));
      show([...events, ...(await listener.finish())]);
    """
    answer = node(sound, {"listener.js": "Listener"}, code)
    assert len(answer) == len(expected) > 50
    assert len({event["label"] for event in expected}) >= 4
    for left, right in zip(answer, expected, strict=True):
        for key in ("start", "end", "level", "speech"):
            assert left[key] == pytest.approx(right[key], abs=0.06), (key, right)
        assert (left["label"], left["state"]) == (right["label"], right["state"]), right
        for key in ("scores", "raw"):
            theirs = {entry["label"]: entry["score"] for entry in right[key]}
            assert {entry["label"]: entry["score"] for entry in left[key]} == pytest.approx(theirs, abs=1e-3)
