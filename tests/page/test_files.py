"""What is opened: sessions of other models, files that are damaged, gone or no files, and what takes too long."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import soundfile
from test_page import ROOT, listen, saved, stop, until

TWO = {"models": ("compact", "compact-open")}

CHOSEN = "document.querySelector('#notice-text').textContent"


def opened(page, path):
    page.set_input_files("#file", path)
    page.wait_for_selector("#after:not([hidden])")


def dropped(page, script):
    """Something that is dragged into the page, and dropped there; `script` fills the DataTransfer `t`."""
    transfer = page.evaluate_handle(f"() => {{ const t = new DataTransfer(); {script}; return t; }}")
    page.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
    yield
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})


@pytest.mark.parametrize("fake", [TWO], indirect=True)
def test_another_choice_of_models_between_two_recordings(site, tmp_path):
    page = site.open()
    opened(page, ROOT / "examples/angry.flac")
    (tmp_path / "answers.json").write_bytes(saved(page, "json")[1])
    (tmp_path / "foreign.json").write_text((tmp_path / "answers.json").read_text().replace("compact", "another"))
    page.check("#models input[value=compact-open]")
    page.uncheck("#models input[value=compact]")
    opened(page, ROOT / "examples/sad.flac")
    assert page.inner_text("#session-title") == "sad.flac"
    assert json.loads(saved(page, "json")[1])["model"] == "compact-open"
    page.click("#label-open")
    page.click(".tab:first-child button:first-child")
    assert page.inner_text("#session-title") == "angry.flac"
    assert page.is_hidden("#labelling")
    page.set_input_files("#file", [tmp_path / "answers.json", tmp_path / "foreign.json"])
    page.wait_for_selector(".tab:nth-child(4)")
    until(page, "document.body.dataset.phase === 'idle'")
    assert re.search(r"\d", page.inner_text(".number")), "the models of the file that was opened last"
    listen(page)
    stop(page)
    page.click("#record")
    page.wait_for_selector("#progress:not([hidden])")
    page.wait_for_selector("#after:not([hidden])")
    assert json.loads(saved(page, "json")[1])["model"] == "compact-open"


def test_a_damaged_session_gives_its_sound_and_says_so(site, tmp_path):
    page = site.open()
    opened(page, ROOT / "examples/angry.flac")
    content = saved(page, "session")[1]
    damages = {
        "cut off": content[:-200],
        "version should be 1": content.replace(b'"version":1', b'"version":2'),
        "overall should be a list": content.replace(b'"overall":[', b'"overal1":['),
    }
    for count, (reason, damaged) in enumerate(damages.items(), 2):
        path = tmp_path / f"{count}.wav"
        path.write_bytes(damaged)
        opened(page, path)
        assert page.inner_text("#session-title") == path.name
        assert "The answers in this session are damaged (" in page.inner_text("#notice")
        assert reason in page.inner_text("#notice")
        assert "only its sound was opened" in page.inner_text("#notice")
        assert len(site.fake.uploads) == count, "it is answered as a recording"
        assert page.is_enabled("#play")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"scores": [None]}, r"angry.flac.scores\[0\] should be an object"),
        ({"label": None}, "angry.flac.label should be text"),
        ({"segments": [{"start": "x", "end": 1, "label": "sad"}]}, r"segments\[0\].start should be a time in seconds"),
        ({"segments": [{"start": 2, "end": 1, "label": "sad"}]}, r"segments\[0\] should be from its start to a later"),
        ({"segments": []}, None),
        ({"segments": [{"start": 0, "end": 1, "label": "sad"}]}, None),
    ],
)
def test_answers_that_were_edited(site, tmp_path, change, sentence):
    answer = {"file": "angry.flac", "model": "compact", "label": "sad", "scores": [{"label": "sad", "score": 0.9}]}
    (tmp_path / "edited.json").write_text(json.dumps(answer | {"segments": []} | change))
    page = site.open()
    page.set_input_files("#file", tmp_path / "edited.json")
    if sentence is None:
        page.wait_for_selector("#after:not([hidden])")
        page.focus("#ribbon")
        page.keyboard.press("End")
        page.click("#as-table summary")
        page.wait_for_timeout(100)  # a frame more is drawn
        assert page.inner_text("#session-title") == "angry.flac"
        return
    page.wait_for_selector("#notice.error")
    assert re.search(f"edited.json: These answers are damaged: .*{sentence}", page.inner_text("#notice"))
    assert page.is_enabled("#listen")


def test_channels_in_opposite_phase_are_heard(site, tmp_path):
    page = site.open()
    voice, rate_hz = soundfile.read(ROOT / "examples/angry.flac", dtype="float32")
    soundfile.write(tmp_path / "opposite.wav", np.stack([voice, -voice], axis=1), rate_hz)
    opened(page, tmp_path / "opposite.wav")
    (tmp_path / "session.wav").write_bytes(saved(page, "session")[1])
    assert np.abs(soundfile.read(tmp_path / "session.wav")[0]).max() > 0.9 * np.abs(voice).max()


def test_opening_can_be_cancelled(site):
    page = site.open()
    page.evaluate("void (OfflineAudioContext.prototype.decodeAudioData = () => new Promise(() => {}))")
    page.set_input_files("#file", ROOT / "examples/angry.flac")
    page.click("#cancel")
    until(page, f"{CHOSEN} === 'Stopped.'")
    assert page.is_enabled("#listen")


def test_what_is_gone_or_empty_is_said(site, tmp_path):
    site.fake.slow_s = 1.5
    for name in ("gone.wav", "empty.wav"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "gone.wav").write_bytes(b"RIFF")
    page = site.open()
    page.set_input_files("#file", [ROOT / "examples/angry.flac", tmp_path / "gone.wav", tmp_path / "empty.wav"])
    until(page, "document.querySelector('#progress-text').textContent.includes('listens')")
    (tmp_path / "gone.wav").unlink()
    until(page, "document.querySelector('#notice').textContent.includes('empty.wav: nothing can be read')")
    assert "gone.wav: nothing can be read here: it is an empty file, a folder, or was moved. empty" in page.inner_text(
        "#notice"
    )
    assert len(site.fake.uploads) == 1


def test_what_is_dropped_while_it_listens_is_not_swallowed(site):
    page = site.open()
    listen(page)
    drop = dropped(page, "t.items.add(new File(['x'], 'x.flac'))")
    next(drop)
    next(drop, None)
    assert "press Stop" in page.inner_text("#notice.error")
    stop(page)


def test_text_that_is_dragged_is_no_recording(site):
    page = site.open()
    drop = dropped(page, "t.setData('text/plain', 'a word')")
    next(drop)
    assert page.is_hidden("#drop")
    next(drop, None)
    assert page.is_hidden("#notice")


def recorded(page, script):
    """Record 3 s, with `script` done to the microphone's `track` after a second."""
    page.evaluate(
        "() => { const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "navigator.mediaDevices.getUserMedia = async (wish) => { const media = await ask(wish);"
        f"const [track] = media.getAudioTracks(); {script}; return media; }} }}"
    )
    page.click("#record")
    page.wait_for_selector("#progress:not([hidden])")
    page.wait_for_selector("#after:not([hidden])")


def test_a_microphone_that_goes_while_it_records(site):
    page = site.open()
    recorded(page, "setTimeout(() => track.dispatchEvent(new Event('ended')), 1500)")
    assert re.search(r"The microphone was taken away: only \d\.\d s were recorded", page.inner_text("#notice"))


def test_a_microphone_that_is_muted_while_it_records(site):
    page = site.open()
    recorded(page, "track.enabled = false")
    assert "Is it muted" in page.inner_text("#notice")


def pausable(page):
    """The microphone of this page stops with `pause()`, as a call on a phone does it, until `over()`."""
    page.evaluate(
        "() => { const { prototype } = AudioContext; const { resume } = prototype; let context, isOver = true;"
        "prototype.resume = function () { context = this; return isOver ? resume.call(this) : Promise.reject(); };"
        "window.pause = () => { isOver = false; context.suspend(); }; window.over = () => { isOver = true; }; }"
    )


def test_a_microphone_that_the_browser_pauses_is_told_and_comes_back(site):
    page = site.open()
    pausable(page)
    listen(page)
    page.evaluate("pause()")
    until(page, "document.querySelector('#notice-text').textContent.includes('has paused the microphone')")
    assert page.get_attribute("#level", "aria-valuenow") == "-60"
    page.evaluate("over()")
    until(page, "/is back: about [2-9]/.test(document.querySelector('#notice-text').textContent)")
    count = page.get_attribute("#latency", "data-count")
    until(page, f"Number(document.querySelector('#latency').dataset.count) > {count}")
    page.evaluate("pause()")
    until(page, "document.querySelector('#notice-text').textContent.includes('has paused the microphone')")
    stop(page)
    assert page.is_hidden("#notice"), "nothing comes any more"


def test_a_recording_can_be_cancelled_while_the_microphone_is_paused(site):
    page = site.open()
    pausable(page)
    page.click("#record")
    until(page, "document.querySelector('#progress-bar').value > 0.1")
    page.evaluate("pause()")
    until(page, "document.querySelector('#notice-text').textContent.includes('has paused the microphone')")
    page.click("#cancel")
    until(page, "document.querySelector('#notice-text').textContent === 'Stopped.'")
    assert page.is_enabled("#record")
    assert page.is_hidden("#session")


def test_labels_that_are_not_saved_are_not_replaced_unasked(site, tmp_path):
    page = site.open()
    opened(page, ROOT / "examples/changing.flac")
    page.click("#label-open")
    page.keyboard.press("1")
    with page.expect_download() as waiting:
        page.click("#labels-save")
    waiting.value.save_as(tmp_path / "labels.json")
    page.keyboard.press("2")
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.set_input_files("#labelling input[type=file]", tmp_path / "labels.json")
    until(page, "document.querySelector('.piece').textContent.includes('2 labelled')")
    page.wait_for_timeout(200)
    assert "not saved" in asked[0]
    assert "2 labelled" in page.inner_text(".piece")
    page.once("dialog", lambda dialog: dialog.accept())
    page.set_input_files("#labelling input[type=file]", tmp_path / "labels.json")
    until(page, "document.querySelector('.piece').textContent.includes('1 labelled')")


def test_at_the_end_the_last_answer_stands(site, tmp_path):
    answer = {"file": "a.wav", "model": "compact", "label": "sad", "scores": [{"label": "sad", "score": 0.9}]}
    segments = [{"start": 0, "end": 8400, "label": "sad", "scores": answer["scores"]}]
    (tmp_path / "a.json").write_text(json.dumps(answer | {"segments": segments}))
    page = site.open()
    opened(page, tmp_path / "a.json")
    assert page.inner_text("#legend .figure") == "2:20:00"
    page.focus("#ribbon")
    page.keyboard.press("End")
    assert page.inner_text(".word") == "sad"
