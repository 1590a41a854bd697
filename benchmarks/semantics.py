"""Learn the dimensions of meaning of `features/text/semantics.py`.

    python benchmarks/semantics.py [--comments ../shared/text/goemotions] [--output …/features/text/semantics.npz]

The training part of GoEmotions alone (Apache-2.0), without its labels: the commonest words, positive pointwise mutual
information of two in one comment, and its singular value decomposition. Prints the words nearest to a few, to look at.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from intonate.corpora import goemotions
from intonate.features.text.semantics import DIMENSIONS, FILE, WORD_PATTERN

WORDS = 3000
# Of the contexts' shares, so that rare words are not near to everything (Levy, Goldberg & Dagan 2015).
SMOOTHING = 0.75
EXAMPLES = ("love", "angry", "afraid", "sad", "wow", "kids", "door", "thanks", "sorry")


def places_of(together: np.ndarray) -> np.ndarray:
    """(words, DIMENSIONS) of length 1, of how many comments each two words share (words, words)."""
    np.fill_diagonal(together, 0)
    shares = together.sum(axis=0) / together.sum()
    context_shares = shares**SMOOTHING / (shares**SMOOTHING).sum()
    with np.errstate(divide="ignore"):
        information = np.maximum(np.log(together / together.sum() / np.outer(shares, context_shares)), 0)
    left, sizes, _ = np.linalg.svd(information)
    places = left[:, :DIMENSIONS] * np.sqrt(sizes[:DIMENSIONS])
    return places / np.linalg.norm(places, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comments", type=Path, default=Path("../shared/text/goemotions"))
    parser.add_argument("--output", type=Path, default=FILE)
    arguments = parser.parse_args()
    rows = goemotions.find(arguments.comments).utterances
    texts = [row.text.replace("’", "'") for row in rows if Path(row.path).name.startswith("train.tsv")]
    # Masks of names would be words else.
    texts = [text.replace("[NAME]", " ").replace("[RELIGION]", " ") for text in texts]
    vectorizer = CountVectorizer(token_pattern=WORD_PATTERN, max_features=WORDS, binary=True)
    occurs = vectorizer.fit_transform(texts)
    words, counts = list(vectorizer.get_feature_names_out()), np.asarray(occurs.sum(axis=0), float)[0]
    places = places_of((occurs.T @ occurs).toarray().astype(float))
    np.savez_compressed(
        arguments.output,
        words=np.frombuffer("\n".join(words).encode("ascii"), np.uint8),
        frequencies=np.log(len(texts) / counts).astype(np.float16),
        places=places.astype(np.float16),
    )
    print(f"{len(texts):,} comments, {len(words):,} words; {arguments.output}")
    for word in EXAMPLES:
        nearest = np.argsort(-(places @ places[words.index(word)]))[1:8]
        print(f"{word}: {', '.join(words[row] for row in nearest)}")


if __name__ == "__main__":
    main()
