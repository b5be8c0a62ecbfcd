"""What could be asked in the supervision hour about the therapist's own part? Asked, not inferred.

The rows stand in data_contracts/lenses.toml, for this place alone. What is computed comes from the
night, over many cases: shrunken, with an interval, suppressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.words import plain, quoted, small
from data_contracts.lenses import therapist_rows

NOTHING_SHOWN = "Too few rated cases to say anything fair about ratings."
NOTE = (
    "For a talk between equals. No answer is recorded here, nothing is concluded from one case, "
    "and strain is only ever the therapist's own word."
)


def show_questions(seen: Sequence[dict[str, Any]]) -> None:
    """Draw the questions; `seen` are the therapist's rows of `published_therapist_lenses`."""
    sentences = {row["row_id"]: row["sentence"] for row in seen}
    with st.container(border=True):
        st.header("For the supervision hour", anchor=False)
        rows = therapist_rows()
        for row in (row for row in rows if row.kind == "signal"):
            st.markdown(f"**{plain(row.name)}**")
            if row.id in sentences:
                st.markdown(plain(sentences[row.id] or NOTHING_SHOWN))
            else:
                st.markdown(plain(f"Nothing was measured. {row.no_data}"))
            st.markdown(quoted(row.questions))
        with st.expander("More to choose from: asked, never inferred"):
            for row in (row for row in rows if row.kind != "signal"):
                st.markdown(f"**{plain(row.name)}**")
                st.markdown(quoted(row.questions))
        st.markdown(small(plain(NOTE)))
        with st.popover("Where do these come from?", type="tertiary"):
            for row in rows:
                st.markdown(f"**{plain(row.name)}** {plain(row.computed)}")
                st.markdown(small(plain(f"Evidence: {row.evidence}. {row.source}.")))
