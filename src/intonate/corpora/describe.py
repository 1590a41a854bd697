"""What is in a corpus: all of them as rows, and one on disk counted, from the headers alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath

from intonate import corpora
from intonate.corpora.reader import Corpus, Problem
from intonate.errors import AudioError
from intonate.schema import Utterance

# Headers are read from disk, not computed: more threads than cores keep a slow disk busy.
THREADS = 8
# How many problems are written out in a text.
SHOWN = 10


@dataclass(frozen=True)
class Row:
    """One line of `intonate corpora`. `clips`, `speakers` and `size_gb` are 0 for data of the user's own."""

    name: str
    title: str
    language: str
    clips: int
    speakers: int
    licence: str
    url: str
    size_gb: float


@dataclass(frozen=True)
class Description:
    """What lies in a folder.

    Attributes:
        corpus: what it should be.
        root: where it is.
        emotions: {canonical emotion: clips}, most first.
        speakers: {speaker: clips}, by name; clips without a speaker are not in it.
        genders: {gender: speakers}.
        duration_s: total length, seconds.
        shortest_s: length of the shortest clip, seconds.
        longest_s: length of the longest, seconds.
        sample_rates_hz: {rate: files}.
        faults: clips that are counted and known to be faulty, and what is wrong with them.
        problems: files that could not be understood or opened.
        missing_clips: clips that the corpus's own table names and that are not there.
    """

    corpus: Corpus
    root: str
    emotions: Mapping[str, int]
    speakers: Mapping[str, int]
    genders: Mapping[str, int]
    duration_s: float
    shortest_s: float
    longest_s: float
    sample_rates_hz: Mapping[int, int]
    faults: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    missing_clips: int

    @property
    def clips(self) -> int:
        return sum(self.emotions.values())

    def to_text(self) -> str:
        """A page for the terminal."""
        corpus = self.corpus
        genders = ", ".join(f"{count} {gender or 'gender not known'}" for gender, count in self.genders.items())
        people = f"{len(self.speakers)} speakers ({genders})" if self.speakers else "speakers not known"
        rates = ", ".join(f"{rate / 1000:g} kHz" for rate in self.sample_rates_hz)
        average_s = self.duration_s / max(self.clips, 1)
        lines = [
            f"{corpus.title} in {self.root}",
            *([_facts_line(corpus)] if corpus.url else []),
            "",
            *(
                [
                    f"{self.clips:,} clips, {people}, {_length_text(self.duration_s)}, {rates}",
                    f"from {self.shortest_s:.1f} to {self.longest_s:.1f} s, {average_s:.1f} s on average",
                ]
                if self.sample_rates_hz or not self.clips
                else [f"{self.clips:,} texts without sound, {people}"]
            ),
            "",
            *_count_lines(self.emotions, corpus.emotions),
        ]
        if corpus.clips and self.clips != corpus.clips:
            lines += ["", f"{self.clips:,} of the {corpus.clips:,} published clips are here"]
        if self.missing_clips:
            lines += ["", f"{self.missing_clips:,} of the table's files are not on disk"]
        if self.faults:
            lines += ["", "known faults, counted all the same:"]
            lines += [f"  {fault.path} {fault.reason}" for fault in self.faults]
        if self.problems:
            lines += ["", f"{len(self.problems):,} file{'s' * (len(self.problems) > 1)} left out:"]
            lines += [f"  {problem}" for problem in self.problems[:SHOWN]]
            lines += [f"  and {len(self.problems) - SHOWN:,} more"] if len(self.problems) > SHOWN else []
        return "\n".join(lines)


def overview() -> list[Row]:
    """Every corpus that can be read, by name."""
    rows = []
    for name in sorted(corpora.CATALOGUE):
        corpus = corpora.get(name)
        facts = (corpus.title, corpus.language, corpus.clips, corpus.speakers, corpus.licence, corpus.url)
        rows.append(Row(name, *facts, corpus.size_gb))
    return rows


