"""Read the SQL that lies beside a step, by the name of each statement.

A file holds statements under lines `-- name: what_it_makes`. `{table}`-like marks stand for names
that come from the contracts, never for data; data are bound as `$parameters`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files


@cache
def _statements(stem: str) -> dict[str, str]:
    text = (files("pipelines") / f"{stem}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\s*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


def statement(stem: str, name: str, **names: str) -> str:
    """Return one statement with names from the contracts filled in."""
    text = _statements(stem)[name]
    for mark, replacement in names.items():
        text = text.replace("{" + mark + "}", replacement)
    return text
