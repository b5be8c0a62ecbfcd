"""What is each thing called that is known of a case, where a person reads it?"""

from __future__ import annotations

FEATURE_WORDS: dict[str, str] = {
    "baseline": "first score",
    "score": "last score",
    "previous": "the score before the last",
    "level": "level (mean of the last two scores where they lie close)",
    "mean_between": "mean of the scores between the first and the last",
    "best": "best score so far",
    "worst": "worst score so far",
    "gain": "gain from the first to the last score",
    "level_gain": "gain from the first score to the level",
    "slope": "slope over all scores so far",
    "variability": "how much scores go up and down",
    "occasion": "number of scores after the first",
    "weeks": "weeks since the first score",
    "weeks_since_previous": "weeks since the score before the last",
    "sessions_attended": "sessions attended",
    "planned_share": "share of the agreed sessions that have been",
    "scores_missing_share": "share of attended sessions without a score",
    "missed_sessions_share": "share of offered sessions that were missed",
    "missed_lately": "missed sessions among the last three",
    "alliance_last": "last rating of the alliance",
    "alliance_fall": "fall of the last alliance rating below those before",
    "expected_gap": "distance from the expected course",
    "chance_this_bad": "how rare a score this bad is, given the first",
}


def feature_words(name: str) -> str:
    """Return what a feature is called; its name where it has no words yet.

    Examples
    --------
    >>> feature_words("missed_lately")
    'missed sessions among the last three'
    """
    return FEATURE_WORDS.get(name, name)
