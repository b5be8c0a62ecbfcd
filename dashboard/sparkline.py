"""What did the scores do, at a glance? A small picture for a row of the queue."""

from __future__ import annotations

import json
from itertools import pairwise

from dashboard.words import INK, LINE, number

WIDTH, HEIGHT, MARGIN = 132, 36, 5


def scores_in(text: str) -> list[float | None]:
    """Return the scores of a queue row's JSON list."""
    return [None if score is None else float(score) for score in json.loads(text or "[]")]


def sparkline(scores: list[float | None], lowest: float, highest: float) -> str:
    """Return an SVG of the scores over the measure's full range; a missing score is a gap.

    The scale is the measure's own: a higher point is a higher score, whichever way is better.
    """
    step = (WIDTH - 2 * MARGIN) / max(1, len(scores) - 1)
    span = (highest - lowest) or 1.0

    def place(index: int, score: float) -> str:
        up = (score - lowest) / span * (HEIGHT - 2 * MARGIN)
        return f"{MARGIN + index * step:.1f},{HEIGHT - MARGIN - up:.1f}"

    lines = "".join(
        f'<polyline points="{place(index, before)} {place(index + 1, after)}"/>'
        for index, (before, after) in enumerate(pairwise(scores))
        if before is not None and after is not None
    )
    known = [(index, score) for index, score in enumerate(scores) if score is not None]
    dot = ""
    if known:
        across, down = place(*known[-1]).split(",")
        dot = f'<circle cx="{across}" cy="{down}" r="3" fill="{INK}"/>'
    edges = "".join(
        f'<line x1="0" x2="{WIDTH}" y1="{height}" y2="{height}" stroke="{LINE}"/>'
        for height in (1, HEIGHT - 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}">{edges}'
        f'<g fill="none" stroke="{INK}" stroke-width="1.6" stroke-linejoin="round">{lines}</g>'
        f"{dot}</svg>"
    )


def sparkline_words(scores: list[float | None]) -> str:
    """Return the text alternative: every score in order."""
    said = ", ".join("no score" if score is None else number(score) for score in scores)
    return f"Outcome scores in order: {said or 'none'}"
