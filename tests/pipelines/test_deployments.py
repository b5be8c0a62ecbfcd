"""Prefect runs the night on its schedule, records counts, and is never told a client's value."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from data_contracts.errors import EverythingRefusedError, NotAvailableError, SourceError
from data_contracts.places import Places
from pipelines import nightly as night_module
from pipelines.demo_practice import simulate_practice, write_practice
from pipelines.night import Counts, Night
from pipelines.nightly import STEPS, Step
from pipelines.prefect_settings import (
    environment_for_prefect,
    prefect_api_is_configured,
    prefect_environment,
)
from pipelines.serving import free_port

pytestmark = pytest.mark.prefect

CANARY = "KANARIENVOGEL4711"


class Api:
    """Prefect's own interface, as an analyst's script would use it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"content-type": "application/json"}
        if body is not None:
            token = self.ask("/csrf-token?client=tests")["token"]
            headers |= {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": "tests"}
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=sent, headers=headers)  # noqa: S310 - our own server
        for patience in (1, 2, 4, 8, None):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                    return json.loads(answer.read())
            except urllib.error.HTTPError as error:
                # Prefect answers 503 while its SQLite is busy with a night.
                if error.code != 503 or patience is None:
                    raise
                time.sleep(patience)
        raise AssertionError

    def runs(self) -> list[dict[str, Any]]:
        return self.ask("/flow_runs/filter", {"sort": "START_TIME_DESC"})

    def run(self, flow_run_id: str) -> dict[str, Any]:
        return self.ask(f"/flow_runs/{flow_run_id}")

    def log(self) -> str:
        return json.dumps(self.ask("/logs/filter", {"limit": 200, "sort": "TIMESTAMP_DESC"}))

    def artifact(self, flow_run_id: str) -> str:
        chosen = {"flow_run_id": {"any_": [flow_run_id]}, "key": {"like_": "night-counts"}}
        return str(self.ask("/artifacts/filter", {"artifacts": chosen})[0]["data"])


