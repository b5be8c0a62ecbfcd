"""How fast is all of it? Runs every benchmark one after the other and prints their tables.

Each is a process of its own, so that none profits from what another has loaded. Run: make bench
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

SUBJECTS = {
    "change": "Reliable change",
    "gains": "Sudden gains",
    "growth": "Growth curves",
    "neighbours": "Nearest neighbours",
    "predictions": "Predictions",
    "night": "A night",
    "backtest": "A back-test",
    "outlook_truth": "The outlook beside the truth",
    "outlook_parts": "What each part of the outlook gains",
    "rule_search": "A better setting of the status rule",
    "backtest_shared": "A back-test of the published sets",
    "screens": "The screens",
}
"""Script by subject; the quickest first."""


def main(argv: list[str] | None = None) -> int:
    """Print every table; return 1 if one of them failed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="small sizes: does it run at all?")
    options.add_argument("--only", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    told = options.parse_args(argv)
    failed = []
    for subject in told.only:
        script = Path(__file__).with_name(f"{subject}.py")
        sys.stdout.write(f"\n## {SUBJECTS[subject]}\n\n")
        sys.stdout.flush()
        command = [sys.executable, str(script), *(["--quick"] if told.quick else [])]
        if not script.exists():
            sys.stdout.write(f"benchmarks/{subject}.py is not there\n")
            failed.append(subject)
        elif subprocess.run(command, check=False).returncode:  # noqa: S603 - our own scripts
            failed.append(subject)
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
