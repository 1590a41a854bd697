"""In the tab, models that give more than a label: numbers instead, and several labels with numbers beside."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tabs import Server, Tab

from intonate.recognizer.recognizer import load_model
from intonate.web.site import write_site

sys.path.insert(0, str(Path(__file__).parents[1] / "recognizer"))
import tiny

ROOT = Path(__file__).parents[2]
EXAMPLES = [ROOT / f"examples/{name}.flac" for name in ("angry", "changing")]
NUMBERS = ["arousal", "dominance", "valence"]


def until(page, expression, seconds=60.0):
    for _ in range(round(seconds / 0.05)):
        if page.evaluate(f"Boolean({expression})"):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {expression}")


@pytest.fixture(scope="module")
def wav2small(tmp_path_factory):
    """Random weights in the published shape: arousal, dominance, valence, and no labels."""
    pytest.importorskip("torch", reason="needs the extra train")
    import small_speech

    from intonate.converters import convert

    folder = tmp_path_factory.mktemp("wav2small")
    return convert(small_speech.wav2small(folder / "wav2small"), folder / "made")


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Several labels at once, with a threshold between the scores of what it hears first, and two numbers beside."""
    path, outputs = tmp_path_factory.mktemp("several") / "several.onnx", len(tiny.LABELS) + 2
    spec = {"name": "several", "multi_label": True, "dimensions": ("arousal", "valence"), "temperature": 8.0}
    tiny.write(path, tiny.spec(**spec), classes=outputs)
    values = sorted(load_model(path).predict(EXAMPLES[0]).scores.values())
    tiny.write(path, tiny.spec(**spec, abstain_below=(values[-2] + values[-3]) / 2), classes=outputs)
    return path


@pytest.fixture(scope="module")
def numbers(browser, runtime, wav2small, tmp_path_factory):
    yield from opened(browser, write_site(tmp_path_factory.mktemp("web") / "site", [str(wav2small)], runtime))


@pytest.fixture(scope="module")
def labels(browser, runtime, several, tmp_path_factory):
    yield from opened(browser, write_site(tmp_path_factory.mktemp("web") / "site", [str(several)], runtime))


def opened(browser, site):
    server = Server(site)
    tab = Tab(browser, server, viewport={"width": 1200, "height": 860}, reduced_motion="reduce")
    yield tab
    tab.context.close()
    server.close()
    assert tab.problems == []


def scores(answer):
    return {entry["label"]: entry["score"] for entry in answer["scores"]}


def test_numbers_are_the_native_ones(numbers, wav2small, tmp_path):
    model = load_model(wav2small)
    soundfile.write(tmp_path / "silence.wav", np.zeros(48_000), 16_000)
    for path in [*EXAMPLES, tmp_path / "silence.wav"]:
        answer, native = numbers.answer(path), model.predict(path)
        assert answer["label"] == native.label
        assert answer["scores"] == []
        assert answer.get("dimensions", {}) == pytest.approx(dict(native.dimensions), abs=1e-3)
    # Every stretch of speech stays by itself: the numbers move.
    path = tmp_path / "long.wav"
    length = round((model.spec.pool.longest_s + 6) * 16_000)
    soundfile.write(path, np.resize(soundfile.read(EXAMPLES[0])[0], length), 16_000)
    answer, native = numbers.answer(path), model.predict(path)
    assert len(answer["segments"]) == len(native.segments) > 4
    for ours, theirs in zip(answer["segments"], native.segments, strict=True):
        if ours["label"] == theirs.label == "speech":  # the tab hears speech by the level alone
            assert ours["dimensions"] == pytest.approx(dict(theirs.dimensions), abs=1e-3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_and_a_way_through_the_plane(numbers, scheme):
    page = numbers.page
    page.emulate_media(color_scheme=scheme)
    assert page.locator(".dimensions .name").all_inner_texts() == NUMBERS
    assert page.is_hidden(".dial")
    numbers.server.requests.clear()
    page.click("#listen")
    page.wait_for_selector("#listen.on")
    until(page, "document.querySelectorAll('.way line').length >= 2")
    page.click("#listen")
    page.wait_for_selector("#after:not([hidden])")
    assert all(0 <= float(text) <= 1 for text in page.locator(".dimensions .share").all_inner_texts())
    arousal, _, valence = page.locator(".dimensions .share").all_inner_texts()
    assert page.get_attribute(".plane svg", "aria-label") == f"Arousal {arousal}, valence {valence}"
    if page.get_attribute("#as-table", "open") is None:
        page.click("#as-table summary")
    page.wait_for_selector("#as-table th")
    assert page.locator("#as-table th").all_inner_texts() == ["From", "To", "Sounds", *NUMBERS]
    assert numbers.server.requests == []


def test_all_of_it_is_in_sight_on_a_phone(numbers):
    page = numbers.page
    numbers.answer(EXAMPLES[0])
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for selector in (".plane", ".dimensions"):
        box = page.locator(selector).bounding_box()
        assert box["x"] >= 14
        assert box["x"] + box["width"] <= 346
    page.set_viewport_size({"width": 1200, "height": 860})


def test_several_labels_are_the_native_ones(labels, several):
    model, page = load_model(several), labels.page
    counts = set()
    for path in EXAMPLES:
        answer, native = labels.answer(path), model.predict(path)
        assert scores(answer) == pytest.approx(dict(native.scores), abs=1e-3)
        assert answer["labels"] == list(native.labels)
        assert (answer["label"], answer["abstained"]) == (native.shown_label, native.abstained)
        assert answer["dimensions"] == pytest.approx(dict(native.dimensions), abs=1e-3)
        counts.add(len(native.labels))
        best, *others = native.labels or ("unsure",)
        assert page.inner_text("#stage .word") == best
        assert all(f"{label} " in page.inner_text("#stage .also") for label in others)
    assert max(counts) > 1


def test_several_labels_live(labels):
    page = labels.page
    page.click("#listen")
    page.wait_for_selector("#listen.on")
    until(page, "document.querySelector('#stage .also').textContent.startsWith('with ')")
    shares = page.locator("#stage .bars .share").all_inner_texts()
    assert sum(int(text.split()[0]) for text in shares if text != "–") > 110
    page.click("#listen")
    page.wait_for_selector("#after:not([hidden])")
    with page.expect_download() as waiting:
        page.click("[data-save=csv]")
    head, *rows = waiting.value.path().read_text().splitlines()
    assert head.split(",")[6:9] == ["score", "labels", tiny.LABELS[0]]
    assert any("; " in row for row in rows)
