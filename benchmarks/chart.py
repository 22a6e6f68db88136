"""Bar charts as plain SVG, one under the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT = 860, 250, 130
BAR, STEP, HEADING, MARGIN = 18, 26, 40, 16
OURS_FILL, PEER_FILL = "#1f6feb", "#9aa4b2"
STYLE = "font-family: system-ui, sans-serif; font-size: 13px"


@dataclass(frozen=True, slots=True)
class Bar:
    """What a bar stands for, how long it is, what is written at its end, whether it is ours."""

    name: str
    value: float
    told: str
    ours: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars in their order; each chart has a scale of its own."""

    title: str
    bars: Sequence[Bar]


def drawn(charts: Sequence[Chart]) -> str:
    parts, y = [], MARGIN
    for chart in charts:
        longest = max((bar.value for bar in chart.bars), default=0.0) or 1.0
        parts.append(_text(MARGIN, y + 16, chart.title, weight=600))
        y += HEADING
        for bar in chart.bars:
            parts += _drawn(y, bar, bar.value / longest)
            y += STEP
        y += MARGIN
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    background = f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{STYLE}">'
    return "\n".join([opening, background, *parts, "</svg>", ""])


def _drawn(y: int, bar: Bar, part: float) -> list[str]:
    """A bar's line; `part` is its share of the longest."""
    length = max(part * (WIDTH - LEFT - RIGHT), 1)
    fill = OURS_FILL if bar.ours else PEER_FILL
    return [
        _text(LEFT - 8, y + 14, bar.name, anchor="end"),
        f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{fill}"/>',
        _text(LEFT + length + 8, y + 14, bar.told),
    ]


def _text(x: float, y: int, words: str, *, anchor: str = "start", weight: int = 400) -> str:
    place = f'x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {place} fill="#1c2128">{escape(words)}</text>'