def about(name: str) -> str:
    """A page for the terminal: what a corpus is, where it is to be had, and what it should hold.

    Raises:
        CorpusError: the name is not known.
    """
    corpus = corpora.get(name)
    if not corpus.url:
        return f"{corpus.title}\n{corpus.grammar}"
    lines = [
        corpus.title,
        _facts_line(corpus),
        f"cite {corpus.citation}",
        "",
        f"{corpus.clips:,} clips, {corpus.speakers} speakers; named {corpus.grammar}",
        "",
        *_count_lines({}, corpus.emotions),
    ]
    return "\n".join(lines)


def describe(name: str, root: str | os.PathLike[str]) -> Description:
    """Read a corpus and the header of every file in it; thousands take seconds.

    A file whose header cannot be read is among the problems, and not among the clips.

    Raises:
        CorpusError: the name is not known, or `root` does not hold that corpus.
    """
    reading = corpora.read(name, root)
    lengths, rates, header_problems = _read_headers(sorted({utterance.path for utterance in reading.utterances}))
    utterances = [utterance for utterance in reading.utterances if utterance.path in lengths]
    durations = [_duration_s(utterance, lengths) for utterance in utterances]
    emotions = Counter(utterance.emotion for utterance in utterances)
    speakers = Counter(utterance.speaker for utterance in utterances if utterance.speaker)
    corpus = corpora.get(name)
    gender_of = {utterance.speaker: utterance.gender for utterance in utterances if utterance.speaker}
    return Description(
        corpus=corpus,
        root=str(Path(root)),
        emotions=dict(sorted(emotions.items(), key=lambda item: (-item[1], item[0]))),
        speakers=dict(sorted(speakers.items())),
        genders=dict(sorted(Counter(gender_of.values()).items())),
        duration_s=sum(durations),
        shortest_s=min(durations, default=0.0),
        longest_s=max(durations, default=0.0),
        sample_rates_hz=dict(sorted(Counter(rates).items())),
        faults=tuple(
            Problem(path, corpus.faults[clip])
            for path in sorted(lengths)
            if (clip := corpus.clip_name(PurePath(path))) in corpus.faults
        ),
        problems=tuple(sorted((*reading.problems, *header_problems), key=lambda problem: problem.path)),
        missing_clips=reading.missing_clips,
    )


def _read_headers(paths: Sequence[str]) -> tuple[dict[str, float], list[int], list[Problem]]:
    """Length of each file in seconds, their sample rates in Hz, and those that cannot be opened."""
    from intonate.audio.decode import AudioInfo, info

    def header(path: str) -> AudioInfo | Problem | None:
        if "#" in path and not os.path.isfile(path):  # text without a sound
            return None
        try:
            return info(path)
        except AudioError as error:
            return Problem(path, str(error).removeprefix(f"{path} ").removeprefix(f"{path}: "))

    with ThreadPoolExecutor(THREADS) as pool:
        answers = dict(zip(paths, pool.map(header, paths), strict=True))
    infos = {path: answer for path, answer in answers.items() if isinstance(answer, AudioInfo)}
    silent = [path for path, answer in answers.items() if answer is None]
    return (
        {path: answer.duration_s for path, answer in infos.items()} | dict.fromkeys(silent, 0.0),
        [answer.sample_rate_hz for answer in infos.values()],
        [answer for answer in answers.values() if isinstance(answer, Problem)],
    )


def _duration_s(utterance: Utterance, lengths: Mapping[str, float]) -> float:
    length = lengths[utterance.path]
    end_s = length if utterance.end_s is None else min(utterance.end_s, length)
    return max(0.0, end_s - utterance.start_s)


def _count_lines(counts: Mapping[str, int], official_counts: Mapping[str, int]) -> list[str]:
    """One line per emotion: a bar, the clips, and the published number where it is another.

    With nothing found, the published numbers alone.
    """
    bars = counts or official_counts
    largest = max([*bars.values(), 1])
    lines = []
    for emotion in dict.fromkeys((*bars, *official_counts)):
        count, official = bars.get(emotion, 0), official_counts.get(emotion)
        bar = "█" * round(20 * count / largest)
        official_note = f" of {official:,}" if official not in (None, count) else ""
        lines.append(f"  {emotion:<10} {bar:<20} {count:,}{official_note}")
    return lines


def _facts_line(corpus: Corpus) -> str:
    return f"{corpus.language} · {corpus.licence} · about {corpus.size_gb:g} GB · {corpus.url}"


def _length_text(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"
