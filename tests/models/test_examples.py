"""Every public function of models/ has an example in its docstring, and the examples are right."""

import ast
import doctest
from importlib import import_module
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "models"
MODULES = sorted(path.stem for path in MODELS.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_give_what_they_say(name: str) -> None:
    found = doctest.testmod(import_module(f"models.{name}"))
    assert found.failed == 0


def public_functions(name: str) -> list[ast.FunctionDef]:
    tree = ast.parse((MODELS / f"{name}.py").read_text(encoding="utf-8"))
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_has_an_example(name: str) -> None:
    without = [
        function.name
        for function in public_functions(name)
        if ">>>" not in (ast.get_docstring(function) or "")
    ]
    assert without == []
