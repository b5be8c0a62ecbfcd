"""`unstuck processes`: what moves with the outcome for each client of a file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.cli import main

COLUMNS = ["--case", "client", "--time", "day", "--outcome", "low", "--process", "worry"]


def diary(clients: int = 6, days: int = 40) -> str:
    """Return days on which low mood goes with worry, by half a point a point."""
    draw = np.random.default_rng(1)
    lines = ["client,day,low,worry,sleep"]
    for client in range(clients):
        worry, rest, sleep = draw.normal(5, 2, (3, days))
        for day in range(days):
            low = 2 + 0.5 * worry[day] + 0.5 * rest[day]
            gone = client == 0 and day % 7 == 3
            lines.append(
                f"0{client},{day},{'' if gone else round(low, 2)},{worry[day]:.2f},{sleep[day]:.2f}"
            )
    return "\n".join([*lines, f"few,1,{3},{4},{5}"]) + "\n"


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def tell(*arguments: str, rows: str) -> tuple[int, str]:
        file = tmp_path / "diary.csv"
        file.write_text(rows, encoding="utf-8")
        code = main(["processes", str(file), *COLUMNS, *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return tell


def test_each_client_has_a_link_or_a_reason_and_all_share_a_mean(told: Any) -> None:
    code, printed = told("--process", "sleep", "--json", rows=diary())
    found = json.loads(printed)
    assert code == 0
    worry, sleep = found["processes"]
    assert [client["case_id"] for client in worry["clients"]] == [
        *(f"0{n}" for n in range(6)),
        "few",
    ]
    assert worry["clients"][-1]["reason"] == "too_few_points"
    assert worry["clients"][0]["point_count"] == 34  # days without an outcome are no pairs
    assert 0.5 < worry["pooled"]["mean"] < 0.9
    assert worry["pooled"]["low"] > 0
    assert sleep["pooled"]["low"] < 0 < sleep["pooled"]["high"]
    first = worry["clients"][0]
    assert abs(first["own_link"] - worry["pooled"]["mean"]) <= abs(
        first["link"] - worry["pooled"]["mean"]
    )


def test_as_text_it_is_for_this_client_and_never_a_cause(told: Any) -> None:
    _, printed = told(rows=diary())
    assert "for this client one SD more worry went with +0." in printed
    assert "7 clients" not in printed
    assert "1 client without an answer: fewer than 20 times with both." in printed
    assert "On average +0." in printed
    assert "Clients differ by SD" in printed
    assert "never what leads to what" in printed
    assert not [word for word in ("because", "causes", "due to", "effect of") if word in printed]


def test_few_clients_share_nothing_that_can_be_said(told: Any) -> None:
    _, printed = told(rows=diary(clients=2))
    assert "Too few clients to say what they share." in printed
    assert "drawn towards" not in printed


def test_dates_are_days(told: Any) -> None:
    rows = diary(clients=1)
    dated = [
        line
        if not line.startswith("0")
        else line.replace(f",{n},", f",2026-{1 + n // 28:02}-{1 + n % 28:02},", 1)
        for n, line in enumerate(rows.splitlines(), -1)
    ]
    dated[-1] = "few,2026-01-01,3,4,5"
    code, printed = told("--json", rows="\n".join(dated) + "\n")
    assert code == 0, printed
    assert json.loads(printed)["processes"][0]["clients"][0]["point_count"] == 34


@pytest.mark.parametrize(
    ("arguments", "rows", "said"),
    [
        ([], diary(2) + "00,3,1,1,1\n", "leave one row a case and day"),
        ([], diary(2) + "00,3.5,1,1,1\n", "holds parts of a day"),
        (["--process", "mood"], diary(2), "has no column 'mood'"),
        (["--process", "low"], diary(2), "must be a column of its own"),
    ],
)
def test_what_cannot_be_read_is_said_without_a_value(
    told: Any, arguments: list[str], rows: str, said: str
) -> None:
    code, printed = told(*arguments, rows=rows)
    assert code == 5
    assert said in printed
    assert "3.5" not in printed


def test_rows_without_a_case_are_counted(told: Any) -> None:
    _, printed = told(rows=diary(2) + ",1,2,3,4\n")
    assert "Set aside: 1 row without a case." in printed
