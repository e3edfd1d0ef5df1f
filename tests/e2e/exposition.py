"""What a scrape says: every sample of ``/metrics`` by name and labels."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, tuple[tuple[str, str], ...]]


class Exposition:
    """One scrape. A fresh connection each, so that any API process may be the one to answer."""

    def __init__(self, url: str) -> None:
        self.text = httpx.get(f"{url}/metrics").text
        self.samples: dict[Series, float] = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """The sum over all series of this name that have these labels."""
        found = [
            value
            for (sample, have), value in self.samples.items()
            if sample == f"sentiment_{name}" and labels.items() <= dict(have).items()
        ]
        assert found, f"no series sentiment_{name} {labels}"
        return sum(found)

    def by(self, name: str, *labels: str) -> dict[tuple[str, ...], int]:
        """Non-zero counts by the values of these labels."""
        return {
            tuple(dict(have)[label] for label in labels): int(value)
            for (sample, have), value in self.samples.items()
            if sample == f"sentiment_{name}" and value
        }
