"""“Why?” on the page: what is asked of the service, what is shown, and what is kept from whom."""

from __future__ import annotations

import io
from pathlib import Path

import fake_service
import pytest
import soundfile
from test_page import listen, stop, until

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "changing.flac"


def opened(site, **options):
    page = site.open(**options)
    page.set_input_files("#file", EXAMPLE)
    page.wait_for_selector("#after:not([hidden])")
    return page


def click_at(page, share):
    box = page.locator("#ribbon").bounding_box()
    page.mouse.click(box["x"] + box["width"] * share, box["y"] + 20)


def test_the_answer_to_a_place_is_explained(site):
    """Of the scripted answer to the file, 2.5 to 4 s is one label; as much sound as one answer needs is sent."""
    page = opened(site)
    length = float(page.get_attribute("#ribbon", "aria-valuemax"))
    click_at(page, 3.2 / length)
    label = page.inner_text(".word")
    assert page.inner_text("#why-open") == f"Why {label}?"
    page.click("#why-open")
    page.wait_for_selector("canvas.tiles")
    (asked,) = site.fake.explained
    assert (asked["model"], asked["label"]) == ("compact", label)
    assert float(asked["offset"]) == pytest.approx(1.75, abs=0.01)
    sound = soundfile.info(io.BytesIO(asked["bytes"]))
    assert sound.duration == pytest.approx(3.0, abs=0.01)
    text = page.inner_text("#why")
    assert text.startswith(f"Why {label}?")
    assert f"takes {label} from 70 to 40" in text
    assert "0:01.8 to 0:04.8" in text
    assert "does not tell what anybody feels" in text
    page.click("#why summary")
    assert page.locator("#why tbody tr").count() == 10 + 5 + 1
    assert "How true this is of the model" in page.inner_text("#why details")


def test_an_unsure_answer_is_explained_as_one(site, monkeypatch):
    page = opened(site)
    monkeypatch.setattr(fake_service, "UNSURE_BELOW", 0.8)
    page.click("#why-open")
    page.wait_for_selector("canvas.tiles")
    asked = site.fake.explained[-1]["label"]
    assert f"heard by itself by compact: unsure, at best {asked} 70" in page.inner_text("#why")


def test_the_tiles_are_drawn_in_both_themes(site):
    page = opened(site, color_scheme="light")
    page.click("#why-open")
    page.wait_for_selector("canvas.tiles")

    def pixel(x, y):
        page.wait_for_timeout(100)
        return page.evaluate(
            "([x, y]) => {"
            " const copy = new OffscreenCanvas(400, 300).getContext('2d', {willReadFrequently: true});"
            " copy.drawImage(document.querySelector('.tiles'), 0, 0);"
            " return [...copy.getImageData(x, y, 1, 1).data]; }",
            [x, y],
        )

    # The first stretch at the bottom speaks for it (blue), the band above it against it (orange).
    red, _, blue, alpha = pixel(130, 180)
    assert (alpha, blue > red + 60) == (255, True)
    red, _, blue, _ = pixel(130, 130)
    assert red > blue
    light = pixel(130, 180)
    page.click("#theme")
    assert pixel(130, 180) != light


def test_it_is_closed_by_escape_and_the_focus_goes_back(site):
    page = opened(site)
    page.keyboard.press("w")
    page.wait_for_selector("canvas.tiles")
    assert page.evaluate("document.activeElement.id") == "why-title"
    page.keyboard.press("Escape")
    assert page.is_hidden("#why")
    assert page.evaluate("document.activeElement.id") == "why-open"


def test_it_can_be_called_off(site):
    page = opened(site)
    site.fake.slow_s = 20.0
    page.click("#why-open")
    page.wait_for_selector("#why progress")
    page.get_by_role("button", name="Cancel").last.click()
    assert page.is_hidden("#why")
    end = 200
    while not site.fake.left and (end := end - 1):
        page.wait_for_timeout(50)
    assert site.fake.left, "the service notices that nobody waits"


def test_an_error_is_one_sentence(site):
    page = opened(site)
    site.fake.error = (400, "the sound: nobody speaks in it")
    page.click("#why-open")
    page.wait_for_selector("#why .wrong")
    assert page.inner_text("#why .wrong") == "the sound: nobody speaks in it"
    assert [problem for problem in site.problems if "400" not in problem] == []
    site.problems.clear()  # the browser logs every answer that is no success


def test_where_nobody_speaks_there_is_nothing_to_explain(site):
    page = opened(site)
    click_at(page, 0.02)
    assert page.inner_text(".word") == "silence"
    assert page.is_disabled("#why-open")


def test_who_labels_is_not_told(site):
    page = opened(site)
    page.click("#why-open")
    page.wait_for_selector("canvas.tiles")
    page.click("#label-open")
    assert page.is_hidden("#why"), "the answers are kept from who labels"
    assert page.is_disabled("#why-open")
    assert page.inner_text("#why-open") == "Why?"


@pytest.mark.parametrize("fake", [{"models": ("compact", "compact-open")}], indirect=True)
def test_every_model_can_be_asked(site):
    page = site.open()
    page.check("#models input[value=compact-open]")
    page.set_input_files("#file", EXAMPLE)
    page.wait_for_selector("#after:not([hidden])")
    page.click("#why-open")
    page.wait_for_selector("canvas.tiles")
    page.click("#why .choice button:last-child")
    until(page, "document.querySelector('#why .choice button:last-child').ariaPressed === 'true'")
    page.wait_for_selector("canvas.tiles")
    assert [one["model"] for one in site.fake.explained] == ["compact", "compact-open"]


def test_of_a_live_session_only_the_place_is_sent(any_site):
    page = any_site.open()
    listen(page, answers=8, seconds=5)
    stop(page)
    end = float(page.get_attribute("#ribbon", "aria-valuemax"))
    # Wherever in the session somebody speaks first.
    for share in (0.2, 0.4, 0.6, 0.8):
        click_at(page, share)
        if not page.is_disabled("#why-open"):
            break
    page.click("#why-open")
    page.wait_for_selector("canvas.tiles", timeout=120_000)
    text = page.inner_text("#why")
    assert text.startswith("Why ")
    assert "nor what anybody feels" in text or any_site.fake
    if any_site.fake:
        (asked,) = any_site.fake.explained
        assert 1.9 < soundfile.info(io.BytesIO(asked["bytes"])).duration < end + 0.1
