"""Which published figures may stand beside the practice's own, and how do they differ?"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field, model_validator

OFFICIAL = "official_"
"""Stands before a figure counted by England's official rule: "official_recovery"."""


class Benchmark(BaseModel):
    """A published figure: a share, or a range of shares; never a pass mark."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    figure: str
    name: str
    value: float | None = Field(default=None, ge=0, le=1)
    low: float | None = Field(default=None, ge=0, le=1)
    high: float | None = Field(default=None, ge=0, le=1)
    population: str
    year: str
    source: str
    is_verified: bool
    """Whether the number was read in the paper or page itself."""
    differs: str
    """How its definition differs from the practice's figure, in a sentence."""

    @model_validator(mode="after")
    def _says_a_share_or_a_range(self) -> Benchmark:
        if (self.value is None) == (self.low is None) or (self.low is None) != (self.high is None):
            message = f"{self.name}: give value, or low and high"
            raise ValueError(message)
        return self

    @property
    def share(self) -> str:
        """The share, or the range, in per cent."""
        if self.value is not None:
            return percent(self.value)
        return f"{percent(self.low or 0.0)} to {percent(self.high or 0.0)}"

    @property
    def origin(self) -> str:
        """Where the number was read, or that it is second-hand."""
        if self.is_verified:
            return self.source.replace(" (", ", ").removesuffix(")")
        return f"reported second-hand, original not read: {self.source.split()[0]}"


def percent(share: float) -> str:
    """Return a share in per cent, with a decimal where the source gives one."""
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


@cache
def benchmarks() -> tuple[Benchmark, ...]:
    """Return every benchmark, in the order of benchmarks.toml."""
    text = (files("data_contracts") / "benchmarks.toml").read_text(encoding="utf-8")
    return tuple(Benchmark(**each) for each in tomllib.loads(text)["benchmark"])


def benchmarks_of(figure: str) -> tuple[Benchmark, ...]:
    """Return the benchmarks of one figure."""
    return tuple(each for each in benchmarks() if each.figure == figure)
