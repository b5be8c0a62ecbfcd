"""A chart leaves as it stands on the screen, with title, n, source and run, and fetches nothing."""

from __future__ import annotations

import http.server
import json
import re
import struct
import threading
from datetime import UTC, datetime

import altair
import polars as pl
import pytest
import vl_convert

from dashboard.chart_layers import chart_of, layer, quantity
from dashboard.chart_pictures import FONT, Picture, as_png, as_svg, bare_svg
from dashboard.chart_trend import trend_chart, trend_words
from dashboard.origin import Origin

ORIGIN = Origin(
    what="Ended by dropping out & <more>",
    practice="Invented practice",
    run_id="20261123T050000Z-demo",
    rule_version="2",
    published_at=datetime(2026, 11, 23, 5, 2, tzinfo=UTC),
    is_simulated=True,
    how="docs/privacy.md",
    small_numbers="Counts of 1 to 7 are hidden.",
)
ROWS = pl.DataFrame(
    {
        "label": ["north", "south"],
        "rate": [0.25, None],
        "rate_low": [0.2, None],
        "rate_high": [0.3, None],
        "words": ["25 % (20 % to 30 %), n = 120", "hidden (fewer than 8)"],
    }
)
PICTURE = Picture(
    heading="By site",
    chart=trend_chart(ROWS, ["north", "south"]),
    words=trend_words("By site", ROWS),
)


def words_in(svg: bytes) -> str:
    return " ".join(re.findall(r">([^<>]+)<", svg.decode()))


def test_the_picture_says_what_n_state_rule_and_run() -> None:
    said = words_in(as_svg([PICTURE], ORIGIN, ["n = 120 ended cases"]))
    for words in (
        "Ended by dropping out &amp; &lt;more&gt;",
        "By site",
        "n = 120 ended cases",
        "State of 23 Nov 2026, 05:02 UTC",
        "rule 2",
        "run 20261123T050000Z-demo",
        "Simulated practice: no row comes from a person",
        "Counts of 1 to 7 are hidden.",
        "hidden (fewer than 8)",
    ):
        assert words in said


def test_the_picture_has_a_title_and_a_description_for_those_who_do_not_see_it() -> None:
    svg = as_svg([PICTURE], ORIGIN).decode()
    assert "<title>Ended by dropping out &amp; &lt;more&gt;</title>" in svg
    assert "<desc>By site. north: 25 % (20 % to 30 %), n = 120" in svg


def test_letters_are_those_the_converter_carries() -> None:
    fonts = set(re.findall(r'font-family="([^"]*)"', as_svg([PICTURE], ORIGIN).decode()))
    assert fonts == {FONT}
    assert b"url(" not in as_svg([PICTURE], ORIGIN).replace(b"url(#", b"")
    assert FONT.startswith("Liberation Sans")


def test_a_png_has_pixels_enough_to_print() -> None:
    png = as_png([PICTURE], ORIGIN)
    width, _ = struct.unpack(">II", png[16:24])
    assert width > 1_200
    assert png == as_png([PICTURE], ORIGIN)


def test_charts_written_with_and_without_altair_can_stand_under_one_another() -> None:
    plain = chart_of(
        [layer([{"time": 1, "value": 2}], {"type": "point"}, x=quantity("time"))], height=80
    )
    svg = as_svg([PICTURE, Picture(heading="Course", chart=plain, words="")], ORIGIN)
    assert "Course" in words_in(svg)
    assert bare_svg(plain).startswith("<svg")


def test_the_converter_knows_altairs_vega_lite() -> None:
    major, minor, _ = altair.SCHEMA_VERSION.removeprefix("v").split(".")
    assert f"{major}.{minor}" in vl_convert.get_vegalite_versions()


def test_no_address_is_fetched_even_if_a_chart_names_one() -> None:
    asked: list[str] = []

    class Listening(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps([{"a": 1}]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    class Fetching:
        def to_dict(self) -> dict[str, object]:
            address = f"http://127.0.0.1:{server.server_port}/rows.json"
            return {
                "data": {"url": address},
                "mark": "point",
                "encoding": {"x": {"field": "a", "type": "quantitative"}},
                "config": {},
            }

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listening)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with pytest.raises(ValueError, match="not allowed|denied|[Ee]rror"):
            bare_svg(Fetching())
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == []
