"""A failed or running night is said on every screen."""

from __future__ import annotations

from datetime import UTC, datetime

from dashboard import reading
from dashboard.banner import banner_text, news_mark
from data_contracts.places import LastRun, Places

AT = datetime(2026, 11, 24, 5, 1, tzinfo=UTC)


def last_run(state: str, message: str = "") -> LastRun:
    return LastRun(
        run_id="r",
        state=state,  # type: ignore[arg-type]  # a literal below
        trigger="schedule",
        started_at=AT,
        finished_at=AT if state == "failed" else None,
        message=message,
    )


def test_all_is_well_says_nothing(practice: Places) -> None:
    snapshot = reading.current_snapshot(practice)
    assert banner_text(None, snapshot) == ""
    assert banner_text(last_run("published"), snapshot) == ""
    assert banner_text(last_run("unchanged"), snapshot) == ""


def test_a_failed_night_says_when_why_and_which_state_is_shown(practice: Places) -> None:
    snapshot = reading.current_snapshot(practice)
    assert banner_text(last_run("failed", "no space left on the disk."), snapshot) == (
        "Last night's run failed at 24 Nov 2026, 05:01 UTC: no space left on the disk. "
        "You see the state of 23 Nov 2026, 05:02 UTC."
    )


def test_a_running_night_says_so(practice: Places) -> None:
    snapshot = reading.current_snapshot(practice)
    assert "under way since 24 Nov 2026, 05:01 UTC" in banner_text(last_run("running"), snapshot)


def test_a_failed_first_night_says_that_there_is_nothing() -> None:
    assert "nothing to show yet" in banner_text(last_run("failed", "x"), None)


def test_a_new_publication_and_a_failed_night_are_news(own_practice: Places, publish) -> None:
    marks = [news_mark(own_practice)]
    own_practice.note_run(last_run("failed", "x"))
    marks.append(news_mark(own_practice))
    publish(own_practice.home, run_id="20261125T050000Z-demo")
    marks.append(news_mark(own_practice))
    assert len(set(marks)) == 3


def test_changed_settings_are_news_so_that_who_is_refused_does_not_keep_an_open_screen(
    own_practice: Places,
) -> None:
    marks = [news_mark(own_practice)]
    for text in ("", 'title = "another"', None):
        if text is None:
            own_practice.settings.unlink()
        else:
            own_practice.settings.write_text(text, encoding="utf-8")
        marks.append(news_mark(own_practice))
    assert marks[0] != marks[1] != marks[2] != marks[3]
