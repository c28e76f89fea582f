"""A plot as inline SVG, in the page's own colours: classes name them, the style sheet decides."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

Point = tuple[float, float]


class Plot:
    """A drawing area with a frame of labels around it.

    width, height : of all, in units that are about a pixel of a telephone. x, y : the values at its
    left and right edge, at its lower and upper edge. margins : top, right, bottom, left. title :
    what the picture shows, for those who do not see it.
    """

    def __init__(
        self,
        title: str,
        width: float,
        height: float,
        x: Point,
        y: Point,
        margins: tuple[float, float, float, float],
    ) -> None:
        self.title, self.width, self.height = title, width, height
        self._x, self._y = x, y
        self._top, self._right, self._bottom, self._left = margins
        self._parts: list[str] = []

    def x(self, value: float) -> float:
        """Return where a value is, in the plot's units from the left."""
        low, high = self._x
        inner = self.width - self._left - self._right
        return self._left + (value - low) / (high - low) * inner

    def y(self, value: float) -> float:
        """Return where a value is, in the plot's units from above."""
        low, high = self._y
        inner = self.height - self._top - self._bottom
        return self.height - self._bottom - (value - low) / (high - low) * inner

    def line(self, points: Iterable[Point], style: str) -> None:
        """Draw a line through values."""
        places = " ".join(f"{_n(self.x(x))},{_n(self.y(y))}" for x, y in points)
        self._parts.append(f'<polyline class="{style}" points="{places}"/>')

    def area(self, points: Iterable[Point], style: str) -> None:
        """Fill what lies within values."""
        places = " ".join(f"{_n(self.x(x))},{_n(self.y(y))}" for x, y in points)
        self._parts.append(f'<polygon class="{style}" points="{places}"/>')

    def dot(self, x: float, y: float, radius: float, style: str) -> None:
        """Draw a disc at values; the radius is in the plot's units."""
        self.spot(x, self.y(y), radius, style)

    def spot(self, x: float, y: float, radius: float, style: str) -> None:
        """Draw a disc at a value; `y`, its centre, and the radius are in the plot's units."""
        place = f'cx="{_n(self.x(x))}" cy="{_n(y)}" r="{_n(radius)}"'
        self._parts.append(f'<circle class="{style}" {place}/>')

    def bar(self, x: Point, y: float, height: float, style: str) -> None:
        """Draw a lying bar between two values; `y`, its upper edge, is in the plot's units."""
        left, right = (self.x(value) for value in x)
        if right == left:
            return
        place = f'x="{_n(left)}" y="{_n(y)}" width="{_n(max(right - left, 0.5))}"'
        self._parts.append(f'<rect class="{style}" {place} height="{_n(height)}"/>')

    def text(self, x: float, y: float, text: str, style: str = "", anchor: str = "start") -> None:
        """Write a line on the baseline `y`; both are in the plot's units."""
        place = f'x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"'
        self._parts.append(f'<text class="{style}" {place}>{escape(text)}</text>')

    def ticks_below(self, ticks: Iterable[tuple[float, str]], name: str = "") -> None:
        """Write values below the drawing area, and beneath what they are of."""
        edge = self.height - self._bottom
        for value, text in ticks:
            anchor = {self._x[0]: "start", self._x[1]: "end"}.get(value, "middle")
            self.text(self.x(value), edge + 16, text, "tick", anchor)
        if name:
            self.text(self.x(self._x[0]), edge + 34, name, "tick")

    def ticks_left(self, ticks: Iterable[tuple[float, str]]) -> None:
        """Write values beside the drawing area, each with a faint line through it."""
        for value, text in ticks:
            self.line([(self._x[0], value), (self._x[1], value)], "grid")
            self.text(self._left - 8, self.y(value) + 4, text, "tick", "end")

    def svg(self) -> str:
        """Return the element, its texts escaped."""
        box = f"0 0 {_n(self.width)} {_n(self.height)}"
        head = f'<svg viewBox="{box}" role="img" aria-label="{escape(self.title)}">'
        return head + "".join(self._parts) + "</svg>"


def _n(value: float) -> str:
    """Return a number with no more digits than can be seen."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
