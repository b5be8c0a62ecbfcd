"""`unstuck growth`: the growth curve of a file of scores."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import SourceError, UnstuckError
from pipelines.cli import main

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
NEEDS_REFERENCE = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason=f"the peers' output is not beside this repository: {REFERENCE}"
)
COLUMNS = ["--case", "client", "--time", "session", "--score", "phq9", "--baseline", "intake"]


def scores(cases: int = 60, most_scores: int = 7, seed: int = 1) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    count = random.integers(2, most_scores + 1, cases) if most_scores > 2 else np.full(cases, 2)
    case = np.repeat(np.arange(cases), count)
    session = np.concatenate([np.arange(one) for one in count])
    intake = random.integers(6, 25, cases)[case]
    level = intake + random.normal(0, 3, cases)[case]
    slope = random.normal(-1, 1, cases)[case]
    score = np.rint(level + slope * session + random.normal(0, 2, len(case)))
    return pl.DataFrame(
        {
            "client": [f"c{one}" for one in case],
            "session": session,
            "week": session * 1.5,
            "phq9": score.astype(int),
            "intake": intake,
            "by": [f"t{one % 9}" for one in case],
        }
    )


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def tell(frame: pl.DataFrame, *arguments: str, kind: str = "parquet") -> tuple[int, str]:
        path = tmp_path / f"scores.{kind}"
        frame.write_csv(path) if kind == "csv" else frame.write_parquet(path)
        code = main(["growth", str(path), *COLUMNS, *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return tell


@NEEDS_REFERENCE
@pytest.mark.parametrize(
    ("stem", "fit", "more"),
    [("s1k", "lmer_1k_tight", []), ("s1k", "lmer_1k_ther_tight", ["--therapist", "therapist"])],
)
def test_the_command_prints_the_fit_of_lme4(
    stem: str, fit: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    known = json.loads((REFERENCE / "lme4" / f"{fit}.json").read_text())
    file = REFERENCE / "lme4" / f"{stem}.parquet"
    columns = ["--case", "case", "--time", "session", "--score", "score", "--baseline", "intake"]
    for method, expected in (("reml", known), ("ml", known["ml"])):
        arguments = [*columns, "--log-time", *more, "--json", *["--ml"] * (method == "ml")]
        assert main(["growth", str(file), *arguments]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["n_cases"], found["n_scores"]) == (1000, known["n_rows"])
        criterion = expected.get("reml_criterion", expected.get("deviance"))
        assert found[f"{method}_criterion"] == pytest.approx(criterion, rel=0, abs=1e-6)
        np.testing.assert_allclose(
            list(found["fixed"].values()), list(expected["fixef"].values()), rtol=1e-5
        )
        assert found["sigma"] == pytest.approx(expected["sigma"], rel=1e-5)
        np.testing.assert_allclose(found["theta"], expected["theta"], rtol=1e-5)
    assert (found["therapist_variance"] is None) == (not more)


@NEEDS_REFERENCE
def test_correlated_residuals_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    known = json.loads((REFERENCE / "REFERENCE.json").read_text())["other"]["nlme_ar1_1k"]
    file = REFERENCE / "lme4" / "ar1k.parquet"
    columns = ["--case", "case", "--time", "session", "--score", "score", "--baseline", "intake"]
    assert main(["growth", str(file), *columns, "--log-time", "--ar1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["serial_correlation"] == pytest.approx(known["phi"], rel=1e-5)


@pytest.mark.parametrize("time", ["session", "week"])
def test_files_of_every_kind_and_rows_in_any_order_give_one_curve(told: Any, time: str) -> None:
    fits = [
        json.loads(told(frame, "--json", "--time", time, kind=kind)[1])
        for kind in ("csv", "parquet")
        for frame in (scores(), scores().sample(fraction=1.0, shuffle=True, seed=3))
    ]
    for fit in fits:
        assert fit["reml_criterion"] == pytest.approx(fits[0]["reml_criterion"], abs=1e-8)
        np.testing.assert_allclose(
            list(fit["fixed"].values()), list(fits[0]["fixed"].values()), rtol=1e-6
        )


@pytest.mark.parametrize("more", [[], ["--therapist", "by"]])
def test_the_path_that_is_taken_changes_nothing(
    told: Any, more: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_case = json.loads(told(scores(), "--json", *more)[1])
    monkeypatch.setattr("pipelines.fitting_growth.MANY_CASES", 0)
    by_design = json.loads(told(scores(), "--json", *more)[1])
    assert by_case["reml_criterion"] == pytest.approx(by_design["reml_criterion"], abs=1e-8)
    for told_of in ("fixed", "standard_errors"):
        np.testing.assert_allclose(
            list(by_case[told_of].values()), list(by_design[told_of].values()), rtol=1e-5
        )


def test_times_that_are_no_sessions_change_the_unit_of_the_slope_alone(told: Any) -> None:
    by_session = json.loads(told(scores(), "--json")[1])["fixed"]
    by_week = json.loads(told(scores(), "--json", "--time", "week")[1])["fixed"]
    assert by_week["time"] * 1.5 == pytest.approx(by_session["time"], rel=1e-5)
    assert by_week["baseline"] == pytest.approx(by_session["baseline"], rel=1e-5)


def test_missing_sessions_give_the_same_curve_with_and_without_therapists(told: Any) -> None:
    frame = scores(cases=300).filter(pl.col("session") != 1)
    code, printed = told(frame, "--json")
    with_therapists = json.loads(told(frame, "--therapist", "by", "--json")[1])
    assert code == 0
    assert with_therapists["reml_criterion"] <= json.loads(printed)["reml_criterion"] + 1e-6
    assert with_therapists["therapist_variance"] >= 0


def test_as_text_the_curve_is_told_in_words(told: Any) -> None:
    code, printed = told(scores(), "--log-time", "--therapist", "by", "--ar1")
    assert code == 0
    for said in ("60 cases", "log(1 + time)", "therapists differ by", "correlated", "REML"):
        assert said in printed


def test_rows_that_cannot_be_used_are_counted_with_their_reason(told: Any) -> None:
    frame = scores().with_row_index("row").with_columns(
        pl.when(pl.col("row").is_in([3, 4])).then(None).otherwise("phq9").alias("phq9"),
        pl.when(pl.col("row").is_in([4, 5])).then(None).otherwise("intake").alias("intake"),
        pl.when(pl.col("row") == 9).then(None).otherwise("client").alias("client"),
        pl.when(pl.col("row") == 11).then(float("nan")).otherwise("session").alias("session"),
    )  # fmt: skip
    for kind in ("csv", "parquet"):
        found = json.loads(told(frame, "--json", kind=kind)[1])
        assert found["set_aside"] == {
            "no_case": 1, "no_time": 1, "no_score": 2, "no_baseline": 1
        }  # fmt: skip
        assert found["n_scores"] + sum(found["set_aside"].values()) == found["n_rows"]
    assert "2 rows set aside: they have no score." in told(frame)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--score", "phq"], "no column 'phq' (did you mean 'phq9'?)"),
        (["--therapist", "who"], "no column 'who'"),
        (["--score", "intake"], "different columns"),
        (["--score", "by"], "holds text; expected numbers: text in"),
        (["--time", "on"], "Days, weeks or sessions since the start are numbers"),
        (["--score", "stored"], "numbers are stored as text"),
        (["--time", "before", "--log-time"], "log(1 + time)"),
        (["--baseline", "phq9"], "different columns"),
        (["--baseline", "week"], "have more than one baseline"),
        (["--therapist", "several"], "leave --therapist out"),
    ],
)
def test_a_file_that_is_not_meant_is_told_with_what_to_do(
    told: Any, arguments: list[str], said: str
) -> None:
    frame = scores().with_columns(
        on=pl.date(2026, 1, 5),
        stored=pl.col("phq9").cast(pl.String),
        before=pl.col("session") - 3,
        several=pl.col("session") % 2,
    )
    code, printed = told(frame, *arguments)
    assert code == SourceError.exit_code
    assert said in printed
    assert "c1" not in printed


def test_text_is_told_by_its_row_and_never_shown(told: Any) -> None:
    is_seventh = pl.int_range(pl.len()) == 6
    text = pl.col("phq9").cast(pl.String)
    frame = scores().with_columns(
        pl.when(is_seventh).then(pl.lit("secret")).otherwise(text).alias("phq9")
    )
    for kind in ("csv", "parquet"):
        code, printed = told(frame, kind=kind)
        assert code == SourceError.exit_code
        assert "text in 1 row, first" in printed
        assert "row 7" in printed
        assert "secret" not in printed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.filter(pl.col("client") == "c3"), "one case"),
        (lambda frame: frame.filter(pl.col("session") == 0), "has one score"),
        (lambda frame: frame.with_columns(phq9=pl.lit(7)), "no spread"),
        (lambda frame: frame.head(2).with_columns(client=pl.Series(["a", "b"])), "has one score"),
        (
            lambda frame: frame.filter(pl.col("client").is_in(["c3", "c4"]), pl.col("session") < 2),
            "cannot",
        ),
    ],
)
@pytest.mark.parametrize("time", ["session", "week"])
def test_scores_without_a_curve_are_told_so(told: Any, change: Any, said: str, time: str) -> None:
    code, printed = told(change(scores()), "--time", time)
    assert code == UnstuckError.exit_code
    assert said in printed


@pytest.mark.parametrize("kind", [pl.UInt8, pl.Int64, pl.Float32, pl.Decimal(10, 2)])
def test_scores_stored_as_numbers_of_any_kind_give_one_curve(told: Any, kind: Any) -> None:
    plain = scores().with_columns(phq9=pl.col("phq9").clip(0))
    stored = plain.with_columns(pl.col("phq9", "session", "intake").cast(kind))
    one, other = (json.loads(told(each, "--json")[1]) for each in (plain, stored))
    assert one["reml_criterion"] == other["reml_criterion"]


def test_a_file_without_a_usable_row_is_told_so(told: Any) -> None:
    nothing, no_score = scores().head(0), scores().with_columns(phq9=pl.lit(None))
    for frame, said in ((nothing, "has no rows"), (no_score, "nothing to fit")):
        code, printed = told(frame)
        assert code == SourceError.exit_code
        assert said in printed


def test_two_waves_are_fitted_without_slopes_and_told_so(told: Any) -> None:
    code, printed = told(scores(most_scores=2), "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["covariance"][1][1] == 0
    assert "two scores a case" in found["notes"][0]


def test_one_baseline_for_all_is_left_out_and_told_so(told: Any) -> None:
    code, printed = told(scores().with_columns(intake=pl.lit(12)), "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["left_out"] == ["baseline", "time:baseline"]
    assert "Left out" in " ".join(found["notes"])


@pytest.mark.parametrize(("column", "is_fine"), [("session", True), ("week", False)])
def test_correlated_residuals_need_session_numbers(told: Any, column: str, is_fine: bool) -> None:
    code, printed = told(scores(), "--time", column, "--ar1")
    assert (code == 0) == is_fine
    assert is_fine or "numbered sessions" in printed


def test_a_file_that_cannot_be_read_is_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut_off.parquet").write_bytes(b"PAR1")
    for name in ("nothing.csv", "nothing.parquet", "cut_off.parquet"):
        assert main(["growth", str(tmp_path / name)]) == SourceError.exit_code
        assert name in capsys.readouterr().err


def test_the_command_loads_nothing_heavy(tmp_path: Path) -> None:
    scores().write_parquet(tmp_path / "scores.parquet")
    code = (
        "import sys; from pipelines.cli import main; "
        f"main(['growth', {str(tmp_path / 'scores.parquet')!r}, *{COLUMNS!r}]); "
        "heavy = {'scipy', 'sklearn', 'pandas', 'great_expectations', 'duckdb', 'prefect'}; "
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ran.returncode == 0
