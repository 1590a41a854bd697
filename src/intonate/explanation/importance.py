"""Which tiles of a sound an answer hangs on: some are taken out at random, many times, and the answers compared.

After LIME (Ribeiro et al. 2016) and RISE (Petsiuk et al. 2018): what each tile adds to the log odds of a label is
fitted, by ridge regression, to the answers to sounds that lack some of them.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from intonate.explanation.answering import Answers, Array, log_odds
from intonate.explanation.tiles import Mask, Tiles

# Chosen on RAVDESS's validation speakers (`benchmarks/explain.py --part validation`): how many sounds are asked about,
# how many of their tiles are taken out, and how strongly the fit is held back.
SOUNDS, TAKEN_OUT, RIDGE = 100, 0.3, 1.0
# The largest region that is still a place in the sound, a quarter of the tiles; how many of them are tried.
REGION_SHARE, REGIONS = 0.25, 8


class Region(NamedTuple):
    """A rectangle of tiles: stretches [first, last) by bands [low, high)."""

    first: int
    last: int
    low: int
    high: int

    def mask(self, shape: tuple[int, int]) -> Mask:
        """Its tiles, (stretches, bands)."""
        inside = np.zeros(shape, np.bool_)
        inside[self.first : self.last, self.low : self.high] = True
        return inside


def importance(
    tiles: Tiles,
    answers: Answers,
    column: int,
    rng: np.random.Generator,
    sounds: int = SOUNDS,
    taken_out: float = TAKEN_OUT,
) -> Array:
    """What each tile adds to the log odds of an answer, (stretches, bands); under zero where it speaks against it.

    Args:
        tiles: the sound.
        answers: of the model.
        column: which answer.
        rng: draws the tiles that are taken out.
        sounds: how many are asked about.
        taken_out: share of the tiles that each of them lacks, on average.
    """
    masks = rng.random((sounds, *tiles.shape)) < taken_out
    output_log_odds = log_odds(answers(tiles.without(mask) for mask in masks)[:, column])
    absent = masks.reshape(sounds, -1).astype(np.float64)
    centred_masks = absent - absent.mean(axis=0)
    weights = np.linalg.solve(
        centred_masks.T @ centred_masks + RIDGE * np.eye(absent.shape[1]),
        centred_masks.T @ (output_log_odds - output_log_odds.mean()),
    )
    return -weights.reshape(tiles.shape)


def strongest_regions(tile_map: Array) -> list[Region]:
    """Regions of up to a quarter of the tiles that speak most for the answer, as the map has it, the strongest first.

    None has more than half of its tiles in one before it.
    """
    shape = tile_map.shape
    stretches, bands = (list(itertools.combinations(range(size + 1), 2)) for size in shape)
    largest = max(1, round(REGION_SHARE * tile_map.size))
    regions = [Region(*times, *edges) for times, edges in itertools.product(stretches, bands)]
    masks = {region: mask for region in regions if (mask := region.mask(shape)).sum() <= largest}
    chosen: list[Region] = []
    for region in sorted(masks, key=lambda one: -float(tile_map[masks[one]].sum())):
        if all(2 * (masks[region] & masks[one]).sum() <= masks[region].sum() for one in chosen):
            chosen.append(region)
        if len(chosen) == REGIONS:
            break
    return chosen


def rows_and_columns(shape: tuple[int, int]) -> list[Region]:
    """Each whole stretch, then each whole band."""
    stretches, bands = shape
    return [
        *(Region(stretch, stretch + 1, 0, bands) for stretch in range(stretches)),
        *(Region(0, stretches, band, band + 1) for band in range(bands)),
    ]
