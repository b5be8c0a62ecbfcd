"""The command `unstuck change`: what became of each case between two scores of a file?

Everything heavy is imported inside: `unstuck --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def change(
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet file, one row a score; or see --pre-column")
    ],
    case: Annotated[str, typer.Option(help="column of the case")] = "case_id",
    time: Annotated[str, typer.Option(help="column of the time")] = "time",
    score: Annotated[str, typer.Option(help="column of the score")] = "score",
    pre: Annotated[str | None, typer.Option(help="time of the score before")] = None,
    post: Annotated[str | None, typer.Option(help="time of the score after")] = None,
    pre_column: Annotated[
        str | None, typer.Option(help="one row a case: column of the score before")
    ] = None,
    post_column: Annotated[
        str | None, typer.Option(help="one row a case: column of the score after")
    ] = None,
    method: Annotated[
        str,
        typer.Option(help="JT, GLN, HLL, EN, NK, HA, HLM (all scores of a case), points, percent"),
    ] = "JT",
    higher_is: Annotated[str, typer.Option(help="what a higher score means: worse, better")] = (
        "worse"
    ),
    reliability: Annotated[float | None, typer.Option(help="of the scores before")] = None,
    reliability_post: Annotated[float | None, typer.Option(help="NK: of the scores after")] = None,
    post_error: Annotated[
        str, typer.Option(help="NK: sd_pre (as R's package) or sd_post behind the error after")
    ] = "sd_pre",
    confidence: Annotated[float, typer.Option(help="of every reliable change and interval")] = 0.95,
    reference: Annotated[
        str | None,
        typer.Option(help="name of the people behind means and SDs; 'sample': these very cases"),
    ] = None,
    mean_pre: Annotated[float | None, typer.Option(help="reference: mean before")] = None,
    sd_pre: Annotated[float | None, typer.Option(help="reference: SD before")] = None,
    mean_post: Annotated[float | None, typer.Option(help="reference: mean after")] = None,
    sd_post: Annotated[float | None, typer.Option(help="reference: SD after")] = None,
    correlation: Annotated[
        float | None, typer.Option(help="reference: correlation of before and after")
    ] = None,
    cutoff: Annotated[
        str | None,
        typer.Option(help="a, b, c, or a published number: the last score still clinical"),
    ] = None,
    functional_mean: Annotated[float | None, typer.Option(help="for b and c")] = None,
    functional_sd: Annotated[float | None, typer.Option(help="for b and c")] = None,
    sd_of_b: Annotated[
        str, typer.Option(help="functional (Jacobson & Truax), or clinical as in R's package")
    ] = "functional",
    reliability_functional: Annotated[
        float | None, typer.Option(help="HA: of the functional population")
    ] = None,
    at_cutoff: Annotated[
        str,
        typer.Option(help="a score at the cut-off is clinical; or must_cross, as in R's package"),
    ] = "clinical",
    crossing: Annotated[
        bool, typer.Option("--crossing", help="ask for the side of the cut-off alone, no change")
    ] = False,
    points: Annotated[
        float | None,
        typer.Option(help="published reliable change, or change that matters: goes before all"),
    ] = None,
    worse_points: Annotated[
        float | None, typer.Option(help="points for deterioration, if others")
    ] = None,
    percent: Annotated[float | None, typer.Option(help="method percent: such as 50")] = None,
    worse_percent: Annotated[
        float | None, typer.Option(help="percent for deterioration, if another")
    ] = None,
    effect: Annotated[
        str | None,
        typer.Option(help="judge groups as a whole by --points: within each group, or between"),
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="column of the group, for --effect and shares by HA")
    ] = None,
    reference_group: Annotated[
        str | None, typer.Option(help="--effect between: whom the other groups are compared with")
    ] = None,
    measure: Annotated[
        str | None, typer.Option(help="take points, cut-off and direction from its contract")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="also write one row a case to this .csv or .parquet file")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Say what became of each case between two scores: recovered, improved, deteriorated, ..."""
    from pipelines import telling_change, telling_groups
    from pipelines.asking_change import Asked

    if out is not None:
        if effect is not None:
            raise typer.BadParameter("--out writes a row a case; --effect judges groups alone")
        telling_change.out_or_error(out)
    asked = Asked(
        file=file, case=case, time=time, score=score, pre=pre, post=post,
        pre_column=pre_column, post_column=post_column, method=method, higher_is=higher_is,
        reliability=reliability, reliability_post=reliability_post, post_error=post_error,
        confidence=confidence, reference=reference, mean_pre=mean_pre, sd_pre=sd_pre,
        mean_post=mean_post, sd_post=sd_post, correlation=correlation, cutoff=cutoff,
        functional_mean=functional_mean, functional_sd=functional_sd, sd_of_b=sd_of_b,
        reliability_functional=reliability_functional, at_cutoff=at_cutoff, crossing=crossing,
        points=points, worse_points=worse_points, percent=percent, worse_percent=worse_percent,
        effect=effect, group=group, reference_group=reference_group, measure=measure,
    )  # fmt: skip
    if effect is not None:
        groups = telling_groups.answer(asked)
        typer.echo(telling_groups.as_json(groups) if json else telling_groups.as_text(groups))
        return
    found = telling_change.answer(asked)
    if out is not None:
        telling_change.write_cases(found, out)
    typer.echo(telling_change.as_json(found) if json else telling_change.as_text(found))
