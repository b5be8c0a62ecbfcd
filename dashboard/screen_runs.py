"""Did last night work?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from dashboard import reading
from dashboard.download_buttons import Export, may_export, show_downloads
from dashboard.downloads import CSV, EXCEL, Sheet, as_csv, as_excel
from dashboard.models_in_use_block import show_models
from dashboard.origin import origin_of
from dashboard.run_words import (
    FATE_WORDS,
    FATES,
    STATE_WORDS,
    STEP_WORDS,
    TRIGGER_WORDS,
    account_sentences,
    accounts,
    how_last_run_went,
    packages,
    seconds_words,
    took,
    what_changed,
    what_to_do,
)
from dashboard.scope import OutsideScopeError
from dashboard.visit import Visit
from dashboard.words import counted, moment, plain, small

RUNS_SHOWN = 15
HOW = (
    "Every run writes down what each step read and wrote. A row that landed is in force, said "
    "nothing new, was replaced, set aside or taken back; the night adds this up for every file and "
    "stops where it does not fit. Numbers are rows, never clients."
)


def show(visit: Visit) -> None:
    """Draw how the last run went, the accounts of all rows, and the history."""
    visit.title("Runs")
    if visit.scope.role == "supervisor":
        message = "Runs are shown to analysts and managers. Choose that role to see them."
        raise OutsideScopeError(message)
    with st.spinner("Reading the ledger of the night ..."):
        runs = reading.runs(visit.snapshot, visit.scope)
        counts = reading.run_counts(visit.snapshot, visit.scope)
        files = reading.files(visit.snapshot, visit.scope)
    _last_night(visit, runs, datetime.now(UTC))
    _accounts(files)
    show_models(visit)
    history = run_history(runs, counts)
    _history(history)
    _one_run(runs, counts)
    _downloads(visit, history, counts, files)
    with st.popover("How is this computed?", type="tertiary"):
        st.markdown(HOW)
        st.markdown(small("More: docs/operations.md, docs/data_model.md."))


def usual_length(runs: pl.DataFrame) -> timedelta | None:
    """Return how long the last whole run took."""
    ended = runs.drop_nulls("finished_at").head(1)
    return None if ended.is_empty() else ended["finished_at"][0] - ended["started_at"][0]


def run_history(runs: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each run that left something, latest first, in words and rows."""
    accepted = counts.filter(pl.col("step") == "accept").select(
        "run_id",
        pl.col("rows_in").alias("Rows landed"),
        pl.col("rows_out").alias("Taken"),
        pl.col("duplicate").alias("Nothing new"),
        pl.col("quarantined").alias("Set aside"),
        pl.col("superseded").alias("Replaced earlier rows"),
        pl.col("withdrawn").alias("Taken back"),
    )
    said = [
        {
            "run_id": run["run_id"],
            "Run": run["run_id"],
            "Started": moment(run["started_at"]),
            "Took": took(run["started_at"], run["finished_at"]),
            "By": TRIGGER_WORDS.get(run["trigger"], run["trigger"]),
            "Ended": STATE_WORDS.get(run["state"], run["state"]),
            "Rule": run["rule_version"],
        }
        for run in runs.to_dicts()
    ]
    schema = dict.fromkeys(("run_id", "Run", "Started", "Took", "By", "Ended", "Rule"), pl.String)
    return pl.DataFrame(said, schema=schema).join(
        accepted, on="run_id", how="left", maintain_order="left"
    ).drop("run_id")  # fmt: skip


def _last_night(visit: Visit, runs: pl.DataFrame, now: datetime) -> None:
    last_run, usual = visit.places.last_run(), usual_length(runs)
    st.markdown(f"### {plain(how_last_run_went(last_run, usual, now))}", anchors=False)
    st.markdown(
        small(
            f"The screens show the state of {moment(visit.snapshot.published_at)}, run "
            f"{plain(visit.snapshot.run_id)}."
        )
    )
    steps = what_to_do(last_run, usual, now)
    if steps:
        with st.container(border=True):
            st.header("What to do", anchor=False)
            # Our own words; the commands in them are set as code.
            st.markdown("\n".join(f"{place}. {step}" for place, step in enumerate(steps, 1)))


