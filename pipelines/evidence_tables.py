"""What do the published tables of evidence hold of one back-test, after suppression?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from data_contracts.contract import Table
from data_contracts.tables_evidence import (
    EVIDENCE_AGREEMENT,
    EVIDENCE_BACKTESTS,
    EVIDENCE_BUDGET,
    EVIDENCE_CALIBRATION,
    EVIDENCE_COHORTS,
    EVIDENCE_COURSE,
    EVIDENCE_FIGURES,
    EVIDENCE_LANDMARKS,
    EVIDENCE_PAIRED,
    EVIDENCE_SENTENCES,
    EVIDENCE_SUBGROUPS,
)
from models.alert_words import alert_sentences, ended_words, when_words
from models.backtest_counts import Backtest
from models.shown_figures import AT_SHARE, BOUNDS, OF_SCORES, RULE_COUNTS, SHARES

PRIMARY = "clinical_without_gain"
Row = dict[str, Any]

_TYPES: dict[str, type[pl.DataType]] = {
    "text": pl.String,
    "bigint": pl.Int64,
    "double": pl.Float64,
    "boolean": pl.Boolean,
    "timestamp": pl.Datetime,
}
# How many cases a share is of: its denominator, where the JSON has it.
_OF = {name: whole for name, (_, whole) in SHARES.items()}
_OF_GROUPS = ("auc", "sensitivity", "ppv", "share_flagged")


def evidence_rows(
    shown: Backtest, *, measure_name: str, made_at: datetime
) -> dict[Table, pl.DataFrame]:
    """Return the rows of every table for one back-test, as `shown_backtest` gives it."""
    about = {"measure_id": shown["measure"], "outcome": shown["outcome"]}
    makers: dict[Table, Callable[[Backtest], Iterator[Row]]] = {
        EVIDENCE_LANDMARKS: _landmarks,
        EVIDENCE_FIGURES: _figures,
        EVIDENCE_PAIRED: _paired,
        EVIDENCE_CALIBRATION: _calibration,
        EVIDENCE_AGREEMENT: _agreement,
        EVIDENCE_SUBGROUPS: _subgroups,
        EVIDENCE_COHORTS: _cohorts,
        EVIDENCE_COURSE: _course,
        EVIDENCE_BUDGET: _budget,
        EVIDENCE_SENTENCES: _sentences,
    }
    whole = _whole(shown) | {"measure_name": measure_name, "made_at": made_at.replace(tzinfo=None)}
    return {EVIDENCE_BACKTESTS: rows_of(EVIDENCE_BACKTESTS, [about | whole])} | {
        table: rows_of(table, [about | row for row in make(shown)])
        for table, make in makers.items()
    }


def rows_of(table: Table, rows: list[Row]) -> pl.DataFrame:
    """Return rows as a frame with the table's columns and types, in the order of its key."""
    schema = {column.name: _TYPES[column.type] for column in table.columns}
    found = [{name: row.get(name) for name in schema} for row in rows]
    return pl.DataFrame(found, schema=schema, orient="row").sort(table.key)


def _whole(shown: Backtest) -> Row:
    starts = [
        day
        for row in shown.get("cohorts", [])
        for day in (row.get("started_from"), row.get("started_to"))
        if day is not None
    ]
    split = next(
        (
            said.sentence
            for landmark in shown["landmarks"]
            for rule in shown["rules"]
            for said in alert_sentences(shown, rule, landmark)
            if said.code.startswith("split")
        ),
        "",
    )
    return {
        "outcome_words": ended_words(shown),
        "is_primary": shown["outcome"] == PRIMARY,
        "case_count": shown["n"],
        "bad_count": shown["bad"],
        "base_rate": shown["base_rate"],
        "split_kind": (shown.get("split") or {}).get("kind") or "",
        "split_words": split,
        "days_covered": max(starts) - min(starts) if starts else None,
        "notes": json.dumps(list(shown.get("notes", [])), ensure_ascii=False),
        "is_suppressed": shown["is_suppressed"],
    }


def _landmarks(shown: Backtest) -> Iterator[Row]:
    ordered = sorted(shown["landmarks"].items(), key=lambda each: (each[1]["kind"], each[1]["at"]))
    for position, (name, facts) in enumerate(ordered):
        words = {"landmark_words": when_words(facts["kind"], facts["at"])}
        yield {"landmark": name, "position": position, **facts, **words}


