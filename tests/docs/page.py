"""A Markdown page as a program: its code blocks in order, and what it says that they print."""

import contextlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    language: str
    source: str
    line: int  # of the first line of the source, counted from 1


class PageError(AssertionError):
    """A page does not say what its code does."""


def blocks(page: Path) -> list[Block]:
    """All fenced code blocks of the page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1)
        for match in FENCE.finditer(text)
    ]


def run_python(
    page: Path, replacements: Mapping[str, str] | None = None, silent: bool = True
) -> int:
    """Run the page's ``python`` blocks in order as one program; how many there were.

    A ``text`` block right behind one of them is what it prints; without one it prints nothing, or,
    if it need not be ``silent``, whatever it likes. ``replacements`` are made in its source first.

    Raises:
        PageError: a block prints something else. What a block raises shows the page's own line.
    """
    namespace: dict[str, Any] = {"__name__": page.stem}
    found = blocks(page)
    count = 0
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.language != "python":
            continue
        count += 1
        # Empty lines in front make the line numbers of a traceback those of the page.
        source = block.source
        for old, new in (replacements or {}).items():
            source = source.replace(old, new)
        program = compile("\n" * (block.line - 1) + source, str(page), "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program, namespace)
        shown = following is not None and following.language == "text"
        expected = following.source if following and shown else ""
        if (shown or silent) and printed.getvalue().rstrip() != expected.rstrip():
            raise PageError(
                f"{page}:{block.line}: the block prints\n{printed.getvalue()}\nnot\n{expected}"
            )
    return count


def broken_links(page: Path) -> list[str]:
    """Relative links and pictures of the page that lead nowhere."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    return [link for link in links if "://" not in link and not (page.parent / link).exists()]
