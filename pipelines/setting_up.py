"""Make a home for a practice: settings to fill in and a mapping to start from."""

from __future__ import annotations

from data_contracts.places import Places

_SETTINGS = """\
# Settings of this practice. Lines that begin with # show the default; remove the # to change one.
# Every setting: docs/settings.md. Clinical numbers live in measure contracts, not here.

# title = "Our practice"
# source = "export"               # folder the practice exports to; relative to this home
mapping = "mapping.toml"
# schedule = "0 5 * * *"          # when the night runs (cron)
# safety_protocol = "What your practice does when a safety item is answered."

[publishing]
# suppression = "default"         # "default" hides counts up to 7, "england" below 5

[roles]
# switch_on_loopback = true       # choose a role on the screen, on this machine only
# lead_supervisor = "S-1"         # also sees cases without a therapist
"""

_MAPPING = """\
# How this practice's files become unstuck's tables. Guide: docs/mapping.md
format = 1
title = "Our practice"
site = "main"
case_ids = "crosswalk"              # "keep" only if the ids are pseudonyms already; or "keyed"

[[file]]
table = "scores"
path = "scores*.csv"
kind = "csv"
encoding = "utf-8"
delimiter = ","
decimal = "."
missing = ["", "NA"]
ignore = []

[file.columns]                      # ours = theirs
case_id = "case"
measure = "questionnaire"
value = "total"
time = "day"

[file.time]
unit = "day"                        # day | week | month | session | date (with its format)
origin = "case"

[file.constants]
subscale = "total"
rater = "client"

[file.measures]                     # their spelling = our measure_id; 'unstuck rules' lists ours
"PHQ-9" = "phq9"
"GAD-7" = "gad7"
"""


def make_home(places: Places) -> list[str]:
    """Create what is missing; return what was done, one line each."""
    places.home.mkdir(parents=True, exist_ok=True)
    places.measures.mkdir(exist_ok=True)
    lines = []
    for path, text in (
        (places.settings, _SETTINGS),
        (places.home / "mapping.toml", _MAPPING),
    ):
        if path.exists():
            lines.append(f"kept   {path}")
        else:
            path.write_text(text, encoding="utf-8")
            lines.append(f"wrote  {path}")
    lines.append(f"Next: fill in the mapping, then 'unstuck run --source DIR --home {places.home}'")
    return lines