def _figures(shown: Backtest) -> Iterator[Row]:
    names = (*SHARES, "balanced_accuracy", *OF_SCORES, *AT_SHARE, *BOUNDS, *RULE_COUNTS)
    told = [(shown["rules"], names), (shown.get("final_score", {}), ("mean_absolute_error",))]
    for rules, of_rule in told:
        for rule, by_landmark in rules.items():
            for landmark, figures in by_landmark.items():
                place = {"rule": rule, "landmark": landmark}
                yield from (place | row for row in _rows_of_figures(figures, of_rule))


def _rows_of_figures(figures: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[Row]:
    for name in names:
        if name not in figures:
            continue
        value = figures[name]
        yield {
            "figure": name,
            "value": value,
            "low": figures.get(f"{name}_low"),
            "high": figures.get(f"{name}_high"),
            "case_count": figures.get(_OF.get(name, "n")),
            "is_suppressed": name in figures.get("hidden", ()),
            "reason": figures.get("reason") if value is None else None,
        }


def _paired(shown: Backtest) -> Iterator[Row]:
    for landmark, pairs in shown.get("paired", {}).items():
        for pair, figures in pairs.items():
            first, second = pair.split(" - ")
            for name in figures:
                if name.endswith(("_low", "_high", "_verdict")):
                    continue
                yield {
                    "landmark": landmark,
                    "first_rule": first,
                    "second_rule": second,
                    "figure": name,
                    "difference": figures[name],
                    "low": figures[f"{name}_low"],
                    "high": figures[f"{name}_high"],
                    "verdict": figures[f"{name}_verdict"],
                    "is_suppressed": figures[name] is None,
                }


def _calibration(shown: Backtest) -> Iterator[Row]:
    for rule, by_landmark in shown.get("calibration", {}).items():
        for landmark, bins in by_landmark.items():
            for position, each in enumerate(bins):
                place = {"rule": rule, "landmark": landmark, "position": position}
                yield place | each | {"case_count": each["n"]}


def _agreement(shown: Backtest) -> Iterator[Row]:
    for landmark, pairs in shown.get("agreement", {}).items():
        for pair, cells in pairs.items():
            first, second = pair.split("|")
            yield {
                "landmark": landmark,
                "first_rule": first,
                "second_rule": second,
                "flagged_by_both": cells["both"],
                "flagged_by_first": cells["first_only"],
                "flagged_by_second": cells["second_only"],
                "flagged_by_neither": cells["neither"],
                "kappa": cells["kappa"],
                "is_suppressed": cells["is_suppressed"],
            }


def _subgroups(shown: Backtest) -> Iterator[Row]:
    for row in shown.get("subgroups", []):
        place = {
            "landmark": row["landmark"],
            "rule": row.get("rule") or "",
            "dimension": row["by"],
            "group_id": str(row["group"]),
        }
        yield from (
            place | each | {"case_count": row["n"], "bad_count": row["bad"]}
            for each in _rows_of_figures(row, _OF_GROUPS)
        )


def _cohorts(shown: Backtest) -> Iterator[Row]:
    for position, row in enumerate(shown.get("cohorts", [])):
        counts = {"case_count": row["cases"], "known_count": row["known"], "bad_count": row["bad"]}
        yield {"position": position, **row, **counts}


def _course(shown: Backtest) -> Iterator[Row]:
    for rule, figures in shown.get("over_the_course", {}).items():
        for name in figures:
            if name.endswith(("_low", "_high", "_n")) or name in ("hidden", "is_suppressed"):
                continue
            yield {
                "rule": rule,
                "figure": name,
                "value": figures[name],
                "low": figures.get(f"{name}_low"),
                "high": figures.get(f"{name}_high"),
                "case_count": figures.get(f"{name}_n"),
                "is_suppressed": name in figures["hidden"],
            }


def _budget(shown: Backtest) -> Iterator[Row]:
    yield from (dict(row) for row in shown.get("budget", []))


def _sentences(shown: Backtest) -> Iterator[Row]:
    for rule, by_landmark in shown["rules"].items():
        for landmark in by_landmark:
            for position, said in enumerate(alert_sentences(shown, rule, landmark)):
                yield {
                    "rule": rule,
                    "landmark": landmark,
                    "position": position,
                    "code": said.code,
                    "is_answer": said.is_answer,
                    "sentence": said.sentence,
                }
