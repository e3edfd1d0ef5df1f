"""Print what an environment installs: ``python release/requirements.py cpu`` (gpu, cpu load).

Standard library only, because the image runs it before anything is installed.
"""

import sys
import tomllib
from pathlib import Path

PYPROJECT = Path("pyproject.toml")


def requirements(extras: list[str], pyproject: Path = PYPROJECT) -> list[str]:
    """The direct requirements that ``pyproject.toml`` states for serving with these extras."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    return [*project["dependencies"], *(each for extra in extras for each in optional[extra])]


if __name__ == "__main__":
    print(*requirements(sys.argv[1:]), sep="\n")
