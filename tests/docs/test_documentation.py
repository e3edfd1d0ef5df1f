"""Every command and snippet of README and docs runs, against a service that runs."""

from pathlib import Path

import pytest

from tests.docs.commands import ROOT, Command, commands, run, same, shell_blocks
from tests.docs.page import Block, PageError, blocks, broken_links, run_python
from tests.e2e.running_service import RunningService

PAGES = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "models/**/*.md",
        "deploy/**/*.md",
        "load_tests/**/*.md",
    )
    for path in ROOT.glob(pattern)
)
# Has a test of its own, which is stricter.
WALK = ROOT / "docs" / "from-math-to-machine.md"


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def replacements(service: RunningService) -> dict[str, str]:
    return {
        "localhost:8000": f"127.0.0.1:{service.port}",
        "127.0.0.1:8000": f"127.0.0.1:{service.port}",
        "models/mine": "models/sentiment",
    }


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The repository as it stands, where what a command writes is lost."""
    for entry in ROOT.iterdir():
        if entry.name not in (".git", ".venv", "runs"):
            (tmp_path / entry.name).symlink_to(entry)
    return tmp_path


def shell_cases() -> list[object]:
    return [
        pytest.param(block, id=f"{name(page)}:{block.line}")
        for page in PAGES
        for block in shell_blocks(page)
    ]


@pytest.mark.parametrize("block", shell_cases())
def test_commands_do_what_the_page_says(
    block: Block, service: RunningService, directory: Path
) -> None:
    found = commands(block)
    assert found, "the block holds no command"
    for command in found:
        run(command, directory, replacements(service))


PYTHON_PAGES = [
    page for page in PAGES if page != WALK and any(b.language == "python" for b in blocks(page))
]


@pytest.mark.parametrize("page", PYTHON_PAGES, ids=name)
def test_snippets_run(page: Path, service: RunningService) -> None:
    assert run_python(page, replacements(service), silent=False)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_lines_and_what_they_print_are_told_apart() -> None:
    block = Block("console", "$ echo 1 \\\n  2\n1 2\n$ true\n", 1)
    assert commands(block) == [Command("echo 1    2", "1 2"), Command("true", None)]
    block = Block("bash", "# a remark\necho 1\n\nmake serve  # stays up\n", 1)
    assert [command.line for command in commands(block)] == ["echo 1", "make serve  # stays up"]


@pytest.mark.parametrize(
    ("given", "shown", "equal"),
    [
        ('{"score":0.99825}', '{"score":0.9982526}', True),
        ('{"score":0.99}', '{"score":0.9982526}', False),
        ("took 3 ms, 5 texts", "took ..., 5 texts", True),
        ("took 3 ms, 5 texts", "took ..., 6 texts", False),
        ("positive", "negative", False),
    ],
)
def test_output_is_compared_to_three_digits(given: str, shown: str, equal: bool) -> None:
    assert same(given, shown) is equal


@pytest.mark.parametrize(
    ("line", "prints"),
    [
        ("echo 1", "2"),
        ("false", None),
        ("make no-such-target", None),
        ("curl -s localhost:8000/nowhere", None),
        ("python -m model_export no-such-command --fast", None),
        ("python -m load_tests no-such-command", None),
    ],
)
def test_a_command_that_fails_or_prints_something_else_is_reported(
    line: str, prints: str | None, service: RunningService, directory: Path
) -> None:
    with pytest.raises(PageError):
        run(Command(line, prints), directory, replacements(service))
