"""What may this viewer read of how good the flags are? Every question to the published evidence.

Aggregates after suppression, without a case: for every role. The evidence is written on another
schedule than the nights, so it has a pointer of its own; where it was never made there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from dashboard.reading import ANSWERS_KEPT, SECONDS_KEPT
from dashboard.scope import Scope
from dashboard.snapshot_files import FileError, Identity, SnapshotFiles, identity_of
from data_contracts.contract import Table
from data_contracts.errors import SourceError
from data_contracts.places import Places, unreadable_evidence
from data_contracts.tables_evidence import (
    EVIDENCE_AGREEMENT,
    EVIDENCE_BACKTESTS,
    EVIDENCE_BUDGET,
    EVIDENCE_CALIBRATION,
    EVIDENCE_COHORTS,
    EVIDENCE_COURSE,
    EVIDENCE_FIGURES,
    EVIDENCE_LANDMARKS,
    EVIDENCE_MODELS,
    EVIDENCE_PAIRED,
    EVIDENCE_SENTENCES,
    EVIDENCE_SUBGROUPS,
)

_FILES = SnapshotFiles()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One finished writing of evidence: a file that never changes."""

    evidence_id: str
    path: Path
    made_at: datetime


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a screen asks about: a measure, an end, and where it matters a moment."""

    measure_id: str
    outcome: str
    landmark: str = ""


def current_evidence(places: Places) -> Evidence | None:
    """Return the evidence the pointer names now; None where the flags were never tested.

    Raises
    ------
    SourceError
        If the pointer is damaged; every question below raises it where the file is.
    """
    pointer = places.evidence_pointer()
    if pointer is None:
        return None
    return Evidence(
        evidence_id=pointer.evidence_id,
        path=places.published / pointer.file,
        made_at=pointer.made_at,
    )


def backtests(evidence: Evidence, scope: Scope) -> pl.DataFrame:
    """Return what was tested: the measure of most cases first, of each the primary end."""
    rows = _rows(evidence, scope, EVIDENCE_BACKTESTS)
    most = pl.col("case_count").fill_null(0).max().over("measure_id")
    return rows.sort(
        most, "measure_id", "is_primary", "outcome", descending=[True, False, True, False]
    )


def landmarks(evidence: Evidence, scope: Scope, asked: Asked) -> pl.DataFrame:
    """Return the moments at which the rules were asked, in the order of time."""
    return _rows(evidence, scope, EVIDENCE_LANDMARKS, asked).sort("position")


def figures(evidence: Evidence, scope: Scope, asked: Asked) -> pl.DataFrame:
    """Return the figures of every rule, one a row."""
    return _rows(evidence, scope, EVIDENCE_FIGURES, asked)


def paired(evidence: Evidence, scope: Scope, asked: Asked) -> pl.DataFrame:
    """Return differences of two rules on the same cases."""
    return _rows(evidence, scope, EVIDENCE_PAIRED, asked)


def calibration(evidence: Evidence, scope: Scope, asked: Asked) -> pl.DataFrame:
    """Return what came of cases with much the same predicted probability."""
    return _rows(evidence, scope, EVIDENCE_CALIBRATION, asked)


def agreement(evidence: Evidence, scope: Scope, asked: Asked) -> pl.DataFrame:
    """Return how pairs of rules flag the same cases."""
    return _rows(evidence, scope, EVIDENCE_AGREEMENT, asked)


def subgroups(evidence: Evidence, scope: Scope, asked: Asked) -> pl.DataFrame:
    """Return figures by groups of cases."""
    return _rows(evidence, scope, EVIDENCE_SUBGROUPS, asked)


def cohorts(evidence: Evidence, scope: Scope, asked: Asked) -> pl.DataFrame:
    """Return how cases ended by when they started."""
    return _rows(evidence, scope, EVIDENCE_COHORTS, asked).sort("position")


def over_the_course(evidence: Evidence, scope: Scope, asked: Asked) -> pl.DataFrame:
    """Return figures of rules over whole courses."""
    return _rows(evidence, scope, EVIDENCE_COURSE, asked)


def budget(evidence: Evidence, scope: Scope, asked: Asked) -> pl.DataFrame:
    """Return what talking about so many cases a week would find and miss."""
    return _rows(evidence, scope, EVIDENCE_BUDGET, asked).sort("cases_a_week")


def sentences(evidence: Evidence, scope: Scope, asked: Asked) -> pl.DataFrame:
    """Return what is said of each rule, in the order in which it is read."""
    return _rows(evidence, scope, EVIDENCE_SENTENCES, asked).sort("rule", "landmark", "position")


def card(evidence: Evidence, scope: Scope, asked: Asked) -> dict[str, Any] | None:
    """Return the card of the model in use; None where there is none."""
    found = _rows(evidence, scope, EVIDENCE_MODELS, asked).to_dicts()
    return found[0] if found else None


def _rows(
    evidence: Evidence, scope: Scope, table: Table, asked: Asked | None = None
) -> pl.DataFrame:
    assert scope.role, "evidence is shown to signed-in roles only"  # noqa: S101 - a guard
    try:
        found = _remembered(str(evidence.path), identity_of(evidence.path), table.name, asked)
    except (SourceError, FileError):
        raise unreadable_evidence(evidence.path) from None
    if asked and asked.landmark and "landmark" in found.columns:
        return found.filter(pl.col("landmark") == asked.landmark)
    return found


@st.cache_data(
    max_entries=ANSWERS_KEPT,
    ttl=SECONDS_KEPT,
    show_spinner=False,
    hash_funcs={Asked: lambda asked: (asked.measure_id, asked.outcome)},
)
def _remembered(path: str, identity: Identity, table: str, asked: Asked | None) -> pl.DataFrame:
    values: dict[str, Any] = {}
    only = ""
    if asked is not None:
        values = {"measure_id": asked.measure_id, "outcome": asked.outcome}
        only = "where measure_id = $measure_id and outcome = $outcome"
    return _FILES.answers(path, identity, {"rows": f"select * from {table} {only}"}, values)["rows"]  # noqa: S608 - names of our contracts
