"""Did last night work, does every row add up, and what changed between two runs, in words?"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from dashboard.words import counted, moment
from data_contracts.contract_version import changed_parts
from data_contracts.places import LastRun

# A night and some hours: the schedule of a new home runs every day.
LATE_AFTER = timedelta(hours=30)
# A run that says it is under way for so many times as long as the last one has probably stopped.
LONG_AS_USUAL = 5
FATES = ("accepted", "duplicate", "superseded", "quarantined", "withdrawn")
FATE_WORDS = {
    "accepted": "in force",
    "duplicate": "said nothing new",
    "superseded": "replaced by a later row",
    "quarantined": "set aside",
    "withdrawn": "taken back by the practice",
}
TRIGGER_WORDS = {"hand": "by hand", "schedule": "by the schedule", "demo": "for the demo"}
STATE_WORDS = {
    "published": "published",
    "unchanged": "nothing new",
    "failed": "failed",
    "running": "under way",
}
STEP_WORDS = {
    "stage": "reads the files not seen before, as text",
    "de-identify": "refuses files that identify people; pseudonyms, days for dates",
    "validate": "holds every row against the rules",
    "accept": "takes good rows, sets others aside, keeps the accounts",
    "course": "puts scores in order: baseline, gains, courses of care",
    "expect": "fits the practice's expected course",
    "judge": "gives statuses and flags",
    "explain": "writes the sentences and the queue",
    "summarise": "counts over many cases, small numbers hidden",
    "publish": "writes the two files the screens open",
}


def took(started_at: datetime, finished_at: datetime | None) -> str:
    """Return '45 s', '2 min 5 s' or '1 h 3 min'; '' where the end is not known."""
    if finished_at is None:
        return ""
    return seconds_words((finished_at - started_at).total_seconds())


def seconds_words(seconds: float) -> str:
    """Return a length of time in words."""
    whole = max(0, round(seconds))
    if whole < 1:
        return "under 1 s"
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def how_last_run_went(last_run: LastRun | None, usual: timedelta | None, now: datetime) -> str:
    """Return one sentence: did last night work? `usual` is how long the last whole run took."""
    if last_run is None:
        return "No run has left a word here yet."
    started = f"The run that started {_when(last_run, now)}"
    by = TRIGGER_WORDS[last_run.trigger]
    if last_run.state == "failed":
        message = last_run.message.strip().rstrip(".") or "no message was left"
        return f"No. {started} {by} failed: {message}."
    if last_run.state == "running":
        if usual is not None and now - _in_utc(last_run.started_at) > LONG_AS_USUAL * usual:
            return (
                f"Not certain. {started} {by} says it is still under way; the last whole run took "
                f"{seconds_words(usual.total_seconds())}. It may have been stopped from outside."
            )
        return f"Not yet. {started} {by} is under way."
    ended = "published new results" if last_run.state == "published" else "found nothing new"
    long = took(last_run.started_at, last_run.finished_at)
    sentence = f"{started} {by} {ended}" + (f"; it took {long}." if long else ".")
    if last_run.message:
        sentence += f" It warned: {last_run.message.strip().rstrip('.')}."
    if now - _in_utc(last_run.started_at) > LATE_AFTER:
        return f"The last run worked, but it is long ago. {sentence}"
    return f"Yes. {sentence}"


def what_to_do(last_run: LastRun | None, usual: timedelta | None, now: datetime) -> list[str]:
    """Return what to do about it, in order; nothing where all is well."""
    if last_run is None:
        return ["Start one on the server: `unstuck run`. `unstuck doctor` says what is missing."]
    is_late = now - _in_utc(last_run.started_at) > LATE_AFTER
    if last_run.state == "failed":
        return [
            "Mend what the message names, in the source or in unstuck.toml.",
            "`unstuck doctor` on the server looks at home, settings, mapping and disk.",
            "Run it again: `unstuck run`. A failed run changes nothing, and a second one does not "
            "count anything twice.",
            "Until then the screens show the state of the last run that worked.",
        ]
    if last_run.state == "running":
        if usual is None or now - _in_utc(last_run.started_at) <= LONG_AS_USUAL * usual:
            return []
        return [
            "Look on the server whether it still runs: `unstuck doctor`.",
            "If it does not, run it again: `unstuck run`. Nothing was changed by half.",
        ]
    if is_late:
        return [
            "A run every day is usual. Look on the server whether the schedule is up: "
            "`unstuck doctor`; it is served by `unstuck serve`.",
            "To have one now: `unstuck run`.",
        ]
    return []


def accounts(files: pl.DataFrame) -> pl.DataFrame:
    """Return for each file what landed and what became of it; `rest` is 0 where it adds up."""
    known = files.select("path", "table_name", "state", "landed", *FATES)
    return known.with_columns(rest=pl.col("landed") - pl.sum_horizontal(*FATES))


def account_sentences(files: pl.DataFrame) -> list[str]:
    """Return the sum of all files in words, and whether it and every file add up."""
    table = accounts(files)
    landed = int(table["landed"].sum())
    sums = {fate: int(table[fate].sum()) for fate in FATES}
    parts = " + ".join(f"{number:,} {FATE_WORDS[fate]}" for fate, number in sums.items())
    open_files = table.filter(pl.col("rest") != 0)["path"].to_list()
    rest = landed - sum(sums.values())
    said = [f"{counted(landed, 'row')} landed in {counted(len(table), 'file')} = {parts}."]
    if not open_files and not rest:
        said.append("It adds up, in sum and for every file: nothing else became of a row.")
    else:
        said.append(
            f"It does not add up: {abs(rest):,} rows are {'missing' if rest > 0 else 'too many'} "
            f"in sum; look at {', '.join(open_files)}. Do not trust these screens; run "
            "'unstuck run --rebuild' on the server and report it."
        )
    return said


def what_changed(run: dict[str, Any], before: dict[str, Any] | None) -> list[str]:
    """Return how versions differ from the run before; numbers may move with them."""
    if before is None:
        return ["There is no earlier run to compare with."]
    said = []
    if run["rule_version"] != before["rule_version"]:
        said.append(f"Status rule: {before['rule_version']} → {run['rule_version']}.")
    changed = changed_parts(run["contract_version"], before["contract_version"])
    if changed:
        said.append(f"Contracts: {', '.join(changed)} changed.")
    now, then = packages(run), packages(before)
    said += [
        f"{name}: {then.get(name, 'not there')} → {now.get(name, 'not there')}."
        for name in sorted({*now, *then})
        if now.get(name) != then.get(name)
    ]
    return said or ["Rule, contracts and packages are those of the run before."]


def packages(run: dict[str, Any]) -> dict[str, str]:
    """Return the versions of the packages that computed a run."""
    found: dict[str, str] = json.loads(run["package_versions"] or "{}")
    return found


def _when(last_run: LastRun, now: datetime) -> str:
    hours = (now - _in_utc(last_run.started_at)) / timedelta(hours=1)
    ago = (
        "less than an hour ago"
        if hours < 1
        else f"{counted(round(hours), 'hour')} ago"
        if hours < 48
        else f"{counted(round(hours / 24), 'day')} ago"
    )
    return f"at {moment(last_run.started_at)} ({ago})"


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
