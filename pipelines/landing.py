"""What do a practice's files hold? Landed as by night, put in order, and forgotten again.

The first five steps of the night run over a home that exists for the time of one question.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from data_contracts.mapping import Mapping, read_mapping
from data_contracts.measures import measures_for
from data_contracts.places import Places
from data_contracts.settings import Settings, settings_of
from pipelines.night import Night
from pipelines.nightly import (
    BEFORE_ACCEPT,
    STEPS,
    Taken,
    Watch,
    just_call,
    open_night,
    put_in_order,
    run_id_of,
)
from pipelines.pseudonyms import crosswalk_path, practice_start

_KEY = "the ids of one question: never shown, never kept"
_START = date(1970, 1, 1)


@contextmanager
def landed(
    *,
    source: Path,
    mapping: Path,
    measures: Path | None,
    started_at: datetime,
    watch: Watch = just_call,
) -> Iterator[Night]:
    """Take files in as the night does and put their scores in order; nothing is judged or kept.

    Parameters
    ----------
    measures
        Folder of measure contracts besides the built-in ones; None: only those.

    Raises
    ------
    EverythingRefusedError
        If not one score could be taken.
    UnstuckError
        For everything else a person can act on.
    """
    known, practice = measures_for(measures), read_mapping(mapping)
    with tempfile.TemporaryDirectory(prefix="unstuck-landed-") as folder:
        places = Places.at(Path(folder) / "home")
        places.home.mkdir()
        settings, practice = _same_every_time(places, practice)
        started_at = started_at.astimezone(UTC)
        run_id = run_id_of(started_at, places)
        with open_night(
            places, settings, known, practice, source, run_id, started_at, "hand", None,
            refit=False, rebuild=False,
        ) as night:  # fmt: skip
            taken = Taken(night, watch)
            taken.take(STEPS[:BEFORE_ACCEPT])
            night.run("begin transaction")
            put_in_order(night, taken)
            yield night


def _same_every_time(places: Places, practice: Mapping) -> tuple[Settings, Mapping]:
    """Return settings and mapping by which the same files get the same ids and days again.

    A random crosswalk would split the cases otherwise each time. A key that everybody can read
    protects nobody: the ids stay in the temporary home, and no answer names a case.
    """
    key = places.home.with_name("key")
    key.write_text(_KEY, encoding="utf-8")
    settings = settings_of(places).model_copy(update={"crosswalk": "", "case_key_file": str(key)})
    practice_start(crosswalk_path(places, settings), _START, spread_days=0)
    if practice.case_ids == "keep":
        return settings, practice
    return settings, practice.model_copy(update={"case_ids": "keyed"})
