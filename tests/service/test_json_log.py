"""Whoever logs never waits for whoever reads, and nothing is lost unsaid."""

import json
import logging
import os
import re
import threading
from collections.abc import Iterator

import pytest

from service.json_log import LINES_LIMIT, JsonFormatter, LineWriter


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def logger_to(descriptor: int) -> tuple[logging.Logger, LineWriter]:
    writer = LineWriter(descriptor)
    writer.setFormatter(JsonFormatter())
    logger = logging.Logger("test")
    logger.addHandler(writer)
    return logger, writer


def read_until_closed(descriptor: int) -> list[dict[str, object]]:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return [json.loads(line) for line in file]


def test_lines_come_in_order_with_their_fields(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    logger, writer = logger_to(writing)
    for number in range(50):
        logger.info("line %d", number, extra={"request_id": str(number), "code": 200})
    writer.flush()
    os.close(writing)
    lines = read_until_closed(reading)
    assert [line["message"] for line in lines] == [f"line {number}" for number in range(50)]
    assert [line["request_id"] for line in lines] == [str(number) for number in range(50)]
    assert {line["level"] for line in lines} == {"info"}


def test_an_unread_pipe_holds_up_nobody_and_what_it_cost_is_counted(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    logger, writer = logger_to(writing)
    logged = 3 * LINES_LIMIT
    for number in range(logged):  # far more than the pipe and the queue hold
        logger.info("line %d", number)
    lines: list[dict[str, object]] = []
    reader = threading.Thread(target=lambda: lines.extend(read_until_closed(reading)))
    reader.start()
    writer.flush()
    os.close(writing)
    reader.join()
    dropped = [
        int(found[1])
        for line in lines
        if (found := re.match(r"(\d+) lines were dropped", str(line["message"])))
    ]
    assert sum(dropped) >= logged - 2 * LINES_LIMIT
    assert len(lines) - len(dropped) + sum(dropped) == logged


def test_a_closed_descriptor_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    logger, writer = logger_to(writing)
    logger.info("to nobody")
    writer.flush()
    os.close(writing)


def test_a_forked_process_logs_too(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    logger, writer = logger_to(writing)
    logger.info("parent")
    writer.flush()
    child = os.fork()
    if child == 0:
        logger.info("child")
        writer.flush()
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    assert [line["message"] for line in read_until_closed(reading)] == ["parent", "child"]
