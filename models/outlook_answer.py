"""What does an outlook answer, and how are its parameters read and changed?"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.outlook_arithmetic import Floats

Reasons = NDArray[np.object_]


@dataclass(frozen=True, kw_only=True)
class OutlookAnswer:
    """What is said of each row."""

    probability: Floats
    """(n,) of a bad end; nan where refused."""
    reason: Reasons
    """(n,) None, 'too_few_ended', 'too_few_bad', 'outside_range', 'too_late' or
    'not_known'."""
    expected_end: Floats
    """(n,) last score as likely missed upwards as downwards, points, higher is worse; nan where
    refused or where the end is not told by a score."""


class Parameters:
    """Parameters as scikit-learn asks for them: those of `__init__`, stored as they are."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - scikit-learn's
        """Return the parameters by name; `deep` is scikit-learn's and changes nothing here."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {name: getattr(self, name) for name in names}

    def set_params(self, **params: Any) -> Self:  # noqa: ANN401 - of any kind
        """Change parameters by name."""
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(f"{type(self).__name__} has no parameter {name!r}.")
            setattr(self, name, value)
        return self
