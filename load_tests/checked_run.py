"""A locust run whose counts are compared with the service's own."""

from typing import Any

from load_tests.agreement import disagreements
from load_tests.locust_run import LocustRun
from load_tests.service_process import Service


def checked_run(service: Service, run: LocustRun) -> tuple[dict[str, Any], list[str]]:
    """The summary of the run, and a sentence for each thing that went wrong.

    Raises:
        LocustError: locust failed or did not end.
    """
    before = service.predict_codes()
    summary = run.run()
    counts = summary["counts"]
    seen = {
        int(name.removeprefix("code ")): number
        for name, number in counts.items()
        if name.startswith("code ") and name != "code 0"
    }
    problems = [
        f"{error['name']}: {error['error']} ({error['times']} times)" for error in summary["errors"]
    ]
    disconnected = counts.get("disconnected", 0)
    return summary, problems + disagreements(before, service.predict_codes(), seen, disconnected)
