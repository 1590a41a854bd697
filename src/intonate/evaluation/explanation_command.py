"""`intonate explain FILE`, behind the options."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from intonate.audio.listing import check_output
from intonate.errors import AudioError
from intonate.evaluation import explanation_page
from intonate.explanation import words
from intonate.explanation.explain import Explanation, explain
from intonate.recognizer.recognizer import load_model


def command(
    file: str,
    model: str | None,
    style: str,
    output: Path | None,
    label: str | None,
    start_s: float,
    end_s: float | None,
    text: str | None,
) -> None:
    """Explain a recording, and print the explanation or write it.

    Args:
        file: the recording.
        model: a built-in name, a model file or a run folder.
        style: `text`, `json` or `html`.
        output: a file to write to; a page without one is written beside us, as NAME-explained.html.
        label: the answer to explain; None for the likeliest.
        start_s, end_s: the stretch of the recording, seconds.
        text: what was said, for a model that reads it.

    Raises:
        AudioError, ModelError: as in `explain`; the file cannot be written.
    """
    if end_s is not None and end_s <= start_s:
        raise AudioError(
            f"--end {end_s:g} lies before --start {start_s:g}; expected a stretch of the recording, in seconds"
        )
    check_output(output, [file])
    explanation = explain(load_model(model), file, label=label, start_s=start_s, end_s=end_s, text=text)
    if style == "html" and output is None:
        output = Path(f"{Path(file).stem}-explained.html")
    if output is None and style == "text":
        console = Console(highlight=False, soft_wrap=True)
        console.print(words.to_text(explanation, _has_blocks(console.encoding)))
        return
    written = _WRITERS[style](explanation)
    if output is None:
        print(written)
        return
    output.write_text(written + "\n", encoding="utf-8", errors="backslashreplace")
    print(output)


def _has_blocks(encoding: str) -> bool:
    try:
        f"→·{words.SHADES}".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _as_json(explanation: Explanation) -> str:
    return json.dumps(words.to_dict(explanation), ensure_ascii=False, indent=2)


def _as_text(explanation: Explanation) -> str:
    return words.to_text(explanation).plain


_WRITERS: dict[str, Callable[[Explanation], str]] = {
    "text": _as_text,
    "json": _as_json,
    "html": explanation_page.render,
}
