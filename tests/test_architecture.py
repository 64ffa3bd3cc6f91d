"""The rules of the layout, held by reading the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
LONGEST = 400  # lines; a module past that is two ideas

# Whom each package may import, itself aside. `only` narrows a package down to its record types.
MAY_IMPORT: dict[str, set[str]] = {
    "models": set(),
    "perception": {"models"},
    "memory": {"perception", "models"},
    "reasoning": {"memory", "models"},
    "serve": {"perception", "memory", "reasoning", "models"},
    "app": {"perception", "memory", "reasoning", "serve", "models"},
    "bench": {"perception", "memory", "reasoning", "serve", "models", "app"},
}
MODULES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every module named by an import, wherever it stands, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def allowed(module: str, package: str) -> bool:
    """Whether code of `package` may import `module`. `a.b` allows a.b and what is in it only."""
    top = module.partition(".")[0]
    if top not in MAY_IMPORT or top == package:
        return True
    return any(module == ok or module.startswith(ok + ".") for ok in MAY_IMPORT[package])


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_rules_have_something_to_hold() -> None:
    assert len(MODULES) > 20
    assert not allowed("serve.settings", "memory")
    assert not allowed("perception", "models")
    assert not allowed("perception.vad", "reasoning")
    assert not allowed("perception.records.Moment", "reasoning")
    assert allowed("memory.records.Moment", "reasoning")
    assert allowed("perception.records", "memory")


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_point_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    wrong = [
        f"{name(path)}:{line} imports {module}"
        for module, line in imported(ast.parse(path.read_text()))
        if not allowed(module, package)
    ]
    assert not wrong


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_is_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{name(path)} has no docstring"


def test_only_memory_loads_the_database_and_only_models_load_torch() -> None:
    """A record type in the wrong file brought 60 MB of LanceDB into each of three processes."""
    loaded = (
        "import sys, app.application; print([n for n in ('lancedb', 'torch') if n in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=120
    )
    assert ran.stdout.strip() == "[]"
