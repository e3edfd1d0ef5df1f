"""``packed-sentiment COMMAND …``: the command's module does the rest, with the arguments as given.

Nothing else of the product is imported before a command is known, so that ``--help`` answers at
once and the base package needs nothing installed beside it.
"""

import difflib
import runpy
import sys

from packed_sentiment.command import COMMANDS

HELP = f"""usage: packed-sentiment COMMAND [ARGUMENT ...]

Train, verify and serve a packed recurrent text classifier.

commands:
{chr(10).join(f"  {name:<12}{command.summary}" for name, command in COMMANDS.items())}

packed-sentiment COMMAND --help describes a command; --version prints the version."""


def main() -> int:
    """Run ``sys.argv``; 2 for a command that is not known or lacks what it needs."""
    match sys.argv[1:]:
        case [] | ["-h" | "--help", *_]:
            print(HELP)
            return 0
        case ["--version", *_]:
            from service import __version__

            print(f"packed-sentiment {__version__}")
            return 0
        case [name, *arguments] if name in COMMANDS:
            return _run(name, arguments)
        case [name, *_]:
            near = difflib.get_close_matches(name, COMMANDS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            print(f"packed-sentiment: no such command: {name[:50]}{hint}", file=sys.stderr)
    return 2


def _run(name: str, arguments: list[str]) -> int:
    command = COMMANDS[name]
    if missing := command.missing_extras():
        wanted = f"pip install 'packed-sentiment[{','.join(missing)}]'"
        print(f"packed-sentiment: {name} needs more than is installed: {wanted}", file=sys.stderr)
        return 2
    sys.argv[1:] = [*command.arguments, *arguments]
    # As the main module itself: the processes that it spawns import it by its name.
    runpy.run_module(command.module, run_name="__main__", alter_sys=True)
    return 0
