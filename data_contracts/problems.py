"""Which measure a problem declares as the one to judge by."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files


@cache
def problem_measures() -> dict[str, str]:
    """Return problem code = measure_id; sources in problems.toml."""
    text = (files("data_contracts") / "problems.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)["measures"])
