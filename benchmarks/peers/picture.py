"""The contest as a picture: a bar a contender and broker, as plain SVG."""

from collections.abc import Sequence
from html import escape

from benchmarks.peers.contest import OURS, OURS_PLAIN, Contest
from benchmarks.peers.table import medians

WIDTH, LEFT, RIGHT = 860, 250, 110
BAR, STEP, HEADING, MARGIN = 18, 26, 40, 16
OURS_FILL, PEER_FILL = "#1f6feb", "#9aa4b2"
STYLE = "font-family: system-ui, sans-serif; font-size: 13px"


def drawn(contests: Sequence[Contest]) -> str:
    """Fills a second, medians; each broker has a scale of its own."""
    parts, y = [], MARGIN
    for contest in contests:
        rates = sorted(medians(contest).items(), key=lambda one: -one[1])
        parts.append(_text(MARGIN, y + 16, f"Fills a second, {contest.broker}", weight=600))
        y += HEADING
        for name, rate in rates:
            parts += _bar(y, name, rate, rate / rates[0][1])
            y += STEP
        y += MARGIN
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    background = f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{STYLE}">'
    return "\n".join([opening, background, *parts, "</svg>", ""])


def _bar(y: int, name: str, rate: float, part: float) -> list[str]:
    """A contender's line; `part` is its share of the longest bar."""
    length = max(part * (WIDTH - LEFT - RIGHT), 1)
    fill = OURS_FILL if name in (OURS, OURS_PLAIN) else PEER_FILL
    return [
        _text(LEFT - 8, y + 14, name, anchor="end"),
        f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{fill}"/>',
        _text(LEFT + length + 8, y + 14, f"{rate:,.0f}"),
    ]


def _text(x: float, y: int, words: str, *, anchor: str = "start", weight: int = 400) -> str:
    place = f'x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {place} fill="#1c2128">{escape(words)}</text>'
