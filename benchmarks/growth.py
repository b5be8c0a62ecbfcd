"""How long does a growth curve take, and beside other software?

All of it on one core, in CPU seconds, side by side in one run: from a Parquet file to the fit
beside the scan of the columns that are needed; from arrays in memory beside mixedlm-rs (Rust),
statsmodels (up to 1,000 cases) and lme4 (where R has it); and the whole process with its peak
memory. Peers that are not installed are left out: `pip install --target peers mixedlm-rs` and
`--peers peers`. mixedlm-rs and statsmodels get their design columns ready made.
Run: python benchmarks/growth.py [--quick | --cases 1000 1000000]
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import polars as pl
from measuring import machine, parser, table

from models.cross_products import cross_products
from models.growth_curve import fit_growth_curve, log_time
from models.mixed_model import case_sums, fit_mixed_model
from pipelines.fitting_growth import growth
from pipelines.reading_growth import Columns

THREADS = ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS")
"""Environment variables that say how many threads libraries use: one."""

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 10_000)
MOST_FOR_STATSMODELS = 1_000
MOST_FOR_LME4 = 100_000
CLOCKS = {"complete sessions": "session", "irregular days": "week"}
Work = Callable[[], object]


def simulate(cases: int, stem: Path, *, missing: float = 0.0) -> Path:
    """Write PHQ-9-like scores of sessions: the draws of ../shared/reference/generate_sessions.py.

    Columns: case, session, week (since the first session), score, intake, therapist.
    """
    rng = np.random.default_rng(20240601)
    therapists = max(8, cases // 60)
    practices = max(3, therapists // 12)
    practice = rng.integers(0, practices, therapists)
    therapist = rng.integers(0, therapists, cases)
    by_practice, by_therapist = rng.normal(0, 0.35, practices), rng.normal(0, 0.55, therapists)
    severity = np.clip(rng.normal(14.5, 5.0, cases), 3, 27)
    intake = np.clip(np.rint(severity + rng.normal(0, 1.8, cases)), 0, 27)
    factor = np.linalg.cholesky([[3.2**2, -0.35 * 3.2 * 1.9], [-0.35 * 3.2 * 1.9, 1.9**2]])
    own = rng.normal(size=(cases, 2)) @ factor.T
    level = 3.0 + 0.72 * severity + own[:, 0]
    level += by_practice[practice[therapist]] + by_therapist[therapist]
    slope = -0.4 - 0.13 * severity + own[:, 1] + 0.3 * by_therapist[therapist]
    count = np.clip(1 + rng.negative_binomial(2, 2 / 9.05, cases), 1, 40)
    case = np.repeat(np.arange(cases), count)
    first = np.cumsum(count) - count
    session = np.arange(len(case)) - np.repeat(first, count)
    gap = rng.integers(5, 16, len(case))
    gap[first] = 0
    day = np.cumsum(gap)
    day -= np.repeat(day[first], count)
    score = level[case] + slope[case] * np.log1p(session) + rng.normal(0, 2.4, len(case))
    is_there = rng.random(len(case)) >= missing
    is_there[first] = True
    frame = pl.DataFrame({
        "case": case.astype(np.int32),
        "session": session.astype(np.int16),
        "week": day / 7,
        "score": np.clip(np.rint(score), 0, 27).astype(np.int8),
        "intake": intake[case].astype(np.int8),
        "therapist": therapist[case].astype(np.int32),
    })  # fmt: skip
    path = stem.with_suffix(".parquet")
    frame.filter(is_there).write_parquet(path, compression="zstd", row_group_size=1 << 20)
    return path


@dataclass(frozen=True)
class Times:
    """CPU seconds of works done in turn, round by round."""

    rounds: dict[str, list[float]]

    def seconds(self, name: str) -> float:
        """Return the median."""
        return median(self.rounds[name])

    def ratio(self, name: str, over: str) -> float:
        """Return the median of ratios round by round."""
        return median(
            one / other for one, other in zip(self.rounds[name], self.rounds[over], strict=True)
        )


def in_turn(works: dict[str, Work], repeats: int) -> Times:
    """Time works one after the other, `repeats` times; the first round is thrown away."""
    rounds: dict[str, list[float]] = {name: [] for name in works}
    for place in range(repeats + 1):
        for name, work in works.items():
            began = process_time()
            work()
            if place:
                rounds[name].append(process_time() - began)
    return Times(rounds)


# --- What is timed -------------------------------------------------------------------------------


def scanned(path: Path, clock: str) -> list[np.ndarray]:
    """Read the columns that are needed, and no more."""
    columns = ["case", clock, "score", "intake"]
    frame = pl.read_parquet(path, columns=columns)
    return [frame[name].to_numpy() for name in columns]


def ours(arrays: list[np.ndarray], clock: str) -> object:
    """Fit from arrays in memory."""
    case, time, score, intake = arrays
    if clock == "session":
        return fit_growth_curve(cross_products(case, time, score, intake), log_time())
    return fit_mixed_model(case_sums(intake, np.log1p(time), score, case))


def designed(arrays: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, fixed and random columns and groups, as peers want them."""
    case, time, score, intake = arrays
    t, c = np.log1p(time.astype(float)), intake.astype(float)
    Z = np.column_stack([np.ones_like(t), t])
    return score.astype(float), np.column_stack([Z, c, t * c]), Z, case


