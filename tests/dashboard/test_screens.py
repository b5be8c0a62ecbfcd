"""Each screen, for each role, as Streamlit runs it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import dashboard
from data_contracts.places import LastRun, Places

APP = Path(dashboard.__file__).parent / "app.py"
SECONDS = 30


pytestmark = pytest.mark.usefixtures("served_on_loopback")


def opened(
    places: Places, monkeypatch: pytest.MonkeyPatch, screen: str = "", **address: str
) -> AppTest:
    monkeypatch.setenv("UNSTUCK_HOME", str(places.home))
    test = AppTest.from_file(str(APP), default_timeout=SECONDS)
    for name, value in address.items():
        test.query_params[name] = value
    if screen:
        test._page_hash = calc_hash(screen)
    test.run()
    assert not test.exception, [found.value for found in test.exception]
    return test


def said(test: AppTest) -> str:
    parts = [*test.title, *test.header, *test.markdown, *test.info, *test.warning, *test.error]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def rows(test: AppTest) -> list[str]:
    return [
        found.value.removeprefix("### ") for found in test.markdown if found.value[:4] == "### "
    ]


def test_the_queue_is_as_long_as_the_time(practice: Places, monkeypatch) -> None:
    test = opened(practice, monkeypatch, role="supervisor", supervisor="S-01")
    text = said(test)
    assert test.title[0].value == "Supervision queue"
    assert "60 minutes fit about 5 cases" in text
    labels = [found.label for found in test.expander]
    assert labels == ["Show the other 7 cases", "Not flagged; to keep an eye on (2)"]
    assert "PHQ-9 item 9 was answered with 2" in rows(test)[0]
    assert "! safety item" in text
    assert "A flag is a reason to talk, not a diagnosis" in text
    assert "Simulated practice" in text
    assert "cannot be judged: no score after the first" in text


def test_more_time_shows_more_cases(practice: Places, monkeypatch) -> None:
    test = opened(practice, monkeypatch, role="supervisor", supervisor="S-01")
    test.segmented_control(key="minutes").set_value(90).run()
    assert "Show the other 5 cases" in [found.label for found in test.expander]


def test_a_filter_that_fits_nothing_says_so(practice: Places, monkeypatch) -> None:
    test = opened(practice, monkeypatch, role="supervisor", supervisor="S-01")
    test.multiselect(key="filter_kind").set_value(["watch"]).run()
    assert "No flagged case matches the filter" in said(test)
    test.multiselect(key="filter_kind").set_value(["stuck"]).run()
    assert rows(test)
    assert "safety item" not in "".join(rows(test))


def test_cases_without_therapist_are_the_lead_s(practice: Places, monkeypatch) -> None:
    test = opened(practice, monkeypatch, role="supervisor", supervisor="lead")
    assert "no therapist" in said(test)


def test_without_a_calendar_the_last_contact_is_not_known(
    own_practice: Places, monkeypatch
) -> None:
    own_practice.point_to(own_practice.pointer().model_copy(update={"as_of": None}))
    text = said(opened(own_practice, monkeypatch, role="supervisor", supervisor="S-01"))
    assert "last contact not known" in text
    assert "days ago" not in text


def test_a_case_says_why_since_when_and_what_removes_the_flag(
    practice: Places, monkeypatch
) -> None:
    test = opened(practice, monkeypatch, "case", role="supervisor", supervisor="S-01", case="C-008")
    text = said(test)
    assert test.title[0].value == "Case C-008"
    assert "■ stuck** since session 8" in text
    assert "By now a clear change (6 points) is the line for a review" in text
    assert "What would remove this flag" in text
    assert "average 13 or lower" in text
    assert "What the other measures say" in text or "GAD-7" in text
    assert len(test.get("arrow_vega_lite_chart") or test.get("vega_lite_chart")) == 3
    assert [table.value.shape[1] for table in test.table] == [4, 4]


def test_where_a_case_may_be_heading_stands_apart_from_why_it_is_here(
    practice: Places, monkeypatch
) -> None:
    test = opened(practice, monkeypatch, "case", case="C-008", supervisor="S-01")
    text = said(test)
    assert "From all scores so far, PHQ-9 would be about 17." in text
    assert "Not a flag, and no status looks at it." in text
    assert "Sudden gain between session 2 and session 3." in text
    assert "none is a flag or a cause" in text


def test_a_safety_item_comes_first_with_the_protocol(practice: Places, monkeypatch) -> None:
    test = opened(practice, monkeypatch, "case", role="supervisor", supervisor="S-01", case="C-001")
    text = said(test)
    assert "session 4: 2" in text
    assert "It is not crisis detection" in text
    shown = [found.value for found in test.markdown]
    place = next(i for i, value in enumerate(shown) if "as answered" in value)
    assert place < next(i for i, value in enumerate(shown) if "answered with 2" in value)


def test_a_case_without_sessions_is_drawn_in_weeks(practice: Places, monkeypatch) -> None:
    test = opened(practice, monkeypatch, "case", role="supervisor", supervisor="S-02", case="C-020")
    assert "stuck** since day 92" in said(test)
    assert "Unverified" in said(test)


def test_next_and_previous_walk_through_the_queue(practice: Places, monkeypatch) -> None:
    test = opened(practice, monkeypatch, "case", role="supervisor", supervisor="S-01", case="C-008")
    (following,) = [button for button in test.button if button.label == "Next"]
    following.click().run()
    assert not test.exception
    assert test.title[0].value == "Case C-009"
    (before,) = [button for button in test.button if button.label == "Previous"]
    before.click().run()
    assert test.title[0].value == "Case C-008"


def test_another_supervisor_starts_without_the_first_one_s_memory(
    practice: Places, monkeypatch
) -> None:
    test = opened(practice, monkeypatch, "case", role="supervisor", supervisor="S-01", case="C-008")
    del test.query_params["case"]
    test.selectbox(key="supervisor").set_value("S-02").run()
    assert "No case is chosen" in said(test)


def test_who_takes_another_role_comes_to_its_first_screen(practice: Places, monkeypatch) -> None:
    test = opened(practice, monkeypatch, "queue", role="supervisor", supervisor="S-01")
    test.selectbox(key="role").set_value("manager").run()
    assert not test.exception
    assert test.title[0].value == "Practice trends"


def test_a_typed_id_jumps_to_the_case(practice: Places, monkeypatch) -> None:
    test = opened(practice, monkeypatch, "case", role="supervisor", supervisor="S-01", case="C-008")
    test.text_input(key="jump_text").set_value(" C-015 ").run()
    assert test.title[0].value == "Case C-015"


def test_another_supervisor_s_case_is_refused_in_words(practice: Places, monkeypatch) -> None:
    test = opened(practice, monkeypatch, "case", role="supervisor", supervisor="S-02", case="C-008")
    assert "No case 'C-008' is among the cases you supervise" in said(test)
    assert "stuck" not in said(test)


def test_no_case_chosen_says_how_to_get_to_one(practice: Places, monkeypatch) -> None:
    test = opened(practice, monkeypatch, "case", role="supervisor", supervisor="S-01")
    assert "Open one from the supervision queue" in said(test)


@pytest.mark.parametrize("screen", ["case", "queue"])
@pytest.mark.parametrize("role", ["manager", "analyst"])
def test_managers_and_analysts_are_refused_cases(
    own_practice: Places, monkeypatch, role: str, screen: str
) -> None:
    next(own_practice.published.glob("*.cases.duckdb")).unlink()
    test = opened(own_practice, monkeypatch, screen, role=role, case="C-008")
    assert "Cases are shown to supervisors only" in said(test)
    assert "C-008" not in said(test)


def test_the_manager_starts_with_trends(own_practice: Places, monkeypatch) -> None:
    next(own_practice.published.glob("*.cases.duckdb")).unlink()
    test = opened(own_practice, monkeypatch, role="manager")
    text = said(test)
    assert test.title[0].value == "Practice trends"
    assert "▼ deteriorating: hidden (fewer than 8)" in text
    assert "Of 200 ended cases with a first and a last score, 50 %" in text
    assert "deteriorating: 0" not in text


@pytest.mark.parametrize("role", ["manager", "analyst", "supervisor"])
def test_trends_are_there_for_everybody(practice: Places, monkeypatch, role: str) -> None:
    assert "Clearly better at the end" in said(opened(practice, monkeypatch, "trends", role=role))


def test_the_analyst_starts_with_whether_last_night_worked(practice: Places, monkeypatch) -> None:
    assert opened(practice, monkeypatch, role="analyst").title[0].value == "Runs"


def test_data_quality_says_what_came_in_and_what_was_set_aside(
    practice: Places, monkeypatch
) -> None:
    test = opened(practice, monkeypatch, "data", role="analyst")
    text = said(test)
    assert test.title[0].value == "Data quality"
    assert "4 files came in, 1 refused as a whole" in text
    assert "column 'name' identifies people" in text
    assert "scores.csv, column value: 3 rows (set aside), first at line 17." in text
    assert "Of 200 attended sessions, 90 %" in text


@pytest.mark.parametrize(
    ("role", "screen"),
    [("supervisor", "queue"), ("manager", "trends"), ("analyst", "data"), ("supervisor", "case")],
)
def test_a_failed_night_stands_above_every_screen(
    own_practice: Places, monkeypatch, role: str, screen: str
) -> None:
    at = datetime(2026, 11, 24, 5, 1, tzinfo=UTC)
    own_practice.note_run(
        LastRun(
            run_id="r",
            state="failed",
            trigger="schedule",
            started_at=at,
            finished_at=at,
            message="the folder to read is gone",
        )
    )
    test = opened(own_practice, monkeypatch, screen, role=role)
    assert [found.value.replace("\\", "") for found in test.warning] == [
        "Last night's run failed at 24 Nov 2026, 05:01 UTC: the folder to read is gone. "
        "You see the state of 23 Nov 2026, 05:02 UTC."
    ]


def test_an_empty_home_explains_what_will_fill_it(tmp_path, monkeypatch) -> None:
    test = opened(Places.at(tmp_path), monkeypatch)
    assert "Nothing to show yet" in said(test)
    assert "unstuck demo" in said(test)


def test_a_supervisor_without_open_cases_is_told_how_cases_come(
    own_practice: Places, monkeypatch
) -> None:
    own_practice.settings.write_text('[roles.supervisors]\n"S-77" = ["T-none"]\n')
    test = opened(own_practice, monkeypatch, role="supervisor", supervisor="S-77")
    assert "No open case is assigned to you" in said(test)


def test_nobody_may_choose_a_role_beyond_loopback(practice: Places, monkeypatch) -> None:
    config.set_option("server.address", "0.0.0.0")  # noqa: S104 - that it is refused is the test
    test = opened(practice, monkeypatch, role="supervisor", supervisor="S-01")
    assert "Nobody is signed in" in said(test)
    assert not test.selectbox


def test_nobody_may_choose_a_role_where_the_practice_switched_it_off(
    own_practice: Places, monkeypatch
) -> None:
    own_practice.settings.write_text("[roles]\nswitch_on_loopback = false\n")
    test = opened(own_practice, monkeypatch)
    assert "Nobody is signed in" in said(test)


def test_settings_that_cannot_be_read_are_explained(own_practice: Places, monkeypatch) -> None:
    own_practice.settings.write_text("titel = 'x'\n")
    assert "did you mean 'title'" in said(opened(own_practice, monkeypatch))


def test_a_snapshot_that_cannot_be_opened_is_explained(own_practice: Places, monkeypatch) -> None:
    next(own_practice.published.glob("*.aggregates.duckdb")).write_bytes(b"broken")
    text = said(opened(own_practice, monkeypatch, "trends", role="manager"))
    assert "cannot be opened" in text
    assert "unstuck doctor" in text


def test_the_practice_s_own_protocol_is_shown(own_practice: Places, monkeypatch) -> None:
    own_practice.settings.write_text("safety_protocol = 'Call the duty lead on extension 7.'\n")
    test = opened(
        own_practice, monkeypatch, "case", role="supervisor", supervisor="S-01", case="C-001"
    )
    assert "Call the duty lead on extension 7." in said(test)
