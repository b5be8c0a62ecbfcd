"""Where do labels at the ends of lines stand, so that none covers another?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

LINE_PIXELS = 15
_ROUNDS = 60  # enough for the handful of labels of a chart


@dataclass(frozen=True, kw_only=True)
class LineEnd:
    """A label beside the end of a line; `value` is where it wants to stand, on the scale."""

    text: str
    value: float
    colour: str
    is_bold: bool = False

    @property
    def lines(self) -> int:
        """Lines of text."""
        return self.text.count("\n") + 1


def spread(
    labels: Sequence[LineEnd], *, lowest: float, highest: float, height: int
) -> list[LineEnd]:
    """Return the labels, lowest first, moved apart evenly until none covers another."""
    a_line = LINE_PIXELS * (highest - lowest) / height
    placed = sorted(labels, key=lambda label: label.value)
    values = [label.value for label in placed]
    edges = [a_line * (label.lines - 1) / 2 for label in placed]
    for _ in range(_ROUNDS):
        for upper in range(1, len(placed)):
            lines = (placed[upper - 1].lines + placed[upper].lines) / 2
            overlap = lines * a_line - (values[upper] - values[upper - 1])
            if overlap > 0:
                values[upper - 1] -= overlap / 2
                values[upper] += overlap / 2
        values = [
            min(max(value, lowest + edge), highest - edge)
            for value, edge in zip(values, edges, strict=True)
        ]
    return [replace(label, value=value) for label, value in zip(placed, values, strict=True)]
