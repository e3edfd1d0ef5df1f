"""A Markdown page's shell blocks as commands: what runs, what runs in part, what does not and why.

``bash`` blocks must end well; in ``console`` blocks the lines behind a ``$`` command are what it
prints, compared with numbers to three digits and ``...`` for anything.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs.page import Block, PageError, blocks
from tests.e2e.running_service import running_service

ROOT = Path(__file__).parents[2]
COMMAND_SECONDS_LIMIT = 60.0

# What a test can't do, by the words a command begins with.
EXEMPT = {
    "docker": "needs a Docker daemon; tests of the image build it with buildah",
    "git clone": "downloads",
    "pip install": "downloads",
    "python -m pip": "downloads",
    "python -m model_export fetch-data": "downloads",
}
# What would take minutes: the command is only asked for its --help, which knows its name.
LONG = [
    *("python -m model_export train", "python -m model_export export"),
    *("python -m model_export distill", "python -m load_tests", "locust"),
]
SERVE = re.compile(r"^python -m service(?!.*(--help|-h\b))")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


@dataclass(frozen=True)
class Command:
    line: str
    prints: str | None  # None: whatever it prints


def commands(block: Block) -> list[Command]:
    """The commands of a block, continued lines joined, comments left out."""
    text = block.source.replace("\\\n", " ")
    if block.language == "bash":
        lines = [text] if "<<" in text else text.split("\n")
        return [Command(line.strip(), None) for line in lines if is_command(line)]
    found: list[Command] = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, prints = part.partition("\n")
        found.append(Command(line.strip(), prints.strip() or None))
    return found


def is_command(line: str) -> bool:
    return bool(line.strip()) and not line.strip().startswith("#")


def shell_blocks(page: Path) -> Iterator[Block]:
    return (block for block in blocks(page) if block.language in ("bash", "console"))


def plain(line: str) -> str:
    """The command as it would be typed with the environment active, without its variables."""
    line = re.sub(r"(^|\s)\.venv/bin/", r"\1", line)
    return re.sub(r"^(?:[A-Z_]+=\S*\s+)+", "", line)


def run(command: Command, directory: Path, replacements: dict[str, str]) -> None:
    """Run one command in ``directory``.

    Raises:
        PageError: it fails, or prints something else than the page says.
    """
    line = command.line
    for old, new in replacements.items():
        line = line.replace(old, new)
    line = re.sub(r"(^|\s)\.venv/bin/", r"\1", line)
    bare = plain(line)
    if any(bare.startswith(prefix) for prefix in EXEMPT):
        return
    if SERVE.match(bare):
        serve(line, bare)
        return
    if bare.startswith("make"):
        # Most targets install, train or test for minutes: make says whether it could.
        line = re.sub(r"\bmake\b", "make --dry-run", line, count=1)
    for prefix in LONG:
        if bare.startswith(prefix):
            words = shlex.split(bare, comments=True)
            named = [word for word in words[3:4] if not word.startswith("-")]
            line = " ".join([*words[:3], *named, "--help"]) if words[0] == "python" else "true"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(ROOT)
    # A refusal must fail a command whose answer is not shown.
    fail = 'curl() { command curl --fail-with-body "$@"; }\n' if command.prints is None else ""
    result = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{fail}{line}"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_LIMIT,
    )
    if result.returncode != 0:
        raise PageError(f"{line}\nends with {result.returncode}:\n{result.stdout}{result.stderr}")
    if command.prints is not None and not same(result.stdout.strip(), command.prints):
        raise PageError(f"{line}\nprints\n{result.stdout}\nnot\n{command.prints}")


def serve(line: str, bare: str) -> None:
    """Start the service as the page says, on a free port, until it is ready."""
    words = shlex.split(bare.removesuffix("&").strip(), comments=True)
    variables = dict(re.findall(r"(?:^|\s)([A-Z_]+)=(\S+)", line.removesuffix(bare)))
    variables.pop("SENTIMENT_PORT", None)
    if "--port" in words:
        place = words.index("--port")
        del words[place : place + 2]
    settings = {name.removeprefix("SENTIMENT_").lower(): value for name, value in variables.items()}
    with running_service(command=[sys.executable, *words[1:]], **settings) as service:
        assert service.stop() == 0


def same(given: str, shown: str) -> bool:
    """Equal, but for digits beyond the third and what ``...`` stands for."""
    pieces = shown.split("...")
    expression = r"[\s\S]*".join(
        re.escape(NUMBER.sub("\0", piece)).replace(re.escape("\0"), "(" + NUMBER.pattern + ")")
        for piece in pieces
    )
    match = re.fullmatch(expression, given)
    if match is None:
        return False
    numbers = [number for piece in pieces for number in NUMBER.findall(piece)]
    return all(
        abs(float(have) - float(want)) <= 1e-3 * max(1.0, abs(float(want)))
        for have, want in zip(match.groups(), numbers, strict=True)
    )
