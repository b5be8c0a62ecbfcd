"""What can go wrong, in the practice's terms; each kind has an exit code of its own.

A message says what is wrong, where, and what to do. It never holds anything about a client.
Exit codes 1 and 2 stay with Python (an unforeseen error) and Typer (a wrong call).
"""

from __future__ import annotations


class UnstuckError(Exception):
    """Something a person can act on; shown without a traceback."""

    exit_code: int = 3


class ContractError(UnstuckError):
    """A measure, rule, wording, mapping or settings file breaks its own format."""

    exit_code = 4


class SourceError(UnstuckError):
    """The folder or file to read is missing or cannot be opened."""

    exit_code = 5


class EverythingRefusedError(UnstuckError):
    """Files came, and not one row of scores could be accepted."""

    exit_code = 6


class NightRunningError(UnstuckError):
    """Another night holds this home."""

    exit_code = 7


class NothingPublishedError(UnstuckError):
    """There is no snapshot to read yet."""

    exit_code = 8


class UnknownCaseError(UnstuckError):
    """No published case has this id, or it is outside the asker's scope."""

    exit_code = 9


class AccountingError(UnstuckError):
    """Rows do not add up: the night stops and publishes nothing."""

    exit_code = 10


class NotAvailableError(UnstuckError):
    """A part this command needs (a server, a port, a browser) is not there."""

    exit_code = 11


class WorkspaceError(UnstuckError):
    """The store of reviews, sign-ins and the audit log cannot be used."""

    exit_code = 12


class SendingError(UnstuckError):
    """A message could not be handed to its receivers."""

    exit_code = 13


class ModelNotUsableError(UnstuckError):
    """A trained model on disk is damaged, of another make, or holds what may not be loaded."""

    exit_code = 14


def nearest(word: str, known: list[str]) -> str:
    """Return " (did you mean 'x'?)" for the known word most like this one, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
