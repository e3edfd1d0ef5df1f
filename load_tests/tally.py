"""What clients saw, counted in each locust process and added up in the first one."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from locust import events
from locust.env import Environment
from locust.runners import WorkerRunner

tally: Counter[str] = Counter()


@events.report_to_master.add_listener  # type: ignore[untyped-decorator]
def _report(client_id: str, data: dict[str, Any]) -> None:
    data["tally"] = dict(tally)
    tally.clear()


@events.worker_report.add_listener  # type: ignore[untyped-decorator]
def _add(client_id: str, data: dict[str, Any]) -> None:
    tally.update(data["tally"])


def write_summary(environment: Environment, path: Path) -> None:
    """Counts, failures and latencies as JSON; workers have sent theirs to the master."""
    if isinstance(environment.runner, WorkerRunner):
        return
    stats = environment.stats
    summary = {
        "counts": dict(sorted(tally.items())),
        "requests": stats.total.num_requests,
        "failures": stats.total.num_failures,
        "errors": [
            {"name": error.name, "error": str(error.error)[:300], "times": error.occurrences}
            for error in stats.errors.values()
        ],
        "kinds": [
            {
                "name": entry.name,
                "requests": entry.num_requests,
                "failures": entry.num_failures,
                **{
                    f"p{str(rank).replace('.', '_')}_ms": entry.get_response_time_percentile(
                        rank / 100
                    )
                    for rank in (50, 90, 99, 99.9)
                },
            }
            for entry in sorted(stats.entries.values(), key=lambda entry: str(entry.name))
        ],
    }
    path.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
