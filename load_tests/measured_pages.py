"""The pages that show figures: the text between two marks is generated from results files."""

from collections.abc import Callable, Mapping
from pathlib import Path

from load_tests.comparison_table import comparison_summary, comparison_table
from load_tests.results import Results, read_results
from load_tests.server_process import ROOT
from load_tests.tables import (
    capacity_table,
    idle_table,
    interference_table,
    metrics_cost_table,
    overload_table,
    soak_table,
)

RESULTS = ROOT / "load_tests" / "results"

Table = Callable[[Results], str]

TABLES: dict[str, Table] = {
    "baselines": comparison_table,
    "capacity": capacity_table,
    "overload": overload_table,
    "interference": interference_table,
    "soak": soak_table,
    "idle": idle_table,
    "metrics-cost": metrics_cost_table,
}
PAGES: dict[Path, Mapping[str, Table]] = {
    Path("README.md"): {"baselines": comparison_summary},
    Path("load_tests/README.md"): TABLES,
}


def table_of(file: Path) -> str:
    """The Markdown of one results file, whose name says what was measured.

    Raises:
        ValueError: no command measures this name, or it is not a results file.
    """
    if file.stem not in TABLES:
        raise ValueError(f"{file}: its name must be one of {', '.join(TABLES)}")
    return TABLES[file.stem](read_results(file))


def page_as_measured(page: str, tables: Mapping[str, Table], results: Path) -> str:
    """The text of a page with all its tables regenerated from the files in ``results``.

    Raises:
        ValueError: a mark is missing, or a file is not a results file.
    """
    for name, table in tables.items():
        file = results / f"{name}.json"
        content = table(read_results(file)) if file.exists() else not_measured(name)
        page = replace_between(page, f"<!-- measured: {name} -->", "<!-- end -->", content)
    return page


def not_measured(name: str) -> str:
    command = f"python -m load_tests {name} --output load_tests/results/{name}.json"
    return f"*Not measured yet: `{command}`.*"


def replace_between(page: str, begin: str, end: str, content: str) -> str:
    """``page`` with ``content`` between two marks on lines of their own."""
    before, mark, rest = page.partition(f"{begin}\n")
    _, closing, after = rest.partition(f"{end}\n")
    if not (mark and closing) or f"{begin}\n" in after:
        raise ValueError(f"the page must hold {begin} … {end} once")
    return f"{before}{mark}\n{content}\n\n{closing}{after}"
