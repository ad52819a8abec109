"""Draw figures against sizes, both by powers of ten, for light and dark pages.

It has no background of its own; its colours stand out from white and from black.
"""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 920, 520
LEFT, RIGHT, TOP, BOTTOM = 64, 330, 44, 52
GAP = 15  # px between two labels
TEXT, LINES = "#7d8590", "#7d859055"
OURS = ("#e8710a", "#d6336c")
OTHERS = ("#3b82f6", "#0e9f8e", "#8b6cf0", "#7f9a00", "#b0833d", "#c2569b", "#4f8fa8")
STYLE = (
    f"text{{font:13px system-ui,sans-serif;fill:{TEXT}}}"
    ".name{font-weight:600}polyline{fill:none;stroke-width:1.8}"
    f"line{{stroke:{LINES}}}.ours{{stroke-width:3.4}}.floor{{stroke-dasharray:5 4}}"
)


class Axes:
    """Where values stand in the picture.

    Args:
        xs: the sizes.
        ys: the figures.
    """

    def __init__(self, xs: list[float], ys: list[float]) -> None:
        self._x = math.log10(min(xs)), max(math.log10(max(xs) / min(xs)), 1e-9)
        low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
        self._y = low, max(high - low, 1)
        self.powers = [10.0**power for power in range(low, low + self._y[1] + 1)]

    def x(self, value: float) -> float:
        """Return the place of a size, in px."""
        part = (math.log10(value) - self._x[0]) / self._x[1]
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return the place of a figure, in px."""
        part = (math.log10(value) - self._y[0]) / self._y[1]
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)


def apart(wanted: list[float]) -> list[float]:
    """Return places near the wanted ones, in their order, with a gap between them."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    places = [0.0] * len(wanted)
    lowest = HEIGHT - BOTTOM + GAP
    for left, at in enumerate(reversed(order)):
        lowest = min(lowest - GAP, wanted[at])
        places[at] = max(lowest, TOP + GAP * (len(order) - 1 - left))
        lowest = places[at]
    return places


def number(value: float) -> str:
    """Return a power of ten as one reads it."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def text(x: float, y: float, said: str, more: str = "") -> str:
    """Return words at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(said)}</text>'


def style(name: str, ours: int, others: int) -> tuple[str, str]:
    """Return colour and class of a line."""
    if name.startswith("midflight"):
        return OURS[ours % len(OURS)], "ours"
    if name.startswith("floor"):
        return TEXT, "floor"
    return OTHERS[others % len(OTHERS)], ""


def grid(axes: Axes, sizes: list[float]) -> list[str]:
    """Return the lines behind the figures, and what they stand for."""
    right, bottom, found = WIDTH - RIGHT, HEIGHT - BOTTOM, []
    for value in axes.powers:
        y = axes.y(value)
        found.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        found.append(text(LEFT - 8, y + 4, number(value), 'text-anchor="end"'))
    for size in sizes:
        x = axes.x(size)
        found.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>')
        found.append(text(x, bottom + 20, number(size), 'text-anchor="middle"'))
    return found


def drawn(title: str, below: str, series: dict[str, dict[int, float]]) -> str:
    """Return the picture.

    Args:
        title: what the figures are.
        below: what the sizes are.
        series: figure by size for each name; "midflight" and "floor" stand out.
    """
    sizes = sorted({size for line in series.values() for size in line})
    axes = Axes(sizes, [value for line in series.values() for value in line.values()])
    ends = [axes.y(line[max(line)]) for line in series.values()]
    parts, ours, others = grid(axes, sizes), 0, 0
    for (name, line), end, place in zip(series.items(), ends, apart(ends), strict=True):
        colour, kind = style(name, ours, others)
        ours, others = ours + (kind == "ours"), others + (kind == "")
        points = [(axes.x(size), axes.y(line[size])) for size in sorted(line)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        paint = f'stroke="{colour}" class="{kind}"'
        parts.append(f'<polyline points="{path}" {paint}/>')
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
            for x, y in points
        ]
        edge = WIDTH - RIGHT + 22
        lead = f"{points[-1][0] + 5:.1f},{end:.1f} {edge - 4},{place:.1f}"
        thin = f'style="stroke:{colour};stroke-width:.7"'
        parts.append(f'<polyline points="{lead}" {thin}/>')
        bold = ' class="name"' if kind == "ours" else ""
        parts.append(text(edge, place + 4, name, f'style="fill:{colour}"{bold}'))
    parts.append(text(LEFT - 48, 22, title, 'class="name"'))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(text(middle, HEIGHT - 12, below, 'text-anchor="middle"'))
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>\n<style>{STYLE}</style>\n'
    return head + "\n".join(parts) + "\n</svg>\n"
