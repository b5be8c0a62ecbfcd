"""Where does a download come from, and what may be said of it?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from dashboard.visit import Visit
from dashboard.words import moment
from data_contracts.suppression import suppression_rule

NOT_A_DIAGNOSIS = (
    "For review in supervision. A flag is a reason to talk: not a diagnosis, not a choice of "
    "treatment, not crisis detection."
)
HOW_STATUS = (
    "How it is computed: a published rule looks at the scores in order and takes the first "
    "condition that holds (docs/status_rule.md)."
)
HOW_COUNTS = (
    "How it is computed: counts over many cases, small ones hidden, the others rounded; shares and "
    "their 95 % intervals (Wilson) come from the rounded counts (docs/privacy.md)."
)
SIMULATED = "Simulated practice: no row comes from a person."


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a download holds, which run it comes from, and how its numbers came about."""

    what: str
    practice: str
    run_id: str
    rule_version: str
    published_at: datetime
    is_simulated: bool
    how: str
    small_numbers: str = ""

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What to say of the download, a label and a text each."""
        said = [
            ("What", self.what),
            ("Practice", self.practice),
            ("State of", moment(self.published_at)),
            ("Run", self.run_id),
            ("Rule version", self.rule_version),
            ("Simulated", f"Yes. {SIMULATED}" if self.is_simulated else "No."),
            ("Small numbers", self.small_numbers),
            ("How it is computed", self.how),
            ("Please note", NOT_A_DIAGNOSIS),
        ]
        return [(label, text) for label, text in said if text]

    @property
    def source_line(self) -> str:
        """The same in one line, for the foot of a chart or a page."""
        is_said = SIMULATED.startswith(self.practice)
        parts = [
            SIMULATED if self.is_simulated else "",
            "" if self.is_simulated and is_said else self.practice,
            f"State of {moment(self.published_at)}",
            f"rule {self.rule_version}",
            f"run {self.run_id}",
        ]
        return " · ".join(part.rstrip(".") for part in parts if part)


def origin_of(visit: Visit, what: str, how: str, *, counts_people: bool = False) -> Origin:
    """Return where a download of this visit comes from; `counts_people` adds what is hidden."""
    published = visit.snapshot.published_at
    return Origin(
        what=what,
        practice=visit.settings.title or visit.run["title"] or "",
        run_id=visit.snapshot.run_id,
        rule_version=visit.run["rule_version"],
        published_at=published.replace(tzinfo=UTC) if published.tzinfo is None else published,
        is_simulated=visit.run["is_simulated"],
        how=how,
        small_numbers=_small_numbers(visit.settings.publishing.suppression)
        if counts_people
        else "",
    )


def _small_numbers(preset: str) -> str:
    rule = suppression_rule(preset)
    return (
        f"Counts of 1 to {rule.hide_up_to} are hidden, and others where they would give such a "
        f"count away; the rest is rounded to {rule.round_to}. Never read “hidden” as 0. Do not "
        "put this beside figures published by another rule: differences can give people away."
    )
