"""How does a page leave as a PDF that prints, can be read aloud, and fetches nothing?

Set by typst, in memory: no file is written, the letters are those that typst carries, and what is
known of a client comes in as values, never as markup. The same content gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from dashboard.origin import Origin

PDF = "application/pdf"
_FRAME = "pdf_frame.typ"


def as_pdf(template: str, content: Mapping[str, Any], origin: Origin) -> bytes:
    """Return the pages of a template, with its content and the small print of its origin.

    Accessible as PDF/UA-1 asks (title, language, tags, words for pictures). A letter that the fonts
    do not hold is drawn as a box, and the file then does not claim to be PDF/UA.
    """
    import typst

    told = {
        "title": origin.what,
        "how": origin.how,
        "foot": origin.source_line,
        "small_numbers": origin.small_numbers,
        **content,
    }

    def compiled(*, is_accessible: bool) -> bytes:
        return typst.compile(
            _source(template),
            ignore_system_fonts=True,
            sys_inputs={"content": json.dumps(told)},
            timestamp=int(origin.published_at.timestamp()),
            pdf_standards=["ua-1"] if is_accessible else [],
        )

    try:
        return compiled(is_accessible=True)
    except typst.TypstError:
        return compiled(is_accessible=False)


@cache
def _source(template: str) -> bytes:
    folder = files("dashboard")
    return b"\n".join((folder / name).read_bytes() for name in (_FRAME, template))
