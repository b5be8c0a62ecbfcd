"""How good is a flag here, in words: hits, misses, against looking at two scores, and its limits?

From the form that `Backtest.as_json` gives, or the same after suppression
(models/shown_backtest.py). Shares are told in tenths where enough cases stand behind them, as
counts where few do, and not at all where fewer do. Sentences: data_contracts/wording.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data_contracts.wording import sentence, templates
from models.backtest_counts import Backtest

FEWEST_FOR_TENTHS = 40
"""Cases. A 95 % interval then reaches 1.5 tenths to each side at most (Wilson; ours)."""
FEWEST_FOR_COUNTS = 15
"""Cases. Below, one case more or less is a tenth of the answer (ours)."""
COMPARED_WITH = "naive_two_score"
"""What anybody can do without a rule: look at the first and the last score."""
_HARDLY, _NEARLY = "hardly any", "nearly all"
# Numerator, denominator and share of each sentence on a four-fold table.
_TOLD = {
    "hits": ("true_alarms", "flagged", "ppv"),
    "found": ("true_alarms", "bad", "sensitivity"),
    "unflagged": ("missed", "not_flagged", "bad_if_not_flagged"),
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """A sentence, and which of them it is: a name of [alert] in wording.toml."""

    code: str
    sentence: str
    is_answer: bool = True
    """False where it says that too little is known to say it."""


def alert_sentences(backtest: Backtest, rule: str, landmark: str) -> list[Said]:
    """Return what is said of a rule at a landmark, in the order in which it is read.

    >>> backtest = {
    ...     "outcome": "drop_out",
    ...     "landmarks": {"occasion_4": {"kind": "occasion", "at": 4, "known": 90, "bad": 30}},
    ...     "rules": {"status_rule": {"occasion_4": {
    ...         "n": 90, "flagged": 50, "true_alarms": 25, "missed": 5,
    ...         "ppv": 0.5, "ppv_low": 0.37, "ppv_high": 0.63}}},
    ... }
    >>> alert_sentences(backtest, "status_rule", "occasion_4")[0].sentence[:66]
    'Of 10 cases flagged at the 4th score after the start, about 5 drop'
    """
    facts = backtest.get("landmarks", {}).get(landmark)
    figures = backtest.get("rules", {}).get(rule, {}).get(landmark)
    if facts is None or figures is None:
        return []
    words = {"when": when_words(facts["kind"], facts["at"]), "ended": ended_words(backtest)}
    found = [_told(code, _with_margins(figures), words) for code in ("hits", "found")]
    found += [
        *_ever(backtest, rule, words),
        _told("unflagged", _with_margins(figures), words),
        _everybody(facts, words),
        *_compared(backtest, rule, landmark, words),
        *_unknown(facts, figures, words),
        *_reviewed(facts),
        *_split(backtest),
        Said(code="limits", sentence=sentence("alert", "limits")),
    ]
    if facts.get("later_scores"):
        later = str(facts["later_scores"])
        found.append(
            Said(code="limits.later", sentence=sentence("alert", "limits.later", later=later))
        )
    return found


def ended_words(backtest: Backtest) -> str:
    """Return the outcome as what cases did.

    >>> ended_words({"outcome": "drop_out"})
    'dropped out'
    """
    name = str(backtest["outcome"])
    known = templates("alert").get(f"outcome.{name}")
    return known or f"had this end: {backtest.get('outcome_in_words') or name}"


def rule_words(rule: str) -> str:
    """Return a rule's name within a sentence.

    >>> rule_words("status_rule")
    'the status rule'
    """
    return templates("alert").get(f"rule.{rule}") or rule.replace("_", " ")


def when_words(kind: str, at: int) -> str:
    """Return when the rules were asked.

    >>> when_words("occasion", 3), when_words("day", 28)
    ('at the 3rd score after the start', 'at the last score up to day 28')
    """
    return sentence("alert", f"when.{kind}", at=_ordinal(at) if kind == "occasion" else str(at))


def tenths(share: float) -> str:
    """Return a share in tenths, as words.

    >>> tenths(0.68), tenths(0.03), tenths(0.97)
    ('about 7', 'hardly any', 'nearly all')
    """
    found = round(10 * share)
    return {0: _HARDLY, 10: _NEARLY}.get(found, f"about {found}")


def verdict(low: float | None, high: float | None) -> str:
    """Return whether an interval of a difference leaves chance as the whole of it.

    >>> verdict(0.01, 0.09), verdict(-0.02, 0.05), verdict(None, None)
    ('higher', 'could be chance', 'not known')
    """
    if low is None or high is None:
        return "not known"
    return "higher" if low > 0 else "lower" if high < 0 else "could be chance"


def _with_margins(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures with the margins of the four-fold table that JSON leaves out."""
    found = dict(figures)
    for name, first, second, sign in (
        ("bad", "true_alarms", "missed", 1),
        ("not_flagged", "n", "flagged", -1),
    ):
        if name not in found and figures.get(first) is not None is not figures.get(second):
            found[name] = figures[first] + sign * figures[second]
    return found


