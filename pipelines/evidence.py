"""How good are the flags here? Written beside the snapshots of the nights, as a third file.

In: back-tests, and the cards of the models in use. Out: `published/evidence-<id>.duckdb`, which
never changes, and the pointer `published/evidence.json`, which moves in one rename. A kill anywhere
before leaves the last evidence. No case is in it: counts over many cases after suppression, and
sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from json import dumps
from typing import Any

import polars as pl

from data_contracts.places import EvidencePointer, Places
from data_contracts.suppression import suppression_rule
from data_contracts.tables_evidence import EVIDENCE, EVIDENCE_MODELS
from models.backtest_counts import Backtest
from models.shown_backtest import shown_backtest
from pipelines.evidence_tables import evidence_rows, rows_of
from pipelines.locks import held
from pipelines.step_10_publish import EVIDENCE as STARTS_WITH
from pipelines.step_10_publish import write_snapshot


@dataclass(frozen=True, kw_only=True)
class EvidenceCard:
    """The card of a model in use: for people as Markdown, for programs as JSON.

    Its counts are suppressed already.
    """

    measure_id: str
    outcome: str
    version: str
    trained_at: datetime | None
    markdown: str
    content: Mapping[str, Any]


def write_evidence(
    places: Places,
    backtests: Sequence[Backtest],
    *,
    cards: Sequence[EvidenceCard] = (),
    made_at: datetime,
    suppression: str,
    measure_names: Mapping[str, str],
    snapshots_kept: int,
) -> str:
    """Publish what is known of the flags and the models in use; return the evidence's id.

    Parameters
    ----------
    backtests
        As `Backtest.as_json` gives them, before suppression; one a measure and outcome.
    made_at
        Now, with a time zone; ids sort by it.
    suppression
        Preset of suppression.toml.
    measure_names
        Each measure as a clinician says it, by id.
    snapshots_kept
        How many older ones stay, for screens that are open.

    Raises
    ------
    NightRunningError
        If another process writes evidence into this home.
    """
    made_at = made_at.astimezone(UTC)
    rule = suppression_rule(suppression)
    parts = [
        evidence_rows(
            shown_backtest(backtest, rule),
            measure_name=measure_names.get(backtest["measure"], backtest["measure"]),
            made_at=made_at,
        )
        for backtest in backtests
    ]
    tables = {
        table: pl.concat([rows_of(table, []), *(part[table] for part in parts)])
        for table in EVIDENCE
        if table is not EVIDENCE_MODELS
    } | {EVIDENCE_MODELS: rows_of(EVIDENCE_MODELS, [_card(card) for card in cards])}
    unique = sha256(f"{made_at.isoformat()}{places.home}".encode()).hexdigest()[:6]
    evidence_id = f"{STARTS_WITH}-{made_at:%Y%m%dT%H%M%S}-{unique}"
    path = places.published / f"{evidence_id}.duckdb"
    with held(places.evidence_lock, "writing of evidence", made_at):
        write_snapshot(path, tables)
        places.point_to_evidence(
            EvidencePointer(evidence_id=evidence_id, file=path.name, made_at=made_at)
        )
        _sweep(places, evidence_id, snapshots_kept)
    return evidence_id


def _card(card: EvidenceCard) -> dict[str, Any]:
    at = card.trained_at
    return {
        "measure_id": card.measure_id,
        "outcome": card.outcome,
        "version": card.version,
        "trained_at": None if at is None else at.astimezone(UTC).replace(tzinfo=None),
        "card_markdown": card.markdown,
        "card_json": dumps(card.content, ensure_ascii=False, sort_keys=True),
    }


def _sweep(places: Places, current: str, kept: int) -> None:
    """Remove evidence nobody points to, but the newest, and what killed writings left."""
    folder = places.published
    snapshots = sorted(folder.glob(f"{STARTS_WITH}-*.duckdb"), reverse=True)
    keep = {current} | {path.stem for path in snapshots[: kept + 1]}
    for path in folder.iterdir():
        is_ours = path.name.lstrip(".").startswith(STARTS_WITH)
        if is_ours and path != places.evidence_pointer_file and path.stem not in keep:
            path.unlink()
