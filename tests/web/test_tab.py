"""The page in Chromium: the same answers as natively, without one request, and without a network."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from tabs import Server, Tab

from intonate.recognizer.recognizer import load_model
from intonate.web import page
from intonate.web.site import write_site

ROOT = Path(__file__).parents[2]
EXAMPLES = [ROOT / f"examples/{name}.flac" for name in ("angry", "neutral", "sad", "changing")]


def until(page, expression, seconds=40.0):
    """Wait until a JavaScript expression is true: Playwright's own way needs `eval`, which the policy forbids."""
    for _ in range(round(seconds / 0.05)):
        if page.evaluate(f"Boolean({expression})"):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {expression}")


def scores(answer):
    return {entry["label"]: entry["score"] for entry in answer["scores"]}


def test_answers_are_the_native_ones_without_a_request(tab, tmp_path):
    tab.server.requests.clear()
    model = load_model("compact")
    stereo = np.repeat(soundfile.read(EXAMPLES[0], dtype="float32")[0][:, None], 2, axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, 16_000)
    corpus = sorted((ROOT / "../shared/corpora/emodb/wav").glob("*.flac"))[::90]
    for path in [*EXAMPLES, tmp_path / "stereo.wav", *corpus]:
        answer, native = tab.answer(path), model.predict(path)
        assert scores(answer) == pytest.approx(dict(native.scores), abs=1e-3), path
        assert (answer["label"], answer["abstained"]) == (native.shown_label, native.abstained), path
    assert tab.server.requests == []


def test_channels_are_mixed_as_natively_and_the_page_says_what_predict_says(tab, tmp_path):
    model = load_model("compact")
    voice = soundfile.read(EXAMPLES[0], dtype="float32")[0]
    noise = np.random.default_rng(0).normal(0, 0.2, len(voice)).astype(np.float32)
    for name, other in (("opposite", -voice), ("noisy", noise), ("clipped", voice)):
        path = tmp_path / f"{name}.wav"
        gain = 10 if name == "clipped" else 1
        soundfile.write(path, np.clip(gain * np.stack([voice, other], axis=1), -1, 1), 16_000)
        answer, native = tab.answer(path), model.predict(path)
        assert scores(answer) == pytest.approx(dict(native.scores), abs=1e-3), name
        assert tab.page.inner_text("#notice-text") == ". ".join(native.warnings).replace(str(path), path.name)


def test_nothing_is_offered_that_needs_a_service(tab):
    """The tab cannot change a voice and ask again: no button, no key, no word in the help."""
    tab.answer(EXAMPLES[0])
    assert tab.page.is_hidden("#why-open")
    tab.page.keyboard.press("w")
    assert tab.page.is_hidden("#why")
    assert "Why?" not in tab.page.text_content("#help")


def test_other_rates_are_near(tab, tmp_path):
    """Chromium resamples what it decodes by a filter of its own."""
    sound = soundfile.read(EXAMPLES[0], dtype="float32")[0]
    for rate in (44_100, 48_000):
        path = tmp_path / f"{rate}.wav"
        soundfile.write(path, soxr.resample(sound, 16_000, rate), rate, subtype="FLOAT")
        native = load_model("compact").predict(path)
        assert scores(tab.answer(path)) == pytest.approx(dict(native.scores), abs=0.03)


def test_the_default_model_too(browser, runtime, tmp_path):
    """`standard`, whose encoder rounds to 8 bits: the last digits of another processor move it more."""
    server = Server(write_site(tmp_path / "site", ["standard", "compact"], runtime))
    tab = Tab(browser, server)
    try:
        assert tab.page.locator("#models input").count() == 2
        for path in EXAMPLES[:3]:
            native = load_model("standard").predict(path)
            assert scores(tab.answer(path)) == pytest.approx(dict(native.scores), abs=0.02)
        assert tab.problems == []
    finally:
        tab.context.close()
        server.close()


def test_what_is_no_speech_gets_no_emotion(tab, tmp_path):
    rng = np.random.default_rng(0)
    time_s = np.arange(48_000) / 16_000
    sounds = {
        "silence": np.zeros(48_000),
        "noise": 0.05 * rng.normal(size=48_000),
        "hum": 0.2 * np.sin(2 * np.pi * 50 * time_s),
        "soft": 1e-4 * rng.normal(size=48_000),
        "long-noise": 0.05 * rng.normal(size=10 * 16_000),
    }
    for name, sound in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", sound.astype(np.float32), 16_000)
        answer = tab.answer(tmp_path / f"{name}.wav")
        assert answer["scores"] == [], name
        assert answer["label"] == ("silence" if name in ("silence", "soft") else "noise"), name


