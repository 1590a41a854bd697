"""The page in Chromium, with a microphone that plays a clip: listening, files, replay, saving, labelling."""

from __future__ import annotations

import io
import itertools
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from intonate.recognizer.builtin import DEFAULT

ROOT = Path(__file__).parents[2]

SEVEN = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
NO_VOICE = ["silence", "noise"]


def until(page, expression, seconds=30.0):
    """Wait until a JavaScript expression is true: Playwright's own way needs `eval`, which the policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < end, f"never came true: {expression}"
        page.wait_for_timeout(50)


def listen(page, answers=6, seconds=3.0):
    """Press Listen, and wait until there are answers."""
    page.click("#listen")
    page.wait_for_selector("#listen.on")
    until(page, f"Number(document.querySelector('#latency').dataset.count) >= {answers}")
    until(page, f"document.querySelector('#elapsed').textContent >= '0:{int(seconds):02d}'")


def stop(page):
    page.click("#listen")
    page.wait_for_selector("#after:not([hidden])")


def saved(page, kind):
    with page.expect_download() as waiting:
        page.click(f"[data-save={kind}]")
    path = waiting.value.path()
    return waiting.value.suggested_filename, path.read_bytes()


def playhead(page):
    return float(page.get_attribute("#ribbon", "aria-valuenow"))


def test_listen_and_stop(any_site):
    page = any_site.open()
    assert page.inner_text("#claim").startswith("Emotion recognition is not running now.")
    listen(page)
    assert page.inner_text("#claim").startswith("Emotion recognition is running.")
    assert "never about what someone feels" in page.inner_text("#claim")
    assert page.inner_text(".word") in [*SEVEN, *NO_VOICE, "unsure"]
    assert page.inner_text("#activity-text") in ["speech", *NO_VOICE]
    assert int(page.get_attribute("#level", "aria-valuenow")) >= -60
    assert float(page.get_attribute("#latency", "data-p95")) < 2_000
    stop(page)
    assert page.inner_text("#now-title") == "Whole session"
    assert page.inner_text("#claim").startswith("Emotion recognition is not running now.")


def test_everything_heard_is_sent_and_saved(site):
    page = site.open()
    listen(page)
    stop(page)
    name, audio = saved(page, "wav")
    samples, rate = soundfile.read(io.BytesIO(audio), dtype="int16")
    (session,) = site.fake.sessions.values()
    assert re.fullmatch(r"session [\d-]+ [\d.]+\.wav", name)
    assert rate == session.rate
    assert len(samples) == session.received
    # It is the clip, not zeros: the fake microphone beeps if it was not given one.
    assert np.abs(samples).max() > 3_000


def test_the_session_can_be_saved_as_json_csv_and_srt(any_site):
    page = any_site.open()
    listen(page, answers=8, seconds=5)
    stop(page)
    answer = json.loads(saved(page, "json")[1])
    segments = answer["segments"]
    assert answer["model"] in (DEFAULT, "compact")  # of the service, and of the scripted one
    assert segments[0]["start"] == 0
    assert all(one["end"] == other["start"] for one, other in itertools.pairwise(segments))
    assert {one["label"] for one in segments} <= {*SEVEN, *NO_VOICE, "unsure"}
    lines = saved(page, "csv")[1].decode().splitlines()
    assert lines[0].startswith("file,start,end,label,guess,abstained,score,angry,")
    assert len(lines) == len(segments) + 1
    spoken = [one for one in segments if one["label"] not in NO_VOICE]
    # A label that is held through a pause makes no cue.
    assert 0 < saved(page, "srt")[1].decode().count("-->") <= len(spoken)


def test_replay_runs_in_step_and_can_be_moved(any_site):
    page = any_site.open()
    listen(page)
    stop(page)
    page.click("#play")
    until(page, "document.querySelector('#play').textContent === 'Pause'")
    until(page, "/0:0[1-9]/.test(document.querySelector('#now-title').textContent)")
    page.click("#play")
    box = page.locator("#ribbon").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    length = float(page.get_attribute("#ribbon", "aria-valuemax"))
    assert playhead(page) == pytest.approx(length / 2, abs=0.1)
    page.focus("#ribbon")
    moves = {"Home": 0, "ArrowRight": 1, "Shift+ArrowRight": 11, "ArrowLeft": min(11, length) - 1, "End": length}
    for key, at in moves.items():
        page.keyboard.press(key)
        assert playhead(page) == pytest.approx(min(at, length), abs=0.11), key
    assert page.get_attribute("#ribbon", "aria-valuetext").startswith("0:")
    assert page.inner_text("#now-title").startswith("At 0:")


def test_at_the_end_it_plays_from_the_start_again(site):
    page = site.open()
    listen(page)
    stop(page)
    page.focus("#ribbon")
    page.keyboard.press("End")
    page.keyboard.press("Space")
    until(page, "/At 0:00/.test(document.querySelector('#now-title').textContent)")


@pytest.mark.parametrize("name", ["angry.flac", "changing.flac"])
def test_a_file_is_answered_and_drawn(any_site, name):
    page = any_site.open()
    page.set_input_files("#file", ROOT / "examples" / name)
    page.wait_for_selector("#after:not([hidden])")
    assert page.inner_text("#session-title") == name
    assert page.inner_text("#now-title") == "Whole recording"
    assert page.inner_text(".word") in [*SEVEN, "unsure"]
    assert page.is_enabled("#play")
    assert json.loads(saved(page, "json")[1])["file"] == name
    page.click("#as-table summary")
    page.wait_for_selector("#as-table tbody tr")


@pytest.mark.parametrize(("familiarity", "is_doubted"), [(None, False), (0.5, False), (0.1, True), (0.0, True)])
def test_a_file_unlike_the_training_is_doubted(site, familiarity, is_doubted):
    site.fake.familiarity = familiarity
    page = site.open()
    page.set_input_files("#file", ROOT / "examples/angry.flac")
    page.wait_for_selector("#after:not([hidden])")
    assert page.is_visible(".caution") is is_doubted
    assert json.loads(saved(page, "json")[1]).get("familiarity") == familiarity
    page.keyboard.press("ArrowRight")
    page.click("#listen")
    page.wait_for_selector("#listen.on")
    assert not page.is_visible(".caution"), "it is about the file"


def test_a_file_can_be_dropped(site):
    page = site.open()
    data = list((ROOT / "examples" / "angry.flac").read_bytes())
    holding = "d => { const t = new DataTransfer(); t.items.add(new File([new Uint8Array(d)], 'x.flac')); return t; }"
    transfer = page.evaluate_handle(holding, data)
    page.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
    assert page.is_visible("#drop")
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    page.wait_for_selector("#after:not([hidden])")
    assert not page.is_visible("#drop")
    assert site.fake.uploads[0]["bytes"] == bytes(data)
    assert site.fake.uploads[0]["timeline"] == "1"


def test_what_the_service_may_not_read_is_sent_as_wav(site, tmp_path, clip):
    av = pytest.importorskip("av", reason="needs the extra media")
    path = tmp_path / "voice.webm"
    with av.open(str(path), "w") as out, av.open(str(clip)) as source:
        stream = out.add_stream("libopus", rate=48_000, layout="mono")
        for frame in source.decode(audio=0):
            frame.pts = None
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    page = site.open()
    page.set_input_files("#file", path)
    page.wait_for_selector("#after:not([hidden])")
    (upload,) = site.fake.uploads
    samples, rate = soundfile.read(io.BytesIO(upload["bytes"]))
    assert upload["name"] == "voice.webm.wav"
    assert len(samples) / rate == pytest.approx(soundfile.info(clip).duration, abs=0.1)


def test_a_file_that_is_no_sound_is_refused_in_one_sentence(any_site, tmp_path):
    if any_site.fake:
        any_site.fake.error = (400, "the upload is not a sound file")
    path = tmp_path / "letter.wav"
    path.write_text("Dear sir or madam")
    page = any_site.open()
    page.set_input_files("#file", path)
    page.wait_for_selector("#notice.error")
    assert "the upload" in page.inner_text("#notice-text")
    assert not page.is_visible("#session")
    assert page.is_enabled("#listen")
    any_site.problems[:] = [one for one in any_site.problems if "status of 400" not in one]


def test_a_long_answer_shows_progress_and_can_be_cancelled(site):
    site.fake.slow_s = 5.0
    page = site.open()
    page.set_input_files("#file", ROOT / "examples" / "angry.flac")
    until(page, "document.querySelector('#progress-text').textContent.includes('listens')")
    page.click("#cancel")
    until(page, "document.querySelector('#notice-text').textContent === 'Stopped.'")
    assert page.is_enabled("#listen")
    assert not page.is_visible("#progress")


def test_three_seconds_are_recorded(any_site):
    page = any_site.open()
    page.click("#record")
    page.wait_for_selector("#progress:not([hidden])")
    page.wait_for_selector("#after:not([hidden])")
    assert page.inner_text("#session-title") == "recording.wav"
    samples, rate = soundfile.read(io.BytesIO(saved(page, "wav")[1]))
    assert len(samples) == 3 * rate


@pytest.mark.parametrize("fake", [{"models": ("compact", "compact-open")}], indirect=True)
def test_models_side_by_side(site):
    page = site.open()
    assert page.locator(".state").count() == 1
    page.check("#models input[value=compact-open]")
    assert page.locator(".state").count() == 2
    listen(page)
    stop(page)
    assert page.locator(".state h3").all_inner_texts() == ["compact", "compact-open"]
    answers = json.loads(saved(page, "json")[1])
    assert [answer["model"] for answer in answers] == ["compact", "compact-open"]
    assert answers[0]["segments"] != answers[1]["segments"]
    for name in ("compact", "compact-open"):
        page.click(f"#models input[value={name}]")
    assert page.locator("#models input:checked").count() == 1, "one model has to stay"


def test_views(site):
    page = site.open()
    assert page.is_visible(".bars")
    page.click("[data-view=label]")
    assert not page.is_visible(".bars")
    page.reload()
    page.wait_for_selector("#connection[data-state=ready]")
    assert not page.is_visible(".bars"), "the choice is remembered"
    page.keyboard.press("v")
    assert page.is_visible(".bars")


def test_labelling_and_scores(site, tmp_path):
    page = site.open()
    listen(page, answers=12, seconds=8)
    stop(page)
    page.click("#label-open")
    assert page.inner_text(".piece b").startswith("Piece 1 of ")
    assert page.inner_text(".word") == "You say", "the model's answer would sway the person"
    assert not page.is_visible("#legend"), "so would how long each emotion was heard"
    page.keyboard.press("1")
    assert page.inner_text(".piece b").startswith("Piece 2 of ")
    page.keyboard.press("s")
    page.keyboard.press("0")
    page.keyboard.press("4")
    assert "3 labelled" in page.inner_text(".piece")
    page.keyboard.press("z")
    assert "2 labelled" in page.inner_text(".piece")
    page.click(".emotions [data-label=happy]")
    assert "3 labelled" in page.inner_text(".piece")
    figures = page.locator("[data-figure]").all_inner_texts()
    assert len(figures) == 4
    assert 1 <= int(figures[3]) <= 2, "the piece without speech is left out"
    page.uncheck("#leave-out")
    assert int(page.inner_text("[data-figure=Pieces]")) == 3
    page.select_option("#classes", "p4-4")
    assert "anger/disgust" in page.inner_text(".confusion")
    with page.expect_download() as waiting:
        page.click("#labels-save")
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    labels = json.loads(path.read_text())["labels"]
    assert [(one["start"], one["label"]) for one in labels] == [(0, "angry"), (4, "silence"), (6, "happy")]
    for _ in range(3):
        page.keyboard.press("z")
    assert "0 labelled" in page.inner_text(".piece")
    page.set_input_files("#labelling input[type=file]", path)
    until(page, "document.querySelector('.piece').textContent.includes('3 labelled')")
    page.keyboard.press("Escape")
    assert not page.is_visible("#labelling")


def test_a_new_session_takes_nobodys_place(site):
    page = site.open()
    listen(page)
    stop(page)
    page.click("#label-open")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    page.set_input_files("#file", [ROOT / "examples" / "angry.flac", ROOT / "examples" / "sad.flac"])
    page.wait_for_selector(".tab:nth-child(3)")
    page.wait_for_selector("#after:not([hidden])")
    assert page.inner_text("#session-title") == "sad.flac"
    assert [upload["name"] for upload in site.fake.uploads] == ["angry.flac", "sad.flac"]
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.click(".tab:nth-child(2) button[aria-label='Close angry.flac']")
    assert page.locator(".tab").count() == 2
    assert asked == [], "the file is still there"
    page.click(".tab:first-child button:last-child")
    assert "not saved" in asked[0]
    page.click(".tab:first-child button:first-child")
    page.click("#label-open")
    assert "1 labelled" in page.inner_text(".piece"), "the first session, with its label"


def test_a_file_that_fails_among_others_is_named_at_the_end(site, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    page = site.open()
    page.set_input_files("#file", [tmp_path / "broken.json", ROOT / "examples" / "angry.flac"])
    page.wait_for_selector("#after:not([hidden])")
    until(page, "document.querySelector('#notice').textContent.includes('broken.json: ')")
    assert page.inner_text("#session-title") == "angry.flac"


def test_closing_the_page_asks_where_something_would_be_lost(site):
    page = site.open()
    page.set_input_files("#file", ROOT / "examples" / "angry.flac")
    page.wait_for_selector("#after:not([hidden])")
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    page.wait_for_selector("#connection[data-state=ready]")
    assert asked == []
    listen(page)
    stop(page)
    page.reload()
    page.wait_for_selector("#connection[data-state=ready]")
    assert asked == ["beforeunload"]
    listen(page)
    stop(page)
    saved(page, "session")
    page.reload()
    page.wait_for_selector("#connection[data-state=ready]")
    assert asked == ["beforeunload"], "it is saved"


def test_a_saved_session_is_opened_again(site, tmp_path):
    page = site.open()
    listen(page, answers=8, seconds=5)
    stop(page)
    page.click("#label-open")
    page.keyboard.press("4")
    page.keyboard.press("Escape")
    name, content = saved(page, "session")
    answers = saved(page, "json")[1]
    samples = soundfile.read(io.BytesIO(content), dtype="int16")[0]  # any player plays it
    path = tmp_path / name
    path.write_bytes(content)
    (tmp_path / "answers.json").write_bytes(answers)
    again = site.open()
    again.set_input_files("#file", path)
    again.wait_for_selector("#after:not([hidden])")
    assert site.fake.uploads == [], "nothing is asked again"
    assert json.loads(saved(again, "json")[1]) == json.loads(answers)
    assert soundfile.read(io.BytesIO(saved(again, "wav")[1]), dtype="int16")[0].tolist() == samples.tolist()
    again.click("#label-open")
    assert "1 labelled" in again.inner_text(".piece")
    again.keyboard.press("Escape")
    again.set_input_files("#file", tmp_path / "answers.json")
    again.wait_for_selector(".tab:nth-child(2)")
    assert again.is_disabled("#play"), "there is no sound in it"
    assert json.loads(saved(again, "json")[1])["segments"] == json.loads(answers)["segments"]
    (tmp_path / "other.json").write_text("{}")
    again.set_input_files("#file", tmp_path / "other.json")
    again.wait_for_selector("#notice.error")
    assert "no answers" in again.inner_text("#notice-text")


def test_an_example_a_legend_and_seconds(any_site):
    page = any_site.open()
    before = page.locator("#listen").bounding_box()
    page.click("#example")
    page.wait_for_selector("#after:not([hidden])")
    assert page.inner_text("#session-title") == "example.mp3"
    rows = page.locator(".legend li").all_inner_texts()
    seconds = [float(re.search(r"([\d.]+)\u00a0s", row).group(1)) for row in rows]
    assert sum(seconds) == pytest.approx(16.5 if not any_site.fake else 5.5, abs=1)
    assert {row.split()[0] for row in rows} <= {*SEVEN, *NO_VOICE, "unsure"}
    assert page.locator("#listen").bounding_box()["x"] == before["x"]


@pytest.mark.parametrize(("width", "height"), [(1200, 860), (360, 740)])
def test_the_button_does_not_jump_when_it_is_pressed(site, width, height):
    page = site.open(viewport={"width": width, "height": height})
    before = page.locator("#listen").bounding_box()
    listen(page, answers=3, seconds=2)
    assert page.locator("#listen").bounding_box() == before
    stop(page)
    assert page.locator("#listen").bounding_box() == before or width > 600, "on a phone it never moves"


def test_the_matrix_agrees_with_the_ribbon(site):
    page = site.open()
    listen(page, answers=12, seconds=8)
    stop(page)
    page.click("#label-open")
    page.keyboard.press("1")
    page.uncheck("#leave-out")
    (segments,) = [json.loads(saved(page, "json")[1])["segments"]]
    held: dict[str, float] = {}
    for one in segments:
        if one["label"] not in NO_VOICE:
            inside = max(0.0, min(2.0, one["end"]) - one["start"])
            held[one["label"]] = held.get(one["label"], 0.0) + inside
    shown = max(held, key=lambda label: held[label]) if max(held.values()) >= 0.3 else "silence"
    classes = page.locator(".confusion thead th").all_inner_texts()
    row = page.locator(".confusion tbody tr").filter(has=page.locator("th", has_text="angry")).locator("td")
    assert classes[[cell == "1" for cell in row.all_inner_texts()].index(True)] == shown


@pytest.mark.parametrize("any_site", ["real"], indirect=True)
def test_plain_pieces_ask_for_four_merged_classes(any_site):
    page = any_site.open()
    page.click("#options summary")
    page.check("#plain")
    page.click("#listen")
    page.wait_for_selector("#listen.on")
    until(page, "Number(document.querySelector('#latency').dataset.count) >= 2")
    stop(page)
    assert any("plain=1&labels=p4-4" in url for url in any_site.requests)
    four = {"anger/disgust", "fear/surprise", "happiness", "sadness"}
    assert set(page.locator(".bars .name").all_inner_texts()) == four
    segments = json.loads(saved(page, "json")[1])["segments"]
    assert {one["label"] for one in segments} <= four | {"silence"}, "a quiet piece is saved as what is shown"
    assert all(one["end"] - one["start"] >= 1.99 for one in segments[:-1])


def test_the_transcript_is_shown_where_there_is_one(site):
    page = site.open()
    listen(page, answers=12, seconds=8)
    stop(page)
    assert "Kids are talking by the door." in page.inner_text("#said")


def test_the_ribbon_zooms(site):
    page = site.open()
    listen(page)
    stop(page)
    page.focus("#ribbon")
    before = page.screenshot(clip=page.locator("#ribbon").bounding_box())
    page.keyboard.press("+")
    page.wait_for_timeout(100)
    near = page.screenshot(clip=page.locator("#ribbon").bounding_box())
    page.keyboard.press("0")
    page.wait_for_timeout(100)
    assert near != before
    assert page.screenshot(clip=page.locator("#ribbon").bounding_box()) == before


def test_the_canvas_is_crisp_on_dense_screens(site):
    page = site.open(device_scale_factor=2)
    listen(page)
    stop(page)
    width, shown = page.eval_on_selector("#ribbon canvas", "c => [c.width, c.clientWidth]")
    assert width == 2 * shown


def test_a_file_can_be_labelled_and_scored(any_site):
    page = any_site.open()
    page.set_input_files("#file", ROOT / "examples" / "changing.flac")
    page.wait_for_selector("#after:not([hidden])")
    page.click("#label-open")
    for key in "1613":
        page.keyboard.press(key)
    page.uncheck("#leave-out")
    assert int(page.inner_text("[data-figure=Pieces]")) == 4
    assert page.locator(".confusion").count() == 1
