"""Print the lowest versions that pyproject.toml allows, as constraints for pip.

pip always takes the newest that fit, so nothing else tells whether the lower bounds are true. The
arguments are the names of extras, whose requirements are looked at beside those of every user.
"""

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def lowest(requirement: Requirement) -> str:
    """Return `name==version`. Exit if there is not exactly one lower bound."""
    bounds = [s.version for s in requirement.specifier if s.operator in (">=", "~=", "==")]
    if len(bounds) != 1:
        sys.exit(f"{requirement}: must have one lower bound, which is a release that exists")
    return f"{requirement.name}=={bounds[0]}"


def main(extras: list[str]) -> None:
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    requirements = list(project["dependencies"])
    for extra in extras:
        requirements += project["optional-dependencies"][extra]
    for text in requirements:
        print(lowest(Requirement(text)))


if __name__ == "__main__":
    main(sys.argv[1:])
