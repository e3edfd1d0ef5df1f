"""Whether the clients' counts agree with the service's ``/metrics``."""

from collections.abc import Mapping


def disagreements(
    before: Mapping[int, float],
    after: Mapping[int, float],
    seen: Mapping[int, int],
    disconnected: int = 0,
) -> list[str]:
    """Sentences; none if they agree. ``before`` and ``after`` are counts of ``/predict`` by code.

    A client that disconnected was counted as 499, or with the answer that it did not read.
    """
    counted = {code: round(after[code] - before.get(code, 0.0)) for code in after}
    problems = []
    unread = 0
    for code in sorted(counted.keys() | seen.keys() - {499}):
        surplus = counted.get(code, 0) - seen.get(code, 0)
        unread += max(0, surplus) if disconnected else 0
        if surplus < 0 or (surplus and not disconnected):
            problems.append(
                f"clients saw {seen.get(code, 0)} answers with {code},"
                f" /metrics counted {counted.get(code, 0)}"
            )
    if unread > disconnected:
        problems.append(
            f"{disconnected} clients disconnected, /metrics counted {unread} unread answers"
        )
    return problems
