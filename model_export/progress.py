"""How far a pass over texts is, for people: a bar on a terminal, a line now and then in a log."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

LOG_SECONDS = 30.0


class TokenProgress:
    """Shows the share of tokens done, µs per token and a note such as the loss."""

    def __init__(self, console: Console, title: str, total: int, done: int = 0) -> None:
        self.console, self.title, self.total, self.done = console, title, total, done
        self.first = done
        self.began = self.logged = time.monotonic()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} % {task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(title, total=total, completed=done, note="")

    def __enter__(self) -> "TokenProgress":
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def advance(self, tokens: int, note: str = "") -> None:
        self.done += tokens
        now = time.monotonic()
        speed = (now - self.began) / max(1, self.done - self.first) * 1e6
        note = f"{note} {speed:.1f} µs/token".strip()
        self.bar.update(self.task, completed=self.done, note=note)
        if not self.console.is_terminal and now - self.logged > LOG_SECONDS:
            self.logged = now
            self.console.print(f"{self.title}: {self.done / self.total:.0%} {note}")
