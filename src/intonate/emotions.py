"""The canonical emotions, what every corpus calls them, and the merges of them.

One table harmonises all corpora. A label that is not in it is an error, never a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from intonate.catalogue import entry
from intonate.errors import LabelError, did_you_mean

if TYPE_CHECKING:
    from intonate.schema import Utterance

# Canonical label -> the other spellings met in the corpora (compared in lower case).
ALIASES: dict[str, tuple[str, ...]] = {
    "angry": ("anger", "ang", "rage"),
    "boredom": ("bored",),
    "calm": (),
    "contempt": (),
    "disgust": ("disgusted", "dis"),
    "excited": ("excitement", "exc"),
    "fear": ("fearful", "fea", "scared", "anxiety"),
    "frustrated": ("frustration", "fru"),
    "happy": ("happiness", "hap", "joy"),
    "neutral": ("neu", "neutral state"),
    "other": ("oth",),
    "sad": ("sadness",),
    "surprise": ("surprised", "sur", "ps", "pleasant surprise", "pleasant_surprise", "pleasant_surprised"),
    "unknown": ("xxx",),
}
EMOTIONS: tuple[str, ...] = tuple(ALIASES)
_CANONICAL = {alias: name for name, aliases in ALIASES.items() for alias in (name, *aliases)}

# Between the labels of a clip that has several, in a table.
LABEL_SEPARATORS = re.compile(r"[;,|]")

# The seven classes of the built-in models.
SEVEN: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def _label_mapping(*names: str, **moved: str) -> dict[str, str]:
    return {name: name for name in names} | moved


# Merge name -> {canonical: merged}. A canonical label that is not a key is left out by that merge.
MERGES: dict[str, dict[str, str]] = {
    # RAVDESS's own eight.
    "8": _label_mapping(*SEVEN, "calm"),
    # Seven: calm counts as neutral (P4; the built-in models).
    "7": _label_mapping(*SEVEN, calm="neutral"),
    # EMO-DB's own seven, with boredom and without surprise.
    "emodb-7": _label_mapping("angry", "boredom", "disgust", "fear", "happy", "neutral", "sad"),
    # Six: CREMA-D's own, without surprise.
    "6": _label_mapping("angry", "disgust", "fear", "happy", "neutral", "sad", calm="neutral"),
    # Five: BanglaSER's own.
    "5": _label_mapping("angry", "happy", "neutral", "sad", "surprise", calm="neutral"),
    # Four: IEMOCAP's usual set, excitement counted as happy.
    "4": _label_mapping("angry", "happy", "neutral", "sad", calm="neutral", excited="happy"),
    # The same without excitement.
    "4-no-excited": _label_mapping("angry", "happy", "neutral", "sad", calm="neutral"),
    # P0's seven (ResNet-34 + RoBERTa): calm is dropped, not counted as neutral.
    "p0-7": _label_mapping(*SEVEN),
    # P1's five (CNN-LSTM), as its abstract has them.
    "p1-5": _label_mapping("angry", "disgust", "fear", "happy", "sad"),
    # P1's sixteen, as its tables have them: RAVDESS's eight for each gender (see BY_GENDER).
    "ravdess-16": _label_mapping(*SEVEN, "calm"),
    # P3's seven (HuBERT + BERT): neutral is dropped, calm stays.
    "p3-7": _label_mapping("angry", "calm", "disgust", "fear", "happy", "sad", "surprise"),
    # The same for each gender, two of the four runs of P3's MobileNetV2 (see BY_GENDER).
    "p3-14": _label_mapping("angry", "calm", "disgust", "fear", "happy", "sad", "surprise"),
    # P4's four classes of the real-time test; neutral has no place in them.
    "p4-4": {
        "angry": "anger/disgust",
        "disgust": "anger/disgust",
        "fear": "fear/surprise",
        "surprise": "fear/surprise",
        "happy": "happiness",
        "sad": "sadness",
    },
    # Valence; surprise is left out, for it can be either.
    "valence": {
        "angry": "negative",
        "boredom": "negative",
        "contempt": "negative",
        "disgust": "negative",
        "fear": "negative",
        "frustrated": "negative",
        "sad": "negative",
        "calm": "neutral",
        "neutral": "neutral",
        "excited": "positive",
        "happy": "positive",
    },
}
# A merge that spells itself out: `own:angry|fear|sad` keeps these as they are, and nothing else.
OWN = "own:"
# These merges tell the speaker's gender too: their labels are `female angry`, `male angry`…
BY_GENDER = frozenset({"p3-14", "ravdess-16"})


def canonical(label: str) -> str:
    """The canonical name of a corpus's own label.

    >>> canonical("Fearful")
    'fear'

    Raises:
        LabelError: the label is in no table.
    """
    try:
        return _CANONICAL[label.strip().lower()]
    except KeyError:
        raise LabelError(f"emotion {label!r} is not known; {did_you_mean(label.lower(), EMOTIONS)}") from None


def is_known(label: str) -> bool:
    """Whether a label has a canonical name."""
    return label.strip().lower() in _CANONICAL


def canonical_or_same(label: str) -> str:
    """The canonical name of a label where it has one, else the label as it is: anybody's own.

    >>> canonical_or_same("Fearful"), canonical_or_same("on hold")
    ('fear', 'on hold')
    """
    try:
        return canonical(label)
    except LabelError:
        return label


def merge(name: str) -> Mapping[str, str]:
    """The table {canonical: merged} of a named merge; its emotions only, where it tells the gender too.

    >>> merge("own:fear|sad")
    {'fear': 'fear', 'sad': 'sad'}

    Raises:
        LabelError: there is no merge of that name.
    """
    if str(name).startswith(OWN):
        return _label_mapping(*str(name).removeprefix(OWN).split("|"))
    return entry(str(name), MERGES, "label merge", LabelError)


def merged_labels(name: str) -> tuple[str, ...]:
    """The labels that a merge leads to, sorted: the order of a model's outputs."""
    emotions = sorted(set(merge(name).values()))
    if str(name) in BY_GENDER:
        return tuple(f"{gender} {emotion}" for gender in ("female", "male") for emotion in emotions)
    return tuple(emotions)


