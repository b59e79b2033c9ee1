"""What `packages.py` does, with all packages of llmcli loaded: Typer and rich as well."""

import runpy
from pathlib import Path

import rich.console  # noqa: F401
import typer  # noqa: F401

runpy.run_path(str(Path(__file__).with_name("packages.py")), run_name="__main__")
