import re

import pytest

from service.settings import SettingError, Settings, read_settings


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SENTIMENT_{name.upper()}", raising=False)


EXAMPLES = {
    "host": "0.0.0.0",
    "port": "8123",
    "bundle": "/some/where",
    "bundle_digest": "0" * 64,
    "backend": "torchscript",
    "device": "cuda",
    "max_tokens": "64",
    "timeout_ms": "250",
    "micro_batch_ms": "12.5",
    "api_keys": "one, two",
    "api_key_file": "/etc/keys",
    "cors_origins": "https://a.example,https://b.example",
    "socket_directory": "/run/sentiment",
}


@pytest.mark.parametrize(("name", "value"), EXAMPLES.items())
def test_flag_and_variable_are_the_same_thing(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    defaults = read_settings([])
    by_flag = read_settings([f"--{name.replace('_', '-')}={value}"])
    monkeypatch.setenv(f"SENTIMENT_{name.upper()}", value)
    assert read_settings([]) == by_flag != defaults


def test_a_flag_wins_over_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTIMENT_PORT", "8001")
    assert read_settings(["--port", "8002"]).port == 8002


@pytest.mark.parametrize("host", ["localhost", "10.1.2.3", "0.0.0.0", "::", "::1", "fe80::1%eth0"])
def test_a_host_is_any_address_or_localhost(host: str) -> None:
    assert read_settings(["--host", host]).host == host


def test_lists_are_comma_separated() -> None:
    assert read_settings(["--api-keys", " one ,two,,"]).api_keys == ["one", "two"]


def test_defaults_are_those_that_are_promised() -> None:
    settings = read_settings([])
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert (settings.max_tokens, settings.max_body_bytes, settings.max_texts) == (4096, 2**21, 256)
    assert (settings.max_queue_texts, settings.max_queue_tokens) == (4096, 262_144)
    assert (settings.timeout_ms, settings.drain_seconds) == (10_000, 20)
    assert settings.keep_alive_seconds == 75
    assert settings.cors_origins == settings.api_keys == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--host", "example.org"], ["host"]),
        (["--host", "256.0.0.1"], ["host"]),
        (["--no-worker-seconds", "0"], ["no_worker_seconds"]),
        (["--cors-origins", "https://a.example,https://b.example/"], ["https://b.example/"]),
        (["--port", "80"], ["port"]),
        (["--port", "70000"], ["port"]),
        (["--port", "http"], ["port"]),
        (["--backend", "tensorrt"], ["backend"]),
        (["--device", "tpu"], ["device"]),
        (["--bundle-digest", "abc"], ["bundle_digest"]),
        (["--workers", "-1"], ["workers"]),
        (["--max-tokens", "0"], ["max_tokens"]),
        (["--max-body-bytes", "0"], ["max_body_bytes"]),
        (["--timeout-ms", "0"], ["timeout_ms"]),
        (["--drain-seconds", "0"], ["drain_seconds"]),
        (["--micro-batch-ms", "0"], ["micro_batch_ms"]),
        (["--max-texts", "9", "--max-queue-texts", "8"], ["max_texts", "max_queue_texts"]),
        (["--max-tokens", "9", "--max-queue-tokens", "8"], ["max_tokens", "max_queue_tokens"]),
        (["--backend", "onnx-int8", "--device", "cuda"], ["onnx-int8", "device"]),
    ],
)
def test_an_impossible_value_gives_one_sentence_that_names_it(
    arguments: list[str], named: list[str]
) -> None:
    with pytest.raises(SettingError) as refusal:
        read_settings(arguments)
    sentence = str(refusal.value)
    assert "\n" not in sentence
    assert all(name in sentence for name in named)


@pytest.mark.parametrize("argument", ["--prot=8000", "stray"])
def test_an_unknown_flag_stops_the_start_and_is_named(
    argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((SettingError, SystemExit)) as refusal:
        read_settings([argument])
    said = f"{refusal.value} {capsys.readouterr().err}"
    assert argument.partition("=")[0] in said


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read_settings(["--help"])
    assert end.value.code == 0
    shown = set(re.findall(r"--([a-z-]+)", capsys.readouterr().out))
    assert {name.replace("_", "-") for name in Settings.model_fields} <= shown
