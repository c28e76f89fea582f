"""A page to draw on, measured in pixels from its upper left corner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bbnn.errors import InputError

DPI = 100
PAPER, INK, MUTED, FAINT = "#fbfaf6", "#1d2027", "#73777f", "#dad8d0"


def points(pixels: float) -> float:
    """Return a length in pixels as matplotlib counts type and lines, in 1/72 inch."""
    return pixels * 72 / DPI


class Canvas:
    """An empty page of `width` times `height` pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER)

    def text(self, x: float, y: float, text: str, size: float, **style: Any) -> None:
        """Write a line on the baseline `y`, `size` pixels high; `style` as matplotlib's Text."""
        style = {"color": INK, "va": "baseline"} | style
        self._figure.text(x / self.width, 1 - y / self.height, text, size=points(size), **style)

    def heading(self, x: float, y: float, title: str, note: str) -> None:
        """Write a section's title, its top at `y`, and below it the lines of a note."""
        self.text(x, y + 24, title, 24, weight="bold")
        for number, line in enumerate(note.splitlines()):
            self.text(x, y + 54 + 22 * number, line, 16, color=MUTED)

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Return axes whose frame is no more than a faint left and lower edge."""
        sizes = (x / self.width, 1 - (y + height) / self.height)
        axes = self._figure.add_axes((*sizes, width / self.width, height / self.height))
        axes.set_facecolor("none")
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(FAINT)
        axes.tick_params(length=0, labelsize=points(14), labelcolor=MUTED)
        return axes

    def save(self, path: Path) -> None:
        """Write the page as PNG, whole or not at all; raise `InputError` if that is refused."""
        beside = path.with_name(path.name + ".part")
        try:
            self._figure.savefig(beside, format="png", metadata={"Software": None})
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise InputError(f"{path} must be writable, not refused: {error.strerror}") from None
