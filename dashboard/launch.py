"""How are the screens started? Every option as a flag, so that a wheel looks like a checkout.

What is started is guarded_server.py: the screens behind their guards.

`.streamlit/config.toml` in the repository holds the same options for `streamlit run` from a
checkout; tests/dashboard/test_launch.py keeps the two alike.
"""

from __future__ import annotations

import json
from importlib.resources import files
from urllib.parse import urlsplit

from dashboard.words import AMBER, BACKGROUND, BLUE, INK, LINE, MUTED, RED

Option = str | int | bool | list[str] | list[int]

# System fonts only: nothing is fetched.
_FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"

OPTIONS: dict[str, dict[str, Option]] = {
    "server": {
        "address": "127.0.0.1",
        # A web page elsewhere cannot reach the screens by renaming itself to 127.0.0.1.
        "allowedHosts": ["127.0.0.1", "localhost"],
        "headless": True,
        "enableAgentApi": False,
        "maxUploadSize": 1,
        "fileWatcherType": "none",
        "showEmailPrompt": False,
        # Who somebody is comes from the login alone, whatever a config file of the account says.
        "trustedUserHeaders": "{}",
    },
    "browser": {"gatherUsageStats": False},
    # A full collection after every run stops all viewers for 0.1 s; Python's own go on.
    "runner": {"postScriptGC": False},
    "client": {
        "showErrorDetails": "none",
        "showErrorLinks": False,
        "toolbarMode": "minimal",
        "disableDataExport": True,
        # Streamlit's own list lets pages of its cloud send commands to the screens.
        "allowedOrigins": ["http://127.0.0.1"],
    },
    "theme": {
        "base": "light",
        "primaryColor": BLUE,
        "backgroundColor": BACKGROUND,
        "secondaryBackgroundColor": "#f5f7f9",
        "textColor": INK,
        "linkColor": BLUE,
        "borderColor": LINE,
        "redTextColor": RED,
        "orangeTextColor": AMBER,
        "yellowTextColor": AMBER,
        "blueTextColor": BLUE,
        "grayTextColor": MUTED,
        "font": _FONT,
        "headingFont": _FONT,
        "baseRadius": "0.4rem",
        # h3 carries the reason sentence of a queue row: larger than all around it, not bolder.
        "headingFontSizes": ["1.6rem", "1.2rem", "1.12rem", "1rem", "1rem", "1rem"],
        "headingFontWeights": [700, 600, 400, 600, 600, 600],
    },
}


def streamlit_arguments(port: int, address: str = "") -> list[str]:
    """Return the arguments after `python -m streamlit`: what to serve, every option as a flag.

    `address` is where people reach the screens through a proxy, if that is not this machine.
    """
    flags = ["run", str(files("dashboard") / "guarded_server.py"), "--server.port", str(port)]
    for section, options in OPTIONS.items():
        for name, value in options.items():
            # Streamlit takes lists of hosts as repeated flags, lists of the theme as JSON.
            repeated = value if isinstance(value, list) and section != "theme" else [value]
            for one in repeated:
                flags += [f"--{section}.{name}", one if isinstance(one, str) else json.dumps(one)]
    host = urlsplit(address).hostname
    return [*flags, "--server.allowedHosts", host] if host else flags
