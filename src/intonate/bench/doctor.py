"""`intonate doctor MANIFEST|FOLDER|NAME=ROOT`: what is wrong with a corpus, before anything is trained on it.

A *fault* is proved: a file that cannot be read, silence, the same recording twice. A *doubt* is for an ear to decide:
clipping, a clip that begins in the middle of a sound, a label that the length gives away.
"""

from __future__ import annotations

import itertools
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from intonate import corpora
from intonate.audio.clipping import WORDS
from intonate.audio.decode import listing
from intonate.bench import confounds, doctor_page
from intonate.bench.findings import DOUBT, FAULT, Examination, Finding
from intonate.bench.sound_checks import Sound, measure_all
from intonate.corpora import fingerprints, manifest
from intonate.corpora.copies import COPY_SHARE
from intonate.corpora.table_notes import LATE, LATE_S, spelling_notes
from intonate.emotions import canonical_or_same
from intonate.errors import AudioError, CorpusError, LabelError
from intonate.evaluation.report import check_folder, writing_to
from intonate.schema import Utterance


def command(target: str, report: str | os.PathLike[str]) -> tuple[str, bool]:
    """Examine a corpus, write `doctor.html` and `doctor.json`, and give the text and whether it is free of faults.

    Raises:
        CorpusError: there is nothing to examine, or the report cannot be written.
    """
    check_folder(Path(report))
    utterances, folds, problems = rows_of(target)
    examination = examine(utterances, problems, folds)
    folder = Path(report)
    with writing_to(folder):
        facts = {
            "clips": len(examination.utterances),
            "findings": [asdict(finding) for finding in examination.findings],
            "confounds": [asdict(item) for item in examination.confounds],
        }
        text = json.dumps(facts, ensure_ascii=False, indent=1)
        (folder / "doctor.json").write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        page = doctor_page.render(examination, target, folder)
        (folder / "doctor.html").write_text(page, encoding="utf-8", errors="backslashreplace")
    return f"{doctor_page.to_text(examination)}\n\n{folder / 'doctor.html'}", not examination.faults


def rows_of(target: str) -> tuple[list[Utterance], list[str], list[str]]:
    """The clips of a manifest, of a folder (each labelled by the folder it lies in), or of a corpus NAME=ROOT; the fold
    of each, where a manifest has such a column; and sentences on rows that could not be understood.

    Raises:
        CorpusError: there is nothing of that kind.
    """
    name, equals, root = target.partition("=")
    if equals and name in corpora.CATALOGUE:
        reading = corpora.read(name, root)
        return list(reading.utterances), [], [str(problem) for problem in reading.problems]
    path = Path(target)
    if path.is_dir():
        try:
            files = listing(path).files
        except AudioError as error:
            raise CorpusError(f"{error}; expected recordings, or a manifest") from error
        return [_in_folder(file) for file in files], [], []
    utterances, folds, problems = manifest.read_with_folds(path)
    if sum(isinstance(problem, LabelError) for problem in problems) > len(utterances):
        # Labels of one's own, and not a few that are misspelled.
        utterances, folds, problems = manifest.read_with_folds(path, any_label=True)
    return utterances, folds, [str(problem) for problem in problems]


def examine(utterances: Sequence[Utterance], problems: Sequence[str] = (), folds: Sequence[str] = ()) -> Examination:
    """Listen to every clip and say what is wrong.

    Args:
        utterances: the clips; their files need not exist.
        problems: of rows that could not be understood.
        folds: of the clips, where they are known: which side of a split each belongs to.
    """
    if not utterances and not problems:
        raise CorpusError("there is no clip to examine; expected a manifest or a folder with recordings")
    sounds = measure_all(utterances)
    readable_rows = [row for row, sound in enumerate(sounds) if isinstance(sound, Sound)]
    readable = [utterances[row] for row in readable_rows]
    readable_sounds = [sound for sound in sounds if isinstance(sound, Sound)]
    findings = [Finding("table", FAULT, (), sentence) for sentence in problems]
    for utterance, sound in zip(utterances, sounds, strict=True):
        findings += _faults_of_clip(utterance, sound)
    findings += _copies(
        readable, readable_sounds, [folds[row] for row in readable_rows] if folds else [""] * len(readable_rows)
    )
    findings += _speakers_in_two_folds(utterances, folds)
    notes = spelling_notes(utterance.speaker for utterance in utterances)
    findings += [Finding("two spellings", DOUBT, (), note) for note in notes]
    cues = confounds.confounds(readable, readable_sounds)
    findings += [
        Finding(
            "confound",
            DOUBT,
            (),
            f"{cue.cue} alone: the label with UAR {100 * cue.uar:.0f} % (guessing: {100 * cue.chance:.0f} %); a "
            "model may learn that instead of the voice",
        )
        for cue in cues
        if cue.gives_away
    ]
    findings += _missing_classes(readable)
    findings.sort(key=lambda finding: finding.severity != FAULT)
    return Examination(tuple(utterances), tuple(sounds), tuple(findings), tuple(cues))


def _in_folder(file: Path) -> Utterance:
    label = file.parent.name
    return Utterance(str(file), canonical_or_same(label), label, "", "folder")


