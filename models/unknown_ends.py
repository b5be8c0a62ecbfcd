"""How good would a rule be, were all the unknown ends good, and were all of them bad?

The predictive value cannot lie outside these two. Sensitivity can: it is lowest if of the unknown
cases those flagged ended well and the others badly.
"""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import ArrayLike

from models.discrimination import Judged


def if_unknown(is_bad: ArrayLike, judged: Judged, unknown: Judged) -> dict[str, float]:
    """Return predictive value and sensitivity with the unknown ends counted all good, all bad.

    Parameters
    ----------
    is_bad, judged
        (n,) Cases whose end is known, and what the rule said of them.
    unknown
        What it said of the cases whose end is not known; (m,) or (repeats, m).

    Examples
    --------
    Of 4 flags 3 are right and 1 bad end is missed; of 2 unknown ends 1 was flagged.

    >>> known = Judged(score=[9, 8, 7, 6, 1], is_flagged=[True, True, True, True, False])
    >>> unknown = Judged(score=[9, 1], is_flagged=[True, False])
    >>> if_unknown([True, True, True, False, True], known, unknown)
    ... # doctest: +NORMALIZE_WHITESPACE
    {'ppv_if_unknown_good': 0.6, 'ppv_if_unknown_bad': 0.8,
     'sensitivity_if_unknown_good': 0.75, 'sensitivity_if_unknown_bad': 0.6666666666666666}
    """
    ended_badly = np.asarray(is_bad, dtype=np.bool_)
    flag, rows = judged.flag_share(), judged.is_judged()
    other_flag, other_rows = unknown.flag_share(), unknown.is_judged()
    found, flags = flag[rows & ended_badly].sum(), flag[rows].sum()
    bad = (rows & ended_badly).sum()
    more_flags, more = other_flag[other_rows].sum(), other_rows.sum()
    return {
        "ppv_if_unknown_good": _share(found, flags + more_flags),
        "ppv_if_unknown_bad": _share(found + more_flags, flags + more_flags),
        "sensitivity_if_unknown_good": _share(found, bad),
        "sensitivity_if_unknown_bad": _share(found + more_flags, bad + more),
    }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else nan
