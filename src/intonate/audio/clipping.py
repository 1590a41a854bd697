"""A flat top: what was louder than a microphone, a converter or a format could carry, and is lost.

Samples that lie at the peak show it, where hardly any lie just beneath. Behind a lossy codec a flat top has ripples
that reach beyond full scale, so it is looked for there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]

# At the peak, and beneath it: shares of it. A sine, whose top is round, has half as many samples at the first as
# between the two, and speech fewer; amplified by 20 dB and clipped, it has 0.9 times as many or more behind MP3 and
# Vorbis, and 2.6 or more in PCM.
AT_PEAK, BENEATH, FLAT = 0.98, 0.8, 0.6
# Softer sound was not clipped, or the peak is one of its few steps.
LOUD_PEAK = 0.5
# The ripples of a codec reach so far beyond full scale; what goes on from there was never cut.
RIPPLE = 1.3
# From this share of the samples on it is told. No clip of RAVDESS, EMO-DB, TESS and nEMO has as many (0.2 % at most),
# and 7 of 1,466 of BanglaSER have; amplified by 20 dB and clipped, 100 of 100 have, by 6 dB a quarter.
HEAVY_SHARE = 0.02
WORDS = "is clipped: "


class Clipping:
    """How much of a sound that goes by is a flat top."""

    def __init__(self) -> None:
        self._samples = 0
        self._highest = 0.0
        self._at_peak = self._elsewhere = 0

    def watched(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The blocks (samples,) or (samples, channels), as they are."""
        for block in blocks:
            self.count(block)
            yield block

    def count(self, block: Block) -> None:
        """The next block."""
        self._samples += block.size
        lowest, highest = (float(block.min()), float(block.max())) if block.size else (0.0, 0.0)
        if lowest == highest:  # no sound at all, wherever it lies
            return
        highest = min(max(highest, -lowest), 1.0)
        # All of what is so much softer than the peak lies beneath it.
        if highest < max(LOUD_PEAK, AT_PEAK * self._highest):
            return
        if AT_PEAK * highest > self._highest:  # and all until now was
            self._at_peak = self._elsewhere = 0
        self._highest = max(self._highest, highest)
        level = np.abs(block)
        beneath, at_peak, beyond = (
            int(np.count_nonzero(level >= share * highest)) for share in (BENEATH, AT_PEAK, RIPPLE)
        )
        self._at_peak += at_peak - beyond
        self._elsewhere += beneath - at_peak + beyond

    @property
    def share(self) -> float:
        """Of the samples until now, those that are a flat top, 0 to 1."""
        is_flat = self._highest >= LOUD_PEAK and self._at_peak > FLAT * self._elsewhere
        return self._at_peak / self._samples if is_flat else 0.0

    def warnings(self, name: str, channel: int | None) -> list[str]:
        """A sentence, where it is heavy; `channel` from 1 on, where but one of the sound was heard."""
        if self.share < HEAVY_SHARE:
            return []
        of_channel = "" if channel is None else f" of channel {channel}"
        return [f"{name} {WORDS}{100 * self.share:.0f} % of the samples{of_channel} lie at the peak, distorted"]
