"""Files that change, go back, or stop coming."""

from typing import Any


def test_a_file_that_goes_back_to_an_earlier_content_is_read_again(practice: Any) -> None:
    first = "case day measure score\nA1 0 PHQ-9 10\nA1 7 PHQ-9 11\n"
    wrong = "case day measure score\nA1 0 PHQ-9 10\nA1 7 PHQ-9 21\n"
    csv = [text.replace(" ", ",") for text in (first, wrong)]
    practice.send(csv[0])
    practice.night()
    practice.send(csv[1])
    practice.night()
    assert ("A1", 7, 21.0) in practice.scores()
    practice.send(csv[0])
    practice.night()
    assert ("A1", 7, 11.0) in practice.scores()
    assert practice.night().outcome == "unchanged"


def test_a_copy_of_an_old_export_under_another_name_changes_nothing(practice: Any) -> None:
    practice.send("case,day,measure,score\nA1,0,PHQ-9,10\nA1,7,PHQ-9,11\n", "scores_1.csv")
    practice.night()
    practice.send("case,day,measure,score\nA1,0,PHQ-9,10\nA1,7,PHQ-9,15\n", "scores_2.csv")
    practice.night()
    practice.send("case,day,measure,score\nA1,0,PHQ-9,10\nA1,7,PHQ-9,11\n", "scores_3.csv")
    assert practice.night().outcome == "unchanged"
    assert ("A1", 7, 15.0) in practice.scores()


MORE = """
[[file]]
table = "sessions"
path = "sessions*.csv"
columns = { case_id = "case", session = "number", day = "day", attended = "came" }
"""


def test_an_export_that_stops_coming_is_mentioned(practice: Any) -> None:
    practice.night("case day measure score\nA1 0 PHQ-9 10\nA1 7 PHQ-9 11\n")
    practice.map(practice.mapping.read_text(encoding="utf-8") + MORE)
    practice.send("case,day,measure,score\nA1,14,PHQ-9,12\n", "scores_more.csv")
    warnings = practice.night().warnings
    assert any("no file matches 'sessions*.csv'" in warning for warning in warnings)


def test_a_mended_mapping_takes_back_what_it_said_by_mistake(practice: Any) -> None:
    drawing = "case day measure score\nA1 0 PHQ-9 10\nA1 1 PHQ-9 11\nA1 2 PHQ-9 12\n"
    practice.night(drawing)
    mended = practice.mapping.read_text(encoding="utf-8").replace('unit = "day"', 'unit = "week"')
    practice.map(mended)
    practice.night()
    assert practice.scores() == {("A1", 0, 10.0), ("A1", 7, 11.0), ("A1", 14, 12.0)}
    files = practice.published("files").sort("position")
    assert files["superseded"].to_list() == [2, 0]
    assert practice.night().outcome == "unchanged"


def test_a_mended_mapping_leaves_what_other_files_said(practice: Any) -> None:
    practice.night("case day measure score\nA1 0 PHQ-9 10\nA1 7 PHQ-9 11\n")
    practice.night("case day measure score\nA1 7 PHQ-9 9\nB2 0 PHQ-9 12\n")
    mended = practice.mapping.read_text(encoding="utf-8").replace(
        'missing = ["", "NA"]', 'missing = ["", "NA", "-"]'
    )
    practice.map(mended)
    practice.night()
    assert practice.scores() == {("A1", 0, 10.0), ("A1", 7, 9.0), ("B2", 0, 12.0)}


def test_a_file_mapped_twice_keeps_both_readings(practice: Any) -> None:
    twice = """
format = 1
case_ids = "keep"

[[file]]
table = "scores"
path = "both.csv"
columns = { case_id = "case", time = "day" }
ignore = ["gad"]
values = [{ column = "phq", measure = "phq9" }]

[[file]]
table = "scores"
path = "both.csv"
columns = { case_id = "case", time = "day" }
ignore = ["phq"]
values = [{ column = "gad", measure = "gad7" }]
"""
    practice.map(twice)
    practice.send("case,day,phq,gad\nA1,0,10,8\nA1,7,11,9\n", "both.csv")
    practice.night()
    assert len(practice.scores()) == 4
    assert practice.night().outcome == "unchanged"
    practice.map(twice.replace('measure = "gad7"', 'measure = "pcl5"'))
    practice.night()
    measures = practice.warehouse("select distinct measure_id from scores order by 1")
    assert measures["measure_id"].to_list() == ["pcl5", "phq9"]


def test_scores_on_two_clocks_without_days_are_warned_of(practice: Any) -> None:
    practice.night("case day measure score\nA1 0 PHQ-9 10\nA1 7 PHQ-9 11\n")
    by_session = practice.mapping.read_text(encoding="utf-8").replace(
        'unit = "day"', 'unit = "session"'
    )
    practice.map(by_session.replace("scores*.csv", "by_session*.csv"))
    practice.send("case,day,measure,score\nA1,1,PHQ-9,10\nA1,2,PHQ-9,11\n", "by_session.csv")
    warnings = practice.night().warnings
    assert any("cannot be put in one order" in warning for warning in warnings)


def test_a_mapping_that_is_changed_and_changed_back_says_again_what_it_said(practice: Any) -> None:
    practice.night("case day measure score\nA1 0 PHQ-9 10\nA1 1 PHQ-9 11\n")
    first = practice.mapping.read_text(encoding="utf-8")
    practice.map(first.replace('unit = "day"', 'unit = "week"'))
    practice.night()
    practice.map(first)
    practice.night()
    assert practice.scores() == {("A1", 0, 10.0), ("A1", 1, 11.0)}
    assert practice.night().outcome == "unchanged"
