"""How does a file leave through a screen: for whom, written down first, and not kept?

The bytes are made at the click. Streamlit then keeps them in memory under an address made from
their content, and gives them to whoever knows that address, without asking who it is; so they are
thrown away after half a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Timer
from typing import Literal

import streamlit as st
from streamlit import runtime

from dashboard import audit, reading
from dashboard.scope import ROLE_WORDS, OutsideScopeError, Role
from dashboard.visit import Visit
from data_contracts.errors import UnstuckError

Kind = Literal["case", "aggregates", "runs"]

MAY_EXPORT: dict[Kind, tuple[Role, ...]] = {
    "case": ("supervisor",),
    "aggregates": ("manager", "analyst"),
    "runs": ("analyst",),
}
SECONDS_KEPT = 30


class ExportError(UnstuckError):
    """A file could not be made or may not leave."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """A file that may leave: what it is called, what the audit log calls it, and how it is made.

    `make` runs outside the screen: it holds what it needs and never asks Streamlit. `file_name` and
    `what` hold no more of a client than the pseudonym; `case_ids` are the cases in the file.
    """

    kind: Kind
    label: str
    file_name: str
    mime: str
    what: str
    make: Callable[[], bytes]
    case_ids: tuple[str, ...] = ()


def may_export(visit: Visit, kind: Kind) -> bool:
    """Return whether this viewer may take such a file out."""
    return visit.scope.role in MAY_EXPORT[kind]


def show_downloads(visit: Visit, exports: Sequence[Export]) -> None:
    """Draw the buttons of some files side by side, where this viewer may take them out."""
    allowed = [export for export in exports if may_export(visit, export.kind)]
    if not allowed:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Download**", width="content")
        for export in allowed:
            show_download(visit, export)


def show_download(visit: Visit, export: Export) -> None:
    """Draw the button of one file, where this viewer may take it out."""
    if not may_export(visit, export.kind):
        return
    st.download_button(
        export.label,
        data=partial(released, visit, export),
        file_name=export.file_name,
        mime=export.mime,
        key=f"download_{export.file_name}",
        on_click="ignore",
        type="tertiary",
    )


def released(visit: Visit, export: Export) -> bytes:
    """Return the file, once it stands in the audit log that it leaves.

    A tab may have been open for long, and Streamlit runs no script for this: who looks, in which
    role and at which cases is asked anew.

    Raises
    ------
    OutsideScopeError
        If the role may not export this, or a case in it is not, or no longer, in the scope.
    ExportError
        If the sign-in has ended, or the file cannot be made; says nothing of its content.
    WorkspaceError
        If the audit log cannot be written: then nothing leaves.
    """
    if not may_export(visit, export.kind):
        message = f"As {ROLE_WORDS[visit.scope.role]} you may not take this out."
        raise OutsideScopeError(message)
    now = visit.now()
    if now is None:
        message = "The sign-in has ended, or gives this role no more. Sign in again to download."
        raise ExportError(message)
    _require_scope(now, export)
    audit.note_cases(
        now.workspace,
        viewer=now.viewer,
        action="exported",
        case_ids=export.case_ids or (None,),
        detail=export.what,
    )
    try:
        made = export.make()
    except UnstuckError:
        raise
    except Exception as error:  # noqa: BLE001 - Streamlit would log what it says, and that may hold data
        message = f"The file could not be made ({type(error).__name__}). Please report it."
        raise ExportError(message) from None
    _forget_soon()
    return made


def _require_scope(now: Visit, export: Export) -> None:
    """Refuse a file with a case that was erased or re-assigned since its button was drawn."""
    if not export.case_ids:
        return
    outside = set(export.case_ids) - reading.cases_in_scope(
        now.snapshot, now.scope, export.case_ids
    )
    for case_id in sorted(outside):
        now.write_refused_case(case_id)
    if outside:
        message = "A case in this file is not among those you supervise now. Load the page again."
        raise OutsideScopeError(message)


def _forget_soon() -> None:
    if not runtime.exists():
        return
    # A first call marks what no screen refers to, a later one throws away what is marked: so a
    # file that another supervisor is just fetching is not taken from under them.
    for seconds in (SECONDS_KEPT / 2, SECONDS_KEPT):
        timer = Timer(seconds, forget_downloads)
        timer.daemon = True
        timer.start()


def forget_downloads() -> None:
    """Let Streamlit throw away one step more of the files that nobody's screen refers to."""
    if runtime.exists():
        runtime.get_instance().media_file_mgr.remove_orphaned_files()
