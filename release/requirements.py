"""Print what a serving environment installs: ``python release/requirements.py cpu`` (or gpu).

Standard library only, because the image runs it before anything is installed.
"""

import sys
import tomllib
from pathlib import Path

PYPROJECT = Path("pyproject.toml")


def requirements(accelerator: str, pyproject: Path = PYPROJECT) -> list[str]:
    """The direct requirements that ``pyproject.toml`` states for one accelerator."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"][accelerator]]


if __name__ == "__main__":
    print(*requirements(sys.argv[1]), sep="\n")
