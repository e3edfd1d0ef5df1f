"""Print what an environment installs: ``python release/requirements.py cpu`` (gpu, cpu load).

Standard library only, because the image runs it before anything is installed.
"""

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path("pyproject.toml")


def requirements(extras: list[str], pyproject: Path = PYPROJECT) -> list[str]:
    """The direct requirements that ``pyproject.toml`` states for these extras.

    An extra may name others of this project's own, ``packed-sentiment[server]``.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    found = list(project["dependencies"])
    waiting = list(extras)
    while waiting:
        for line in project["optional-dependencies"][waiting.pop(0)]:
            own = re.fullmatch(rf"{project['name']}\[(.+)\]", line)
            if own:
                waiting += own[1].split(",")
            else:
                found.append(line)
    return found


if __name__ == "__main__":
    print(*requirements(sys.argv[1:]), sep="\n")