def _told(code: str, figures: Mapping[str, Any], words: Mapping[str, str]) -> Said:
    part, whole, share = _TOLD[code]
    if code == "hits" and not figures.get("n") and "n" not in figures.get("hidden", ()):
        # Nobody flagged among nobody asked is no good news.
        not_asked = sentence("alert", "hits.not_asked", **words)
        return Said(code=code, sentence=not_asked, is_answer=False)
    ends = (figures.get(f"{share}_low"), figures.get(f"{share}_high"))
    return _share(code, figures.get(part), figures.get(whole), figures.get(share), ends, words)


def _everybody(facts: Mapping[str, Any], words: Mapping[str, str]) -> Said:
    bad, known = facts.get("bad"), facts.get("known")
    share = bad / known if known and bad is not None else None
    return _share("everybody", bad, known, share, (None, None), words)


def _share(
    code: str,
    part: float | None,
    whole: float | None,
    share: float | None,
    ends: tuple[float | None, float | None],
    words: Mapping[str, str],
) -> Said:
    """Tell a share by as much as the cases behind it allow."""
    if code == "hits" and whole == 0:
        return Said(code=code, sentence=sentence("alert", "hits.nobody", **words))
    if part is None or whole is None or share is None or whole < FEWEST_FOR_COUNTS:
        return Said(code=code, sentence=sentence("alert", f"{code}.few", **words), is_answer=False)
    if whole < FEWEST_FOR_TENTHS:
        counts = {"part": _part(part, whole), "whole": _count(whole)}
        counts["missed"] = _missed(counts["part"])
        return Said(code=code, sentence=sentence("alert", f"{code}.counted", **counts, **words))
    basis = _basis(whole, *ends)
    return Said(
        code=code,
        sentence=sentence(
            "alert",
            code,
            tenths=tenths(share),
            missed=_missed(tenths(share)),
            basis=basis,
            **words,
        ),
    )


def _missed(found: str) -> str:
    """Return what became of those not found; there are no "others" where nearly all were."""
    return sentence("alert", "missed.hardly" if found == _NEARLY else "missed")


def _part(part: float, whole: float) -> str:
    """Return a count of few cases in words; it may be rounded, so never all and never none."""
    if part >= whole:
        return _NEARLY
    return f"about {_count(part)}" if part else _HARDLY


def _basis(count: float, low: float | None, high: float | None) -> str:
    """Return what a share stands on; an interval within one tenth is not told."""
    ends = None if low is None or high is None else (round(10 * low), round(10 * high))
    if ends is None or ends[0] == ends[1]:
        return sentence("alert", "basis.count", count=_count(count))
    names = dict(zip(("low", "high"), map(str, ends), strict=True))
    return sentence("alert", "basis", count=_count(count), **names)


def _ever(backtest: Backtest, rule: str, words: Mapping[str, str]) -> list[Said]:
    figures = backtest.get("over_the_course", {}).get(rule) or {}
    of_bad, of_good = figures.get("ever_flagged_of_bad"), figures.get("ever_flagged_of_good")
    bad = figures.get("ever_flagged_of_bad_n", figures.get("bad"))
    if of_bad is None or of_good is None or bad is None or bad < FEWEST_FOR_TENTHS:
        return []
    lead = figures.get("lead_occasions_mean")
    before = "" if lead is None else sentence("alert", "ever.lead", lead=f"{lead:.0f}")
    return [
        Said(
            code="ever",
            sentence=sentence(
                "alert",
                "ever",
                tenths=tenths(of_bad),
                other_tenths=tenths(of_good),
                lead=before,
                basis=f"{_count(bad)} cases that did",
                **words,
            ),
        )
    ]


