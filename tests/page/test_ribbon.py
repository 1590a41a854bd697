"""What is drawn on the ribbon: every word lies inside the block that it is about, at every zoom."""

from __future__ import annotations

import itertools
import json

import pytest

LABELS = ["angry", "happy", "unsure", "neutral", "sad", "silence", "surprise"]
LENGTHS_S = [0.5, 1.5, 3.0, 1.5, 6.0]
# Blocks of this width have a word, CSS pixels.
NAMED_PX = 14
# Remembers the boxes and the words of the newest paint, which begins by wiping the canvas.
RECORDER = """
  const { clearRect, roundRect, fillText } = CanvasRenderingContext2D.prototype;
  Object.assign(CanvasRenderingContext2D.prototype, {
    clearRect(...args) { window.drawn = { boxes: [], words: [] }; clearRect.apply(this, args); },
    roundRect(left, top, width, ...rest) {
      drawn.boxes.push({ left, right: left + width, top, colour: this.fillStyle });
      roundRect.call(this, left, top, width, ...rest);
    },
    fillText(text, left, middle) {
      drawn.words.push({ text, left, right: left + this.measureText(text).width, middle });
      fillText.call(this, text, left, middle);
    },
  });
"""


def answers(path):
    """Ten minutes of blocks of many lengths, as a saved answer."""
    segments, start = [], 0.0
    for label, length in zip(itertools.cycle(LABELS), itertools.cycle(LENGTHS_S)):
        if start >= 600:
            break
        scores = [] if label == "silence" else [{"label": "sad" if label == "unsure" else label, "score": 0.5}]
        segments.append({"start": start, "end": start + length, "label": label, "scores": scores})
        start += length
    answer = {"file": "ten.wav", "label": "sad", "scores": [{"label": "sad", "score": 0.5}], "model": "compact"}
    path.write_text(json.dumps(answer | {"segments": segments, "transcript": ""}))
    return path


@pytest.mark.parametrize("width", [360, 1280])
def test_no_word_lies_over_a_block_of_another_colour(site, tmp_path, width):
    page = site.open(viewport={"width": width, "height": 740})
    page.evaluate(RECORDER)
    page.set_input_files("#file", answers(tmp_path / "ten.json"))
    page.wait_for_selector("#after:not([hidden])")
    seen, named = page.locator("#ribbon").bounding_box()["width"], 0
    for _ in range(9):
        page.wait_for_timeout(150)
        drawn = page.evaluate("drawn")
        lane = min(box["top"] for box in drawn["boxes"])
        blocks = [box for box in drawn["boxes"] if box["top"] == lane]
        plates = [box for box in drawn["boxes"] if lane < box["top"] < lane + 32]
        words = [word for word in drawn["words"] if lane < word["middle"] < lane + 32]
        for mark in [*words, *plates]:
            assert any(box["left"] <= mark["left"] and mark["right"] <= box["right"] for box in blocks), mark
        for box in blocks:
            shown = min(box["right"], seen) - max(box["left"], 0)
            inside = [word["text"] for word in words if box["left"] <= word["left"] <= box["right"]]
            assert len(inside) == 1 if shown >= NAMED_PX else len(inside) <= 1, (box, inside)
        named += len(words)
        page.click("#near")
    assert named > 20
