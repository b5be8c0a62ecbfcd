"""Run the night by hand or for the demo, and tell how it went."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.errors import ContractError
from data_contracts.places import Places
from data_contracts.settings import settings_of
from pipelines.progress import shown_progress

if TYPE_CHECKING:
    from pipelines.night import Trigger
    from pipelines.nightly import NightReport, Watch


def chosen_inputs(places: Places, source: Path | None, mapping: Path | None) -> tuple[Path, Path]:
    """Return source and mapping as given, else as the settings say.

    Raises
    ------
    ContractError
        If neither says.
    """
    settings = settings_of(places)
    if source is None and settings.source:
        source = (places.home / settings.source).resolve()
    if mapping is None and settings.mapping:
        mapping = (places.home / settings.mapping).resolve()
    if source is None or mapping is None:
        what = "--source and --mapping" if source is mapping else (
            "--source" if source is None else "--mapping"
        )  # fmt: skip
        message = f"say where the data are: give {what}, or set it in {places.settings}"
        raise ContractError(message)
    return source, mapping


def run_once(
    places: Places,
    source: Path,
    mapping: Path,
    *,
    as_of: int | None,
    refit: bool,
    rebuild: bool,
    quiet: bool,
    say: Callable[[str], None],
) -> NightReport:
    """Run the night: through Prefect where its API is configured, else in this process."""
    from pipelines.nightly import run_night
    from pipelines.prefect_settings import prefect_api_is_configured

    with shown_progress(quiet=quiet) as watch:
        if prefect_api_is_configured():
            say("Running as a Prefect flow: a Prefect API is configured.")
            return _through_prefect(
                places, source, mapping, "hand", watch, as_of=as_of, refit=refit, rebuild=rebuild
            )
        say("Running in this process (no Prefect API is configured; none is needed).")
        return run_night(
            source=source,
            mapping=mapping,
            home=places.home,
            started_at=datetime.now(tz=UTC),
            trigger="hand",
            as_of=as_of,
            refit=refit,
            rebuild=rebuild,
            watch=watch,
        )


def demo_nights(
    places: Places, *, cases: int, seed: int, say: Callable[[str], None]
) -> NightReport:
    """Simulate a practice, run the night, train on its past, and run the night that uses it.

    The report is the first night's: the second brings no new rows.
    """
    from pipelines.demo_practice import simulate_practice, write_practice
    from pipelines.progress import shown_backtest_progress
    from pipelines.telling_models import training_as_text
    from pipelines.training import train

    source = places.home / "source"
    say(f"Simulating a practice of {cases} cases (seed {seed}): everything in it is made up.")
    write_practice(
        simulate_practice(cases=cases, seed=seed), source, truth_path=places.home / "truth.parquet"
    )
    say("Running the night as a Prefect flow (Prefect's own start takes some seconds).")
    with shown_progress() as watch:
        report = _through_prefect(places, source, source / "mapping.toml", "demo", watch)
    say("Holding every rule against the practice's own past, and training the outlook on it.")
    with shown_backtest_progress() as watches:
        trained = train(
            places, started_at=datetime.now(tz=UTC), watch=watches.parts if watches else None
        )
    say(training_as_text(trained, places))
    say("Running the night once more, now with the outlook.")
    with shown_progress() as watch:
        _through_prefect(places, source, source / "mapping.toml", "demo", watch)
    return report


def _through_prefect(
    places: Places,
    source: Path,
    mapping: Path,
    trigger: Trigger,
    watch: Watch,
    *,
    as_of: int | None = None,
    refit: bool = False,
    rebuild: bool = False,
) -> NightReport:
    from pipelines.prefect_settings import environment_for_prefect

    with environment_for_prefect(places):
        # Prefect reads its environment at import, and would make a folder in the user's home.
        from pipelines.deployments import run_now

        return run_now(
            source=source,
            mapping=mapping,
            home=places.home,
            trigger=trigger,
            as_of=as_of,
            refit=refit,
            rebuild=rebuild,
            watch=watch,
        )


def told(report: NightReport, places: Places) -> list[str]:
    """Return what a night did, in lines for the analyst."""
    lines = [*(f"Warning: {warning}" for warning in report.warnings)]
    lines += [f"Refused: {path}: {reason}" for path, reason in report.refused]
    if report.outcome == "unchanged":
        lines.append(
            "Nothing new: no new file, same rule and day as the published state; nothing was "
            f"changed ({report.seconds:.1f} s)."
        )
        return lines
    accepted = report.counts["accept"]
    lines.append(
        f"Published run {report.run_id} in {report.seconds:.1f} s: {accepted.rows_in:,} rows "
        f"landed, {accepted.rows_out:,} taken, {accepted.duplicate:,} said nothing new, "
        f"{accepted.quarantined:,} set aside."
    )
    lines += _set_aside(places)
    lines += _official_outcomes(places)
    lines.append(
        f"See them: unstuck flags --home {places.home}   unstuck dashboard --home {places.home}"
    )
    return lines


def _official_outcomes(places: Places) -> list[str]:
    """Return the practice's outcomes by England's rule, suppressed as on the screens."""
    from pipelines.telling_talking_therapies import published_lines

    return published_lines(places, settings_of(places).publishing.suppression)


def _set_aside(places: Places) -> list[str]:
    """Return why rows of this run were set aside: counts and first lines, never values."""
    from contextlib import closing

    import duckdb

    pointer = places.pointer()
    path = str(places.published / pointer.aggregates)
    with closing(duckdb.connect(path, read_only=True)) as connection:
        rows = connection.sql(
            "select path, rule_id, column_name, row_count, first_line, explanation "
            "from published_quarantine where received_run_id = $run_id and severity = 'row' "
            "order by row_count desc",
            params={"run_id": pointer.run_id},
        ).fetchall()
    return [
        f"  {path}, column {column or '-'}: {count} x {rule} (first on line {line}). {explanation}"
        for path, rule, column, count, line, explanation in rows
    ]
