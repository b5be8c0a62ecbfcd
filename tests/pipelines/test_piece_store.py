"""A second back-test finds what the first one worked out, and nothing that is not its own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines import piece_store
from pipelines.piece_store import PieceStore, code_version

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SAID = pl.DataFrame({"case_id": ["C-CANARY-7", "C-CANARY-8"], "score": [0.25, None]})


@pytest.fixture
def store(tmp_path: Path) -> PieceStore:
    return PieceStore(folder=tmp_path / "backtest", made_by="version 1", now=NOW)


def pieces(store: PieceStore) -> list[Path]:
    return sorted(store.folder.iterdir())


def test_what_was_kept_comes_back_as_it_was(store: PieceStore) -> None:
    assert store.recall("block 1") is None
    store.keep("block 1", SAID)
    found = store.recall("block 1")
    assert found is not None
    assert_frame_equal(found, SAID)
    assert store.recall("block 2") is None


def test_a_later_frame_replaces_the_one_under_the_same_key(store: PieceStore) -> None:
    store.keep("block 1", SAID)
    store.keep("block 1", SAID.head(1))
    found = store.recall("block 1")
    assert found is not None
    assert found.height == 1
    assert len(pieces(store)) == 1


def test_pieces_of_another_version_are_not_there(store: PieceStore) -> None:
    store.keep("block 1", SAID)
    assert replace(store, made_by="version 2").recall("block 1") is None
    assert store.recall("block 1") is not None


@pytest.mark.parametrize("kept", [0, 1, 64, 65, 200, -1])
def test_a_torn_file_is_not_there_and_makes_way(store: PieceStore, kept: int) -> None:
    store.keep("block 1", SAID)
    (path,) = pieces(store)
    path.write_bytes(path.read_bytes()[:kept])
    assert store.recall("block 1") is None
    assert pieces(store) == []
    store.keep("block 1", SAID)
    assert store.recall("block 1") is not None


def test_a_file_with_one_flipped_byte_is_not_there(store: PieceStore) -> None:
    store.keep("block 1", SAID)
    (path,) = pieces(store)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert store.recall("block 1") is None


def test_names_of_files_say_nothing_of_a_case(store: PieceStore) -> None:
    store.keep("predictions of C-CANARY-7", SAID)
    assert "CANARY" not in "".join(path.name for path in pieces(store))


def test_what_nobody_asked_for_in_a_month_is_swept_and_what_was_asked_for_stays(
    store: PieceStore,
) -> None:
    for key in ("used", "unused"):
        store.keep(key, SAID)
    (store.folder / ".torn.piece.4711").write_bytes(b"half")
    after_a_while = replace(store, now=NOW + timedelta(days=20))
    assert after_a_while.recall("used") is not None
    assert after_a_while.sweep() == 0
    late = replace(store, now=datetime.now(tz=UTC) + timedelta(days=35))
    stamped = replace(store, now=late.now - timedelta(days=1))
    assert stamped.recall("used") is not None
    assert late.sweep() == 2  # "unused", and what a killed back-test left
    assert late.recall("used") is not None
    assert late.recall("unused") is None


def test_beyond_the_allowed_size_the_pieces_asked_for_longest_ago_go(
    store: PieceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.keep("old", SAID)
    newer = replace(store, now=NOW + timedelta(days=1))
    newer.keep("new", SAID)
    monkeypatch.setattr(piece_store, "MOST_BYTES", pieces(store)[0].stat().st_size)
    assert newer.sweep() == 1
    assert newer.recall("old") is None
    assert newer.recall("new") is not None


def test_a_folder_that_cannot_be_made_costs_time_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "backtest").write_text("a file where the folder should be")
    store = PieceStore(folder=tmp_path / "backtest", made_by="1", now=NOW)
    store.keep("block 1", SAID)
    assert store.recall("block 1") is None
    assert store.sweep() == 0


def test_the_version_of_the_code_is_the_same_within_one_checkout() -> None:
    first = code_version()
    code_version.cache_clear()
    assert first == code_version()
    assert len(first) == 16
