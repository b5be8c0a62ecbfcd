"""Rows of one case are found together, whatever the ids are."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import models.rows_by_case as rows_by_case_module
from models.paired_scores import paired_scores
from models.rows_by_case import rows_by_case

numbers = st.integers(-(2**62), 2**62)
near = st.integers(-5, 5)
words = st.text("abü", max_size=3)


@given(ids=st.one_of(st.lists(kind, min_size=1, max_size=30) for kind in (near, numbers, words)))
def test_rows_of_a_case_stand_together_in_their_order(ids: list[object]) -> None:
    found = rows_by_case(pl.Series(ids))
    assert found is not None
    cases = np.split(found.row, found.start[1:])
    assert sorted(found.row.tolist()) == list(range(len(ids)))
    assert len(cases) == len(set(ids))
    for rows in cases:
        assert rows.tolist() == [row for row, one in enumerate(ids) if one == ids[rows[0]]]


def test_what_has_no_id_is_found_another_way() -> None:
    assert rows_by_case(pl.Series(["a", None])) is None
    assert rows_by_case(pl.Series([], dtype=pl.Int64)) is None


def test_two_ids_with_one_hash_are_noticed_and_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    same = np.zeros(4, dtype=np.uint64)
    monkeypatch.setattr(rows_by_case_module, "_keys", lambda *_: (same.copy(), False))
    assert rows_by_case(pl.Series(["a", "b", "a", "b"])) is None
    scores = pl.DataFrame(
        {"case_id": ["a", "b", "b", "a"], "time": [0, 1, 0, 1], "score": [4, 3, 2, 1]}
    )
    pairs = paired_scores(scores, before=0, after=1)
    assert pairs.select("case_id", "pre", "post").rows() == [("a", 4.0, 1.0), ("b", 2.0, 3.0)]


@pytest.mark.parametrize("kind", [pl.UInt8, pl.Int16, pl.UInt64, pl.String, pl.Categorical])
def test_ids_of_any_kind_are_paired(kind: pl.DataType) -> None:
    scores = pl.DataFrame(
        {"case_id": [7, 3, 7, 3, 9], "time": [0, 1, 1, 0, 1], "score": [9, 8, 7, 6, 5]}
    )
    text = scores["case_id"].cast(pl.String)
    ids = text.cast(kind) if kind in (pl.String, pl.Categorical) else scores["case_id"].cast(kind)
    pairs = paired_scores(scores.with_columns(case_id=ids), before=0, after=1)
    assert pairs["case_id"].cast(pl.String).to_list() == ["7", "3", "9"]
    assert pairs.select("pre", "post").rows() == [(9.0, 7.0), (6.0, 8.0), (None, 5.0)]
    assert pairs["reason"].to_list() == [None, None, "no_score_before"]
