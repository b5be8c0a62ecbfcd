"""The data dictionary says what the contracts say, and nobody forgot to write it again."""

from pathlib import Path

import pytest

from data_contracts.contract import Layer, Privacy
from data_contracts.dictionary import PAGE, data_dictionary, main
from data_contracts.measures import built_in_measures
from data_contracts.tables import EVERY_TABLE

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page() -> str:
    return data_dictionary()


def test_the_page_in_docs_is_current() -> None:
    assert main(["--check"], REPOSITORY / PAGE) == 0, "run 'uv run poe dictionary'"


def test_a_page_that_says_something_else_is_out_of_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "dictionary.md"
    assert main(["--check"], page) == 1
    assert main(["--write"], page) == 0
    assert main(["--check"], page) == 0
    page.write_text(page.read_text(encoding="utf-8") + "by hand", encoding="utf-8")
    assert main(["--check"], page) == 1
    assert "out of date" in capsys.readouterr().err


def test_a_wrong_call_says_how_to_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "--check | --write" in capsys.readouterr().err


def test_every_table_says_what_one_row_is_and_its_key(page: str) -> None:
    for table in EVERY_TABLE:
        key = ", ".join(f"`{name}`" for name in table.key)
        assert f"### {table.name}\n\nOne row is {table.one_row_is}. Key: {key}.\n" in page


def test_every_column_of_every_table_is_told_or_named_where_it_is_told(page: str) -> None:
    for table in EVERY_TABLE:
        for part in page.split(f"### {table.name}\n")[1:]:
            told = part.split("\n### ")[0].split("\n## ")[0]
            assert all(f"`{name}`" in told for name in table.column_names), table.name


def test_every_meaning_is_on_the_page(page: str) -> None:
    for table in EVERY_TABLE:
        for column in table.columns:
            assert f"| {column.meaning} | {column.privacy.value} |" in page, column.name


def test_every_privacy_class_and_every_layer_is_explained(page: str) -> None:
    assert all(f"| `{privacy.value}` | " in page for privacy in Privacy)
    used = {table.layer for table in EVERY_TABLE}
    assert all(f"## {layer.value.capitalize()}\n" in page for layer in Layer if layer in used)


def test_every_measure_is_listed_with_what_is_not_verified(page: str) -> None:
    for measure in built_in_measures().values():
        line = next(
            row for row in page.splitlines() if row.startswith(f"| `{measure.measure_id}` ")
        )
        assert all(number in line for number in measure.unverified_numbers)


def test_tables_in_markdown_keep_their_columns(page: str) -> None:
    width = 0
    for line in page.splitlines():
        bars = line.replace("\\|", "").count("|")
        if line.startswith("| --- |"):
            assert bars == width
        if line.startswith("|"):
            assert width in (0, bars), line
            width = bars
        else:
            width = 0