def wait_for(found: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if result := found():
            return result
        time.sleep(0.2)
    pytest.fail(f"waited {seconds} s for {what}")


def part(log: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "pipelines.serving_parts", *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("practice") / "source"
    write_practice(simulate_practice(cases=20, seed=5), folder)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places.at(tmp_path_factory.mktemp("homes") / "Praxis Süd")


@pytest.fixture(scope="module")
def api(home: Places) -> Iterator[Api]:
    """One real server on loopback for this file; Prefect in this process uses it too."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as undo:
        patch.delenv("PREFECT_API_URL", raising=False)
        patch.setenv("PREFECT_HOME", str(home.prefect))  # no profile of this machine's user
        home.prefect.mkdir(parents=True)
        port = free_port()
        server = part(home.prefect / "server.log", prefect_environment(home), "server", str(port))
        undo.callback(end, server)
        url = f"http://127.0.0.1:{port}/api"
        patch.setenv("PREFECT_API_URL", url)
        found = Api(url)

        def answers() -> bool:
            assert server.poll() is None, (home.prefect / "server.log").read_text()
            try:
                return bool(found.ask("/health"))
            except OSError:
                return False

        wait_for(answers, "Prefect's server", seconds=120)
        yield found


@pytest.fixture(scope="module")
def deployment(api: Api, home: Places, practice: Path) -> Iterator[dict[str, Any]]:
    """The schedule as `unstuck serve` starts it, but looking for work every second."""
    environment = prefect_environment(home) | {
        "PREFECT_API_URL": api.url,
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    }
    log = home.prefect / "schedule.log"
    mapping = str(practice / "mapping.toml")
    schedule = part(
        log, environment, "schedule", str(practice), mapping, str(home.home), "0 5 * * *"
    )

    def deployed() -> Any:
        assert schedule.poll() is None, log.read_text()
        made = {each["entrypoint"]: each for each in api.ask("/deployments/filter", {})}
        return made if len(made) == 2 else None  # the training has a schedule of its own

    try:
        yield wait_for(deployed, "the deployments")["pipelines.deployments.nightly"]
    finally:
        end(schedule)


def kick(api: Api, deployment: dict[str, Any], **parameters: str) -> str:
    """Let the deployment run at once; return the flow run's id."""
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": soon(0)}}
    body = {"state": state, "parameters": {**deployment["parameters"], **parameters}}
    return str(api.ask(f"/deployments/{deployment['id']}/create_flow_run", body)["id"])


def files_with_canary(folder: Path) -> list[Path]:
    """Return what Prefect wrote that holds a client's value: database, logs, kept errors."""
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert written
    return [path for path in written if CANARY.encode() in path.read_bytes()]


def soon(seconds: float) -> str:
    return (datetime.now(tz=UTC) + timedelta(seconds=seconds)).isoformat()


def ended(api: Api, flow_run_id: str) -> Any:
    final = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
    return wait_for(
        lambda: (found := api.run(flow_run_id))["state"]["type"] in final and found,
        "the end of the flow run",
    )


def test_a_schedule_gets_runs_and_a_scheduled_run_publishes(
    api: Api, deployment: dict[str, Any], home: Places
) -> None:
    scheduled = wait_for(
        lambda: [
            run
            for run in api.runs()
            if run["auto_scheduled"] and run["deployment_id"] == deployment["id"]
        ],
        "scheduled runs",
    )
    assert {run["state"]["type"] for run in scheduled} == {"SCHEDULED"}
    assert deployment["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    first = scheduled[0]["id"]
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": soon(2)}}
    api.ask(f"/flow_runs/{first}/set_state", {"state": state, "force": True})

    run = ended(api, first)

    assert run["state"]["type"] == "COMPLETED", api.log()
    last = home.last_run()
    assert last is not None
    assert (last.state, last.trigger) == ("published", "schedule")
    assert home.pointer().run_id == last.run_id
    counts = api.artifact(first)
    assert "**published**" in counts
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        kept = warehouse.sql("select step, rows_in, rows_out from run_counts").fetchall()
    for step, rows_in, rows_out in kept:
        assert f"| {step} | {rows_in:,} | {rows_out:,} |" in counts
    assert [line.split("|")[1].strip() for line in counts.splitlines()[4:]] == [
        name for name, _ in STEPS
    ]


def test_of_two_nights_at_once_the_second_is_cancelled(
    api: Api, deployment: dict[str, Any]
) -> None:
    both = [kick(api, deployment), kick(api, deployment)]
    assert sorted(ended(api, one)["state"]["type"] for one in both) == ["CANCELLED", "COMPLETED"]


def test_a_failing_night_says_why_and_leaves_the_last_snapshot(
    api: Api, deployment: dict[str, Any], home: Places, broken: Path
) -> None:
    wait_for(lambda: home.pointer_file.exists(), "the first night")
    before = home.pointer()
    flow_run = kick(api, deployment, source=str(broken), mapping=str(broken / "mapping.toml"))

    run = ended(api, flow_run)

    assert run["state"]["type"] == "FAILED", run["state"]
    assert "missing: Gesamtwert" in run["state"]["message"]
    assert home.pointer() == before
    last = home.last_run()
    assert last is not None
    assert last.state == "failed"
    assert "missing: Gesamtwert" in last.message
    assert "**failed**" in api.artifact(flow_run)
    time.sleep(2.5)  # Prefect sends logs every two seconds
    log = api.log()
    assert "Gesamtwert" in log
    assert CANARY not in log + json.dumps(api.runs()) + last.message
    assert files_with_canary(home.prefect) == []


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """An export whose every file lacks a column; its cells must not be told to anybody."""
    folder = tmp_path / "broken"
    folder.mkdir()
    rows = "".join(f"{CANARY},{CANARY},{number},{CANARY}\n" for number in range(5))
    (folder / "scores.csv").write_text(f'case_id,measure,session,note\n{rows}{CANARY},"\n')
    (folder / "mapping.toml").write_text(
        """
format = 1
case_ids = "keep"
[[file]]
table = "scores"
path = "scores.csv"
[file.columns]
case_id = "case_id"
time = "session"
session = "session"
measure = "measure"
value = "Gesamtwert"
[file.time]
unit = "session"
[file.measures]
"PHQ-9" = "phq9"
"""
    )
    return folder


@pytest.fixture
def run_now(api: Api, home: Places) -> Iterator[Callable[..., Any]]:
    with environment_for_prefect(home):
        from pipelines.deployments import run_now

        yield run_now


def test_what_a_database_says_of_a_value_is_withheld(
    api: Api,
    run_now: Callable[..., Any],
    home: Places,
    practice: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks(night: Night) -> Counts:
        night.rows(f"select cast('{CANARY}' as integer)")
        return Counts()

    steps = (*STEPS[:1], ("de-identify", breaks), *STEPS[2:])
    monkeypatch.setattr(night_module, "STEPS", steps)
    with pytest.raises(Exception, match="unforeseen ConversionException") as caught:
        run_now(source=practice, mapping=practice / "mapping.toml", home=tmp_path / "home")
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    last = Places.at(tmp_path / "home").last_run()
    assert last is not None
    assert "step 'de-identify' stopped" in last.message
    time.sleep(2.5)
    told = api.log()
    assert "unforeseen ConversionException" in told
    assert CANARY not in told + json.dumps(api.runs()) + last.message
    assert files_with_canary(home.prefect) == []


def test_a_folder_that_comes_late_is_waited_for_at_night_and_not_by_hand(
    run_now: Callable[..., Any], practice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines import deployments

    monkeypatch.setattr(deployments, "_SHARE_DELAYS", (0.1, 0.1))
    share = tmp_path / "share"
    looks: list[str] = []

    def show(name: str, step: Step, night: Night) -> Counts:
        looks.append(name)
        if looks == ["stage", "stage"]:
            share.symlink_to(practice)
        return step(night)

    asked = {"source": share, "mapping": practice / "mapping.toml", "home": tmp_path / "home"}
    with pytest.raises(SourceError, match="there is no folder"):
        run_now(**asked, trigger="hand", watch=show)
    looks.clear()
    report = run_now(**asked, trigger="schedule", watch=show)
    assert report.outcome == "published"
    assert looks == ["stage", "stage", *(name for name, _ in STEPS[1:])]


def test_a_night_does_not_fail_because_its_counts_could_not_be_kept(
    run_now: Callable[..., Any], broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines import deployments

    def fails(*_given: object, **_named: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(deployments, "create_markdown_artifact", fails)
    with pytest.raises(EverythingRefusedError, match="missing: Gesamtwert"):
        run_now(source=broken, mapping=broken / "mapping.toml", home=tmp_path / "home")


def test_a_night_that_ended_without_a_word_is_closed_when_the_schedule_starts_again(
    api: Api, run_now: Callable[..., Any], deployment: dict[str, Any], home: Places
) -> None:
    from pipelines import deployments

    state = {"type": "RUNNING"}
    body = {"state": state, "parameters": {}}
    lost = api.ask(f"/deployments/{deployment['id']}/create_flow_run", body)["id"]
    api.ask(f"/flow_runs/{lost}/set_state", {"state": state, "force": True})
    deployments._close_lost_runs(home)
    assert api.run(lost)["state"]["type"] == "CRASHED"


def test_no_schedule_is_told_in_words(run_now: Callable[..., Any]) -> None:
    from pipelines import deployments

    with pytest.raises(Exception, match="five fields"):
        deployments._check_cron("every morning")


def test_homes_of_the_same_name_have_deployments_of_their_own() -> None:
    from pipelines.deployments import artifact_key, deployment_name

    assert deployment_name(Path("/a/home")) != deployment_name(Path("/b/home"))
    assert artifact_key(Places(home=Path("/a/Praxis Süd"))) == "night-counts-praxis-sd"


def test_a_server_is_configured_by_environment_or_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    places = Places.at(tmp_path / "home")
    assert not prefect_api_is_configured()
    assert prefect_environment(places)["PREFECT_HOME"] == str(places.prefect)
    (tmp_path / "profiles.toml").write_text(
        'active = "ours"\n[profiles.ours]\nPREFECT_API_URL = "http://prefect.example/api"\n'
    )
    assert prefect_api_is_configured()
    assert "PREFECT_HOME" not in prefect_environment(places)
    monkeypatch.setenv("PREFECT_PROFILE", "other")
    assert not prefect_api_is_configured()
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    assert prefect_api_is_configured()


def test_a_server_that_does_not_answer_is_named_before_anything_runs(
    run_now: Callable[..., Any], practice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    with pytest.raises(NotAvailableError, match="does not answer"):
        run_now(source=practice, mapping=practice / "mapping.toml", home=tmp_path / "home")
    assert not (tmp_path / "home" / "last_run.json").exists()
