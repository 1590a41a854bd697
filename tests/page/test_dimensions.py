"""The page before a model that tells numbers and no labels: lines on the ribbon, and a way through the plane."""

from __future__ import annotations

import json

import pytest
from test_access import clean
from test_page import listen, saved, stop, until
from visits import Site, checked, served

NUMBERS = ["arousal", "dominance", "valence"]


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """The service with wav2small, random weights in the published shape."""
    pytest.importorskip("torch", reason="needs the extra train")
    import small_speech

    from intonate.converters import convert

    folder = tmp_path_factory.mktemp("wav2small")
    file = convert(small_speech.wav2small(folder / "wav2small"), folder / "made")
    with served(file) as running:
        yield running


@pytest.fixture
def numbers(browser, port):
    with checked(Site(browser, port)) as one:
        yield one


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_and_a_way_through_the_plane(numbers, scheme):
    page = numbers.open(color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)
    assert page.locator(".dimensions .name").all_inner_texts() == NUMBERS
    assert page.is_hidden("#view")
    assert page.is_hidden(".dial")
    clean(page)
    listen(page, answers=8, seconds=4)
    until(page, "document.querySelectorAll('.way line').length >= 2")
    clean(page)
    stop(page)
    values = [float(text) for text in page.locator(".dimensions .share").all_inner_texts()]
    assert all(0 <= value <= 1 for value in values)
    arousal, _, valence = page.locator(".dimensions .share").all_inner_texts()
    assert page.get_attribute(".plane svg", "aria-label") == f"Arousal {arousal}, valence {valence}"
    assert page.is_hidden("#label-open")
    page.click("#as-table summary")
    page.wait_for_selector("#as-table th")
    clean(page)
    assert page.locator("#as-table th").all_inner_texts() == ["From", "To", "Sounds", *NUMBERS]
    answer = json.loads(saved(page, "json")[1])
    assert [round(answer["dimensions"][name], 2) for name in NUMBERS] == pytest.approx(values, abs=0.011)
    # Each line has its colour on the ribbon.
    colours = page.evaluate(
        """() => {
          const canvas = document.querySelector('#ribbon canvas');
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          const seen = new Map();
          for (let at = 0; at < data.length; at += 4) {
            const key = [data[at], data[at + 1], data[at + 2]].join();
            seen.set(key, (seen.get(key) ?? 0) + 1);
          }
          return ['217,104,28', '43,138,208', '58,148,104'].map((key) => seen.get(key) ?? 0);
        }"""
    )
    assert min(colours) > 100


def test_on_a_phone_all_of_it_is_in_sight(numbers):
    page = numbers.open(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    listen(page, answers=4, seconds=2)
    for selector in (".plane", ".dimensions"):
        box = page.locator(selector).bounding_box()
        assert box["x"] >= 14
        assert box["x"] + box["width"] <= 346
    assert page.locator(".plane").bounding_box()["y"] + 200 < 740
    stop(page)
