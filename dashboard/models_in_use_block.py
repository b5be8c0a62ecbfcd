"""Are the models behind the outlook still right, and what to do if not? Part of the screen Runs."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from dashboard import reading
from dashboard.visit import Visit
from dashboard.words import counted, moment, plain, small
from data_contracts.places import LastTraining

HOW = (
    "Models are trained apart from the night, on past cases that have ended, and put in use only "
    "if they are not worse on the newest of them. Every night looks whether cases still come as "
    "they did, and whether chances came true among cases that ended since. Small numbers are "
    "hidden. Cards, roll-back and sources: docs/models_in_use.md."
)
NO_MODEL = (
    "No model of the outlook is in use, so the status rule stands in. Models are trained on their "
    "own schedule, or by hand with `unstuck train`; they need enough ended cases."
)
_BY = {"hand": "by hand", "schedule": "by the schedule"}
VERDICT_WORDS = {
    "too_few": "too few cases to say",
    "as_before": "as before",
    "moved": "moved somewhat",
    "moved_clearly": "moved clearly",
}


def show_models(visit: Visit) -> None:
    """Draw which models are in use, whether they are still right, and what to do."""
    st.header("Models in use", anchor=False)
    models = reading.models(visit.snapshot, visit.scope)
    drift = reading.drift(visit.snapshot, visit.scope)
    last = visit.places.last_training()
    if last is not None:
        st.markdown(plain(training_sentence(last)))
    if models.is_empty():
        st.info(NO_MODEL)
        return
    st.markdown(f"**{plain(summary(models))}**")
    concerned = models.filter(pl.col("concern") != "")
    for model in concerned.iter_rows(named=True):
        with st.container(border=True):
            _show_model(model, drift)
    fine = models.filter(pl.col("concern") == "")
    if not fine.is_empty():
        with st.expander("The models with nothing to do, one by one"):
            for model in fine.iter_rows(named=True):
                _show_model(model, drift)
    if not drift.filter(kind="input").is_empty():
        with st.expander("What goes into a model, one by one"):
            _show_inputs(models, drift)
    st.markdown(small(HOW))


def _show_inputs(models: pl.DataFrame, drift: pl.DataFrame) -> None:
    known = {
        f"{model['measure_name']}, {model['outcome_words']}": model
        for model in models.iter_rows(named=True)
    }
    chosen = st.selectbox("Model", list(known), key="model_shown", width=480)
    model = known[chosen]
    about = drift.filter(measure_id=model["measure_id"], outcome=model["outcome"])
    st.table(input_table(about), border="horizontal", hide_index=True)
    st.markdown(
        small(
            "The stability index says how far the shares of cases have shifted since the model was "
            "learned; it counts as moved above 0.10 and beyond what chance alone gives."
        )
    )


def training_sentence(last: LastTraining) -> str:
    """Return how the last training went.

    A sentence a model is in `unstuck models`; here is only what a reader of Runs must know.
    """
    when = f"The last training ({moment(last.started_at)}, {_BY[last.trigger]})"
    match last.state:
        case "failed":
            message = last.message.strip().rstrip(".") or "no message was left"
            return f"{when} failed, so what was in use before stays: {message}."
        case "running":
            return (
                f"{when} is under way, or was stopped from outside; what was in use before stays."
            )
        case "nothing to train":
            return f"{when} found too few ended cases for any model."
        case _:
            return f"{when} ended well."


def summary(models: pl.DataFrame) -> str:
    """Return how many models are in use and for how many there is something to do."""
    concerned = models.filter(pl.col("concern") != "").height
    used = f"{counted(models.height, 'model')} {'is' if models.height == 1 else 'are'} in use"
    if not concerned:
        return f"{used}, with nothing to do."
    return f"{used}; there is something to do for {concerned}."


def input_table(drift: pl.DataFrame) -> pl.DataFrame:
    """Return every input of a model beside what it was, what moved most first."""
    return (
        drift.filter(kind="input")
        .sort("value", descending=True, nulls_last=True)
        .select(
            pl.col("feature_words").alias("Input"),
            pl.col("verdict").replace_strict(VERDICT_WORDS, default="").alias("Verdict"),
            _number("value").alias("Stability index"),
            _number("high").alias("By chance up to"),
            _percent("share_then").alias("Not known then"),
            _percent("share_now").alias("Not known now"),
            pl.col("case_count").cast(pl.String).fill_null("few").alias("Cases"),
        )
    )


def _show_model(model: dict[str, Any], drift: pl.DataFrame) -> None:
    since = (
        "" if model["in_use_since"] is None else f", in use since {moment(model['in_use_since'])}"
    )
    st.markdown(
        f"**{plain(model['measure_name'])}, chance to {plain(model['outcome_words'])}**{since}"
    )
    about = drift.filter(measure_id=model["measure_id"], outcome=model["outcome"])
    sentences = about.filter(pl.col("sentence") != "").sort("kind", descending=True)["sentence"]
    lines = [model["sentence"], *sentences]
    st.markdown("\n".join(f"- {plain(line)}" for line in lines))
    if model["concern"]:
        # Our own words; the commands in them are set as code.
        st.markdown(f"**What to do:** {model['advice']}")


def _number(name: str) -> pl.Expr:
    return pl.col(name).map_elements(lambda value: f"{value:.2f}", return_dtype=pl.String)


def _percent(name: str) -> pl.Expr:
    return pl.col(name).map_elements(lambda share: f"{share:.0%}", return_dtype=pl.String)
