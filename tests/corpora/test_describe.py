"""Counting a corpus from its headers, and the list of all of them."""

import subprocess
import sys

import numpy as np
import soundfile

from intonate import corpora
from intonate.corpora.describe import describe, overview


def plant(root):
    for place, name in enumerate(("happy/anna/1.wav", "happy/ben/1.wav", "sad/anna/2.flac")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, np.zeros(8000 * (place + 1)), 16_000 if place else 8_000)
    (root / "sad" / "broken.wav").write_text("this is no sound")
    (root / "monday.wav").write_text("")
    return root


def test_a_small_folder_is_counted(tmp_path):
    description = describe("folder", plant(tmp_path))
    assert description.emotions == {"happy": 2, "sad": 1}
    assert description.speakers == {"folder/anna": 2, "folder/ben": 1}
    assert description.duration_s == 1.0 + 1.0 + 1.5
    assert (description.shortest_s, description.longest_s) == (1.0, 1.5)
    assert description.sample_rates_hz == {8_000: 1, 16_000: 2}
    assert [problem.path for problem in description.problems] == [
        str(tmp_path / "monday.wav"),
        str(tmp_path / "sad" / "broken.wav"),
    ]
    text = description.to_text()
    assert "3 clips, 2 speakers (2 gender not known), 0.1 minutes, 8 kHz, 16 kHz" in text
    assert "2 files left out:" in text
    assert text.count(str(tmp_path / "sad" / "broken.wav")) == 1


def test_segments_of_one_file_are_counted_by_their_own_length(tmp_path):
    soundfile.write(tmp_path / "long.wav", np.zeros(160_000), 16_000)
    (tmp_path / "labels.csv").write_text(
        "file,start,end,emotion\nlong.wav,0,2,sad\nlong.wav,2,5,happy\nlong.wav,5,,sad\n"
    )
    description = describe("table", tmp_path / "labels.csv")
    assert description.clips == 3
    assert (description.duration_s, description.shortest_s, description.longest_s) == (10, 2, 5)
    assert description.sample_rates_hz == {16_000: 1}
    assert "speakers not known" in description.to_text()


def test_a_partial_copy_says_how_partial(tmp_path):
    (tmp_path / "samples").mkdir()
    soundfile.write(tmp_path / "samples" / "SM0_happiness_66.wav", np.zeros(16_000), 16_000)
    (tmp_path / "data.tsv").write_text(corpora.get("nemo").example_table["data.tsv"], encoding="utf-8")
    text = describe("nemo", tmp_path).to_text()
    assert "1 of the 4,481 published clips are here" in text
    assert "2 of the table's files are not on disk" in text
    assert "1 of 749" in text


def test_a_folder_where_nothing_opens_is_described_too(tmp_path):
    (tmp_path / "sad").mkdir()
    (tmp_path / "sad" / "1.wav").write_bytes(b"")
    description = describe("folder", tmp_path)
    assert description.clips == 0
    assert "1 file left out" in description.to_text()


def test_overview_lists_the_catalogue():
    rows = overview()
    assert [row.name for row in rows] == sorted(corpora.CATALOGUE)
    (ravdess,) = [row for row in rows if row.name == "ravdess"]
    assert (ravdess.clips, ravdess.speakers, ravdess.language) == (1440, 24, "en")


def test_reading_needs_only_the_core_install():
    code = (
        "import sys; from intonate.corpora import describe, manifest, splits; describe.overview();"
        "heavy = {'torch', 'pandas', 'scipy', 'sklearn', 'librosa', 'onnxruntime'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