def merge_with_labels(labels: Sequence[str]) -> str:
    """The first merge with just these labels; else one in which each of them stands for itself.

    >>> merge_with_labels(["fear", "sad"])
    'own:fear|sad'
    """
    for name in MERGES:
        if merged_labels(name) == tuple(sorted(labels)):
            return name
    return OWN + "|".join(labels)


def labels_text(labels: Iterable[str]) -> str:
    """Several labels as one cell of a manifest: `happy; laughing`, or a list where that would be split or is empty.

    >>> labels_text(("happy", "on hold, music"))
    '["happy", "on hold, music"]'
    """
    names = list(labels)
    text = "; ".join(names)
    is_plain = names and not text.startswith("[") and not any(LABEL_SEPARATORS.search(name) for name in names)
    return text if is_plain else json.dumps(names, ensure_ascii=False)


def target_of(utterance: Utterance, name: str) -> str | None:
    """The label of an utterance under a merge; None where it has no place in it.

    >>> from intonate.schema import Utterance
    >>> target_of(Utterance("a.wav", "calm", "calm", "", "mine"), "7")
    'neutral'

    Raises:
        LabelError: there is no merge of that name.
    """
    return _merged_target(utterance.emotion, utterance.gender, name)


def _merged_target(emotion: str, gender: str, name: str) -> str | None:
    merged = merge(name).get(emotion)
    if merged is None or str(name) not in BY_GENDER:
        return merged
    return f"{gender} {merged}" if gender else None


def merge_scores(labels: Sequence[str], scores: Sequence[float], name: str) -> dict[str, float]:
    """Sum a model's probabilities into a merge's labels, and scale what is kept to a sum of one.

    Args:
        labels: the model's labels, canonical, or with the gender before them (`female angry`).
        scores: their probabilities, in the same order.
        name: a merge of `MERGES`.

    Returns:
        {merged label: probability}. If everything kept had probability zero the answer is uniform.
    """
    totals: dict[str, float] = {}
    for label, score in zip(labels, scores, strict=True):
        gender, _, emotion = label.rpartition(" ")
        merged = _merged_target(emotion, gender, name)
        if merged is not None:
            totals[merged] = totals.get(merged, 0.0) + float(score)
    if not totals:
        raise LabelError(f"label merge {name!r} has no place for any of this model's labels: {', '.join(labels)}")
    total = sum(totals.values())
    return {label: (value / total if total > 0 else 1 / len(totals)) for label, value in totals.items()}
