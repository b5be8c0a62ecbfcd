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
