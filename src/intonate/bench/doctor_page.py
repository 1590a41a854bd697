"""What the doctor found, for the terminal and as a page with a picture and the sound of each clip."""

from __future__ import annotations

import os
from collections import defaultdict
from html import escape
from pathlib import Path
from urllib.parse import quote

from intonate.bench.findings import Examination, Finding
from intonate.bench.sound_checks import Sound
from intonate.errors import plural
from intonate.evaluation.html import document, header, html_table, panel
from intonate.evaluation.svg import ACCENT, picture, rect

SHOWN_IN_TEXT, SHOWN_ON_PAGE = 8, 60


def to_text(examination: Examination) -> str:
    """For a terminal: each kind with its count and the first few; unreadable files all."""
    kinds = _by_kind(examination)
    doubts = len(examination.findings) - examination.faults
    lines = [f"{len(examination.utterances):,} clips: {plural(examination.faults, 'fault')}, {plural(doubts, 'doubt')}"]
    for (severity, kind), findings in kinds.items():
        lines += ["", f"{kind}: {len(findings):,} ({severity})"]
        limit = len(findings) if kind in ("unreadable", "table") else SHOWN_IN_TEXT
        lines += [f"  {' and '.join(item.files)} {item.sentence}".replace("   ", "  ") for item in findings[:limit]]
        lines += [f"  and {len(findings) - limit:,} more"] if len(findings) > limit else []
    if examination.confounds:
        lines += ["", "UAR of a small tree that is given this alone, on parts it has not seen"]
        lines += [
            f"  {item.cue:<30} {100 * item.uar:5.1f} %  (guessing {100 * item.chance:.1f} %)"
            for item in examination.confounds
        ]
    return "\n".join(lines)


def render(examination: Examination, title: str, folder: Path) -> str:
    """The page; sounds are played from where they lie, as seen from `folder`."""
    sound_of = {
        utterance.path: sound
        for utterance, sound in zip(examination.utterances, examination.sounds, strict=True)
        if isinstance(sound, Sound)
    }
    doubts = len(examination.findings) - examination.faults
    lead = (
        f"{len(examination.utterances):,} clips: {plural(examination.faults, 'fault')}, proved, and "
        f"{plural(doubts, 'doubt')} for an ear to decide."
    )
    body = [header(Path(title).name, lead)]
    kinds = _by_kind(examination)
    if kinds:
        rows = [
            [f'<a href="#{escape(_anchor(kind))}">{escape(kind)}</a>', severity, f"{len(findings):,}"]
            for (severity, kind), findings in kinds.items()
        ]
        body.append(panel("", html_table(["what", "how sure", "found"], rows, text_columns=2), "wide"))
    for (severity, kind), findings in kinds.items():
        rows_html = "".join(_row(finding, sound_of, folder) for finding in findings[:SHOWN_ON_PAGE])
        omitted_count = len(findings) - SHOWN_ON_PAGE
        more = f'<p class="small muted">and {omitted_count:,} more, in doctor.json</p>' if omitted_count > 0 else ""
        heading = f'<h2 id="{escape(_anchor(kind))}">{escape(kind)}: {len(findings):,} ({severity})</h2>'
        body.append(f"{heading}{panel('', rows_html + more, 'wide')}")
    if examination.confounds:
        rows = [
            [escape(item.cue), f"{100 * item.uar:.1f}", f"{100 * item.chance:.1f}"] for item in examination.confounds
        ]
        table = html_table(["given this alone", "UAR %", "guessing %"], rows)
        body.append(f"<h2>What gives the label away</h2>{panel('', table, 'wide')}")
    return document(f"doctor: {Path(title).name}", "".join(body))


def _row(finding: Finding, sound_of: dict[str, Sound], folder: Path) -> str:
    clips = "".join(
        f'<div class="clip"><code>{escape(file)}</code>{_waveform(sound_of[file])}'
        f'<audio controls preload="none" src="{escape(_address(file, folder))}"></audio></div>'
        if file in sound_of
        else f'<div class="clip"><code>{escape(file)}</code></div>'
        for file in finding.files
    )
    # What cannot be read says its own name.
    sentence = finding.sentence.removeprefix(finding.files[0]).strip() if finding.files else finding.sentence
    return f'<div class="finding"><p>{escape(sentence)}</p>{clips}</div>'


def _anchor(kind: str) -> str:
    return kind.replace(" ", "-")


def _waveform(sound: Sound) -> str:
    width, height = 240.0, 36.0
    step, loudest = width / len(sound.envelope), max(float(sound.envelope.max()), 1e-6)
    bars = [
        rect(step * place, height / 2 * (1 - value / loudest), step * 0.8, height * value / loudest, ACCENT)
        for place, value in enumerate(map(float, sound.envelope))
    ]
    return picture(width, height, f"waveform, {sound.duration_s:.1f} s", bars)


def _address(file: str, folder: Path) -> str:
    return quote(Path(os.path.relpath(file, folder)).as_posix())


def _by_kind(examination: Examination) -> dict[tuple[str, str], list[Finding]]:
    kinds: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in examination.findings:
        kinds[finding.severity, finding.kind].append(finding)
    return kinds
