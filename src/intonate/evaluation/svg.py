"""The few shapes that the pictures are made of, as strings of SVG.

Colours that belong to the page, not to the data, are CSS variables with a fallback for light ground (`INK`, `MUTED`,
`LINE`, `SURFACE`, `ACCENT`, `ON_ACCENT`): a page that sets `--ink` and its sisters themes every picture.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

INK = "var(--ink, #1c2430)"
MUTED = "var(--muted, #667080)"
LINE = "var(--line, #dde2e8)"
SURFACE = "var(--surface, #ffffff)"
ACCENT = "var(--accent, #2b5cab)"
ON_ACCENT = "var(--on-accent, #ffffff)"
WARM = "var(--warm, #c2571a)"

# Text size, in px of the view box, as everything here.
SIZE = 12.0
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
# Widths in em, rounded up to the widest common fallback (DejaVu Sans), so that what fits here fits everywhere.
_NARROW, _WIDE = set("fijlrtI.,:;|!'()[] "), set("mwMWOQ@%→—")


def text_width(content: str, size: float = SIZE) -> float:
    """An upper estimate of the width of a line of text, px."""
    return size * sum(0.42 if char in _NARROW else 0.96 if char in _WIDE else 0.64 for char in content)


def text(
    x: float,
    y: float,
    content: str,
    *,
    anchor: str = "start",
    size: float = SIZE,
    fill: str = INK,
    weight: int = 400,
    tip: str = "",
) -> str:
    """A line of text whose middle lies at height y; anchor is `start`, `middle` or `end`."""
    # 0.35 em from the baseline is the middle of the figures and capitals; dominant-baseline differs by browser.
    place = f'x="{x:.5g}" y="{y + 0.35 * size:.5g}" text-anchor="{anchor}" font-size="{size:.5g}"'
    weight_attribute = f' font-weight="{weight}"' if weight != 400 else ""
    title_element = f"<title>{escape(tip)}</title>" if tip else ""
    return f'<text {place} fill="{fill}"{weight_attribute}>{escape(content)}{title_element}</text>'


def rect(
    x: float, y: float, width: float, height: float, fill: str, *, opacity: float = 1, radius: float = 0, tip: str = ""
) -> str:
    """A filled rectangle."""
    shade = f' fill-opacity="{opacity:.3g}"' if opacity < 1 else ""
    corner = f' rx="{radius:.3g}"' if radius else ""
    shape = f'<rect x="{x:.5g}" y="{y:.5g}" width="{max(width, 0):.5g}" height="{max(height, 0):.5g}" fill="{fill}"'
    return _with_tip(f"{shape}{shade}{corner}", "rect", tip)


def frame(x: float, y: float, width: float, height: float, stroke: str, *, tip: str = "") -> str:
    """The outline of a rectangle."""
    shape = f'<rect x="{x:.5g}" y="{y:.5g}" width="{width:.5g}" height="{height:.5g}" fill="none" stroke="{stroke}"'
    return _with_tip(f'{shape} stroke-width="1.6"', "rect", tip)


def line(
    x1: float, y1: float, x2: float, y2: float, stroke: str = LINE, *, width: float = 1, dash: str = "", cap: str = ""
) -> str:
    """A straight line."""
    dash_attribute = f' stroke-dasharray="{dash}"' if dash else ""
    cap_attribute = f' stroke-linecap="{cap}"' if cap else ""
    return (
        f'<line x1="{x1:.5g}" y1="{y1:.5g}" x2="{x2:.5g}" y2="{y2:.5g}" stroke="{stroke}" '
        f'stroke-width="{width:.3g}"{dash_attribute}{cap_attribute}/>'
    )


def circle(
    x: float, y: float, radius: float, fill: str, *, stroke: str = "none", width: float = 0, tip: str = ""
) -> str:
    """A filled, or ringed, circle."""
    shape = f'<circle cx="{x:.5g}" cy="{y:.5g}" r="{radius:.3g}" fill="{fill}" stroke="{stroke}" '
    return _with_tip(f'{shape}stroke-width="{width:.3g}"', "circle", tip)


def polyline(points: list[tuple[float, float]], stroke: str, *, width: float = 2) -> str:
    """A line through points."""
    path = " ".join(f"{x:.5g},{y:.5g}" for x, y in points)
    return (
        f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width:.3g}" stroke-linejoin="round"/>'
    )


def picture(width: float, height: float, title: str, parts: list[str]) -> str:
    """A whole picture. It takes the width that it is given, up to its own; `title` is what a screen reader says."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.5g} {height:.5g}" role="img" '
        f"aria-label={quoteattr(title)} font-family={quoteattr(_FONT)} "
        f'style="width:100%;max-width:{width:.5g}px;height:auto;font-variant-numeric:tabular-nums">'
        f"{''.join(parts)}</svg>"
    )


def _with_tip(shape: str, name: str, tip: str) -> str:
    return f"{shape}><title>{escape(tip)}</title></{name}>" if tip else f"{shape}/>"
