"""Generated trees: every file name of a published corpus, with its tables; the sound is one tiny file, linked."""

import functools
import os
from itertools import cycle, product

import numpy as np
import pytest
import soundfile

from intonate import corpora

CREMAD_SENTENCES = ("IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI")
# What three actors did not say at all, and two not neutrally: 7,462 by the grammar, 7,442 published.
CREMAD_ABSENT = {"1008_WSI", "1009_MTI", "1019_ITH", "1002_TIE_NEU", "1076_ITS_NEU"}
# Turns of each label in the five sessions; the unknown ones are what is left of a session.
IEMOCAP_TURNS = (1819, 1811, 2136, 2103, 2170)
IEMOCAP = {
    "ang": (229, 137, 240, 327, 170),
    "hap": (135, 117, 135, 65, 143),
    "exc": (143, 210, 151, 238, 299),
    "sad": (194, 197, 305, 143, 245),
    "neu": (384, 362, 320, 258, 384),
    "fru": (280, 325, 382, 481, 381),
    "sur": (22, 21, 21, 21, 22),
    "fea": (8, 8, 8, 8, 8),
    "oth": (1, 1, 1, 0, 0),
    "dis": (1, 1, 0, 0, 0),
}
VOTED = {"ang": "Anger", "hap": "Happiness", "neu": "Neutral", "fru": "Frustration", "exc": "Excited", "sad": "Sadness"}


def cremad():
    for actor, sentence, emotion in product(
        range(1001, 1092), CREMAD_SENTENCES, ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
    ):
        if not CREMAD_ABSENT & {f"{actor}_{sentence}", f"{actor}_{sentence}_{emotion}"}:
            for level in ("LO", "MD", "HI") if sentence == "IEO" and emotion != "NEU" else ("XX",):
                yield f"AudioWAV/{actor}_{sentence}_{emotion}_{level}.wav"


def savee():
    for speaker, letters in product(("DC", "JE", "JK", "KL"), ("a", "d", "f", "h", "n", "sa", "su")):
        for number in range(1, 31 if letters == "n" else 16):
            yield f"AudioData/{speaker}/{letters}{number:02d}.wav"


def subesco():
    emotions = ("ANGRY", "DISGUST", "FEAR", "HAPPY", "NEUTRAL", "SAD", "SURPRISE")
    for gender, number, sentence, emotion, take in product("FM", range(1, 11), range(1, 11), emotions, range(1, 6)):
        yield f"{gender}_{number:02d}_NAME_S_{sentence}_{emotion}_{take}.wav"


def ravdess(channel="01"):
    song = channel == "02"
    for actor, emotion in product(range(1, 25), range(1, 7 if song else 9)):
        if song and actor == 18:
            continue
        for intensity, statement, repetition in product((1,) if emotion == 1 else (1, 2), (1, 2), (1, 2)):
            yield (
                f"Actor_{actor:02d}/03-{channel}-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-"
                f"{actor:02d}.wav"
            )


def tess():
    for speaker, emotion in product(("OAF", "YAF"), ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")):
        for word in range(200):
            yield f"{speaker}_{emotion}/{speaker}_word{word}_{emotion}.wav"


def banglaser():
    for actor, emotion in product(range(1, 35), range(1, 6)):
        if emotion == 5 and actor > 27:
            continue
        for statement, repetition in product((1, 2, 3), (1, 2, 3)):
            yield f"03-01-{emotion:02d}-01-{statement:02d}-{repetition:02d}-{actor:02d}.wav"


def iemocap_labels():
    """{session: {turn: label}}: dialogues of up to a hundred turns, the two speakers by turns."""
    sessions = {}
    for session, turns in enumerate(IEMOCAP_TURNS):
        labels = [label for label, counts in IEMOCAP.items() for _ in range(counts[session])]
        labels += ["xxx"] * (turns - len(labels))
        scenes = cycle(
            f"Ses0{session + 1}{who}_{kind}" for who in "FM" for kind in ("impro01", "script01_1", "impro02")
        )
        names = {}
        for start in range(0, turns, 100):
            scene = next(scenes) + "abcdefghij"[start // 600]
            for place, label in enumerate(labels[start : start + 100]):
                names[f"{scene}_{'FM'[place % 2]}{place:03d}"] = label
        sessions[session + 1] = names
    return sessions


def iemocap(own_files=True):
    """The audio; the label files and transcripts are written by `iemocap_tables`."""
    for session, labels in iemocap_labels().items():
        scenes = {turn.rpartition("_")[0] for turn in labels}
        yield from (f"Session{session}/dialog/wav/{scene}.wav" for scene in sorted(scenes))
        if own_files:
            yield from (f"Session{session}/sentences/wav/{turn.rpartition('_')[0]}/{turn}.wav" for turn in labels)


def iemocap_tables(root):
    for session, labels in iemocap_labels().items():
        sheets, words = {}, {}
        for place, (turn, label) in enumerate(labels.items()):
            scene = turn.rpartition("_")[0]
            start = (place % 100) / 100
            sheets.setdefault(scene, ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""])
            sheets[scene] += [
                f"[{start:.4f} - {start + 0.015:.4f}]\t{turn}\t{label}\t[2.5000, 3.0000, 3.5000]",
                f"C-E2:\t{VOTED.get(label, 'Other')};\t()",
                "C-E4:\tNeutral; Sadness;\t(tired)",
                "C-F1:\tAnger;\t()",
                "A-E3:\tval 3; act 2; dom  2;\t()",
                "",
            ]
            words.setdefault(scene, []).append(f"{turn} [{start:08.4f}-{start + 0.015:08.4f}]: Excuse me, {place}.")
        for kind, files in (("EmoEvaluation", sheets), ("transcriptions", words)):
            folder = root / f"Session{session}" / "dialog" / kind
            folder.mkdir(parents=True)
            for scene, lines in files.items():
                (folder / f"{scene}.txt").write_text("\n".join(lines) + "\n")
        # What the evaluators wrote one by one lies below, and is not read.
        (root / f"Session{session}" / "dialog" / "EmoEvaluation" / "Categorical").mkdir()


NAMES = {
    "cremad": cremad,
    "savee": savee,
    "subesco": subesco,
    "ravdess": ravdess,
    "ravdess_song": lambda: ravdess("02"),
    "tess": tess,
    "banglaser": banglaser,
    "iemocap": iemocap,
}


def plant(root, names, sound):
    for folder in {os.path.dirname(name) for name in names}:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        os.link(sound, root / name)
    return root


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """A second of a quiet tone, 16 kHz."""
    path = tmp_path_factory.mktemp("sound") / "tone.wav"
    soundfile.write(path, 0.1 * np.sin(np.arange(16_000) * 0.2), 16_000)
    return path


@pytest.fixture(scope="session")
def dialogues(tmp_path_factory, sound):
    """IEMOCAP without the turns' own files."""
    root = plant(tmp_path_factory.mktemp("dialogues"), list(iemocap(own_files=False)), sound)
    iemocap_tables(root)
    return root


@pytest.fixture(scope="session")
def tree(tmp_path_factory, sound):
    """name -> the root of its generated tree, made once."""
    roots = {}

    def made(name):
        if name not in roots:
            roots[name] = plant(tmp_path_factory.mktemp(name), list(NAMES[name]()), sound)
            if name == "iemocap":
                iemocap_tables(roots[name])
        return roots[name]

    return made


@pytest.fixture(scope="session")
def reading(tree):
    """name -> what is read from its generated tree, read once."""
    return functools.cache(lambda name: corpora.read(name, tree(name)))
