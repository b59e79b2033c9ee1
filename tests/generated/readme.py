"""The parts of the README that come from the code."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"


def files() -> dict[Path, str]:
    return {README: README.read_text()}
