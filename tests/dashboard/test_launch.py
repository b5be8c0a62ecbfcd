"""A wheel looks like a checkout, and the package keeps to its own rules."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from streamlit import config
from streamlit.web.server.app_discovery import discover_asgi_app

import dashboard
from dashboard.launch import OPTIONS, streamlit_arguments

FOLDER = Path(dashboard.__file__).parent
MODULES = sorted(FOLDER.glob("*.py"))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_the_config_file_of_the_checkout_says_the_same() -> None:
    path = FOLDER.parent / ".streamlit" / "config.toml"
    assert tomllib.loads(path.read_text(encoding="utf-8")) == OPTIONS


def test_every_option_exists_in_this_streamlit() -> None:
    known = set(config.get_config_options())
    asked = {f"{section}.{name}" for section, options in OPTIONS.items() for name in options}
    assert asked <= known


def test_every_option_is_a_flag() -> None:
    arguments = streamlit_arguments(8765)
    assert arguments[0] == "run"
    assert Path(arguments[1]).name == "guarded_server.py"
    flags = dict(zip(arguments[2::2], arguments[3::2], strict=True))
    assert flags["--server.port"] == "8765"
    assert flags["--server.address"] == "127.0.0.1"
    assert flags["--client.showErrorDetails"] == "none"
    assert flags["--client.toolbarMode"] == "minimal"
    assert flags["--browser.gatherUsageStats"] == "false"
    assert flags["--server.enableAgentApi"] == "false"
    assert flags["--server.maxUploadSize"] == "1"
    assert len(flags) == 1 + sum(len(options) for options in OPTIONS.values())
    hosts = [b for a, b in pairwise(arguments) if a == "--server.allowedHosts"]
    assert hosts == ["127.0.0.1", "localhost"]


def test_behind_a_proxy_its_name_is_let_in_too() -> None:
    arguments = streamlit_arguments(8765, "https://unstuck.example.org")
    hosts = [b for a, b in pairwise(arguments) if a == "--server.allowedHosts"]
    assert hosts == ["127.0.0.1", "localhost", "unstuck.example.org"]


def test_streamlit_finds_the_guards_in_what_is_started() -> None:
    # Without them it would serve the bare screens.
    found = discover_asgi_app(FOLDER / "guarded_server.py")
    assert found.import_string == "guarded_server:app"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_screen_module_shadows_a_top_level_package(path: Path) -> None:
    # `streamlit run dashboard/app.py` puts dashboard/ first on the path.
    if path.stem in ("__init__", "app"):
        return
    assert path.stem not in {*packages_distributions(), *sys.stdlib_module_names}
    spec = find_spec(path.stem)
    assert spec is None or Path(spec.origin or "").parent == FOLDER


def test_there_is_no_folder_named_pages() -> None:
    assert not (FOLDER / "pages").exists()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_screens_import_what_they_may(path: Path) -> None:
    names = imported(path)
    assert not names & {"pipelines", "models", "sklearn", "great_expectations", "prefect"}
    assert ("duckdb" in names) == (path.stem == "snapshot_files")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_html_is_ever_injected(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "unsafe_allow_html" not in text
    assert "st.html" not in text
