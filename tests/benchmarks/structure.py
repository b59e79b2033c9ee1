"""The shape of the code in figures: of this checkout and, to compare, of another one."""

import ast
import io
import statistics
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.options import Options
from tests.support.imports import imports_that_run

_HERE = Path(__file__).parents[2]
_LOADED = """
import os, sys
def end(code):
    sys.stderr.write(str(len([m for m in sys.modules if m.startswith("llmcli")])))
    sys.stderr.flush()
    sys.exit(code)
os._exit = end
sys.path.insert(0, {package!r})
sys.argv = ["llmcli", "ask", "--dry-run", "-n", "-m", "m", "hi"]
from {entry} import main
main()
"""


def main(options: Options) -> None:
    """Print the table; `options.beside` is the other checkout."""
    places = [Path(options.beside), _HERE] if options.beside else [_HERE]
    columns = [_figures(place) for place in places]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    heads = ["beside", "here"] if options.beside else ["here"]
    report.heading("The shape of the code")
    report.table(["figure", *heads], rows)


def _figures(checkout: Path) -> dict[str, str]:
    package = checkout / "llmcli"
    files = sorted(package.rglob("*.py"))
    trees = {path: ast.parse(path.read_text()) for path in files}
    functions = [n for tree in trees.values() for n in ast.walk(tree) if _is_function(n)]
    sizes = sorted(_size(function) for function in functions)
    lines = {path: len(path.read_text().splitlines()) for path in files}
    public = _public_names(trees)
    return {
        "modules at the top": str(len([f for f in files if f.parent == package])),
        "rooms": str(len([d for d in package.iterdir() if (d / "__init__.py").exists()])),
        "most files in a folder": str(max(Counter(f.parent for f in files).values())),
        "modules": str(len(files)),
        "floors (longest chain of imports)": str(_floors(package, trees)),
        "lines, median function": str(int(statistics.median(sizes))),
        "lines, 90 % of functions": str(sizes[len(sizes) * 9 // 10]),
        "lines, longest function": str(sizes[-1]),
        "most parameters": str(max(map(_parameters, functions))),
        "public names used twice": str(sum(count > 1 for count in public.values())),
        "lines, longest file": str(max(lines.values())),
        "lines in all": str(sum(lines.values())),
        "comment lines in a hundred": _share(sum(map(_comments, files)), sum(lines.values())),
        "our modules loaded by a plain run": _loaded(checkout),
    }


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}"


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef)


def _size(function: ast.AST) -> int:
    assert isinstance(function, ast.FunctionDef) and function.end_lineno
    return function.end_lineno - function.lineno + 1


def _parameters(function: ast.AST) -> int:
    """Count parameters without `self` and `cls`."""
    assert isinstance(function, ast.FunctionDef)
    given = function.args
    named = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(named[1:] if named[:1] in (["self"], ["cls"]) else named)


def _public_names(trees: dict[Path, ast.Module]) -> Counter[str]:
    """Count the modules that define each public function or class."""
    return Counter(
        name
        for tree in trees.values()
        for name in {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        if not name.startswith("_")
    )


def _comments(path: Path) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return len({token.start[0] for token in tokens if token.type == tokenize.COMMENT})


def _floors(package: Path, trees: dict[Path, ast.Module]) -> int:
    """Return the length of the longest chain of imports. Raise CycleError in a circle."""
    names = {_name(package, path): path for path in trees}
    below = {
        name: {one for one in _imported(name, trees[path]) if one in names and one != name}
        for name, path in names.items()
    }
    height: dict[str, int] = {}
    for name in TopologicalSorter(below).static_order():
        height[name] = 1 + max((height[one] for one in below[name]), default=0)
    return max(height.values())


def _name(package: Path, path: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _imported(module: str, tree: ast.Module) -> Iterator[str]:
    for node in imports_that_run(tree):
        if isinstance(node, ast.Import):
            continue
        base = node.module or ""
        if node.level:
            above = module.split(".")[: -node.level]
            base = ".".join([*above, *([base] if base else [])])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _loaded(checkout: Path) -> str:
    """Count our modules that a request's making loads, as a dry run shows it."""
    entry = "llmcli.cli.entry" if (checkout / "llmcli/cli").is_dir() else "llmcli.entry"
    code = _LOADED.format(package=str(checkout), entry=entry)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.split()[-1]