def test_the_microphone(tab):
    page = tab.page
    tab.server.requests.clear()
    page.click("#listen")
    page.wait_for_selector("#listen.on")
    until(page, "Number(document.querySelector('#latency').dataset.count) >= 8")
    assert page.inner_text("#claim").startswith("Emotion recognition is running.")
    page.click("#listen")
    page.wait_for_selector("#after:not([hidden])")
    assert re.search(r"\d\s%", page.inner_text("#stage"))
    assert page.locator("#as-table").count() == 1
    page.click("#record")
    page.wait_for_selector("#progress:not([hidden])")
    page.wait_for_selector("#after:not([hidden])")
    assert page.inner_text("#session-title") == "recording.wav"
    assert tab.server.requests == []


def test_without_a_network(browser, site):
    server = Server(site)
    tab = Tab(browser, server)
    try:
        server.close()
        tab.page.reload()
        tab.ready()
        assert tab.answer(EXAMPLES[1])["label"] == load_model("compact").predict(EXAMPLES[1]).shown_label
        tab.page.click("#example")
        until(tab.page, "document.querySelector('#session-title').textContent.includes('xample')")
        tab.page.wait_for_selector("#after:not([hidden])")
        assert tab.problems == []
    finally:
        tab.context.close()


def test_an_update_is_complete_before_it_takes_the_older_pages_place(browser, site, tmp_path):
    """All of it is asked of the server anew, whatever the browser kept, and then no network is needed."""
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    for path in folder.rglob("*"):
        os.utime(path, (0, 0))  # so old that a browser takes it for fresh
    server = Server(folder)
    tab = Tab(browser, server)
    stores = "caches.keys().then((names) => names.join())"
    try:
        before = tab.page.evaluate(stores)
        (folder / "sw.js").unlink()
        (folder / "licences.txt").write_text("others")
        (folder / "sw.js").write_text(page.service_worker(folder), encoding="utf-8")
        server.requests.clear()
        tab.page.reload()
        for _ in range(400):
            if "," not in (now := tab.page.evaluate(stores)) and now != before:
                break
            tab.page.wait_for_timeout(50)
        assert {"/models/compact.onnx", "/runtime/ort-wasm.wasm"} <= set(server.requests)
        server.close()
        tab.page.reload()
        tab.ready()
        assert scores(tab.answer(EXAMPLES[0]))
        assert tab.problems == []
    finally:
        tab.context.close()


def test_a_recording_that_was_cut_off_is_said_to_be(tab, tmp_path):
    soundfile.write(tmp_path / "whole.wav", soundfile.read(EXAMPLES[0], dtype="float32")[0], 16_000)
    content = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) // 2])
    assert scores(tab.answer(tmp_path / "whole.wav"))
    assert tab.page.is_hidden("#notice")
    assert scores(tab.answer(tmp_path / "cut.wav"))
    assert re.search(r"cut.wav is damaged or cut off: [\d.]+ s of [\d.]+ s were heard", tab.page.inner_text("#notice"))
    (tmp_path / "empty.wav").write_bytes(b"")
    tab.page.set_input_files("#file", tmp_path / "empty.wav")
    until(tab.page, "document.querySelector('#notice-text').textContent.includes('empty.wav: nothing can be read')")


def test_no_word_of_a_service_that_could_be_started(tab):
    code = "import('./api.js').then((api) => api.HOW_TO_SECURE + api.NO_ANSWER)"
    assert not re.search("intonate serve|--tls", tab.page.evaluate(code))
    modules = [path for path in page.SERVICE_STATIC.glob("*.js") if path.name not in ("api.js", "stream.js")]
    assert [path.name for path in modules if re.search("intonate serve|--tls", path.read_text("utf-8"))] == []


def test_what_is_no_sound(tab, tmp_path):
    (tmp_path / "letter.wav").write_text("dear")
    tab.page.set_input_files("#file", tmp_path / "letter.wav")
    until(tab.page, "document.querySelector('#notice-text').textContent.includes('cannot decode letter.wav')")
    # And it goes on.
    assert scores(tab.answer(EXAMPLES[0]))


def test_a_model_that_is_missing(browser, site, tmp_path):
    """Without its model the page says so; what is pressed tries again."""
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    model = broken / "models/compact.onnx"
    model.rename(tmp_path / "compact.onnx")
    server = Server(broken)
    page = browser.new_context().new_page()
    try:
        page.goto(server.origin)
        until(page, "document.querySelector('#notice-text').textContent.includes('compact.onnx could not be loaded')")
        (tmp_path / "compact.onnx").rename(model)
        page.set_input_files("#file", EXAMPLES[0])
        until(page, "document.querySelector('#connection').dataset.state === 'ready'", 90)
    finally:
        page.context.close()
        server.close()


def test_it_fits(tab):
    page = tab.page
    tab.answer(EXAMPLES[-1])
    for width, height in ((360, 740), (1200, 860)):
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator("#plain").is_hidden()
            assert page.locator("#denoise").is_hidden()