def _accounts(files: pl.DataFrame) -> None:
    st.header("Does every row add up?", anchor=False)
    if files.is_empty():
        st.info("No file has come in yet. The accounts begin with the first run that reads any.")
        return
    for sentence in account_sentences(files):
        st.markdown(plain(sentence))
    refused = files.filter(pl.col("state") == "refused")
    for path, reason in refused.select("path", "reason").rows():
        st.markdown(f"- **{plain(path)}** was refused as a whole: {plain(reason or 'no reason')}")
    with st.expander("For every file"):
        table = accounts(files)
        st.table(
            table.select(
                pl.col("path").alias("File"),
                pl.col("landed").alias("Landed"),
                *(pl.col(fate).alias(FATE_WORDS[fate].capitalize()) for fate in FATES),
                pl.when(pl.col("rest") == 0)
                .then(pl.lit("yes"))
                .otherwise(pl.format("no: {} left over", "rest"))
                .alias("Adds up"),
            ),
            border="horizontal",
            hide_index=True,
        )


def _history(history: pl.DataFrame) -> None:
    st.header("Earlier runs", anchor=False)
    if len(history) > RUNS_SHOWN:
        st.markdown(small(f"The latest {RUNS_SHOWN} of {len(history)}."))
    st.table(history.head(RUNS_SHOWN), border="horizontal", hide_index=True)
    st.markdown(
        small(
            "A run that fails or finds nothing new changes nothing and leaves no row here; how the "
            "very last one went stands at the top. Prefect, where it runs the nights, keeps all."
        )
    )


def _one_run(runs: pl.DataFrame, counts: pl.DataFrame) -> None:
    known = runs["run_id"].to_list()
    if not known:
        return
    st.header("One run, step by step", anchor=False)
    chosen = st.selectbox("Run", known, key="run_shown", width=320)
    place = known.index(chosen)
    run = runs.row(place, named=True)
    before = runs.row(place + 1, named=True) if place + 1 < len(known) else None
    steps = counts.filter(pl.col("run_id") == chosen).sort("position")
    if len(steps):
        slowest = steps.sort("seconds").row(-1, named=True)
        total = seconds_words(float(steps["seconds"].sum()))
        st.markdown(
            f"{counted(len(steps), 'step')} took {total}; the longest was **{slowest['step']}** "
            f"with {seconds_words(slowest['seconds'])}. Publishing is not in it: it comes after "
            "the counts are written."
        )
        st.table(step_table(steps), border="horizontal", hide_index=True)
    st.markdown("**Versions, and what changed since the run before**")
    st.markdown("\n".join(f"- {plain(line)}" for line in what_changed(run, before)))
    st.markdown(small(plain(_versions(run))))


def step_table(steps: pl.DataFrame) -> pl.DataFrame:
    """Return the steps of a run: what each read and wrote, how long it took, what it does."""
    return steps.select(
        pl.col("step").alias("Step"),
        pl.col("rows_in").alias("Rows in"),
        pl.col("rows_out").alias("Rows out"),
        pl.col("duplicate").alias("Nothing new"),
        pl.col("quarantined").alias("Set aside"),
        pl.col("superseded").alias("Replaced"),
        pl.col("withdrawn").alias("Taken back"),
        pl.col("seconds").map_elements(seconds_words, return_dtype=pl.String).alias("Took"),
        pl.col("step").replace_strict(STEP_WORDS, default="").alias("What it does"),
    )


def _versions(run: dict[str, Any]) -> str:
    found = ", ".join(f"{name} {version}" for name, version in packages(run).items())
    return (
        f"Status rule {run['rule_version']} · contracts {run['contract_version']} · seed "
        f"{run['seed']} · {found or 'packages not noted'}"
    )


def _downloads(
    visit: Visit, history: pl.DataFrame, counts: pl.DataFrame, files: pl.DataFrame
) -> None:
    if not may_export(visit, "runs"):
        return
    sheets = [
        Sheet(name="Runs", rows=history),
        Sheet(name="Steps", rows=counts.sort("run_id", "position")),
        Sheet(name="Files", rows=accounts(files)),
    ]
    for name, rows in (
        ("Models", reading.models(visit.snapshot, visit.scope)),
        ("Drift", reading.drift(visit.snapshot, visit.scope)),
    ):
        if not rows.is_empty():
            sheets.append(Sheet(name=name, rows=rows))
    what = "Runs of the night: history, steps, accounts of every file"
    origin = origin_of(visit, what, HOW)
    name = f"unstuck-runs-{visit.snapshot.run_id}"
    exports = [
        Export(
            kind="runs",
            label="All as Excel",
            file_name=f"{name}.xlsx",
            mime=EXCEL,
            what="runs as Excel",
            make=partial(as_excel, sheets, origin),
        )
    ]
    exports += [
        Export(
            kind="runs",
            label=f"{sheet.name} as CSV",
            file_name=f"{name}-{sheet.name.lower()}.csv",
            mime=CSV,
            what=f"{sheet.name.lower()} of runs as CSV",
            make=partial(as_csv, sheet),
        )
        for sheet in sheets
    ]
    show_downloads(visit, exports)
