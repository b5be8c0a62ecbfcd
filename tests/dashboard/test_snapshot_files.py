"""A published file is opened once, stays locked, and its successor is seen at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from dashboard import snapshot_files
from dashboard.snapshot_files import FILES_OPEN, SnapshotFiles, identity_of
from data_contracts.errors import SourceError


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the paths in the order in which they were opened."""
    paths: list[str] = []
    connect = duckdb.connect

    def noted(path: str, **options: object) -> duckdb.DuckDBPyConnection:
        paths.append(path)
        return connect(path, **options)

    monkeypatch.setattr(snapshot_files.duckdb, "connect", noted)
    yield paths


def written(path: Path, number: int) -> Path:
    beside = path.with_suffix(".beside")
    beside.unlink(missing_ok=True)
    with duckdb.connect(str(beside)) as connection:
        connection.execute(f"create table numbers as select {number} as number")
    beside.replace(path)
    return path


def number_in(files: SnapshotFiles, path: Path) -> int:
    query = {"rows": "select number from numbers"}
    return int(files.answers(str(path), identity_of(path), query, {})["rows"].item())


def test_a_file_is_opened_for_the_first_question_only(tmp_path: Path, opened: list[str]) -> None:
    files, path = SnapshotFiles(), written(tmp_path / "night.duckdb", 1)
    opened.clear()
    assert [number_in(files, path) for _ in range(3)] == [1, 1, 1]
    assert len(opened) == 1


def test_a_file_that_took_its_place_is_read_at_once(tmp_path: Path) -> None:
    files, path = SnapshotFiles(), tmp_path / "night.duckdb"
    assert [number_in(files, written(path, number)) for number in (1, 2, 3)] == [1, 2, 3]


def test_only_so_many_files_stay_open(tmp_path: Path, opened: list[str]) -> None:
    files = SnapshotFiles()
    paths = [written(tmp_path / f"{number}.duckdb", number) for number in range(FILES_OPEN + 1)]
    opened.clear()
    for path in paths:
        number_in(files, path)
    assert number_in(files, paths[-1]) == FILES_OPEN
    assert len(opened) == len(paths)
    number_in(files, paths[0])  # the one not asked for longest was closed
    assert len(opened) == len(paths) + 1
    with duckdb.connect(str(paths[1])) as writer:  # and so was the next: nobody holds it
        writer.execute("drop table numbers")


def test_whatever_is_asked_wrongly_hurts_no_later_question(tmp_path: Path) -> None:
    files, path = SnapshotFiles(), written(tmp_path / "night.duckdb", 7)
    for query in ("select * from nothing", "delete from numbers", "set threads = 4", "selct"):
        with pytest.raises(duckdb.Error):
            files.answers(str(path), identity_of(path), {"rows": query}, {})
        assert number_in(files, path) == 7


def test_many_viewers_at_once_get_the_old_state_or_the_new_one(tmp_path: Path) -> None:
    files, path = SnapshotFiles(), written(tmp_path / "night.duckdb", 0)
    with ThreadPoolExecutor(8) as viewers:
        asked = [viewers.submit(number_in, files, path) for _ in range(200)]
        for number in range(1, 6):
            written(path, number)
        asked += [viewers.submit(number_in, files, path) for _ in range(50)]
        found = [answer.result() for answer in asked]
    assert set(found) <= set(range(6))
    assert set(found[-50:]) == {5}


def test_a_file_that_is_none_is_explained_without_its_path(tmp_path: Path) -> None:
    broken = tmp_path / "night.cases.duckdb"
    broken.write_bytes(b"no database at all, but long enough to be looked at" * 200)
    for path in (broken, tmp_path / "missing.duckdb"):
        with pytest.raises(SourceError, match="unstuck doctor") as told:
            number_in(SnapshotFiles(), path)
        assert str(tmp_path) not in str(told.value)
