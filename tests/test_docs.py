"""What the pages say exists, and what exists is in the pages."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_contracts.mapping import FileMapping, Mapping, TimeColumn, ValueColumn, read_mapping
from data_contracts.measures import measures_for
from data_contracts.rule import RuleThresholds
from data_contracts.settings import Settings, known_settings
from data_contracts.wording import templates
from models.status import VERDICTS
from pipelines import cli_reference
from pipelines.setting_up import make_home

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("pipelines", "models", "dashboard", "data_contracts")
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
COMMANDS = cli_reference.commands_of_the_app()


def text_of(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def shell_lines(text: str) -> Iterator[list[str]]:
    """Yield the words of each line of each shell snippet, comments left out."""
    for block in blocks(text, "bash"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words[2:] if words[:2] == ["uv", "run"] else words


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


# --- Commands ------------------------------------------------------------------------------------


def test_the_command_line_page_is_current() -> None:
    page = REPOSITORY / cli_reference.PAGE
    assert cli_reference.main(["--check"], page) == 0, "run pipelines.cli_reference --write"


def test_a_command_line_page_that_says_something_else_is_out_of_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "cli.md"
    assert cli_reference.main(["--check"], page) == 1
    assert cli_reference.main(["--write"], page) == 0
    assert cli_reference.main(["--check"], page) == 0
    assert cli_reference.main([], page) == 2
    assert "--check | --write" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_an_example_and_a_place_in_the_pages(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert command.epilog.startswith(f"Example: unstuck {name}")
    assert all(parameter.help for parameter in command.params)
    assert f"## unstuck {name}\n" in text_of("docs/cli.md")
    assert f"`{name}`" in text_of("CHANGELOG.md")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_a_command_uses_options_it_has(name: str) -> None:
    check_call(shlex.split(COMMANDS[name].epilog.removeprefix("Example: unstuck ")))


def check_call(words: list[str]) -> None:
    name, *given = words
    assert name in COMMANDS, name
    known = {
        option
        for parameter in COMMANDS[name].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}
    assert {word for word in given if word.startswith("-")} <= known, words


# --- Snippets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_snippets_of_a_page_call_what_exists(page: Path) -> None:
    project = tomllib.loads(text_of("pyproject.toml"))
    targets = re.findall(r"^(\w+):", text_of("Makefile"), re.MULTILINE)
    for tool, *given in shell_lines(page.read_text(encoding="utf-8")):
        match tool:
            case "unstuck":
                check_call(given)
            case "poe":
                assert given[0] in project["tool"]["poe"]["tasks"]
            case "make":
                assert given[0] in targets
                arguments = [word.removeprefix("ARGS=") for word in given[1:]]
                for each in arguments:
                    check_call([given[0], *shlex.split(each)])
            case "pytest":
                assert (REPOSITORY / given[0]).exists()
            case "uv":
                assert given[0] == "sync"
            case _:
                pytest.fail(f"{name_of(page)} calls {tool}, which nobody checks")


def test_the_readme_begins_with_the_two_commands() -> None:
    first = blocks(text_of("README.md"), "bash")[0]
    assert [line.split("#")[0].split() for line in first.splitlines()] == [
        ["make", "demo"],
        ["make", "test"],
    ]


@pytest.mark.parametrize("page", ["docs/mapping.md"])
def test_the_mappings_of_the_guide_can_be_used(page: str, tmp_path: Path) -> None:
    head = 'format = 1\ncase_ids = "keep"\n'
    whole = [block for block in blocks(text_of(page), "toml") if block.startswith("format = 1")]
    parts = [block for block in blocks(text_of(page), "toml") if block.startswith("[[file]]\n")]
    assert len(whole) >= 2
    assert parts
    for place, text in enumerate([*whole, *(head + part for part in parts)]):
        path = tmp_path / f"{place}.toml"
        path.write_text(text, encoding="utf-8")
        read_mapping(path)
    assert all(tomllib.loads(block) for block in blocks(text_of(page), "toml"))


def test_the_examples_and_the_mapping_of_a_new_home_can_be_used(tmp_path: Path) -> None:
    from data_contracts.places import Places

    places = Places.at(tmp_path / "home")
    make_home(places)
    examples = sorted((REPOSITORY / "docs" / "examples").glob("*.toml"))
    assert examples
    for path in (*examples, places.home / "mapping.toml"):
        assert read_mapping(path).file


def test_the_settings_of_the_guide_can_be_used() -> None:
    (example,) = blocks(text_of("docs/settings.md"), "toml")
    assert Settings(**tomllib.loads(example)).rule == {"stuck_sessions": 8}


def test_the_measure_of_the_guide_can_be_used(tmp_path: Path) -> None:
    first, computed, item, *_ = blocks(text_of("docs/measures.md"), "toml")
    (tmp_path / "calm7.toml").write_text(first + item, encoding="utf-8")
    second = first.split("[reliable_change]")[0].replace("calm7", "calm8") + computed
    (tmp_path / "calm8.toml").write_text(second, encoding="utf-8")
    measures = measures_for(tmp_path)
    assert measures["calm7"].reliable_change_points == 5
    assert measures["calm8"].reliable_change_points == 6


# --- Nothing forgotten ---------------------------------------------------------------------------


def table_rows(text: str) -> dict[str, list[str]]:
    """Return the cells of each table row whose first cell is one word in code."""
    found = re.findall(r"^\| `([^`|]+)` \|(.*)\|$", text, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in found}


def default_of(name: str) -> object:
    section, _, key = name.rpartition(".")
    settings = Settings()
    return getattr(getattr(settings, section) if section else settings, key)


@pytest.mark.parametrize("name", known_settings())
def test_every_setting_is_in_the_table_with_its_default(name: str) -> None:
    row = table_rows(text_of("docs/settings.md"))[name]
    if name not in ("safety_protocol", "crosswalk"):  # told in words
        told = row[-1].strip("`")
        assert told.replace('"', "'").replace("true", "True").replace("false", "False") == repr(
            default_of(name)
        ), name


def test_no_setting_is_told_that_does_not_exist() -> None:
    assert set(table_rows(text_of("docs/settings.md"))) == set(known_settings())


@pytest.mark.parametrize("rule_id", templates("quarantine"))
def test_every_quarantine_rule_is_in_the_mapping_guide(rule_id: str) -> None:
    rows = table_rows(text_of("docs/mapping.md"))
    assert rows[rule_id] == [templates("quarantine")[rule_id]]


def test_every_key_of_a_mapping_is_in_the_guide() -> None:
    guide = text_of("docs/mapping.md")
    rows = table_rows(guide)
    keys = {*Mapping.model_fields, *FileMapping.model_fields}
    told = {*rows, "file"} if "[[file]]" in rows else set(rows)
    assert keys - told == set()
    for key in (*TimeColumn.model_fields, *ValueColumn.model_fields):
        assert re.search(rf"\b{key}\b", guide), key


@pytest.mark.parametrize("threshold", RuleThresholds.model_fields)
def test_every_threshold_is_named_where_the_rule_is_told(threshold: str) -> None:
    told = text_of("docs/status_rule.md") + text_of("docs/alliance.md")
    assert f"`{threshold}`" in told


@pytest.mark.parametrize(("status", "code"), VERDICTS[1:])
def test_every_verdict_is_in_the_table_of_the_rule(status: str, code: str) -> None:
    verdict = f"{status} : {code}" if code else status
    rows = re.findall(r"^\| \d \| ([^|]+) \|", text_of("docs/status_rule.md"), re.MULTILINE)
    assert verdict in rows


def test_architecture_names_every_module_once_and_nothing_else() -> None:
    told: dict[str, list[str]] = {}
    package = ""
    for line in text_of("ARCHITECTURE.md").splitlines():
        if line.startswith("## "):
            package = line.removeprefix("## ").split(":")[0]
        elif found := re.match(r"- `(\w+\.py)` \S", line):
            told.setdefault(package, []).append(found[1])
    for name in PACKAGES:
        modules = {path.name for path in (REPOSITORY / name).rglob("*.py")} - {"__init__.py"}
        assert sorted(told[name]) == sorted(modules), name
    assert set(told) == set(PACKAGES)


# --- Links and paths -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_relative_to(REPOSITORY), target
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, target


def slug(heading: str) -> str:
    """Return the anchor that code hosts make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_pages_that_the_code_names_exist() -> None:
    for package in PACKAGES:
        for path in (REPOSITORY / package).rglob("*"):
            if path.suffix in (".py", ".sql", ".toml"):
                named = re.findall(r"\bdocs/[\w/-]+\.md", path.read_text(encoding="utf-8"))
                for page in named:
                    assert (REPOSITORY / page).exists(), f"{path.name} names {page}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_holds_a_path_of_one_machine(page: Path) -> None:
    folders = "|".join(("root", "home", "tmp", "work"))
    found = re.findall(rf"(?<![\w.~-])/(?:{folders})/\w+", page.read_text(encoding="utf-8"))
    assert found == []


def test_every_decision_is_one_page_with_the_four_headings() -> None:
    decisions = sorted((REPOSITORY / "docs" / "decisions").glob("*.md"))
    numbers = [path.name[:4] for path in decisions]
    assert numbers == sorted(set(numbers))
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.name[:4]}: ")
        for heading in ("Context", "Decision", "Consequences", "Status"):
            assert f"\n## {heading}\n" in text, path.name
        assert len(text.split()) < 1000, f"{path.name} is longer than a page"


def test_the_changelog_has_a_place_for_changed_numbers() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    changelog = text_of("CHANGELOG.md")
    assert f"\n## [{project['version']}]" in changelog
    assert "\n### Changed numbers\n" in changelog
