"""What does a browser send to the screens, and what does it get? Streamlit's protocol, no pixels.

One `Browser` is one tab: a websocket that carries protobuf messages (`streamlit.proto`, read in
the installed 1.67). It follows links, presses buttons, fills fields, sends the timed reruns that
the screens ask for, and keeps large messages, as Streamlit's own page does. `press` and `fill`
return when the server says that the run has finished.

    with Browser("127.0.0.1:8501") as browser:
        browser.open("queue", role="supervisor", supervisor="S-1")
        browser.follow("Open C-00017")
        browser.press("Next")
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import Any
from urllib.parse import parse_qs, urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import ClientConnection, connect

_FIRST_KEPT = ("selectbox", "text_input", "text_area", "radio", "multiselect", "button_group")
_PATIENCE = 60.0  # seconds until a run counts as lost


class WrongScreenError(Exception):
    """The screen is not the one that was asked for, or shows an error."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What one run of the script cost, seen from the browser."""

    seconds: float  # from sending to "script finished"
    seconds_to_last_element: float
    received_bytes: int
    element_count: int


@dataclass(frozen=True, kw_only=True)
class Placed:
    """An element where it stands, and the fragment and run that drew it."""

    element: Element
    fragment_id: str
    run_id: str

    @property
    def kind(self) -> str:
        """Name of the element in Streamlit's protocol: button, page_link, markdown ..."""
        return self.element.WhichOneof("type") or ""

    @property
    def widget(self) -> Any:  # noqa: ANN401 - one message class for each kind
        """The element's own message."""
        return getattr(self.element, self.kind)


@dataclass
class _Run:
    """A run under way: what came in so far."""

    began: float
    last_element: float = 0.0
    received_bytes: int = 0
    received: set[tuple[int, ...]] = field(default_factory=set)


class Browser:
    """One tab of a browser at the screens."""

    def __init__(self, host: str, *, cookie: str = "", scheme: str = "http") -> None:
        self.host, self.cookie, self.scheme = host, cookie, scheme
        self.elements: dict[tuple[int, ...], Placed] = {}
        self.query_string, self.page_hash = "", ""
        self._page_name = ""
        self._states: dict[str, WidgetState] = {}
        self._kept: dict[str, ForwardMsg] = {}
        self._due: dict[str, tuple[float, float]] = {}  # fragment: seconds between, next at
        self._socket: ClientConnection | None = None

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the tab."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def open(self, page: str = "", **query: str) -> Drawn:
        """Load an address anew, as a typed address or a reload does: a new session."""
        self.close()
        self.elements, self._states, self._due = {}, {}, {}
        self.page_hash, self._page_name, self.query_string = "", page, urlencode(query)
        began = perf_counter()
        self._socket = connect(
            f"{'wss' if self.scheme == 'https' else 'ws'}://{self.host}/_stcore/stream",
            origin=f"{self.scheme}://{self.host}",  # type: ignore[arg-type]  # a NewType of str
            additional_headers={"Cookie": self.cookie} if self.cookie else None,
            compression=None,  # as Streamlit's default
            max_size=None,
            max_queue=None,
            proxy=None,
        )
        return self._rerun(began=began)

    def follow(self, label: str) -> Drawn:
        """Follow the first link to a screen whose words hold `label`."""
        link = self.one("page_link", label).widget
        self.query_string = link.query_string
        self.page_hash, self._page_name = link.page_script_hash, ""
        return self._rerun()

    def press(self, label: str, *, within: str = "") -> Drawn:
        """Press the first button whose words hold `label`; `within` is a part of its key."""
        placed = self.one("button", label, within=within)
        pressed = WidgetState(id=placed.widget.id, trigger_value=True)
        return self._rerun(pressed, fragment_id=placed.fragment_id)

    def fill(self, label: str, value: str | list[str] | bool, *, within: str = "") -> Drawn | None:
        """Put a value into the first field with this label; None inside a form, which waits."""
        placed = next(
            one
            for kind in (*_FIRST_KEPT, "checkbox", "date_input")
            for one in self.all(kind)
            if label in one.widget.label and within in one.widget.id
        )
        state = WidgetState(id=placed.widget.id)
        if isinstance(value, bool):
            state.bool_value = value
        elif isinstance(value, list):
            state.string_array_value.data[:] = value
        else:
            state.string_value = value
        self._states[state.id] = state
        return None if placed.widget.form_id else self._rerun(fragment_id=placed.fragment_id)

    def due_reruns(self) -> list[Drawn]:
        """Do the timed reruns of fragments that are due now, as an open tab does by itself."""
        done = []
        for fragment_id, (between, at) in list(self._due.items()):
            if monotonic() >= at:
                self._due[fragment_id] = (between, monotonic() + between)
                done.append(self._rerun(fragment_id=fragment_id, is_timed=True))
        return done

    def all(self, kind: str) -> list[Placed]:
        """Return the elements of one kind, from top to bottom."""
        return [one for _, one in sorted(self.elements.items()) if one.kind == kind]

    def one(self, kind: str, label: str, *, within: str = "") -> Placed:
        """Return the first element of a kind with these words; disabled ones do not count."""
        for placed in self.all(kind):
            named = re.sub(r"[\\*]", "", placed.widget.label)
            if label in named and not placed.widget.disabled:
                identity = placed.widget.id if kind != "page_link" else ""
                if within in identity:
                    return placed
        message = f"no {kind} {label!r} on this screen: {self.said()[:300]}"
        raise WrongScreenError(message)

    @property
    def query(self) -> dict[str, str]:
        """The address's query."""
        return {name: values[0] for name, values in parse_qs(self.query_string).items()}

    def title(self) -> str:
        """Return the screen's title."""
        titles = [one.widget.body for one in self.all("heading") if one.widget.tag == "h1"]
        return titles[-1] if titles else ""

    def said(self) -> str:
        """Return every heading, text and message on the screen."""
        return "\n".join(
            placed.widget.body
            for _, placed in sorted(self.elements.items())
            if placed.kind in ("heading", "markdown", "alert", "text")
        )

    def expect(self, title: str) -> None:
        """Check that the screen is the right one and shows no error.

        Raises
        ------
        WrongScreenError
            If it has another title, an exception, or nothing on it.
        """
        failed = self.all("exception")
        if failed:
            message = f"the screen shows an exception: {failed[0].widget.type}"
            raise WrongScreenError(message)
        shown = self.title().replace("\\", "")
        if title not in shown:
            message = f"expected {title!r}, got {shown!r}: {self.said()[:300]}"
            raise WrongScreenError(message)

    def _rerun(
        self,
        pressed: WidgetState | None = None,
        *,
        fragment_id: str = "",
        is_timed: bool = False,
        began: float | None = None,
    ) -> Drawn:
        assert self._socket is not None, "open an address first"  # noqa: S101 - a guard
        sent = BackMsg()
        rerun = sent.rerun_script
        rerun.query_string = self.query_string
        rerun.page_script_hash, rerun.page_name = self.page_hash, self._page_name
        rerun.fragment_id, rerun.is_auto_rerun = fragment_id, is_timed
        rerun.cached_message_hashes.extend(self._kept)
        rerun.context_info.url = f"{self.scheme}://{self.host}/{self._page_name}"
        rerun.context_info.timezone = "Europe/Berlin"
        rerun.context_info.locale = "en-GB"
        rerun.widget_states.widgets.extend(self._states.values())
        if pressed is not None:
            rerun.widget_states.widgets.append(pressed)
        run = _Run(began=perf_counter() if began is None else began)
        self._socket.send(sent.SerializeToString())
        for message in self._messages(run):
            if self._is_last(message):
                break
        return Drawn(
            seconds=perf_counter() - run.began,
            seconds_to_last_element=run.last_element - run.began,
            received_bytes=run.received_bytes,
            element_count=len(run.received),
        )

    def _messages(self, run: _Run) -> Iterator[ForwardMsg]:
        """Take in one message after the other."""
        assert self._socket is not None  # noqa: S101 - a guard
        while True:
            received = self._socket.recv(timeout=_PATIENCE)
            assert isinstance(received, bytes)  # noqa: S101 - the protocol is binary
            run.received_bytes += len(received)
            message = ForwardMsg.FromString(received)
            if message.WhichOneof("type") == "ref_hash":
                whole = ForwardMsg()
                whole.CopyFrom(self._kept[message.ref_hash])
                whole.metadata.CopyFrom(message.metadata)
                message = whole
            elif message.metadata.cacheable:
                self._kept[message.hash] = message
            self._take_in(message, run)
            yield message

    def _take_in(self, message: ForwardMsg, run: _Run) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                if not message.metadata.run.fragment_ids:
                    self.elements, self._due = {}, {}
                self.page_hash = message.new_session.page_script_hash
            case "navigation":
                self.page_hash = message.navigation.page_script_hash
            case "page_info_changed":
                self.query_string = message.page_info_changed.query_string.lstrip("?")
            case "auto_rerun":
                between = message.auto_rerun.interval
                self._due[message.auto_rerun.fragment_id] = (between, monotonic() + between)
            case "delta":
                run.last_element = perf_counter()
                self._place(message, run)

    def _place(self, message: ForwardMsg, run: _Run) -> None:
        path = tuple(message.metadata.delta_path)
        run.received.add(path)
        if message.delta.WhichOneof("type") != "new_element":
            self.elements.pop(path, None)  # a container stands there now
            return
        placed = Placed(
            element=message.delta.new_element,
            fragment_id=message.delta.fragment_id,
            run_id=message.metadata.run.script_run_id,
        )
        self.elements[path] = placed
        state = _first_state(placed)
        if state is not None and (placed.widget.set_value or state.id not in self._states):
            self._states[state.id] = state

    def _is_last(self, message: ForwardMsg) -> bool:
        """Return whether the run has finished; then drop what it no longer drew."""
        if message.WhichOneof("type") != "script_finished":
            return False
        if message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            return False
        redrawn, run_id = set(message.metadata.run.fragment_ids), message.metadata.run.script_run_id
        if redrawn:
            self.elements = {
                path: one
                for path, one in self.elements.items()
                if one.fragment_id not in redrawn or one.run_id in ("", run_id)
            }
        shown = {getattr(one.widget, "id", "") for one in self.elements.values() if one.kind}
        self._states = {name: state for name, state in self._states.items() if name in shown}
        return True


def _first_state(placed: Placed) -> WidgetState | None:
    """Return the state a field reports when it appears; None for what has none."""
    if placed.kind not in (*_FIRST_KEPT, "checkbox"):
        return None
    widget = placed.widget
    state = WidgetState(id=widget.id)
    match placed.kind:
        case "selectbox" | "radio":
            if widget.set_value:
                state.string_value = widget.raw_value
            elif widget.HasField("default") and widget.options:
                state.string_value = widget.options[widget.default]
        case "text_input" | "text_area":
            state.string_value = widget.value if widget.set_value else widget.default
        case "multiselect":
            chosen = [widget.options[place] for place in widget.default]
            state.string_array_value.data[:] = widget.raw_values if widget.set_value else chosen
        case "button_group":
            chosen = [widget.options[place].content for place in widget.default]
            state.string_array_value.data[:] = widget.raw_values if widget.set_value else chosen
        case "checkbox":
            state.bool_value = widget.value if widget.set_value else widget.default
    return state