def peer_work(module: str, arrays: list[np.ndarray]) -> Work:
    """Return the fit by a peer with statsmodels' interface."""
    if module == "mixedlm_rs":
        from mixedlm_rs import MixedLM
    else:
        from statsmodels.regression.mixed_linear_model import MixedLM
    score, X, Z, case = designed(arrays)
    options = {} if module == "mixedlm_rs" else {"method": ["lbfgs"]}
    return lambda: MixedLM(score, X, groups=case, exog_re=Z).fit(reml=True, **options)


TELL_PEAK = """
import atexit, pathlib, sys
peak = lambda: pathlib.Path(sys.argv[-1]).write_text(
    pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
atexit.register(peak)
"""
"""Linux counts the parent's memory into a child's, so the child tells its own, in KiB."""


def process_cost(code: str, arguments: list[str], peak: Path) -> tuple[float, float, float]:
    """Return CPU seconds, wall seconds and peak memory in MiB of a process of its own."""
    command = [sys.executable, "-c", TELL_PEAK + code, *arguments, str(peak)]
    began = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:  # noqa: S603 - ours
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"a process to be timed failed: {arguments}")
    wall = perf_counter() - began
    return usage.ru_utime + usage.ru_stime, wall, int(peak.read_text()) / 1024


OUR_PROCESS = """
from pipelines.cli import main
if main(sys.argv[1:-1]): raise SystemExit(1)
"""
RUST_PROCESS = """
sys.path.append(sys.argv[3])
import numpy as np, polars as pl
from mixedlm_rs import MixedLM
frame = pl.read_parquet(sys.argv[1], columns=["case", sys.argv[2], "score", "intake"])
t = np.log1p(frame[sys.argv[2]].to_numpy().astype(float)); one = np.ones_like(t)
c = frame["intake"].to_numpy().astype(float)
MixedLM(frame["score"].to_numpy().astype(float), np.column_stack([one, t, c, t * c]),
        groups=frame["case"].to_numpy(), exog_re=np.column_stack([one, t])).fit(reml=True)
"""
"""The least program that reads the file and fits with mixedlm-rs."""


def our_arguments(path: Path, clock: str) -> list[str]:
    """Return what the command line is given."""
    columns = ["--case", "case", "--time", clock, "--score", "score", "--baseline", "intake"]
    return ["growth", str(path), *columns, "--log-time", "--json"]


