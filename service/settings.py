"""Every setting: flag ``--max-tokens`` and variable ``SENTIMENT_MAX_TOKENS`` are the same thing."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from service.engine.backends.registry import BACKENDS, BackendName
from service.environment import PREFIX, injected

_PACKAGE = Path(__file__).resolve().parent
# A wheel carries the bundle inside the package, a checkout beside it.
_WHERE = _PACKAGE if (_PACKAGE / "models").is_dir() else _PACKAGE.parent
SHIPPED_BUNDLE = _WHERE / "models" / "sentiment"


def _split(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _address(host: str) -> str:
    if host != "localhost":
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError("must be an IP address of this machine or localhost") from None
    return host


def _origins(origins: list[str]) -> list[str]:
    for origin in origins:
        if origin.endswith("/"):
            raise ValueError(f"{origin} ends with a slash; browsers send {origin.rstrip('/')}")
    return origins


CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """Serve a packed BiLSTM text classifier over HTTP."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        cli_prog_name="python -m service",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        extra="ignore",
        frozen=True,
    )

    host: Annotated[str, AfterValidator(_address)] = Field(
        "127.0.0.1",
        description="address to listen on: one of this machine's, localhost, 0.0.0.0 or ::",
    )
    port: int = Field(8000, ge=1024, le=65535, description="port to listen on")

    bundle: Path = Field(SHIPPED_BUNDLE, description="directory of the bundle to serve")
    bundle_digest: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="serve only the bundle whose manifest.json has this sha256",
    )
    backend: BackendName = Field("auto", description="what runs the model")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the model runs")

    workers: int = Field(0, ge=0, le=256, description="inference processes; 0: from the cores")
    threads: int = Field(0, ge=0, le=256, description="threads per worker; 0: one")
    api_servers: int = Field(0, ge=0, le=64, description="HTTP processes; 0: from the cores")

    max_tokens: int = Field(4096, ge=1, description="tokens per text")
    max_body_bytes: int = Field(2 << 20, ge=1, description="bytes per request body")
    max_texts: int = Field(256, ge=1, description="texts per request")
    max_queue_texts: int = Field(4096, ge=1, description="texts waiting, per HTTP process")
    max_queue_tokens: int = Field(262_144, ge=1, description="tokens waiting, per HTTP process")
    timeout_ms: int = Field(10_000, ge=1, le=600_000, description="deadline of a request")
    start_seconds: int = Field(60, ge=1, le=3600, description="time for a worker to get ready")
    no_worker_seconds: int = Field(
        120, ge=1, le=86_400, description="time without any worker, then the service ends"
    )
    drain_seconds: int = Field(20, ge=1, le=600, description="time to answer after SIGTERM")
    keep_alive_seconds: int = Field(75, ge=1, description="idle time before a connection closes")

    micro_batch_texts: int = Field(16, ge=1, le=4096, description="texts per forward pass")
    micro_batch_tokens: int = Field(
        4096, ge=1, description="tokens per forward pass of several texts"
    )
    micro_batch_ms: float = Field(
        40.0, gt=0, description="predicted time of a forward pass of several texts"
    )

    api_keys: CommaSeparated = Field(
        default_factory=list, description="accepted keys, comma-separated; none: open to all"
    )
    api_key_file: Path | None = Field(None, description="file with one accepted key per line")
    cors_origins: Annotated[CommaSeparated, AfterValidator(_origins)] = Field(
        default_factory=list, description="origins that browsers may call from, comma-separated"
    )
    root_path: str = Field(
        "",
        pattern=r"^(/[\w.~-]+)*$",
        description="prefix that a proxy strips from every path, such as /sentiment",
    )
    socket_directory: Path | None = Field(
        None, description="where the private directory of Unix sockets is made; none: the system's"
    )
    access_log: bool = Field(False, description="log every request, not only the failed ones")
    metrics: bool = Field(True, description="count and time requests for /metrics")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then the environment without what Kubernetes put there for a Service."""
        assert isinstance(env_settings, EnvSettingsSource)
        env_settings.env_vars = {
            name: value
            for name, value in env_settings.env_vars.items()
            if value is None or not injected(name, value)
        }
        return init_settings, env_settings

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.max_queue_texts < self.max_texts:
            raise ValueError(
                f"max_queue_texts ({self.max_queue_texts}) is below max_texts ({self.max_texts}):"
                " the largest allowed request could never be queued"
            )
        if self.max_queue_tokens < self.max_tokens:
            raise ValueError(
                f"max_queue_tokens ({self.max_queue_tokens}) is below max_tokens"
                f" ({self.max_tokens}): the longest allowed text could never be queued"
            )
        kind = BACKENDS.get(self.backend)
        if kind is not None and self.device not in kind.devices:
            raise ValueError(f"backend {kind.name} runs on device {' or '.join(kind.devices)} only")
        return self


class SettingError(Exception):
    """A setting that stops the start; the message names it in one sentence."""


def read_settings(arguments: list[str]) -> Settings:
    """Settings from flags, then environment, then defaults.

    Raises:
        SettingError: a value is impossible, contradicts another, or is not known.
    """
    try:
        return Settings(_cli_parse_args=arguments)  # type: ignore[call-arg]
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in problem["loc"][:1])
        message = problem["msg"].removeprefix("Value error, ")
        raise SettingError(f"{name}: {message}" if name else message) from None
    except SettingsError as error:
        raise SettingError(str(error)) from None
