"""The weekly digest: news without client data, sent to loopback, and errors without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import create_engine, insert

from data_contracts.errors import ContractError, SendingError
from data_contracts.places import LastRun, Places
from data_contracts.settings import Workspace, settings_of
from data_contracts.workspace_tables import METADATA, REVIEW_EVENTS
from pipelines.cli import main
from pipelines.digest import weekly_digest
from pipelines.sending import send, send_digest

# apprise 1.13 imports it where it is there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

CANARY = "kanarienvogel4711"


class Receiver:
    """A service on loopback that takes JSON messages, or refuses them."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.answer = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                receiver.taken.append(json.loads(self.rfile.read(length)))
                self.send_response(receiver.answer)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Keep the test's output quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"json://ann:{CANARY}@127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.server.shutdown()
    started.server.server_close()


@pytest.fixture(scope="module")
def simulated(new_practice: Any) -> Any:
    """Return a practice of 150 simulated cases after its first night."""
    practice = new_practice()
    practice.simulate(cases=150, seed=3)
    practice.night()
    return practice


@pytest.fixture
def places(simulated: Any) -> Iterator[Places]:
    """Return its home as the night left it."""
    found: Places = simulated.places
    yield found
    for path in (found.settings, found.last_digest_file, found.workspace, found.home / "to.txt"):
        path.unlink(missing_ok=True)


def moment_after(places: Places, days: float) -> datetime:
    return places.pointer().published_at + timedelta(days=days)


def told(places: Places, days: float = 1) -> str:
    return weekly_digest(places, settings_of(places), moment_after(places, days)).body


def addresses(places: Places, *lines: str) -> Path:
    file = places.home / "to.txt"
    file.write_text("# who gets the digest\n" + "\n".join(lines) + "\n", encoding="utf-8")
    file.chmod(0o600)
    places.settings.write_text('[digest]\naddresses_file = "to.txt"\n', encoding="utf-8")
    return file


def test_no_id_and_no_small_number_is_in_the_message(simulated: Any, places: Places) -> None:
    # seven due follow-ups would be a small number
    cases = simulated.published("cases").filter("is_open")["case_id"].to_list()
    record_reviews(places, [(case_id, date(2020, 1, 1)) for case_id in cases[:7]])
    message = told(places)
    ids: set[str] = set()
    for table in ("cases", "therapists"):
        rows = simulated.published(table)
        for name in ("case_id", "therapist_id", "supervisor_id", "site_id"):
            if name in rows.columns:
                ids |= set(rows[name].drop_nulls().cast(str).to_list())
    assert len(ids) > 150
    assert not [each for each in ids if re.search(rf"\b{re.escape(each)}\b", message)]
    assert "Follow-ups whose day has come: a few." in message
    words = ("stuck", "deteriorating", "PHQ", "safety", "alliance")
    assert not [word for word in words if word in message]


def test_it_says_whether_nights_ran_and_where_to_look(places: Places) -> None:
    message = told(places)
    assert "The last night worked and published a new state" in message
    assert re.search(r"Nights of the last 7 days that published something: \d+", message)
    assert "Rows set aside in that time: " in message
    assert "Open the screens: http://127.0.0.1:8501" in message


def test_an_old_state_and_a_failed_night_are_said(places: Places) -> None:
    assert "days old: do exports come?" in told(places, days=9)
    before = places.last_run_file.read_text(encoding="utf-8")
    last = places.last_run()
    assert last is not None
    failed = last.model_copy(update={"state": "failed", "message": "file case C-17 is broken"})
    places.last_run_file.write_text(LastRun.model_dump_json(failed), encoding="utf-8")
    try:
        message = told(places)
    finally:
        places.last_run_file.write_text(before, encoding="utf-8")
    assert "The last night FAILED" in message
    assert "C-17" not in message  # what went wrong is on the screens, not in the mail


def test_a_home_without_a_night_has_a_digest_too(tmp_path: Path) -> None:
    empty = Places.at(tmp_path)
    message = weekly_digest(empty, settings_of(empty), datetime(2026, 1, 5).astimezone()).body
    assert "No night has run yet." in message
    assert "Nothing has been published yet." in message


