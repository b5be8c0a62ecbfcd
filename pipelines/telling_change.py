"""Judge the changes in one file of scores, and tell the result as text or JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import polars as pl

from data_contracts.errors import SourceError, UnstuckError
from data_contracts.measure import Measure
from models.change_reference import ChangeRuleError, Direction, sign_of
from models.clinical_cutoff import ClinicalCutoff
from models.clinical_significance import ChangeRule, judged_pairs
from models.group_shares import shares_of_group
from models.meaningful_change import PercentageChange, PointsChange
from models.paired_scores import REASONS
from models.reliable_change import ReliableChange
from models.slope_change import slope_changes
from pipelines.asking_change import (
    Asked,
    cutoff_of,
    measure_of,
    reference_of,
    rule_of,
)
from pipelines.asking_scores import SentScores, groups_in, pairs_of, scores_of, sent_of
from pipelines.telling_flags import counted


@dataclass(frozen=True, kw_only=True)
class Told:
    """The answer: every case, and what it rests on."""

    cases: pl.DataFrame
    """As `judged_pairs` or `slope_changes` return them."""
    judged_by: str
    """The column that holds the answer: `class`, or `verdict` without a cut-off."""
    rule: dict[str, float | str | bool | None]
    cutoff: dict[str, float | str] | None
    warnings: tuple[str, ...]
    no_case_count: int
    """Rows left out because nobody knows whose they are."""
    shares: tuple[dict[str, object], ...] = ()
    """By HA with a cut-off: `group` (None: all cases), shares truly `improved` and `functional`."""

    @property
    def counts(self) -> dict[str, int]:
        """How many cases each answer has, those with none too."""
        answers = self.cases[self.judged_by]
        words = cast("pl.Enum", answers.dtype).categories.to_list()
        found = dict(answers.value_counts().iter_rows())
        return {word: found.get(word, 0) for word in words}

    @property
    def reasons(self) -> dict[str, int]:
        """How many cases are not computable for which reason."""
        found = self.cases.filter(pl.col("reason").is_not_null())["reason"].value_counts(sort=True)
        return dict(found.iter_rows())


def answer(asked: Asked) -> Told:
    """Read the file and judge every case.

    Raises
    ------
    SourceError
        If file or columns cannot be read.
    ChangeRuleError
        If the rule lacks a number it needs; says which, and how to give it.
    """
    measure = measure_of(asked.measure)
    higher_is = measure.higher_is if measure else cast("Direction", asked.higher_is)
    sign_of(higher_is)
    if asked.method.upper() == "HLM":
        return _by_slope(asked, scores_of(asked), higher_is, measure)
    sent = sent_of(asked)
    pairs = pairs_of(asked, sent)
    known = reference_of(asked, pairs)
    needs_rule = not asked.crossing or asked.method.upper() == "HA"
    rule = rule_of(asked, higher_is, known, measure) if needs_rule else None
    cutoff = cutoff_of(asked, higher_is, known, rule, measure)
    if asked.crossing and cutoff is None:
        message = "--crossing needs --cutoff: a, b, c or a published number"
        raise ChangeRuleError(message)
    judged = judged_pairs(pairs, None if asked.crossing else rule, cutoff)
    parts = (rule, cutoff) if not asked.crossing else (cutoff,)
    return Told(
        cases=judged,
        judged_by="crossing" if asked.crossing else "verdict" if cutoff is None else "class",
        rule={"method": "cut-off alone", "higher_is": higher_is}
        if asked.crossing or rule is None
        else _rule_told(rule),
        cutoff=_cutoff_told(cutoff),
        warnings=tuple(warning for part in parts if part for warning in part.warnings),
        no_case_count=sent.no_case_count,
        shares=_shares(judged, rule, cutoff) if not asked.crossing else (),
    )


def _shares(
    judged: pl.DataFrame, rule: ChangeRule | None, cutoff: ClinicalCutoff | None
) -> tuple[dict[str, object], ...]:
    """Return what Hageman & Arrindell say of each group, or of all cases."""
    if not isinstance(rule, ReliableChange) or rule.method != "HA" or cutoff is None:
        return ()
    found: list[dict[str, object]] = []
    for name, members in groups_in(judged):
        scores = (members[side].to_numpy() for side in ("pre", "post"))
        found.append({"group": name, **asdict(shares_of_group(rule, cutoff, *scores))})
    return tuple(found)


def _by_slope(
    asked: Asked, sent: SentScores, higher_is: Direction, measure: Measure | None
) -> Told:
    cutoff = cutoff_of(asked, higher_is, reference_of(asked, None), None, measure)
    found = slope_changes(
        sent.rows, higher_is=higher_is, cutoff=cutoff, confidence=asked.confidence
    )
    singular = ("The fit is singular: the index is hardly determined.",) * found.is_singular
    return Told(
        cases=found.cases,
        judged_by="verdict" if cutoff is None else "class",
        rule={
            "method": "HLM",
            "higher_is": higher_is,
            "confidence": asked.confidence,
            "reml_criterion": found.fit.criterion if found.fit else None,
            "is_singular": found.is_singular,
        },
        cutoff=_cutoff_told(cutoff),
        no_case_count=sent.no_case_count,
        warnings=(*found.warnings, *singular, *(cutoff.warnings if cutoff else ())),
    )


def _rule_told(rule: ChangeRule) -> dict[str, float | str | bool | None]:
    if isinstance(rule, ReliableChange):
        return {
            "method": rule.method,
            "higher_is": rule.higher_is,
            "reference": rule.reference.name,
            "is_sample": rule.reference.is_sample,
            "mean_pre": rule.reference.mean_pre,
            "sd_pre": rule.reference.sd_pre,
            "mean_post": rule.reference.mean_post,
            "sd_post": rule.reference.sd_post,
            "reliability": rule.reliability,
            "confidence": rule.confidence,
            "critical_value": rule.critical_value,
            "standard_error_of_measurement": rule.standard_error_of_measurement,
            "standard_error_of_difference": rule.standard_error_of_difference,
            "standard_error_of_prediction": rule.standard_error_of_prediction,
            "reliability_of_difference": rule.reliability_of_difference,
            "points": None if rule.obstacle else rule.points,
        }
    if isinstance(rule, PointsChange):
        return {
            "method": "points",
            "higher_is": rule.higher_is,
            "points": rule.points,
            "worse_points": rule.worse_points or rule.points,
            "source": rule.source,
        }
    share = rule.share if isinstance(rule, PercentageChange) else None
    worse = rule.worse_share if isinstance(rule, PercentageChange) else None
    return {
        "method": "percent",
        "higher_is": rule.higher_is,
        "share": share,
        "worse_share": worse or share,
    }


def _cutoff_told(cutoff: ClinicalCutoff | None) -> dict[str, float | str] | None:
    if cutoff is None:
        return None
    return {"value": cutoff.value, "name": cutoff.name, "at_cutoff": cutoff.at_cutoff}


def as_json(told: Told) -> str:
    """Return the answer for programs: rule, cut-off, warnings, counts, and every case."""
    return json.dumps(
        {
            "rule": told.rule,
            "cutoff": told.cutoff,
            "warnings": list(told.warnings),
            "cases_count": told.cases.height,
            "counts": told.counts,
            "shares": list(told.shares),
            "not_computable": told.reasons,
            "rows_set_aside": {"no_case": told.no_case_count} if told.no_case_count else {},
            "cases": told.cases.to_dicts(),
        },
        indent=1,
        default=str,
        allow_nan=False,
    )


def as_text(told: Told) -> str:
    """Return counts and what they rest on; cases one by one are in --json and --out."""
    lines = [f"{counted(told.cases.height, 'case')} by {told.rule['method']}"]
    lines += [f"  {word:<44} {count}" for word, count in told.counts.items()]
    lines += [f"    {count}: {REASONS[reason]}" for reason, count in told.reasons.items()]
    rests = {
        name: value for name, value in told.rule.items() if name != "method" and value is not None
    }
    lines.append("Rests on: " + ", ".join(f"{name} {_short(rests[name])}" for name in rests))
    if told.cutoff is not None:
        lines.append(f"Cut-off: {_short(told.cutoff['value'])} ({told.cutoff['name']})")
    for one in told.shares:
        where = "" if one["group"] is None else f" in {one['group']}"
        lines.append(
            f"Shares by true scores{where}: improved {_percent(one['improved'])}, "
            f"functional {_percent(one['functional'])}"
        )
    if told.no_case_count:
        lines.append(f"{counted(told.no_case_count, 'row')} set aside: the case is missing.")
    lines += [f"Warning: {warning}" for warning in told.warnings]
    return "\n".join(lines)


def _short(value: float | str | bool | None) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _percent(share: object) -> str:
    return f"{100 * share:.1f} %" if isinstance(share, float) else "not computable"


def out_or_error(path: Path) -> None:
    """Refuse a file that cases cannot be written to, before anything is judged.

    Raises
    ------
    SourceError
        If there is something at this path already, or no folder to write into.
    """
    if path.suffix.lower() not in (".csv", ".parquet", ".pq"):
        message = f"--out {path} ends neither in .csv nor in .parquet"
        raise UnstuckError(message)
    if path.exists():
        kind = "a folder" if path.is_dir() else "a file that exists already"
        message = f"--out {path} is {kind}: name a new file; nothing was written"
        raise SourceError(message)
    if not path.parent.is_dir():
        message = f"--out {path}: there is no folder {path.parent}; make it, or name another"
        raise SourceError(message)


def write_cases(told: Told, path: Path) -> None:
    """Write one row a case to a new file."""
    out_or_error(path)
    try:
        if path.suffix.lower() == ".csv":
            told.cases.write_csv(path)
        else:
            told.cases.write_parquet(path)
    except OSError as error:
        message = f"--out {path} cannot be written: {error.strerror}"
        raise SourceError(message) from None
