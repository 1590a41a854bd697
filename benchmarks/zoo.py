"""Write the tables of the built-in models, in the README and in docs/models.md, from what the files themselves hold.

    python benchmarks/zoo.py

Scores come from the model files (`intonate export` put them there), times from `results/latency*.json`: nothing is
measured here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from intonate import corpora
from intonate.recognizer import builtin
from intonate.recognizer.model_file import read_spec
from intonate.schema import ModelSpec

ROOT = Path(__file__).parents[1]
LATENCY = {"standard": "latency-standard.json", "compact": "latency.json"}
STATISTICS = ("clip alone", "clip + 5", "speaker-normalised")
LANGUAGES = {"bn": "Bengali", "de": "German", "en": "English", "pl": "Polish"}
WHEN = {
    "standard": "the default: the most often right on new people",
    "compact": "the smallest and quickest: many streams at once, small machines",
    "compact-open": "commercial use, at the size of `compact`",
    "standard-open": "commercial use, with the encoder of `standard`",
}


def models() -> dict[str, ModelSpec]:
    """The built-in models that hear."""
    specs = {name: read_spec(builtin.path_of(name)) for name in WHEN if name in builtin.names()}
    return dict(sorted(specs.items(), key=lambda item: list(WHEN).index(item[0])))


def rows(spec: ModelSpec, which: str) -> dict[str, dict[str, dict[str, Any]]]:
    """{corpus: {statistics: row}} of the scores of a model file."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in spec.scores.get(which, ()):
        if row["group"] == "corpus":
            found.setdefault(row["name"], {})[row["statistics"]] = row
    return dict(sorted(found.items()))


def score_table() -> str:
    """Of every model and corpus, UAR in percent with its interval, by how much was heard of the voice."""
    lines = [
        "| model | held-out speakers of | clips | clip alone | + 5 clips | all clips of the voice |",
        "| --- | --- | ---: | --- | --- | --- |",
    ]
    for name, spec in models().items():
        for which, note in (("held_out_speakers", ""), ("unseen_corpora", " (a corpus it never met)")):
            for corpus, by_statistics in rows(spec, which).items():
                about = corpora.get(corpus)
                cells = [_percent(by_statistics[statistics]) for statistics in STATISTICS]
                clips = by_statistics[STATISTICS[0]]["clips"]
                language = LANGUAGES[about.language]
                lines.append(
                    f"| `{name}` | {about.title.split(' (')[0]}, {language}{note} | {clips:,} | {' | '.join(cells)} |"
                )
    return "\n".join(lines)


def _percent(row: dict[str, Any]) -> str:
    value, low, high = (100 * row["uar_restricted"][key] for key in ("value", "low", "high"))
    return f"{value:.0f} ({low:.0f}–{high:.0f})"


def zoo_table() -> str:
    """Of every model, what decides for or against it."""
    lines = [
        "| model | take it for | MB | ms | known corpora, new people | TESS, never met | licence of the weights |",
        "| --- | --- | ---: | ---: | --- | --- | --- |",
    ]
    for name, spec in models().items():
        size = builtin.path_of(name).stat().st_size / 1e6
        lines.append(
            f"| `{name}` | {WHEN[name]} | {size:.1f} | {_milliseconds(name)} | {_means(spec, 'held_out_speakers')} | "
            f"{_means(spec, 'unseen_corpora')} | {spec.licence} |"
        )
    return "\n".join(lines)


def _means(spec: ModelSpec, which: str) -> str:
    """UAR clip alone, and with all clips of the voice: the mean over the corpora."""
    found = rows(spec, which).values()
    means = [
        100 * np.mean([by_statistics[statistics]["uar_restricted"]["value"] for by_statistics in found])
        for statistics in (STATISTICS[0], STATISTICS[2])
    ]
    return f"{means[0]:.0f} alone, {means[1]:.0f} with all clips"


def _milliseconds(name: str) -> str:
    network = name.removesuffix("-open")  # those that share a network share its time
    measured = json.loads((ROOT / "benchmarks/results" / LATENCY[network]).read_text(encoding="utf-8"))
    return f"{measured[f'intonate {network}']['median_ms']:.1f}"


def with_table(text: str, marker: str, table: str) -> str:
    """The text with the table between `<!-- marker -->` and `<!-- /marker -->`."""
    return re.sub(rf"(<!-- {marker} -->\n\n).*?(\n\n<!-- /{marker} -->)", rf"\g<1>{table}\g<2>", text, flags=re.S)


TABLES = {"README.md": ("scores", score_table), "docs/models.md": ("zoo", zoo_table)}

if __name__ == "__main__":
    for name, (marker, table) in TABLES.items():
        page = ROOT / name
        page.write_text(with_table(page.read_text(encoding="utf-8"), marker, table()), encoding="utf-8")
