"""What the doctor finds, as data."""

from __future__ import annotations

from dataclasses import dataclass

from intonate.bench.confounds import Confound
from intonate.bench.sound_checks import Sound
from intonate.errors import AudioError
from intonate.schema import Utterance

FAULT, DOUBT = "fault", "doubt"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: `unreadable`, `exact copy`, `near copy`, `overlap`, `silent`, `clipped`, `cut off`, `damaged`, `late end`,
            `confound`, `missing class`, `speaker in two folds`, `two spellings`, `table`.
        severity: `fault` or `doubt`.
        files: the files it is about, as in the table.
        sentence: what is wrong.
    """

    kind: str
    severity: str
    files: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Examination:
    """What was looked at, and what was found, faults first."""

    utterances: tuple[Utterance, ...]
    sounds: tuple[Sound | AudioError, ...]
    findings: tuple[Finding, ...]
    confounds: tuple[Confound, ...]

    @property
    def faults(self) -> int:
        return sum(finding.severity == FAULT for finding in self.findings)