def _compared(backtest: Backtest, rule: str, landmark: str, words: Mapping[str, str]) -> list[Said]:
    """Put the rule beside what anybody can do, at the share each of them flags."""
    of_rules = backtest.get("rules", {})
    own = of_rules.get(rule, {}).get(landmark) or {}
    other = of_rules.get(COMPARED_WITH, {}).get(landmark) or {}
    if rule == COMPARED_WITH:
        return []
    names = {"rule": rule_words(rule), "other": rule_words(COMPARED_WITH)}
    found = []
    for code, figure, of in (("compared", "sensitivity", "bad"), ("ranked", "auc", "n")):
        if (_with_margins(own).get(of) or 0) < FEWEST_FOR_TENTHS:
            continue
        found_verdict = _verdict_on(backtest, rule, landmark, figure)
        shares = {
            "part": own.get(figure),
            "other_part": other.get(figure),
            "share": own.get("share_flagged"),
            "other_share": other.get("share_flagged"),
        }
        asked = tuple(shares) if code == "compared" else ("part", "other_part")
        if found_verdict == "not known" or any(shares[name] is None for name in asked):
            continue
        said = sentence("alert", f"verdict.{found_verdict}", rule=names["rule"])
        known = {name: share for name, share in shares.items() if share is not None}
        told = {name: tenths(share) for name, share in known.items()}
        form = code
        if told["part"] == told["other_part"]:  # a difference must be seen to differ
            form = f"{code}.close"
            told = {name: f"{share:.2f}".removeprefix("0") for name, share in known.items()}
        found.append(
            Said(
                code=code,
                sentence=_capital(sentence("alert", form, verdict=said, **names, **told, **words)),
            )
        )
    return found


def _verdict_on(backtest: Backtest, rule: str, landmark: str, figure: str) -> str:
    """Return the verdict on rule less the other, in whichever order the pair was written.

    After suppression it stands beside the figure: the interval may be hidden.
    """
    pairs = backtest.get("paired", {}).get(landmark, {})
    straight = pairs.get(f"{rule} - {COMPARED_WITH}")
    found = straight if straight is not None else pairs.get(f"{COMPARED_WITH} - {rule}") or {}
    said = found.get(f"{figure}_verdict") or verdict(
        found.get(f"{figure}_low"), found.get(f"{figure}_high")
    )
    if straight is not None:
        return str(said)
    return {"higher": "lower", "lower": "higher"}.get(said, said)


def _unknown(
    facts: Mapping[str, Any], figures: Mapping[str, Any], words: Mapping[str, str]
) -> list[Said]:
    low, high = figures.get("ppv_if_unknown_good"), figures.get("ppv_if_unknown_bad")
    flagged = figures.get("flagged") or 0
    if not facts.get("unknown") or low is None or high is None or flagged < FEWEST_FOR_TENTHS:
        return []
    said = sentence(
        "alert",
        "unknown",
        unknown=_count(facts["unknown"]),
        low=str(round(10 * low)),
        high=str(round(10 * high)),
        **words,
    )
    return [Said(code="unknown", sentence=said)]


def _reviewed(facts: Mapping[str, Any]) -> list[Said]:
    if not facts.get("reviewed"):
        return []
    said = sentence("alert", "reviewed", reviewed=_count(facts["reviewed"]))
    return [Said(code="reviewed", sentence=said)]


def _split(backtest: Backtest) -> list[Said]:
    split = backtest.get("split") or {}
    code = f"split.{split.get('kind')}"
    if code not in templates("alert"):
        return []
    numbers = {name: str(split.get(name)) for name in ("repeats", "folds")}
    return [Said(code=code, sentence=sentence("alert", code, **numbers))]


def _count(value: float) -> str:
    return f"{round(value):,}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, 11th, 21st."""
    teens = 10 <= number % 100 <= 20
    ending = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
