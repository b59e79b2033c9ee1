"""The rooms: imports point down only, heavy libraries stay where they are used."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from .conftest import ROOT

PACKAGE = ROOT / "llmcli"

COMMANDS = ("ask", "config", "local", "map", "models", "session", "template", "usage")

# From the top down. A module may import those of lower layers, and of its own where marked.
LAYERS: list[set[str]] = [
    {"__main__"},
    {"entry"},
    {"cli"},
    {"app"},
    {f"commands.{name}" for name in COMMANDS},
    {"many"},
    {"cluster", "forecast"},
    {"job", "work"},
    {"output.progress_bar", "results", "input"},
    {"output.record", "output.tally", "planning"},
    {"answering"},
    {"commands", "exchange", "accounts"},
    {"conversation", "doctor", "draft", "meter", "output.choose", "recording"},
    {"budget", "estimate", "listing", "output.table"},
    {"rollup"},
    {"compose", "output.usage", "running", "shape"},
    {"call", "sessions", "templates", "validation"},
    {"connection", "last_session", "ledger", "output.transcript"},
    {"backends.http", "backends.local", "fetch"},
    {"backends.pool", "records"},
    {"backends.client"},
    {"backends.reply", "backends.http_errors", "backends.small_model", "backends.connections"},
    {"backends.ahead"},
    {
        "backends.sse",
        "backends.plain_events",
        "backends.worker",
        "backends.progress",
        "backends.body",
    },
    {"backends.endpoint"},
    {"output.curl", "retry", "transcript", "keys", "catalogue", "weights", "prompt"},
    {"output.text", "output.events"},
    {"output.json"},
    {"output.sink", "output.thinking", "output.renderer", "output"},
    {"backends", "options", "record_options", "completion", "config"},
    {"argv", "run"},
    {"settings"},
    {"headers", "api_errors", "messages", "request", "trace", "environment", "url"},
    {"allowance"},
    {"pricing"},
    {"result_file"},
    {"journal", "processes", "private", "tool_calls", "tools", "reasoning"},
    {"days", "filling", "mapping", "pacing"},
    {"strict_json", "extra"},
    {"errors", "schema", "terminal", "dataclass", "text_buffer", ""},
]
LEVEL = {module: level for level, modules in enumerate(LAYERS) for module in modules}

# Heavy or foreign libraries, and the only rooms that may name them.
ONLY_IN = {
    "requests": {"backends.client", "backends.http_errors"},
    "urllib3": {"backends.http_errors", "backends.connections"},
    "certifi": {"backends.endpoint"},
    "sseclient": {"backends.sse"},
    "xllamacpp": {"backends.local"},
    "keyring": {"keys"},
    "jsonschema": {"validation"},
    "referencing": {"validation"},
    "typer": {
        *("app", "options"),
        *(f"commands.{name}" for name in COMMANDS),
    },
    "rich": {"output.table", "output.progress_bar"},
    "distributed": {"cluster"},
}
# Pure: data in, data out.
PURE = {
    "api_errors",
    "completion",
    "extra",
    "filling",
    "messages",
    "pricing",
    "reasoning",
    "request",
    "text_buffer",
    "tool_calls",
    "tools",
}
IMPURE = {"os", "sys", "subprocess", "socket", "pathlib", "tempfile", "environment"}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(p for p in parts if p != "__init__"), path


def imports(module: str, path: Path) -> Iterator[str]:
    """Names of ours as `cli`, `backends.sse`; of others as `os`. For types only: left out."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if not node.level and not (node.module or "").startswith("llmcli"):
                yield (node.module or "").split(".")[0]
                continue
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = [part for part in above if part] if node.level else []
            base += (node.module or "").removeprefix("llmcli").strip(".").split(".")
            name = ".".join(part for part in base if part)
            for alias in node.names:
                inner = f"{name}.{alias.name}".strip(".")
                yield inner if inner in LEVEL else name


@pytest.mark.parametrize(("module", "path"), list(modules()))
def test_imports_point_down(module: str, path: Path) -> None:
    assert module in LEVEL, f"{module} has no place in the layers"
    for name in imports(module, path):
        if name in LEVEL and name != module:
            assert LEVEL[name] > LEVEL[module], f"{module} imports {name}, which is not below it"
        assert module in ONLY_IN.get(name, {module}), f"{module} imports {name}"
        assert not (module in PURE and name in IMPURE), f"{module} is pure but imports {name}"


def test_files_are_small() -> None:
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 300, path


def test_only_what_is_declared_is_imported() -> None:
    """Every library that a module imports stands with its bounds in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [
        *project["dependencies"],
        *(one for name in extras if name != "dev" for one in extras[name]),
    ]
    bounds = {re.split(r"[<>=\[]", line)[0].lower(): line for line in lines}
    assert all(">=" in line for line in lines)
    named_by = packages_distributions()
    for module, path in modules():
        foreign = set(imports(module, path)) - set(LEVEL) - sys.stdlib_module_names - {"llmcli"}
        for library in foreign:
            names = {name.lower() for name in named_by.get(library, [library])}
            assert names & set(bounds), f"{module} imports {library}, which is not declared"