def _faults_of_clip(utterance: Utterance, sound: Sound | AudioError) -> list[Finding]:
    path = (utterance.path,)
    if isinstance(sound, AudioError):
        return [Finding("unreadable", FAULT, path, str(sound))]
    if sound.is_silent:
        return [Finding("silent", FAULT, path, f"holds no sound (its peak is {sound.peak:.1g} of full scale)")]
    findings = [Finding("damaged", FAULT, path, warning) for warning in sound.warnings if WORDS not in warning]
    sound_end_s = utterance.start_s + sound.duration_s
    if utterance.end_s is not None and utterance.end_s > sound_end_s + LATE_S:
        words = f"the row ends at {utterance.end_s:g} s, the file at {sound_end_s:.1f} s"
        # Many tables tell the duration of the file, wherever a row starts in it.
        if abs(utterance.end_s - utterance.start_s - sound_end_s) <= LATE_S:
            findings.append(Finding("late end", DOUBT, path, f"{words}, which is as long as the row is said to be"))
        else:
            findings.append(Finding("late end", FAULT, path, f"{words} ({LATE})"))
    if sound.is_clipped:
        findings.append(Finding("clipped", DOUBT, path, f"{100 * sound.clipped:.1f} % of its samples lie at the peak"))
    if sound.starts_loud or sound.ends_loud:
        edges = " and ".join(
            word for word, is_cut in (("begins", sound.starts_loud), ("ends", sound.ends_loud)) if is_cut
        )
        findings.append(Finding("cut off", DOUBT, path, f"{edges} in the middle of a sound"))
    return findings


def _copies(utterances: Sequence[Utterance], sounds: Sequence[Sound], folds: Sequence[str]) -> list[Finding]:
    def copy(kind: str, words: str, a: int, b: int) -> Finding:
        return _copy_finding(kind, words, utterances[a], utterances[b], (folds[a], folds[b]))

    findings = []
    rows_by_digest: dict[str, list[int]] = defaultdict(list)
    for row, sound in enumerate(sounds):
        if not sound.is_silent:
            rows_by_digest[sound.digest].append(row)
    for rows in rows_by_digest.values():
        for row in rows[1:]:
            findings.append(copy("exact copy", "are the same recording", rows[0], row))
    # Of several exact copies the first stands for all: the others would be found as near copies of each other.
    first_rows = [rows[0] for rows in rows_by_digest.values()]
    for match in fingerprints.matches([sounds[row].print for row in first_rows]):
        a, b = first_rows[match.a], first_rows[match.b]
        error = f"{100 * match.error:.0f} % of the fingerprint differs"
        if match.share >= COPY_SHARE:
            findings.append(copy("near copy", f"are the same sound ({error})", a, b))
        elif utterances[a].path == utterances[b].path:
            continue  # rows of one file that overlap are told below, by their times
        else:
            words = f"share {match.length_s:.1f} s of sound ({error})"
            findings.append(copy("overlap", words, a, b))
    return [*findings, *_overlapping_rows(utterances, sounds)]


def _copy_finding(kind: str, words: str, a: Utterance, b: Utterance, folds: tuple[str, str]) -> Finding:
    contradictions = [
        f"{name}s {value_a or 'none'} and {value_b or 'none'}"
        for name, value_a, value_b in (
            ("label", confounds.label_text(a), confounds.label_text(b)),
            ("speaker", a.speaker, b.speaker),
            ("fold", *folds),
        )
        if value_a != value_b
    ]
    ending = f"; they have the {' and the '.join(contradictions)}" if contradictions else ""
    return Finding(kind, FAULT, (a.path, b.path), f"{words}{ending}")


def _speakers_in_two_folds(utterances: Sequence[Utterance], folds: Sequence[str]) -> list[Finding]:
    folds_of: dict[str, set[str]] = defaultdict(set)
    for utterance, fold in zip(utterances, folds, strict=False):
        if utterance.speaker and fold:
            folds_of[utterance.speaker].add(fold)
    shared_folds = {speaker: sorted(names) for speaker, names in folds_of.items() if len(names) > 1}
    if not shared_folds:
        return []
    speaker, names = next(iter(shared_folds.items()))
    words = (
        f"{len(shared_folds)} of {len(folds_of)} speakers are in more than one fold ({speaker} in "
        f"{', '.join(names)}): a test there is one of voices that were trained on"
    )
    return [Finding("speaker in two folds", DOUBT, (), words)]


def _overlapping_rows(utterances: Sequence[Utterance], sounds: Sequence[Sound]) -> list[Finding]:
    spans_of: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for utterance, sound in zip(utterances, sounds, strict=True):
        spans_of[utterance.path].append((utterance.start_s, utterance.start_s + sound.duration_s))
    findings = []
    for path, spans in spans_of.items():
        spans.sort()
        for (_, end), (start, _) in itertools.pairwise(spans):
            if end - start > 0.05:
                findings.append(
                    Finding("overlap", DOUBT, (path,), f"rows overlap by {end - start:.1f} s, from {start:g} s")
                )
    return findings


def _missing_classes(utterances: Sequence[Utterance]) -> list[Finding]:
    classes_of: dict[str, set[str]] = defaultdict(set)
    classes_of_speaker: dict[tuple[str, str], set[str]] = defaultdict(set)
    for utterance in utterances:
        classes_of[utterance.corpus].update(utterance.all_labels)
        if utterance.speaker:
            classes_of_speaker[utterance.corpus, utterance.speaker].update(utterance.all_labels)
    return [
        Finding("missing class", DOUBT, (), f"speaker {speaker} has no clip of {', '.join(sorted(missing_classes))}")
        for (corpus, speaker), classes in sorted(classes_of_speaker.items())
        if (missing_classes := classes_of[corpus] - classes)
    ]