def lme4_command(path: Path, clock: str) -> list[str] | None:
    """Return lme4's fit, timed by R itself; None where R or lme4 is not there."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None
    probe = [rscript, "-e", "stopifnot(requireNamespace('lme4'))"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:  # noqa: S603 - a question to R
        return None
    csv = path.with_suffix(f".{clock}.csv")
    pl.read_parquet(path).with_columns(t=pl.col(clock).cast(pl.Float64).log1p()).write_csv(csv)
    code = (
        f"d <- read.csv('{csv}'); s <- system.time(lme4::lmer(score ~ t * intake + (1 + t | case), "
        "d)); cat(s[['user.self']] + s[['sys.self']])"
    )
    return [rscript, "-e", code]


# --- The tables ----------------------------------------------------------------------------------


def shown(seconds: float) -> str:
    """Return seconds with three digits."""
    return f"{seconds:.3g}" if seconds >= 0.01 else f"{seconds:.4f}"


def size_rows(
    path: Path, gaps: Path, cases: int, repeats: int, peers: list[str]
) -> list[list[str]]:
    """Return the rows in process of one size."""
    rows = []
    for kind, clock in CLOCKS.items():
        arrays = scanned(path, clock)
        columns = Columns(case="case", time=clock, score="score", baseline="intake")
        works: dict[str, Work] = {
            "scan": lambda clock=clock: scanned(path, clock),
            "file": lambda columns=columns: growth(
                path, columns, is_log_time=True, method="reml", is_serial=False
            ),
            "arrays": lambda arrays=arrays, clock=clock: ours(arrays, clock),
        }
        if "mixedlm_rs" in peers:
            works["rust"] = peer_work("mixedlm_rs", arrays)
        times = in_turn(works, repeats)
        slow = "-"
        if "statsmodels" in peers and cases <= MOST_FOR_STATSMODELS:
            slow = shown(in_turn({"it": peer_work("statsmodels", arrays)}, 1).seconds("it"))
        command = lme4_command(path, clock) if cases <= MOST_FOR_LME4 else None
        lme4 = "-" if command is None else subprocess.check_output(command, text=True)  # noqa: S603 - R
        rows.append([
            f"{cases:,}", kind, shown(times.seconds("scan")), shown(times.seconds("file")),
            f"{times.ratio('file', 'scan'):.2f}", shown(times.seconds("arrays")),
            *((shown(times.seconds("rust")), f"{times.ratio('rust', 'arrays'):.1f}")
              if "rust" in works else ("-", "-")),
            slow, lme4,
        ])  # fmt: skip
    rows += other_rows(path, gaps, cases, repeats)
    return rows


def other_rows(path: Path, gaps: Path, cases: int, repeats: int) -> list[list[str]]:
    """Return the rows of what the peers do not do, or not apart."""
    rows = []
    for kind, file, therapist, is_serial in (
        ("sessions missing", gaps, None, False),
        ("complete, therapists", path, "therapist", False),
        ("complete, correlated residuals", path, None, True),
    ):
        columns = Columns(
            case="case", time="session", score="score", baseline="intake", therapist=therapist
        )
        works: dict[str, Work] = {
            "scan": lambda file=file: scanned(file, "session"),
            "file": lambda file=file, columns=columns, is_serial=is_serial: growth(
                file, columns, is_log_time=True, method="reml", is_serial=is_serial
            ),
        }
        times = in_turn(works, repeats)
        rows.append([
            f"{cases:,}", kind, shown(times.seconds("scan")), shown(times.seconds("file")),
            f"{times.ratio('file', 'scan'):.2f}", "-", "-", "-", "-", "-",
        ])  # fmt: skip
    return rows


def process_rows(path: Path, cases: int, repeats: int, rust: str) -> list[list[str]]:
    """Return the rows of whole processes of one size."""
    rows = []
    for kind, clock in CLOCKS.items():
        programs = {"ours": (OUR_PROCESS, our_arguments(path, clock))}
        if rust:
            programs["rust"] = (RUST_PROCESS, [str(path), clock, rust])
        costs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in programs}
        for _ in range(repeats):
            for name, (code, arguments) in programs.items():
                costs[name].append(process_cost(code, arguments, path.with_suffix(".peak")))
        cells = [f"{cases:,}", kind]
        for name in ("ours", "rust"):
            if name in costs:
                cpu, wall, memory = (median(each) for each in zip(*costs[name], strict=True))
                cells += [shown(cpu), shown(wall), f"{memory:.0f}"]
            else:
                cells += ["-"] * 3
        ratios = [one[0] / other[0] for one, other in
                  zip(costs.get("rust", []), costs["ours"], strict=False)]  # fmt: skip
        rows.append([*cells, f"{median(ratios):.1f}" if ratios else "-"])
    return rows


def main(argv: list[str] | None = None) -> None:
    """Print both tables."""
    if any(os.environ.get(name) != "1" for name in THREADS):
        # Threads are counted when libraries are loaded, so this process starts anew.
        again = [sys.executable, str(Path(__file__)), *(sys.argv[1:] if argv is None else argv)]
        os.execve(sys.executable, again, {**os.environ, **dict.fromkeys(THREADS, "1")})  # noqa: S606 - itself
    options = parser(__doc__, repeats=(5, 3))
    options.add_argument("--cases", type=int, nargs="+", help="sizes; 1k to 1M, quick 1k and 10k")
    options.add_argument("--peers", type=Path, help="folder with peers: pip install --target")
    told = options.parse_args(argv)
    if told.peers is not None:
        sys.path.append(str(told.peers.resolve()))
    sizes = told.cases or (QUICK_SIZES if told.quick else SIZES)
    repeats = told.repeats or (3 if told.quick else 5)
    peers = [name for name in ("mixedlm_rs", "statsmodels") if importlib.util.find_spec(name)]
    found = importlib.util.find_spec("mixedlm_rs")
    rust = "" if found is None or found.origin is None else str(Path(found.origin).parents[1])
    rows: list[list[str]] = []
    processes: list[list[str]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for cases in sizes:
            path = simulate(cases, Path(scratch) / f"s{cases}")
            gaps = simulate(cases, Path(scratch) / f"gap{cases}", missing=0.2)
            rows += size_rows(path, gaps, cases, repeats, peers)
            processes += process_rows(path, cases, repeats, rust)
            path.unlink()
            gaps.unlink()
    write = sys.stdout.write
    write(f"{machine()}; one core, CPU seconds, medians of {repeats}; ratios round by round\n\n")
    write(table(
        ["cases", "data", "scan", "file to fit", "x scan", "arrays to fit", "mixedlm-rs",
         "x ours", "statsmodels", "lme4"], rows,
    ))  # fmt: skip
    write("\nWhole processes, imports and file included\n\n")
    write(table(
        ["cases", "data", "CPU s", "wall s", "MiB", "mixedlm-rs CPU s", "wall s", "MiB",
         "x our CPU"], processes,
    ))  # fmt: skip


if __name__ == "__main__":
    main()
