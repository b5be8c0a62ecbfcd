"""The benchmark of the screens measures what it says: the right screens, drawn by the server."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from data_contracts.places import Places

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Load the benchmark, which is in no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import screens
    import screens_client
    import screens_users

    return {"screens": screens, "client": screens_client, "users": screens_users}


@pytest.mark.reliability
def test_a_user_walks_from_the_queue_through_cases_and_back(
    own_practice: Places, parts: dict[str, Any]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    users, wrong = parts["users"], parts["client"].WrongScreenError
    with parts["screens"].screens(own_practice, port) as pid:
        user = users.User(f"127.0.0.1:{port}", "S-01", 0.0, users.Acts())
        walk = (user.load_queue, user.open_case, user.load_case, user.back, user.open_case)
        seen = [act() for act in walk]
        case_id = user.browser.query["case"]
        assert case_id in user.browser.title().replace("\\", "")
        with pytest.raises(wrong, match="Supervision queue"):
            user.browser.expect("Supervision queue")
        with pytest.raises(wrong, match="no button"):
            user.browser.press("Delete everything")
        user.browser.open("case", role="supervisor", supervisor="S-01", case="C-of-nobody")
        with pytest.raises(wrong):
            user.browser.expect("Case C-of-nobody")
        assert parts["screens"].usage(pid)[1] > 0
        user.browser.close()
    assert [what for what, _ in seen] == ["queue", "case", "case", "queue", "case"]
    assert all(cost.seconds >= cost.seconds_to_last_element > 0 for _, cost in seen)
    assert all(cost.received_bytes > 1000 for _, cost in seen)


def test_percentiles_are_values_that_were_measured(parts: dict[str, Any]) -> None:
    percentile = parts["screens"].percentile
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile(list(range(1, 101)), 0.95) == 95
    assert percentile([7.0], 0.99) == 7.0
