"""A script that calls unstuck can tell one kind of trouble from another."""

from collections import Counter

import data_contracts.errors
from data_contracts.errors import UnstuckError


def test_every_kind_of_error_has_an_exit_code_of_its_own() -> None:
    kinds = [
        kind
        for kind in vars(data_contracts.errors).values()
        if isinstance(kind, type) and issubclass(kind, UnstuckError)
    ]
    shared = {
        code for code, times in Counter(kind.exit_code for kind in kinds).items() if times > 1
    }
    assert not shared
    assert not {kind.exit_code for kind in kinds} & {0, 1, 2}  # success, Python, a wrong call
