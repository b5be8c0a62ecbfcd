"""Which word, shape and colour stands for what is found in a case, and how plain text is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

# Colours of text reach 4.5 : 1 on white (WCAG 2.2 AA); tests/dashboard/test_words.py computes it.
INK = "#1f2933"
MUTED = "#5f6c7b"
BLUE = "#2b6cb0"
RED = "#a4262c"
AMBER = "#8f5d0c"  # the sketches' #b7791f has 3.6 : 1 only
LINE = "#d9e0e6"  # never text
BAND = "#e8eef5"  # never text
BACKGROUND = "#ffffff"
TEXT_COLOURS = {"ink": INK, "muted": MUTED, "blue": BLUE, "red": RED, "amber": AMBER}

Tone = Literal["ink", "muted", "blue", "red", "amber"]
# The theme in launch.py gives Streamlit's colour words our colours.
_MARKDOWN_COLOUR = {"muted": "gray", "blue": "blue", "red": "red", "amber": "orange"}


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A shape, a word and a tone: the meaning never hangs on the colour alone."""

    shape: str
    word: str
    tone: Tone

    @property
    def text(self) -> str:
        """Shape and word, as charts and text alternatives use them."""
        return f"{self.shape} {self.word}"

    @property
    def colour(self) -> str:
        """The tone as a hex colour, for charts."""
        return TEXT_COLOURS[self.tone]

    @property
    def markdown(self) -> str:
        """Shape and word in their colour, bold."""
        colour = _MARKDOWN_COLOUR.get(self.tone)
        bold = f"**{plain(self.text)}**"
        return f":{colour}[{bold}]" if colour else bold


_MARKS = {
    "deteriorating": Mark(shape="▼", word="deteriorating", tone="red"),
    "stuck": Mark(shape="■", word="stuck", tone="ink"),
    "watch": Mark(shape="◆", word="watch", tone="amber"),
    "on_track": Mark(shape="▷", word="on track", tone="muted"),
    "improved": Mark(shape="△", word="improved", tone="muted"),
    "recovered": Mark(shape="○", word="recovered", tone="muted"),
    "cannot_judge": Mark(shape="?", word="cannot judge", tone="muted"),
    "safety": Mark(shape="!", word="safety item", tone="red"),
    "alliance_drop": Mark(shape="●", word="alliance fell", tone="blue"),
    "alliance_low": Mark(shape="●", word="alliance low", tone="blue"),
    "alliance_ceiling": Mark(shape="●", word="alliance at the top", tone="blue"),
    "outlook": Mark(shape="◇", word="by its outlook", tone="ink"),
}
_CODES = {
    "no_baseline": "no score from the start of care",
    "no_score": "no score after the first",
    "no_threshold": "a measure without a known clear change",
    "stale": "no recent score",
    "too_early": "too early: fewer than three sessions",
    "two_scores": "two scores clearly worse",
    "easing": "easing, still clearly worse",
    "worse_once": "one score clearly worse",
    "half_worse": "one score somewhat worse",
    "another_stuck": "another measure is stuck",
    "past_plan": "more sessions than planned",
    "paused": "a long break before this score",
    "gain_stalled": "better, and level for long",
    "gain_lost": "an earlier gain is lost",
    "no_gain": "no gain",
    "slow_gain": "a slow gain",
    "no_gain_yet": "no gain yet",
    "below_band": "worse than most similar cases",
    "below_cut_at_start": "below the cut-off from the start",
    "below_cut_not_reliable": "below the cut-off, change not clear",
    "measures_disagree": "measures disagree",
}


def mark(name: str) -> Mark:
    """Return the mark of a status or of a kind of flag; an unknown one is shown by its name."""
    return _MARKS.get(name) or Mark(shape="·", word=name.replace("_", " "), tone="muted")


def code_words(code: str) -> str:
    """Return the words for a status code, such as 'no_gain'."""
    return _CODES.get(code) or code.replace("_", " ")


def plain(text: str) -> str:
    """Return the text so that Streamlit's Markdown shows it letter by letter."""
    escaped = re.sub(r"([\\`*_\[\]<>$~:|#&])", r"\\\1", text)
    return re.sub(r"^(\s*)([-+]|\d+(?=[.)]))", _unlisted, escaped)


def _unlisted(start: re.Match[str]) -> str:
    space, first = start.groups()
    return f"{space}\\{first}" if first in "-+" else f"{space}{first}\u200b"


def quoted(lines: Iterable[str]) -> str:
    """Return what could be said, as quotations; page_style.css makes them readable."""
    return "\n>\n".join(f"> {plain(line)}" for line in lines)


def small(text: str) -> str:
    """Return escaped text as Markdown for small print: muted, with enough contrast.

    Streamlit's own caption is the text colour at 60 %: 4.0 : 1, too faint.
    """
    return f":gray[:small[{text}]]"


def counted(number: int, one: str, many: str = "") -> str:
    """Return '1 case' or '2 cases'."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(value: datetime) -> str:
    """Return a time as '22 Nov 2026, 05:02 UTC'; times without a zone are UTC."""
    in_utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return f"{in_utc.day} {in_utc:%b %Y, %H:%M} UTC"


def number(value: float) -> str:
    """Return a score without needless decimals: 17, 16.5."""
    return f"{value:.1f}".removesuffix(".0")


def since(session: int | None, day: int | None) -> str:
    """Return 'since session 8', else 'since day 57', else nothing."""
    if session is not None:
        return f"since session {session}"
    return "" if day is None else f"since day {day}"


def days_ago(days: int | None) -> str:
    """Return how long ago the last contact was."""
    if days is None:
        return "last contact not known"
    if days <= 0:
        return "last contact today"
    return f"last contact {counted(days, 'day')} ago"
