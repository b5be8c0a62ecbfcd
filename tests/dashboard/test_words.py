"""Words, shapes and colours can be read by everybody."""

from __future__ import annotations

import pytest

from dashboard.words import BACKGROUND, TEXT_COLOURS, counted, mark, plain, since
from data_contracts.tables_judged import FLAG_KINDS, STATUSES_IN_ORDER

LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3, level AA, text below 24 px
CARD, BANNER, NOTE = "#f5f7f9", "#fffae5", "#edf5ff"  # the theme's grounds


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_wcag_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("name", TEXT_COLOURS)
@pytest.mark.parametrize("background", [BACKGROUND, CARD, BANNER, NOTE])
def test_every_text_colour_can_be_read(name: str, background: str) -> None:
    assert contrast(TEXT_COLOURS[name], background) >= LEAST_CONTRAST


def test_the_amber_of_the_sketches_would_fail() -> None:
    assert contrast("#b7791f", "#ffffff") < LEAST_CONTRAST


def test_every_status_and_kind_has_a_shape_and_a_word() -> None:
    names = (*STATUSES_IN_ORDER, *FLAG_KINDS)
    assert all(mark(name).shape != "·" for name in names)
    judged = [mark(name) for name in STATUSES_IN_ORDER]
    assert len({found.shape for found in judged}) == len(judged)


def test_red_is_for_deteriorating_and_the_safety_item_only() -> None:
    red = {name for name in (*STATUSES_IN_ORDER, *FLAG_KINDS) if mark(name).tone == "red"}
    assert red == {"deteriorating", "safety"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a *b* _c_", r"a \*b\* \_c\_"),
        (":red[x]", r"\:red\[x\]"),
        ("$5 and $6", r"\$5 and \$6"),
        ("- item", r"\- item"),
        ("<b>", r"\<b\>"),
        ("average 16.5", "average 16.5"),
    ],
)
def test_text_is_never_taken_for_markdown(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_leading_number_is_no_list() -> None:
    assert plain("1. first") == "1\u200b. first"


def test_since_prefers_the_session() -> None:
    assert since(8, 57) == "since session 8"
    assert since(None, 57) == "since day 57"
    assert since(None, None) == ""


def test_one_case_and_two_cases() -> None:
    assert counted(1, "case") == "1 case"
    assert counted(1200, "case") == "1,200 cases"