def test_the_next_digest_says_whether_the_queue_has_changed(
    places: Places, receiver: Receiver
) -> None:
    addresses(places, receiver.address)
    assert "The supervision queue is on the screens." in told(places)
    assert send_digest(places, moment_after(places, 1)) == "Sent to 1 receiver."
    assert "queue is as it was" in told(places, days=8)
    kept = places.last_digest_file.read_text(encoding="utf-8")
    places.last_digest_file.write_text(kept.replace('"queue_mark": "', '"queue_mark": "0'))
    assert "queue has changed since the last digest" in told(places, days=8)
    places.last_digest_file.write_text("{}", encoding="utf-8")  # of another version
    assert "The supervision queue is on the screens." in told(places)


def test_what_is_printed_is_what_is_sent(
    places: Places, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    addresses(places, receiver.address)
    assert main(["digest", "--home", str(places.home)]) == 0
    printed = capsys.readouterr().out
    assert receiver.taken == []  # only shown
    assert "Not sent" in printed
    assert main(["digest", "--home", str(places.home), "--send"]) == 0
    taken = receiver.taken[0]
    assert taken["title"] == "unstuck: weekly digest"
    assert taken["message"].strip() in printed


def test_a_receiver_that_refuses_is_an_error_of_its_own_without_the_password(
    places: Places, receiver: Receiver, capfd: pytest.CaptureFixture[str], caplog: Any
) -> None:
    receiver.answer = 500
    addresses(places, receiver.address)
    assert main(["digest", "--home", str(places.home), "--send"]) == SendingError.exit_code == 13
    shown = capfd.readouterr()
    everything = shown.out + shown.err + caplog.text
    assert "not taken by 1 of 1 addresses (line 2 of" in everything
    assert CANARY not in everything
    assert "hook" not in everything
    assert not places.last_digest_file.exists()  # nothing counts as sent


def test_one_dead_receiver_does_not_keep_the_others_waiting(
    places: Places, receiver: Receiver
) -> None:
    file = addresses(places, "json://127.0.0.1:9/dead", receiver.address)
    with pytest.raises(SendingError, match=r"1 of 2 addresses \(line 2 of"):
        send("title", "body", file)
    assert [taken["message"] for taken in receiver.taken] == ["body"]


def test_a_line_that_is_no_address_stops_all_and_is_not_shown(
    places: Places, receiver: Receiver
) -> None:
    file = addresses(places, receiver.address, f"no-such-service://{CANARY}@host")
    with pytest.raises(ContractError, match="line 3 of") as caught:
        send("title", "body", file)
    assert CANARY not in str(caught.value)
    assert receiver.taken == []


def test_a_file_that_others_can_read_is_refused(places: Places, receiver: Receiver) -> None:
    file = addresses(places, receiver.address)
    file.chmod(0o644)
    with pytest.raises(ContractError, match="chmod 600"):
        send("title", "body", file)
    file.chmod(0o600)
    file.write_text("# nobody yet\n", encoding="utf-8")
    with pytest.raises(ContractError, match="names no address"):
        send("title", "body", file)
    with pytest.raises(ContractError, match="cannot be read"):
        send("title", "body", places.home / "none.txt")


def test_the_doctor_looks_at_the_receivers(
    places: Places, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    file = addresses(places, receiver.address)
    main(["doctor", "--home", str(places.home)])
    printed = capsys.readouterr().out
    assert "1 receiver in" in printed
    file.chmod(0o644)
    assert main(["doctor", "--home", str(places.home)]) != 0
    printed += capsys.readouterr().out
    assert "chmod 600" in printed
    assert CANARY not in printed


def test_without_a_file_of_addresses_the_way_is_told(places: Places) -> None:
    with pytest.raises(ContractError, match="addresses_file under \\[digest\\]"):
        send_digest(places, moment_after(places, 1))


def record_reviews(places: Places, due: list[tuple[str, date | None]], **values: Any) -> None:
    engine = create_engine(f"sqlite+pysqlite:///{places.workspace}")
    METADATA.create_all(engine)
    filled: dict[str, Any] = {
        "recorded_at": moment_after(places, 0),
        "user_id": "u", "supervisor_id": "S-1", "kind": "review", "decision": "discussed",
        "reasons": "", "shown_run_id": "r", "shown_kinds": "", "shown_flags": "",
        "rule_version": "2",
    } | values  # fmt: skip
    with engine.begin() as connection:
        for case_id, day in due:
            row = {
                "case_id": case_id,
                "sequence": 1,
                "event_id": f"e-{case_id}",
                "follow_up_on": day,
            }
            connection.execute(insert(REVIEW_EVENTS).values(**filled | row))
    engine.dispose()


def test_follow_ups_count_where_the_day_has_come_and_the_case_is_open(
    simulated: Any, places: Places
) -> None:
    assert "Follow-ups" not in told(places)  # no review was ever recorded
    published = simulated.published("cases")
    still_open = published.filter("is_open")["case_id"].to_list()
    closed = published.filter(~published["is_open"])["case_id"].to_list()
    past, later = date(2020, 1, 1), date(2099, 1, 1)
    record_reviews(
        places,
        [(case_id, past) for case_id in still_open[:12]]
        + [(case_id, later) for case_id in still_open[12:20]]
        + [(case_id, past) for case_id in closed[:9]],
    )
    assert "Follow-ups whose day has come: about 10." in told(places)


def test_an_undone_review_has_no_follow_up(simulated: Any, places: Places) -> None:
    case_id = simulated.published("cases").filter("is_open")["case_id"][0]
    record_reviews(places, [(case_id, date(2020, 1, 1))])
    assert "Follow-ups whose day has come: a few." in told(places)
    engine = create_engine(f"sqlite+pysqlite:///{places.workspace}")
    with engine.begin() as connection:
        undo = {
            "case_id": case_id, "sequence": 2, "event_id": "undo", "kind": "undo", "undoes": 1,
            "recorded_at": moment_after(places, 0), "user_id": "u", "supervisor_id": "S-1",
            "reasons": "", "shown_run_id": "r", "shown_kinds": "", "shown_flags": "",
        "rule_version": "2",
        }  # fmt: skip
        connection.execute(insert(REVIEW_EVENTS).values(**undo))
    engine.dispose()
    assert "Follow-ups whose day has come: none." in told(places)


def test_follow_ups_come_by_the_day_of_the_machine_that_makes_the_digest(
    simulated: Any, places: Places, in_zone: Any
) -> None:
    case_id = simulated.published("cases").filter("is_open")["case_id"][0]
    evening = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)  # Monday, 17:30 in Los Angeles
    record_reviews(places, [(case_id, None)], recorded_at=evening)
    in_zone("America/Los_Angeles")
    due = date(2026, 11, 23) + timedelta(days=28)
    nine = datetime(due.year, due.month, due.day, 17, tzinfo=UTC)  # 09:00 there
    follow_ups = "Follow-ups whose day has come: "
    settings = settings_of(places)
    assert f"{follow_ups}a few." in weekly_digest(places, settings, nine).body
    day_before = nine - timedelta(days=1)
    assert f"{follow_ups}none." in weekly_digest(places, settings, day_before).body


def test_an_address_that_is_none_is_not_repeated_and_the_digest_goes_on(places: Places) -> None:
    url = f"mysql://ann:{CANARY}@host/reviews"
    settings = settings_of(places).model_copy(update={"workspace": Workspace(url=url)})
    message = weekly_digest(places, settings, moment_after(places, 1)).body
    assert "Follow-ups: not known" in message
    assert CANARY not in message


def test_a_store_that_cannot_be_read_is_said_and_the_digest_goes_on(places: Places) -> None:
    places.workspace.write_bytes(b"no database at all, of some length" * 40)
    message = told(places)
    assert "Follow-ups: not known" in message
    assert "Open the screens" in message


def test_the_digest_is_scheduled_beside_the_night_where_somebody_is_to_get_it(
    places: Places, receiver: Receiver
) -> None:
    from pipelines import deployments

    assert deployments._digest_deployment(places.home) == []
    addresses(places, receiver.address)
    (made,) = deployments._digest_deployment(places.home)
    assert made.entrypoint == "pipelines.deployments.weekly_digest"
    assert [schedule.schedule.cron for schedule in made.schedules] == ["0 7 * * 1"]
    assert CANARY not in made.model_dump_json()  # neither address nor password reaches Prefect
    assert deployments.weekly_digest.fn(str(places.home)) == "Sent to 1 receiver."
    receiver.answer = 500
    with pytest.raises(SendingError):
        deployments.weekly_digest.fn(str(places.home))
