"""On which day of the practice's calendar was that? The one place that turns a moment into a day.

The practice's calendar is that of the machine unstuck runs on; moments are stored in UTC.
"""

from __future__ import annotations

from datetime import date, datetime


def local_day(moment: datetime) -> date:
    """Return the day of a moment where this machine stands.

    Raises
    ------
    ValueError
        If the moment has no time zone; nobody could say when it was.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone().date()
