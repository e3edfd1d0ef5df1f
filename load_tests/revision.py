"""The sources of a revision, extracted into a temporary directory."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from load_tests.server_process import ROOT

WORKING_TREE = "."


class RevisionError(Exception):
    """A revision that git does not know; the message is git's own."""


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """The directory of ``revision``'s sources; ``.`` is the working tree itself.

    Raises:
        RevisionError: git can't check it out.
    """
    if revision == WORKING_TREE:
        yield ROOT
        return
    with tempfile.TemporaryDirectory(prefix="revision-") as directory:
        # An archive, not a worktree: nothing is left in the repository if this is killed.
        archive = Path(directory) / "sources.tar"
        sources = Path(directory) / "sources"
        sources.mkdir()
        _git("archive", "--output", str(archive), revision, "service", "pyproject.toml")
        subprocess.run(["tar", "-xf", archive, "-C", sources], check=True, timeout=60)
        yield sources


def name_of(revision: str) -> str:
    """A revision with its commit, to be printed."""
    if revision == WORKING_TREE:
        return "the working tree"
    return f"{revision} ({_git('rev-parse', '--short', revision).strip()})"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RevisionError(done.stderr.strip().split("\n")[-1])
    return done.stdout
