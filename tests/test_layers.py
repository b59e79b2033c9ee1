"""The rooms: imports point down only, and heavy libraries stay where they are used."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.imports import imports_that_run
from tests.support.program import ROOT

PACKAGE = ROOT / "llmcli"

# From the top down. Rooms of one line know nothing of each other.
ROOMS = """
cli
batch
chat
backends spending output tools
config
api
system
errors
"""
FLOOR = {room: floor for floor, line in enumerate(ROOMS.split("\n")) for room in line.split()}
# Files that a reader can take in at once: about twelve.
MOST_FILES = 12

# Heavy or foreign libraries, and the only modules or rooms that may name them.
ONLY_IN = {
    "requests": {"backends.http"},
    "urllib3": {"backends.http"},
    "certifi": {"backends.http"},
    "sseclient": {"backends.http"},
    "xllamacpp": {"backends.embedded"},
    "genai_prices": {"backends.price_list"},
    "keyring": {"config.keys"},
    "jsonschema": {"tools.json_schema"},
    "referencing": {"tools.json_schema"},
    "typer": {"cli"},
    "rich": {"output.table", "batch.results.progress_bar"},
    "distributed": {"batch.cluster.dask", "batch.cluster.dask_worker"},
}
# api is pure: data in, data out.
IMPURE = {"os", "sys", "subprocess", "socket", "pathlib", "tempfile", "select", "signal", "io"}


def modules() -> Iterator[tuple[str, Path]]:
    """Yield the name of each module below the package, such as `chat.retry`, and its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(p for p in parts if p != "__init__"), path


NAMES = {name for name, _ in modules()}


def imports(path: Path) -> Iterator[str]:
    """Yield what a file imports: of ours as `chat.retry`, of others as `os`. For types: nothing."""
    for node in imports_that_run(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _own(alias.name) or alias.name.split(".")[0]
        else:
            for alias in node.names:
                inner = _own(f"{node.module}.{alias.name}")
                ours = inner if inner in NAMES else _own(node.module or "")
                yield ours if ours is not None else (node.module or "").split(".")[0]


def _own(name: str) -> str | None:
    """Return the name below the package; None for a module of others."""
    top, _, rest = name.partition(".")
    return rest if top == "llmcli" else None


def room(module: str) -> str:
    return module.split(".")[0]


@pytest.mark.parametrize(("module", "path"), list(modules()))
def test_imports_point_down(module: str, path: Path) -> None:
    if module in ("", "__main__"):
        return
    assert room(module) in FLOOR, f"{module} stands in no room"
    for name in imports(path):
        if name in NAMES - {""} and room(name) != room(module):
            below = FLOOR[room(name)] > FLOOR[room(module)]
            assert below, f"{module} imports {name}, which is not below it"
        allowed = ONLY_IN.get(name, {module})
        assert any(f"{module}.".startswith(f"{one}.") for one in allowed), f"{module}: {name}"
        assert not (room(module) == "api" and name in IMPURE), f"{module} is pure: {name}"


def test_no_import_goes_in_a_circle() -> None:
    TopologicalSorter(
        {module: {one for one in imports(path) if one in NAMES - {module}}
         for module, path in modules()}
    ).prepare()  # fmt: skip


def test_a_room_can_be_taken_in_at_once() -> None:
    for folder in [PACKAGE, *(path.parent for path in PACKAGE.rglob("__init__.py"))]:
        names = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(names) <= MOST_FILES, folder


def test_a_package_has_no_code_of_its_own() -> None:
    """Only the whole one has: the version."""
    for path in PACKAGE.rglob("__init__.py"):
        assert path.parent == PACKAGE or path.read_text() == "", path


def test_no_two_public_things_have_one_name() -> None:
    """A name of the top of a file, as a reader meets it elsewhere."""
    files: dict[str, set[str]] = {}
    for module, path in modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_":
                files.setdefault(node.name, set()).add(module)
    assert {name: where for name, where in files.items() if len(where) > 1} == {}


def test_files_are_small() -> None:
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 300, path


def test_only_what_is_declared_is_imported() -> None:
    """Every library that a module imports stands with its bounds in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [
        *project["dependencies"],
        *(x for name in extras if name != "dev" for x in extras[name]),
    ]
    declared = {re.split(r"[<>=\[]", line)[0].lower() for line in lines}
    assert all(">=" in line for line in lines)
    named_by = packages_distributions()
    for module, path in modules():
        foreign = set(imports(path)) - NAMES - sys.stdlib_module_names
        for library in foreign:
            names = {name.lower() for name in named_by.get(library, [library])}
            assert names & declared, f"{module} imports {library}, which is not declared"
