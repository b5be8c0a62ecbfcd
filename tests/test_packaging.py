"""What is installed: exactly our four packages, with every file they read, and quick to start."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("pipelines", "models", "dashboard", "data_contracts")
HEAVY = ("prefect", "duckdb", "polars", "pandas", "numpy", "scipy", "sklearn", "streamlit",
         "great_expectations", "altair", "rich.progress")  # fmt: skip


def uv() -> str | None:
    """Return the uv at hand: the one that runs us, one on the path, or the one make fetched."""
    fetched = REPOSITORY / ".uv" / "bin" / "uv"
    found = os.environ.get("UV") or shutil.which("uv")
    return found or (str(fetched) if fetched.exists() else None)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the names in a wheel built without network."""
    builder = uv()
    if builder is None:
        pytest.skip("no uv at hand to build the wheel with: run 'make test' or 'uv run poe tests'")
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [builder, "build", "--wheel", "--offline", "--out-dir", str(folder), str(REPOSITORY)],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode and "hatchling" in built.stderr and "offline" in built.stderr.lower():
        pytest.skip("hatchling is not in uv's cache and tests use no network: run 'uv sync' first")
    assert built.returncode == 0, built.stderr
    with ZipFile(next(folder.glob("*.whl"))) as content:
        return content.namelist()


def test_the_wheel_holds_every_file_of_the_four_packages_and_nothing_else(
    wheel: list[str],
) -> None:
    shipped = {name for name in wheel if ".dist-info/" not in name}
    ours = {
        path.relative_to(REPOSITORY).as_posix()
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert shipped == ours
    assert {Path(name).suffix for name in shipped} == {".css", ".py", ".sql", ".toml", ".typ"}


def test_the_wheel_holds_the_licence_and_the_command(wheel: list[str]) -> None:
    endings = [name.split(".dist-info/")[1] for name in wheel if ".dist-info/" in name]
    assert "licenses/LICENSE" in endings
    assert "entry_points.txt" in endings


def test_the_licence_is_whole() -> None:
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert text.rstrip().endswith("limitations under the License.")
    assert len(text) == 11358


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_owns_our_names(package: str) -> None:
    owners = set(packages_distributions().get(package, []))
    assert owners <= {"unstuck"}


def test_no_screen_module_shadows_a_package() -> None:
    """`streamlit run dashboard/app.py` puts dashboard/ first on the path."""
    taken = {*packages_distributions(), *sys.stdlib_module_names, *PACKAGES}
    ours = {path.stem for path in (REPOSITORY / "dashboard").glob("*.py")} - {"__init__"}
    assert ours & taken == set()
    assert not (REPOSITORY / "dashboard" / "pages").exists()


def test_tests_are_no_package() -> None:
    assert list((REPOSITORY / "tests").rglob("__init__.py")) == []


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["flags", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from pipelines.cli import main\n"
        f"code = main({arguments!r})\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.exit(f'imported: {heavy}' if heavy or code else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout
