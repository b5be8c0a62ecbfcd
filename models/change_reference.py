"""Against whom is a change measured? Populations with a name, and what a rule may be made of.

A reference is frozen: taken from the sample it would change everyone's class whenever a case is
added, so that is an explicit choice, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import UnstuckError

Floats = NDArray[np.float64]
Direction = Literal["worse", "better"]

SAMPLE_WARNING = (
    "The reference was taken from these very cases: classes change when a case is added. Prefer "
    "published means and standard deviations."
)


class ChangeRuleError(UnstuckError):
    """A rule of change cannot be made from what was given."""


def sign_of(higher_is: Direction) -> float:
    """Return +1 where a higher score is better, -1 where it is worse.

    Examples
    --------
    >>> sign_of("better"), sign_of("worse")
    (1.0, -1.0)
    """
    if higher_is not in ("better", "worse"):
        message = f"higher_is == {higher_is!r}, must be 'better' or 'worse'"
        raise ChangeRuleError(message)
    return 1.0 if higher_is == "better" else -1.0


def must(holds: bool, name: str, value: object, rule: str) -> None:
    """Refuse a value of a rule in one form of words.

    Examples
    --------
    >>> must(holds=False, name="share", value=0, rule="above zero")
    Traceback (most recent call last):
    ...
    models.change_reference.ChangeRuleError: share == 0, must be above zero
    """
    if not holds:
        message = f"{name} == {value!r}, must be {rule}"
        raise ChangeRuleError(message)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The people a change is measured against: a frozen, named set of numbers, in points."""

    name: str
    """Who they are, such as "BDI-II manual, outpatients"."""
    sd_pre: float
    mean_pre: float | None = None
    mean_post: float | None = None
    sd_post: float | None = None
    correlation: float | None = None
    """Between the scores before and after."""
    is_sample: bool = False
    """True if taken from the very cases that are judged."""

    def __post_init__(self) -> None:
        must(bool(self.name.strip()), "name", self.name, "a name that says who these people are")
        for name in ("sd_pre", "sd_post"):
            value = getattr(self, name)
            must(value is None or 0 < value < float("inf"), name, value, "above zero")
        for name in ("mean_pre", "mean_post"):
            value = getattr(self, name)
            must(value is None or isfinite(value), name, value, "a number")
        r = self.correlation
        must(r is None or -1 <= r <= 1, "correlation", r, "between -1 and 1")

    @classmethod
    def of_sample(cls, pre: Floats, post: Floats, name: str = "") -> Reference:
        """Return the reference of complete pairs (n,): an explicit choice, and it says so.

        Raises
        ------
        ChangeRuleError
            If fewer than two pairs are complete, or all scores before are equal.
        """
        whole = np.isfinite(pre) & np.isfinite(post)
        pre, post = pre[whole], post[whole]
        must(len(pre) > 1, "complete pairs", len(pre), "2 or more to make a reference of them")
        sd_pre, sd_post = float(pre.std(ddof=1)), float(post.std(ddof=1))
        return cls(
            name=name or f"these {len(pre)} cases themselves",
            mean_pre=float(pre.mean()),
            sd_pre=sd_pre,
            mean_post=float(post.mean()),
            sd_post=sd_post or None,
            correlation=float(np.corrcoef(pre, post)[0, 1]) if sd_pre and sd_post else None,
            is_sample=True,
        )


@dataclass(frozen=True, kw_only=True)
class Norm:
    """A population of a measure: mean and standard deviation, in points, and its name."""

    name: str
    mean: float
    sd: float

    def __post_init__(self) -> None:
        must(bool(self.name.strip()), "name", self.name, "a name that says who these people are")
        must(isfinite(self.mean), "mean", self.mean, "a number")
        must(0 < self.sd < float("inf"), "sd", self.sd, "above zero")
