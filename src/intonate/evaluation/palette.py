"""One colour per emotion, the same in every picture, told apart by colour-blind eyes too.

Okabe & Ito's set (2008) for the seven common classes, Paul Tol's muted set for the rest. All carry dark text on light
grounds as marks, and none is the only sign of a class: its name always stands beside it.
"""

from __future__ import annotations

COLOURS: dict[str, str] = {
    "angry": "#d55e00",
    "boredom": "#999933",
    "calm": "#44aa99",
    "contempt": "#882255",
    "disgust": "#009e73",
    "excited": "#ddaa33",
    "fear": "#b5679a",
    "frustrated": "#cc6677",
    "happy": "#e69f00",
    "neutral": "#8a929c",
    "other": "#a5a5a5",
    "sad": "#0072b2",
    "surprise": "#56b4e9",
    "unknown": "#a5a5a5",
    # Merged classes (`intonate.emotions.MERGES`) take the colour of what they are mostly made of.
    "anger/disgust": "#d55e00",
    "fear/surprise": "#b5679a",
    "happiness": "#e69f00",
    "negative": "#d55e00",
    "positive": "#e69f00",
    "sadness": "#0072b2",
}
# For classes that nobody foresaw, in turn.
_OTHERS = ("#332288", "#88ccee", "#117733", "#ddcc77", "#aa4499", "#661100")


def colour(label: str) -> str:
    """The colour of a class, as `#rrggbb`; always the same one for the same name."""
    return COLOURS.get(label) or _OTHERS[sum(label.encode()) % len(_OTHERS)]
