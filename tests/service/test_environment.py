"""Variables that Kubernetes makes for Services, and those that somebody misspelt."""

import pytest

from service.environment import variable_warnings
from service.settings import Settings, read_settings

# What kubelet sets for a Service "sentiment" with a port named "http", and for "sentiment-canary".
MADE_BY_KUBERNETES = {
    "SENTIMENT_SERVICE_HOST": "10.0.0.11",
    "SENTIMENT_SERVICE_PORT": "8000",
    "SENTIMENT_SERVICE_PORT_HTTP": "8000",
    "SENTIMENT_PORT": "tcp://10.0.0.11:8000",
    "SENTIMENT_PORT_8000_TCP": "tcp://10.0.0.11:8000",
    "SENTIMENT_PORT_8000_TCP_PROTO": "tcp",
    "SENTIMENT_PORT_8000_TCP_PORT": "8000",
    "SENTIMENT_PORT_8000_TCP_ADDR": "10.0.0.11",
    "SENTIMENT_CANARY_SERVICE_HOST": "10.0.0.12",
    "SENTIMENT_CANARY_PORT": "udp://10.0.0.12:53",
    "SENTIMENT_CANARY_PORT_53_UDP_ADDR": "10.0.0.12",
}
NAMES = list(Settings.model_fields)


def test_what_kubernetes_makes_is_passed_over_with_one_warning_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in MADE_BY_KUBERNETES.items():
        monkeypatch.setenv(name, value)
    assert read_settings([]).port == 8000
    monkeypatch.setenv("SENTIMENT_MAX_TOKENS", "64")
    assert read_settings([]).max_tokens == 64
    (warning,) = variable_warnings(MADE_BY_KUBERNETES, NAMES)
    assert all(name in warning for name in MADE_BY_KUBERNETES)


def test_a_setting_or_a_strangers_variable_is_no_reason_to_warn() -> None:
    ours = {f"SENTIMENT_{name.upper()}": "1" for name in NAMES}
    assert variable_warnings({**ours, "PORT": "tcp://10.0.0.1:80", "HOME": "/"}, NAMES) == []


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("SENTIMENT_MAX_TOKEN", "SENTIMENT_MAX_TOKENS"),
        ("SENTIMENT_WORKER", "SENTIMENT_WORKERS"),
        ("SENTIMENT_APIKEYS", "SENTIMENT_API_KEYS"),
        ("sentiment_prot", "SENTIMENT_PORT"),
        ("SENTIMENT_XYZZY", None),
    ],
)
def test_a_misspelt_variable_is_named_with_the_nearest_setting(
    name: str, nearest: str | None
) -> None:
    (warning,) = variable_warnings({name: "1"}, NAMES)
    assert warning.startswith(f"{name} is no setting")
    assert (f"is {nearest} meant?" in warning) == (nearest is not None)
