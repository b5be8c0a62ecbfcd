"""A role can be chosen without sign-in on the machine itself only."""

from __future__ import annotations

import pytest

from dashboard.viewer import is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_is_loopback(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "::", "192.168.1.4", "practice.example"])  # noqa: S104 - that it is refused is the test
def test_everything_else_is_not(address: str | None) -> None:
    assert not is_loopback(address)
