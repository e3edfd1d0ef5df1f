"""The pages' tables come from the results files, and every command's results make a table."""

import json
import re
import shutil
from pathlib import Path

import pytest

from load_tests.commands.capacity import parse_set_ups
from load_tests.measured_pages import (
    PAGES,
    RESULTS,
    TABLES,
    not_measured,
    page_as_measured,
    replace_between,
    table_of,
)
from load_tests.results import begin_results, measured_on, read_results, write_results
from load_tests.server_process import ROOT
from load_tests.tables import soak_table
from tests.e2e.running_service import RunningService
from tests.load_tests.command import load_tests

# The shortest run of each command, and what it prints.
SHORTEST = {
    "capacity": ("--precisions fp32 --set-ups 1x1 --seconds 0.1 --report {report}", "report: "),
    "overload": ("--seconds 1", '"refused": [0-9]'),
    "interference": ("--url {url} --rounds 1 --seconds 0.5", '"median_ratio": [0-9]'),
    "soak": ("--minutes 0.03 --settle-minutes 0.02 --growth-percent 100", "process [0-9]+: "),
    "idle": ("--seconds 1 --core-percent 200", "idle: [0-9.]+ % of a core"),
    "metrics-cost": (
        "--clients 4 --seconds 0.3 --rounds 1",
        "metrics off +[1-9].*\nmetrics on +[1-9]",
    ),
}


@pytest.mark.parametrize("path", PAGES)
def test_a_pages_tables_are_made_of_the_results_that_are_kept(path: Path) -> None:
    page = (ROOT / path).read_text(encoding="utf-8")
    assert page_as_measured(page, PAGES[path], RESULTS) == page, "run: python -m load_tests table"


@pytest.mark.parametrize("name", SHORTEST)
def test_what_a_command_measures_becomes_a_table(
    name: str, service: RunningService, tmp_path: Path
) -> None:
    file = tmp_path / f"{name}.json"
    options, printed = SHORTEST[name]
    given = options.format(url=service.url, report=tmp_path / "report.html").split()
    done = load_tests(name, "--output", str(file), *given)
    assert done.returncode == 0, done.stderr + done.stdout
    assert re.search(printed, done.stdout), done.stdout
    table = table_of(file)
    assert table.startswith("| ")
    assert table.endswith(measured_on(read_results(file)))

    page = f"<!-- measured: {name} -->\n<!-- end -->\n"
    written = page_as_measured(page, {name: TABLES[name]}, tmp_path)
    assert f"\n{table}\n" in written
    assert page_as_measured(written, {name: TABLES[name]}, tmp_path) == written


def test_the_tables_of_results_files_are_printed() -> None:
    files = [RESULTS / f"{name}.json" for name in TABLES]
    printed = load_tests("table", *map(str, files))
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout == "".join(f"{table_of(file)}\n" for file in files)


def test_what_was_not_measured_says_how_to(tmp_path: Path) -> None:
    page = "<!-- measured: idle -->\n<!-- end -->\n"
    assert not_measured("idle") in page_as_measured(page, {"idle": TABLES["idle"]}, tmp_path)


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    page = "before\n<a>\nold\nold\n<b>\nafter\n"
    replaced = replace_between(page, "<a>", "<b>", "new")
    assert replaced == "before\n<a>\n\nnew\n\n<b>\nafter\n"
    assert replace_between(replaced, "<a>", "<b>", "new") == replaced


@pytest.mark.parametrize("page", ["", "<a>\n", "<b>\n", "<a>\n<b>\n<a>\n<b>\n"])
def test_a_page_without_its_marks_or_with_too_many_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match=r"must hold <a> … <b> once"):
        replace_between(page, "<a>", "<b>", "new")


def test_a_file_that_holds_no_results_is_refused_in_a_sentence(tmp_path: Path) -> None:
    other, unknown = tmp_path / "idle.json", tmp_path / "speed.json"
    other.write_text("{}")
    shutil.copy(other, unknown)
    assert "not a results file" in load_tests("table", str(other)).stderr
    assert "must be one of baselines, capacity" in load_tests("table", str(unknown)).stderr


def test_numbers_that_json_cannot_express_are_written_as_null(tmp_path: Path) -> None:
    file = tmp_path / "new" / "overload.json"
    write_results({**begin_results(), "p99": float("nan"), "all": [(1.0, float("inf"))]}, file)
    written = json.loads(file.read_text())
    assert (written["p99"], written["all"]) == (None, [[1.0, None]])


def test_a_soak_adds_up_what_went_wrong() -> None:
    part = {"answered_per_second": 10.0, "p99_ms": 5.0, "refused": 0, "lost": 1, "wrong": 2}
    options = {"precision": "fp32", "minutes": 1.0, "clients": 64, "slice_seconds": 10.0}
    results = {**begin_results(), "slices": [part, part], "growth": [0.01], "options": options}
    assert "| requests | 0 refused, 2 lost, 4 wrong |" in soak_table(results)
    assert "| +1.00 % |" in soak_table(results)


def test_set_ups_are_workers_and_threads() -> None:
    assert parse_set_ups("2x1,1x2") == [(2, 1), (1, 2)]
    assert parse_set_ups("") == []
    for wrong in ("2", "0x1", "1x1x1", "ax1"):
        with pytest.raises(ValueError, match="workers and threads"):
            parse_set_ups(wrong)
