"""One suite for every family of converters: a new one is held to it without a line being added here."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_families
import soundfile
from small_families import CASES

from intonate.converters import FAMILIES, convert, family_of
from intonate.converters.checkpoint import Checkpoint
from intonate.errors import ModelError
from intonate.recognizer.recognizer import load_model

# Of the Audio Spectrogram Transformer's own extractor, at its own default of 128 bands.
pytestmark = pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")

ROOT = Path(__file__).parents[2]
RAVDESS = ROOT.parent / "shared" / "corpora" / "ravdess"
SECONDS = (0.5, 1.31, 3.0, 7.77, 20.0)
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def sound():
    """Real speech, 20 s at 16 kHz: RAVDESS where it is, else the examples."""
    files = sorted(RAVDESS.rglob("*.flac"))[::97] or sorted((ROOT / "examples").glob("*.flac"))
    clips = [soundfile.read(file, dtype="float32")[0] for file in files]
    # From where somebody speaks: the shortest piece has to hold speech too.
    return np.resize(np.concatenate([clip[np.abs(clip).argmax() - 4_000 :] for clip in clips]), 320_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """{case: (folder of the checkpoint, its model file)}, each made when it is first wanted."""
    kept = {}

    def get(case):
        if case not in kept:
            root = tmp_path_factory.mktemp("converted")
            folder = root / "theirs"
            CASES[case].write(folder)
            kept[case] = folder, convert(folder, root / "out")
        return kept[case]

    return get


def test_every_family_is_here():
    assert {case.family for case in CASES.values()} == set(FAMILIES)


@pytest.mark.parametrize("case", CASES)
def test_it_answers_whole_recordings_as_its_own_code_does(case, made, sound):
    folder, file = made(case)
    assert family_of(Checkpoint(str(folder), folder)) == CASES[case].family
    recognizer, best = load_model(file), set()
    for seconds in SECONDS:
        piece = sound[: round(seconds * 16_000)]
        wanted = small_families.renamed(CASES[case].answer(folder, piece))
        if seconds <= recognizer.spec.pool.longest_s:
            answer = recognizer.predict((piece, 16_000))
            assert {**answer.scores, **answer.dimensions} == pytest.approx(wanted, abs=TOLERANCE), seconds
        answer = recognizer.predict((piece, 16_000), whole=True)
        assert {**answer.scores, **answer.dimensions} == pytest.approx(wanted, abs=TOLERANCE), seconds
        best.add(round(max(wanted.values()), 6))
    # A model that always answers the same would agree with anything; of two at random, some answers are all but 1.
    assert len(best) >= 3


@pytest.mark.parametrize("case", CASES)
def test_the_card_names_outputs_and_length(case, made):
    _, file = made(case)
    card, spec = file.with_suffix(".md").read_text(), load_model(file).spec
    assert f"up to {spec.pool.longest_s:g} s is answered whole" in card
    assert ("MSP-Podcast, which most published models learnt from, go from 1 to 7" in card) == bool(spec.dimensions)
    assert "Its outputs: " in card


def test_nothing_of_torch_is_loaded_to_describe_them(tmp_path):
    for number, case in enumerate(CASES.values()):
        case.write(tmp_path / str(number))
    # All in one process, for its start takes longer than they do.
    code = (
        "import sys\nfrom pathlib import Path\nfrom importlib import import_module\n"
        "from intonate.converters import FAMILIES, family_of\nfrom intonate.converters.checkpoint import Checkpoint\n"
        f"for number, case in enumerate({list(CASES)!r}):\n"
        f"    checkpoint = Checkpoint('theirs', Path({str(tmp_path)!r}, str(number)))\n"
        "    import_module(FAMILIES[family_of(checkpoint)]).describe(checkpoint)\n"
        "    assert not {'torch', 'transformers'} & sys.modules.keys(), case\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


class Marked:
    """What runs when it is unpickled leaves a file behind."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (os.mkdir, (str(self.marker),))


@pytest.mark.parametrize("case", CASES)
def test_code_in_a_pickle_is_refused_by_name_and_not_run(case, tmp_path):
    import torch

    folder, marker = tmp_path / "theirs", tmp_path / "it-ran"
    CASES[case].write(folder)
    weights = folder / CASES[case].weights
    if weights.suffix == ".safetensors":
        weights.unlink()
        weights = folder / "pytorch_model.bin"
    torch.save({"model": {"a": torch.zeros(1)}, "more": Marked(marker)}, weights)
    with pytest.raises(ModelError, match=r"holds (posix|nt)\.mkdir, which is code and no tensor") as refused:
        convert(folder, tmp_path / "out")
    assert "\n" not in str(refused.value)
    assert not marker.exists()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("harm", ["missing", "damaged", "empty"])
def test_weights_that_cannot_be_read_are_one_sentence(case, harm, tmp_path):
    folder = tmp_path / "theirs"
    CASES[case].write(folder)
    weights = folder / CASES[case].weights
    if harm == "missing":
        weights.unlink()
    else:
        weights.write_bytes(b"no weights" * 20 if harm == "damaged" else b"")
    with pytest.raises(ModelError, match=weights.name) as refused:
        convert(folder, tmp_path / "out")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600
    assert not list(tmp_path.glob("out/*"))
